#include "network/routing.h"

#include <algorithm>
#include <array>
#include <deque>
#include <limits>

#include "core/error.h"
#include "core/int128.h"
#include "core/random.h"

namespace makespan {

namespace {

constexpr std::uint32_t kWhole = Use::kUnitWeight;
constexpr std::uint16_t kFar = std::numeric_limits<std::uint16_t>::max();

constexpr std::array kScaleUp = {LinkKind::nvlink, LinkKind::ici};
constexpr std::array kHost = {LinkKind::pcie, LinkKind::host};

void append(Path& path, const Path& more) {
  path.uses.insert(path.uses.end(), more.uses.begin(), more.uses.end());
  path.latency += more.latency;
}

/// Sums the weights of links that are named twice, at the first place of each.
void merge_duplicates(std::vector<Use>& uses) {
  std::map<ResourceId, std::size_t> first;
  std::size_t kept = 0;
  for (const Use& use : uses) {
    const auto [at, is_new] = first.try_emplace(use.resource, kept);
    if (is_new) {
      uses[kept++] = use;
    } else {
      uses[at->second].weight += use.weight;
    }
  }
  uses.resize(kept);
}

}  // namespace

Router::Router(const Topology& topology) : topology_(topology) {
  const std::size_t vertices = boost::num_vertices(topology.graph());
  position_.assign(vertices, kNoIndex);
  stamp_.assign(vertices, 0);
  hops_.assign(vertices, 0);
  for (std::size_t v = 0; v < vertices; ++v) {
    if (topology.vertex(v).kind == VertexKind::fabric_switch) {
      position_[v] = static_cast<std::uint32_t>(switches_.size());
      switches_.push_back(v);
    }
  }
  std::vector<std::uint32_t> used(switches_.size(), 0);
  for (const Nic& nic : topology.nics()) {
    lanes_.emplace_back();
    for (const std::size_t at : nic.switches) {
      lanes_.back().push_back(used[position_[at]]++);
    }
  }
}

Path Router::path(std::size_t from, std::size_t to) {
  Path path;
  if (from == to) {
    return path;
  }
  if (topology_.gpus()[from].node == topology_.gpus()[to].node) {
    inside_node(path, from, to, kWhole);
  } else {
    across(path, from, to);
  }
  merge_duplicates(path.uses);
  return path;
}

std::size_t Router::exit_gpu(std::size_t from, std::size_t to) const {
  const Gpu& source = topology_.gpus()[from];
  const Gpu& target = topology_.gpus()[to];
  if (!topology_.rails() || source.nic == kNoIndex || target.nic == kNoIndex) {
    return from;
  }
  const std::uint32_t rail = topology_.nics()[target.nic].local;
  const auto is_on_rail = [&](std::size_t gpu) {
    const std::uint32_t nic = topology_.gpus()[gpu].nic;
    return nic != kNoIndex && topology_.nics()[nic].local == rail;
  };
  if (is_on_rail(from)) {
    return from;
  }
  // Next to the rail's NIC there may be several: the one in the receiver's place if it is one of them.
  const std::size_t first = topology_.first_gpu(source.node);
  const std::size_t end = topology_.first_gpu(source.node + 1);
  if (first + target.local < end && is_on_rail(first + target.local)) {
    return first + target.local;
  }
  for (std::size_t gpu = first; gpu < end; ++gpu) {
    if (is_on_rail(gpu)) {
      return gpu;
    }
  }
  return from;
}

void Router::inside_node(Path& path, std::size_t from, std::size_t to, std::uint32_t weight) {
  const Gpu& source = topology_.gpus()[from];
  const Gpu& target = topology_.gpus()[to];
  if (source.on_nvswitch && target.on_nvswitch) {
    for (const ResourceId link : {source.nvlink.out, target.nvlink.in}) {
      path.uses.push_back({link, weight});
      path.latency += topology_.link(link).latency;
    }
    return;
  }
  if (search(source.vertex, target.vertex, kScaleUp)) {
    to_vertex(path, source.vertex, target.vertex, kScaleUp);
  } else if (search(source.vertex, target.vertex, kHost)) {
    to_vertex(path, source.vertex, target.vertex, kHost);
  } else {
    no_route(source.vertex, target.vertex);
  }
}

/// Breadth first from `to`, until `from` is reached: hops_ of what was seen. Over PCIe not through GPUs.
bool Router::search(std::size_t from, std::size_t to, std::span<const LinkKind> kinds) {
  ++searches_;
  const bool through_gpus = kinds.front() == LinkKind::nvlink;
  std::deque<std::size_t> queue = {to};
  stamp_[to] = searches_;
  hops_[to] = 0;
  while (!queue.empty() && stamp_[from] != searches_) {
    const std::size_t at = queue.front();
    queue.pop_front();
    for (auto [edge, end] = boost::out_edges(at, topology_.graph()); edge != end; ++edge) {
      const Link& link = topology_.links()[topology_.graph()[*edge].link];
      const bool is_inside = std::find(kinds.begin(), kinds.end(), link.kind) != kinds.end();
      const bool may_pass =
          link.to == from || through_gpus || topology_.vertex(link.to).kind != VertexKind::gpu;
      if (is_inside && may_pass && stamp_[link.to] != searches_) {
        stamp_[link.to] = searches_;
        hops_[link.to] = hops_[at] + 1;
        queue.push_back(link.to);
      }
    }
  }
  return stamp_[from] == searches_;
}

/// Follows the hops that search() left, by the first link that leads nearer: in a torus, the lowest
/// dimension.
void Router::to_vertex(Path& path, std::size_t from, std::size_t to, std::span<const LinkKind> kinds) {
  for (std::size_t at = from; at != to;) {
    for (auto [edge, end] = boost::out_edges(at, topology_.graph()); edge != end; ++edge) {
      const ResourceId id(topology_.graph()[*edge].link);
      const Link& link = topology_.link(id);
      const bool is_inside = std::find(kinds.begin(), kinds.end(), link.kind) != kinds.end();
      if (is_inside && stamp_[link.to] == searches_ && hops_[link.to] + 1 == hops_[at]) {
        path.uses.push_back({id, kWhole});
        path.latency += link.latency;
        at = link.to;
        break;
      }
    }
  }
}

void Router::across(Path& path, std::size_t from, std::size_t to) {
  const std::size_t exit = exit_gpu(from, to);
  const Gpu& source = topology_.gpus()[exit];
  const Gpu& target = topology_.gpus()[to];
  if (source.nic == kNoIndex || target.nic == kNoIndex) {
    no_route(topology_.gpus()[from].vertex, target.vertex);
  }
  if (exit != from) {
    inside_node(path, from, exit, kWhole);
  }
  const Nic& out = topology_.nics()[source.nic];
  const Nic& in = topology_.nics()[target.nic];
  if (!search(source.vertex, out.vertex, kHost)) {
    no_route(source.vertex, out.vertex);
  }
  to_vertex(path, source.vertex, out.vertex, kHost);
  Path middle;
  const auto ports = static_cast<std::uint32_t>(out.ports.size());
  for (std::uint32_t p = 0; p < ports; ++p) {
    const std::size_t q = p % in.ports.size();
    const std::uint32_t weight = kWhole * (p + 1) / ports - kWhole * p / ports;
    Path branch;
    branch.uses.push_back({out.ports[p].out, weight});
    append(branch, between_switches({.from = out.switches[p],
                                     .to = in.switches[q],
                                     .weight = weight,
                                     .lane = lanes_[source.nic][p],
                                     .key = (std::uint64_t{from} << 32U) ^ to ^ (std::uint64_t{p} << 60U)}));
    branch.uses.push_back({in.ports[q].in, weight});
    branch.latency += topology_.link(out.ports[p].out).latency + topology_.link(in.ports[q].in).latency;
    middle.latency = std::max(middle.latency, branch.latency);
    middle.uses.insert(middle.uses.end(), branch.uses.begin(), branch.uses.end());
  }
  append(path, middle);
  if (!search(in.vertex, target.vertex, kHost)) {
    no_route(in.vertex, target.vertex);
  }
  to_vertex(path, in.vertex, target.vertex, kHost);
}

Path Router::between_switches(const Flow& flow) {
  if (flow.from == flow.to) {
    return {};
  }
  if (distances_to(flow.to)[position_[flow.from]] == kFar) {
    no_route(flow.from, flow.to);
  }
  const RoutingSpec& routing = topology_.routing();
  if (routing.mode == RoutingMode::ideal || routing.mode == RoutingMode::adaptive) {
    const auto [entry, is_new] = spread_.try_emplace({flow.from, flow.to, flow.weight});
    if (is_new) {
      entry->second = spread(flow);
    }
    return entry->second;
  }
  const auto subflows =
      routing.mode == RoutingMode::hashed ? static_cast<std::uint32_t>(routing.subflows) : std::uint32_t{1};
  Path all;
  for (std::uint32_t s = 0; s < subflows; ++s) {
    Flow part = flow;
    part.weight = flow.weight * (s + 1) / subflows - flow.weight * s / subflows;
    if (part.weight > 0) {
      const Path one = walk(part, s);
      all.uses.insert(all.uses.end(), one.uses.begin(), one.uses.end());
      all.latency = std::max(all.latency, one.latency);
    }
  }
  return all;
}

/// Every switch on the way divides what comes in over its links that lead nearer, by their capacities.
Path Router::spread(const Flow& flow) {
  const Distances& distances = distances_to(flow.to);

  struct Share {
    std::uint32_t weight = 0;
    Time latency;
  };

  Path path;
  std::map<std::size_t, Share> level = {{flow.from, {flow.weight, Time(0)}}};
  while (!level.contains(flow.to)) {
    std::map<std::size_t, Share> next;
    for (const auto& [vertex, share] : level) {
      const std::vector<ResourceId> hops = next_hops(vertex, distances);
      Uint128 total = 0;
      for (const ResourceId hop : hops) {
        total += static_cast<std::uint64_t>(topology_.link(hop).capacity.count());
      }
      Uint128 passed = 0;
      std::uint32_t given = 0;
      for (const ResourceId hop : hops) {
        const Link& link = topology_.link(hop);
        passed += static_cast<std::uint64_t>(link.capacity.count());
        const auto until = static_cast<std::uint32_t>(passed * share.weight / total);
        if (until > given) {
          path.uses.push_back({hop, until - given});
          Share& there = next[link.to];
          there.weight += until - given;
          there.latency = std::max(there.latency, share.latency + link.latency);
        }
        given = until;
      }
    }
    level = std::move(next);
  }
  path.latency = level[flow.to].latency;
  return path;
}

Path Router::walk(const Flow& flow, std::uint32_t subflow) {
  const Distances& distances = distances_to(flow.to);
  const RoutingSpec& routing = topology_.routing();
  Path path;
  for (std::size_t at = flow.from; at != flow.to;) {
    const std::vector<ResourceId> hops = next_hops(at, distances);
    std::size_t choice = 0;
    if (routing.mode == RoutingMode::fixed) {
      choice = flow.lane % hops.size();
    } else if (routing.mode == RoutingMode::hashed) {
      const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
      const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32U); };
      const auto bits =
          philox({low(flow.key), high(flow.key), subflow, low(at)}, {low(routing.seed), high(routing.seed)});
      choice = static_cast<std::size_t>((std::uint64_t{bits[0]} * hops.size()) >> 32U);
    }
    const Link& link = topology_.link(hops[choice]);
    path.uses.push_back({hops[choice], flow.weight});
    path.latency += link.latency;
    at = link.to;
  }
  return path;
}

