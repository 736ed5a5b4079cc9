#include "scenarios/machine.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ostream>
#include <string>
#include <vector>

#include "network/routing.h"
#include "scenarios/library.h"
#include "scenarios/writer.h"
#include "test/scenarios/scenario_texts.h"

namespace makespan {
namespace {

using testing::HasSubstr;

std::string cluster_error(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    const Machine machine = build_machine(parse_cluster(text, "cluster.yaml", overrides));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ReadCluster, takes_a_name_a_mapping_and_the_cluster_of_a_scenario) {
  EXPECT_EQ(read_cluster("dgx-h100-64").name, "dgx-h100-64");
  EXPECT_EQ(read_cluster("dgx-h100-64").nodes, 8);
  EXPECT_EQ(read_cluster("llama3-8b-64xh100").name, "dgx-h100-64");
  const Cluster mapping = parse_cluster("node: dgx-a100-80gb\nnodes: 3\n", "cluster.yaml");
  EXPECT_EQ(mapping.node, "dgx-a100-80gb");
  EXPECT_EQ(mapping.nodes, 3);
  EXPECT_EQ(parse_cluster(kSmallScenario, "small.yaml").node, "dgx-a100-80gb");
}

TEST(ReadCluster, takes_overrides_by_the_paths_of_a_scenario) {
  EXPECT_EQ(read_cluster("dgx-h100-64", std::vector<std::string>{"cluster.nodes=4"}).nodes, 4);
  EXPECT_EQ(parse_cluster(kSmallScenario, "small.yaml", std::vector<std::string>{"cluster.nodes=4"}).nodes,
            4);
}

TEST(ReadCluster, tells_where_it_is_wrong) {
  EXPECT_THAT(cluster_error("node: dgx-h100\nnods: 3\n"),
              HasSubstr("cluster.yaml:2:1: cluster.nods: unknown"));
  EXPECT_THAT(cluster_error("nodes: 3\n"), HasSubstr("cluster.node: is missing"));
  EXPECT_THAT(cluster_error("node: dgx-h10\n"), HasSubstr("cluster.yaml:1:7: cluster.node: "));
  EXPECT_THAT(cluster_error(""), HasSubstr("cluster.yaml:1:1: is empty"));
  EXPECT_THAT(cluster_error("- node\n"), HasSubstr("must be a mapping"));
  EXPECT_THROW((void)read_cluster("dgx-h100-6"), InputError);
}

Machine machine_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return build_machine(parse_cluster(text, "cluster.yaml", overrides));
}

/// The hardware that vertices of one tier stand for.
std::size_t switches(const Topology& topology, int tier) {
  std::size_t count = 0;
  for (std::size_t v = 0; v < boost::num_vertices(topology.graph()); ++v) {
    const Vertex& vertex = topology.vertex(v);
    count += vertex.kind == VertexKind::fabric_switch && vertex.tier == tier ? vertex.count : 0;
  }
  return count;
}

std::string data_file(const std::string& name) {
  return std::string(MAKESPAN_SOURCE_DIR) + "/test/network/data/" + name;
}

TEST(Machine, has_the_gpus_and_the_node_of_its_cluster) {
  const Machine machine = build_machine(read_cluster("dgx-h100-64"));
  EXPECT_EQ(machine.node.accelerator, "h100");
  EXPECT_EQ(machine.topology.node_count(), 8U);
  EXPECT_EQ(machine.topology.gpu_count(), 64U);
  EXPECT_THAT(machine.warnings, testing::IsEmpty());
}

TEST(Machine, has_the_fabric_that_is_described) {
  const std::string node = "node: dgx-h100\nnodes: 64\nfabric: ";
  const Topology rails = machine_of(node + "{kind: rail-fat-tree, oversubscription: 2, radix: 64}").topology;
  EXPECT_EQ(switches(rails, 1), 2U * 8) << "a leaf per rail and unit of 32 nodes";
  const Topology classic = machine_of(node + "{kind: fat-tree, unit: 4}").topology;
  EXPECT_EQ(switches(classic, 1), 64U / 4);
  EXPECT_EQ(switches(machine_of(node + "star").topology, 1), 1U);
  const Topology groups = machine_of(node + "{kind: dragonfly, group_nodes: 16, group_switches: 8}").topology;
  EXPECT_EQ(switches(groups, 1), 64U / 16 * 8);
  const Topology plus =
      machine_of(node + "{kind: dragonfly-plus, group_nodes: 16, group_switches: 8, group_spines: 4}")
          .topology;
  EXPECT_EQ(switches(plus, 1), 64U / 16 * 8);
  EXPECT_EQ(switches(plus, 2), 64U / 16 * 4);
  EXPECT_TRUE(machine_of("node: dgx-h100\nfabric: none\n").topology.nics().empty());
}

TEST(Machine, counts_the_chips_of_a_torus_by_its_axes) {
  const std::string torus = "node: tpu-v4\nfabric: {kind: torus, dimensions: [4, 4, 2], link: 40 GB/s}\n";
  const Machine machine = machine_of(torus);
  EXPECT_EQ(machine.topology.gpu_count(), 4U * 4 * 2);
  EXPECT_EQ(machine_size(parse_cluster(torus, "cluster.yaml")).gpus, 4 * 4 * 2);
  EXPECT_EQ(machine.topology.links()[0].capacity, rate_from_bytes_per_second(40e9));
  EXPECT_EQ(machine_of(torus + "nodes: 32\n").topology.gpu_count(), 32U);
  EXPECT_THAT(cluster_error(torus + "nodes: 33\n"),
              HasSubstr("cluster.fabric: a torus of 32 chips on a cluster of 33"));
}

TEST(Machine, routes_and_transports_as_it_is_told) {
  const std::string node = "node: dgx-h100\nnodes: 2\nfabric: ";
  EXPECT_EQ(machine_of(node + "{routing: static}").topology.routing().mode, RoutingMode::fixed);
  const RoutingSpec hashed =
      machine_of(node + "{routing: {kind: ecmp, subflows: 16, seed: 7}}").topology.routing();
  EXPECT_EQ(hashed.mode, RoutingMode::hashed);
  EXPECT_EQ(hashed.subflows, 16);
  EXPECT_EQ(hashed.seed, 7U);
  EXPECT_EQ(machine_of(node + "{transport: roce}").node.transport, "roce");
  EXPECT_EQ(machine_of(node + "{}").node.transport, find_node("dgx-h100").transport);
}

TEST(Machine, refuses_a_fabric_at_the_key_that_is_to_blame) {
  const std::string node = "node: dgx-h100\nnodes: 64\nfabric:\n  kind: ";
  EXPECT_THAT(cluster_error(node + "rail-fat-tree\n  tiers: 2\n  radix: 8\n"),
              HasSubstr("cluster.yaml:6:10: cluster.fabric.radix: "));
  EXPECT_THAT(cluster_error(node + "rail-fat-tree\n  tiers: 1\n"),
              HasSubstr("cluster.yaml:5:10: cluster.fabric.tiers: one tier cannot join 64 nodes"));
  EXPECT_THAT(cluster_error(node + "dragonfly\n  groups: 2\n  group_nodes: 16\n"),
              HasSubstr("cluster.yaml:5:11: cluster.fabric.groups: "));
  EXPECT_THAT(cluster_error(node + "none\n"),
              HasSubstr("cluster.yaml:4:9: cluster.fabric.kind: several nodes"));
  EXPECT_THAT(cluster_error(node + "star\n", {"cluster.nodes=100000", "cluster.node=gb200-nvl72"}),
              HasSubstr("--set: cluster.nodes: 100000 nodes of 72 GPUs are more than"));
}

TEST(Machine, takes_the_inside_of_its_nodes_from_a_dump) {
  const std::string text =
      "node: dgx-h100\nnodes: 2\ntopology: {nccl_xml: " + data_file("node_dump.xml") + "}\n";
  const Machine machine = machine_of(text);
  EXPECT_EQ(machine.topology.gpu_count(), 2U * 3);
  EXPECT_EQ(machine.node.gpus, 3);
  EXPECT_EQ(machine.node.nics, 3);
  EXPECT_EQ(machine_size(parse_cluster(text, "cluster.yaml")).gpus, 2 * 3);
  const Machine printed = machine_of(
      "node: dgx-a100-80gb\nnodes: 2\ntopology: {nvidia_smi: " + data_file("smi_nvswitch.txt") + "}\n");
  EXPECT_EQ(printed.topology.gpu_count(), 2U * 4);
}

TEST(Machine, takes_its_fabric_from_a_dump_and_counts_its_nodes) {
  const std::string text = "node: dgx-h100\ntopology: {slurm: " + data_file("tree.conf") + "}\n";
  const Machine machine = machine_of(text);
  EXPECT_EQ(machine.topology.node_count(), 13U) << "gpu01 to gpu12 and login";
  EXPECT_EQ(switches(machine.topology, 1), 4U);
  EXPECT_THAT(machine.warnings, Not(testing::IsEmpty()));
  EXPECT_EQ(machine_size(parse_cluster(text, "cluster.yaml")).nodes, 13);
  EXPECT_THAT(cluster_error(text + "nodes: 12\n"),
              HasSubstr("cluster.yaml:3:8: cluster.nodes: the topology has 13 nodes, not 12"));
  const Machine both = machine_of("node: dgx-h100\ntopology:\n  slurm: " + data_file("tree.conf") +
                                  "\n  nccl_xml: " + data_file("node_dump.xml") + "\n");
  EXPECT_EQ(both.topology.gpu_count(), 13U * 3);
}

TEST(Machine, finds_files_from_where_the_cluster_is) {
  const std::string source = data_file("cluster.yaml");
  const Cluster cluster = parse_cluster("node: dgx-h100\ntopology: {slurm: ./tree.conf}\n", source);
  EXPECT_EQ(build_machine(cluster).topology.node_count(), 13U);
  EXPECT_THAT(cluster_error("node: dgx-h100\ntopology: {slurm: missing/tree.conf}\n"),
              HasSubstr("cluster.yaml:2:19: cluster.topology.slurm: missing/tree.conf: there is no"));
}

const std::string kGraph = R"(node: dgx-h100
topology:
  graph:
    vertices:
      - {name: a0, kind: gpu, node: a}
      - {name: an, kind: nic, node: a}
      - {name: b0, kind: gpu, node: b}
      - {name: bn, kind: nic, node: b}
      - {name: sw, kind: switch}
    links:
      - {ends: [a0, an], kind: pcie, bandwidth: 50 GB/s}
      - {ends: [b0, bn], kind: pcie, bandwidth: 50 GB/s}
      - {ends: [an, sw], kind: nic, bandwidth: 200 Gb/s, latency: 2 us, cables: 2}
      - {ends: [bn, sw], kind: nic, bandwidth: 100 Gb/s}
)";

