// Laws of transfers over random networks, at every instant of a run: what flows on links, what bounds it, and
// that numbers are only names.

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <numeric>
#include <set>

#include "core/int128.h"
#include "core/random.h"
#include "core/simulator.h"

namespace makespan {
namespace {

constexpr std::int64_t kGigabyte = 1'000'000'000'000;  ///< per second, as a Rate: a byte takes 1000 ps
constexpr std::uint64_t kWorkPerByte = 1'000'000'000'000'000;

struct Flow {
  std::vector<Use> uses;
  TransferWork work;
  std::vector<std::size_t> after;  ///< flows of lower numbers
};

/// Directed links between nodes, flows along shortest paths, links that get slower, fail and heal.
struct Network {
  std::vector<Rate> capacities;
  std::vector<CapacityChange> changes;
  std::vector<Flow> flows;
  Pool pool;
};

class Generator {
 public:
  explicit Generator(Random& random) : random_(random) {}

  Network run() {
    const std::size_t nodes = 3 + random_.below(8);
    for (std::size_t node = 1; node < nodes; ++node) {  // a tree, and some links more
      connect(node, random_.below(node));
    }
    for (std::uint64_t more = random_.below(nodes); more > 0; --more) {
      const std::size_t from = random_.below(nodes);
      connect(from, (from + 1 + random_.below(nodes - 1)) % nodes);
    }
    for (std::uint64_t flows = 5 + random_.below(40); flows > 0; --flows) {
      const std::size_t from = random_.below(nodes);
      add_flow(shortest_path(from, (from + 1 + random_.below(nodes - 1)) % nodes, nodes));
    }
    for (std::uint64_t changes = random_.below(5); changes > 0; --changes) {
      change_capacity();
    }
    for (std::size_t flow = 0; flow < network_.flows.size(); ++flow) {
      if (one_in(3)) {
        network_.pool.tasks.emplace_back(flow);
      }
    }
    network_.pool.slots = 1 + random_.below(8);
    return std::move(network_);
  }

 private:
  struct Link {
    std::size_t from;
    std::size_t to;
  };

  bool one_in(std::uint64_t n) { return random_.below(n) == 0; }

  Rate capacity() {
    return one_in(3) ? Rate(random_.between(kGigabyte / 7, 4 * kGigabyte))
                     : Rate(kGigabyte * random_.between(1, 4));
  }

  void connect(std::size_t a, std::size_t b) {
    for (const Link link : {Link{a, b}, Link{b, a}}) {
      links_.push_back(link);
      network_.capacities.push_back(capacity());
    }
  }

  /// The links on a path of the fewest hops.
  [[nodiscard]] std::vector<std::size_t> shortest_path(std::size_t from, std::size_t to,
                                                       std::size_t nodes) const {
    std::vector<std::size_t> reached = {from};
    std::vector<std::size_t> by(nodes, links_.size());  ///< the link over which a node was reached
    for (std::size_t i = 0; i < reached.size(); ++i) {
      for (std::size_t link = 0; link < links_.size(); ++link) {
        const std::size_t next = links_[link].to;
        if (links_[link].from == reached[i] && next != from && by[next] == links_.size()) {
          by[next] = link;
          reached.push_back(next);
        }
      }
    }
    std::vector<std::size_t> path;
    for (std::size_t node = to; node != from; node = links_[by[node]].from) {
      path.push_back(by[node]);
    }
    return path;
  }

