#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "core/error.h"
#include "network/analysis.h"
#include "network/fabrics.h"
#include "network/routing.h"
#include "test/network/cluster_fixture.h"

namespace makespan {
namespace {

using test::refusal;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names(const Topology& topology, std::size_t from, std::size_t to) {
  std::vector<std::string> result;
  for (const ResourceId link : route(topology, from, to)) {
    result.push_back(link_name(topology, link));
  }
  return result;
}

/// Two nodes of two GPUs and a NIC each, written down with the second node first and its GPUs apart:
///
///     a0 a1      b0 b1
///      \ /        \ /
///     a.nic      b.nic
///        \        /
///        s0 --- s1
GraphSpec two_nodes() {
  GraphSpec graph;
  const auto add = [&](std::string name, VertexKind kind, std::string node) {
    graph.vertices.push_back({.name = std::move(name), .kind = kind, .node = std::move(node)});
  };
  add("b0", VertexKind::gpu, "b");
  add("a0", VertexKind::gpu, "a");
  add("s0", VertexKind::fabric_switch, "");
  add("b1", VertexKind::gpu, "b");
  add("a1", VertexKind::gpu, "a");
  add("s1", VertexKind::fabric_switch, "");
  add("b.nic", VertexKind::nic, "b");
  add("a.nic", VertexKind::nic, "a");
  const auto join = [&](std::size_t a, std::size_t b, LinkKind kind, double bandwidth,
                        std::uint32_t cables = 1) {
    graph.links.push_back({.a = a, .b = b, .kind = kind, .bandwidth = bandwidth, .cables = cables});
  };
  join(0, 3, LinkKind::nvlink, 100e9);
  join(1, 4, LinkKind::nvlink, 100e9);
  for (const auto& [gpu, nic] : {std::pair<std::size_t, std::size_t>{0, 6}, {3, 6}, {1, 7}, {4, 7}}) {
    join(gpu, nic, LinkKind::pcie, 50e9);
  }
  join(2, 7, LinkKind::nic, 25e9);  // switch first, NIC second
  join(6, 5, LinkKind::nic, 20e9);
  join(2, 5, LinkKind::leaf_spine, 40e9, 2);
  return graph;
}

TEST(Graph, IsBuiltNodeByNodeInTheOrderOfTheirFirstGpus) {
  const Topology topology = build_graph(two_nodes(), {});
  EXPECT_EQ(topology.node_count(), 2U);
  std::vector<std::string> gpus;
  for (const Gpu& gpu : topology.gpus()) {
    gpus.push_back(topology.vertex_name(gpu.vertex));
  }
  EXPECT_THAT(gpus, ElementsAre("b0", "b1", "a0", "a1"));
  EXPECT_THAT(names(topology, 1, 2),
              ElementsAre("b1->b.nic", "b.nic->s1", "s1->s0", "s0->a.nic", "a.nic->a0"));
  EXPECT_THAT(names(topology, 0, 1), ElementsAre("b0->b1"));
  EXPECT_FALSE(topology.rails());
  // Ports lead out of the NIC, whichever end was written first.
  for (const Nic& nic : topology.nics()) {
    ASSERT_EQ(nic.ports.size(), 1U);
    EXPECT_EQ(topology.link(nic.ports[0].out).from, nic.vertex);
    EXPECT_EQ(topology.link(nic.ports[0].in).to, nic.vertex);
  }
}

TEST(Graph, KeepsParallelCablesApartWhereRoutingDoes) {
  const auto links = [](RoutingMode mode) {
    const Topology topology = build_graph(two_nodes(), {.mode = mode});
    std::vector<std::pair<std::string, double>> found;
    for (std::size_t l = 0; l < topology.links().size(); l += 2) {
      if (topology.links()[l].kind == LinkKind::leaf_spine) {
        found.emplace_back(link_name(topology, ResourceId(l)),
                           bytes_per_second(topology.links()[l].capacity));
      }
    }
    EXPECT_EQ(inventory(topology).cables.at(LinkKind::leaf_spine), 2U);
    return found;
  };
  using Links = std::vector<std::pair<std::string, double>>;
  EXPECT_EQ(links(RoutingMode::ideal), (Links{{"s0->s1", 40e9}}));
  EXPECT_EQ(links(RoutingMode::adaptive), (Links{{"s0->s1", 0.95 * 40e9}}));
  EXPECT_EQ(links(RoutingMode::hashed), (Links{{"s0->s1", 20e9}, {"s0->s1#2", 20e9}}));
}

TEST(Graph, ThatNoRouteCrossesIsRefused) {
  const auto build = [](const std::function<void(GraphSpec&)>& change) {
    GraphSpec graph = two_nodes();
    change(graph);
    return refusal([&] { (void)build_graph(graph, {}); });
  };
  EXPECT_EQ(build([](GraphSpec&) {}), "accepted");
  EXPECT_THAT(build([](GraphSpec& g) { g.links[0].kind = LinkKind::leaf_spine; }),
              HasSubstr("leaf-spine between 'b0' and 'b1'"));
  EXPECT_THAT(build([](GraphSpec& g) { g.links[0].b = 1; }),
              HasSubstr("what shares NVLink, PCIe or ICI is one node"));
  EXPECT_THAT(build([](GraphSpec& g) { g.links[0].b = 0; }), HasSubstr("to itself"));
  EXPECT_THAT(build([](GraphSpec& g) {
                g = {};
                g.vertices.push_back({.name = "s", .kind = VertexKind::fabric_switch});
              }),
              HasSubstr("without GPUs"));
}

TEST(Graph, OfWhichRoutesWouldUseOneLinkAndNeverTheOtherIsRefused) {
  GraphSpec parallel = two_nodes();
  parallel.links.push_back(parallel.links[0]);
  EXPECT_THAT(refusal([&] { (void)build_graph(parallel, {}); }),
              HasSubstr("two links of kind nvlink join 'b0' and 'b1'"));
  GraphSpec planes = two_nodes();
  for (const char* name : {"left", "right"}) {
    planes.vertices.push_back({.name = name, .kind = VertexKind::nvswitch, .node = "a"});
    planes.links.push_back({.a = planes.vertices.size() - 1, .b = 1, .bandwidth = 100e9});
  }
  EXPECT_THAT(refusal([&] { (void)build_graph(planes, {}); }),
              HasSubstr("'a0' is on two NVSwitches, 'left' and 'right'"));
}

TEST(Graph, LeavesAnIsolatedNodeWithoutARoute) {
  GraphSpec graph = two_nodes();
  graph.links.pop_back();
  const Topology topology = build_graph(graph, {});
  EXPECT_THROW((void)route(topology, 0, 2), InfeasibleError);
  EXPECT_FALSE(diameter(topology).connected);
}

/// A fabric of two leaves and two spines with `hosts`, whose NICs alternate between the leaves in the order
/// of `nics`.
GraphSpec small_fabric(const std::vector<std::string>& hosts, const std::vector<std::string>& nics) {
  GraphSpec graph;
  for (const char* name : {"leaf1", "leaf2", "spine1", "spine2"}) {
    graph.vertices.push_back({.name = name, .kind = VertexKind::fabric_switch});
  }
  for (std::size_t leaf = 0; leaf < 2; ++leaf) {
    for (std::size_t spine = 2; spine < 4; ++spine) {
      graph.links.push_back(
          {.a = leaf, .b = spine, .kind = LinkKind::leaf_spine, .bandwidth = 97e9, .cables = 2});
    }
  }
  for (const std::string& host : hosts) {
    for (std::size_t n = 0; n < nics.size(); ++n) {
      graph.vertices.push_back({.name = host + " " + nics[n], .kind = VertexKind::nic, .node = host});
      graph.links.push_back(
          {.a = n % 2, .b = graph.vertices.size() - 1, .kind = LinkKind::nic, .bandwidth = 48.5e9});
    }
  }
  return graph;
}

NodeSpec two_gpu_node() {
  NodeSpec node = find_node("dgx-h100");
  node.gpus = 2;
  node.nics = 2;
  return node;
}

TEST(Fabric, IsFilledWithNodesInTheOrderOfTheirNumbersAndNicsByTheirNames) {
  const NodeSpec node = two_gpu_node();
  std::vector<std::string> warnings;
  // mlx5_9 is before mlx5_10, and host-2 before host-10.
  const Topology topology = build_on_fabric(
      node, node_graph(node), small_fabric({"host-10", "host-2"}, {"mlx5_10", "mlx5_9"}), {}, warnings);
  EXPECT_THAT(warnings, ElementsAre());
  EXPECT_EQ(topology.node_count(), 2U);
  EXPECT_TRUE(topology.rails());
  EXPECT_EQ(topology.vertex_name(topology.nics()[0].switches[0]), "leaf2");
  EXPECT_EQ(topology.vertex_name(topology.nics()[1].switches[0]), "leaf1");
  EXPECT_THAT(names(topology, 0, 2),
              ElementsAre("n0.gpu0->n0.nic0", "n0.nic0->leaf2", "leaf2->n1.nic0", "n1.nic0->n1.gpu0"));
  EXPECT_EQ(Router(topology).exit_gpu(0, 3), 1U);
  const Inventory counts = inventory(topology);
  EXPECT_EQ(counts.switches, (std::map<int, std::uint64_t>{{1, 2}, {2, 2}}));  // tiers by distance
  EXPECT_EQ(counts.cables.at(LinkKind::leaf_spine), 8U);
}

TEST(Fabric, GivesAPortTheLesserOfWhatNicAndCableCarry) {
  NodeSpec node = two_gpu_node();
  node.nic = 23.5e9;
  std::vector<std::string> warnings;
  const Topology topology =
      build_on_fabric(node, node_graph(node), small_fabric({"a", "b"}, {"nic1", "nic2"}), {}, warnings);
  EXPECT_DOUBLE_EQ(bytes_per_second(topology.link(topology.nics()[0].ports[0].out).capacity), 23.5e9);
}

TEST(Fabric, LeavesOutHostsWhoseNicsAreNotAllThereWithAWarning) {
  const NodeSpec node = two_gpu_node();
  GraphSpec fabric = small_fabric({"a", "b", "c"}, {"nic1", "nic2"});
  fabric.vertices[5].node = "d";  // the second NIC of a
  std::vector<std::string> warnings;
  const Topology topology = build_on_fabric(node, node_graph(node), fabric, {}, warnings);
  EXPECT_EQ(topology.node_count(), 2U);
  EXPECT_THAT(warnings,
              ElementsAre("left out: 2 hosts have 1 NIC in the fabric, not the 2 of dgx-h100: a, d"));
}

TEST(Fabric, ThatHasNoWholeHostOrOtherThingsIsRefused) {
  const NodeSpec& node = find_node("dgx-h100");
  std::vector<std::string> warnings;
  const auto build = [&](const GraphSpec& fabric) {
    return refusal([&] { (void)build_on_fabric(node, node_graph(node), fabric, {}, warnings); });
  };
  EXPECT_THAT(build(small_fabric({"a", "b"}, {"nic1", "nic2"})),
              testing::AllOf(HasSubstr("has the 8 NICs of dgx-h100"), HasSubstr("2 hosts have 2 NICs")));
  EXPECT_THAT(build(two_nodes()), HasSubstr("fabric switches and NICs"));
}

TEST(Cluster, OfNodesThatAGraphDescribesKeepsTheirNames) {
  GraphSpec node = node_graph(two_gpu_node());
  for (GraphVertex& vertex : node.vertices) {
    if (vertex.kind == VertexKind::nic) {
      vertex.name = "mlx5_0";
      break;
    }
  }
  const Topology topology = build_cluster(two_gpu_node(), node, 3, {.kind = "star"});
  EXPECT_THAT(names(topology, 0, 2), ElementsAre("n0.gpu0->n0.mlx5_0", "n0.mlx5_0->switch0",
                                                 "switch0->n1.mlx5_0", "n1.mlx5_0->n1.gpu0"));
}

}  // namespace
}  // namespace makespan
