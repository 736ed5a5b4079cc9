#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "core/error.h"
#include "network/analysis.h"
#include "network/fabrics.h"
#include "network/routing.h"
#include "test/network/cluster_fixture.h"

namespace makespan {
namespace {

using test::host;
using testing::HasSubstr;

std::vector<std::string> names(const Topology& topology, const Path& path) {
  std::vector<std::string> result;
  for (const Use& use : path.uses) {
    const Link& link = topology.link(use.resource);
    if (topology.vertex(link.from).kind == VertexKind::fabric_switch &&
        topology.vertex(link.to).kind == VertexKind::fabric_switch) {
      result.push_back(link_name(topology, use.resource));
    }
  }
  return result;
}

/// Cables between groups, by the two of them.
std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> global_cables(const Topology& topology) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> cables;
  for (const Link& link : topology.links()) {
    if (link.kind == LinkKind::global) {
      cables[{topology.vertex(link.from).group, topology.vertex(link.to).group}] += link.cables;
    }
  }
  return cables;
}

class Dragonfly : public testing::TestWithParam<std::tuple<std::string, RoutingMode>> {};

TEST_P(Dragonfly, JoinsEveryTwoGroupsByAsManyCablesSpreadOverTheirSwitches) {
  const auto& [kind, mode] = GetParam();
  const Topology topology = build_cluster(
      host(8), 5 * 8,
      {.kind = kind, .group_nodes = 8, .group_switches = 4, .global_links = 3, .routing = {.mode = mode}});
  const auto cables = global_cables(topology);
  EXPECT_EQ(cables.size(), 5U * 4);
  for (const auto& [groups, count] : cables) {
    EXPECT_EQ(count, 3U) << groups.first << " to " << groups.second;
  }
  EXPECT_EQ(inventory(topology).cables.at(LinkKind::global), 5U * 4 / 2 * 3);
  // 4 x 3 global cables of a group on its 4 switches, or on 2 spines: each leaf has 2 NICs and 2 cables
  // upwards.
  std::map<std::size_t, std::uint32_t> ends;
  for (const Link& link : topology.links()) {
    if (link.kind == LinkKind::global) {
      ends[link.from] += link.cables;
    }
  }
  for (const auto& [vertex, count] : ends) {
    const Vertex& end = topology.vertex(vertex);
    EXPECT_EQ(count, kind == "dragonfly" ? 3U : 6U * end.count) << topology.vertex_name(vertex);
  }
}

TEST_P(Dragonfly, RoutesMinimallyAndByEveryGlobalCableAlike) {
  const auto& [kind, mode] = GetParam();
  const Topology topology = build_cluster(
      host(8), 5 * 8,
      {.kind = kind, .group_nodes = 8, .group_switches = 4, .global_links = 4, .routing = {.mode = mode}});
  Router router(topology);
  for (std::size_t from = 0; from < topology.gpu_count(); ++from) {
    std::map<std::uint32_t, std::map<ResourceId, std::uint32_t>> globals;  // by target group
    for (std::size_t to = 0; to < topology.gpu_count(); ++to) {
      const std::size_t group = from / 8;
      std::uint32_t crossed = 0;
      for (const Use& use : router.path(from, to).uses) {
        const Link& link = topology.link(use.resource);
        if (link.kind == LinkKind::global) {
          EXPECT_EQ(topology.vertex(link.from).group, group);
          EXPECT_EQ(topology.vertex(link.to).group, to / 8);
          crossed += use.weight;
          globals[static_cast<std::uint32_t>(to / 8)][use.resource] += use.weight;
        }
      }
      EXPECT_EQ(crossed, group == to / 8 ? 0 : Use::kUnitWeight);
    }
    if (mode == RoutingMode::ideal) {
      for (const auto& [group, shares] : globals) {
        for (const auto& [link, weight] : shares) {
          EXPECT_EQ(weight, 8 * Use::kUnitWeight * topology.link(link).cables / 4)
              << link_name(topology, link);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Dragonfly,
                         testing::Combine(testing::Values("dragonfly", "dragonfly-plus"),
                                          testing::Values(RoutingMode::ideal, RoutingMode::hashed,
                                                          RoutingMode::fixed)));

TEST(Dragonflies, FixedRoutingGivesTheNicsOfAGroupGlobalCablesInTurn) {
  const Topology topology = build_cluster(host(8), 16,
                                          {.kind = "dragonfly",
                                           .group_nodes = 8,
                                           .group_switches = 4,
                                           .global_links = 8,
                                           .routing = {.mode = RoutingMode::fixed}});
  Router router(topology);
  std::set<ResourceId> taken;
  for (std::size_t n = 0; n < 8; ++n) {
    for (const Use& use : router.path(n, 8 + n).uses) {
      if (topology.link(use.resource).kind == LinkKind::global) {
        EXPECT_TRUE(taken.insert(use.resource).second);
      }
    }
  }
  EXPECT_EQ(taken.size(), 8U);
}

TEST(Dragonflies, OrderedRoutingTakesTheFewestLinks) {
  const Topology topology = build_cluster(host(8), 16,
                                          {.kind = "dragonfly",
                                           .group_nodes = 8,
                                           .group_switches = 4,
                                           .global_links = 1,
                                           .routing = {.mode = RoutingMode::ordered}});
  Router router(topology);
  EXPECT_EQ(names(topology, router.path(0, 8)), (std::vector<std::string>{"g0.switch0->g1.switch0"}));
  EXPECT_EQ(names(topology, router.path(1, 9)),
            (std::vector<std::string>{"g0.switch1->g0.switch0", "g0.switch0->g1.switch0",
                                      "g1.switch0->g1.switch1"}));
}

TEST(Dragonflies, AdaptiveRoutingTakesDetoursWithinAGroupAtHalfTheShareOfTheDirectLink) {
  const int switches = 4;
  const Topology topology = build_cluster(host(8), 8,
                                          {.kind = "dragonfly",
                                           .group_nodes = 8,
                                           .group_switches = switches,
                                           .routing = {.mode = RoutingMode::adaptive}});
  const Path path = Router(topology).path(0, 1);
  std::map<std::string, std::uint32_t> shares;
  for (const Use& use : path.uses) {
    if (topology.link(use.resource).kind == LinkKind::local) {
      shares[link_name(topology, use.resource)] = use.weight;
    }
  }
  const std::uint32_t detour = Use::kUnitWeight / switches;  // of 2 : 1 : 1
  EXPECT_EQ(shares, (std::map<std::string, std::uint32_t>{{"g0.switch0->g0.switch1", 2 * detour},
                                                          {"g0.switch0->g0.switch2", detour},
                                                          {"g0.switch2->g0.switch1", detour},
                                                          {"g0.switch0->g0.switch3", detour},
                                                          {"g0.switch3->g0.switch1", detour}}));
  // What an idle network takes is the direct link.
  const Topology ideal =
      build_cluster(host(8), 8, {.kind = "dragonfly", .group_nodes = 8, .group_switches = switches});
  EXPECT_EQ(path.latency, Router(ideal).path(0, 1).latency);
}

TEST(Dragonflies, AdaptiveRoutingCarriesAnyPermutationOfAGroupAtTheRateOfItsNics) {
  // Each of the 32 switches has 16 NICs and 31 neighbours, all at 25 GB/s. When all 16 send to one switch,
  // 2 / 32 of it goes straight and 30 / 32 over two links: 16 x (2 + 2 x 30) / 32 = 31, what there is.
  const Topology topology = build_cluster(find_node("perlmutter-gpu"), 128,
                                          {.kind = "dragonfly", .routing = {.mode = RoutingMode::adaptive}});
  Router router(topology);
  for (const std::size_t shift : {1U, 5U, 64U}) {
    std::map<ResourceId, std::uint64_t> loads;
    for (std::size_t gpu = 0; gpu < topology.gpu_count(); ++gpu) {
      for (const Use& use : router.path(gpu, (gpu + 4 * shift) % topology.gpu_count()).uses) {
        loads[use.resource] += use.weight;
      }
    }
    for (const auto& [link, load] : loads) {
      if (topology.link(link).kind == LinkKind::local) {
        EXPECT_LE(load, Use::kUnitWeight) << link_name(topology, link) << " shift " << shift;
      }
    }
  }
}

TEST(Dragonflies, GoOverAThirdGroupWhereTwoAreNotJoined) {
  Topology topology = build_cluster(
      host(8), 3 * 8, {.kind = "dragonfly", .group_nodes = 8, .group_switches = 2, .global_links = 2});
  for (std::size_t l = 0; l < topology.links().size(); ++l) {
    const Link& link = topology.links()[l];
    if (link.kind == LinkKind::global &&
        topology.vertex(link.from).group + topology.vertex(link.to).group == 1) {
      topology.set_capacity(ResourceId(l), Rate(0));
    }
  }
  std::uint32_t into_third = 0;
  std::uint32_t out_of_third = 0;
  for (const Use& use : Router(topology).path(0, 8).uses) {
    const Link& link = topology.link(use.resource);
    if (link.kind == LinkKind::global) {
      EXPECT_GT(link.capacity, Rate(0));
      into_third += topology.vertex(link.to).group == 2 ? use.weight : 0;
      out_of_third += topology.vertex(link.from).group == 2 ? use.weight : 0;
    }
  }
  EXPECT_EQ(into_third, Use::kUnitWeight);
  EXPECT_EQ(out_of_third, Use::kUnitWeight);
}

TEST(Dragonflies, PerlmutterIsBalanced) {
  // NERSC: 14 groups of 128 nodes and 32 switches, all joined inside; 16 NICs per switch.
  const NodeSpec& node = find_node("perlmutter-gpu");
  const Topology topology = build_cluster(node, 1792, {.kind = "dragonfly"});
  const Inventory counts = inventory(topology);
  EXPECT_EQ(counts.gpus, 7168U);
  EXPECT_EQ(counts.switches.at(1), 14U * 32);
  EXPECT_EQ(counts.cables.at(LinkKind::local), 14U * 32 * 31 / 2);
  // 512 global cables of a group over 13 others, rounded down.
  EXPECT_EQ(counts.cables.at(LinkKind::global), 14U * 13 / 2 * (512 / 13));
  std::map<std::size_t, int> nics;
  for (const Nic& nic : topology.nics()) {
    ++nics[nic.switches[0]];
  }
  for (const auto& [vertex, count] : nics) {
    EXPECT_EQ(count, 16);
  }
  // With 39 cables to every other group each of the 32 switches has its own: global, local.
  EXPECT_EQ(diameter(topology).switches, 2);
  // With one, local, global, local.
  EXPECT_EQ(diameter(build_cluster(node, 1792, {.kind = "dragonfly", .global_links = 1})).switches, 3);
}

TEST(Dragonflies, LeavesOfADragonflyPlusShareTheirSpines) {
  const Topology topology = build_cluster(host(8), 32,
                                          {.kind = "dragonfly-plus",
                                           .oversubscription = 2,
                                           .group_nodes = 16,
                                           .group_switches = 4,
                                           .routing = {.mode = RoutingMode::hashed}});
  const Inventory counts = inventory(topology);
  EXPECT_EQ(counts.switches, (std::map<int, std::uint64_t>{{1, 2 * 4}, {2, 2 * 2}}));
  EXPECT_EQ(counts.cables.at(LinkKind::leaf_spine), 2U * 4 * 4 / 2);  // 4 NICs per leaf at 2 : 1
  EXPECT_EQ(counts.cables.at(LinkKind::global), 16U / 2);
  EXPECT_EQ(names(topology, Router(topology).path(0, 1)).size(), 2U);
}

TEST(Dragonflies, OutOfRangeAreRefused) {
  const auto build = [](int count, const FabricSpec& fabric) -> std::string {
    try {
      (void)build_cluster(host(8), count, fabric);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(build(33, {.kind = "dragonfly", .groups = 4, .group_nodes = 8}),
              HasSubstr("at least 5 groups"));
  EXPECT_THAT(build(33, {.kind = "dragonfly", .group_nodes = -8}), HasSubstr("from 0 to"));
  EXPECT_THAT(build(33, {.kind = "dragonfly", .group_switches = 1 << 20}), HasSubstr("cables"));
  EXPECT_THAT(build(32, {.kind = "dragonfly-plus", .group_nodes = 8, .group_switches = 4, .group_spines = 3}),
              HasSubstr("3 spines in a group whose leaves have 2 cables to them"));
}

}  // namespace
}  // namespace makespan
