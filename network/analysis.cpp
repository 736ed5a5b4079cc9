#include "network/analysis.h"

#include <algorithm>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>
#include <limits>
#include <span>

namespace makespan {

namespace {

using FlowTraits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
using FlowGraph = boost::adjacency_list<
    boost::vecS, boost::vecS, boost::directedS,
    boost::property<boost::vertex_predecessor_t, FlowTraits::edge_descriptor,
                    boost::property<boost::vertex_color_t, boost::default_color_type,
                                    boost::property<boost::vertex_distance_t, long>>>,
    boost::property<boost::edge_capacity_t, std::int64_t,
                    boost::property<boost::edge_residual_capacity_t, std::int64_t,
                                    boost::property<boost::edge_reverse_t, FlowTraits::edge_descriptor>>>>;

std::int64_t whole_bytes(Rate rate) {
  return rate.count() / 1000;
}

/// Joins two vertices with a capacity each way.
void join(FlowGraph& graph, std::size_t a, std::size_t b, std::int64_t there, std::int64_t back) {
  const auto out = boost::add_edge(a, b, graph).first;
  const auto in = boost::add_edge(b, a, graph).first;
  boost::put(boost::edge_capacity, graph, out, there);
  boost::put(boost::edge_capacity, graph, in, back);
  boost::put(boost::edge_reverse, graph, out, in);
  boost::put(boost::edge_reverse, graph, in, out);
}

/// Links with capacity, as neighbours of each vertex.
struct Adjacency {
  std::vector<std::size_t> first;  ///< of each vertex in `to`
  std::vector<std::size_t> to;

