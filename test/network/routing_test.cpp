#include "network/routing.h"

#include <algorithm>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <gtest/gtest.h>
#include <map>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/random.h"
#include "network/fabrics.h"
#include "test/network/cluster_fixture.h"

namespace makespan {
namespace {

using test::host;

/// A connected fabric of random switches, some of whose links have no capacity, with one or two NICs per node
/// of two GPUs, some with two ports. Switch, link and node names do not depend on `order`, which shuffles
/// everything else.
GraphSpec random_cluster(std::uint64_t seed, std::uint64_t order = 0) {
  Random random(seed);
  GraphSpec graph;
  const auto add = [&](std::string name, VertexKind kind, std::string node = {}) {
    graph.vertices.push_back({.name = std::move(name), .kind = kind, .node = std::move(node)});
    return graph.vertices.size() - 1;
  };
  const auto bandwidth = [&] { return 1e9 * static_cast<double>(random.between(1, 8)); };
  const auto switches = static_cast<std::size_t>(random.between(3, 12));
  for (std::size_t s = 0; s < switches; ++s) {
    add("s" + std::to_string(s), VertexKind::fabric_switch);
    if (s > 0) {
      graph.links.push_back(
          {.a = s, .b = random.below(s), .kind = LinkKind::leaf_spine, .bandwidth = bandwidth()});
    }
  }
  for (std::size_t l = 0; l < 2 * switches; ++l) {
    const std::size_t a = random.below(switches);
    const std::size_t b = random.below(switches);
    if (a != b) {
      const double rate = random.below(5) == 0 ? 0 : bandwidth();
      graph.links.push_back(
          {.a = a, .b = b, .kind = LinkKind::leaf_spine, .bandwidth = rate, .latency_s = 1e-6});
    }
  }
  const auto nodes = static_cast<std::size_t>(random.between(2, 6));
  for (std::size_t n = 0; n < nodes; ++n) {
    const std::string node = "n" + std::to_string(n);
    const std::size_t nvswitch = add(node + ".nvswitch", VertexKind::nvswitch, node);
    const std::size_t first = random.below(switches);
    for (std::size_t g = 0; g < 2; ++g) {
      const std::size_t gpu = add(node + ".gpu" + std::to_string(g), VertexKind::gpu, node);
      const std::size_t nic = add(node + ".nic" + std::to_string(g), VertexKind::nic, node);
      graph.links.push_back({.a = gpu, .b = nvswitch, .kind = LinkKind::nvlink, .bandwidth = 100e9});
      graph.links.push_back({.a = gpu, .b = nic, .kind = LinkKind::pcie, .bandwidth = 50e9});
      for (std::size_t port = 0; port < 1 + random.below(2); ++port) {
        graph.links.push_back(
            {.a = (first + g + port) % switches, .b = nic, .kind = LinkKind::nic, .bandwidth = 5e9});
      }
    }
  }
  if (order > 0) {
    // New places for the switches and the links between them; nodes keep their order.
    Random shuffling(seed, order);
    std::vector<std::size_t> place(graph.vertices.size());
    std::iota(place.begin(), place.end(), 0);
    shuffling.shuffle(std::span(place).subspan(0, switches));
    GraphSpec shuffled = graph;
    for (std::size_t v = 0; v < place.size(); ++v) {
      shuffled.vertices[place[v]] = graph.vertices[v];
    }
    for (GraphLink& link : shuffled.links) {
      link.a = place[link.a];
      link.b = place[link.b];
    }
    const auto nics =
        std::stable_partition(shuffled.links.begin(), shuffled.links.end(),
                              [](const GraphLink& l) { return l.kind == LinkKind::leaf_spine; });
    shuffling.shuffle(
        std::span(shuffled.links.data(), static_cast<std::size_t>(nics - shuffled.links.begin())));
    return shuffled;
  }
  return graph;
}

constexpr RoutingMode kModes[] = {RoutingMode::ideal, RoutingMode::hashed, RoutingMode::fixed,
                                  RoutingMode::adaptive, RoutingMode::ordered};

class RandomGraphs : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomGraphs, WhatEntersAVertexLeavesItOverLinksThatCarry) {
  for (const RoutingMode mode : kModes) {
    const Topology topology =
        build_graph(random_cluster(GetParam()), {.mode = mode, .subflows = 5, .seed = 3});
    Router router(topology);
    for (std::size_t from = 0; from < topology.gpu_count(); ++from) {
      for (std::size_t to = 0; to < topology.gpu_count(); ++to) {
        SCOPED_TRACE(std::to_string(from) + " to " + std::to_string(to));
        std::vector<std::int64_t> excess(num_vertices(topology.graph()), 0);
        std::set<ResourceId> seen;
        for (const Use& use : router.path(from, to).uses) {
          EXPECT_TRUE(seen.insert(use.resource).second) << "a link twice";
          EXPECT_GT(topology.link(use.resource).capacity, Rate(0));
          EXPECT_GT(use.weight, 0U);
          excess[topology.link(use.resource).from] -= use.weight;
          excess[topology.link(use.resource).to] += use.weight;
        }
        std::vector<std::int64_t> expected(excess.size(), 0);
        expected[topology.gpus()[from].vertex] -= Use::kUnitWeight;
        expected[topology.gpus()[to].vertex] += Use::kUnitWeight;
        ASSERT_EQ(excess, expected);
      }
    }
  }
}

TEST_P(RandomGraphs, WaysBetweenSwitchesAreTheShortestByBreadthFirstSearch) {
  for (const RoutingMode mode : kModes) {
    const Topology topology =
        build_graph(random_cluster(GetParam()), {.mode = mode, .subflows = 3, .seed = 7});
    const auto carries = [&](const auto& edge) {
      const Link& link = topology.links()[topology.graph()[edge].link];
      return link.capacity > Rate(0) && topology.vertex(link.from).kind == VertexKind::fabric_switch &&
             topology.vertex(link.to).kind == VertexKind::fabric_switch;
    };
    const boost::filtered_graph graph(topology.graph(),
                                      std::function<bool(Topology::Graph::edge_descriptor)>(carries));
    FabricRouter router(topology);
    for (std::size_t from = 0; from < num_vertices(graph); ++from) {
      std::vector<std::size_t> distance(num_vertices(graph), 0);
      boost::breadth_first_search(graph, from,
                                  boost::visitor(boost::make_bfs_visitor(
                                      boost::record_distances(distance.data(), boost::on_tree_edge{}))));
      for (std::size_t to = 0; to < num_vertices(graph); ++to) {
        if (from == to || distance[to] == 0) {
          continue;
        }
        ASSERT_TRUE(router.joined(from, to));
        std::uint64_t crossed = 0;
        for (const Use& use :
             router.path({.from = from, .to = to, .weight = 1000, .lane = 1, .key = from}).uses) {
          crossed += use.weight;
        }
        ASSERT_EQ(crossed, 1000 * distance[to]);
      }
    }
  }
}

/// Load of each link by its ends' names and capacity.
std::map<std::string, std::int64_t> loads(const Topology& topology, const Path& path) {
  std::map<std::string, std::int64_t> result;
  for (const Use& use : path.uses) {
    const Link& link = topology.link(use.resource);
    result[topology.vertex_name(link.from) + ">" + topology.vertex_name(link.to)] += use.weight;
  }
  return result;
}

TEST_P(RandomGraphs, OrderInTheDescriptionChangesNothingForIdealRoutingButRounding) {
  const Topology first = build_graph(random_cluster(GetParam()), {});
  Router router(first);
  for (const std::uint64_t order : {1, 2}) {
    const Topology second = build_graph(random_cluster(GetParam(), order), {});
    Router other(second);
    for (std::size_t from = 0; from < first.gpu_count(); ++from) {
      for (std::size_t to = 0; to < first.gpu_count(); ++to) {
        std::map<std::string, std::int64_t> difference = loads(first, router.path(from, to));
        for (const auto& [link, load] : loads(second, other.path(from, to))) {
          difference[link] -= load;
        }
        for (const auto& [link, load] : difference) {
          // At most 1/1024 per division and port, on ways of up to 5 links.
          ASSERT_LE(std::abs(load), 10) << link;
        }
        EXPECT_EQ(router.path(from, to).latency, other.path(from, to).latency);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, testing::Range<std::uint64_t>(1, 41));

TEST(Routing, LeavesOutPortsThatAPathHasNoPartsFor) {
  constexpr std::size_t kPorts = 1100;  // shares are in 1/1024
  GraphSpec graph;
  const auto add = [&](std::string name, VertexKind kind, std::string node = {}) {
    graph.vertices.push_back({.name = std::move(name), .kind = kind, .node = std::move(node)});
    return graph.vertices.size() - 1;
  };
  const auto join = [&](std::size_t a, std::size_t b, LinkKind kind) {
    graph.links.push_back({.a = a, .b = b, .kind = kind, .bandwidth = 1e9});
  };
  const std::size_t spine = add("spine", VertexKind::fabric_switch);
  for (const auto& [node, leaves] : {std::pair("a", kPorts), std::pair("b", std::size_t{1})}) {
    const std::size_t gpu = add(std::string("gpu ") + node, VertexKind::gpu, node);
    const std::size_t nic = add(std::string("nic ") + node, VertexKind::nic, node);
    join(gpu, nic, LinkKind::pcie);
    for (std::size_t l = 0; l < leaves; ++l) {
      const std::size_t leaf = add("leaf " + std::to_string(l) + node, VertexKind::fabric_switch);
      join(nic, leaf, LinkKind::nic);
      join(leaf, spine, LinkKind::leaf_spine);
    }
  }
  const Topology topology = build_graph(graph, {});
  const Path path = Router(topology).path(0, 1);
  std::uint32_t sent = 0;
  for (const Use& use : path.uses) {
    EXPECT_GT(use.weight, 0U);
    const Link& link = topology.link(use.resource);
    const bool leaves = link.kind == LinkKind::nic && topology.vertex(link.from).kind == VertexKind::nic;
    sent += leaves ? use.weight : 0;
  }
  EXPECT_EQ(sent, Use::kUnitWeight) << "all of it, by the NIC's other ports";
}

/// Load of each link that anything crosses, when GPU i sends to target[i].
std::vector<std::uint64_t> link_loads(const Topology& topology, const std::vector<std::size_t>& target) {
  Router router(topology);
  std::vector<std::uint64_t> load(topology.links().size(), 0);
  for (std::size_t from = 0; from < target.size(); ++from) {
    for (const Use& use : router.path(from, target[from]).uses) {
      load[use.resource.index()] += use.weight;
    }
  }
  return load;
}

TEST(FixedRouting, OfAlignedRailTrafficHasNoCollisionsAtFullBisection) {
  struct Shape {
    int nodes;
    FabricSpec fabric;
  };

  const RoutingSpec fixed{.mode = RoutingMode::fixed};
  const Shape shapes[] = {
      {32, {.unit = 8, .routing = fixed}},                           // one cable to each of 8 spines
      {32, {.unit = 8, .radix = 64, .routing = fixed}},              // parallel cables to fewer
      {64, {.unit = 4, .radix = 16, .routing = fixed}},              // 2 tiers of 16 ports
      {64, {.unit = 8, .radix = 16, .tiers = 3, .routing = fixed}},  // 3 tiers, several pods
      {32, {.unit = 8, .radix = 16, .tiers = 3, .routing = fixed}},  // ... parallel cables to cores
      {64, {.unit = 4, .radix = 64, .tiers = 3, .pod = 8, .routing = fixed}},  // ... and to spines
  };
  NodeSpec node = find_node("dgx-h100");
  node.gpus = 4;
  node.nics = 4;
  for (const Shape& shape : shapes) {
    const Topology topology = build_cluster(node, shape.nodes, shape.fabric);
    const std::size_t gpus = topology.gpu_count();
    const auto per_unit = static_cast<std::size_t>(shape.fabric.unit) * 4;
    // Every GPU to the same place some units on.
    for (std::size_t shift = per_unit; shift < gpus; shift += per_unit) {
      std::vector<std::size_t> target(gpus);
      for (std::size_t g = 0; g < gpus; ++g) {
        target[g] = (g + shift) % gpus;
      }
      const std::vector<std::uint64_t> load = link_loads(topology, target);
      ASSERT_EQ(*std::max_element(load.begin(), load.end()), Use::kUnitWeight)
          << shape.nodes << " nodes, units of " << shape.fabric.unit << ", shifted by " << shift;
    }
  }
}

TEST(HashedRouting, DependsOnTheSeedAloneAndSpreadsSubFlows) {
  const auto paths = [](std::uint64_t seed, int subflows) {
    const Topology topology = build_cluster(
        host(8), 16,
        {.kind = "fat-tree", .routing = {.mode = RoutingMode::hashed, .subflows = subflows, .seed = seed}});
    Router router(topology);
    std::vector<std::vector<Use>> result;
    for (std::size_t n = 0; n < 8; ++n) {
      result.push_back(router.path(n, 8 + n).uses);
    }
    return result;
  };
  EXPECT_EQ(paths(1, 1), paths(1, 1));
  EXPECT_NE(paths(1, 1), paths(2, 1));
  for (const std::vector<Use>& path : paths(1, 1)) {
    EXPECT_EQ(path.size(), 6U);  // PCIe, NIC, up, down, NIC, PCIe
  }
  // 1024 sub-flows over 8 spines: everywhere about 128.
  for (const std::vector<Use>& path : paths(1, 1024)) {
    EXPECT_EQ(path.size(), 4U + 2 * 8);
    for (const Use& use : path) {
      EXPECT_TRUE(use.weight == Use::kUnitWeight || (use.weight > 80 && use.weight < 180)) << use.weight;
    }
  }
}

TEST(Routing, AvoidsPortsAndPlanesThatAreDown) {
  NodeSpec node = host(4);
  node.nic_ports = 2;
  Topology topology = build_cluster(node, 8, {.kind = "fat-tree"});
  const auto planes = [&](std::size_t from, std::size_t to) {
    std::map<std::uint32_t, std::uint32_t> weight;  // by plane: one leaf of each per unit
    for (const Use& use : Router(topology).path(from, to).uses) {
      const Link& link = topology.link(use.resource);
      if (link.kind == LinkKind::nic && topology.vertex(link.from).kind == VertexKind::nic) {
        weight[topology.vertex(link.to).local] += use.weight;
      }
    }
    return weight;
  };
  using Weights = std::map<std::uint32_t, std::uint32_t>;
  EXPECT_EQ(planes(0, 5), (Weights{{0, 512}, {1, 512}}));
  // A port of the sender.
  topology.set_capacity(topology.nics()[0].ports[0].out, Rate(0));
  EXPECT_EQ(planes(0, 5), (Weights{{1, 1024}}));
  EXPECT_EQ(planes(1, 5), (Weights{{0, 512}, {1, 512}}));
  // The other port of the receiver.
  topology.set_capacity(topology.nics()[5].ports[1].in, Rate(0));
  EXPECT_EQ(planes(1, 5), (Weights{{0, 1024}}));
  EXPECT_THROW((void)planes(0, 5), InfeasibleError);
  // All that leads up from the first leaf of the first plane, one way.
  for (std::size_t l = 0; l < topology.links().size(); ++l) {
    if (topology.links()[l].from == topology.nics()[0].switches[0] &&
        topology.links()[l].kind == LinkKind::leaf_spine) {
      topology.set_capacity(ResourceId(l), Rate(0));
    }
  }
  EXPECT_EQ(planes(1, 6), (Weights{{1, 1024}}));
  EXPECT_EQ(planes(6, 1), (Weights{{0, 512}, {1, 512}}));
}

TEST(Routing, WithinANodeAvoidsLinksThatAreDown) {
  NodeSpec node = find_node("mi300x-8");
  Topology topology = build_cluster(node, 1);
  const std::vector<ResourceId> direct = route(topology, 0, 1);
  ASSERT_EQ(direct.size(), 1U);
  topology.set_capacity(direct[0], Rate(0));
  EXPECT_EQ(route(topology, 0, 1).size(), 2U);
  EXPECT_EQ(route(topology, 1, 0).size(), 1U);
}

TEST(Routing, OfATorusGoesRoundALinkThatIsDown) {
  Topology topology = build_cluster(find_node("tpu-v4"), 16, {.kind = "torus", .dimensions = {4, 4}});
  const std::vector<ResourceId> straight = route(topology, 0, 5);
  ASSERT_EQ(straight.size(), 2U);
  topology.set_capacity(straight[0], Rate(0));
  const std::vector<ResourceId> other = route(topology, 0, 5);
  EXPECT_EQ(other.size(), 2U);
  EXPECT_EQ(topology.link(other[0]).to, topology.gpus()[4].vertex);  // the second axis first
}

TEST(Routing, AddsUpTheLatencyOfTheSlowestBranch) {
  NodeSpec node = host(4);
  node.transport = "roce";
  const Topology topology =
      build_cluster(node, 8, {.kind = "fat-tree", .routing = {.mode = RoutingMode::hashed, .subflows = 4}});
  EXPECT_EQ(Router(topology).path(0, 7).latency, Time(2'000'000));
  EXPECT_EQ(Router(topology).path(0, 3).latency, Time(0));
}

}  // namespace
}  // namespace makespan
