#include "network/outline.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

#include "network/analysis.h"
#include "network/fabrics.h"

namespace makespan {
namespace {

using testing::HasSubstr;
using Detail = Outline::Detail;

std::uint64_t cables(const Outline& outline, LinkKind kind) {
  std::uint64_t total = 0;
  for (const Outline::Edge& edge : outline.edges) {
    total += edge.kind == kind ? edge.cables : 0;
  }
  return total;
}

std::uint64_t count(const Outline& outline, const std::string& kind) {
  std::uint64_t total = 0;
  for (const Outline::Vertex& vertex : outline.vertices) {
    total += vertex.kind == kind ? vertex.count : 0;
  }
  return total;
}

TEST(OutlineOf, ACoarserGrainHasTheSameHardware) {
  for (const RoutingMode mode : {RoutingMode::ideal, RoutingMode::hashed}) {
    const Topology topology =
        build_cluster(find_node("dgx-h100"), 512, {.radix = 64, .routing = {.mode = mode}});
    const Inventory counts = inventory(topology);
    Detail last = Detail::everything;
    std::size_t size = num_vertices(topology.graph()) + 1;
    for (const std::size_t most : {100'000U, 2000U, 1000U, 200U, 10U}) {
      const Outline found = outline(topology, most);
      EXPECT_LE(found.vertices.size(), most);
      EXPECT_LE(found.vertices.size(), size);
      EXPECT_GE(found.detail, last);
      EXPECT_EQ(count(found, "leaf"), counts.switches.at(1));
      EXPECT_EQ(count(found, "spine"), counts.switches.at(2));
      EXPECT_EQ(count(found, "core"), counts.switches.at(3));
      EXPECT_EQ(cables(found, LinkKind::nic), counts.cables.at(LinkKind::nic));
      EXPECT_EQ(cables(found, LinkKind::leaf_spine), counts.cables.at(LinkKind::leaf_spine));
      EXPECT_EQ(cables(found, LinkKind::spine_core), counts.cables.at(LinkKind::spine_core));
      if (found.detail != Detail::everything) {
        EXPECT_EQ(count(found, "node"), 512U);
      }
      last = found.detail;
      size = found.vertices.size();
    }
    EXPECT_EQ(last, Detail::tiers);
  }
}

TEST(OutlineOf, NodesOnTheSameSwitchesIsARack) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 64, {.radix = 64});
  const Outline found = outline(topology, 20);
  EXPECT_EQ(found.detail, Detail::racks);
  // Two units of 32 nodes, 16 leaves, one vertex for the spines.
  ASSERT_EQ(found.vertices.size(), 2U + 16 + 1);
  const auto rack = std::find_if(found.vertices.begin(), found.vertices.end(),
                                 [](const Outline::Vertex& v) { return v.kind == "node"; });
  EXPECT_EQ(rack->name, "n0..n31");
  EXPECT_EQ(rack->count, 32U);
  EXPECT_EQ(rack->layer, 0);
  for (const Outline::Edge& edge : found.edges) {
    EXPECT_EQ(edge.cables, 32U);
    EXPECT_NEAR(edge.bandwidth, 32 * 48.5e9, 1);
  }
}

TEST(Dot, WritesGroupsVerticesAndCables) {
  std::ostringstream out;
  write_dot(out, outline(build_cluster(find_node("dgx-h100"), 2), 1000));
  const std::string text = out.str();
  EXPECT_THAT(text, testing::StartsWith("graph cluster {"));
  EXPECT_THAT(text, testing::EndsWith("}\n"));
  EXPECT_THAT(text, HasSubstr("label=\"node 1\""));
  EXPECT_THAT(text, HasSubstr("label=\"n1.gpu7\""));
  EXPECT_THAT(text, HasSubstr("label=\"u0.leaf3\""));
  EXPECT_THAT(text, HasSubstr("label=\"48.5 GB/s\", tooltip=\"nic\""));
  EXPECT_EQ(std::count(text.begin(), text.end(), '{'), std::count(text.begin(), text.end(), '}'));
  EXPECT_EQ(std::count(text.begin(), text.end(), '"') % 2, 0);
}

TEST(Dot, EscapesNames) {
  GraphSpec graph;
  graph.vertices.push_back({.name = "a \"quoted\" \\ name", .kind = VertexKind::gpu});
  std::ostringstream out;
  write_dot(out, outline(build_graph(graph, {}), 1000));
  EXPECT_THAT(out.str(), HasSubstr(R"(label="a \"quoted\" \\ name")"));
}

}  // namespace
}  // namespace makespan
