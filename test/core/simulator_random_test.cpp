// The simulator against a slow, obvious one on random graphs, and laws that hold on each of them.

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "core/attribution.h"
#include "core/error.h"
#include "core/int128.h"
#include "core/random.h"
#include "core/simulator.h"
#include "test/core/random_graph.h"
#include "test/oracle/reference_simulator.h"

namespace makespan {

// Found by argument-dependent lookup when ranges of them are compared.
static bool operator==(const RateChange& a, const RateChange& b) {
  return a.at == b.at && a.task == b.task && a.rate == b.rate;
}

namespace {

struct Outcome {
  Timeline timeline;
  std::string failure;  ///< "starved", "overflow", "deadlock", or empty
};

Outcome run(const TaskGraph& graph, std::uint64_t tie_seed = 0) {
  SimulationOptions options;
  options.record_rates = true;
  options.tie_seed = tie_seed;
  try {
    return {simulate(graph, options), ""};
  } catch (const InfeasibleError& error) {
    const std::string message = error.what();
    for (const auto& [phrase, failure] : std::map<std::string, std::string>{{"can never advance", "starved"},
                                                                            {"leaves its range", "overflow"},
                                                                            {"deadlock: ", "deadlock"}}) {
      if (message.find(phrase) != std::string::npos) {
        return {{}, failure};
      }
    }
    return {{}, message};
  }
}

Outcome run_reference(const TaskGraph& graph) {
  try {
    return {oracle::reference_simulate(graph), ""};
  } catch (const InfeasibleError& error) {
    return {{}, error.what()};
  }
}

void expect_equal(const Outcome& outcome, const Outcome& expected) {
  ASSERT_EQ(outcome.failure, expected.failure);
  ASSERT_EQ(outcome.timeline.begin, expected.timeline.begin);
  ASSERT_EQ(outcome.timeline.end, expected.timeline.end);
  ASSERT_EQ(outcome.timeline.makespan, expected.timeline.makespan);
  ASSERT_EQ(outcome.timeline.peak_load, expected.timeline.peak_load);
  ASSERT_TRUE(outcome.timeline.rates == expected.timeline.rates);
}

TEST(SimulatorOnRandomGraphs, AgreesWithTheReferenceSimulatorToTheLastPicosecond) {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    Random random(seed);
    const TaskGraph graph = test::random_graph(random);
    const Outcome expected = run_reference(graph);
    ASSERT_NO_FATAL_FAILURE(expect_equal(run(graph), expected)) << "seed " << seed;
    ++seen[expected.failure];
  }
  EXPECT_GE(seen[""], 1'000);  // that the generator reaches every outcome is part of the test
  EXPECT_GE(seen["starved"], 20);
  EXPECT_GE(seen["overflow"], 5);
  EXPECT_GE(seen["deadlock"], 5);
}

TEST(SimulatorOnRandomGraphs, ShufflingSimultaneousEventsChangesNothing) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    const TaskGraph graph = test::random_graph(random);
    const Outcome expected = run(graph);
    for (const std::uint64_t tie_seed : {1U, 2U, 3U, 4U, 5U}) {
      ASSERT_NO_FATAL_FAILURE(expect_equal(run(graph, tie_seed), expected)) << "seed " << seed;
    }
  }
}

/// 10^-15 bytes moved by each flow according to the recorded rates, and the last rate of each.
struct Integral {
  Uint128 moved = 0;
  std::int64_t last_rate = 0;
  Time since;
};

std::map<TaskId, Integral> integrate(const Timeline& timeline) {
  std::map<TaskId, Integral> integrals;
  const auto advance = [](Integral& integral, Time to) {
    integral.moved += Uint128(static_cast<std::uint64_t>(integral.last_rate)) *
                      static_cast<std::uint64_t>((to - integral.since).count());
    integral.since = to;
  };
  for (const RateChange& change : timeline.rates) {
    Integral& integral = integrals[change.task];
    advance(integral, change.at);
    integral.last_rate = change.rate.count();
  }
  for (auto& [task, integral] : integrals) {
    advance(integral, timeline.end[task.index()]);
  }
  return integrals;
}

TEST(SimulatorOnRandomGraphs, RatesIntegrateToTheAmountUpToTheLastPicosecond) {
  std::size_t flows = 0;
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    Random random(seed);
    const TaskGraph graph = test::random_graph(random);
    const Outcome outcome = run(graph);
    if (!outcome.failure.empty()) {
      continue;
    }
    for (const auto& [task, integral] : integrate(outcome.timeline)) {
      const Uint128 amount =
          Uint128(static_cast<std::uint64_t>(graph.transfer(task).amount.count())) * 1'000'000'000'000'000U;
      ASSERT_TRUE(integral.moved >= amount) << "seed " << seed;
      ASSERT_TRUE(integral.moved - amount < static_cast<std::uint64_t>(integral.last_rate))
          << "seed " << seed;
      ++flows;
    }
  }
  EXPECT_GT(flows, 1'000U);
}

