// Topology files of real machines, where they are at hand.

#include <array>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "network/import.h"
#include "network/routing.h"
#include "test/network/import_fixture.h"

namespace makespan {
namespace {

namespace fs = std::filesystem;
using test::count_links;
using test::names;
using ::testing::Contains;
using ::testing::HasSubstr;

const fs::path kSamples = fs::path(MAKESPAN_SOURCE_DIR) / ".." / "shared" / "data" / "topologies";

class TopologySamples : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kSamples)) {
      GTEST_SKIP() << "the topology files are not part of the repository";
    }
  }

  static std::string text(const std::string& name) { return test::file_text((kSamples / name).string()); }

  static GraphSpec xml(const std::string& name, const NcclXmlOptions& options = {}) {
    return import_nccl_xml(text("nccl_xml/" + name), name, options);
  }

  static GraphSpec smi(const std::string& name) {
    return import_nvidia_smi(text("nvidia_smi_topo/" + name), name);
  }
};

/// GPUs, NVSwitches, PCIe switches, sockets, NICs.
std::array<std::size_t, 5> counts(const GraphSpec& graph) {
  return {names(graph, VertexKind::gpu).size(), names(graph, VertexKind::nvswitch).size(),
          names(graph, VertexKind::pcie_switch).size(), names(graph, VertexKind::host).size(),
          names(graph, VertexKind::nic).size()};
}

using Counts = std::array<std::size_t, 5>;

TEST_F(TopologySamples, providers_xml_loads) {
  EXPECT_EQ(counts(xml("azure_ndv2.xml")), (Counts{8, 0, 0, 2, 1}));
  EXPECT_EQ(counts(xml("azure_ndv4.xml")), (Counts{8, 0, 4, 4, 8}));
  EXPECT_EQ(counts(xml("azure_ndv5.xml")), (Counts{8, 0, 8, 2, 8}));
  const GraphSpec pcie = xml("azure_ncv4.xml");
  EXPECT_EQ(counts(pcie), (Counts{4, 0, 0, 4, 1}));
  EXPECT_THAT(pcie.warnings,
              Contains(HasSubstr("NVLinks of a GPU to itself are left out: gpu0, gpu1, gpu2, gpu3")));
}

TEST_F(TopologySamples, a_providers_xml_and_the_node_give_the_machine) {
  const NodeSpec& node = find_node("dgx-h100");
  const GraphSpec graph = xml("azure_ndv5.xml", {.node = node});
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 8U);
  EXPECT_EQ(counts(graph)[1], 1U);
}

TEST_F(TopologySamples, rccls_xml_loads_with_its_speeds_mended) {
  const GraphSpec graph = xml("rccl_mi300a_4apu_cxi.xml");
  EXPECT_EQ(counts(graph), (Counts{4, 0, 0, 4, 4}));
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 6U);
  EXPECT_DOUBLE_EQ(test::vertex(graph, "cxi2").bandwidth, 23.5e9);
  EXPECT_THAT(graph.warnings, Contains(HasSubstr("taken for kb/s")));
}

TEST_F(TopologySamples, matrices_load) {
  EXPECT_EQ(counts(smi("dgx1_v100.txt")), (Counts{8, 0, 4, 2, 4}));
  EXPECT_EQ(count_links(smi("dgx1_v100.txt"), LinkKind::nvlink), 16U);
  EXPECT_EQ(counts(smi("dgx_a100.txt")), (Counts{8, 1, 4, 4, 8}));
  EXPECT_THAT(smi("dgx_a100.txt").warnings, Contains(HasSubstr("mlx5_4, mlx5_5, mlx5_10, mlx5_11")));
  EXPECT_EQ(counts(smi("hgx_a100_8gpu_4nic.txt")), (Counts{8, 1, 6, 3, 4}));
  EXPECT_EQ(counts(smi("hgx_h100_8gpu_10mlx5_gpurows.txt")), (Counts{8, 1, 8, 2, 8}));
  EXPECT_EQ(counts(smi("hgx_h200_8gpu_8nic.txt")), (Counts{8, 1, 8, 2, 8}));
  EXPECT_TRUE(test::link(smi("hgx_h200_8gpu_8nic.txt"), "mlx5_4", "pcie0"))
      << "its NICs are not in GPU order";
  EXPECT_EQ(counts(smi("gb200_4gpu_gpurows.txt")), (Counts{4, 1, 0, 8, 6}));
  EXPECT_THAT(smi("gb200_4gpu_gpurows.txt").warnings, Contains(HasSubstr("sockets of their own")));
}

