#include "network/topology.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "core/error.h"

namespace makespan {

namespace {

/// Whether a path within a node to a NIC may lead over the link: not over another GPU.
bool leads_to_nic(const Topology& topology, const Link& link) {
  return (link.kind == LinkKind::pcie || link.kind == LinkKind::host) &&
         topology.vertex(link.to).kind != VertexKind::gpu;
}

/// Links from `gpu` to each vertex of its node that PCIe and the sockets lead to.
std::map<std::size_t, std::uint32_t> distances_from(const Topology& topology, const Gpu& gpu) {
  std::map<std::size_t, std::uint32_t> distances = {{gpu.vertex, 0}};
  std::deque<std::size_t> queue = {gpu.vertex};
  while (!queue.empty()) {
    const std::size_t at = queue.front();
    queue.pop_front();
    for (auto [edge, end] = boost::out_edges(at, topology.graph()); edge != end; ++edge) {
      const Link& link = topology.links()[topology.graph()[*edge].link];
      if (leads_to_nic(topology, link) && distances.try_emplace(link.to, distances[at] + 1).second) {
        queue.push_back(link.to);
      }
    }
  }
  return distances;
}

}  // namespace

std::string_view to_string(VertexKind kind) {
  constexpr std::array<std::string_view, 6> kNames = {"gpu",  "nvswitch", "pcie-switch",
                                                      "host", "nic",      "switch"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string tier_name(int tier) {
  constexpr std::array<std::string_view, 3> kNames = {"leaf", "spine", "core"};
  const bool has_name = tier >= 1 && tier <= static_cast<int>(kNames.size());
  return has_name ? std::string(kNames[static_cast<std::size_t>(tier - 1)]) : "tier " + std::to_string(tier);
}

std::string_view to_string(LinkKind kind) {
  constexpr std::array<std::string_view, 9> kNames = {"nvlink",     "pcie",  "host",   "nic", "leaf-spine",
                                                      "spine-core", "local", "global", "ici"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::size_t Topology::add_vertex(const Vertex& vertex) {
  return boost::add_vertex(vertex, graph_);
}

std::size_t Topology::add_vertex(const Vertex& vertex, std::string name) {
  const std::size_t added = add_vertex(vertex);
  names_.emplace(added, std::move(name));
  return added;
}

Port Topology::connect(std::size_t a, std::size_t b, LinkKind kind, Rate capacity, Time latency,
                       std::uint32_t cables) {
  const auto add_link = [&](std::size_t from, std::size_t to) {
    const ResourceId link(links_.size());
    boost::add_edge(from, to, Edge{static_cast<std::uint32_t>(link.index())}, graph_);
    links_.push_back({from, to, kind, capacity, latency, cables});
    return link;
  };
  const ResourceId out = add_link(a, b);
  return {out, add_link(b, a)};
}

void Topology::finish() {
  for (std::size_t g = 0; g < gpus_.size(); ++g) {
    while (first_gpu_.size() <= gpus_[g].node) {
      first_gpu_.push_back(g);
    }
  }
  first_gpu_.push_back(gpus_.size());
  find_nvlink_ports();
  assign_nics();
}

void Topology::find_nvlink_ports() {
  for (Gpu& gpu : gpus_) {
    for (auto [edge, end] = boost::out_edges(gpu.vertex, graph_); edge != end && !gpu.on_nvswitch; ++edge) {
      const ResourceId out(graph_[*edge].link);
      const Link& link = links_[out.index()];
      if (link.kind == LinkKind::nvlink && graph_[link.to].kind == VertexKind::nvswitch) {
        gpu.nvlink = {out, reverse(out)};
        gpu.on_nvswitch = true;
      }
    }
  }
}

void Topology::assign_nics() {
  std::vector<std::uint32_t> users(nics_.size(), 0);
  std::size_t first_nic = 0;
  for (std::size_t node = 0; node + 1 < first_gpu_.size(); ++node) {
    while (first_nic < nics_.size() && nics_[first_nic].node < node) {
      ++first_nic;
    }
    for (std::size_t g = first_gpu_[node]; g < first_gpu_[node + 1]; ++g) {
      const auto distances = distances_from(*this, gpus_[g]);
      std::pair<std::uint32_t, std::uint32_t> best{~0U, ~0U};
      for (std::size_t n = first_nic; n < nics_.size() && nics_[n].node == node; ++n) {
        const auto at = distances.find(nics_[n].vertex);
        if (at != distances.end() && std::pair(at->second, users[n]) < best) {
          best = {at->second, users[n]};
          gpus_[g].nic = static_cast<std::uint32_t>(n);
        }
      }
      if (gpus_[g].nic != kNoIndex) {
        ++users[gpus_[g].nic];
      }
    }
  }
}

std::string Topology::vertex_name(std::size_t vertex) const {
  if (const auto named = names_.find(vertex); named != names_.end()) {
    return named->second;
  }
  const Vertex& v = graph_[vertex];
  const std::string group = std::to_string(v.group);
  const std::string local = std::to_string(v.local);
  switch (v.kind) {
    case VertexKind::gpu:
      return "n" + group + ".gpu" + local;
    case VertexKind::nvswitch:
      return "n" + group + ".nvswitch";
    case VertexKind::pcie_switch:
      return "n" + group + ".pcie" + local;
    case VertexKind::host:
      return "n" + group + ".cpu" + local;
    case VertexKind::nic:
      return "n" + group + ".nic" + local;
    case VertexKind::fabric_switch:
      break;
  }
  constexpr std::array<std::string_view, 4> kTiers = {"switch", "leaf", "spine", "core"};
  return (v.tier <= 1 ? "u" : "p") + group + '.' + std::string(kTiers[std::min<std::size_t>(v.tier, 3)]) +
         local;
}

std::string link_name(const Topology& topology, ResourceId link) {
  const Link& l = topology.link(link);
  const Topology::Graph& graph = topology.graph();
  int number = 1;
  const auto count = [&](auto edges) {
    for (auto [edge, end] = edges; edge != end; ++edge) {
      const ResourceId other(graph[*edge].link);
      const Link& o = topology.link(other);
      number += other < link && o.from == l.from && o.to == l.to ? 1 : 0;
    }
  };
  if (boost::out_degree(l.from, graph) < boost::in_degree(l.to, graph)) {
    count(boost::out_edges(l.from, graph));
  } else {
    count(boost::in_edges(l.to, graph));
  }
  return topology.vertex_name(l.from) + "->" + topology.vertex_name(l.to) +
         (number > 1 ? "#" + std::to_string(number) : "");
}

}  // namespace makespan
