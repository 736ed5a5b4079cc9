#include "network/routing_fabric.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/int128.h"
#include "core/random.h"

namespace makespan {

namespace {

constexpr std::uint16_t kFar = std::numeric_limits<std::uint16_t>::max();

/// In proportion to the shares; what is rounded off one goes to the next.
std::vector<std::uint32_t> divided_by(std::uint32_t weight, std::span<const std::uint64_t> shares) {
  const Uint128 total = std::accumulate(shares.begin(), shares.end(), Uint128{0});
  MAKESPAN_CHECK(total > 0, "hops have capacity");
  std::vector<std::uint32_t> weights;
  Uint128 passed = 0;
  std::uint32_t given = 0;
  for (const std::uint64_t share : shares) {
    passed += share;
    const auto until = static_cast<std::uint32_t>(passed * weight / total);
    weights.push_back(until - given);
    given = until;
  }
  return weights;
}

}  // namespace

FabricRouter::FabricRouter(const Topology& topology) : topology_(topology) {
  const std::size_t vertices = boost::num_vertices(topology.graph());
  position_.assign(vertices, kNoIndex);
  for (std::size_t v = 0; v < vertices; ++v) {
    if (topology.vertex(v).kind == VertexKind::fabric_switch) {
      position_[v] = static_cast<std::uint32_t>(switches_.size());
      switches_.push_back(v);
    }
  }
  distances_.resize(switches_.size());
  index_hops();
  index_groups();
}

void FabricRouter::index_hops() {
  std::vector<std::uint32_t> port(topology_.links().size(), 0);
  const auto is_hop = [&](const Link& link) {
    return position_[link.from] != kNoIndex && position_[link.to] != kNoIndex && link.capacity > Rate(0);
  };
  first_arrival_.push_back(0);
  for (const std::size_t vertex : switches_) {
    std::uint32_t ports = 0;
    for (auto [edge, end] = boost::in_edges(vertex, topology_.graph()); edge != end; ++edge) {
      const std::uint32_t id = topology_.graph()[*edge].link;
      const Link& link = topology_.links()[id];
      port[id] = ports;
      ports += position_[link.from] != kNoIndex ? 1 : 0;
      if (is_hop(link)) {
        arrivals_.push_back(position_[link.from]);
      }
    }
    first_arrival_.push_back(arrivals_.size());
  }
  first_hop_.push_back(0);
  for (const std::size_t vertex : switches_) {
    for (auto [edge, end] = boost::out_edges(vertex, topology_.graph()); edge != end; ++edge) {
      const ResourceId id(topology_.graph()[*edge].link);
      const Link& link = topology_.link(id);
      if (is_hop(link)) {
        hops_.push_back({id, position_[vertex], position_[link.to], port[id.index()]});
      }
    }
    first_hop_.push_back(hops_.size());
  }
}

void FabricRouter::index_groups() {
  const auto group_of = [&](std::uint32_t at) { return topology_.vertex(switches_[at]).group; };
  for (const Hop& hop : hops_) {
    const std::uint32_t from = group_of(hop.from);
    if (topology_.link(hop.link).kind == LinkKind::global && from != group_of(hop.to)) {
      global_.resize(std::max<std::size_t>(global_.size(), from + 1));
      global_[from].push_back(hop);
    }
  }
  if (global_.empty()) {
    return;
  }
  for (std::uint32_t at = 0; at < switches_.size(); ++at) {
    group_size_.resize(std::max<std::size_t>(group_size_.size(), group_of(at) + 1));
    group_size_[group_of(at)] += topology_.vertex(switches_[at]).tier == 1 ? 1 : 0;
  }
  global_.resize(group_size_.size());
}

bool FabricRouter::joined(std::size_t from, std::size_t to) {
  return distances_to(position_[to])[position_[from]] != kFar;
}

Path FabricRouter::path(const FabricFlow& flow) {
  const RoutingSpec& routing = topology_.routing();
  const std::uint32_t from = position_[flow.from];
  const std::uint32_t to = position_[flow.to];
  if (from == to) {
    return {};
  }
  if (routing.mode == RoutingMode::ideal || routing.mode == RoutingMode::adaptive) {
    const auto [entry, is_new] = spread_.try_emplace({from, to, flow.weight});
    if (is_new) {
      const std::vector<Detour> around =
          routing.mode == RoutingMode::adaptive ? detours(from, to) : std::vector<Detour>{};
      entry->second = around.empty() ? spread(from, to, flow.weight) : spread_detours(around, flow.weight);
    }
    return entry->second;
  }
  const auto subflows =
      routing.mode == RoutingMode::hashed ? static_cast<std::uint32_t>(routing.subflows) : std::uint32_t{1};
  Path all;
  for (std::uint32_t s = 0; s < subflows; ++s) {
    const auto until = [&](std::uint32_t parts) {
      return static_cast<std::uint32_t>(std::uint64_t{flow.weight} * parts / subflows);
    };
    const std::uint32_t weight = until(s + 1) - until(s);
    if (weight > 0) {
      const Path one =
          walk({.at = from, .port = flow.lane, .subflow = s, .key = flow.key, .weight = weight}, to);
      all.uses.insert(all.uses.end(), one.uses.begin(), one.uses.end());
      all.latency = std::max(all.latency, one.latency);
    }
  }
  return all;
}

// Spreading.

Path FabricRouter::spread(std::uint32_t from, std::uint32_t to, std::uint32_t weight) {
  Path path;
  Shares level = {{from, {weight, Time(0)}}};
  for (bool more = true; more;) {
    more = false;
    Shares arrived;
    for (const auto& [at, share] : level) {
      if (at == to || group(at) == group(to)) {
        Share& there = arrived[at];
        there.weight += share.weight;
        there.latency = std::max(there.latency, share.latency);
      } else {
        spread_exits(at, to, share, path, arrived);
        more = true;
      }
    }
    level = std::move(arrived);
  }
  Time slowest;
  for (const auto& [at, share] : level) {
    const Path rest = spread_shortest(at, to, share.weight);
    path.uses.insert(path.uses.end(), rest.uses.begin(), rest.uses.end());
    slowest = std::max(slowest, share.latency + rest.latency);
  }
  path.latency = slowest;
  return path;
}

/// Over the links of a group that lead nearer to the group of `to`; over the shortest paths where none does.
void FabricRouter::spread_exits(std::uint32_t at, std::uint32_t to, const Share& share, Path& path,
                                Shares& arrived) {
  const auto pass = [&](const Path& way, std::uint32_t where, std::uint32_t weight) {
    path.uses.insert(path.uses.end(), way.uses.begin(), way.uses.end());
    Share& there = arrived[where];
    there.weight += weight;
    there.latency = std::max(there.latency, share.latency + way.latency);
  };
  const std::vector<Hop> out = exits(at, to);
  if (out.empty()) {
    pass(spread_shortest(at, to, share.weight), to, share.weight);
    return;
  }
  const std::vector<std::uint32_t> weights = divided(share.weight, out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (weights[i] > 0) {
      Path way = spread_shortest(at, out[i].from, weights[i]);
      way.uses.push_back({out[i].link, weights[i]});
      way.latency += topology_.link(out[i].link).latency;
      pass(way, out[i].to, weights[i]);
    }
  }
}

/// Every switch on the way divides what comes in over its links that lead nearer.
Path FabricRouter::spread_shortest(std::uint32_t from, std::uint32_t to, std::uint32_t weight) {
  Path path;
  Shares level = {{from, {weight, Time(0)}}};
  while (!level.contains(to)) {
    Shares arrived;
    for (const auto& [at, share] : level) {
      find_next(at, to, next_);
      const std::vector<std::uint32_t> weights = divided(share.weight, next_);
      for (std::size_t i = 0; i < next_.size(); ++i) {
        if (weights[i] > 0) {
          path.uses.push_back({next_[i].link, weights[i]});
          Share& there = arrived[next_[i].to];
          there.weight += weights[i];
          there.latency = std::max(there.latency, share.latency + topology_.link(next_[i].link).latency);
        }
      }
    }
    level = std::move(arrived);
  }
  path.latency = level[to].latency;
  return path;
}

std::vector<std::uint32_t> FabricRouter::divided(std::uint32_t weight, std::span<const Hop> over) const {
  std::vector<std::uint64_t> capacities;
  for (const Hop& hop : over) {
    capacities.push_back(capacity(hop));
  }
  return divided_by(weight, capacities);
}

// Detours.

/// The direct link between two switches of a dragonfly's group and the ways over a third; none elsewhere.
std::vector<FabricRouter::Detour> FabricRouter::detours(std::uint32_t from, std::uint32_t to) const {
  const auto local = [&](const Hop& hop) { return topology_.link(hop.link).kind == LinkKind::local; };
  std::map<std::uint32_t, std::vector<Hop>> first;  // by the switch that it leads to
  for (const Hop& hop : hops(from)) {
    if (local(hop)) {
      first[hop.to].push_back(hop);
    }
  }
  const auto direct = first.find(to);
  if (direct == first.end()) {
    return {};
  }
  std::vector<Detour> ways;
  for (const Hop& hop : direct->second) {
    ways.push_back({hop, std::nullopt});
  }
  first.erase(direct);
  for (const auto& [third, out] : first) {
    for (const Hop& on : hops(third)) {
      if (local(on) && on.to == to) {
        ways.push_back({out.front(), on});
      }
    }
  }
  return ways;
}

/// By capacity per link that the way takes; the latency is that of the direct link, which is taken while it
/// is idle.
Path FabricRouter::spread_detours(std::span<const Detour> ways, std::uint32_t weight) const {
  std::vector<std::uint64_t> shares;
  for (const Detour& way : ways) {
    shares.push_back(way.second ? std::min(capacity(way.first), capacity(*way.second))
                                : 2 * capacity(way.first));
  }
  const std::vector<std::uint32_t> weights = divided_by(weight, shares);
  Path path;
  path.latency = topology_.link(ways.front().first.link).latency;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    if (weights[i] > 0) {
      path.uses.push_back({ways[i].first.link, weights[i]});
      if (ways[i].second) {
        path.uses.push_back({ways[i].second->link, weights[i]});
      }
    }
  }
  return path;
}