/// When a slot was free for the task at `position` of the pool and all before it had started: with s slots
/// and p tasks before it, when p + 1 - s of them had ended.
Time turn(const Pool& pool, std::size_t position, const Timeline& timeline) {
  if (position == 0) {
    return Time(0);
  }
  const Time before = timeline.begin[pool.tasks[position - 1].index()];
  if (position < pool.slots) {
    return before;
  }
  std::vector<Time> ends;
  for (std::size_t i = 0; i < position; ++i) {
    ends.push_back(timeline.end[pool.tasks[i].index()]);
  }
  std::sort(ends.begin(), ends.end());
  return std::max(before, ends[position - pool.slots]);
}

TEST(SimulatorOnRandomGraphs, EveryTaskStartsWhenItsLastPredecessorEndsAndItIsItsTurn) {
  std::size_t waited = 0;
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    Random random(seed);
    const TaskGraph graph = test::random_graph(random);
    const Outcome outcome = run(graph);
    if (!outcome.failure.empty()) {
      continue;
    }
    std::vector<Time> turns(graph.tasks.size());
    for (const Pool& pool : graph.pools) {
      for (std::size_t i = 0; i < pool.tasks.size(); ++i) {
        turns[pool.tasks[i].index()] = turn(pool, i, outcome.timeline);
      }
    }
    for (std::size_t task = 0; task < graph.tasks.size(); ++task) {
      Time ready(0);
      const auto [first, last] = graph.incoming(TaskId(task));
      for (auto edge = first; edge != last; ++edge) {
        ready = std::max(ready, outcome.timeline.end[boost::source(*edge, graph.adjacency)]);
      }
      waited += turns[task] > ready ? 1 : 0;
      ASSERT_EQ(outcome.timeline.begin[task], std::max(ready, turns[task]))
          << "seed " << seed << ", task " << task;
      ASSERT_LE(outcome.timeline.begin[task], outcome.timeline.end[task]);
    }
  }
  EXPECT_GT(waited, 1'000U);
}

TEST(SimulatorOnRandomGraphs, TheCriticalPathHasNoHoles) {
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    Random random(seed);
    const TaskGraph graph = test::random_graph(random);
    const Outcome outcome = run(graph);
    if (!outcome.failure.empty()) {
      continue;
    }
    const Window window{Time(0), outcome.timeline.makespan};
    ASSERT_EQ(critical_path(graph, outcome.timeline, window).idle, Time(0)) << "seed " << seed;
  }
}

/// A random graph in which no transfer shares a link and none reserves anything: every task takes its own
/// time.
TaskGraph random_graph_without_sharing(Random& random, std::vector<Time>& durations) {
  constexpr std::int64_t kGigabyte = 1'000'000'000'000;
  TaskGraphBuilder builder(3);
  const Label label{builder.name("work")};
  const std::uint64_t count = 5 + random.below(60);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Time first(random.between(0, 4000));
    const std::int64_t bytes = random.between(0, 9);
    TaskId id;
    if (random.below(2) == 0) {
      id = builder.compute(DeviceId(random.below(3)), {first, Time(bytes), Time(7)}, label);
      durations.push_back(first + Time(bytes + 7));
    } else {
      const ResourceId link = builder.resource("link", "link", Rate(kGigabyte));
      id = builder.transfer(builder.route({{{link}}, {}, 0, 0}), {Bytes(bytes), first}, label);
      durations.push_back(first + Time(1000 * bytes));
    }
    for (std::uint64_t edges = random.below(3); edges > 0 && id.index() > 0; --edges) {
      builder.edge(TaskId(random.below(id.index())), id);
    }
  }
  return std::move(builder).build();
}

TEST(SimulatorOnRandomGraphs, WithoutSharingTheMakespanIsTheLongestPath) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed, 1);
    std::vector<Time> durations;
    const TaskGraph graph = random_graph_without_sharing(random, durations);
    std::vector<Time> ends;  // edges lead to higher numbers, so this order is topological
    for (std::size_t task = 0; task < graph.tasks.size(); ++task) {
      Time ready(0);
      const auto [first, last] = graph.incoming(TaskId(task));
      for (auto edge = first; edge != last; ++edge) {
        ready = std::max(ready, ends[boost::source(*edge, graph.adjacency)]);
      }
      ends.push_back(ready + durations[task]);
    }
    const Timeline timeline = simulate(graph);
    ASSERT_EQ(timeline.end, ends) << "seed " << seed;
    ASSERT_EQ(timeline.makespan, *std::max_element(ends.begin(), ends.end()));
  }
}

}  // namespace
}  // namespace makespan
