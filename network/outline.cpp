#include "network/outline.h"

#include <algorithm>
#include <iomanip>
#include <map>
#include <ostream>
#include <sstream>
#include <tuple>

namespace makespan {

namespace {

constexpr std::size_t kNobody = ~std::size_t{0};

bool is_switch(const Vertex& vertex) {
  return vertex.kind == VertexKind::fabric_switch;
}

int layer_of(const Vertex& vertex) {
  switch (vertex.kind) {
    case VertexKind::gpu:
      return 0;
    case VertexKind::nvswitch:
    case VertexKind::pcie_switch:
      return 1;
    case VertexKind::host:
      return 2;
    case VertexKind::nic:
      return 3;
    case VertexKind::fabric_switch:
      break;
  }
  return 3 + vertex.tier;
}

/// Gives equal numbers to equal keys, in the order of their first appearance.
template <class Key>
class Numbering {
 public:
  std::size_t operator()(const Key& key) { return numbers_.try_emplace(key, numbers_.size()).first->second; }

 private:
  std::map<Key, std::size_t> numbers_;
};

/// By node: which nodes are on the same switches. Nodes without NICs by themselves.
std::vector<std::size_t> rack_numbers(const Topology& topology) {
  std::vector<std::vector<std::size_t>> switches(topology.node_count());
  for (const Nic& nic : topology.nics()) {
    switches[nic.node].insert(switches[nic.node].end(), nic.switches.begin(), nic.switches.end());
  }
  Numbering<std::vector<std::size_t>> number;
  std::vector<std::size_t> result;
  for (std::size_t node = 0; node < switches.size(); ++node) {
    if (switches[node].empty()) {
      switches[node] = {kNobody, node};
    }
    result.push_back(number(switches[node]));
  }
  return result;
}

/// By vertex of the topology: the vertex of the outline, in the order of the first that each stands for.
std::vector<std::size_t> places(const Topology& topology, Outline::Detail detail) {
  using enum Outline::Detail;
  const std::vector<std::size_t> rack = rack_numbers(topology);
  // What it is: inside a node or a switch, then what tells it from the others of its sort.
  Numbering<std::tuple<bool, std::size_t, std::size_t>> number;
  std::vector<std::size_t> result;
  for (std::size_t v = 0; v < boost::num_vertices(topology.graph()); ++v) {
    const Vertex& vertex = topology.vertex(v);
    if (is_switch(vertex)) {
      result.push_back(detail < units    ? number({true, v, kNobody})
                       : detail == units ? number({true, vertex.tier, vertex.group})
                                         : number({true, vertex.tier, 0}));
    } else {
      const std::size_t node = vertex.group;
      result.push_back(detail == everything                       ? number({false, v, kNobody})
                       : detail == nodes || (node >= rack.size()) ? number({false, node, 0})
                       : detail == tiers                          ? number({false, 0, 0})
                                                                  : number({false, rack[node], 0}));
    }
  }
  return result;
}

std::string name_of(const Topology& topology, std::size_t vertex, bool whole_node) {
  return whole_node ? "n" + std::to_string(topology.vertex(vertex).group) : topology.vertex_name(vertex);
}

Outline::Vertex describe(const Topology& topology, const std::vector<std::size_t>& members,
                         Outline::Detail detail) {
  const Vertex& first = topology.vertex(members.front());
  const bool whole_node = !is_switch(first) && detail != Outline::Detail::everything;
  Outline::Vertex described;
  described.name = name_of(topology, members.front(), whole_node);
  const std::string last = name_of(topology, members.back(), whole_node);
  if (last != described.name) {
    described.name += ".." + last;
  }
  described.kind = whole_node         ? "node"
                   : is_switch(first) ? tier_name(first.tier)
                                      : std::string(to_string(first.kind));
  described.layer = whole_node ? 0 : layer_of(first);
  if (is_switch(first)) {
    described.group = detail == Outline::Detail::tiers
                          ? std::string()
                          : (first.tier == 1 ? "unit " : "pod ") + std::to_string(first.group);
    described.count = 0;
    for (const std::size_t v : members) {
      described.count += topology.vertex(v).count;
    }
  } else if (whole_node) {
    Numbering<std::uint32_t> nodes;
    for (const std::size_t v : members) {
      described.count = std::max<std::uint64_t>(described.count, nodes(topology.vertex(v).group) + 1);
    }
  } else {
    described.group = "node " + std::to_string(first.group);
  }
  return described;
}

Outline outline_with(const Topology& topology, Outline::Detail detail,
                     const std::vector<std::size_t>& place) {
  Outline result{.detail = detail, .vertices = {}, .edges = {}};
  std::vector<std::vector<std::size_t>> members;
  for (std::size_t v = 0; v < place.size(); ++v) {
    members.resize(std::max(members.size(), place[v] + 1));
    members[place[v]].push_back(v);
  }
  for (const std::vector<std::size_t>& all : members) {
    result.vertices.push_back(describe(topology, all, detail));
  }
  std::map<std::tuple<std::size_t, std::size_t, LinkKind>, std::size_t> edges;
  for (std::size_t l = 0; l < topology.links().size(); l += 2) {
    const std::size_t from = place[topology.links()[l].from];
    const std::size_t to = place[topology.links()[l].to];
    const Link& link = topology.links()[l];
    if (from == to) {
      continue;
    }
    const auto [edge, is_new] =
        edges.try_emplace({std::min(from, to), std::max(from, to), link.kind}, result.edges.size());
    if (is_new) {
      result.edges.push_back({.a = std::min(from, to), .b = std::max(from, to), .kind = link.kind});
    }
    result.edges[edge->second].cables += link.cables;
    const Link& forth = from < to ? link : topology.links()[l + 1];
    result.edges[edge->second].bandwidth += bytes_per_second(forth.capacity);
  }
  return result;
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
    }
    result += c;
  }
  return result + '"';
}

