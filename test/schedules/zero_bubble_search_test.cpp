// The automatic zero-bubble schedules against the paper's rates, the authors' own orders and the simulator.
#include "schedules/zero_bubble_search.h"

#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "schedules/bare.h"
#include "schedules/catalogue.h"
#include "schedules/schedule_file.h"
#include "schedules/validate.h"
#include "test/schedules/pass_simulation.h"
#include "test/schedules/pytorch_files.h"

namespace makespan::test {
namespace {

using ::testing::Each;
using ::testing::Ge;
using ::testing::HasSubstr;

/// Profiled times of the paper's models in microseconds per stage and micro-batch, and the bubble rates that
/// its authors calculated for them (arXiv 2401.10241, the tables of profiled times and of bubble rates).
struct Profile {
  const char* model;
  int ranks;
  int microbatches;
  std::int64_t forward, input, weight, hop;
  double zb_1p, zb_2p;
};

constexpr std::array<Profile, 12> kProfiles = {{
    {"1.5B", 8, 24, 18522, 18086, 9337, 601, 0.1585, 0.0433},
    {"1.5B", 8, 32, 18513, 18086, 9331, 626, 0.1242, 0.0039},
    {"1.5B", 8, 64, 18546, 18097, 9321, 762, 0.0674, 0.0026},
    {"6.2B", 8, 24, 29718, 29444, 19927, 527, 0.1323, 0.0029},
    {"6.2B", 8, 32, 29802, 29428, 19530, 577, 0.1045, 0.0022},
    {"6.2B", 8, 64, 29935, 29621, 19388, 535, 0.0554, 0.0010},
    {"14.6B", 16, 48, 11347, 11248, 8132, 377, 0.1397, 0.0066},
    {"14.6B", 16, 64, 11307, 11254, 8101, 379, 0.1088, 0.0054},
    {"14.6B", 16, 128, 11325, 11308, 8109, 378, 0.0576, 0.0028},
    {"28.3B", 32, 96, 10419, 10207, 7715, 408, 0.1421, 0.0038},
    {"28.3B", 32, 128, 10408, 10204, 7703, 408, 0.1106, 0.0029},
    {"28.3B", 32, 256, 10402, 10248, 7698, 460, 0.0594, 0.0018},
}};

/// M_B = 2 and M_W = 1, with room for `limit` micro-batches.
PassCosts costs_of(std::int64_t forward, std::int64_t input, std::int64_t weight, std::int64_t hop,
                   int limit) {
  RankCosts costs;
  costs.forward = forward;
  costs.backward = input + weight;
  costs.backward_input = input;
  costs.backward_weight = weight;
  costs.activation = 2;
  costs.weight_activation = 1;
  costs.memory_limit = limit * costs.activation;
  return {.ranks = {costs}, .hop = hop};
}

PassCosts costs_of(const Profile& profile, int limit) {
  return costs_of(profile.forward, profile.input, profile.weight, profile.hop, limit);
}

BareResult simulated(const Schedule& schedule, const PassCosts& costs) {
  return run_bare(schedule, bare_costs(costs, 1), Communication::independent).result;
}

TEST(ZeroBubbleSearch, ReachesThePublishedBubbleRates) {
  for (const Profile& profile : kProfiles) {
    for (const int k : {1, 2}) {
      const PassCosts costs = costs_of(profile, k * profile.ranks);
      const Schedule schedule = zero_bubble_search(profile.ranks, profile.microbatches, costs);
      EXPECT_TRUE(validate(schedule).empty());
      EXPECT_THAT(memory_left(schedule, costs), Each(Ge(0)));
      EXPECT_NEAR(simulated(schedule, costs).span_bubble_ratio, k == 1 ? profile.zb_1p : profile.zb_2p, 5e-5)
          << profile.model << ' ' << profile.microbatches << ' ' << k << 'p';
    }
  }
}

TEST(ZeroBubbleSearch, TakesNoLongerThanTheAuthorsOrders) {
  if (!read_reference_file("sail/zb1p_auto_p4_m12_unit.csv")) {
    GTEST_SKIP() << "the reference lists of sail-sg are not beside this checkout";
  }
  const auto check = [](const std::string& shape, int ranks, int microbatches, const auto& costs_with_limit) {
    for (const int k : {1, 2}) {
      const std::string name = "sail/zb" + std::to_string(k) + "p_auto_" + shape + ".csv";
      const PassCosts costs = costs_with_limit(k * ranks);
      const Schedule stored = read_schedule_csv(read_reference_file(name).value_or(""), name);
      EXPECT_THAT(memory_left(stored, costs), Each(Ge(0))) << name;
      EXPECT_LE(simulated(zero_bubble_search(ranks, microbatches, costs), costs).max_span,
                simulated(stored, costs).max_span)
          << name;
    }
  };
  check("p4_m12_unit", 4, 12, [](int limit) { return costs_of(1, 1, 1, 0, limit); });
  for (const std::size_t row : {0, 3, 6}) {  // the fewest micro-batches of each model
    const Profile& profile = kProfiles[row];
    check(std::string(profile.model) + "_p" + std::to_string(profile.ranks) + "_m" +
              std::to_string(profile.microbatches),
          profile.ranks, profile.microbatches, [&](int limit) { return costs_of(profile, limit); });
  }
}

TEST(ZeroBubbleSearch, HasNoBubbleWithTwiceTheMemoryWhenAllPassesTakeAsLong) {
  for (const int p : {1, 2, 4, 8}) {
    const int m = 3 * p;
    const PassCosts costs = costs_of(1, 1, 1, 0, 2 * p);
    EXPECT_EQ(simulated(zero_bubble_search(p, m, costs), costs).max_span, 3 * m) << p;
  }
}

TEST(ZeroBubbleSearch, NeedsRoomForOneMicrobatchOnly) {
  const PassCosts costs = costs_of(3, 4, 2, 1, 1);
  const Schedule schedule = zero_bubble_search(3, 4, costs);
  EXPECT_TRUE(validate(schedule).empty());
  EXPECT_EQ(memory_left(schedule, costs), (std::vector<std::int64_t>{0, 0, 0}));
  EXPECT_EQ(write_schedule_csv(schedule).substr(0, 27), "0F0,0I0,0W0,0F1,0I1,0W1,0F2");
}

TEST(ZeroBubbleSearch, GivesValidListsWithinRandomLimits) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const int p = 1 + static_cast<int>(seed % 7);
    const int m = 1 + static_cast<int>(seed % 11);
    const PassCosts costs = random_pass_costs(seed, p, 1, m);
    const Schedule schedule = zero_bubble_search(p, m, costs);
    ASSERT_TRUE(validate(schedule).empty()) << seed;
    ASSERT_THAT(memory_left(schedule, costs), Each(Ge(0))) << seed;
    ASSERT_TRUE(fits_memory(schedule, costs)) << seed;
    const std::optional<ScheduleTimes> times = ScheduleTimer(schedule, costs).time(schedule);
    ASSERT_TRUE(times) << seed;
    const SimulatedTimes expected = simulate_passes(schedule, costs);
    ASSERT_EQ(times->makespan, expected.makespan) << seed;
    ASSERT_EQ(times->max_span, expected.max_span) << seed;
    const std::string csv = write_schedule_csv(schedule);
    ASSERT_EQ(read_schedule_csv(csv, "csv").actions, schedule.actions) << seed;
    ASSERT_EQ(write_schedule_csv(zero_bubble_search(p, m, costs)), csv) << seed;
  }
}

