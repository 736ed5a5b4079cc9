#include "network/import_graph.h"

#include <algorithm>
#include <deque>
#include <limits>

#include "network/import_text.h"

namespace makespan {

namespace {

using Neighbours = std::vector<std::vector<std::size_t>>;

constexpr std::uint32_t kFar = std::numeric_limits<std::uint32_t>::max();

/// Over PCIe and between sockets.
Neighbours neighbours(const GraphSpec& graph) {
  Neighbours next(graph.vertices.size());
  for (const GraphLink& link : graph.links) {
    if (link.kind == LinkKind::pcie || link.kind == LinkKind::host) {
      next[link.a].push_back(link.b);
      next[link.b].push_back(link.a);
    }
  }
  return next;
}

/// Hops from a GPU to every vertex, not through other GPUs or NICs.
std::vector<std::uint32_t> hops_from(const GraphSpec& graph, const Neighbours& next, std::size_t gpu) {
  std::vector<std::uint32_t> hops(graph.vertices.size(), kFar);
  hops[gpu] = 0;
  std::deque<std::size_t> queue = {gpu};
  while (!queue.empty()) {
    const std::size_t at = queue.front();
    queue.pop_front();
    const VertexKind kind = graph.vertices[at].kind;
    if (at != gpu && (kind == VertexKind::gpu || kind == VertexKind::nic)) {
      continue;
    }
    for (const std::size_t to : next[at]) {
      if (hops[to] == kFar) {
        hops[to] = hops[at] + 1;
        queue.push_back(to);
      }
    }
  }
  return hops;
}

std::vector<std::size_t> of_kind(const GraphSpec& graph, VertexKind kind) {
  std::vector<std::size_t> found;
  for (std::size_t v = 0; v < graph.vertices.size(); ++v) {
    if (graph.vertices[v].kind == kind) {
      found.push_back(v);
    }
  }
  return found;
}

/// PCIe switches with nothing below them and sockets without devices, until there are none.
void remove_dead_ends(GraphSpec& graph) {
  for (;;) {
    std::vector<std::size_t> degree(graph.vertices.size());
    std::vector<std::size_t> devices(graph.vertices.size());
    for (const GraphLink& link : graph.links) {
      for (const std::size_t end : {link.a, link.b}) {
        ++degree[end];
        devices[end] += link.kind == LinkKind::host ? 0 : 1;
      }
    }
    std::vector<bool> drop(graph.vertices.size());
    for (std::size_t v = 0; v < graph.vertices.size(); ++v) {
      const VertexKind kind = graph.vertices[v].kind;
      drop[v] = (kind == VertexKind::pcie_switch && degree[v] <= 1) ||
                (kind == VertexKind::host && devices[v] == 0);
    }
    if (std::find(drop.begin(), drop.end(), true) == drop.end()) {
      return;
    }
    remove_vertices(graph, drop);
  }
}

}  // namespace

void remove_vertices(GraphSpec& graph, const std::vector<bool>& drop) {
  std::vector<std::size_t> moved(graph.vertices.size());
  std::vector<GraphVertex> vertices;
  for (std::size_t v = 0; v < graph.vertices.size(); ++v) {
    moved[v] = vertices.size();
    if (!drop[v]) {
      vertices.push_back(std::move(graph.vertices[v]));
    }
  }
  graph.vertices = std::move(vertices);
  std::erase_if(graph.links, [&](const GraphLink& link) { return drop[link.a] || drop[link.b]; });
  for (GraphLink& link : graph.links) {
    link.a = moved[link.a];
    link.b = moved[link.b];
  }
}

void leave_out_far_nics(GraphSpec& graph, const std::string& file) {
  const Neighbours next = neighbours(graph);
  const std::vector<std::size_t> nics = of_kind(graph, VertexKind::nic);
  std::vector<bool> is_near(graph.vertices.size());
  bool any = false;
  for (const std::size_t gpu : of_kind(graph, VertexKind::gpu)) {
    const std::vector<std::uint32_t> hops = hops_from(graph, next, gpu);
    std::uint32_t least = kFar;
    for (const std::size_t nic : nics) {
      least = std::min(least, hops[nic]);
    }
    for (const std::size_t nic : nics) {
      is_near[nic] = is_near[nic] || (least != kFar && hops[nic] == least);
    }
    any = any || least != kFar;
  }
  std::vector<bool> drop(graph.vertices.size());
  std::vector<std::string> names;
  for (const std::size_t nic : nics) {
    if (any && !is_near[nic]) {
      drop[nic] = true;
      names.push_back(graph.vertices[nic].name);
    }
  }
  if (!names.empty()) {
    graph.warnings.push_back(file +
                             ": left out because every GPU is nearer to another NIC (storage or "
                             "management?): " +
                             listed(names, 8));
    remove_vertices(graph, drop);
  }
  remove_dead_ends(graph);
}

}  // namespace makespan