  void add_flow(const std::vector<std::size_t>& path) {
    Flow flow;
    const bool is_collective = one_in(3);  // loads links unequally
    for (const std::size_t link : path) {
      flow.uses.push_back({ResourceId(link), is_collective
                                                 ? static_cast<std::uint32_t>(random_.between(1, 8192))
                                                 : Use::kUnitWeight});
    }
    flow.work = {Bytes(random_.between(1, 30)), Time(one_in(2) ? 0 : random_.between(0, 20'000))};
    for (std::uint64_t count = random_.below(3); count > 0 && !network_.flows.empty(); --count) {
      flow.after.push_back(random_.below(network_.flows.size()));
    }
    network_.flows.push_back(std::move(flow));
  }

  void change_capacity() {
    const ResourceId link(random_.below(links_.size()));
    const Time at(1000 * random_.between(0, 60));
    network_.changes.push_back({at, link, one_in(3) ? Rate(0) : capacity()});
    network_.changes.push_back({at + Time(random_.between(1, 30'000)), link, capacity()});
  }

  Random& random_;
  Network network_;
  std::vector<Link> links_;
};

/// Where everything of a network stands when it is numbered in another way.
struct Numbers {
  std::vector<std::size_t> links;
  std::vector<std::size_t> flows;
};

Numbers in_order(const Network& network) {
  Numbers numbers{std::vector<std::size_t>(network.capacities.size()),
                  std::vector<std::size_t>(network.flows.size())};
  std::iota(numbers.links.begin(), numbers.links.end(), 0U);
  std::iota(numbers.flows.begin(), numbers.flows.end(), 0U);
  return numbers;
}

Numbers shuffled(const Network& network, Random& random) {
  Numbers numbers = in_order(network);
  random.shuffle(std::span(numbers.links));
  random.shuffle(std::span(numbers.flows));
  return numbers;
}

std::vector<std::size_t> inverse(const std::vector<std::size_t>& order) {
  std::vector<std::size_t> result(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    result[order[i]] = i;
  }
  return result;
}

TaskGraph build(const Network& network, const Numbers& numbers) {
  TaskGraphBuilder builder(0);
  for (const std::size_t link : inverse(numbers.links)) {
    builder.resource("link", "link", network.capacities[link]);
  }
  for (const std::size_t flow : inverse(numbers.flows)) {
    Route route{network.flows[flow].uses, {}, 0, 0};
    for (Use& use : route.uses) {
      use.resource = ResourceId(numbers.links[use.resource.index()]);
    }
    builder.transfer(builder.route(std::move(route)), network.flows[flow].work, {builder.name("flow")});
  }
  for (std::size_t flow = 0; flow < network.flows.size(); ++flow) {
    for (const std::size_t before : network.flows[flow].after) {
      builder.edge(TaskId(numbers.flows[before]), TaskId(numbers.flows[flow]));
    }
  }
  for (CapacityChange change : network.changes) {
    change.resource = ResourceId(numbers.links[change.resource.index()]);
    builder.capacity_change(change);
  }
  Pool pool = network.pool;
  for (TaskId& task : pool.tasks) {
    task = TaskId(numbers.flows[task.index()]);
  }
  builder.pool(std::move(pool));
  return std::move(builder).build();
}

Timeline run(const TaskGraph& graph) {
  SimulationOptions options;
  options.record_rates = true;
  return simulate(graph, options);
}

Uint128 load(Rate rate, const Use& use) {
  return Uint128(static_cast<std::uint64_t>(rate.count())) * use.weight;
}

/// Goes through the instants of a run at which anything changes on its links.
class Replay {
 public:
  Replay(const TaskGraph& graph, const Timeline& timeline)
      : graph_(graph), timeline_(timeline), crossed_(graph.resources.size()) {
    for (const Resource& resource : graph.resources) {
      capacities_.push_back(resource.capacity);
    }
    for (const RateChange& change : timeline.rates) {
      instants_.insert(change.at);
    }
    for (const CapacityChange& change : graph.capacity_changes) {
      instants_.insert(change.at);
    }
    instants_.insert(timeline.end.begin(), timeline.end.end());
  }

  /// Calls `check` at each instant, when all changes of that instant have been made.
  template <class Check>
  void run(const Check& check) {
    Time last(0);
    for (const Time now : instants_) {
      for (const auto& [task, rate] : rates_) {
        for (const Use& use : graph_.route(task).uses) {
          crossed_[use.resource.index()] +=
              load(rate, use) * static_cast<std::uint64_t>((now - last).count());
        }
      }
      last = now;
      apply(now);
      check();
    }
  }

  /// The rates of the flows under way.
  [[nodiscard]] const std::map<TaskId, Rate>& rates() const { return rates_; }

  [[nodiscard]] Uint128 capacity(std::size_t link) const {
    return Uint128(static_cast<std::uint64_t>(capacities_[link].count())) * Use::kUnitWeight;
  }

  /// What has crossed each link: 1/1024 of 1/1000 byte per second, times picoseconds.
  [[nodiscard]] const std::vector<Uint128>& crossed() const { return crossed_; }

  /// The last rate that a flow had.
  [[nodiscard]] Rate last_rate(TaskId task) const { return last_rates_.at(task); }

 private:
  void apply(Time now) {
    for (const CapacityChange& change : graph_.capacity_changes) {
      if (change.at == now) {
        capacities_[change.resource.index()] = change.capacity;
      }
    }
    std::erase_if(rates_, [&](const auto& entry) { return timeline_.end[entry.first.index()] == now; });
    for (; next_ < timeline_.rates.size() && timeline_.rates[next_].at == now; ++next_) {
      rates_[timeline_.rates[next_].task] = timeline_.rates[next_].rate;
      last_rates_[timeline_.rates[next_].task] = timeline_.rates[next_].rate;
    }
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  std::set<Time> instants_;
  std::size_t next_ = 0;  ///< of the changes of rates
  std::map<TaskId, Rate> rates_;
  std::map<TaskId, Rate> last_rates_;
  std::vector<Rate> capacities_;
  std::vector<Uint128> crossed_;
};

template <class Law>
void on_random_networks(const Law& law) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed, 4);
    const Network network = Generator(random).run();
    const TaskGraph graph = build(network, in_order(network));
    ASSERT_NO_FATAL_FAILURE(law(graph, run(graph))) << "seed " << seed;
  }
}

TEST(RandomNetworks, WhatCrossesALinkIsWhatItsFlowsMoveUpToTheirLastPicosecond) {
  on_random_networks([](const TaskGraph& graph, const Timeline& timeline) {
    Replay replay(graph, timeline);
    replay.run([] {});
    std::vector<Uint128> amounts(graph.resources.size());
    std::vector<Uint128> rounding(graph.resources.size());  // each flow ends within its last picosecond
    for (std::size_t task = 0; task < graph.tasks.size(); ++task) {
      const auto bytes = static_cast<std::uint64_t>(graph.transfer(TaskId(task)).amount.count());
      for (const Use& use : graph.route(TaskId(task)).uses) {
        amounts[use.resource.index()] += Uint128(bytes) * kWorkPerByte * use.weight;
        rounding[use.resource.index()] += load(replay.last_rate(TaskId(task)), use);
      }
    }
    for (std::size_t link = 0; link < amounts.size(); ++link) {
      ASSERT_TRUE(replay.crossed()[link] >= amounts[link]) << "link " << link;
      ASSERT_TRUE(replay.crossed()[link] - amounts[link] <= rounding[link]) << "link " << link;
    }
  });
}

TEST(RandomNetworks, NoCapacityIsEverExceededAndThePeakIsTheLargestLoad) {
  on_random_networks([](const TaskGraph& graph, const Timeline& timeline) {
    Replay replay(graph, timeline);
    std::vector<Rate> peaks(graph.resources.size());
    replay.run([&] {
      std::vector<Uint128> loads(graph.resources.size());
      std::vector<Rate> rounded(graph.resources.size());
      for (const auto& [task, rate] : replay.rates()) {
        for (const Use& use : graph.route(task).uses) {
          loads[use.resource.index()] += load(rate, use);
          rounded[use.resource.index()] +=
              Rate(static_cast<std::int64_t>(load(rate, use) / Use::kUnitWeight));
        }
      }
      for (std::size_t link = 0; link < loads.size(); ++link) {
        ASSERT_TRUE(loads[link] <= replay.capacity(link)) << "link " << link;
        peaks[link] = std::max(peaks[link], rounded[link]);
      }
    });
    ASSERT_EQ(timeline.peak_load, peaks);
  });
}

TEST(RandomNetworks, EveryFlowAlwaysHasASaturatedLinkOnWhichNoneIsFaster) {
  std::size_t checked = 0;
  on_random_networks([&](const TaskGraph& graph, const Timeline& timeline) {
    Replay replay(graph, timeline);
    replay.run([&] {
      std::vector<Uint128> loads(graph.resources.size());
      std::vector<std::uint64_t> weights(graph.resources.size());
      std::vector<Rate> fastest(graph.resources.size());
      for (const auto& [task, rate] : replay.rates()) {
        for (const Use& use : graph.route(task).uses) {
          loads[use.resource.index()] += load(rate, use);
          weights[use.resource.index()] += use.weight;
          fastest[use.resource.index()] = std::max(fastest[use.resource.index()], rate);
        }
      }
      for (const auto& [task, rate] : replay.rates()) {
        const std::vector<Use>& uses = graph.route(task).uses;
        ASSERT_TRUE(std::any_of(uses.begin(), uses.end(),
                                [&, own = rate](const Use& use) {
                                  const std::size_t link = use.resource.index();
                                  return replay.capacity(link) - loads[link] < weights[link] &&
                                         fastest[link] == own;
                                }))
            << "task " << task.index();
        ++checked;
      }
    });
  });
  EXPECT_GT(checked, 50'000U);
}

TEST(RandomNetworks, NumberingLinksAndTasksAnewChangesNothing) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed, 4);
    const Network network = Generator(random).run();
    const Timeline expected = run(build(network, in_order(network)));
    const Numbers numbers = shuffled(network, random);
    const Timeline timeline = run(build(network, numbers));
    ASSERT_EQ(timeline.makespan, expected.makespan) << "seed " << seed;
    for (std::size_t flow = 0; flow < numbers.flows.size(); ++flow) {
      ASSERT_EQ(timeline.begin[numbers.flows[flow]], expected.begin[flow]) << "seed " << seed;
      ASSERT_EQ(timeline.end[numbers.flows[flow]], expected.end[flow]) << "seed " << seed;
    }
    for (std::size_t link = 0; link < numbers.links.size(); ++link) {
      ASSERT_EQ(timeline.peak_load[numbers.links[link]], expected.peak_load[link]) << "seed " << seed;
    }
    std::map<std::pair<Time, std::size_t>, Rate> rates;
    for (const RateChange& change : timeline.rates) {
      rates[{change.at, change.task.index()}] = change.rate;
    }
    ASSERT_EQ(rates.size(), expected.rates.size()) << "seed " << seed;
    for (const RateChange& change : expected.rates) {
      const auto found = rates.find({change.at, numbers.flows[change.task.index()]});
      ASSERT_TRUE(found != rates.end() && found->second == change.rate) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace makespan
