#include "network/transfer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <map>
#include <set>

#include "core/error.h"
#include "core/int128.h"
#include "network/routing.h"

namespace makespan {

namespace {

constexpr std::uint64_t kUnit = Use::kUnitWeight;

std::uint64_t count(Bytes bytes) {
  return static_cast<std::uint64_t>(bytes.count());
}

std::uint64_t count(Rate rate) {
  return static_cast<std::uint64_t>(rate.count());
}

/// ceil(a * b / c) as bytes; 0 for 0.
Bytes scaled(Uint128 a, std::uint64_t b, std::uint64_t c) {
  const Uint128 result = a == 0 || b == 0 ? 0 : (a * b - 1) / c + 1;
  if (result > static_cast<Uint128>(std::numeric_limits<std::int64_t>::max())) {
    throw InfeasibleError("a transfer is larger than 2^63 bytes");
  }
  return Bytes(static_cast<std::int64_t>(result));
}

/// Sums the weights of each link.
std::vector<Use> merged(const std::map<ResourceId, std::uint64_t>& weights) {
  std::vector<Use> uses;
  uses.reserve(weights.size());
  for (const auto& [link, weight] : weights) {
    uses.push_back({link, static_cast<std::uint32_t>(weight)});
  }
  return uses;
}

/// The rate of a transfer that has its links for itself.
Rate uncontended(const Topology& topology, std::span<const Use> uses) {
  Rate rate{std::numeric_limits<std::int64_t>::max()};
  for (const Use& use : uses) {
    const Uint128 level = Uint128(count(topology.link(use.resource).capacity)) * kUnit / use.weight;
    if (level < count(rate)) {
      rate = Rate(static_cast<std::int64_t>(level));
    }
  }
  return rate;
}

/// What the transfer takes of each member. `sent` is the rate at which a member sends, links together.
void reserve(Route& route, const NcclOptions& options, int channels, double copies, double sent) {
  const auto ppm = [](double share) { return static_cast<std::uint32_t>(std::min(share, 1.0) * 1e6); };
  route.sm_ppm = options.sms > 0 ? ppm(static_cast<double>(channels) / options.sms) : 0;
  route.memory_ppm = options.memory_bandwidth > 0 ? ppm(copies * sent / options.memory_bandwidth) : 0;
}

/// The members on one node.
struct Island {
  std::vector<std::size_t> gpus;   ///< in the order of ranks
  std::vector<std::size_t> exits;  ///< by ascending NIC: the first member next to it
};

/// By the order in which nodes first appear among the members.
std::vector<Island> islands(const Topology& topology, std::span<const std::size_t> gpus) {
  std::vector<Island> result;
  std::map<std::uint32_t, std::size_t> island_of_node;
  for (const std::size_t gpu : gpus) {
    const auto [at, added] = island_of_node.try_emplace(topology.gpus()[gpu].node, result.size());
    if (added) {
      result.emplace_back();
    }
    result[at->second].gpus.push_back(gpu);
  }
  for (Island& island : result) {
    std::map<std::uint32_t, std::size_t> first_at_nic;
    for (const std::size_t gpu : island.gpus) {
      first_at_nic.try_emplace(topology.gpus()[gpu].nic, gpu);
    }
    for (const auto& [nic, gpu] : first_at_nic) {
      island.exits.push_back(gpu);
    }
  }
  return result;
}

/// What the members of an island pass on over NVLink, and the rings' hops from node to node.
void load_rings(const Topology& topology, const std::vector<Island>& nodes, RingShape& shape,
                std::map<ResourceId, std::uint64_t>& weights) {
  for (const Island& island : nodes) {
    const std::uint64_t members = island.gpus.size();
    const std::uint64_t passed_on =
        (kUnit * static_cast<std::uint64_t>(shape.rings) * (members - 1) + members - 1) / members;
    for (const std::size_t gpu : island.gpus) {
      if (passed_on > 0) {
        weights[topology.gpus()[gpu].nvlink.out] += passed_on;
        weights[topology.gpus()[gpu].nvlink.in] += passed_on;
      }
    }
  }
  for (std::size_t ring = 0; ring < static_cast<std::size_t>(shape.rings); ++ring) {
    Time around;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      Time hop;
      for (const ResourceId link :
           route(topology, nodes[i].exits[ring], nodes[(i + 1) % nodes.size()].exits[ring])) {
        weights[link] += kUnit;
        hop += topology.link(link).latency;
      }
      around += hop;
      shape.hop_latency = std::max(shape.hop_latency, hop);
    }
    shape.path_latency = std::max(shape.path_latency, around);
  }
}

int ceil_log2(std::int64_t value) {
  return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(value - 1)));
}

