// Algorithms in which members exchange with more than two others.

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "core/error.h"
#include "network/collective_loads.h"

namespace makespan {

namespace {

/// What some members send to others, in parts of S, by link.
class Exchange {
 public:
  Exchange(Router& router, const GroupShape& shape)
      : router_(router),
        shape_(shape),
        parts_(router.topology().links().size(), 0),
        connections_(parts_.size(), 0) {}

  void add(std::size_t from, std::size_t to, std::uint64_t parts) {
    const Path path = router_.path(shape_.gpus[from], shape_.gpus[to]);
    hop_latency_ = std::max(hop_latency_, path.latency);
    for (const Use& use : path.uses) {
      Uint128& sum = parts_[use.resource.index()];
      if (sum == 0) {
        touched_.push_back(use.resource);
      }
      sum += Uint128(parts) * use.weight;
    }
  }

  /// One member sends to these: `in_flight` of its messages at a time, of those that cross a NIC as well as
  /// of all.
  void connect(std::size_t from, double in_flight, std::span<const std::size_t> to) {
    std::map<ResourceId, double> messages;
    double across = 0;
    for (const std::size_t other : to) {
      bool crosses = false;
      for (const Use& use : router_.path(shape_.gpus[from], shape_.gpus[other]).uses) {
        messages[use.resource] += 1;
        crosses = crosses || is_nic(use.resource);
      }
      across += crosses ? 1 : 0;
    }
    const auto all = static_cast<double>(to.size());
    for (const auto& [link, count] : messages) {
      const double of = is_nic(link) ? across : all;
      connections_[link.index()] += count * std::min(in_flight, of) / of;
    }
  }

  /// Seconds per part that the most loaded link takes.
  [[nodiscard]] double slowest() const {
    double most = 0;
    for (const ResourceId link : touched_) {
      most = std::max(most, static_cast<double>(parts_[link.index()]) / 1024 /
                                bytes_per_second(router_.topology().link(link).capacity));
    }
    return most;
  }

  /// The reference hop is one of the connections on the busiest outgoing link: of a NIC, or where nothing
  /// crosses one of a member.
  [[nodiscard]] Loads loads(std::uint64_t denominator) {
    const auto [busiest, connections] = reference();
    const auto in_flight = static_cast<std::uint64_t>(std::max(std::round(connections), 1.0));
    Loads loads;
    std::sort(touched_.begin(), touched_.end());
    for (const ResourceId link : touched_) {
      const Uint128 weight = (parts_[link.index()] * in_flight * Use::kUnitWeight + busiest - 1) / busiest;
      MAKESPAN_CHECK(weight <= std::numeric_limits<std::uint32_t>::max(), "a weight has 32 bits");
      loads.uses.push_back({link, static_cast<std::uint32_t>(weight)});
    }
    loads.rate = uncontended(router_.topology(), loads.uses);
    // busiest is in 1/1024 parts.
    const Uint128 divisor = Uint128(denominator) * in_flight * Use::kUnitWeight;
    const Uint128 common = gcd(busiest, divisor);
    if (busiest / common > std::numeric_limits<std::uint64_t>::max()) {
      throw InfeasibleError("an all-to-all is larger than 2^63 bytes");
    }
    loads.numerator = static_cast<std::uint64_t>(busiest / common);
    loads.denominator = static_cast<std::uint64_t>(divisor / common);
    loads.hop_latency = loads.path_latency = hop_latency_;
    return loads;
  }

 private:
  /// The most on a link of the kind that decides, and the connections on it.
  [[nodiscard]] std::pair<Uint128, double> reference() const {
    const Topology& topology = router_.topology();
    std::pair<Uint128, double> at_nic{0, 0};
    std::pair<Uint128, double> at_member{0, 0};
    for (const ResourceId link : touched_) {
      const VertexKind from = topology.vertex(topology.link(link).from).kind;
      const std::pair<Uint128, double> load{parts_[link.index()], connections_[link.index()]};
      if (from == VertexKind::nic && is_nic(link)) {
        at_nic = std::max(at_nic, load);
      } else if (from == VertexKind::gpu) {
        at_member = std::max(at_member, load);
      }
    }
    return at_nic.first > 0 ? at_nic : at_member;
  }

