#include "core/fluid.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <limits>
#include <map>
#include <set>

#include "core/random.h"
#include "test/oracle/reference_max_min.h"

namespace makespan {
namespace {

using testing::ElementsAre;

/// A system to be solved at once: capacities by resource, uses by variable.
struct System {
  std::vector<Rate> capacities;
  std::vector<std::vector<Use>> variables;
};

std::vector<Resource> resources(const std::vector<Rate>& capacities) {
  std::vector<Resource> result;
  for (const Rate capacity : capacities) {
    result.push_back({"", NameId(0), capacity});
  }
  return result;
}

std::vector<Rate> solve(const System& system, FluidSystem::Solver solver = FluidSystem::Solver::automatic) {
  FluidSystem fluid(resources(system.capacities), solver);
  for (std::size_t v = 0; v < system.variables.size(); ++v) {
    fluid.add(VariableId(v), system.variables[v]);
  }
  fluid.solve();
  std::vector<Rate> rates;
  for (std::size_t v = 0; v < system.variables.size(); ++v) {
    rates.push_back(fluid.rate(VariableId(v)));
  }
  return rates;
}

/// Of a few kinds, so that ties, zeros and odd remainders all occur.
Rate random_capacity(Random& random) {
  switch (random.below(6)) {
    case 0:
      return Rate(random.between(0, 3));
    case 1:
      return Rate(random.between(1, std::numeric_limits<std::int64_t>::max()));
    case 2:
      return Rate(random.between(1, 1'000'000'000'000));
    default:
      return Rate(12'500'000'000 * random.between(1, 4));
  }
}

std::uint32_t random_weight(Random& random) {
  switch (random.below(4)) {
    case 0:
      return static_cast<std::uint32_t>(random.between(1, 5000));
    case 1:
      return static_cast<std::uint32_t>(random.between(1, std::numeric_limits<std::uint32_t>::max()));
    default:
      return Use::kUnitWeight * static_cast<std::uint32_t>(random.between(1, 3));
  }
}

std::vector<Use> random_uses(Random& random, std::size_t resource_count) {
  std::set<std::size_t> used;
  const std::size_t hops = 1 + random.below(std::min<std::size_t>(4, resource_count));
  while (used.size() < hops) {
    used.insert(random.below(resource_count));
  }
  std::vector<Use> uses;
  for (const std::size_t resource : used) {
    uses.push_back({ResourceId(resource), random_weight(random)});
  }
  return uses;
}

std::vector<Rate> random_capacities(Random& random, std::size_t count) {
  std::vector<Rate> capacities;
  for (std::size_t r = 0; r < count; ++r) {
    capacities.push_back(random_capacity(random));
  }
  return capacities;
}

System random_system(Random& random) {
  System system;
  const std::size_t resource_count = 1 + random.below(12);
  system.capacities = random_capacities(random, resource_count);
  const std::size_t variable_count = 1 + random.below(12);
  for (std::size_t v = 0; v < variable_count; ++v) {
    system.variables.push_back(random_uses(random, resource_count));
  }
  return system;
}

constexpr FluidSystem::Solver kSolvers[] = {FluidSystem::Solver::automatic, FluidSystem::Solver::scan,
                                            FluidSystem::Solver::heap};

TEST(Fluid, EverySolverGivesTheRatesOfTheReferenceOnRandomSystems) {
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    Random random(seed);
    const System system = random_system(random);
    const std::vector<Rate> expected = oracle::max_min(system.capacities, system.variables);
    for (const FluidSystem::Solver solver : kSolvers) {
      ASSERT_EQ(solve(system, solver), expected)
          << "seed " << seed << ", solver " << static_cast<int>(solver);
    }
  }
}

TEST(Fluid, ManyRoundsPassFromTheScanToTheHeap) {
  // Link r has room for r + 1 units beside a variable that crosses all links: one round for each link.
  constexpr std::size_t kLinks = 100;
  System system;
  std::vector<Use> everywhere;
  for (std::size_t r = 0; r < kLinks; ++r) {
    system.capacities.emplace_back(1000 * (static_cast<std::int64_t>(r) + 1));
    system.variables.push_back({{ResourceId(r), Use::kUnitWeight}});
    everywhere.push_back({ResourceId(r), Use::kUnitWeight});
  }
  system.variables.push_back(everywhere);
  const std::vector<Rate> expected = oracle::max_min(system.capacities, system.variables);
  EXPECT_EQ(expected.back(), Rate(500));
  EXPECT_EQ(expected[kLinks - 1], Rate(1000 * static_cast<std::int64_t>(kLinks) - 500));
  for (const FluidSystem::Solver solver : kSolvers) {
    EXPECT_EQ(solve(system, solver), expected);
  }
}

/// A fluid system under random changes, beside what it should hold.
class ChangingSystem {
 public:
  ChangingSystem(Random& random, std::size_t size, FluidSystem::Solver solver)
      : random_(random),
        size_(size),
        capacities_(random_capacities(random, 1 + random.below(size))),
        fluid_(resources(capacities_), solver) {}

