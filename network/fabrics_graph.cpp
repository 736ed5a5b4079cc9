#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "core/error.h"
#include "network/fabrics_parts.h"
#include "network/import_text.h"

namespace makespan {

namespace {

using fabrics::refuse;

std::string_view kind_name(VertexKind kind) {
  constexpr std::array<std::string_view, 6> kNames = {"a GPU",    "an NVSwitch", "a PCIe switch",
                                                      "a socket", "a NIC",       "a fabric switch"};
  return kNames[static_cast<std::size_t>(kind)];
}

bool is_switch(const GraphVertex& vertex) {
  return vertex.kind == VertexKind::fabric_switch;
}

/// Whether routes cross links of this kind between these two.
bool may_join(LinkKind kind, VertexKind a, VertexKind b) {
  using enum VertexKind;
  const auto both_in = [&](std::initializer_list<VertexKind> kinds) {
    const auto has = [&](VertexKind k) { return std::find(kinds.begin(), kinds.end(), k) != kinds.end(); };
    return has(a) && has(b);
  };
  switch (kind) {
    case LinkKind::nvlink:
      return both_in({gpu, nvswitch});
    case LinkKind::pcie:
    case LinkKind::host:
      return both_in({gpu, pcie_switch, host, nic}) && (a != nic || b != nic);
    case LinkKind::nic:
      return a != b && both_in({nic, fabric_switch});
    case LinkKind::ici:
      return both_in({gpu});
    case LinkKind::leaf_spine:
    case LinkKind::spine_core:
    case LinkKind::local:
    case LinkKind::global:
      break;
  }
  return both_in({fabric_switch});
}

std::string shown(const GraphSpec& graph, std::size_t vertex) {
  const GraphVertex& v = graph.vertices[vertex];
  return v.name.empty() ? std::string(kind_name(v.kind)) : "'" + v.name + "'";
}

/// What routes within nodes would use one of and never the others.
void check_doubles(const GraphSpec& graph) {
  std::set<std::tuple<std::size_t, std::size_t, LinkKind>> joined;
  std::map<std::size_t, std::size_t> nvswitch_of;  // by GPU
  for (const GraphLink& link : graph.links) {
    const auto [a, b] = std::minmax(link.a, link.b);
    if (is_switch(graph.vertices[a]) || is_switch(graph.vertices[b])) {
      continue;
    }
    if (!joined.emplace(a, b, link.kind).second) {
      refuse("two links of kind " + std::string(to_string(link.kind)) + " join " + shown(graph, a) + " and " +
                 shown(graph, b),
             "one link with the bandwidth of both");
    }
    for (const auto& [gpu, other] : {std::pair(a, b), std::pair(b, a)}) {
      if (graph.vertices[gpu].kind == VertexKind::gpu && graph.vertices[other].kind == VertexKind::nvswitch &&
          !nvswitch_of.emplace(gpu, other).second) {
        refuse(shown(graph, gpu) + " is on two NVSwitches, " + shown(graph, nvswitch_of.at(gpu)) + " and " +
                   shown(graph, other),
               "one vertex for the NVSwitches of a node, with the bandwidth of all links to them");
      }
    }
  }
}

void check_links(const GraphSpec& graph) {
  for (const GraphLink& link : graph.links) {
    MAKESPAN_CHECK(link.a < graph.vertices.size() && link.b < graph.vertices.size(), "links join vertices");
    const GraphVertex& a = graph.vertices[link.a];
    const GraphVertex& b = graph.vertices[link.b];
    const std::string ends = shown(graph, link.a) + " and " + shown(graph, link.b);
    if (link.a == link.b) {
      refuse("a link from " + shown(graph, link.a) + " to itself", "two different ends");
    }
    if (!may_join(link.kind, a.kind, b.kind)) {
      refuse(
          "no route crosses a link of kind " + std::string(to_string(link.kind)) + " between " + ends + ": " +
              std::string(kind_name(a.kind)) + " and " + std::string(kind_name(b.kind)),
          "nvlink joins GPUs and NVSwitches; pcie and host join GPUs, PCIe switches, sockets and NICs; nic "
          "joins NICs and fabric switches; leaf-spine, spine-core, local and global join fabric switches; "
          "ici joins GPUs");
    }
    if (!is_switch(a) && !is_switch(b) && a.node != b.node) {
      refuse("a link of kind " + std::string(to_string(link.kind)) + " joins " + ends + " of nodes '" +
                 a.node + "' and '" + b.node + "'",
             "what shares NVLink, PCIe or ICI is one node");
    }
  }
}

/// Of each fabric switch: what it was given, or 1 where NICs are attached and one more with every link from
/// there.
std::vector<int> switch_tiers(const GraphSpec& graph) {
  std::vector<std::vector<std::size_t>> neighbours(graph.vertices.size());
  std::vector<int> tiers(graph.vertices.size(), 0);
  std::deque<std::size_t> queue;
  for (const GraphLink& link : graph.links) {
    for (const auto& [from, to] : {std::pair(link.a, link.b), std::pair(link.b, link.a)}) {
      if (is_switch(graph.vertices[from]) && is_switch(graph.vertices[to])) {
        neighbours[from].push_back(to);
      } else if (is_switch(graph.vertices[to]) && tiers[to] == 0) {
        tiers[to] = 1;
        queue.push_back(to);
      }
    }
  }
  for (; !queue.empty(); queue.pop_front()) {
    for (const std::size_t next : neighbours[queue.front()]) {
      if (tiers[next] == 0) {
        tiers[next] = tiers[queue.front()] + 1;
        queue.push_back(next);
      }
    }
  }
  for (std::size_t v = 0; v < graph.vertices.size(); ++v) {
    tiers[v] = std::clamp(graph.vertices[v].tier > 0 ? graph.vertices[v].tier : tiers[v], 1, 255);
  }
  return tiers;
}

/// Adds the fabric switches of a graph, and the links between them where every vertex is in `vertices`.
class SwitchAdder {
 public:
  SwitchAdder(Topology& topology, const GraphSpec& graph) : topology_(topology) {
    const std::vector<int> tiers = switch_tiers(graph);
    vertices.assign(graph.vertices.size(), 0);
    std::map<int, std::uint32_t> locals;
    for (std::size_t v = 0; v < graph.vertices.size(); ++v) {
      if (is_switch(graph.vertices[v])) {
        const Vertex added{VertexKind::fabric_switch, 0, locals[tiers[v]]++,
                           static_cast<std::uint8_t>(tiers[v])};
        vertices[v] = graph.vertices[v].name.empty() ? topology.add_vertex(added)
                                                     : topology.add_vertex(added, graph.vertices[v].name);
      }
    }
  }