TEST(Machine, can_be_any_graph) {
  const Topology topology = machine_of(kGraph).topology;
  EXPECT_EQ(topology.node_count(), 2U);
  EXPECT_EQ(topology.gpu_count(), 2U);
  ASSERT_EQ(topology.links().size(), 2U * 4);
  const auto nic = std::find_if(topology.links().begin(), topology.links().end(),
                                [](const Link& link) { return link.latency > Time(0); });
  ASSERT_NE(nic, topology.links().end());
  EXPECT_EQ(nic->latency, Time(2'000'000));
  EXPECT_EQ(nic->capacity, rate_from_bytes_per_second(200e9 / 8));
  EXPECT_EQ(nic->cables, 2U);
  EXPECT_EQ(route(topology, 0, 1).size(), 4U);
}

TEST(Machine, fills_a_graph_of_switches_and_nics_with_nodes) {
  std::string text = "node: gb200-nvl72\ntopology:\n  nvidia_smi: " + data_file("smi_pcie.txt") +
                     "\n  graph:\n    vertices:\n      - {name: sw, kind: switch}\n";
  std::string links = "    links:\n";
  for (const std::string node : {"a", "b", "c"}) {
    text += "      - {name: " + node + "-nic, kind: nic, node: " + node + "}\n";
    links += "      - {ends: [" + node + "-nic, sw], kind: nic, bandwidth: 10 GB/s}\n";
  }
  const Topology topology = machine_of(text + links).topology;
  EXPECT_EQ(topology.gpu_count(), 3U * 2);
  EXPECT_EQ(topology.nics().size(), 3U);
}