// Walking.

Path FabricRouter::walk(Walker walker, std::uint32_t to) {
  Path path;
  const bool by_groups = topology_.routing().mode != RoutingMode::ordered;
  while (by_groups && group(walker.at) != group(to)) {
    const std::vector<Hop> out = exits(walker.at, to);
    if (out.empty()) {
      break;
    }
    // The NICs of a dragonfly's group are dealt out to its switches like cards.
    const std::size_t lane = std::size_t{walker.port} * group_size_[group(walker.at)] +
                             topology_.vertex(switches_[walker.at]).local;
    const Hop exit = out[choice(walker, lane, out.size())];
    walk_shortest(walker, exit.from, path);
    take(walker, exit, path);
  }
  walk_shortest(walker, to, path);
  return path;
}

void FabricRouter::walk_shortest(Walker& walker, std::uint32_t to, Path& path) {
  while (walker.at != to) {
    find_next(walker.at, to, next_);
    take(walker, next_[choice(walker, walker.port, next_.size())], path);
  }
}

void FabricRouter::take(Walker& walker, const Hop& hop, Path& path) const {
  path.uses.push_back({hop.link, walker.weight});
  path.latency += topology_.link(hop.link).latency;
  walker.at = hop.to;
  walker.port = hop.port;
}

std::size_t FabricRouter::choice(const Walker& walker, std::size_t lane, std::size_t count) const {
  const RoutingSpec& routing = topology_.routing();
  if (routing.mode == RoutingMode::fixed) {
    return lane % count;
  }
  if (routing.mode == RoutingMode::ordered || count == 1) {
    return 0;
  }
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32U); };
  const auto bits = philox({low(walker.key), high(walker.key), walker.subflow, walker.at},
                           {low(routing.seed), high(routing.seed)});
  return static_cast<std::size_t>((std::uint64_t{bits[0]} * count) >> 32U);
}