  /// A link without a latency has `latency`.
  void join(const GraphLink& link, Time latency) {
    const RoutingMode mode = topology_.routing().mode;
    const std::uint32_t links = fabrics::separates_cables(mode) ? std::max(link.cables, 1U) : 1;
    for (std::uint32_t i = 0; i < links; ++i) {
      topology_.connect(
          vertices[link.a], vertices[link.b], link.kind, fabrics::fabric_rate(link.bandwidth / links, mode),
          link.latency_s > 0 ? time_from_seconds(link.latency_s) : latency, links > 1 ? 1 : link.cables);
    }
  }

  std::vector<std::size_t> vertices;  ///< of the topology, by vertex of the graph

 private:
  Topology& topology_;
};

/// Whether every switch that has NICs has those of one number alone, and there are several numbers: then it
/// is the number that decides where a NIC leads.
bool has_rails(const Topology& topology) {
  std::map<std::size_t, std::uint32_t> rail_of_switch;
  std::set<std::uint32_t> rails;
  for (const Nic& nic : topology.nics()) {
    rails.insert(nic.local);
    for (const std::size_t at : nic.switches) {
      if (rail_of_switch.try_emplace(at, nic.local).first->second != nic.local) {
        return false;
      }
    }
  }
  return rails.size() > 1;
}

/// Numbers the nodes: those with GPUs by their first GPU, then the others.
std::map<std::string, std::uint32_t> number_nodes(const GraphSpec& graph) {
  std::map<std::string, std::uint32_t> numbers;
  for (const bool with_gpus : {true, false}) {
    for (const GraphVertex& vertex : graph.vertices) {
      if (!is_switch(vertex) && (vertex.kind == VertexKind::gpu) == with_gpus) {
        numbers.try_emplace(vertex.node, static_cast<std::uint32_t>(numbers.size()));
      }
    }
  }
  return numbers;
}

struct NaturalOrder {
  bool operator()(const std::string& a, const std::string& b) const { return natural_less(a, b); }
};

/// Vertices of a graph that are NICs, by name.
std::vector<std::size_t> nics_by_name(const GraphSpec& graph, std::vector<std::size_t> nics) {
  std::stable_sort(nics.begin(), nics.end(), [&](std::size_t a, std::size_t b) {
    return natural_less(graph.vertices[a].name, graph.vertices[b].name);
  });
  return nics;
}

using Hosts = std::map<std::string, std::vector<std::size_t>, NaturalOrder>;

/// NICs of the fabric by host, of the hosts that have as many as a node; the others are told in `warnings`.
Hosts complete_hosts(const NodeSpec& spec, const GraphSpec& fabric, std::size_t nics,
                     std::vector<std::string>& warnings) {
  Hosts hosts;
  for (std::size_t v = 0; v < fabric.vertices.size(); ++v) {
    if (fabric.vertices[v].kind == VertexKind::nic) {
      hosts[fabric.vertices[v].node].push_back(v);
    }
  }
  std::map<std::size_t, std::vector<std::string>> odd;  // by number of NICs
  for (const auto& [host, found] : hosts) {
    if (found.size() != nics) {
      odd[found.size()].push_back(host);
    }
  }
  std::string counts;
  for (const auto& [count, names] : odd) {
    const std::string sentence =
        (names.size() == 1 ? "a host has " : std::to_string(names.size()) + " hosts have ") +
        counted(count, "NIC") + " in the fabric, not the " + std::to_string(nics) + " of " + spec.name +
        ": " + listed(names, 3);
    warnings.push_back("left out: " + sentence);
    counts += (counts.empty() ? "" : "; ") + sentence;
    for (const std::string& host : names) {
      hosts.erase(host);
    }
  }
  if (hosts.empty()) {
    refuse("no host of the fabric has the " + std::to_string(nics) + " NICs of " + spec.name,
           counts.empty() ? "a fabric with NICs" : counts);
  }
  return hosts;
}

/// Builds a topology from the graph of a whole cluster.
class ClusterBuilder {
 public:
  ClusterBuilder(const GraphSpec& cluster, const RoutingSpec& routing)
      : cluster_(cluster), node_numbers_(number_nodes(cluster)) {
    topology_.set_routing(routing);
  }

