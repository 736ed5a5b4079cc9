#include "network/routing_node.h"

#include <algorithm>
#include <array>
#include <limits>

namespace makespan {

namespace {

constexpr std::array kScaleUp = {LinkKind::nvlink, LinkKind::ici};
constexpr std::array kHost = {LinkKind::pcie, LinkKind::host};

/// PCIe leads through switches and sockets, not through the memory of a GPU or through a NIC.
bool may_pass(const Vertex& vertex, std::span<const LinkKind> kinds) {
  return kinds.front() != LinkKind::pcie ||
         (vertex.kind != VertexKind::gpu && vertex.kind != VertexKind::nic);
}

}  // namespace

NodeRouter::NodeRouter(const Topology& topology)
    : topology_(topology),
      to_nic_(topology.gpu_count()),
      from_nic_(topology.gpu_count()),
      stamp_(boost::num_vertices(topology.graph()), 0),
      links_left_(stamp_.size(), 0),
      width_(stamp_.size()) {}

std::optional<Path> NodeRouter::between_gpus(std::size_t from, std::size_t to) {
  const Gpu& source = topology_.gpus()[from];
  const Gpu& target = topology_.gpus()[to];
  if (source.on_nvswitch && target.on_nvswitch) {
    const Link& out = topology_.link(source.nvlink.out);
    const Link& in = topology_.link(target.nvlink.in);
    if (out.to == in.from && out.capacity > Rate(0) && in.capacity > Rate(0)) {
      return Path{{{source.nvlink.out, Use::kUnitWeight}, {target.nvlink.in, Use::kUnitWeight}},
                  out.latency + in.latency};
    }
  }
  std::optional<Path> path = along_axes(from, to);
  if (!path) {
    path = way(source.vertex, target.vertex, kScaleUp);
  }
  return path ? path : way(source.vertex, target.vertex, kHost);
}

const Path* NodeRouter::to_nic(std::size_t gpu) {
  NicWay& found = to_nic_[gpu];
  const Gpu& source = topology_.gpus()[gpu];
  if (!found.searched && source.nic != kNoIndex) {
    found = {true, way(source.vertex, topology_.nics()[source.nic].vertex, kHost)};
  }
  return found.path ? &*found.path : nullptr;
}

const Path* NodeRouter::from_nic(std::size_t gpu) {
  NicWay& found = from_nic_[gpu];
  const Gpu& target = topology_.gpus()[gpu];
  if (!found.searched && target.nic != kNoIndex) {
    found = {true, way(topology_.nics()[target.nic].vertex, target.vertex, kHost)};
  }
  return found.path ? &*found.path : nullptr;
}

/// Of a torus; nothing where it is none, and where a link on the way does not work.
std::optional<Path> NodeRouter::along_axes(std::size_t from, std::size_t to) const {
  if (topology_.dimensions().empty()) {
    return std::nullopt;
  }
  Path path;
  std::size_t at = from;
  std::size_t stride = 1;
  for (const int chips : topology_.dimensions()) {
    const auto length = static_cast<std::size_t>(chips);
    const std::size_t place = from / stride % length;
    const std::size_t up = (to / stride % length + length - place) % length;
    const bool is_tie = 2 * up == length && place % 2 == 1;
    const bool upwards = topology_.wraps() ? 2 * up <= length && !is_tie : place + up < length;
    for (std::size_t left = upwards ? up : (length - up) % length; left > 0; --left) {
      const std::size_t here = at / stride % length;
      const std::size_t next = at - here * stride + (here + (upwards ? 1 : length - 1)) % length * stride;
      const std::optional<ResourceId> link =
          working_link(topology_.gpus()[at].vertex, topology_.gpus()[next].vertex);
      if (!link) {
        return std::nullopt;
      }
      path.uses.push_back({*link, Use::kUnitWeight});
      path.latency += topology_.link(*link).latency;
      at = next;
    }
    stride *= length;
  }
  return path;
}

std::optional<ResourceId> NodeRouter::working_link(std::size_t from, std::size_t to) const {
  for (auto [edge, end] = boost::out_edges(from, topology_.graph()); edge != end; ++edge) {
    const ResourceId id(topology_.graph()[*edge].link);
    if (topology_.link(id).to == to && topology_.link(id).capacity > Rate(0)) {
      return id;
    }
  }
  return std::nullopt;
}

/// Follows what search() found, by the first link of the widest of the shortest ways.
std::optional<Path> NodeRouter::way(std::size_t from, std::size_t to, Kinds kinds) {
  if (!search(from, to, kinds)) {
    return std::nullopt;
  }
  Path path;
  for (std::size_t at = from; at != to;) {
    for (auto [edge, end] = boost::out_edges(at, topology_.graph()); edge != end; ++edge) {
      const ResourceId id(topology_.graph()[*edge].link);
      const Link& link = topology_.link(id);
      if (may_cross(link, kinds) && stamp_[link.to] == searches_ &&
          links_left_[link.to] + 1 == links_left_[at] &&
          std::min(link.capacity, width_[link.to]) == width_[at]) {
        path.uses.push_back({id, Use::kUnitWeight});
        path.latency += link.latency;
        at = link.to;
        break;
      }
    }
  }
  return path;
}

/// Breadth first from `to` against the links, until everything as near as `from` is seen.
bool NodeRouter::search(std::size_t from, std::size_t to, Kinds kinds) {
  ++searches_;
  const auto seen = [&](std::size_t vertex) { return stamp_[vertex] == searches_; };
  queue_.assign(1, to);
  stamp_[to] = searches_;
  links_left_[to] = 0;
  width_[to] = Rate(std::numeric_limits<std::int64_t>::max());
  for (std::size_t next = 0; next < queue_.size(); ++next) {
    const std::size_t at = queue_[next];
    if (seen(from) && links_left_[at] >= links_left_[from]) {
      break;
    }
    for (auto [edge, end] = boost::in_edges(at, topology_.graph()); edge != end; ++edge) {
      const Link& link = topology_.links()[topology_.graph()[*edge].link];
      if (!may_cross(link, kinds) || (link.from != from && !may_pass(topology_.vertex(link.from), kinds))) {
        continue;
      }
      const Rate width = std::min(link.capacity, width_[at]);
      if (!seen(link.from)) {
        stamp_[link.from] = searches_;
        links_left_[link.from] = links_left_[at] + 1;
        width_[link.from] = width;
        queue_.push_back(link.from);
      } else if (links_left_[link.from] == links_left_[at] + 1) {
        width_[link.from] = std::max(width_[link.from], width);
      }
    }
  }
  return seen(from);
}

bool NodeRouter::may_cross(const Link& link, Kinds kinds) const {
  return link.capacity > Rate(0) && std::find(kinds.begin(), kinds.end(), link.kind) != kinds.end();
}

}  // namespace makespan
