#include "tools/compare_causes.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "test/tools/cli_fixture.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Outcome compare(std::vector<std::string> arguments, const std::string& format) {
  arguments.insert(arguments.begin(), "compare");
  arguments.insert(arguments.end(), {"--format", format});
  Outcome outcome = call(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome;
}

json json_of(const std::vector<std::string>& arguments) {
  return json::parse(compare(arguments, "json").out);
}

/// The cells of a CSV without quotes.
std::vector<std::vector<std::string>> csv_of(const std::vector<std::string>& arguments) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(compare(arguments, "csv").out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line + ",.");
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) {
      rows.back().push_back(cell);
    }
    rows.back().pop_back();
  }
  return rows;
}

TEST(CompareWhatIf, ListsEveryCauseWithWhatItSaves) {
  const json row = json_of({"tiny-8xa100", "--what-if"})["rows"][0];
  std::vector<std::string> causes;
  for (const json& entry : row["what_if"]) {
    causes.push_back(entry["cause"]);
    EXPECT_EQ(entry["simulated"], entry["cause"] != "bubble");
    EXPECT_EQ(entry["iteration_time_ps"].get<std::int64_t>() + entry["saved_ps"].get<std::int64_t>(),
              row["iteration_time_ps"].get<std::int64_t>());
    EXPECT_DOUBLE_EQ(entry["share"].get<double>(),
                     entry["saved_s"].get<double>() / row["iteration_time_s"].get<double>());
  }
  EXPECT_THAT(causes, ElementsAre("compute_slowdown", "contention", "latency", "bandwidth_tp", "bandwidth_pp",
                                  "bandwidth_dp", "bandwidth_other", "communication", "bubble"));
}

/// The bound is the largest of the ranks' iterations without their bubbles.
TEST(CompareWhatIf, BoundsByTheBusiestRank) {
  const json row = json_of({"tiny-8xa100", "--what-if"})["rows"][0];
  std::int64_t busiest = 0;
  for (const json& rank : row["ranks"]) {
    busiest = std::max(busiest, rank["compute_ps"].get<std::int64_t>() +
                                    rank["exposed_communication_ps"].get<std::int64_t>());
  }
  EXPECT_EQ(row["what_if"].back()["iteration_time_ps"], busiest);
}

TEST(CompareWhatIf, GoesWithSchedulesAndPrintsATableForEach) {
  const std::vector<std::string> arguments = {"tiny-8xa100", "--schedules", "1f1b,zb-h1", "--what-if"};
  EXPECT_THAT(compare(arguments, "text").out,
              AllOf(HasSubstr("\n1f1b: what if "), HasSubstr("\nzb-h1: what if "),
                    HasSubstr("tp bandwidth unlimited"), HasSubstr("Savings do not add up")));
  EXPECT_THAT(compare(arguments, "markdown").out,
              AllOf(HasSubstr("| 1f1b: what if"), Not(HasSubstr("Savings"))));
  const std::string latex = compare(arguments, "latex").out;
  EXPECT_THAT(latex, AllOf(HasSubstr("zb-h1: what if"), HasSubstr("bubble-free bound"), HasSubstr("\\%")));
  const json rows = json_of(arguments)["rows"];
  EXPECT_EQ(rows[0]["what_if"].size(), 9U);
  EXPECT_EQ(rows[1]["what_if"].size(), 9U);
}

TEST(CompareWhatIf, HasAColumnForEachCauseInTheCsv) {
  const auto rows = csv_of({"tiny-8xa100", "--what-if"});
  const json row = json_of({"tiny-8xa100", "--what-if"})["rows"][0];
  ASSERT_EQ(rows.size(), 2U);
  for (const json& entry : row["what_if"]) {
    const std::string column = "without_" + entry["cause"].get<std::string>() + "_ps";
    const auto found = std::find(rows[0].begin(), rows[0].end(), column);
    ASSERT_NE(found, rows[0].end()) << column;
    EXPECT_EQ(rows[1][static_cast<std::size_t>(found - rows[0].begin())],
              std::to_string(entry["iteration_time_ps"].get<std::int64_t>()));
  }
}

