#include "network/fabrics.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "core/error.h"
#include "test/network/cluster_fixture.h"

namespace makespan {
namespace {

using test::refusal;

std::map<LinkKind, std::size_t> links_by_kind(const Topology& topology) {
  std::map<LinkKind, std::size_t> counts;
  for (const Link& link : topology.links()) {
    ++counts[link.kind];
  }
  return counts;
}

TEST(Cluster, ASingleNodeWithoutAFabricIsAnNvswitchIsland) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 1, {.kind = "none"});
  EXPECT_EQ(topology.gpu_count(), 8U);
  EXPECT_TRUE(topology.nics().empty());
  EXPECT_EQ(links_by_kind(topology), (std::map<LinkKind, std::size_t>{{LinkKind::nvlink, 2 * 8}}));
  EXPECT_EQ(num_vertices(topology.graph()), 8U + 1);
}

std::vector<std::size_t> switches(const Topology& topology, std::uint8_t tier) {
  std::vector<std::size_t> found;
  for (std::size_t v = 0; v < num_vertices(topology.graph()); ++v) {
    if (topology.vertex(v).kind == VertexKind::fabric_switch && topology.vertex(v).tier == tier) {
      found.push_back(v);
    }
  }
  return found;
}

TEST(Cluster, NodesOfOneUnitNeedNoSpine) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 32);
  EXPECT_EQ(switches(topology, 1).size(), 8U);
  EXPECT_EQ(links_by_kind(topology),
            (std::map<LinkKind, std::size_t>{
                {LinkKind::nvlink, 2 * 256}, {LinkKind::pcie, 2 * 256}, {LinkKind::nic, 2 * 256}}));
}

TEST(Cluster, LargeClustersHaveOneLeafPerRailAndUnitAndOneTrunkPerLeafAndDirection) {
  const NodeSpec& node = find_node("dgx-h100");
  const Topology topology = build_cluster(node, 2048);
  EXPECT_EQ(topology.gpu_count(), 16384U);
  EXPECT_EQ(switches(topology, 1).size(), 2048U / 32 * 8);
  EXPECT_EQ(links_by_kind(topology), (std::map<LinkKind, std::size_t>{{LinkKind::nvlink, 2 * 16384},
                                                                      {LinkKind::pcie, 2 * 16384},
                                                                      {LinkKind::nic, 2 * 16384},
                                                                      {LinkKind::leaf_spine, 2 * 512}}));
  for (const Gpu& gpu : topology.gpus()) {
    const std::size_t index = static_cast<std::size_t>(&gpu - topology.gpus().data());
    ASSERT_EQ(gpu.node, index / 8);
    ASSERT_EQ(gpu.local, index % 8);
    const Nic& nic = topology.nics()[gpu.nic];
    ASSERT_EQ(nic.local, gpu.local);
    ASSERT_EQ(nic.switches.size(), 1U);
    ASSERT_EQ(topology.vertex(nic.switches[0]).group, gpu.node / 32);
    ASSERT_EQ(topology.vertex(nic.switches[0]).local, gpu.local);
  }
}

TEST(Cluster, TrunksCarryTheNicsOfTheirUnitOverTheOversubscription) {
  const NodeSpec& node = find_node("dgx-a100-80gb");
  const Topology topology =
      build_cluster(node, 50, {.oversubscription = 4.0});  // units of 20, 20 and 10 nodes
  ASSERT_EQ(switches(topology, 1).size(), 3U * 8);
  std::size_t trunks = 0;
  for (const Link& link : topology.links()) {
    if (link.kind == LinkKind::leaf_spine) {
      ++trunks;
      const Vertex& from = topology.vertex(link.from);
      const Vertex& leaf = from.tier == 1 ? from : topology.vertex(link.to);
      const int size = leaf.group == 2 ? 10 : 20;
      EXPECT_EQ(link.capacity, rate_from_bytes_per_second(size * node.nic / 4.0));
    }
  }
  EXPECT_EQ(trunks, 2U * 3 * 8);
}

TEST(Cluster, FewerNicsThanGpusAreSharedByNeighbours) {
  NodeSpec node = find_node("dgx-h100");
  node.nics = 2;
  const Topology topology = build_cluster(node, 2);
  for (std::size_t gpu = 0; gpu < topology.gpu_count(); ++gpu) {
    EXPECT_EQ(topology.gpus()[gpu].nic, gpu / 8 * 2 + gpu % 8 * 2 / 8);
  }
}

TEST(Cluster, BadInputIsRefusedWithAHint) {
  const NodeSpec& node = find_node("dgx-h100");
  const auto build = [&](int count, const FabricSpec& fabric) {
    return refusal([&] { (void)build_cluster(node, count, fabric); });
  };
  using testing::HasSubstr;
  EXPECT_THAT(refusal([] { (void)find_node("dgx-h10"); }), HasSubstr("dgx-h100"));
  EXPECT_THAT(build(2, {.kind = "rail-fat-tre"}), HasSubstr("rail-fat-tree"));
  EXPECT_THAT(build(2, {.kind = "none"}), HasSubstr("need a fabric"));
  EXPECT_THAT(build(0, {}), HasSubstr("from 1 to 131072 nodes"));
  EXPECT_THAT(build(1 << 20, {}), HasSubstr("from 1 to 131072 nodes"));
  EXPECT_THAT(build(2, {.oversubscription = 0.5}), HasSubstr("at least 1"));
  EXPECT_THAT(build(2, {.oversubscription = std::numeric_limits<double>::quiet_NaN()}),
              HasSubstr("at least 1"));
  EXPECT_THAT(build(2, {.unit = -1}), HasSubstr("at least 1 node"));
}

}  // namespace
}  // namespace makespan