TEST(ScheduleTimer, TimesEveryFixedScheduleAsTheSimulatorDoes) {
  std::uint64_t seed = 0;
  for (const ScheduleKind& kind : schedule_kinds()) {
    for (const int p : {2, 4}) {
      const ScheduleOptions options{.ranks = p, .microbatches = kind.name == "hanayo" ? p : 2 * p};
      const Schedule schedule = generate(kind.name, options);
      PassCosts costs = random_pass_costs(++seed, p, schedule.chunks, options.microbatches);
      costs.ranks.front().forward_backward = 5;
      const std::optional<ScheduleTimes> times = ScheduleTimer(schedule, costs).time(schedule);
      ASSERT_TRUE(times) << kind.name;
      const SimulatedTimes expected = simulate_passes(schedule, costs);
      EXPECT_EQ(times->makespan, expected.makespan) << kind.name;
      EXPECT_EQ(times->max_span, expected.max_span) << kind.name;
      const std::vector<std::int64_t> peaks = peak_memory(schedule, costs);
      const std::vector<std::int64_t> left = memory_left(schedule, costs);
      for (int rank = 0; rank < p; ++rank) {
        const auto r = static_cast<std::size_t>(rank);
        EXPECT_EQ(peaks[r] + left[r], costs.of(rank).memory_limit) << kind.name;
      }
    }
  }
}

TEST(ScheduleTimer, TellsListsThatWaitForEachOther) {
  const Schedule schedule = schedule_from_lists({"0F0,0B0", "1B0,1F0"});
  EXPECT_FALSE(ScheduleTimer(schedule, PassCosts{}).time(schedule_from_lists({"0B0,0F0", "1F0,1B0"})));
}

template <class Exception>
std::string refusal(const PassCosts& costs, int ranks = 2) {
  try {
    require_pass_costs(costs, ranks, 1, 4);
  } catch (const Exception& error) {
    return error.what();
  }
  return {};
}

TEST(PassCosts, AreRefusedWithTheNameOfTheCost) {
  PassCosts costs;
  EXPECT_NO_THROW(require_pass_costs(costs, 2, 1, 4));
  EXPECT_THAT(refusal<InputError>(costs, 0),
              HasSubstr("ranks: 0 is outside the accepted range 1 to 4194304"));
  costs.ranks[0].backward_weight = -1;
  EXPECT_THAT(refusal<InputError>(costs), HasSubstr("backward-weight: -1 is negative"));
  costs.ranks[0].backward_weight = std::numeric_limits<std::int64_t>::max() / 8;
  EXPECT_THAT(refusal<InputError>(costs), HasSubstr("outside the range of 64 bits"));
  costs = {.ranks = {3, RankCosts{}}};
  EXPECT_THAT(refusal<InputError>(costs), HasSubstr("there are 3 sets for 2 ranks"));
  costs = {.hop = -2};
  EXPECT_THAT(refusal<InputError>(costs), HasSubstr("communication: -2 is negative"));
  costs = {};
  costs.ranks[0].weight_activation = 2;
  EXPECT_THAT(refusal<InputError>(costs), HasSubstr("weight-activation: 2 is more than the activation, 1"));
  costs = {};
  costs.ranks[0].activation = std::int64_t{1} << 61;
  EXPECT_THAT(refusal<InputError>(costs), HasSubstr("outside the range of 64 bits"));
  costs = {};
  costs.ranks[0].activation = 5;
  costs.ranks[0].memory_limit = 4;
  EXPECT_THAT(refusal<InfeasibleError>(costs),
              HasSubstr("rank 0: the memory limit of 4 does not hold one micro-batch, 1 x 5"));
}

}  // namespace
}  // namespace makespan::test
