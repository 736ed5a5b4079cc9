#include "network/routing.h"

#include <algorithm>

#include "core/error.h"

namespace makespan {

Router::Lanes Router::lanes(const Topology& topology) {
  std::vector<std::uint32_t> used(boost::num_vertices(topology.graph()), 0);
  Lanes lanes;
  for (const Nic& nic : topology.nics()) {
    lanes.emplace_back();
    for (const std::size_t at : nic.switches) {
      lanes.back().push_back(used[at]++);
    }
  }
  return lanes;
}

Path Router::path(std::size_t from, std::size_t to) {
  if (from == to) {
    return {};
  }
  if (topology_.gpus()[from].node != topology_.gpus()[to].node) {
    return across(from, to);
  }
  std::optional<Path> path = inside_.between_gpus(from, to);
  if (!path) {
    no_route(topology_.gpus()[from].vertex, topology_.gpus()[to].vertex);
  }
  return std::move(*path);
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

Path Router::across(std::size_t from, std::size_t to) {
  const std::size_t exit = exit_gpu(from, to);
  Path path;
  if (exit != from) {
    const std::optional<Path> handover = inside_.between_gpus(from, exit);
    if (!handover) {
      no_route(topology_.gpus()[from].vertex, topology_.gpus()[exit].vertex);
    }
    append(path, *handover);
  }
  const Path* out = inside_.to_nic(exit);
  const Path* in = inside_.from_nic(to);
  if (out == nullptr || in == nullptr) {
    no_route(topology_.gpus()[from].vertex, topology_.gpus()[to].vertex);
  }
  append(path, *out);
  append(path, between_nics(exit, to));
  append(path, *in);
  return path;
}

/// From the NIC of one GPU to that of another.
Path Router::between_nics(std::size_t from, std::size_t to) {
  const std::uint32_t nic = topology_.gpus()[from].nic;
  const Nic& out = topology_.nics()[nic];
  const Nic& in = topology_.nics()[topology_.gpus()[to].nic];
  const auto pairs = ports(out, in);
  Path path;
  std::uint32_t given = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto [p, q] = pairs[i];
    const auto until = static_cast<std::uint32_t>(Use::kUnitWeight * (i + 1) / pairs.size());
    const std::uint32_t weight = until - given;
    given = until;
    if (weight == 0) {
      continue;  // more ports than a path has parts
    }
    const Path middle = fabric_.path({.from = out.switches[p],
                                      .to = in.switches[q],
                                      .weight = weight,
                                      .lane = lanes_[nic][p],
                                      .key = (std::uint64_t{from} << 32U) ^ to ^ (std::uint64_t{p} << 60U)});
    path.uses.push_back({out.ports[p].out, weight});
    path.uses.insert(path.uses.end(), middle.uses.begin(), middle.uses.end());
    path.uses.push_back({in.ports[q].in, weight});
    path.latency = std::max(path.latency, topology_.link(out.ports[p].out).latency + middle.latency +
                                              topology_.link(in.ports[q].in).latency);
  }
  merge_duplicates(path.uses);
  return path;
}

/// Each port of `out` that works, with the port of `in` that it sends to: its own number, or the first after
/// it that works and is joined with it.
std::vector<std::pair<std::size_t, std::size_t>> Router::ports(const Nic& out, const Nic& in) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  for (std::size_t p = 0; p < out.ports.size(); ++p) {
    for (std::size_t i = 0; i < in.ports.size() && topology_.link(out.ports[p].out).capacity > Rate(0); ++i) {
      const std::size_t q = (p + i) % in.ports.size();
      if (topology_.link(in.ports[q].in).capacity > Rate(0) &&
          fabric_.joined(out.switches[p], in.switches[q])) {
        pairs.emplace_back(p, q);
        break;
      }
    }
  }
  if (pairs.empty()) {
    no_route(out.vertex, in.vertex);
  }
  return pairs;
}

/// Sums the weights of links that are named twice, at the first place of each.
void Router::merge_duplicates(std::vector<Use>& uses) {
  ++merges_;
  std::size_t kept = 0;
  for (const Use& use : uses) {
    Place& first = merged_[use.resource.index()];
    if (first.merge != merges_) {
      first = {merges_, kept};
      uses[kept++] = use;
    } else {
      uses[first.use].weight += use.weight;
    }
  }
  uses.resize(kept);
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