// Distances.

std::uint64_t FabricRouter::capacity(const Hop& hop) const {
  return static_cast<std::uint64_t>(topology_.link(hop.link).capacity.count());
}

std::span<const FabricRouter::Hop> FabricRouter::hops(std::uint32_t at) const {
  return std::span(hops_).subspan(first_hop_[at], first_hop_[at + 1] - first_hop_[at]);
}

const FabricRouter::Distances& FabricRouter::distances_to(std::uint32_t target) {
  Distances& distances = distances_[target];
  if (!distances.empty()) {
    return distances;
  }
  distances.assign(switches_.size(), kFar);
  distances[target] = 0;
  std::vector<std::uint32_t> queue = {target};
  for (std::size_t next = 0; next < queue.size(); ++next) {
    const std::uint32_t at = queue[next];
    if (distances[at] + 1 == kFar) {
      continue;  // what lies beyond counts as not joined
    }
    for (std::size_t i = first_arrival_[at]; i < first_arrival_[at + 1]; ++i) {
      const std::uint32_t before = arrivals_[i];
      if (distances[before] == kFar) {
        distances[before] = static_cast<std::uint16_t>(distances[at] + 1);
        queue.push_back(before);
      }
    }
  }
  return distances;
}

void FabricRouter::find_next(std::uint32_t at, std::uint32_t to, std::vector<Hop>& next) {
  const Distances& distances = distances_to(to);
  next.clear();
  for (const Hop& hop : hops(at)) {
    if (distances[hop.to] + 1 == distances[at]) {
      next.push_back(hop);
    }
  }
  MAKESPAN_CHECK(!next.empty(), "the switches are joined");
}

