#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "test/tools/cli_fixture.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

/// The library's smallest scenario with another schedule section.
std::string tiny_with(const std::string& schedule) {
  std::string text = content_of(std::string(MAKESPAN_SOURCE_DIR) + "/scenarios/library/tiny-8xa100.yaml");
  const std::string line = "schedule: 1f1b\n";
  const std::size_t place = text.find(line);
  if (place == std::string::npos) {
    throw std::logic_error("the scenario's schedule has another form");
  }
  return text.replace(place, line.size(), "schedule: " + schedule + "\n");
}

/// The rows of `compare ARGUMENTS --format json`, which must not warn.
json rows_of(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "compare");
  arguments.insert(arguments.end(), {"--format", "json"});
  const Outcome outcome = call(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  return outcome.code == 0 ? json::parse(outcome.out)["rows"] : json::array();
}

std::vector<std::string> texts(const json& rows, const char* key) {
  std::vector<std::string> result;
  for (const json& row : rows) {
    result.push_back(row[key]);
  }
  return result;
}

/// The fingerprint of the scenario with exactly this schedule section.
std::string fingerprint_with(const std::string& schedule) {
  const Outcome outcome = call({"run", "tiny-8xa100", "--set", "schedule=" + schedule, "--format", "json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.code == 0 ? json::parse(outcome.out)["fingerprint"] : json("");
}

TEST(CompareSchedules, KeepsWhatTheFileSaysOfCommunicationAndOrder) {
  const TemporaryFolder folder;
  const std::string file =
      folder.file("tiny.yaml", tiny_with("{kind: gpipe, lifo: true, communication: blocking}"));
  const std::string lifo = fingerprint_with("{kind: gpipe, lifo: true, communication: blocking}");
  ASSERT_NE(lifo, fingerprint_with("{kind: gpipe, communication: blocking}"));
  ASSERT_NE(lifo, fingerprint_with("{kind: gpipe, lifo: true}"));
  EXPECT_THAT(texts(rows_of({file, "--schedules", "gpipe,1f1b"}), "fingerprint"),
              ElementsAre(lifo, fingerprint_with("{kind: 1f1b, communication: blocking}")));
}

TEST(CompareSchedules, KeepsChunksAndGroupForKindsThatTakeThem) {
  const TemporaryFolder folder;
  const std::string file = folder.file("tiny.yaml", tiny_with("{kind: interleaved, chunks: 2, group: 4}"));
  const std::string grouped = fingerprint_with("{kind: interleaved, chunks: 2, group: 4}");
  ASSERT_NE(grouped, fingerprint_with("{kind: interleaved, chunks: 2}"));
  EXPECT_THAT(texts(rows_of({file, "--schedules", "interleaved,interleaved:3,1f1b"}), "fingerprint"),
              ElementsAre(grouped, fingerprint_with("{kind: interleaved, chunks: 3, group: 4}"),
                          fingerprint_with("1f1b")));
}

TEST(CompareSchedules, AddsToAShortFormWhatIsSet) {
  EXPECT_THAT(texts(rows_of({"tiny-8xa100", "--set", "schedule.communication=blocking", "--set",
                             "schedule.lifo=true", "--schedules", "gpipe,1f1b"}),
                    "fingerprint"),
              ElementsAre(fingerprint_with("{kind: gpipe, lifo: true, communication: blocking}"),
                          fingerprint_with("{kind: 1f1b, communication: blocking}")));
}

TEST(CompareSchedules, RefusesASecondChoiceOfSchedule) {
  for (const char* set : {"schedule=gpipe", "schedule={kind: gpipe}", "schedule.kind=gpipe"}) {
    const Outcome outcome = call({"compare", "tiny-8xa100", "--set", set, "--schedules", "1f1b"});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr("--schedules: does not go with --set " + std::string(set)));
    EXPECT_THAT(outcome.err, HasSubstr("hint: both choose the schedule"));
  }
}

TEST(CompareSchedules, RefusesChunksForAKindThatHasOne) {
  const Outcome outcome = call({"compare", "tiny-8xa100", "--schedules", "gpipe:2"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("gpipe has one chunk per rank, not 2"));
}

/// Lets the program read `text` from the standard input.
class StandardInput {
 public:
  explicit StandardInput(const std::string& text) : text_(text), old_(std::cin.rdbuf(text_.rdbuf())) {
    std::cin.clear();
  }

  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;
  StandardInput(StandardInput&&) = delete;
  StandardInput& operator=(StandardInput&&) = delete;

  ~StandardInput() {
    std::cin.rdbuf(old_);
    std::cin.clear();
  }

 private:
  std::istringstream text_;
  std::streambuf* old_;
};

TEST(CompareCommand, ReadsTheStandardInputOnceForAllRows) {
  const StandardInput input(tiny_with("gpipe"));
  EXPECT_THAT(texts(rows_of({"-", "--schedules", "gpipe,1f1b"}), "fingerprint"),
              ElementsAre(fingerprint_with("gpipe"), fingerprint_with("1f1b")));
}

TEST(CompareCommand, NamesRowsAfterTheirScenariosAndNoTwoAlike) {
  const TemporaryFolder folder;
  const std::string file = folder.file("other.yaml", tiny_with("gpipe"));
  EXPECT_THAT(texts(rows_of({file, "tiny-8xa100", file}), "name"),
              ElementsAre("tiny-8xa100", "tiny-8xa100 #2", "tiny-8xa100 #3"));
  EXPECT_THAT(texts(rows_of({"tiny-8xa100", "--schedules", "gpipe,1f1b,gpipe"}), "name"),
              ElementsAre("gpipe", "1f1b", "gpipe #2"));
}

}  // namespace
}  // namespace makespan