bool is_reduction(CollectiveKind kind) {
  return kind == CollectiveKind::all_reduce;
}

/// While nodes talk, a step over NVLink takes at least what posting a network operation takes: 1 us, 3 us
/// with Simple.
Time nvlink_step(const RingShape& shape, const NcclLatency& latency, bool simple) {
  constexpr Time kPost{1'000'000};
  return shape.nodes > 1 ? std::max(latency.nvlink, simple ? 3 * kPost : kPost) : latency.nvlink;
}

Time ring_latency(const NcclOptions& options, CollectiveKind kind, const RingShape& shape, Bytes payload,
                  bool simple) {
  const NcclLatency& latency = simple ? options.ring_simple : options.ring_ll;
  const std::int64_t rounds = is_reduction(kind) ? 2 : 1;
  const std::int64_t across = shape.nodes > 1 ? rounds * (shape.nodes - 1) : 0;
  const std::int64_t inside = rounds * (shape.ranks - 1) - across;
  const Time net = shape.ranks == shape.nodes ? latency.net_single : latency.net;
  Time total = latency.base + inside * nvlink_step(shape, latency, simple) + across * net;
  // "Plateau": with at least 64 bytes per channel and rank NCCL charges a Simple all-reduce across nodes 1.4
  // times.
  const bool plateau = simple && is_reduction(kind) && shape.nodes > 1 &&
                       payload.count() / 64 >= options.channels_across * shape.ranks;
  if (plateau) {
    total = Time((total * 14).count() / 10);
  }
  return total + rounds * shape.path_latency;
}

Time tree_latency(const NcclOptions& options, const RingShape& shape, bool simple) {
  const NcclLatency& latency = simple ? options.tree_simple : options.tree_ll;
  const std::int64_t per_node = (shape.ranks + shape.nodes - 1) / shape.nodes;
  const Time up = (per_node - 1) * nvlink_step(shape, latency, simple) +
                  ceil_log2(shape.nodes) * (latency.net + shape.hop_latency);
  return latency.base + 2 * up;
}

/// What LL sends in place of `amount`: at least `least_tenths` / 10 times as much, and so much more that its
/// bus bandwidth stays below the cap.
Bytes low_latency_amount(const NcclOptions& options, const RingShape& shape, Bytes amount,
                         std::uint64_t least_tenths) {
  const std::size_t row = static_cast<std::size_t>(std::min<std::int64_t>(shape.nodes, 3) - 1);
  const std::uint64_t bus = count(shape.rate) * static_cast<std::uint64_t>(shape.rings);
  return std::max(scaled(count(amount), least_tenths, 10),
                  scaled(count(amount), bus, count(options.low_latency_cap[row])));
}

constexpr std::uint64_t kTreeUnit = 10 << 20;

/// NCCL's empirical efficiency of trees (treeCorrectionFactor), a table by powers of two from 64 B on, in
/// kTreeUnit. Between them linear: with steps, more bytes would take less time.
std::uint64_t tree_efficiency(Bytes payload, bool simple) {
  constexpr std::array<std::uint8_t, 24> kSimple = {9, 9, 9, 9, 9, 9, 9, 8, 7, 6, 6, 5,
                                                    5, 5, 5, 6, 7, 8, 7, 7, 8, 9, 9, 9};
  constexpr std::array<std::uint8_t, 24> kLowLatency = {10, 10, 10, 10, 9, 8, 7, 7,  7,  7,  6,  5,
                                                        4,  4,  5,  6,  7, 8, 9, 10, 10, 10, 10, 10};
  const auto& table = simple ? kSimple : kLowLatency;
  const std::uint64_t bytes = std::max<std::uint64_t>(count(payload), 64);
  const auto power = static_cast<std::size_t>(std::bit_width(bytes) - 1);
  const std::size_t row = std::min(power - 6, table.size() - 1);
  const std::size_t next = std::min(row + 1, table.size() - 1);
  const auto beyond =
      static_cast<std::uint64_t>((Uint128(bytes - (std::uint64_t{1} << power)) << 20U) >> power);
  return table[row] * (std::uint64_t{1} << 20U) + beyond * table[next] - beyond * table[row];
}

/// 2 S per ring at 0.92 of the rate.
Bytes tree_amount(const RingShape& shape, Bytes payload, bool simple) {
  constexpr std::uint64_t kPercent = 92;
  return scaled(Uint128(2) * count(payload), 100 * kTreeUnit,
                kPercent * tree_efficiency(payload, simple) * static_cast<std::uint64_t>(shape.rings));
}

}  // namespace

