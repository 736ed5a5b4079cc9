#include "network/topology.h"

#include "core/error.h"

namespace makespan {

std::string_view to_string(LinkKind kind) {
  constexpr std::string_view kNames[] = {"nvlink", "pcie", "nic", "leaf-spine"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::size_t Topology::add_vertex(const Vertex& vertex) {
  return boost::add_vertex(vertex, graph_);
}

Port Topology::connect(std::size_t a, std::size_t b, LinkKind kind, Rate capacity, Time latency) {
  const auto add_link = [&](std::size_t from, std::size_t to) {
    const ResourceId link(links_.size());
    boost::add_edge(from, to, Edge{static_cast<std::uint32_t>(link.index())}, graph_);
    links_.push_back({from, to, kind, capacity, latency});
    return link;
  };
  const ResourceId out = add_link(a, b);
  return {out, add_link(b, a)};
}

std::string vertex_name(const Topology& topology, std::size_t vertex) {
  const Vertex& v = topology.graph()[vertex];
  const std::string node = "n" + std::to_string(v.group);
  switch (v.kind) {
    case VertexKind::gpu:
      return node + ".gpu" + std::to_string(v.local);
    case VertexKind::nvswitch:
      return node + ".nvswitch";
    case VertexKind::nic:
      return node + ".nic" + std::to_string(v.local);
    case VertexKind::leaf:
      return "u" + std::to_string(v.group) + ".leaf" + std::to_string(v.local);
    case VertexKind::spine:
      break;
  }
  return "spine";
}

std::string link_name(const Topology& topology, ResourceId link) {
  const Link& l = topology.link(link);
  return vertex_name(topology, l.from) + "->" + vertex_name(topology, l.to);
}

std::vector<ResourceId> route(const Topology& topology, std::size_t from, std::size_t to) {
  if (from == to) {
    return {};
  }
  const std::vector<Gpu>& gpus = topology.gpus();
  const Gpu* source = &gpus[from];
  const Gpu& target = gpus[to];
  if (source->node == target.node) {
    return {source->nvlink.out, target.nvlink.in};
  }
  if (topology.nics().empty()) {
    throw InfeasibleError("no route from " + vertex_name(topology, source->vertex) + " to " +
                          vertex_name(topology, target.vertex));
  }
  std::vector<ResourceId> links;
  const Nic& entry = topology.nics()[target.nic];
  if (topology.nics()[source->nic].rail != entry.rail) {
    const Gpu& relay = gpus[from - source->local + target.local];
    links = {source->nvlink.out, relay.nvlink.in};
    source = &relay;
  }
  const Nic& exit = topology.nics()[source->nic];
  links.insert(links.end(), {source->pcie.out, exit.port.out});
  if (exit.leaf != entry.leaf) {
    links.insert(links.end(),
                 {topology.leaves()[exit.leaf].uplink.out, topology.leaves()[entry.leaf].uplink.in});
  }
  links.insert(links.end(), {entry.port.in, target.pcie.in});
  return links;
}

}  // namespace makespan