  [[nodiscard]] std::span<const std::size_t> of(std::size_t vertex) const {
    return std::span(to).subspan(first[vertex], first[vertex + 1] - first[vertex]);
  }
};

template <class Keep>
Adjacency adjacency(const Topology& topology, Keep keep) {
  Adjacency result;
  result.first.push_back(0);
  for (std::size_t v = 0; v < boost::num_vertices(topology.graph()); ++v) {
    for (auto [edge, end] = boost::out_edges(v, topology.graph()); edge != end; ++edge) {
      const Link& link = topology.links()[topology.graph()[*edge].link];
      if (link.capacity > Rate(0) && keep(link)) {
        result.to.push_back(link.to);
      }
    }
    std::sort(result.to.begin() + static_cast<std::ptrdiff_t>(result.first.back()), result.to.end());
    result.to.erase(
        std::unique(result.to.begin() + static_cast<std::ptrdiff_t>(result.first.back()), result.to.end()),
        result.to.end());
    result.first.push_back(result.to.size());
  }
  return result;
}

struct Reach {
  int farthest = 0;
  bool all = true;  ///< every target from every source
};

/// The longest of the shortest ways from a source to a target, breadth first from 64 sources at once: bit i
/// of a vertex is set when source i has reached it.
Reach farthest(const Adjacency& graph, std::span<const std::size_t> sources,
               std::span<const std::size_t> targets) {
  constexpr std::size_t kAtOnce = 64;
  const std::size_t vertices = graph.first.size() - 1;
  Reach result;
  for (std::size_t first = 0; first < sources.size(); first += kAtOnce) {
    const auto some = sources.subspan(first, std::min(kAtOnce, sources.size() - first));
    std::vector<std::uint64_t> reached(vertices, 0);
    std::vector<std::uint64_t> fresh(vertices, 0);
    std::vector<std::size_t> frontier(some.begin(), some.end());
    for (std::size_t i = 0; i < some.size(); ++i) {
      reached[some[i]] |= std::uint64_t{1} << i;
      fresh[some[i]] |= std::uint64_t{1} << i;
    }
    for (int steps = 1; !frontier.empty(); ++steps) {
      std::vector<std::uint64_t> next(vertices, 0);
      for (const std::size_t at : frontier) {
        for (const std::size_t to : graph.of(at)) {
          next[to] |= fresh[at];
        }
      }
      frontier.clear();
      for (std::size_t v = 0; v < vertices; ++v) {
        fresh[v] = next[v] & ~reached[v];
        reached[v] |= fresh[v];
        if (fresh[v] != 0) {
          frontier.push_back(v);
        }
      }
      if (std::any_of(targets.begin(), targets.end(), [&](std::size_t t) { return fresh[t] != 0; })) {
        result.farthest = std::max(result.farthest, steps);
      }
    }
    const std::uint64_t everyone =
        some.size() == kAtOnce ? ~std::uint64_t{0} : (std::uint64_t{1} << some.size()) - 1;
    result.all = result.all && std::all_of(targets.begin(), targets.end(),
                                           [&](std::size_t t) { return reached[t] == everyone; });
  }
  return result;
}

/// The GPUs of one of every kind of node: nodes that look the same inside and are on the same switches have
/// equally far GPUs.
std::vector<std::size_t> representative_gpus(const Topology& topology) {
  const Topology::Graph& graph = topology.graph();
  constexpr std::uint64_t kOutside = std::uint64_t{1} << 40U;
  std::vector<std::vector<std::size_t>> insides(topology.node_count());
  std::vector<std::uint64_t> place(boost::num_vertices(graph), 0);
  for (std::size_t v = 0; v < place.size(); ++v) {
    const Vertex& vertex = graph[v];
    place[v] = kOutside + v;
    if (vertex.kind != VertexKind::fabric_switch && vertex.group < insides.size()) {
      place[v] = insides[vertex.group].size();
      insides[vertex.group].push_back(v);
    }
  }
  std::map<std::vector<std::uint64_t>, std::size_t> kinds;  // to the first node of each
  for (std::size_t node = 0; node < insides.size(); ++node) {
    std::vector<std::uint64_t> signature;
    for (const std::size_t v : insides[node]) {
      signature.push_back(static_cast<std::uint64_t>(graph[v].kind));
      for (auto [edge, end] = boost::out_edges(v, graph); edge != end; ++edge) {
        const ResourceId out(graph[*edge].link);
        const auto works = [&](ResourceId link) { return topology.link(link).capacity > Rate(0) ? 1U : 0U; };
        signature.push_back(4 * place[topology.link(out).to] + 2 * works(out) + works(topology.reverse(out)));
      }
      signature.push_back(~std::uint64_t{0});
    }
    kinds.try_emplace(std::move(signature), node);
  }
  std::vector<std::size_t> gpus;
  for (const auto& [signature, node] : kinds) {
    for (std::size_t g = topology.first_gpu(node); g < topology.first_gpu(node + 1); ++g) {
      gpus.push_back(topology.gpus()[g].vertex);
    }
  }
  return gpus;
}

}  // namespace

Inventory inventory(const Topology& topology) {
  Inventory counts;
  counts.nodes = topology.node_count();
  counts.gpus = topology.gpu_count();
  counts.nics = topology.nics().size();
  for (std::size_t v = 0; v < boost::num_vertices(topology.graph()); ++v) {
    const Vertex& vertex = topology.vertex(v);
    if (vertex.kind == VertexKind::fabric_switch) {
      counts.switches[vertex.tier] += vertex.count;
    }
  }
  for (std::size_t l = 0; l < topology.links().size(); l += 2) {
    counts.cables[topology.links()[l].kind] += topology.links()[l].cables;
  }
  return counts;
}

double bisection_bandwidth(const Topology& topology) {
  const std::size_t nodes = topology.node_count();
  const std::size_t middle = nodes > 1 ? topology.first_gpu(nodes / 2) : topology.gpu_count() / 2;
  if (middle == 0) {
    return 0;
  }
  const std::size_t source = boost::num_vertices(topology.graph());
  const std::size_t sink = source + 1;
  FlowGraph graph(sink + 1);
  for (std::size_t l = 0; l < topology.links().size(); l += 2) {
    const Link& link = topology.links()[l];
    join(graph, link.from, link.to, whole_bytes(link.capacity),
         whole_bytes(topology.links()[l + 1].capacity));
  }
  for (std::size_t g = 0; g < topology.gpu_count(); ++g) {
    const std::size_t vertex = topology.gpus()[g].vertex;
    std::int64_t most = 0;
    for (auto [edge, end] = boost::out_edges(vertex, topology.graph()); edge != end; ++edge) {
      const ResourceId out(topology.graph()[*edge].link);
      most += whole_bytes(topology.link(g < middle ? out : topology.reverse(out)).capacity);
    }
    if (g < middle) {
      join(graph, source, vertex, most, 0);
    } else {
      join(graph, vertex, sink, most, 0);
    }
  }
  return static_cast<double>(boost::boykov_kolmogorov_max_flow(graph, source, sink));
}

Diameter diameter(const Topology& topology) {
  std::vector<std::size_t> leaves;
  for (const Nic& nic : topology.nics()) {
    leaves.insert(leaves.end(), nic.switches.begin(), nic.switches.end());
  }
  std::sort(leaves.begin(), leaves.end());
  leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
  std::vector<std::size_t> gpus;
  for (const Gpu& gpu : topology.gpus()) {
    gpus.push_back(gpu.vertex);
  }
  const auto is_switch = [&](std::size_t v) { return topology.vertex(v).kind == VertexKind::fabric_switch; };
  const Adjacency fabric =
      adjacency(topology, [&](const Link& link) { return is_switch(link.from) && is_switch(link.to); });
  const Adjacency everything = adjacency(topology, [](const Link&) { return true; });
  const Reach across = farthest(everything, representative_gpus(topology), gpus);
  return {.switches = farthest(fabric, leaves, leaves).farthest,
          .gpus = across.farthest,
          .connected = across.all};
}

}  // namespace makespan
