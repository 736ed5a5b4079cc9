#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "test/tools/cli_fixture.h"
#include "tools/report_writer.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(ReportJson, SeparatesMeansInSecondsFromTotalsInPicoseconds) {
  const json report = json::parse(call({"run", "tiny-8xa100", "--format", "json", "--expand-ranks"}).out);
  const json& means = report["exposed_communication_s"];
  const json& totals = report["exposed_communication_total_ps"];
  ASSERT_EQ(means.size(), totals.size());
  for (const auto& [group, total] : totals.items()) {
    std::int64_t sum = 0;
    for (const json& rank : report["ranks"]) {
      sum += rank["exposed_communication_by_group"][group + "_ps"].get<std::int64_t>();
    }
    EXPECT_EQ(total, sum) << group;
    const auto ranks = static_cast<double>(report["ranks"].size());
    EXPECT_DOUBLE_EQ(means[group].get<double>(), static_cast<double>(sum) / 1e12 / ranks) << group;
  }
  EXPECT_GT(totals["tp"], 0);
}

TEST(ReportText, ShowsNoShareOfAnIterationWithoutTime) {
  EXPECT_EQ(share_text(1.0, 8.0), "12.5 %");
  EXPECT_EQ(share_text(1.0, 0.0), "-");
  EXPECT_THAT(report_text(Report{}), AllOf(Not(HasSubstr("nan")), Not(HasSubstr("inf"))));
}

}  // namespace
}  // namespace makespan
