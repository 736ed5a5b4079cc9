// Schedules that are searched, from the command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "test/tools/cli_fixture.h"

namespace makespan {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Le;

const std::vector<std::string> kCosts = {"--forward",         "3", "--backward-input", "4",
                                         "--backward-weight", "2", "--communication",  "1/3"};

Outcome search(std::vector<std::string> arguments, const std::vector<std::string>& more = {}) {
  arguments.insert(arguments.begin(), "schedule");
  arguments.insert(arguments.end(), kCosts.begin(), kCosts.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  return call(arguments);
}

TEST(SearchCommand, SavesASearchAsListsAndAsJsonThatRunAsItDoes) {
  const TemporaryFolder folder;
  const std::vector<std::vector<std::string>> searches = {
      {"zb-auto", "-p", "4", "-m", "9", "--memory-limit", "5"},
      {"list", "-p", "3", "-m", "7", "--chunks", "2", "--memory-limit", "4"},
      {"list", "-p", "4", "-m", "8", "--placement", "v", "--memory-limit", "3", "--weight-activation",
       "1/2"}};
  for (const std::vector<std::string>& arguments : searches) {
    const Outcome found = search(arguments, {"--format", "json"});
    ASSERT_EQ(found.code, 0) << found.err;
    const json expected = json::parse(found.out);
    const Outcome lists = search(arguments, {"--format", "csv"});
    ASSERT_EQ(lists.code, 0) << lists.err;
    for (const std::string& file : {folder.file("s.csv", lists.out), folder.file("s.json", found.out)}) {
      const Outcome again = search({file}, {"--format", "json"});
      ASSERT_EQ(again.code, 0) << again.err;
      for (const char* key : {"makespan", "max_span", "peak_activations", "actions"}) {
        EXPECT_EQ(json::parse(again.out)[key], expected[key]) << file << ' ' << key;
      }
    }
    EXPECT_EQ(search(arguments, {"--format", "json"}).out, found.out);
  }
}

TEST(SearchCommand, HoldsNoMoreThanTheLimit) {
  for (const std::string kind : {"zb-auto", "list"}) {
    const Outcome found = search({kind, "-p", "4", "-m", "12", "--memory-limit", "5", "--format", "json"});
    ASSERT_EQ(found.code, 0) << found.err;
    EXPECT_THAT(json::parse(found.out)["peak_activations"].get<std::vector<int>>(), Each(Le(5)));
  }
}

TEST(SearchCommand, DrawsWhatItFinds) {
  for (const std::string format : {"svg", "tikz", "trace"}) {
    EXPECT_EQ(search({"list", "-p", "2", "-m", "3"}, {"--format", format}).code, 0) << format;
  }
}

TEST(SearchCommand, SaysWhatAListScheduleBeats) {
  EXPECT_THAT(search({"list", "-p", "4", "-m", "8", "--memory-limit", "4"}).out,
              AllOf(HasSubstr("list  "), HasSubstr("fixed schedule")));
  EXPECT_THAT(call({"schedule", "list", "-p", "1", "-m", "4"}).out, HasSubstr("no schedule can be shorter"));
  EXPECT_THAT(search({"list", "-p", "4", "-m", "8", "--memory-limit", "1"}).out,
              HasSubstr("no fixed schedule fits the memory"));
}

TEST(SearchCommand, RefusesOptionsThatDoNotSuit) {
  const auto refusal = [](const std::vector<std::string>& arguments) {
    const Outcome outcome = call(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.out;
    return outcome.err;
  };
  EXPECT_THAT(refusal({"schedule", "1f1b", "-p", "2", "-m", "2", "--memory-limit", "2"}),
              AllOf(HasSubstr("--memory-limit"), HasSubstr("'zb-auto' and 'list' are")));
  EXPECT_THAT(refusal({"schedule", "list", "-p", "2", "-m", "2", "--group", "2"}), HasSubstr("--group"));
  EXPECT_THAT(refusal({"schedule", "list", "-m", "2"}), HasSubstr("--ranks is required"));
  EXPECT_THAT(refusal({"schedule", "zb-auto", "-p", "2", "-m", "2", "--placement", "v"}),
              HasSubstr("is not an option of zb-auto"));
  EXPECT_THAT(refusal({"schedule", "list", "-p", "2", "-m", "2", "--semantics", "fused"}),
              HasSubstr("list is searched for independent messages, not fused"));
  EXPECT_THAT(refusal({"schedule", "lists", "-p", "2", "-m", "2"}), HasSubstr("did you mean 'list'"));
  const Outcome tight = call({"schedule", "list", "-p", "2", "-m", "2", "--memory-limit", "1/2"});
  EXPECT_EQ(tight.code, 1);
  EXPECT_THAT(tight.err, HasSubstr("does not hold one micro-batch"));
}

TEST(SearchCommand, IsListedWithTheSchedules) {
  EXPECT_THAT(call({"list", "schedules"}).out, AllOf(HasSubstr("\nzb-auto "), HasSubstr("\nlist ")));
}

TEST(SearchCommand, RunsInScenariosAndComparisons) {
  const Outcome compared =
      call({"compare", "tiny-8xa100", "--set", "parallelism.pipeline=4", "--set", "parallelism.data=1",
            "--schedules", "1f1b,zb-h1,zb-auto,list,list:2", "--format", "json"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  const json rows = json::parse(compared.out)["rows"];
  ASSERT_EQ(rows.size(), 5U);
  std::vector<double> times;
  for (const json& row : rows) {
    times.push_back(row["iteration_time_s"]);
  }
  EXPECT_LT(times[3], times[0]);
  EXPECT_LE(times[3], 1.002 * times[1]);
  EXPECT_THAT(call({"compare", "tiny-8xa100", "--schedules", "all"}).out,
              AllOf(HasSubstr("zb-auto"), HasSubstr("list")));
}

}  // namespace
}  // namespace makespan