  [[nodiscard]] bool is_nic(ResourceId link) const {
    return router_.topology().link(link).kind == LinkKind::nic;
  }

  static Uint128 gcd(Uint128 a, Uint128 b) {
    while (b != 0) {
      const Uint128 rest = a % b;
      a = b;
      b = rest;
    }
    return a;
  }

  Router& router_;
  const GroupShape& shape_;
  std::vector<Uint128> parts_;  ///< by link, in 1/1024
  std::vector<double> connections_;
  std::vector<ResourceId> touched_;
  Time hop_latency_;
};

/// How far apart chips are along each axis in the numbering of a torus.
std::vector<std::size_t> coordinates(const std::vector<int>& dimensions, std::size_t chip) {
  std::vector<std::size_t> at;
  for (const int extent : dimensions) {
    at.push_back(chip % static_cast<std::size_t>(extent));
    chip /= static_cast<std::size_t>(extent);
  }
  return at;
}

std::size_t chip_at(const std::vector<int>& dimensions, const std::vector<std::size_t>& at) {
  std::size_t chip = 0;
  for (std::size_t axis = dimensions.size(); axis-- > 0;) {
    chip = chip * static_cast<std::size_t>(dimensions[axis]) + at[axis];
  }
  return chip;
}

/// The lowest coordinate of the members along each axis.
std::vector<std::size_t> origin(const std::vector<int>& dimensions, std::span<const std::size_t> chips) {
  std::vector<std::size_t> low(dimensions.size(), std::numeric_limits<std::size_t>::max());
  for (const std::size_t chip : chips) {
    const std::vector<std::size_t> at = coordinates(dimensions, chip);
    for (std::size_t axis = 0; axis < at.size(); ++axis) {
      low[axis] = std::min(low[axis], at[axis]);
    }
  }
  return low;
}

/// By axis, what one direction of its rings carries, in S / (2 x axes x members): part p of S reaches an axis
/// divided by the extents of the axes before it in its order.
std::vector<std::uint64_t> torus_parts(const std::vector<int>& box) {
  std::vector<std::size_t> axes;
  std::uint64_t members = 1;
  for (std::size_t axis = 0; axis < box.size(); ++axis) {
    members *= static_cast<std::uint64_t>(box[axis]);
    if (box[axis] > 1) {
      axes.push_back(axis);
    }
  }
  std::vector<std::uint64_t> parts(box.size(), 0);
  for (std::size_t part = 0; part < axes.size(); ++part) {
    std::uint64_t left = members;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::size_t axis = axes[(part + i) % axes.size()];
      const auto extent = static_cast<std::uint64_t>(box[axis]);
      left /= extent;
      parts[axis] += (extent - 1) * left;
    }
  }
  return parts;
}

}  // namespace

Loads direct_loads(Router& router, const GroupShape& shape,
                   const std::function<std::uint64_t(std::size_t, std::size_t)>& parts,
                   std::uint64_t denominator) {
  constexpr double kBatch = 8;
  Exchange exchange(router, shape);
  double most_sent = 0;
  for (std::size_t from = 0; from < shape.ranks(); ++from) {
    double sent = 0;
    std::vector<std::size_t> others;
    for (std::size_t to = 0; to < shape.ranks(); ++to) {
      const std::uint64_t share = from == to ? 0 : parts(from, to);
      if (share > 0) {
        exchange.add(from, to, share);
        others.push_back(to);
        sent += static_cast<double>(share);
      }
    }
    exchange.connect(from, kBatch, others);
    most_sent = std::max(most_sent, sent);
  }
  Loads loads = exchange.loads(denominator);
  loads.sent = most_sent / static_cast<double>(denominator) * static_cast<double>(loads.denominator) /
               static_cast<double>(loads.numerator);
  return loads;
}

Loads pat_loads(Router& router, const GroupShape& shape) {
  const std::size_t ranks = shape.ranks();
  Exchange exchange(router, shape);
  for (std::size_t distance = 1; distance < ranks; distance *= 2) {
    const std::uint64_t shards = (ranks - 1) / distance - (ranks - 1) / (2 * distance);
    for (std::size_t from = 0; from < ranks; ++from) {
      exchange.add(from, (from + distance) % ranks, shards);
    }
  }
  Loads loads = exchange.loads(ranks);
  loads.sent = 1;
  return loads;
}