  void change() {
    const std::size_t variable = random_.below(size_);
    const auto found = present_.find(variable);
    if (random_.below(5) == 0) {
      const std::size_t resource = random_.below(capacities_.size());
      capacities_[resource] = random_capacity(random_);
      fluid_.set_capacity(ResourceId(resource), capacities_[resource]);
    } else if (found == present_.end()) {
      const auto added = present_.emplace(variable, random_uses(random_, capacities_.size())).first;
      fluid_.add(VariableId(variable), added->second);
      known_.erase(variable);
    } else {
      fluid_.remove(VariableId(variable));
      present_.erase(found);
    }
  }

  /// The variables reported as changed are exactly those whose rate is new or different, and all rates are
  /// right.
  void check() {
    std::vector<std::vector<Use>> variables;
    for (const auto& [variable, uses] : present_) {
      variables.push_back(uses);
    }
    const std::vector<Rate> rates = oracle::max_min(capacities_, variables);
    std::set<VariableId> expected_changes;
    std::size_t i = 0;
    for (const auto& [variable, uses] : present_) {
      const Rate rate = rates[i++];
      if (!known_.contains(variable) || known_[variable] != rate) {
        expected_changes.insert(VariableId(variable));
        known_[variable] = rate;
      }
    }
    const std::span<const VariableId> changes = fluid_.solve();
    ASSERT_EQ(std::set<VariableId>(changes.begin(), changes.end()), expected_changes);
    ASSERT_EQ(changes.size(), expected_changes.size());
    for (const auto& [variable, uses] : present_) {
      ASSERT_EQ(fluid_.rate(VariableId(variable)), known_[variable]);
    }
    check_loads();
  }

 private:
  void check_loads() {
    for (std::size_t r = 0; r < capacities_.size(); ++r) {
      std::int64_t load = 0;
      for (const auto& [variable, uses] : present_) {
        for (const Use& use : uses) {
          if (use.resource == ResourceId(r)) {
            load += static_cast<std::int64_t>(Uint128(static_cast<std::uint64_t>(known_[variable].count())) *
                                              use.weight / 1024);
          }
        }
      }
      peaks_[r] = std::max(peaks_[r], Rate(load));
      ASSERT_EQ(fluid_.peak_load(ResourceId(r)), peaks_[r]);
    }
  }

  Random& random_;
  std::size_t size_;  ///< at most so many variables and resources
  std::vector<Rate> capacities_;
  FluidSystem fluid_;
  std::map<std::size_t, std::vector<Use>> present_;
  std::map<std::size_t, Rate> known_;  ///< rates as reported so far, of the variables present
  std::map<std::size_t, Rate> peaks_;
};

void follow_changes(std::uint64_t seed, std::size_t size, std::uint64_t changes_at_once) {
  Random random(seed, size);
  ChangingSystem system(random, size, kSolvers[seed % 3]);
  for (int step = 0; step < 40; ++step) {
    for (std::uint64_t changes = random.below(changes_at_once + 1); changes > 0; --changes) {
      system.change();
    }
    ASSERT_NO_FATAL_FAILURE(system.check()) << "seed " << seed << ", size " << size << ", step " << step;
  }
}

TEST(Fluid, FollowsRandomChangesAndReportsExactlyTheRatesThatChanged) {
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    ASSERT_NO_FATAL_FAILURE(follow_changes(seed, 12, 3));
  }
}

TEST(Fluid, FollowsRandomChangesOfLargerSystems) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    ASSERT_NO_FATAL_FAILURE(follow_changes(seed, 40, 8));
  }
}

TEST(Fluid, FollowsRandomChangesOfSystemsThatNeedTheHeap) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    ASSERT_NO_FATAL_FAILURE(follow_changes(seed, 130, 60));
  }
}

TEST(Fluid, AVariableThatIsGoneBeforeTheSolveLeavesNoTrace) {
  FluidSystem fluid(resources({Rate(10), Rate(4)}));
  const std::vector<Use> both = {{ResourceId(0)}, {ResourceId(1)}};
  const std::vector<Use> first = {{ResourceId(0), 700}};
  fluid.add(VariableId(0), first);
  EXPECT_THAT(fluid.solve(), ElementsAre(VariableId(0)));
  fluid.add(VariableId(1), both);
  fluid.remove(VariableId(1));
  EXPECT_THAT(fluid.solve(), ElementsAre());
  EXPECT_EQ(fluid.rate(VariableId(0)), Rate(10 * 1024 / 700));
  EXPECT_EQ(fluid.peak_load(ResourceId(1)), Rate(0));
  fluid.add(VariableId(1), both);
  fluid.remove(VariableId(1));
  fluid.add(VariableId(1), both);
  EXPECT_THAT(fluid.solve(), testing::UnorderedElementsAre(VariableId(0), VariableId(1)));
  EXPECT_EQ(fluid.rate(VariableId(1)), Rate(4));
  EXPECT_EQ(fluid.rate(VariableId(0)), Rate((10 - 4) * 1024 / 700));
}

