#include <functional>
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

constexpr RoutingSpec kHashed{.mode = RoutingMode::hashed};
constexpr RoutingSpec kIdeal{};

std::vector<int> switch_counts(const Inventory& counts) {
  std::vector<int> result;
  for (const auto& [tier, count] : counts.switches) {
    result.push_back(static_cast<int>(count));
  }
  return result;
}

struct SuperPod {
  int units;
  std::vector<int> switches;  ///< leaf, spine, core
};

class SuperPodH100 : public testing::TestWithParam<SuperPod> {};

/// NVIDIA DGX SuperPOD reference architecture (DGX H100 and B200, 64-port NDR switches): leaf, spine and core
/// switches by scalable units of 32 nodes; as many cables on each tier as GPUs.
TEST_P(SuperPodH100, HasTheSwitchesAndCablesOfTheReferenceArchitecture) {
  const NodeSpec& node = find_node("dgx-h100");
  const int gpus = GetParam().units * 32 * 8;
  std::map<LinkKind, std::uint64_t> cables;
  for (const RoutingSpec& routing : {kIdeal, kHashed}) {
    const Topology topology = build_cluster(node, GetParam().units * 32, {.radix = 64, .routing = routing});
    const Inventory counts = inventory(topology);
    EXPECT_EQ(switch_counts(counts), GetParam().switches);
    for (const LinkKind kind : {LinkKind::nic, LinkKind::leaf_spine, LinkKind::spine_core}) {
      const bool is_there = kind != LinkKind::spine_core || GetParam().switches.size() == 3;
      const auto found = counts.cables.find(kind);
      EXPECT_EQ(found == counts.cables.end() ? 0 : found->second, is_there ? gpus : 0) << to_string(kind);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Published, SuperPodH100,
                         testing::Values(SuperPod{2, {16, 8}}, SuperPod{4, {32, 16}}, SuperPod{8, {64, 32}},
                                         SuperPod{16, {128, 128, 64}}, SuperPod{32, {256, 256, 128}},
                                         SuperPod{64, {512, 512, 256}}),
                         [](const auto& instance) { return std::to_string(instance.param.units) + "Units"; });

class SuperPodB300 : public testing::TestWithParam<SuperPod> {};

/// The same for DGX B300: units of 64 nodes, each NIC with a port of 400 Gb/s on either of two planes of
/// switches with 128 such ports, two tiers.
TEST_P(SuperPodB300, HasTheSwitchesOfTheReferenceArchitectureOnTwoPlanes) {
  for (const RoutingSpec& routing : {kIdeal, kHashed}) {
    const Topology topology = build_cluster(find_node("dgx-b300"), GetParam().units * 64,
                                            {.radix = 128, .tiers = 2, .routing = routing});
    EXPECT_EQ(switch_counts(inventory(topology)), GetParam().switches);
  }
}

INSTANTIATE_TEST_SUITE_P(Published, SuperPodB300,
                         testing::Values(SuperPod{1, {16, 8}}, SuperPod{2, {32, 16}}, SuperPod{4, {64, 32}},
                                         SuperPod{8, {128, 64}}, SuperPod{16, {256, 128}}),
                         [](const auto& instance) { return std::to_string(instance.param.units) + "Units"; });

/// Ports in use of every fabric switch, by tier, where every switch is a vertex.
std::map<int, std::set<std::size_t>> port_counts(const Topology& topology) {
  std::map<int, std::set<std::size_t>> ports;
  for (std::size_t v = 0; v < num_vertices(topology.graph()); ++v) {
    if (topology.vertex(v).kind == VertexKind::fabric_switch) {
      ports[topology.vertex(v).tier].insert(out_degree(v, topology.graph()));
    }
  }
  return ports;
}

TEST(FatTree, OfThreeFullTiersUsesEveryPortOfEverySwitch) {
  // A k-ary fat tree (Al-Fares et al.): k^3 / 4 hosts, k^2 / 2 leaves, as many spines, k^2 / 4 cores.
  for (const int k : {4, 8}) {
    const Topology topology =
        build_cluster(host(k / 2), k * k * k / 4, {.kind = "fat-tree", .radix = k, .routing = kHashed});
    const Inventory counts = inventory(topology);
    EXPECT_EQ(switch_counts(counts), (std::vector<int>{k * k / 2, k * k / 2, k * k / 4}));
    for (const LinkKind kind : {LinkKind::nic, LinkKind::leaf_spine, LinkKind::spine_core}) {
      EXPECT_EQ(counts.cables.at(kind), static_cast<std::uint64_t>(k * k * k / 4));
    }
    for (const auto& [tier, ports] : port_counts(topology)) {
      EXPECT_EQ(ports, (std::set<std::size_t>{static_cast<std::size_t>(k)})) << "tier " << tier;
    }
  }
}

TEST(FatTree, SpineSOfEveryPodIsOnTheSameCores) {
  const Topology topology = build_cluster(host(2), 16, {.kind = "fat-tree", .radix = 4, .routing = kHashed});
  std::map<std::uint32_t, std::set<std::uint32_t>> cores;  // by spine
  for (const Link& link : topology.links()) {
    if (link.kind == LinkKind::spine_core && topology.vertex(link.from).tier == 2) {
      cores[topology.vertex(link.from).local].insert(topology.vertex(link.to).local);
    }
  }
  EXPECT_EQ(cores, (std::map<std::uint32_t, std::set<std::uint32_t>>{{0, {0, 1}}, {1, {2, 3}}}));
}

TEST(FatTree, ClassicPutsTheNicsOfANodeOnOneLeafAndAsManyNodesAsFit) {
  const NodeSpec& node = find_node("dgx-h100");
  const Topology topology = build_cluster(node, 16, {.kind = "fat-tree", .radix = 64});
  // 4 x 8 NICs and as many cables upwards are 64 ports.
  EXPECT_EQ(switch_counts(inventory(topology)), (std::vector<int>{4, 2}));
  for (const Nic& nic : topology.nics()) {
    EXPECT_EQ(topology.vertex(nic.switches[0]).group, nic.node / 4);
  }
  EXPECT_FALSE(topology.rails());
  // At 3 : 1, 6 x 8 NICs and 16 cables upwards.
  const Topology thin = build_cluster(node, 12, {.kind = "fat-tree", .oversubscription = 3, .radix = 64});
  EXPECT_EQ(thin.vertex(thin.nics()[47].switches[0]).group, 0U);
  EXPECT_EQ(thin.vertex(thin.nics()[48].switches[0]).group, 1U);
}

TEST(FatTree, MetasClusterOf24kGpus) {
  // Llama 3 (arXiv:2407.21783, 3.3.1): racks of 2 nodes, pods of 192 racks with full bisection, 8 pods, 1
  // : 7.
  const NodeSpec& node = find_node("grand-teton");
  const Topology topology =
      build_cluster(node, 3072, {.kind = "fat-tree", .core_oversubscription = 7, .tiers = 3, .pod = 192});
  const Inventory counts = inventory(topology);
  EXPECT_EQ(counts.gpus, 24576U);
  EXPECT_EQ(counts.switches.at(1), 1536U);
  double up = 0;
  double across = 0;
  for (const Link& link : topology.links()) {
    if (link.kind == LinkKind::leaf_spine && topology.vertex(link.from).tier == 1) {
      up += bytes_per_second(link.capacity);
      EXPECT_EQ(link.cables, 16U);
    }
    if (link.kind == LinkKind::spine_core && topology.vertex(link.from).tier == 2) {
      across += bytes_per_second(link.capacity);
    }
  }
  EXPECT_NEAR(up, 24576 * node.nic, 1);
  EXPECT_NEAR(across, 24576 * node.nic / 7, 1);
}

TEST(FatTree, HpnHasTwoPlanesThatNeverMeet) {
  // Alibaba HPN (SIGCOMM 2024): 8 x 2 leaves per segment of 128 nodes with 60 cables of 400 Gb/s upwards
  // each.
  const NodeSpec& node = find_node("hpn-h800");
  const Topology topology = build_cluster(
      node, 256, {.oversubscription = 128 / 2.0 / 60, .radix = 256, .link = node.nic, .routing = kHashed});
  const Inventory counts = inventory(topology);
  EXPECT_EQ(counts.switches.at(1), 2U * 16);
  EXPECT_EQ(counts.cables.at(LinkKind::nic), 2U * 256 * 8);
  EXPECT_EQ(counts.cables.at(LinkKind::leaf_spine), 2U * 16 * 60);
  Router router(topology);
  const Path path = router.path(0, 128 * 8 + 3);
  std::map<std::size_t, std::uint32_t> by_leaf;
  for (const Use& use : path.uses) {
    const Link& link = topology.link(use.resource);
    if (link.kind == LinkKind::nic && topology.vertex(link.from).kind == VertexKind::nic) {
      by_leaf[link.to] += use.weight;
    }
  }
  ASSERT_EQ(by_leaf.size(), 2U);
  for (const auto& [leaf, weight] : by_leaf) {
    EXPECT_EQ(weight, Use::kUnitWeight / 2);
  }
  const Diameter hops = diameter(topology);
  EXPECT_EQ(hops.switches, 2);
  EXPECT_TRUE(hops.connected);
}

TEST(FatTree, SharesAnUnevenOversubscriptionEvenlyAmongWholeCables) {
  // 4 nodes at 3 : 1 are 4/3 of a NIC's rate: two cables of 2/3 each.
  for (const RoutingSpec& routing : {kIdeal, kHashed}) {
    const Topology topology =
        build_cluster(host(4), 8, {.kind = "fat-tree", .oversubscription = 3, .routing = routing});
    double up = 0;
    std::uint32_t cables = 0;
    for (const Link& link : topology.links()) {
      if (link.kind == LinkKind::leaf_spine && topology.vertex(link.from).group == 0 &&
          topology.vertex(link.from).tier == 1) {
        up += bytes_per_second(link.capacity);
        cables += link.cables;
      }
    }
    EXPECT_NEAR(up, 4e9 / 3, 0.01);
    EXPECT_EQ(cables, 2U);
  }
}

TEST(FatTree, AdaptiveRoutingTakesFivePercentOffTheLinksBetweenSwitches) {
  const Topology ideal = build_cluster(host(4), 8, {.kind = "fat-tree"});
  const Topology adaptive =
      build_cluster(host(4), 8, {.kind = "fat-tree", .routing = {.mode = RoutingMode::adaptive}});
  ASSERT_EQ(ideal.links().size(), adaptive.links().size());
  for (std::size_t l = 0; l < ideal.links().size(); ++l) {
    const bool between = ideal.links()[l].kind == LinkKind::leaf_spine;
    EXPECT_EQ(bytes_per_second(adaptive.links()[l].capacity),
              bytes_per_second(ideal.links()[l].capacity) * (between ? 0.95 : 1));
  }
}

TEST(FatTree, ThatTheSwitchesCannotMakeIsRefused) {
  const NodeSpec& node = find_node("dgx-h100");
  const auto build = [&](int count, const FabricSpec& fabric) -> std::string {
    try {
      (void)build_cluster(node, count, fabric);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(build(128, {.unit = 64, .radix = 64}), HasSubstr("at most 32 nodes in a unit"));
  EXPECT_THAT(build(64, {.kind = "fat-tree", .radix = 8}), HasSubstr("a larger radix"));
  EXPECT_THAT(build(64, {.tiers = 1}), HasSubstr("at most 32 nodes"));
  EXPECT_THAT(build(512, {.radix = 64, .tiers = 2}), HasSubstr("three tiers"));
  EXPECT_THAT(build(512, {.tiers = 3}), HasSubstr("size of a pod"));
  EXPECT_THAT(build(512, {.radix = 64, .tiers = 3, .pod = 12}), HasSubstr("a multiple of the 8 leaves"));
  EXPECT_THAT(build(512, {.radix = 64, .tiers = 3, .pod = 64}), HasSubstr("smaller pods"));
  EXPECT_THAT(build(1024, {.unit = 4, .radix = 16, .tiers = 3}), HasSubstr("at most 16 pods"));
  EXPECT_THAT(build(64, {.link = 1}), HasSubstr("higher bandwidth"));
}

}  // namespace
}  // namespace makespan
