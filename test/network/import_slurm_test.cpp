#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/import.h"
#include "test/network/import_fixture.h"

namespace makespan {
namespace {

using test::count_links;
using test::data;
using test::link;
using test::names;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

GraphSpec import(const std::string& text) {
  return import_slurm(text, "topology.conf");
}

std::string error_of(const std::string& text) {
  return test::error_of([&] { return import(text); });
}

TEST(Slurm, a_tree_has_switches_by_height_and_hosts) {
  const GraphSpec graph = import(data("tree.conf"));
  EXPECT_THAT(names(graph, VertexKind::fabric_switch),
              ElementsAre("leaf1", "leaf2", "leaf3", "leaf4", "spine1", "spine2", "core"));
  EXPECT_EQ(test::vertex(graph, "leaf3").tier, 1);
  EXPECT_EQ(test::vertex(graph, "spine2").tier, 2);
  EXPECT_EQ(test::vertex(graph, "core").tier, 3);
  EXPECT_EQ(names(graph, VertexKind::host).size(), 4U + 4 + 2 + 3);
  EXPECT_EQ(test::vertex(graph, "gpu09").node, "gpu09");
  EXPECT_EQ(link(graph, "gpu09", "leaf3")->kind, LinkKind::nic);
  EXPECT_EQ(link(graph, "leaf3", "spine2")->kind, LinkKind::leaf_spine);
  EXPECT_EQ(link(graph, "spine2", "core")->kind, LinkKind::spine_core);
  EXPECT_EQ(link(graph, "spine2", "core")->bandwidth, 0);
}

TEST(Slurm, what_a_tree_does_not_say_is_named) {
  EXPECT_THAT(import(data("tree.conf")).warnings,
              ElementsAre(HasSubstr("GPUs, NICs, rates and the number of cables are not in it"),
                          StartsWith("topology.conf:3:48: LinkSpeed has no unit")));
  EXPECT_THAT(import("SwitchName=a Nodes=x\nSwitchName=b Nodes=y").warnings,
              Contains(HasSubstr("nothing joins the parts below these switches: a, b")));
}

TEST(Slurm, blocks_are_nvlink_domains) {
  const GraphSpec graph = import(data("block.conf"));
  EXPECT_THAT(names(graph, VertexKind::nvswitch), ElementsAre("rack1", "rack2"));
  EXPECT_EQ(names(graph, VertexKind::host).size(), 36U);
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 36U);
  EXPECT_TRUE(link(graph, "rack2", "tray019"));
  EXPECT_THAT(graph.warnings, Contains(HasSubstr("says nothing about what joins its 2 NVLink domains")));
  EXPECT_THAT(graph.warnings, Contains(StartsWith("topology.conf:3:12: BlockSizes says")));
}

TEST(Slurm, a_scheduler_of_both_gives_both) {
  SwitchTree tree;
  tree.file = "model.yaml";
  tree.switches = {{"core", {}, {"leaf"}, {}}, {"leaf", {}, {}, {"n1", "n2", "n3"}}};
  tree.domains = {{"nvl1", {}, {"n1", "n2"}}, {"nvl2", {}, {"n3", "n4"}}};
  const GraphSpec graph = tree_graph(tree);
  EXPECT_TRUE(link(graph, "n1", "leaf"));
  EXPECT_TRUE(link(graph, "n1", "nvl1"));
  EXPECT_FALSE(link(graph, "n4", "leaf"));
  EXPECT_THAT(graph.warnings, Contains(HasSubstr("hosts that are below no switch: n4")));
}

TEST(Slurm, hosts_get_the_nics_of_a_node) {
  const NodeSpec& node = find_node("dgx-h100");
  const GraphSpec fabric = with_nics(import(data("tree.conf")), node, 2.0);
  EXPECT_EQ(names(fabric, VertexKind::nic).size(), 13U * 8);
  EXPECT_EQ(names(fabric, VertexKind::host).size(), 0U);
  EXPECT_EQ(test::vertex(fabric, "gpu05 nic7").node, "gpu05");
  EXPECT_EQ(link(fabric, "gpu05 nic7", "leaf2")->bandwidth, node.nic);
  EXPECT_DOUBLE_EQ(link(fabric, "leaf1", "spine1")->bandwidth, 4 * 8 * node.nic / 2.0);
  EXPECT_EQ(link(fabric, "leaf1", "spine1")->cables, 4U * 8 / 2);
  EXPECT_DOUBLE_EQ(link(fabric, "spine2", "core")->bandwidth, (2 + 3) * 8 * node.nic / 2.0);
  EXPECT_THAT(fabric.warnings, Contains(HasSubstr("has the 8 NICs of dgx-h100")));
}

TEST(Slurm, domains_alone_are_no_fabric) {
  const GraphSpec blocks = import(data("block.conf"));
  EXPECT_THROW(static_cast<void>(with_nics(blocks, find_node("dgx-h100"))), InputError);
  const GraphSpec tree = import(data("tree.conf"));
  EXPECT_THROW(static_cast<void>(with_nics(tree, find_node("dgx-h100"), 0.5)), InputError);
}

TEST(Slurm, faults_are_shown_where_they_are) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "topology.conf:1:1: no line with SwitchName= or BlockName="},
      {"# nothing\n", "topology.conf:1:1: no line with SwitchName= or BlockName="},
      {"SwitchName=a Nodes=n1\nSwitch=b",
       "topology.conf:2:1: there is no key 'Switch'\n  hint: did you mean 'Switches'?"},
      {"SwitchName=a Nodes=", "topology.conf:1:14: found 'Nodes='"},
      {"SwitchName=a Nodes", "topology.conf:1:14: found 'Nodes'"},
      {"Nodes=n1 SwitchName=a", "topology.conf:1:7: Nodes: begins a line"},
      {"SwitchName=a", "topology.conf:1:12: SwitchName: has neither Nodes nor Switches"},
      {"SwitchName=a Nodes=n Switches=b", "topology.conf:1:12: SwitchName: has Nodes and Switches"},
      {"SwitchName=a Nodes=n Nodes=m", "topology.conf:1:22: Nodes: is there twice"},
      {"SwitchName=a[1-2] Nodes=n", "topology.conf:1:12: SwitchName: 'a[1-2]' is 2 names"},
      {"SwitchName=a Nodes=n[1-", "topology.conf:1:24: a number is missing"},
      {"BlockName=a", "topology.conf:1:11: BlockName: has no Nodes"},
      {"BlockName=a Switches=b", "topology.conf:1:22: Switches: does not belong to BlockName"},
      {"BlockSizes=1 Nodes=b", "topology.conf:1:20: Nodes: does not belong to BlockSizes"},
      {"SwitchName=a Nodes=n\nBlockName=b Nodes=m",
       "topology.conf:2:11: SwitchName and BlockName in one file"},
      {"SwitchName=a Nodes=n\nSwitchName=a Nodes=m",
       "topology.conf:2:12: the switch 'a' is there twice\n  hint: first at topology.conf:1:12"},
      {"SwitchName=a Nodes=n\nSwitchName=b Nodes=n", "topology.conf:2:12: the host 'n' is there twice"},
      {"BlockName=a Nodes=n\nBlockName=b Nodes=n", "topology.conf:2:11: the host 'n' is there twice"},
      {"BlockName=a Nodes=n\nBlockName=a Nodes=m", "topology.conf:2:11: 'a' is there twice"},
      {"SwitchName=top Switches=leaf1,leaf2\nSwitchName=leaf1 Nodes=n",
       "topology.conf:1:12: there is no switch 'leaf2' below 'top'\n  hint: did you mean 'leaf1'?"},
      {"SwitchName=a Switches=c\nSwitchName=b Switches=c\nSwitchName=c Nodes=n",
       "topology.conf:2:12: 'c' is below 'a' and 'b'"},
      {"SwitchName=a Switches=b\nSwitchName=b Switches=a\nSwitchName=c Nodes=n",
       "topology.conf:1:12: 'a' is below itself"},
      {"SwitchName=a Switches=a\nSwitchName=c Nodes=n", "topology.conf:1:12: 'a' is below itself"},
      {"SwitchName=a \\\nNodes=n[5-1]", "topology.conf:2:9: the range '5-1' runs backwards"},
  };
  for (const auto& [broken, message] : cases) {
    EXPECT_THAT(error_of(broken), StartsWith(message)) << broken;
    EXPECT_THAT(error_of(broken), HasSubstr("\n  hint: "));
  }
}

TEST(Slurm, long_chains_of_switches_are_no_problem) {
  std::string text = "SwitchName=s0 Nodes=n\n";
  for (int i = 1; i < 50'000; ++i) {
    text += "SwitchName=s" + std::to_string(i) + " Switches=s" + std::to_string(i - 1) + "\n";
  }
  EXPECT_EQ(import(text).vertices.size(), 50'001U);
}

TEST(Slurm, the_number_of_hosts_is_bounded) {
  EXPECT_THAT(error_of("SwitchName=a Nodes=n[1-60000]\nSwitchName=b Nodes=m[1-60000]"),
              HasSubstr("120000 hosts\n  hint: from 1 to 100000 hosts"));
  std::string text;
  for (int i = 0; i < 100'000; ++i) {
    text += "SwitchName=a Nodes=n[1-99999]\n";
  }
  EXPECT_THAT(error_of(text), StartsWith("topology.conf:3:20: more than 200000 nodes and switches"));
}

}  // namespace
}  // namespace makespan
