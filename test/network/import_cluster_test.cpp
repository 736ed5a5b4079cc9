// Imported nodes and fabrics as clusters that traffic finds its way through.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/import.h"
#include "network/routing.h"
#include "test/network/import_fixture.h"

namespace makespan {
namespace {

using test::data;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Kinds of the links that a route crosses.
std::vector<LinkKind> kinds(const Topology& topology, std::size_t from, std::size_t to) {
  std::vector<LinkKind> found;
  for (const ResourceId link : route(topology, from, to)) {
    found.push_back(topology.link(link).kind);
  }
  return found;
}

double slowest(const Topology& topology, std::size_t from, std::size_t to) {
  double least = 1e18;
  for (const ResourceId link : route(topology, from, to)) {
    least = std::min(least, bytes_per_second(topology.link(link).capacity));
  }
  return least;
}

void expect_all_routed(const Topology& topology) {
  Router router(topology);
  for (std::size_t a = 0; a < topology.gpu_count(); ++a) {
    for (std::size_t b = 0; b < topology.gpu_count(); ++b) {
      EXPECT_EQ(router.path(a, b).uses.empty(), a == b) << a << " to " << b;
    }
  }
}

TEST(ImportedCluster, a_dump_becomes_nodes_on_a_fat_tree) {
  const GraphSpec graph = import_nccl_xml(data("node_dump.xml"), "node.xml");
  const NodeSpec& spec = find_node("dgx-h100");
  NodeSpec node = spec;
  node.gpus = 3;
  node.nics = 3;
  const Topology topology = build_cluster(node, graph, 4, {.kind = "fat-tree"});
  EXPECT_EQ(topology.gpu_count(), 4U * 3);
  EXPECT_EQ(topology.nics().size(), 4U * 3);
  for (const Gpu& gpu : topology.gpus()) {
    EXPECT_EQ(topology.nics()[gpu.nic].local, gpu.local == 1 ? 1U : gpu.local == 0 ? 0U : 2U);
  }
  EXPECT_THAT(kinds(topology, 0, 1), ElementsAre(LinkKind::nvlink, LinkKind::nvlink));
  EXPECT_DOUBLE_EQ(slowest(topology, 0, 1), spec.nvlink);
  EXPECT_EQ(kinds(topology, 0, 3).front(), LinkKind::pcie);
  EXPECT_DOUBLE_EQ(slowest(topology, 0, 3), spec.nic);
  expect_all_routed(topology);
}

TEST(ImportedCluster, a_providers_file_with_its_node_equals_the_catalogue) {
  const NodeSpec& node = find_node("dgx-h100");
  const GraphSpec graph = import_nccl_xml(data("provider_8gpu.xml"), "node.xml", {.node = node});
  const Topology imported = build_cluster(node, graph, 2, {});
  const Topology known = build_cluster(node, 2, {});
  ASSERT_EQ(imported.gpu_count(), known.gpu_count());
  for (std::size_t gpu = 1; gpu < imported.gpu_count(); ++gpu) {
    EXPECT_DOUBLE_EQ(slowest(imported, 0, gpu), slowest(known, 0, gpu)) << gpu;
  }
  for (std::size_t g = 0; g < imported.gpu_count(); ++g) {
    EXPECT_EQ(imported.gpus()[g].nic, known.gpus()[g].nic);
  }
}

TEST(ImportedCluster, a_matrix_becomes_a_node) {
  const GraphSpec graph = import_nvidia_smi(data("smi_nvswitch.txt"), "topo.txt");
  NodeSpec node = find_node("dgx-a100-80gb");
  node.gpus = 4;
  node.nics = 4;
  const Topology topology = build_cluster(node, graph, 3, {});
  for (const Gpu& gpu : topology.gpus()) {
    const std::uint32_t nic = topology.nics()[gpu.nic].local;
    EXPECT_EQ(nic / 2, gpu.local / 2) << "on the same PCIe switch";
  }
  expect_all_routed(topology);
}

TEST(ImportedCluster, gpus_without_nvlink_reach_each_other_over_pcie) {
  const GraphSpec graph = import_nvidia_smi(data("smi_pcie.txt"), "topo.txt");
  const Topology topology = build_graph(graph, {});
  EXPECT_THAT(kinds(topology, 0, 1),
              ElementsAre(LinkKind::pcie, LinkKind::pcie, LinkKind::pcie, LinkKind::pcie));
}

TEST(ImportedCluster, an_infiniband_fabric_is_filled_with_nodes) {
  const GraphSpec fabric = import_ibnetdiscover(data("two_tiers.ibnetdiscover"), "fabric.out");
  NodeSpec node = find_node("dgx-h100");
  node.gpus = 2;
  node.nics = 2;
  std::vector<std::string> warnings;
  const Topology topology = build_on_fabric(node, node_graph(node), fabric, {}, warnings);
  EXPECT_EQ(topology.node_count(), 4U);
  EXPECT_THAT(warnings, Contains(HasSubstr("node09")));
  EXPECT_TRUE(topology.rails()) << "leaf1 has the first adapters, leaf2 the second";
  EXPECT_DOUBLE_EQ(slowest(topology, 0, 2), node.nic);
  expect_all_routed(topology);
}

TEST(ImportedCluster, a_schedulers_tree_is_filled_with_nodes) {
  const NodeSpec& node = find_node("dgx-h100");
  const GraphSpec fabric = with_nics(import_slurm(data("tree.conf"), "topology.conf"), node);
  std::vector<std::string> warnings;
  const Topology topology = build_on_fabric(node, node_graph(node), fabric, {}, warnings);
  EXPECT_EQ(topology.node_count(), 13U);
  const std::size_t last = topology.gpu_count() - 8;
  EXPECT_THAT(kinds(topology, 0, last),
              ElementsAre(LinkKind::pcie, LinkKind::nic, LinkKind::leaf_spine, LinkKind::spine_core,
                          LinkKind::spine_core, LinkKind::leaf_spine, LinkKind::nic, LinkKind::pcie));
}

TEST(ImportedCluster, an_astra_sim_network_is_one_node) {
  const Topology ring = build_graph(astra_sim_graph({{"Ring", 8, 50, 500}}, {"network.yml", 1, 1}),
                                    {.mode = RoutingMode::ordered});
  EXPECT_THAT(kinds(ring, 0, 2), ElementsAre(LinkKind::ici, LinkKind::ici));
  EXPECT_THAT(kinds(ring, 0, 7), ElementsAre(LinkKind::ici));
  const Topology island =
      build_graph(astra_sim_graph({{"Switch", 8, 400, 936.25}}, {"network.yml", 1, 1}), {});
  EXPECT_THAT(kinds(island, 0, 5), ElementsAre(LinkKind::nvlink, LinkKind::nvlink));
  EXPECT_DOUBLE_EQ(slowest(island, 0, 5), 400e9);
  expect_all_routed(build_graph(import_astra_sim(data("network.yml"), "network.yml"), {}));
}

TEST(ImportedCluster, computers_that_share_nvlink_are_one_node) {
  const GraphSpec graph = import_nccl_xml(data("c2c_2hosts.xml"), "node.xml");
  const Topology topology = build_graph(graph, {});
  EXPECT_EQ(topology.node_count(), 1U);
  EXPECT_THAT(kinds(topology, 0, 1), ElementsAre(LinkKind::nvlink, LinkKind::nvlink));
}

}  // namespace
}  // namespace makespan