  Topology build() {
    SwitchAdder switches(topology_, cluster_);
    add_node_vertices(switches.vertices);
    if (topology_.gpu_count() == 0) {
      refuse("a cluster without GPUs", "at least one vertex of kind gpu");
    }
    for (const GraphLink& link : cluster_.links) {
      if (is_switch(cluster_.vertices[link.a]) && is_switch(cluster_.vertices[link.b])) {
        switches.join(link, Time(0));
      } else {
        join(link, switches.vertices);
      }
    }
    const std::size_t nodes_with_gpus = topology_.node_count();
    for (auto& [vertex, nic] : nics_) {
      if (!nic.ports.empty() && nic.node < nodes_with_gpus) {
        topology_.add(std::move(nic));
      }
    }
    topology_.set_rails(has_rails(topology_));
    topology_.finish();
    return std::move(topology_);
  }

 private:
  /// Node by node, as the topology wants its GPUs and NICs.
  void add_node_vertices(std::vector<std::size_t>& vertices) {
    std::vector<std::pair<std::uint32_t, std::size_t>> order;  // node, vertex
    for (std::size_t v = 0; v < cluster_.vertices.size(); ++v) {
      if (!is_switch(cluster_.vertices[v])) {
        order.emplace_back(node_numbers_.at(cluster_.vertices[v].node), v);
      }
    }
    std::sort(order.begin(), order.end());
    std::map<std::pair<std::uint32_t, VertexKind>, std::uint32_t> locals;
    for (const auto& [node, v] : order) {
      const GraphVertex& vertex = cluster_.vertices[v];
      const std::uint32_t local = locals[{node, vertex.kind}]++;
      const Vertex added{vertex.kind, node, local};
      vertices[v] =
          vertex.name.empty() ? topology_.add_vertex(added) : topology_.add_vertex(added, vertex.name);
      if (vertex.kind == VertexKind::gpu) {
        topology_.add(Gpu{.vertex = vertices[v], .node = node, .local = local});
      } else if (vertex.kind == VertexKind::nic) {
        nics_.emplace(vertices[v], Nic{.vertex = vertices[v], .node = node, .local = local, .ports = {}});
      }
    }
  }

