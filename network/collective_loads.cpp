#include "network/collective_loads.h"

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace makespan {

namespace {

constexpr std::uint64_t kHop = LoadSum::kHop;

std::uint64_t count(Rate rate) {
  return static_cast<std::uint64_t>(rate.count());
}

Loads finished(const Topology& topology, const LoadSum& sum) {
  Loads loads;
  loads.uses = sum.uses();
  loads.rate = uncontended(topology, loads.uses);
  return loads;
}

/// The hops of a ring from node to node over each NIC, and what links add to their latency.
void add_hops_between_nodes(Router& router, const GroupShape& shape, RingWay way, LoadSum& sum,
                            Loads& loads) {
  const std::size_t nodes = shape.nodes();
  for (std::size_t ring = 0; ring < shape.rings; ++ring) {
    Time around;
    for (std::size_t i = 0; i < nodes; ++i) {
      const std::size_t next = (i + 1) % nodes;
      if ((way == RingWay::to_root && i == 0) || (way == RingWay::from_root && next == 0)) {
        continue;
      }
      const Path path = router.path(shape.islands[i].exits[ring], shape.islands[next].exits[ring]);
      sum.add(path, kHop);
      around += path.latency;
      loads.hop_latency = std::max(loads.hop_latency, path.latency);
    }
    loads.path_latency = std::max(loads.path_latency, around);
  }
}

/// In a node every member sends to the next, but one when the ring is open.
void add_hops_inside(Router& router, const GroupShape& shape, RingWay way, LoadSum& sum, Loads& loads) {
  const Island& island = shape.islands.front();
  const std::size_t root = island.gpus.front();
  const auto left_out = [&](std::size_t from, std::size_t to) {
    return (way == RingWay::to_root && from == root) || (way == RingWay::from_root && to == root);
  };
  const auto add_hop = [&](std::size_t from, std::size_t to) {
    const Path path = router.path(from, to);
    loads.hop_latency = std::max(loads.hop_latency, path.latency);
    if (!left_out(from, to)) {
      sum.add(path, kHop);
    }
    return path.latency;
  };
  if (island.inner.is_mesh) {
    for (const std::size_t from : island.gpus) {
      for (const std::size_t to : island.gpus) {
        if (from != to) {
          add_hop(from, to);
        }
      }
    }
    loads.path_latency = loads.hop_latency * static_cast<std::int64_t>(island.gpus.size());
    return;
  }
  const std::vector<std::vector<std::size_t>> in_order = {island.gpus};
  for (const auto& order : island.inner.is_switch ? in_order : island.inner.orders) {
    Time around;
    for (std::size_t i = 0; i < order.size(); ++i) {
      around += add_hop(order[i], order[(i + 1) % order.size()]);
    }
    loads.path_latency = std::max(loads.path_latency, around);
  }
}

/// What the members of each node move while a tree's or the fabric's share of S is a reference hop.
void add_reduction_inside(Router& router, const Island& island, std::uint64_t hops_of_payload, bool in_switch,
                          LoadSum& sum) {
  const std::uint64_t members = island.gpus.size();
  const std::uint64_t moved = in_switch ? members + 1 : 2 * (members - 1);
  sum.add_inside(router, island, LoadSum::share(hops_of_payload * moved, members));
}

}  // namespace

void LoadSum::add(const Path& path, std::uint64_t hops) {
  for (const Use& use : path.uses) {
    hops_[use.resource] += (hops * use.weight + Use::kUnitWeight - 1) / Use::kUnitWeight;
  }
}

void LoadSum::add_inside(Router& router, const Island& island, std::uint64_t hops) {
  const std::size_t members = island.gpus.size();
  if (members < 2 || hops == 0) {
    return;
  }
  if (island.inner.is_switch) {
    for (const std::size_t gpu : island.gpus) {
      add(router.topology().gpus()[gpu].nvlink.out, hops);
      add(router.topology().gpus()[gpu].nvlink.in, hops);
    }
  } else if (island.inner.is_mesh) {
    for (const std::size_t from : island.gpus) {
      for (const std::size_t to : island.gpus) {
        add(router.path(from, to), (hops + members - 2) / (members - 1));
      }
    }
  } else {
    const std::uint64_t rings = island.inner.orders.size();
    for (const std::vector<std::size_t>& order : island.inner.orders) {
      for (std::size_t i = 0; i < members; ++i) {
        add(router.path(order[i], order[(i + 1) % members]), (hops + rings - 1) / rings);
      }
    }
  }
}

void LoadSum::merge(const Use& use, std::uint64_t hops) {
  std::uint64_t& most = hops_[use.resource];
  most = std::max(most, (hops * use.weight + Use::kUnitWeight - 1) / Use::kUnitWeight);
}

std::vector<Use> LoadSum::uses() const {
  std::vector<Use> uses;
  uses.reserve(hops_.size());
  for (const auto& [link, hops] : hops_) {
    const std::uint64_t weight = (hops * Use::kUnitWeight + kHop - 1) / kHop;
    MAKESPAN_CHECK(weight <= std::numeric_limits<std::uint32_t>::max(), "a weight has 32 bits");
    if (weight > 0) {
      uses.push_back({link, static_cast<std::uint32_t>(weight)});
    }
  }
  return uses;
}

Rate uncontended(const Topology& topology, std::span<const Use> uses) {
  Rate rate{std::numeric_limits<std::int64_t>::max()};
  for (const Use& use : uses) {
    const Uint128 level =
        Uint128(count(topology.link(use.resource).capacity)) * Use::kUnitWeight / use.weight;
    if (level < count(rate)) {
      rate = Rate(static_cast<std::int64_t>(level));
    }
  }
  return rate;
}

Loads ring_loads(Router& router, const GroupShape& shape, RingWay way) {
  LoadSum sum;
  Loads latency;
  std::uint64_t rings = shape.rings;
  if (shape.nodes() == 1) {
    const InnerRings& inner = shape.islands.front().inner;
    rings = inner.is_switch ? 1 : inner.is_mesh ? shape.ranks() - 1 : inner.orders.size();
    add_hops_inside(router, shape, way, sum, latency);
  } else {
    for (const Island& island : shape.islands) {
      const std::uint64_t members = island.gpus.size();
      sum.add_inside(router, island, LoadSum::share(rings * (members - 1), members));
    }
    add_hops_between_nodes(router, shape, way, sum, latency);
  }
  Loads loads = finished(router.topology(), sum);
  const std::uint64_t ranks = shape.ranks();
  loads.numerator = way == RingWay::closed ? ranks - 1 : 1;
  loads.denominator = way == RingWay::closed ? ranks * rings : rings;
  loads.sent = static_cast<double>(rings);
  loads.path_latency = latency.path_latency;
  loads.hop_latency = latency.hop_latency;
  return loads;
}

Loads tree_loads(Router& router, const GroupShape& shape, bool in_switch) {
  LoadSum sum;
  Time hop_latency;
  const std::uint64_t rings = shape.rings;
  for (const Island& island : shape.islands) {
    add_reduction_inside(router, island, 2 * rings, in_switch, sum);
  }
  const auto [first, second] = double_binary_tree(shape.nodes());
  for (const std::vector<int>* const parents : {&first, &second}) {
    for (std::size_t node = 0; node < shape.nodes(); ++node) {
      const int parent = (*parents)[node];
      for (std::size_t ring = 0; ring < rings && parent >= 0; ++ring) {
        const std::size_t below = shape.islands[node].exits[ring];
        const std::size_t above = shape.islands[static_cast<std::size_t>(parent)].exits[ring];
        for (const Path& path : {router.path(below, above), router.path(above, below)}) {
          sum.add(path, kHop);
          hop_latency = std::max(hop_latency, path.latency);
        }
      }
    }
  }
  Loads loads = finished(router.topology(), sum);
  loads.numerator = 1;
  loads.denominator = 2 * rings;
  const auto members = static_cast<double>(shape.ranks_per_node());
  // Two trees give a node up to four neighbours; it sends to each of them.
  loads.sent = static_cast<double>(rings) *
               (4 / members + 2 * (in_switch ? members + 1 : 2 * (members - 1)) / members);
  loads.hop_latency = hop_latency;
  return loads;
}

Loads nvls_loads(const Topology& topology, const GroupShape& shape) {
  LoadSum sum;
  for (const std::size_t gpu : shape.gpus) {
    sum.add(topology.gpus()[gpu].nvlink.out, kHop);
    sum.add(topology.gpus()[gpu].nvlink.in, kHop);
  }
  Loads loads = finished(topology, sum);
  loads.numerator = shape.ranks() + 1;
  loads.denominator = shape.ranks();
  loads.sent = 1;
  return loads;
}

Loads collnet_loads(Router& router, const GroupShape& shape, bool in_switch) {
  const Topology& topology = router.topology();
  const auto is_switch = [&](std::size_t vertex) {
    return topology.vertex(vertex).kind == VertexKind::fabric_switch;
  };
  LoadSum up;
  Time hop_latency;
  for (std::size_t ring = 0; ring < shape.rings; ++ring) {
    const std::size_t root = shape.islands.front().exits[ring];
    for (const Island& island : shape.islands) {
      const bool is_root = island.exits[ring] == root;
      const Path path = router.path(island.exits[ring], is_root ? shape.islands[1].exits[ring] : root);
      hop_latency = std::max(hop_latency, path.latency);
      for (const Use& use : path.uses) {
        const Link& link = topology.link(use.resource);
        if (is_switch(link.from) && is_switch(link.to) && !is_root) {
          up.merge(use, kHop);
        } else if (!is_switch(link.from) &&
                   topology.vertex(link.from).group == topology.gpus()[island.exits[ring]].node) {
          up.add(Path{{use}, Time(0)}, kHop);
        }
      }
    }
  }
  LoadSum sum = up;
  for (const auto& [link, hops] : up.hops()) {
    sum.add(topology.reverse(link), hops);
  }
  for (const Island& island : shape.islands) {
    add_reduction_inside(router, island, shape.rings, in_switch, sum);
  }
  Loads loads = finished(topology, sum);
  loads.numerator = 1;
  loads.denominator = shape.rings;
  const auto members = static_cast<double>(shape.ranks_per_node());
  loads.sent = static_cast<double>(shape.rings) *
               (1 / members + (in_switch ? members + 1 : 2 * (members - 1)) / members);
  loads.hop_latency = hop_latency;
  return loads;
}

Loads hierarchical_loads(Router& router, const GroupShape& shape) {
  const std::uint64_t nodes = shape.nodes();
  const std::uint64_t members = shape.ranks_per_node();
  MAKESPAN_CHECK(shape.is_even && nodes > 1 && members > 1, "two levels");
  LoadSum sum;
  Time hop_latency;
  Time path_latency;
  const std::uint64_t inside = LoadSum::share((members - 1) * nodes, nodes - 1);
  for (const Island& island : shape.islands) {
    sum.add_inside(router, island, inside);
  }
  for (std::size_t member = 0; member < members; ++member) {
    Time around;
    for (std::size_t node = 0; node < nodes; ++node) {
      const Path path =
          router.path(shape.islands[node].gpus[member], shape.islands[(node + 1) % nodes].gpus[member]);
      sum.add(path, kHop);
      around += path.latency;
      hop_latency = std::max(hop_latency, path.latency);
    }
    path_latency = std::max(path_latency, around);
  }
  Loads loads = finished(router.topology(), sum);
  loads.numerator = nodes - 1;
  loads.denominator = nodes * members;
  loads.sent = 1 + static_cast<double>((members - 1) * nodes) / static_cast<double>(nodes - 1);
  loads.path_latency = path_latency;
  loads.hop_latency = hop_latency;
  return loads;
}

Loads send_loads(Router& router, std::size_t from, std::size_t to) {
  const Path path = router.path(from, to);
  LoadSum sum;
  sum.add(path, kHop);
  Loads loads = finished(router.topology(), sum);
  loads.numerator = 1;
  loads.sent = 1;
  loads.path_latency = loads.hop_latency = path.latency;
  return loads;
}

}  // namespace makespan