const Router::Distances& Router::distances_to(std::size_t target) {
  const auto [entry, is_new] = distances_.try_emplace(target);
  Distances& distances = entry->second;
  if (!is_new) {
    return distances;
  }
  distances.assign(switches_.size(), kFar);
  distances[position_[target]] = 0;
  std::deque<std::size_t> queue = {target};
  while (!queue.empty()) {
    const std::size_t at = queue.front();
    queue.pop_front();
    const auto hops = static_cast<std::uint16_t>(distances[position_[at]] + 1);
    for (auto [edge, end] = boost::out_edges(at, topology_.graph()); edge != end; ++edge) {
      const Link& link = topology_.links()[topology_.graph()[*edge].link];
      const std::uint32_t next = position_[link.to];
      if (next != kNoIndex && link.capacity > Rate(0) && distances[next] == kFar) {
        distances[next] = hops;
        queue.push_back(switches_[next]);
      }
    }
  }
  return distances;
}

std::vector<ResourceId> Router::next_hops(std::size_t vertex, const Distances& distances) const {
  const std::uint16_t here = distances[position_[vertex]];
  std::vector<ResourceId> hops;
  for (auto [edge, end] = boost::out_edges(vertex, topology_.graph()); edge != end; ++edge) {
    const ResourceId link(topology_.graph()[*edge].link);
    const std::uint32_t next = position_[topology_.link(link).to];
    if (next != kNoIndex && topology_.link(link).capacity > Rate(0) && distances[next] + 1 == here) {
      hops.push_back(link);
    }
  }
  return hops;
}

void Router::no_route(std::size_t from, std::size_t to) const {
  throw InfeasibleError("no route from " + topology_.vertex_name(from) + " to " + topology_.vertex_name(to));
}

std::vector<ResourceId> route(const Topology& topology, std::size_t from, std::size_t to) {
  std::vector<ResourceId> links;
  for (const Use& use : Router(topology).path(from, to).uses) {
    links.push_back(use.resource);
  }
  return links;
}

}  // namespace makespan