TEST(Machine, tells_what_is_wrong_with_a_graph) {
  const auto replaced = [](const std::string& from, const std::string& to) {
    std::string text = kGraph;
    text.replace(text.find(from), from.size(), to);
    return cluster_error(text);
  };
  EXPECT_THAT(replaced("[a0, an]", "[a0, am]"),
              HasSubstr("cluster.yaml:11:16: cluster.topology.graph.links[0].ends: there is no vertex 'am'"));
  EXPECT_THAT(replaced("[a0, an]", "[a0]"), HasSubstr(".links[0].ends: names 1 vertices"));
  EXPECT_THAT(replaced("name: b0", "name: a0"),
              HasSubstr("cluster.yaml:7:16: cluster.topology.graph.vertices[2].name: 'a0' is there twice"));
  EXPECT_THAT(replaced("kind: switch", "kind: switch, node: a"), HasSubstr(".vertices[4].node: "));
  EXPECT_THAT(replaced("kind: gpu", "tier: 2, kind: gpu"), HasSubstr(".vertices[0].tier: "));
  EXPECT_THAT(replaced("kind: gpu", "kind: cpu"), HasSubstr(".vertices[0].kind: unknown word 'cpu'"));
  EXPECT_THAT(replaced("kind: pcie", "kind: nvlink"), HasSubstr("cluster.topology.graph: no route crosses"));
  EXPECT_THAT(replaced("50 GB/s", "50 GB"), HasSubstr("cluster.topology.graph.links[0].bandwidth: "));
  EXPECT_THAT(cluster_error("node: dgx-h100\ntopology: {graph: {links: [{ends: [a, b], kind: nic, bandwidth: "
                            "1 GB/s}]}}\n"),
              HasSubstr("cluster.topology.graph: has links and no vertices"));
}

