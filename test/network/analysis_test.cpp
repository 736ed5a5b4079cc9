#include "network/analysis.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "network/fabrics.h"
#include "test/network/cluster_fixture.h"

namespace makespan {
namespace {

using test::host;

constexpr RoutingMode kModes[] = {RoutingMode::ideal, RoutingMode::hashed};

double bisection(const NodeSpec& node, int count, const FabricSpec& fabric) {
  return bisection_bandwidth(build_cluster(node, count, fabric));
}

TEST(Inventory, CountsHardware) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 64, {.radix = 64});
  const Inventory expected{
      .nodes = 64,
      .gpus = 512,
      .nics = 512,
      .switches = {{1, 16}, {2, 8}},
      .cables = {
          {LinkKind::nvlink, 512}, {LinkKind::pcie, 512}, {LinkKind::nic, 512}, {LinkKind::leaf_spine, 512}}};
  EXPECT_EQ(inventory(topology), expected);
}

TEST(Bisection, OfANodeIsThatOfItsWiring) {
  const NodeSpec& dgx = find_node("dgx-h100");
  EXPECT_DOUBLE_EQ(bisection(dgx, 1, {.kind = "none"}), 4 * dgx.nvlink);
  const NodeSpec& mesh = find_node("mi300x-8");
  EXPECT_DOUBLE_EQ(bisection(mesh, 1, {.kind = "none"}), 4 * 4 * mesh.nvlink);
  // Hybrid cube mesh: 0-4 and 3-7 and 1-5 and 2-6 join the halves, by 2, 1, 2 and 1 NVLinks; and each half's
  // PCIe reaches the other by its socket.
  const NodeSpec& cube = find_node("dgx-1v");
  EXPECT_DOUBLE_EQ(bisection(cube, 1, {.kind = "none"}), (2 + 1 + 2 + 1) * cube.nvlink + cube.host);
}

TEST(Bisection, OfAStarIsThatOfHalfItsNics) {
  const NodeSpec& node = find_node("dgx-h100");
  EXPECT_DOUBLE_EQ(bisection(node, 10, {.kind = "star"}), 5 * 8 * node.nic);
  EXPECT_DOUBLE_EQ(bisection(node, 11, {.kind = "star"}), 5 * 8 * node.nic);
}

TEST(Bisection, OfARailFatTreeIsThatOfHalfItsNicsOverTheOversubscription) {
  const NodeSpec& node = find_node("dgx-a100-80gb");
  for (const RoutingMode mode : kModes) {
    for (const double oversubscription : {1.0, 2.0, 4.0}) {
      EXPECT_NEAR(bisection(node, 80, {.oversubscription = oversubscription, .routing = {.mode = mode}}) /
                      (40 * 8 * node.nic / oversubscription),
                  1, 1e-9);
    }
    // Within a unit nothing crosses a spine.
    EXPECT_DOUBLE_EQ(bisection(node, 20, {.oversubscription = 4, .routing = {.mode = mode}}),
                     10 * 8 * node.nic);
  }
}

TEST(Bisection, OfAFatTreeOfThreeTiersIsThatOfTheWeakestTier) {
  // 8 pods of 4 racks of 4.
  for (const RoutingMode mode : kModes) {
    for (const double leaf : {1.0, 2.0, 3.0}) {
      for (const double core : {1.0, 2.0, 7.0}) {
        const double found = bisection(host(4), 128,
                                       {.kind = "fat-tree",
                                        .oversubscription = leaf,
                                        .core_oversubscription = core,
                                        .tiers = 3,
                                        .pod = 4,
                                        .routing = {.mode = mode}});
        EXPECT_NEAR(found / (64e9 / leaf / core), 1, 1e-8) << leaf << " " << core;
      }
    }
  }
}

TEST(Bisection, UnderAdaptiveRoutingIsFivePercentLess) {
  EXPECT_NEAR(bisection(host(4), 8, {.kind = "fat-tree", .routing = {.mode = RoutingMode::adaptive}}),
              0.95 * 4e9, 1);
}

TEST(Bisection, OfTwoPlanesIsTheirSum) {
  NodeSpec node = host(4);
  node.nic_ports = 2;
  EXPECT_NEAR(bisection(node, 16, {.kind = "fat-tree", .oversubscription = 2}), 8 * 1e9 / 2, 1);
}