/// "3.000 ms" more is less saved: the sign stays.
TEST(CompareWhatIf, ShowsALossAsALoss) {
  CompareRow row{"slower", Report{}};
  row.report->iteration_time = Time(10'000'000'000);
  row.what_if = {{Cause::compute_slowdown, Group::none, Time(13'000'000'000)}};
  EXPECT_THAT(what_if_table(row, false).rows.back(),
              ElementsAre("no compute slow-down", "13.00 ms", "-3.000 ms", "-30.0 %"));
  EXPECT_EQ(what_if_json(row)[0]["saved_ps"], -3'000'000'000);
}

/// Eight ranks against sixteen, and other groups: every picosecond of the difference has a cause.
TEST(CompareDifferences, AddUpExactlyWhateverTheNumberOfRanks) {
  const TemporaryFolder folder;
  std::string text = content_of(std::string(MAKESPAN_SOURCE_DIR) + "/scenarios/library/tiny-8xa100.yaml");
  const std::string second =
      folder.file("gpipe.yaml", text.replace(text.find("schedule: 1f1b"), 14, "schedule: gpipe"));
  const json result = json_of({"tiny-8xa100", second, "llama3-8b-64xh100"});
  ASSERT_EQ(result["differences"].size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const json& entry = result["differences"][i];
    const json& row = result["rows"][i + 1];
    EXPECT_EQ(entry["name"], row["name"]);
    EXPECT_EQ(entry["against"], "tiny-8xa100");
    std::int64_t sum = 0;
    std::int64_t here = 0;
    for (const json& cause : entry["causes"]) {
      sum += cause["difference_ps"].get<std::int64_t>();
      here += cause["this_ps"].get<std::int64_t>();
      EXPECT_EQ(cause["difference_ps"].get<std::int64_t>(),
                cause["this_ps"].get<std::int64_t>() - cause["against_ps"].get<std::int64_t>());
    }
    EXPECT_EQ(here, row["iteration_time_ps"]);
    EXPECT_EQ(sum, entry["difference_ps"]);
    EXPECT_EQ(sum, row["iteration_time_ps"].get<std::int64_t>() -
                       result["rows"][0]["iteration_time_ps"].get<std::int64_t>());
    EXPECT_NE(sum, 0);
  }
}

TEST(CompareDifferences, FollowTheTableOfSeveralScenariosOnly) {
  EXPECT_THAT(compare({"tiny-8xa100", "llama3-8b-64xh100"}, "text").out,
              AllOf(HasSubstr("\nmean over ranks "), HasSubstr("difference\n"), HasSubstr("\niteration "),
                    HasSubstr("exposed tp, as alone"), Not(HasSubstr("exposed cp"))));
  EXPECT_THAT(compare({"tiny-8xa100", "llama3-8b-64xh100"}, "latex").out, HasSubstr("bubble: warm-up &"));
  EXPECT_THAT(compare({"tiny-8xa100"}, "text").out, Not(HasSubstr("mean over ranks")));
  EXPECT_THAT(compare({"tiny-8xa100", "--schedules", "1f1b,gpipe"}, "text").out,
              Not(HasSubstr("mean over ranks")));
  EXPECT_FALSE(json_of({"tiny-8xa100", "--schedules", "1f1b,gpipe"}).contains("differences"));
}

/// The columns behind the iteration are its parts.
TEST(CompareDifferences, HaveTheirTermsInTheCsv) {
  const auto rows = csv_of({"tiny-8xa100", "llama3-8b-64xh100"});
  ASSERT_EQ(rows.size(), 3U);
  const auto first = std::find(rows[0].begin(), rows[0].end(), "compute_ps");
  ASSERT_NE(first, rows[0].end());
  const auto begin = static_cast<std::size_t>(first - rows[0].begin());
  for (std::size_t row = 1; row < rows.size(); ++row) {
    std::int64_t sum = 0;
    for (std::size_t column = begin; column + 1 < rows[0].size(); ++column) {
      sum += std::stoll(rows[row][column]);
    }
    EXPECT_EQ(std::to_string(sum), rows[row][begin - 1]);
  }
  EXPECT_EQ(rows[0][begin - 1], "iteration_time_ps");
  EXPECT_EQ(rows[0].back(), "reason");
}

}  // namespace
}  // namespace makespan
