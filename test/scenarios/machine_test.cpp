#include "scenarios/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

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

TEST(Machine, has_the_gpus_and_the_node_of_its_cluster) {
  const Machine machine = build_machine(read_cluster("dgx-h100-64"));
  EXPECT_EQ(machine.node.accelerator, "h100");
  EXPECT_EQ(machine.topology.node_count(), 8U);
  EXPECT_EQ(machine.topology.gpu_count(), 64U);
}

}  // namespace
}  // namespace makespan
