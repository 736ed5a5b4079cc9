#include <algorithm>
#include <cstdio>
#include <gtest/gtest.h>
#include <numeric>

#include "core/random.h"
#include "network/fabrics.h"
#include "network/routing.h"

namespace makespan {
namespace {

struct SlowDown {
  double mean = 0;
  double p99 = 0;
  double max = 0;
};

constexpr int kLeaves = 512;
constexpr int kNics = 32;

Topology tree() {
  const NodeSpec host{.name = "host",
                      .accelerator = "a100-80gb",
                      .gpus = 1,
                      .wiring = Wiring::pcie,
                      .pcie = 100e9,
                      .sockets = 1,
                      .nics = 1,
                      .nic = 50e9,
                      .unit = kNics};
  return build_cluster(host, kLeaves * kNics, {.kind = "fat-tree", .routing = {.mode = RoutingMode::hashed}});
}

/// Every NIC sends to another, each receives from one: how many times longer than alone a flow takes when it
/// gets its share of its most loaded link.
SlowDown slow_down(const Topology& topology, std::uint64_t seed) {
  std::vector<std::size_t> target(topology.gpu_count());
  std::iota(target.begin(), target.end(), 0);
  Random random(seed);
  random.shuffle(std::span(target));
  Router router(topology);
  std::vector<Path> paths;
  std::vector<std::uint64_t> load(topology.links().size(), 0);
  for (std::size_t from = 0; from < target.size(); ++from) {
    paths.push_back(router.path(from, target[from]));
    for (const Use& use : paths.back().uses) {
      load[use.resource.index()] += use.weight;
    }
  }
  std::vector<double> slow;
  for (const Path& path : paths) {
    std::uint64_t most = Use::kUnitWeight;
    for (const Use& use : path.uses) {
      most = std::max(most, load[use.resource.index()]);
    }
    slow.push_back(static_cast<double>(most) / Use::kUnitWeight);
  }
  std::sort(slow.begin(), slow.end());
  return {.mean = std::accumulate(slow.begin(), slow.end(), 0.0) / static_cast<double>(slow.size()),
          .p99 = slow[slow.size() * 99 / 100],
          .max = slow.back()};
}

/// 512 leaves of 32 NICs and 32 uplinks, permutation traffic: what independent hashing of every sub-flow
/// costs, from a simulation of balls in bins that shares no code with the router.
TEST(Ecmp, OfPermutationTrafficSlowsFlowsDownAsHashingDoes) {
  struct Row {
    int subflows;
    SlowDown expected;
  };

  const Row rows[] = {{1, {2.47, 5.0, 7.2}},  {2, {2.20, 4.0, 5.1}},   {4, {1.96, 3.0, 3.7}},
                      {8, {1.75, 2.4, 2.7}},  {16, {1.56, 1.96, 2.1}}, {32, {1.42, 1.67, 1.8}},
                      {64, {1.30, 1.48, 1.6}}};
  Topology topology = tree();
  for (const Row& row : rows) {
    topology.set_routing({.mode = RoutingMode::hashed, .subflows = row.subflows, .seed = 1});
    const SlowDown found = slow_down(topology, 1);
    std::printf("%2d sub-flows: mean %.3f, p99 %.2f, max %.2f\n", row.subflows, found.mean, found.p99,
                found.max);
    EXPECT_NEAR(found.mean / row.expected.mean, 1, 0.03) << row.subflows;
    EXPECT_NEAR(found.p99 / row.expected.p99, 1, 0.10) << row.subflows;
    EXPECT_NEAR(found.max / row.expected.max, 1, 0.25) << row.subflows;  // one flow of 16,384
  }
}

}  // namespace
}  // namespace makespan
