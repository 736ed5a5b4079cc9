#include "network/topology.h"

#include <boost/graph/breadth_first_search.hpp>
#include <gtest/gtest.h>
#include <set>

#include "core/error.h"
#include "network/fabrics.h"
#include "network/routing.h"

namespace makespan {
namespace {

/// Links on a shortest path from `from` to every vertex.
std::vector<int> distances(const Topology& topology, std::size_t from) {
  std::vector<int> distance(num_vertices(topology.graph()), -1);
  distance[from] = 0;
  boost::breadth_first_search(topology.graph(), from,
                              boost::visitor(boost::make_bfs_visitor(
                                  boost::record_distances(distance.data(), boost::on_tree_edge{}))));
  return distance;
}

int switches(const Topology& topology, const std::vector<ResourceId>& links) {
  int count = 0;
  for (const ResourceId link : links) {
    count += topology.vertex(topology.link(link).to).kind == VertexKind::fabric_switch ? 1 : 0;
  }
  return count;
}

void expect_path(const Topology& topology, std::size_t from, std::size_t to,
                 const std::vector<ResourceId>& links) {
  std::size_t at = topology.gpus()[from].vertex;
  std::set<ResourceId> seen;
  for (const ResourceId link : links) {
    EXPECT_EQ(topology.link(link).from, at);
    at = topology.link(link).to;
    EXPECT_TRUE(seen.insert(link).second) << "a link twice";
  }
  EXPECT_EQ(at, topology.gpus()[to].vertex);
}

struct Shape {
  int gpus;
  int nics;
  int nodes;
  int unit;
};

class Routes : public testing::TestWithParam<Shape> {};

TEST_P(Routes, OfAllPairsArePathsWithTheHopsOfARailOptimisedFatTree) {
  const Shape shape = GetParam();
  NodeSpec node = find_node("dgx-h100");
  node.gpus = shape.gpus;
  node.nics = shape.nics;
  const Topology topology = build_cluster(node, shape.nodes, {.unit = shape.unit});
  for (std::size_t from = 0; from < topology.gpu_count(); ++from) {
    const std::vector<int> shortest = distances(topology, topology.gpus()[from].vertex);
    for (std::size_t to = 0; to < topology.gpu_count(); ++to) {
      SCOPED_TRACE(std::to_string(from) + " to " + std::to_string(to));
      const std::vector<ResourceId> links = route(topology, from, to);
      expect_path(topology, from, to, links);
      const Gpu& a = topology.gpus()[from];
      const Gpu& b = topology.gpus()[to];
      const Nic& out = topology.nics()[a.nic];
      const Nic& in = topology.nics()[b.nic];
      const bool same_rail = out.local == in.local;
      const bool same_unit = topology.vertex(out.switches[0]).group == topology.vertex(in.switches[0]).group;
      const int expected_switches = a.node == b.node ? 0 : same_unit ? 1 : 3;
      EXPECT_EQ(switches(topology, links), expected_switches);
      // A relay through the NVSwitch keeps to the rails; between units, the spine could also change rail.
      const int detour = !same_rail && !same_unit ? 2 : 0;
      EXPECT_EQ(static_cast<int>(links.size()), shortest[b.vertex] + detour);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(SmallClusters, Routes,
                         testing::Values(Shape{8, 8, 1, 4}, Shape{4, 4, 3, 4}, Shape{4, 4, 5, 2},
                                         Shape{8, 4, 4, 2}, Shape{4, 1, 4, 2}, Shape{2, 2, 6, 1}),
                         [](const auto& instance) {
                           const Shape& s = instance.param;
                           return std::to_string(s.nodes) + "x" + std::to_string(s.gpus) + "gpus" +
                                  std::to_string(s.nics) + "nics_unit" + std::to_string(s.unit);
                         });

TEST(Route, BetweenNodesWithoutAFabricIsRefused) {
  // Two islands that nothing joins.
  Topology topology;
  for (std::uint32_t node = 0; node < 2; ++node) {
    const std::size_t gpu = topology.add_vertex({VertexKind::gpu, node, 0});
    const std::size_t nvswitch = topology.add_vertex({VertexKind::nvswitch, node, 0});
    topology.connect(gpu, nvswitch, LinkKind::nvlink, Rate(1000), Time(0));
    topology.add(Gpu{.vertex = gpu, .node = node});
  }
  topology.finish();
  EXPECT_THROW((void)route(topology, 0, 1), InfeasibleError);
}

TEST(Topology, NamesVerticesAndLinks) {
  const Topology topology = build_cluster(find_node("dgx-a100-80gb"), 3, {.unit = 2});
  const std::vector<ResourceId> links = route(topology, 2, 17);
  std::vector<std::string> names;
  std::vector<std::string_view> kinds;
  for (const ResourceId link : links) {
    names.push_back(link_name(topology, link));
    kinds.push_back(to_string(topology.link(link).kind));
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"n0.gpu2->n0.nvswitch", "n0.nvswitch->n0.gpu1", "n0.gpu1->n0.nic1",
                                      "n0.nic1->u0.leaf1", "u0.leaf1->p0.spine0", "p0.spine0->u1.leaf1",
                                      "u1.leaf1->n2.nic1", "n2.nic1->n2.gpu1"}));
  EXPECT_EQ(kinds, (std::vector<std::string_view>{"nvlink", "nvlink", "pcie", "nic", "leaf-spine",
                                                  "leaf-spine", "nic", "pcie"}));
}

TEST(Topology, EveryEdgeOfTheGraphIsItsLink) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 5, {.unit = 2});
  std::set<std::uint32_t> seen;
  const auto [first, last] = edges(topology.graph());
  for (auto edge = first; edge != last; ++edge) {
    const std::uint32_t link = topology.graph()[*edge].link;
    EXPECT_TRUE(seen.insert(link).second);
    EXPECT_EQ(topology.links()[link].from, source(*edge, topology.graph()));
    EXPECT_EQ(topology.links()[link].to, target(*edge, topology.graph()));
  }
  EXPECT_EQ(seen.size(), topology.links().size());
}

}  // namespace
}  // namespace makespan
