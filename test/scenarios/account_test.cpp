#include "scenarios/account.h"

#include <gtest/gtest.h>
#include <map>
#include <numeric>

#include "test/scenarios/examples.h"

namespace makespan {
namespace {

Time sum(const std::vector<AccountItem>& items) {
  return std::accumulate(items.begin(), items.end(), Time(),
                         [](Time total, const AccountItem& item) { return total + item.time; });
}

std::map<std::string, Time> by_cause(const Report& report) {
  std::map<std::string, Time> result;
  for (const AccountItem& item : account(report)) {
    EXPECT_TRUE(result.emplace(item.cause, item.time).second) << item.cause << " twice";
  }
  return result;
}

TEST(Account, sums_to_the_iteration_whatever_the_number_of_ranks) {
  for (const std::int64_t pipeline : {1, 2, 4}) {
    for (const std::int64_t tensor : {1, 2}) {
      Scenario scenario = test::small_gpt(4);
      scenario.parallelism.pipeline = pipeline;
      scenario.parallelism.tensor = tensor;
      const Report report = test::run_it(scenario).report;
      EXPECT_EQ(sum(account(report)), report.iteration_time) << pipeline << ' ' << tensor;
    }
  }
}

/// Thirds of a picosecond: 7 / 3, then 11 / 3, then 15 / 3.
TEST(Account, loses_no_picosecond_to_rounding) {
  Report report;
  report.iteration_time = Time(5);
  report.ranks.resize(3);
  report.ranks[0].time.compute = Time(5);
  report.ranks[1].time.compute = Time(2);
  report.ranks[1].time.exposed[static_cast<std::size_t>(Group::tp)] = Time(3);
  report.ranks[2].time.exposed[static_cast<std::size_t>(Group::tp)] = Time(1);
  report.ranks[2].time.bubble[static_cast<std::size_t>(Bubble::drain)] = Time(4);
  const std::map<std::string, Time> items = by_cause(report);
  EXPECT_EQ(items.at("compute"), Time(2));         // floor(7 / 3)
  EXPECT_EQ(items.at("exposed_tp"), Time(3 - 2));  // floor(11 / 3) - floor(7 / 3)
  EXPECT_EQ(items.at("bubble_drain"), Time(15 / 3 - 11 / 3));
  EXPECT_EQ(sum(account(report)), report.iteration_time);
}

TEST(Account, separates_slowdown_from_compute_and_contention_from_transfers) {
  Report report;
  report.iteration_time = Time(100);
  report.ranks.resize(1);
  RankTime& time = report.ranks[0].time;
  time.compute = Time(60);
  time.slowdown = Time(7);
  time.exposed[static_cast<std::size_t>(Group::dp)] = Time(30);
  time.contention[static_cast<std::size_t>(Group::dp)] = Time(11);
  time.bubble[static_cast<std::size_t>(Bubble::optimizer)] = Time(10);
  const std::map<std::string, Time> items = by_cause(report);
  EXPECT_EQ(items.at("compute"), Time(60 - 7));
  EXPECT_EQ(items.at("compute_slowdown"), Time(7));
  EXPECT_EQ(items.at("exposed_dp"), Time(30 - 11));
  EXPECT_EQ(items.at("contention_dp"), Time(11));
  EXPECT_EQ(items.at("bubble_optimizer"), Time(10));
  EXPECT_EQ(items.at("exposed_tp"), Time(0));
}

}  // namespace
}  // namespace makespan