TEST(Machine, has_one_source_for_each_part) {
  const std::string node = "node: dgx-h100\ntopology:\n";
  EXPECT_THAT(
      cluster_error(node + "  nccl_xml: a\n  nvidia_smi: b\n"),
      HasSubstr("cluster.yaml:4:15: cluster.topology.nvidia_smi: cannot be given together with 'nccl_xml'"));
  EXPECT_THAT(cluster_error(node + "  ibnetdiscover: a\n  slurm: b\n"),
              HasSubstr("cluster.topology.slurm: cannot be given together with 'ibnetdiscover'"));
  EXPECT_THAT(cluster_error(kGraph + "  nvidia_smi: b\n"),
              HasSubstr("cluster.topology.graph: cannot be given together with 'nvidia_smi'"));
}

TEST(Machine, writes_and_reads_back_what_a_scenario_says_of_it) {
  Scenario scenario = parse_scenario(kSmallScenario, "small.yaml");
  scenario.cluster = parse_cluster(
      kGraph + "fabric: {routing: {kind: ecmp, subflows: 4, seed: 2}, transport: roce, link: 12.5 GB/s}\n",
      "cluster.yaml");
  Fault slow;
  slow.target = "nic 0.0";
  slow.factor = 0.5;
  slow.from = Time(5);
  Fault down;
  down.kind = FaultKind::link_down;
  down.target = "link an->sw";
  down.until = Time(1'000'000'000);
  scenario.faults = {slow, down};
  const std::string written = scenario_yaml(scenario);
  EXPECT_EQ(scenario_yaml(parse_scenario(written, "again.yaml")), written);
  EXPECT_THAT(written, HasSubstr("\n    graph:\n      vertices:\n        - name: a0\n          kind: gpu\n"));
  EXPECT_THAT(written,
              HasSubstr("\nfaults:\n  - kind: slow-link\n    target: \"nic 0.0\"\n    factor: 0.5\n"));
}

/// What is published of each: data sheets and papers that the files name.
struct Published {
  const char* name;
  std::size_t gpus;
  std::size_t leaves;  ///< switches of the first tier; 0: not published
  std::size_t spines;
};

void PrintTo(const Published& cluster, std::ostream* out) {
  *out << cluster.name;
}

class NamedCluster : public testing::TestWithParam<Published> {};

TEST_P(NamedCluster, is_as_large_as_it_is_published) {
  const Published& published = GetParam();
  const Machine machine = build_machine(read_cluster(published.name));
  EXPECT_EQ(machine.topology.gpu_count(), published.gpus);
  EXPECT_THAT(machine.warnings, testing::IsEmpty());
  if (published.leaves > 0) {
    EXPECT_EQ(switches(machine.topology, 1), published.leaves);
  }
  if (published.spines > 0) {
    EXPECT_EQ(switches(machine.topology, 2), published.spines);
  }
  EXPECT_FALSE(Router(machine.topology).path(0, machine.topology.gpu_count() - 1).uses.empty());
}

INSTANTIATE_TEST_SUITE_P(
    library, NamedCluster,
    testing::Values(Published{"superpod-a100", 1120, 56, 80}, Published{"superpod-h100", 1024, 32, 16},
                    Published{"superpod-b200", 4096, 128, 128}, Published{"selene", 4480, 0, 0},
                    Published{"selene-512", 512, 0, 0}, Published{"perlmutter", 6144, 384, 0},
                    Published{"meta-24k-roce", 24576, 1536, 0}, Published{"alibaba-hpn", 15360, 240, 128},
                    Published{"gb200-nvl72-pod", 576, 0, 0}, Published{"tpu-v4-8x8x8", 512, 0, 0},
                    Published{"tpu-v5p-8x8x16", 1024, 0, 0}, Published{"mi300x-8", 8, 0, 0},
                    Published{"dgx-a100-8", 8, 0, 0}, Published{"dgx-h100-64", 64, 0, 0},
                    Published{"dgx-h100-128", 128, 0, 0}),
    [](const auto& tested) {
      std::string name = tested.param.name;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

TEST(NamedCluster, is_tested_for_every_entry_of_the_library) {
  EXPECT_EQ(library_names(LibraryKind::clusters).size(), 15U);
}

}  // namespace
}  // namespace makespan