  /// What is not between two switches.
  void join(const GraphLink& link, const std::vector<std::size_t>& vertices) {
    const bool b_is_nic = cluster_.vertices[link.b].kind == VertexKind::nic;
    const bool is_turned = link.kind == LinkKind::nic && b_is_nic;
    const std::size_t from = vertices[is_turned ? link.b : link.a];
    const std::size_t to = vertices[is_turned ? link.a : link.b];
    const Port port = topology_.connect(from, to, link.kind, rate_from_bytes_per_second(link.bandwidth),
                                        time_from_seconds(link.latency_s), link.cables);
    if (link.kind == LinkKind::nic) {
      nics_.at(from).ports.push_back(port);
      nics_.at(from).switches.push_back(to);
    }
  }

  const GraphSpec& cluster_;
  std::map<std::string, std::uint32_t> node_numbers_;
  Topology topology_;
  std::map<std::size_t, Nic> nics_;  ///< by vertex of the topology: node by node
};

}  // namespace

Topology build_graph(const GraphSpec& cluster, const RoutingSpec& routing) {
  check_links(cluster);
  check_doubles(cluster);
  return ClusterBuilder(cluster, routing).build();
}

Topology build_on_fabric(const NodeSpec& spec, const GraphSpec& node, const GraphSpec& fabric,
                         const RoutingSpec& routing, std::vector<std::string>& warnings) {
  check_links(fabric);
  for (std::size_t v = 0; v < fabric.vertices.size(); ++v) {
    if (!is_switch(fabric.vertices[v]) && fabric.vertices[v].kind != VertexKind::nic) {
      refuse(
          shown(fabric, v) + " in the graph of a fabric: " + std::string(kind_name(fabric.vertices[v].kind)),
          "fabric switches and NICs");
    }
  }
  std::vector<std::size_t> node_nics;
  for (std::size_t v = 0; v < node.vertices.size(); ++v) {
    if (node.vertices[v].kind == VertexKind::nic) {
      node_nics.push_back(v);
    }
  }
  // Which NIC of a node, in the order of its graph, is the k-th by name.
  const std::vector<std::size_t> by_name = nics_by_name(node, node_nics);
  const Hosts hosts = complete_hosts(spec, fabric, node_nics.size(), warnings);
  Topology topology;
  topology.set_routing(routing);
  SwitchAdder switches(topology, fabric);
  std::map<std::size_t, std::vector<const GraphLink*>> links_of_nic;
  for (const GraphLink& link : fabric.links) {
    if (link.kind == LinkKind::nic) {
      links_of_nic[fabric.vertices[link.a].kind == VertexKind::nic ? link.a : link.b].push_back(&link);
    } else {
      switches.join(link, fabrics::switch_latency(spec.transport));
    }
  }
  std::uint32_t number = 0;
  for (const auto& [host, found] : hosts) {
    const std::vector<std::size_t> nics = nics_by_name(fabric, found);
    std::vector<fabrics::Attachment> attachments;
    for (std::size_t k = 0; k < nics.size(); ++k) {
      const auto& links = links_of_nic[nics[k]];
      const auto local = std::find(node_nics.begin(), node_nics.end(), by_name[k]) - node_nics.begin();
      for (const GraphLink* link : links) {
        const double share = node.vertices[by_name[k]].bandwidth / static_cast<double>(links.size());
        attachments.push_back({static_cast<std::uint32_t>(local),
                               switches.vertices[link->a == nics[k] ? link->b : link->a],
                               rate_from_bytes_per_second(std::min(share, link->bandwidth)),
                               time_from_seconds(link->latency_s)});
      }
    }
    std::stable_sort(
        attachments.begin(), attachments.end(),
        [](const fabrics::Attachment& a, const fabrics::Attachment& b) { return a.nic < b.nic; });
    fabrics::add_node(topology, node, number++, attachments);
  }
  topology.set_rails(has_rails(topology));
  topology.finish();
  return topology;
}

}  // namespace makespan