TEST_F(TopologySamples, a_fabric_of_40_switches_loads) {
  const GraphSpec graph =
      import_ibnetdiscover(text("ibnetdiscover/dgx_ndr_2layer_40sw_582ca.out"), "fabric.out");
  EXPECT_EQ(names(graph, VertexKind::fabric_switch).size(), 40U);
  // 582 adapters: 40 in switches, 69 without a host, 3 called localhost.
  EXPECT_EQ(names(graph, VertexKind::nic).size(), 582U - 40 - 69 - 3);
  std::map<int, int> tiers;
  for (const GraphVertex& vertex : graph.vertices) {
    ++tiers[vertex.tier];
  }
  EXPECT_EQ(tiers.size(), 3U) << "NICs, leaves, spines";
  EXPECT_EQ(tiers[1] + tiers[2], 40);
  EXPECT_THAT(graph.warnings,
              Contains(HasSubstr("SHARP aggregation nodes are left out; reductions in switches are "
                                 "modelled by the collective (40)")));
}

TEST_F(TopologySamples, nodes_become_clusters_in_which_every_gpu_reaches_every_other) {
  for (const char* folder : {"nccl_xml", "nvidia_smi_topo"}) {
    for (const auto& entry : fs::directory_iterator(kSamples / folder)) {
      const std::string name = entry.path().filename().string();
      SCOPED_TRACE(name);
      const GraphSpec node = entry.path().extension() == ".xml" ? xml(name) : smi(name);
      const Topology topology = build_cluster(find_node("dgx-h100"), node, 2, {.kind = "fat-tree"});
      Router router(topology);
      for (std::size_t gpu = 1; gpu < topology.gpu_count(); ++gpu) {
        EXPECT_FALSE(router.path(0, gpu).uses.empty()) << gpu;
      }
    }
  }
}

TEST_F(TopologySamples, the_fabric_of_40_switches_is_filled_with_nodes) {
  const GraphSpec fabric =
      import_ibnetdiscover(text("ibnetdiscover/dgx_ndr_2layer_40sw_582ca.out"), "fabric.out");
  NodeSpec node = find_node("dgx-h100");
  node.gpus = 4;
  node.nics = 4;
  std::vector<std::string> warnings;
  const Topology topology = build_on_fabric(node, node_graph(node), fabric, {}, warnings);
  EXPECT_EQ(topology.node_count(), 109U);  // the hosts of which all four adapters have names
  Router router(topology);
  for (std::size_t gpu = 1; gpu < topology.gpu_count(); ++gpu) {
    EXPECT_FALSE(router.path(0, gpu).uses.empty()) << gpu;
  }
}

TEST_F(TopologySamples, schedulers_files_load) {
  const GraphSpec tree = import_slurm(text("slurm/topology_tree.conf"), "topology.conf");
  EXPECT_EQ(names(tree, VertexKind::fabric_switch).size(), 1U + 6 + 12);
  EXPECT_EQ(names(tree, VertexKind::host).size(), 12U * 8);
  EXPECT_EQ(test::vertex(tree, "switch.3.1").tier, 3);
  const GraphSpec blocks = import_slurm(text("slurm/topology_block.conf"), "topology.conf");
  EXPECT_EQ(names(blocks, VertexKind::nvswitch).size(), 12U);
}

TEST_F(TopologySamples, astra_sims_files_load) {
  EXPECT_EQ(import_astra_sim(text("astra_sim/HGX-H100-validated.yml"), "a.yml").links.size(), 8U);
  EXPECT_EQ(import_astra_sim(text("astra_sim/Ring_8npus.yml"), "a.yml").links.size(), 8U);
}

}  // namespace
}  // namespace makespan