Loads halving_doubling_loads(Router& router, const GroupShape& shape) {
  const std::size_t ranks = shape.ranks();
  MAKESPAN_CHECK(std::has_single_bit(ranks), "a power of two");
  Exchange all(router, shape);
  double serial = 0;
  for (std::size_t distance = 1; distance < ranks; distance *= 2) {
    const std::uint64_t shards = ranks / (2 * distance);
    Exchange round(router, shape);
    for (std::size_t from = 0; from < ranks; ++from) {
      all.add(from, from ^ distance, shards);
      round.add(from, from ^ distance, shards);
    }
    serial += round.slowest();
  }
  Loads loads = all.loads(ranks);
  loads.serial = serial / static_cast<double>(ranks);
  loads.sent = static_cast<double>(ranks - 1) / static_cast<double>(ranks) *
               static_cast<double>(loads.denominator) / static_cast<double>(loads.numerator);
  return loads;
}

std::vector<int> torus_box(const Topology& topology, std::span<const std::size_t> gpus) {
  const std::vector<int>& dimensions = topology.dimensions();
  if (dimensions.empty() || gpus.empty()) {
    return {};
  }
  const std::vector<std::size_t> low = origin(dimensions, gpus);
  std::vector<std::size_t> extent(dimensions.size(), 1);
  for (const std::size_t chip : gpus) {
    const std::vector<std::size_t> at = coordinates(dimensions, chip);
    for (std::size_t axis = 0; axis < at.size(); ++axis) {
      extent[axis] = std::max(extent[axis], at[axis] - low[axis] + 1);
    }
  }
  const std::size_t filled =
      std::accumulate(extent.begin(), extent.end(), std::size_t{1}, std::multiplies<>());
  if (filled != gpus.size()) {
    return {};
  }
  return {extent.begin(), extent.end()};
}

Loads torus_loads(Router& router, const GroupShape& shape) {
  const Topology& topology = router.topology();
  const std::vector<int>& dimensions = topology.dimensions();
  const std::vector<int> box = torus_box(topology, shape.gpus);
  MAKESPAN_CHECK(!box.empty(), "a box");
  const std::vector<std::size_t> low = origin(dimensions, shape.gpus);
  std::vector<std::uint64_t> parts = torus_parts(box);
  std::uint64_t busiest = 0;
  std::uint64_t axes = 0;
  for (std::size_t axis = 0; axis < box.size(); ++axis) {
    const bool is_ring = topology.wraps() && box[axis] == dimensions[axis];
    parts[axis] *= is_ring ? 1 : 2;  // on a line the ring's way back takes the other direction
    busiest = std::max(busiest, parts[axis]);
    axes += box[axis] > 1 ? 1 : 0;
  }
  LoadSum sum;
  Loads latency;
  double sent = 0;
  for (std::size_t axis = 0; axis < box.size(); ++axis) {
    const auto extent = static_cast<std::size_t>(box[axis]);
    const bool is_ring = topology.wraps() && box[axis] == dimensions[axis];
    for (const std::size_t chip : shape.gpus) {
      std::vector<std::size_t> next = coordinates(dimensions, chip);
      const std::size_t offset = next[axis] - low[axis];
      if (extent < 2 || (!is_ring && offset + 1 == extent)) {
        continue;
      }
      next[axis] = low[axis] + (offset + 1) % extent;
      const std::size_t neighbour = chip_at(dimensions, next);
      for (const Path& path : {router.path(chip, neighbour), router.path(neighbour, chip)}) {
        sum.add(path, LoadSum::share(parts[axis], busiest));
        latency.hop_latency = std::max(latency.hop_latency, path.latency);
      }
    }
    sent += 2 * static_cast<double>(parts[axis]) / static_cast<double>(busiest);
    latency.path_latency += latency.hop_latency * static_cast<std::int64_t>(extent - 1);
  }
  Loads loads;
  loads.uses = sum.uses();
  loads.rate = uncontended(topology, loads.uses);
  loads.numerator = busiest;
  loads.denominator = 2 * axes * shape.ranks();
  loads.sent = sent;
  loads.path_latency = latency.path_latency;
  loads.hop_latency = latency.hop_latency;
  return loads;
}

}  // namespace makespan
