#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "test/tools/cli_fixture.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::AllOf;
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

TEST(CompareSchedules, LeavesOutPiecesThatAKindDoesNotTake) {
  const TemporaryFolder folder;
  const std::string file = folder.file("tiny.yaml", tiny_with("{kind: seq1f1b, pieces: 4}"));
  EXPECT_THAT(texts(rows_of({file, "--schedules", "1f1b,seq1f1b,list"}), "fingerprint"),
              ElementsAre(fingerprint_with("1f1b"), fingerprint_with("{kind: seq1f1b, pieces: 4}"),
                          fingerprint_with("list")));
}

TEST(CompareSchedules, LeavesOutHowStepsAreSynchronisedWhereTheyAreNot) {
  const std::vector<std::string> untied = {"tiny-8xa100", "--set", "model.tied_embeddings=false"};
  const auto rows = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = untied;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return texts(rows_of(arguments), "fingerprint");
  };
  EXPECT_EQ(
      rows({"--set", "schedule.optimizer_sync=post-validation", "--schedules", "pipedream,pipedream-2bw"}),
      rows({"--schedules", "pipedream,pipedream-2bw"}));
}

TEST(CompareSchedules, NamesTheOptionOfAnUnknownKind) {
  const auto error = [](const std::string& schedules) {
    const Outcome outcome = call({"compare", "tiny-8xa100", "--schedules", schedules});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(error("foo"), AllOf(HasSubstr("--schedules: unknown kind 'foo'"), HasSubstr("list, all\n")));
  EXPECT_THAT(error("al"), HasSubstr("did you mean 'all'?"));
  EXPECT_THAT(error("1f1c:2"), HasSubstr("unknown kind '1f1c'\n  hint: did you mean '1f1b'?"));
  EXPECT_THAT(error("all,1f1b"), HasSubstr("--schedules: 'all' stands alone"));
}

TEST(CompareSchedules, RunsAllAndSortsThemWithReasons) {
  const json rows = rows_of({"llama3-8b-64xh100", "--schedules", "all"});
  ASSERT_GE(rows.size(), 12U);
  const auto of = [&](const std::string& name) {
    return *std::find_if(rows.begin(), rows.end(), [&](const json& row) { return row["name"] == name; });
  };
  // What fits comes first, the fastest in front; speed-ups are over the scenario's own schedule.
  double last = 0;
  int kind = 0;
  for (const json& row : rows) {
    const int here = row.contains("reason") ? 2 : row["out_of_memory"].is_null() ? 0 : 1;
    EXPECT_GE(here, kind);
    if (here == kind && here < 2) {
      EXPECT_GE(row["iteration_time_s"], last);
    }
    if (here < 2) {
      last = row["iteration_time_s"];
      EXPECT_DOUBLE_EQ(row["speed_up"], of("1f1b")["iteration_time_s"].get<double>() / last);
    }
    kind = here;
  }
  EXPECT_EQ(of("1f1b")["speed_up"], 1.0);
  EXPECT_GT(of("zb-v")["speed_up"], of("zb-h1")["speed_up"]);
  EXPECT_THAT(std::string(of("gpipe")["out_of_memory"]), HasSubstr("out of memory"));
  EXPECT_THAT(std::string(of("hanayo:2")["reason"]), HasSubstr("16 is more than the 4 ranks"));
}

TEST(CompareSchedules, SpeedUpsOverOtherNumbersOfMicroBatchesArePerMicroBatch) {
  const json rows = rows_of({"tiny-8xa100", "--schedules", "1f1b,zb-h1", "--microbatches", "4,8"});
  ASSERT_EQ(rows.size(), 4U);
  const double first = rows[0]["iteration_time_s"];
  for (const json& row : rows) {
    const double batches = std::string(row["name"]).ends_with("m=8") ? 2 : 1;  // over the first row's
    EXPECT_DOUBLE_EQ(row["speed_up"], batches * first / row["iteration_time_s"].get<double>()) << row["name"];
  }
}

TEST(CompareSchedules, PrintsEveryFormat) {
  const auto print = [](const std::string& format) {
    const Outcome outcome = call({"compare", "tiny-8xa100", "--schedules", "1f1b,zb-h1", "--format", format});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out;
  };
  EXPECT_THAT(print("text"), AllOf(HasSubstr("speed-up"), HasSubstr("warm-up"), HasSubstr("longest span")));
  EXPECT_THAT(print("csv"), HasSubstr("name,iteration_time_s,speed_up,"));
  EXPECT_THAT(print("markdown"), HasSubstr("| zb-h1 |"));
  EXPECT_THAT(print("latex"), AllOf(HasSubstr("\\toprule"), HasSubstr("\\%"), HasSubstr("zb-h1")));
}

TEST(CompareSchedules, DividesAProfileAmongTheChunksOfAnotherSchedule) {
  const json rows = rows_of({"zero-bubble-1.5b", "--schedules", "zb-h1,zb-v"});
  const auto compute = [](const json& row) {
    double sum = 0;
    for (const json& rank : row["ranks"]) {
      sum += rank["compute_s"].get<double>() * rank["count"].get<double>();
    }
    return sum;
  };
  EXPECT_NEAR(compute(rows[0]), compute(rows[1]), 1e-6 * compute(rows[0]));
}

/// Half of each of the profile's times, and of the pair's, by hand.
TEST(CompareSchedules, DividesTheTimeOfAnOverlappedPairToo) {
  const json rows = rows_of(
      {"zero-bubble-1.5b", "--set", "workload.profile.forward_backward=30 ms", "--schedules", "dualpipev"});
  const Outcome halves =
      call({"run", "zero-bubble-1.5b", "--set", "schedule.kind=dualpipev", "--set",
            "workload.profile.forward=9.261 ms", "--set", "workload.profile.backward_input=9.043 ms", "--set",
            "workload.profile.backward_weight=4.6685 ms", "--set", "workload.profile.forward_backward=15 ms",
            "--format", "json"});
  ASSERT_EQ(halves.code, 0) << halves.err;
  EXPECT_EQ(rows[0]["iteration_time_s"], json::parse(halves.out)["iteration_time_s"]);
  EXPECT_NE(rows[0]["iteration_time_s"],
            rows_of({"zero-bubble-1.5b", "--schedules", "dualpipev"})[0]["iteration_time_s"]);
}

TEST(CompareSchedules, LeavesOutChunksThatAKindDoesNotHave) {
  const TemporaryFolder folder;
  const std::string file = folder.file("tiny.yaml", tiny_with("{kind: interleaved, chunks: 3}"));
  EXPECT_THAT(texts(rows_of({file, "--schedules", "interleaved,zb-v"}), "fingerprint"),
              ElementsAre(fingerprint_with("{kind: interleaved, chunks: 3}"), fingerprint_with("zb-v")));
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