// Groups of a dragonfly.

std::uint32_t FabricRouter::group(std::uint32_t at) const {
  return global_.empty() ? 0 : topology_.vertex(switches_[at]).group;
}

/// The links that leave the group of `at` towards that of `to`, as far as `at` reaches them.
std::vector<FabricRouter::Hop> FabricRouter::exits(std::uint32_t at, std::uint32_t to) {
  std::vector<Hop> reached;
  for (const Hop& hop : group_exits(group(at), group(to))) {
    if (distances_to(hop.from)[at] != kFar) {
      reached.push_back(hop);
    }
  }
  return reached;
}

const std::vector<FabricRouter::Hop>& FabricRouter::group_exits(std::uint32_t from, std::uint32_t to) {
  const auto [entry, is_new] = group_exits_.try_emplace({from, to});
  if (!is_new) {
    return entry->second;
  }
  std::vector<Hop>& found = entry->second;
  const auto find = [&](auto leads_nearer) {
    std::copy_if(global_[from].begin(), global_[from].end(), std::back_inserter(found),
                 [&](const Hop& hop) { return leads_nearer(group(hop.to)); });
  };
  find([&](std::uint32_t next) { return next == to; });
  if (found.empty()) {
    const std::vector<std::uint32_t> left = group_distances_to(to);
    find([&](std::uint32_t next) { return left[next] != kNoIndex && left[next] + 1 == left[from]; });
  }
  return found;
}

std::vector<std::uint32_t> FabricRouter::group_distances_to(std::uint32_t target) const {
  std::vector<std::uint32_t> left(global_.size(), kNoIndex);
  left[target] = 0;
  bool found = true;
  for (std::uint32_t steps = 1; found; ++steps) {
    found = false;
    for (std::uint32_t g = 0; g < global_.size(); ++g) {
      const auto leads_nearer = [&](const Hop& hop) { return left[group(hop.to)] == steps - 1; };
      if (left[g] == kNoIndex && std::any_of(global_[g].begin(), global_[g].end(), leads_nearer)) {
        left[g] = steps;
        found = true;
      }
    }
  }
  return left;
}

}  // namespace makespan