TEST(Bisection, OfADragonflyIsThatOfTheCablesBetweenItsHalvesOrOfItsNics) {
  for (const RoutingMode mode : kModes) {
    for (const char* kind : {"dragonfly", "dragonfly-plus"}) {
      for (const int groups : {2, 4, 6}) {
        for (const int global : {1, 2, 3, 8}) {
          const double found = bisection(host(8), 8 * groups,
                                         {.kind = kind,
                                          .group_nodes = 8,
                                          .group_switches = 4,
                                          .global_links = global,
                                          .routing = {.mode = mode}});
          const int half = groups / 2;
          // Each pair of groups on either side, but no more than the NICs send.
          const double expected = std::min(half * half * global, 8 * half) * 1e9;
          EXPECT_NEAR(found / expected, 1, 1e-9) << kind << " " << groups << " groups, " << global;
        }
      }
    }
  }
}

TEST(Bisection, OfOneGpuIsNothing) {
  EXPECT_EQ(bisection(host(4), 1, {.kind = "none"}), 0);
}

TEST(DiameterOf, AFatTreeIsTwoLinksPerTierAboveTheLeaves) {
  const NodeSpec& node = find_node("dgx-h100");
  const auto found = [&](int count, const FabricSpec& fabric) {
    return diameter(build_cluster(node, count, fabric));
  };
  // From GPU to GPU: PCIe and NIC at both ends; in one unit, to another rail, by NVLink (2 links).
  EXPECT_EQ(found(32, {}).switches, 0);
  EXPECT_EQ(found(32, {}).gpus, 4 + 2);
  EXPECT_EQ(found(64, {}).switches, 2);
  EXPECT_EQ(found(64, {}).gpus, 4 + 2);
  EXPECT_EQ(found(512, {.radix = 64}).switches, 4);
  EXPECT_EQ(found(512, {.radix = 64}).gpus, 4 + 4);
  EXPECT_TRUE(found(512, {.radix = 64}).connected);
  EXPECT_EQ(found(1, {.kind = "none"}).gpus, 2);
}

TEST(DiameterOf, SwitchesThatAreToldApartIsThatOfMergedOnes) {
  const NodeSpec& node = find_node("dgx-h100");
  const Diameter merged = diameter(build_cluster(node, 512, {.radix = 64}));
  const Diameter apart =
      diameter(build_cluster(node, 512, {.radix = 64, .routing = {.mode = RoutingMode::hashed}}));
  EXPECT_EQ(merged.switches, apart.switches);
  EXPECT_EQ(merged.gpus, apart.gpus);
}

TEST(DiameterOf, AnUnusualNodeCountsToo) {
  // All nodes are alike but the last, whose GPU reaches its NIC over a PCIe switch.
  Topology topology = build_cluster(host(4), 8, {.kind = "star"});
  EXPECT_EQ(diameter(topology).gpus, 4);
  GraphSpec graph;
  for (int n = 0; n < 3; ++n) {
    const std::string node = "n" + std::to_string(n);
    graph.vertices.push_back({.name = node + ".gpu", .kind = VertexKind::gpu, .node = node});
    graph.vertices.push_back({.name = node + ".nic", .kind = VertexKind::nic, .node = node});
    graph.vertices.push_back({.name = node + ".pcie", .kind = VertexKind::pcie_switch, .node = node});
  }
  graph.vertices.push_back({.name = "switch", .kind = VertexKind::fabric_switch});
  for (std::size_t n = 0; n < 3; ++n) {
    graph.links.push_back({.a = 3 * n, .b = 3 * n + 2, .kind = LinkKind::pcie, .bandwidth = 1e9});
    graph.links.push_back({.a = 3 * n + 1, .b = 3 * n + 2, .kind = LinkKind::pcie, .bandwidth = 1e9});
    graph.links.push_back({.a = 3 * n + 1, .b = 9, .kind = LinkKind::nic, .bandwidth = 1e9});
  }
  graph.links[0].b = 1;  // the first node: GPU to NIC
  EXPECT_EQ(diameter(build_graph(graph, {})).gpus, 3 + 3);
}

}  // namespace
}  // namespace makespan