void write_vertex(std::ostream& out, const Outline::Vertex& vertex, std::size_t number) {
  const char* shape = vertex.layer > 3                                ? "box"
                      : vertex.kind == "gpu" || vertex.kind == "node" ? "box3d"
                                                                      : "ellipse";
  std::string label = quoted(vertex.name);
  if (vertex.count > 1) {
    label.insert(label.size() - 1, "\\n" + std::to_string(vertex.count) + " x " + vertex.kind);
  }
  out << "    v" << number << " [label=" << label << ", shape=" << shape << "];\n";
}

}  // namespace

Outline outline(const Topology& topology, std::size_t most) {
  using enum Outline::Detail;
  for (const Outline::Detail detail : {everything, nodes, racks, units, tiers}) {
    const std::vector<std::size_t> place = places(topology, detail);
    if (detail == tiers || *std::max_element(place.begin(), place.end()) < most) {
      return outline_with(topology, detail, place);
    }
  }
  return {};
}

void write_dot(std::ostream& out, const Outline& outline) {
  out << "graph cluster {\n  rankdir=BT;\n  node [fontname=\"sans-serif\"];\n  edge "
         "[fontname=\"sans-serif\"];\n";
  std::map<std::string, std::vector<std::size_t>> groups;
  std::map<int, std::vector<std::size_t>> tiers;
  for (std::size_t v = 0; v < outline.vertices.size(); ++v) {
    groups[outline.vertices[v].group].push_back(v);
    if (outline.vertices[v].layer > 3) {
      tiers[outline.vertices[v].layer].push_back(v);
    }
  }
  std::size_t number = 0;
  for (const auto& [group, members] : groups) {
    if (!group.empty()) {
      out << "  subgraph cluster_" << number++ << " {\n    label=" << quoted(group) << ";\n";
    }
    for (const std::size_t v : members) {
      write_vertex(out, outline.vertices[v], v);
    }
    if (!group.empty()) {
      out << "  }\n";
    }
  }
  for (const Outline::Edge& edge : outline.edges) {
    const auto cables = std::max<std::uint64_t>(edge.cables, 1);
    std::ostringstream label;
    label << (cables > 1 ? std::to_string(cables) + " x " : "") << std::setprecision(4)
          << edge.bandwidth / 1e9 / static_cast<double>(cables) << " GB/s";
    out << "  v" << edge.a << " -- v" << edge.b << " [label=" << quoted(label.str())
        << ", tooltip=" << quoted(std::string(to_string(edge.kind))) << "];\n";
  }
  out << "}\n";
}

}  // namespace makespan
