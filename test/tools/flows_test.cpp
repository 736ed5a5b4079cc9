#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "test/tools/cli_fixture.h"

namespace makespan {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using testing::HasSubstr;

constexpr double kRate = 1e9;
constexpr double kTolerance = 1e-12;  // relative: results are whole picoseconds

/// A file with one case over `links` links of 1 GB/s each.
std::string one_case(int links, const std::string& flows) {
  const json rates = std::vector<double>(static_cast<std::size_t>(links), kRate);
  return R"({"cases":[{"name":"test","link_bandwidth_Bps":)" + rates.dump() + R"(,"flows":)" + flows + "}]}";
}

std::vector<double> ends(int links, const std::string& flows) {
  const TemporaryFolder folder;
  const Outcome outcome = call({"flows", folder.file("cases.json", one_case(links, flows))});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::vector<double> result;
  const json document = json::parse(outcome.out);
  for (const json& flow : document["cases"][0]["flows"]) {
    result.push_back(flow["end_s"]);
  }
  return result;
}

testing::Matcher<std::vector<double>> are(const std::vector<double>& values) {
  std::vector<testing::Matcher<double>> matchers;
  for (const double value : values) {
    matchers.push_back(testing::DoubleNear(value, value * kTolerance));
  }
  return testing::ElementsAreArray(matchers);
}

TEST(Flows, ShareALinkUntilTheShorterEnds) {
  EXPECT_THAT(ends(1, R"([{"links":[0],"bytes":1000000},{"links":[0],"bytes":3000000}])"),
              are({2 * 1e6 / kRate, (1e6 + 3e6) / kRate}));
}

TEST(Flows, StartWhenTheySay) {
  EXPECT_THAT(ends(1, R"([{"links":[0],"bytes":1000000,"start_s":0.25}])"), are({0.25 + 1e6 / kRate}));
}

TEST(Flows, WaitForTheirLatencyAndForOthers) {
  EXPECT_THAT(ends(1, R"([{"links":[0],"bytes":1000000},
                          {"links":[0],"bytes":1000000,"after":[0],"latency_s":1e-6},
                          {"links":[0],"bytes":0,"after":[1],"latency_s":2e-6}])"),
              are({1e6 / kRate, 2e6 / kRate + 1e-6, 2e6 / kRate + 1e-6 + 2e-6}));
}

TEST(Flows, StartAfterTheLaterOfStartAndPredecessors) {
  EXPECT_THAT(ends(1, R"([{"links":[0],"bytes":1000000},
                          {"links":[0],"bytes":1000000,"after":[0],"start_s":0.5}])"),
              are({1e6 / kRate, 0.5 + 1e6 / kRate}));
}

TEST(Flows, CrossALinkAsOftenAsTheyNameIt) {
  EXPECT_THAT(ends(1, R"([{"links":[0,0],"bytes":1000000}])"), are({2 * 1e6 / kRate}));
}

TEST(Flows, EndAfterTheirLatencyWithoutLinks) {
  EXPECT_THAT(ends(0, R"([{"links":[],"bytes":1000000,"latency_s":3e-6}])"), are({3e-6}));
}

TEST(Flows, PassOnWhatTheyDoNotKnow) {
  const TemporaryFolder folder;
  const std::string text =
      R"({"what":"w","cases":[{"note":1,"link_bandwidth_Bps":[1000.0],"flows":[{"x":[2],"links":[0],"bytes":1000}]}]})";
  const Outcome outcome = call({"flows", folder.file("cases.json", text)});
  EXPECT_EQ(
      ordered_json::parse(outcome.out).dump(),
      R"({"what":"w","cases":[{"note":1,"link_bandwidth_Bps":[1000.0],"flows":[{"x":[2],"links":[0],"bytes":1000,"end_s":1.0}]}]})");
}

struct Refusal {
  std::string text;
  int code;
  std::string reason;
};

TEST(Flows, RefuseWhatIsWrongAndSayWhere) {
  const std::vector<Refusal> refusals = {
      {"{\n \"cases\": [}", 2, "cases.json:2:12: not JSON"},
      {"[]", 2, "must be an object"},
      {"{}", 2, "'cases' is missing"},
      {R"({"cases":{}})", 2, "cases: must be a list"},
      {R"({"cases":[{"flows":[]}]})", 2, "cases[0]: 'link_bandwidth_Bps' is missing"},
      {one_case(1, R"([{"links":[1],"bytes":1}])"), 2,
       "cases[0].flows[0].links[0]: must be a whole number from 0 to 1"},
      {one_case(1, R"([{"links":[-1],"bytes":1}])"), 2, "cases[0].flows[0].links[0]"},
      {one_case(1, R"([{"links":[0],"bytes":1.5}])"), 2,
       "cases[0].flows[0].bytes: must be a whole number of bytes"},
      {one_case(1, R"([{"links":[0],"bytes":-1}])"), 2, "cases[0].flows[0].bytes: must be a number from 0"},
      {one_case(1, R"([{"links":[0],"bytes":1e300}])"), 2, "cases[0].flows[0].bytes"},
      {one_case(1, R"([{"links":[0],"bytes":1,"start_s":"0"}])"), 2,
       "cases[0].flows[0].start_s: must be a number"},
      {one_case(1, R"([{"links":[0],"bytes":1,"after":[7]}])"), 2, "cases[0].flows[0].after[0]"},
      {R"({"cases":[{"link_bandwidth_Bps":[0],"flows":[]}]})", 2, "cases[0].link_bandwidth_Bps[0]"},
      {R"({"cases":[{"link_bandwidth_Bps":[1e400],"flows":[]}]})", 2, "out of range"},
      {R"({"cases":[{"window":4,"link_bandwidth_Bps":[1],"flows":[]}]})", 2,
       "cases[0].window: is not supported"},
      {std::string(100, '['), 2, "nested deeper than 64"},
      {one_case(1, R"([{"links":[0],"bytes":1,"after":[1]},{"links":[0],"bytes":1,"after":[0]}])"), 1,
       "waits for"},
  };
  const TemporaryFolder folder;
  for (const Refusal& refusal : refusals) {
    const Outcome outcome = call({"flows", folder.file("cases.json", refusal.text)});
    EXPECT_EQ(outcome.code, refusal.code) << refusal.text;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr(refusal.reason)) << refusal.text;
  }
}

TEST(Flows, AgreeWithAnotherSimulatorOnPublishedCases) {
  const std::string file = MAKESPAN_SOURCE_DIR "/../shared/data/maxmin_cases.json";
  if (!std::filesystem::exists(file)) {
    GTEST_SKIP() << "the reference cases are not here";
  }
  const Outcome outcome = call({"flows", file});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json expected = json::parse(content_of(file));
  const json computed = json::parse(outcome.out);
  for (std::size_t i = 0; i < expected["cases"].size(); ++i) {
    for (std::size_t k = 0; k < expected["cases"][i]["flows"].size(); ++k) {
      const double end = expected["cases"][i]["flows"][k]["end_s"];
      EXPECT_NEAR(computed["cases"][i]["flows"][k]["end_s"], end, 1e-9 * end) << expected["cases"][i]["name"];
    }
  }
}

}  // namespace
}  // namespace makespan