NcclOptions nccl_options(const NodeSpec& node) {
  NcclOptions options;
  for (std::size_t i = 0; i < node.low_latency.size(); ++i) {
    options.low_latency_cap[i] = rate_from_bytes_per_second(node.low_latency[i]);
  }
  return options;
}

TransferPlan plan_send(const Topology& topology, const NcclOptions& options, std::size_t from, std::size_t to,
                       Bytes bytes) {
  MAKESPAN_CHECK(from != to, "a send has two ends");
  std::map<ResourceId, std::uint64_t> weights;
  const bool across = topology.gpus()[from].node != topology.gpus()[to].node;
  const NcclLatency& step = options.ring_simple;
  Time latency = step.base + (across ? step.net : step.nvlink);
  for (const ResourceId link : route(topology, from, to)) {
    weights[link] += kUnit;
    latency += topology.link(link).latency;
  }
  Route route;
  route.uses = merged(weights);
  route.members = {DeviceId(from), DeviceId(to)};
  reserve(route, options, options.channels_send, options.copies_move,
          bytes_per_second(uncontended(topology, route.uses)));
  return {std::move(route), {bytes, latency}};
}

RingShape ring_shape(const Topology& topology, const NcclOptions& options, CollectiveKind kind,
                     std::span<const std::size_t> gpus) {
  MAKESPAN_CHECK(std::set(gpus.begin(), gpus.end()).size() == gpus.size(), "each member once");
  RingShape shape;
  shape.ranks = static_cast<std::int64_t>(gpus.size());
  if (gpus.size() < 2) {
    return shape;
  }
  const std::vector<Island> nodes = islands(topology, gpus);
  shape.nodes = static_cast<std::int64_t>(nodes.size());
  std::map<ResourceId, std::uint64_t> weights;
  if (nodes.size() == 1) {
    for (const std::size_t gpu : gpus) {
      weights[topology.gpus()[gpu].nvlink.out] = kUnit;
      weights[topology.gpus()[gpu].nvlink.in] = kUnit;
    }
  } else {
    std::size_t rings = nodes.front().exits.size();
    for (const Island& island : nodes) {
      rings = std::min(rings, island.exits.size());
    }
    shape.rings = static_cast<std::int64_t>(rings);
    load_rings(topology, nodes, shape, weights);
  }
  shape.route.uses = merged(weights);
  shape.rate = uncontended(topology, shape.route.uses);
  for (const std::size_t gpu : gpus) {
    shape.route.members.emplace_back(gpu);
  }
  reserve(shape.route, options, nodes.size() == 1 ? options.channels_in_node : options.channels_across,
          is_reduction(kind) ? options.copies_reduce : options.copies_move,
          static_cast<double>(shape.rings) * bytes_per_second(shape.rate));
  return shape;
}

TransferWork ring_work(const NcclOptions& options, CollectiveKind kind, const RingShape& shape,
                       Bytes payload) {
  if (shape.ranks < 2 || payload == Bytes(0)) {
    return {};
  }
  const std::uint64_t rounds = is_reduction(kind) ? 2 : 1;
  const auto ranks = static_cast<std::uint64_t>(shape.ranks);
  const Bytes ring =
      scaled(Uint128(rounds) * (ranks - 1), count(payload), ranks * static_cast<std::uint64_t>(shape.rings));
  std::vector<TransferWork> candidates = {
      {ring, ring_latency(options, kind, shape, payload, true)},
      {low_latency_amount(options, shape, ring, 20), ring_latency(options, kind, shape, payload, false)}};
  if (is_reduction(kind) && shape.nodes > 1) {
    candidates.push_back({tree_amount(shape, payload, true), tree_latency(options, shape, true)});
    // A tree's LL carries 1 / 3.8 of what its Simple protocol does.
    candidates.push_back({low_latency_amount(options, shape, tree_amount(shape, payload, false), 38),
                          tree_latency(options, shape, false)});
  }
  const auto alone = [&](const TransferWork& work) {
    return seconds(work.latency) + static_cast<double>(work.amount.count()) / bytes_per_second(shape.rate);
  };
  return *std::min_element(candidates.begin(), candidates.end(),
                           [&](const TransferWork& a, const TransferWork& b) { return alone(a) < alone(b); });
}

TransferPlan plan_ring(const Topology& topology, const NcclOptions& options, CollectiveKind kind,
                       std::span<const std::size_t> gpus, Bytes payload) {
  RingShape shape = ring_shape(topology, options, kind, gpus);
  const TransferWork work = ring_work(options, kind, shape, payload);
  return {std::move(shape.route), work};
}

}  // namespace makespan
