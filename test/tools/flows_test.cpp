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

/// A case over one link of 1 GB/s with a window; the flows carry the given bytes.
std::vector<double> ends_under_window(std::size_t window, const std::string& flows) {
  const TemporaryFolder folder;
  const std::string text = R"({"cases":[{"window":)" + std::to_string(window) +
                           R"(,"link_bandwidth_Bps":[1e9],"flows":)" + flows + "}]}";
  std::vector<double> result;
  const Outcome outcome = call({"flows", folder.file("cases.json", text)});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const json document = json::parse(outcome.out);
  for (const json& flow : document["cases"][0]["flows"]) {
    result.push_back(flow["end_s"]);
  }
  return result;
}

TEST(Flows, EnterInTheirOrderWhenTheWindowHasRoom) {
  // Two at a time: 1 MB and 3 MB share until 2 ms; then 2 MB beside the 2 MB that are left, until 6 ms.
  EXPECT_THAT(ends_under_window(2, R"([{"links":[0],"bytes":1000000},{"links":[0],"bytes":3000000},
                                       {"links":[0],"bytes":2000000},{"links":[0],"bytes":500000}])"),
              are({2e6 / kRate, 6e6 / kRate, 6e6 / kRate, 6.5e6 / kRate}));
  const std::string same = R"([{"links":[0],"bytes":1000000},{"links":[0],"bytes":1000000}])";
  EXPECT_THAT(ends_under_window(1, same), are({1e6 / kRate, 2e6 / kRate}));
  EXPECT_THAT(ends_under_window(0, same), are({2e6 / kRate, 2e6 / kRate}));  // no limit
}

TEST(Flows, UnderAWindowWaitForTheOneWhoseTurnItIs) {
  EXPECT_THAT(ends_under_window(2, R"([{"links":[0],"bytes":1000000,"start_s":0.5},
                                       {"links":[],"bytes":0,"latency_s":0.25}])"),
              are({0.5 + 1e6 / kRate, 0.5 + 0.25}));
}

TEST(Flows, KeepTheirPrecisionOverSlowLinks) {
  const TemporaryFolder folder;
  const std::string text = R"({"cases":[{"link_bandwidth_Bps":[0.007],"flows":[
      {"links":[0],"bytes":1},{"links":[0],"bytes":1},{"links":[0],"bytes":2}]}]})";
  const json document = json::parse(call({"flows", folder.file("cases.json", text)}).out);
  EXPECT_NEAR(document["cases"][0]["flows"][0]["end_s"], 3 / 0.007, 1e-6 * 3 / 0.007);
  EXPECT_NEAR(document["cases"][0]["flows"][2]["end_s"], 4 / 0.007, 1e-6 * 4 / 0.007);
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
      {R"({"cases":[{"window":-4,"link_bandwidth_Bps":[1],"flows":[]}]})", 2,
       "cases[0].window: must be a whole number"},
      {R"({"cases":[{"window":1.5,"link_bandwidth_Bps":[1],"flows":[]}]})", 2,
       "cases[0].window: must be a whole number"},
      {R"({"cases":[{"window":2,"link_bandwidth_Bps":[1],"flows":[
          {"links":[0],"bytes":1,"after":[1]},{"links":[0],"bytes":1}]}]})",
       1, "flow 1  waits for its turn after  flow 0"},
      {R"({"cases":[{"link_bandwidth_Bps":[9e15,0.001],"flows":[{"links":[0,1],"bytes":1}]}]})", 2,
       "cases[0].link_bandwidth_Bps[1]: is too low for 1 crossings"},
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

/// Random flows between 1024 hosts of a star or of a fat tree of 16-port switches, as the other simulator
/// drew them.
class RandomFlows {
 public:
  explicit RandomFlows(bool fat_tree) : fat_tree_(fat_tree) {}