TEST(Fluid, AVariableOverSlackLinksConcernsNobodyElse) {
  FluidSystem fluid(resources({Rate(10'000), Rate(300), Rate(200)}));
  const std::vector<Use> first = {{ResourceId(0)}, {ResourceId(1)}};
  const std::vector<Use> second = {{ResourceId(0)}, {ResourceId(2)}};
  fluid.add(VariableId(0), first);
  fluid.solve();
  fluid.add(VariableId(1), second);
  EXPECT_THAT(fluid.solve(), ElementsAre(VariableId(1)));
  EXPECT_EQ(fluid.rate(VariableId(1)), Rate(200));
  fluid.set_capacity(ResourceId(0), Rate(350));  // no longer slack
  EXPECT_THAT(fluid.solve(), testing::UnorderedElementsAre(VariableId(0), VariableId(1)));
  EXPECT_EQ(fluid.rate(VariableId(0)), Rate(350 / 2));
}

TEST(Fluid, NoCapacityIsExceededAndEveryVariableHasABottleneck) {
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    Random random(seed, 2);
    const System system = random_system(random);
    const std::vector<Rate> rates = solve(system);
    std::vector<Uint128> used(system.capacities.size());
    std::vector<Uint128> weight(system.capacities.size());
    std::vector<Rate> highest(system.capacities.size());
    for (std::size_t v = 0; v < rates.size(); ++v) {
      for (const Use& use : system.variables[v]) {
        const std::size_t r = use.resource.index();
        used[r] += Uint128(static_cast<std::uint64_t>(rates[v].count())) * use.weight;
        weight[r] += use.weight;
        highest[r] = std::max(highest[r], rates[v]);
      }
    }
    const auto total = [&](std::size_t r) {
      return Uint128(static_cast<std::uint64_t>(system.capacities[r].count())) * 1024;
    };
    for (std::size_t r = 0; r < used.size(); ++r) {
      ASSERT_TRUE(used[r] <= total(r)) << "seed " << seed;
    }
    // A bottleneck is saturated (less is left than the sum of its weights), and nobody there is faster.
    for (std::size_t v = 0; v < rates.size(); ++v) {
      ASSERT_TRUE(std::any_of(system.variables[v].begin(), system.variables[v].end(),
                              [&](const Use& use) {
                                const std::size_t r = use.resource.index();
                                return total(r) - used[r] < weight[r] && rates[v] == highest[r];
                              }) ||
                  rates[v] == Rate(std::numeric_limits<std::int64_t>::max()))
          << "seed " << seed << ", variable " << v;
    }
  }
}

TEST(Fluid, RelabellingChangesNothing) {
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    Random random(seed, 3);
    const System system = random_system(random);
    std::vector<std::size_t> resource_order(system.capacities.size());
    std::vector<std::size_t> variable_order(system.variables.size());
    for (std::vector<std::size_t>* order : {&resource_order, &variable_order}) {
      for (std::size_t i = 0; i < order->size(); ++i) {
        (*order)[i] = i;
      }
      random.shuffle(std::span(*order));
    }
    System relabelled = system;
    for (std::size_t r = 0; r < resource_order.size(); ++r) {
      relabelled.capacities[resource_order[r]] = system.capacities[r];
    }
    for (std::size_t v = 0; v < variable_order.size(); ++v) {
      std::vector<Use> uses = system.variables[v];
      for (Use& use : uses) {
        use.resource = ResourceId(resource_order[use.resource.index()]);
      }
      random.shuffle(std::span(uses));
      relabelled.variables[variable_order[v]] = uses;
    }
    const std::vector<Rate> rates = solve(system);
    const std::vector<Rate> relabelled_rates = solve(relabelled);
    for (std::size_t v = 0; v < variable_order.size(); ++v) {
      ASSERT_EQ(relabelled_rates[variable_order[v]], rates[v]) << "seed " << seed;
    }
  }
}

TEST(Fluid, ConnectionsInFlightCompeteAsFlows) {
  // Weight 7 beside a plain flow on a link of 800: each connection gets 800 / 8.
  EXPECT_THAT(solve({{Rate(800)}, {{{ResourceId(0), 7 * 1024}}, {{ResourceId(0), 1024}}}}),
              ElementsAre(Rate(100), Rate(100)));
}

TEST(Fluid, WhatOneLinkDeniesGoesToTheOthers) {
  // Two flows share link 0 (10); one of them also crosses link 1 (3): it takes 3, the other the remaining 7.
  EXPECT_THAT(solve({{Rate(10), Rate(3)}, {{{ResourceId(0)}}, {{ResourceId(0)}, {ResourceId(1)}}}}),
              ElementsAre(Rate(10 - 3), Rate(3)));
}

TEST(Fluid, TiesOfLevelsFreezeAtOnceAlthoughFloorsLeaveRemainders) {
  // Both links have level floor(10 / 3) = floor(11 / 3) = 3. Were link 0 frozen first, link 1 would then
  // offer the other two floor((11 - 3) / 2) = 4, and the answer would depend on which of two equal links
  // comes first.
  const std::vector<Use> both = {{ResourceId(0)}, {ResourceId(1)}};
  const std::vector<Use> first = {{ResourceId(0)}};
  const std::vector<Use> second = {{ResourceId(1)}};
  EXPECT_THAT(solve({{Rate(10), Rate(11)}, {both, first, first, second, second}}),
              ElementsAre(Rate(3), Rate(3), Rate(3), Rate(3), Rate(3)));
}

TEST(Fluid, AVariableAloneTakesItsNarrowestLink) {
  EXPECT_THAT(solve({{Rate(1000), Rate(500)}, {{{ResourceId(0), 3 * 1024}, {ResourceId(1), 1000}}}}),
              ElementsAre(Rate(std::min(1000 * 1024 / (3 * 1024), 500 * 1024 / 1000))));
}

TEST(Fluid, RatesEndAtTheRangeOfRate) {
  const Rate highest(std::numeric_limits<std::int64_t>::max());
  for (const FluidSystem::Solver solver : kSolvers) {
    EXPECT_THAT(solve({{highest}, {{{ResourceId(0), 1}}}}, solver), ElementsAre(highest));
    EXPECT_THAT(solve({{highest}, {{{ResourceId(0), 1}}, {{ResourceId(0), 2}}}}, solver),
                ElementsAre(highest, highest));
  }
}

/// Two flows, each with a link of its own (0 and 1), that share link 2.
struct Pair {
  std::vector<Use> first = {{ResourceId(0)}, {ResourceId(2)}};
  std::vector<Use> second = {{ResourceId(1)}, {ResourceId(2)}};
  FluidSystem fluid;

  Pair(Rate own_first, Rate own_second, Rate shared) : fluid(resources({own_first, own_second, shared})) {
    fluid.add(VariableId(0), first);
    fluid.add(VariableId(1), second);
    fluid.solve();
  }
};

TEST(Fluid, AChangeThatASharedLinkTakesBackIsNotReported) {
  Pair pair(Rate(10), Rate(7), Rate(20));
  // Alone, the first change would let the first flow rise to 11; then the second flow claims its half of 20.
  pair.fluid.set_capacity(ResourceId(0), Rate(11));
  pair.fluid.set_capacity(ResourceId(1), Rate(100));
  EXPECT_THAT(pair.fluid.solve(), ElementsAre(VariableId(1)));
  EXPECT_EQ(pair.fluid.rate(VariableId(0)), Rate(20 / 2));
  EXPECT_EQ(pair.fluid.rate(VariableId(1)), Rate(20 / 2));
  EXPECT_EQ(pair.fluid.peak_load(ResourceId(0)), Rate(10));  // 11 was never a solved state
}

TEST(Fluid, ALinkBindsByItsFloorAlthoughWhatItsFlowsWouldTakeJustFits) {
  Pair pair(Rate(4), Rate(3), Rate(9));
  pair.fluid.set_capacity(ResourceId(1), Rate(5));
  pair.fluid.solve();  // 4 + 5 would fit, but in the round of level 4 the shared link has level floor(9 / 2)
                       // = 4 too
  EXPECT_EQ(pair.fluid.rate(VariableId(1)), Rate(4));
}

TEST(Fluid, ALinkIsStarvedWhenItsCapacityIsBelowOneUnitForEachOfItsTransfers) {
  FluidSystem fluid(resources({Rate(2)}));
  const std::vector<Use> uses = {{ResourceId(0)}};
  fluid.add(VariableId(0), uses);
  fluid.add(VariableId(1), uses);
  fluid.solve();
  EXPECT_FALSE(fluid.starved(ResourceId(0)));
  fluid.add(VariableId(2), uses);
  fluid.solve();
  EXPECT_TRUE(fluid.starved(ResourceId(0)));
  EXPECT_EQ(fluid.rate(VariableId(1)), Rate(0));
}

}  // namespace
}  // namespace makespan