  /// `window` 0 is none.
  [[nodiscard]] json one_case(std::size_t flows, std::size_t window, std::uint64_t seed) const {
    json list = json::array();
    for (; flows > 0; --flows) {
      const std::uint64_t from = split_mix(seed) % kHosts;
      const std::uint64_t to = (from + 1 + split_mix(seed) % (kHosts - 1)) % kHosts;
      const std::uint64_t bytes = 1'000'000 + split_mix(seed) % 99'000'001;
      list.push_back({{"links", route(from, to)}, {"bytes", bytes}});
    }
    return {{"cases",
             {{{"link_bandwidth_Bps", std::vector<double>(fat_tree_ ? 6144 : 2048, 12.5e9)},
               {"flows", list},
               {"window", window}}}}};
  }

 private:
  static constexpr std::uint64_t kHalf = 8;  ///< of the ports of a switch
  static constexpr std::uint64_t kHosts = 16 * kHalf * kHalf;

  /// SplitMix64 (Steele et al. 2014).
  static std::uint64_t split_mix(std::uint64_t& state) {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

  /// Each host has an even link up and the odd one after it down; so have the trunks of the fat tree, first
  /// those between edge and aggregation, then those between aggregation and core, by pod, switch and port.
  [[nodiscard]] std::vector<std::uint64_t> route(std::uint64_t from, std::uint64_t to) const {
    const std::uint64_t up = 2 * from;
    const std::uint64_t down = 2 * to + 1;
    const std::uint64_t from_edge = from / kHalf;
    const std::uint64_t to_edge = to / kHalf;
    if (!fat_tree_ || from_edge == to_edge) {
      return {up, down};
    }
    std::uint64_t state = from * kHosts + to;
    const std::uint64_t hash = split_mix(state);
    const std::uint64_t aggregation = hash % kHalf;
    const std::uint64_t port = hash / kHalf % kHalf;
    const std::uint64_t from_pod = from_edge / kHalf;
    const std::uint64_t to_pod = to_edge / kHalf;
    const auto trunk = [&](std::uint64_t tier, std::uint64_t row, std::uint64_t column) {
      return 2 * (tier * kHosts + row * kHalf + column);
    };
    const std::uint64_t edge_up = trunk(1, from_edge, aggregation);
    const std::uint64_t edge_down = trunk(1, to_edge, aggregation) + 1;
    if (from_pod == to_pod) {
      return {up, edge_up, edge_down, down};
    }
    return {up,
            edge_up,
            trunk(2, from_pod * kHalf + aggregation, port),
            trunk(2, to_pod * kHalf + aggregation, port) + 1,
            edge_down,
            down};
  }

  bool fat_tree_;
};

TEST(Flows, AgreeWithAnotherSimulatorOnRandomFlowsWithAndWithoutAWindow) {
  const std::string file = MAKESPAN_SOURCE_DIR "/../shared/data/makespan_expected.json";
  if (!std::filesystem::exists(file)) {
    GTEST_SKIP() << "the reference makespans are not here";
  }
  const json reference = json::parse(content_of(file));
  EXPECT_EQ(reference["flows"].size(), 8U);
  for (const json& expected : reference["flows"]) {
    const json& arguments = expected["gen_flows_args"];
    const json text =
        RandomFlows(arguments[0] == "fattree").one_case(arguments[1], arguments[2], arguments[3]);
    const TemporaryFolder folder;
    const Outcome outcome = call({"flows", folder.file("cases.json", text.dump())});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    double makespan = 0;
    double sum = 0;
    const json computed = json::parse(outcome.out);
    for (const json& flow : computed["cases"][0]["flows"]) {
      makespan = std::max(makespan, flow["end_s"].get<double>());
      sum += flow["end_s"].get<double>();
    }
    const double makespan_expected = expected["makespan_reference"];
    const double sum_expected = expected["sum_of_end_times_reference"];
    EXPECT_NEAR(makespan, makespan_expected, 1e-7 * makespan_expected) << arguments;
    EXPECT_NEAR(sum, sum_expected, 1e-7 * sum_expected) << arguments;
  }
}

}  // namespace
}  // namespace makespan
