#include "network/collective_planning.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <optional>

#include "core/error.h"
#include "core/int128.h"
#include "network/collective_cost.h"

namespace makespan {

namespace {

constexpr std::array<Algorithm, 10> kAlgorithms = {
    Algorithm::ring, Algorithm::tree,      Algorithm::hierarchical,
    Algorithm::nvls, Algorithm::nvls_tree, Algorithm::collnet,
    Algorithm::pat,  Algorithm::direct,    Algorithm::halving_doubling,
    Algorithm::torus};
constexpr std::array<Protocol, kProtocols> kAllProtocols = {Protocol::simple, Protocol::ll, Protocol::ll128};

/// ceil(a * b / c) as bytes; 0 for 0.
Bytes scaled(Uint128 a, std::uint64_t b, Uint128 c) {
  const Uint128 result = a == 0 || b == 0 ? 0 : (a * b - 1) / c + 1;
  if (result > static_cast<Uint128>(std::numeric_limits<std::int64_t>::max())) {
    throw InfeasibleError("a transfer is larger than 2^63 bytes");
  }
  return Bytes(static_cast<std::int64_t>(result));
}

double seconds_at(Bytes amount, Rate rate) {
  return static_cast<double>(amount.count()) / bytes_per_second(rate);
}

std::uint64_t rounds(CollectiveKind kind) {
  return kind == CollectiveKind::all_reduce ? 2 : 1;
}

/// Whether the loads of an algorithm are those of a whole all-reduce, not of one of its two rounds.
bool is_whole_all_reduce(Algorithm algorithm) {
  return algorithm == Algorithm::tree || algorithm == Algorithm::nvls || algorithm == Algorithm::nvls_tree ||
         algorithm == Algorithm::collnet;
}

RingWay ring_way(CollectiveKind kind) {
  if (kind == CollectiveKind::broadcast) {
    return RingWay::from_root;
  }
  return kind == CollectiveKind::reduce ? RingWay::to_root : RingWay::closed;
}

bool has_protocol(Algorithm algorithm, Protocol protocol) {
  return protocol == Protocol::simple || algorithm == Algorithm::ring || algorithm == Algorithm::tree;
}

std::string names(std::span<const Algorithm> algorithms) {
  std::string text;
  for (const Algorithm algorithm : algorithms) {
    text += (text.empty() ? "" : ", ") + std::string(to_string(algorithm));
  }
  return text;
}

/// Whether the algorithm does the kind at all.
bool does(Algorithm algorithm, CollectiveKind kind) {
  const bool is_all_reduce = kind == CollectiveKind::all_reduce;
  const bool is_sharded =
      is_all_reduce || kind == CollectiveKind::all_gather || kind == CollectiveKind::reduce_scatter;
  bool runs = false;
  switch (algorithm) {
    case Algorithm::ring:
      runs = kind != CollectiveKind::all_to_all;
      break;
    case Algorithm::tree:
    case Algorithm::nvls:
    case Algorithm::nvls_tree:
    case Algorithm::collnet:
      runs = is_all_reduce;
      break;
    case Algorithm::pat:
      runs = is_sharded && !is_all_reduce;
      break;
    case Algorithm::direct:
      runs = is_sharded || kind == CollectiveKind::all_to_all;
      break;
    case Algorithm::hierarchical:
    case Algorithm::halving_doubling:
    case Algorithm::torus:
      runs = is_sharded;
      break;
  }
  return runs;
}

}  // namespace

CollectiveGroups::Group& CollectiveGroups::group(std::span<const std::size_t> gpus) {
  const auto [at, is_new] = groups_.try_emplace({gpus.begin(), gpus.end()});
  if (is_new) {
    at->second.shape = group_shape(router_, gpus);
  }
  return at->second;
}

const Loads& CollectiveGroups::loads(Group& group, Algorithm algorithm, RingWay way, bool in_switch) {
  const RingWay key = algorithm == Algorithm::ring ? way : RingWay::closed;
  const auto [at, is_new] = group.loads.try_emplace({algorithm, key});
  if (is_new) {
    at->second = compute(group.shape, algorithm, way, in_switch);
  }
  return at->second;
}

Loads CollectiveGroups::compute(const GroupShape& shape, Algorithm algorithm, RingWay way, bool in_switch) {
  switch (algorithm) {
    case Algorithm::ring:
      return ring_loads(router_, shape, way);
    case Algorithm::tree:
      return tree_loads(router_, shape, false);
    case Algorithm::nvls_tree:
      return tree_loads(router_, shape, true);
    case Algorithm::nvls:
      return nvls_loads(topology(), shape);
    case Algorithm::collnet:
      return collnet_loads(router_, shape, in_switch);
    case Algorithm::hierarchical:
      return hierarchical_loads(router_, shape);
    case Algorithm::pat:
      return pat_loads(router_, shape);
    case Algorithm::direct:
      return direct_loads(
          router_, shape, [](std::size_t, std::size_t) { return 1; }, shape.ranks());
    case Algorithm::halving_doubling:
      return halving_doubling_loads(router_, shape);
    case Algorithm::torus:
      break;
  }
  return torus_loads(router_, shape);
}

CollectivePlanning::CollectivePlanning(CollectiveGroups& groups, CollectiveGroups::Group& group,
                                       const NcclOptions& options, CollectiveKind kind, Bytes payload,
                                       const CollectiveChoice& choice)
    : groups_(groups), group_(group), options_(options), kind_(kind), payload_(payload), choice_(choice) {}

CollectiveCandidate CollectivePlanning::cheapest() {
  std::optional<CollectiveCandidate> best;
  for (const Algorithm algorithm : algorithms()) {
    const Loads& loads = groups_.loads(group_, algorithm, ring_way(kind_), reduces_in_switch());
    for (const Protocol protocol : protocols(algorithm)) {
      const CollectiveCandidate other = candidate(algorithm, protocol, loads);
      if (!best || other.seconds < best->seconds) {
        best = other;
      }
    }
  }
  MAKESPAN_CHECK(best, "there is always a ring, or direct");
  return *best;
}

CollectiveCandidate CollectivePlanning::candidate(Algorithm algorithm, Protocol protocol,
                                                  const Loads& loads) {
  CollectiveQuestion question{.kind = kind_,
                              .payload = static_cast<double>(payload_.count()),
                              .ranks = static_cast<double>(group_.shape.ranks()),
                              .nodes = static_cast<double>(group_.shape.nodes()),
                              .per_node = static_cast<double>(group_.shape.ranks_per_node()),
                              .nics = group_.shape.rings,
                              .channels = channels(algorithm),
                              .bus = ring_bus(),
                              .rounds = static_cast<double>(rounds_of(algorithm))};
  if (algorithm == Algorithm::halving_doubling) {
    question.hops_across = rounds_across();
  } else if (algorithm == Algorithm::torus) {
    for (const int extent : torus_box(groups_.topology(), group_.shape.gpus)) {
      question.torus_steps += extent - 1;
    }
  }
  const CollectiveCost cost = collective_cost(options_, question, algorithm, protocol, loads);
  CollectiveCandidate result{.algorithm = algorithm, .protocol = protocol, .loads = &loads, .work = {}};
  result.work.amount =
      scaled(Uint128(loads.numerator) * rounds_of(algorithm) * cost.wire,
             static_cast<std::uint64_t>(payload_.count()), Uint128(loads.denominator) * cost.data);
  const double on_links = seconds_at(result.work.amount, loads.rate);
  const double latency = cost.latency_us * 1e-6 + seconds(cost.link_latency);
  result.work.latency = time_from_seconds(latency + std::max(0.0, cost.bytes_s - on_links));
  result.seconds = latency + std::max(cost.bytes_s, on_links);
  return result;
}

int CollectivePlanning::channels(Algorithm algorithm) const {
  if (choice_.channels > 0) {
    return choice_.channels;
  }
  if (algorithm == Algorithm::nvls) {
    return options_.channels_nvls;
  }
  if (algorithm == Algorithm::direct) {
    return options_.channels_send_most;
  }
  return is_across() ? options_.channels_across : options_.channels_in_node;
}

int CollectivePlanning::busy_channels(const CollectiveCandidate& candidate) const {
  constexpr std::int64_t kThreads = 512;
  const bool is_ll_ring = candidate.protocol == Protocol::ll && candidate.algorithm == Algorithm::ring;
  const std::int64_t sharers = is_ll_ring ? static_cast<std::int64_t>(group_.shape.ranks()) : 1;
  const std::int64_t least = kThreads * sharers * (candidate.protocol == Protocol::simple ? 64 : 8);
  const std::int64_t busy = (payload_.count() + least - 1) / least;
  return static_cast<int>(std::clamp<std::int64_t>(busy, 1, channels(candidate.algorithm)));
}

bool CollectivePlanning::reduces_in_switch() const {
  return options_.nvls_rate > 0 && group_.shape.on_nvswitch;
}

std::uint64_t CollectivePlanning::rounds_of(Algorithm algorithm) const {
  return is_whole_all_reduce(algorithm) ? 1 : rounds(kind_);
}

/// What all rings together carry, in bytes per second.
double CollectivePlanning::ring_bus() {
  if (kind_ == CollectiveKind::all_to_all) {
    return 0;
  }
  const Loads& ring = groups_.loads(group_, Algorithm::ring, ring_way(kind_), false);
  return ring.sent * bytes_per_second(ring.rate);
}

std::size_t CollectivePlanning::rounds_across() const {
  const Topology& topology = groups_.topology();
  std::size_t across = 0;
  for (std::size_t distance = 1; distance < group_.shape.ranks(); distance *= 2) {
    const bool crosses = !topology.nics().empty() && topology.gpus()[group_.shape.gpus[0]].node !=
                                                         topology.gpus()[group_.shape.gpus[distance]].node;
    across += crosses ? 1 : 0;
  }
  return across;
}

std::string CollectivePlanning::obstacle(Algorithm algorithm) const {
  if (!does(algorithm, kind_)) {
    return "it does not do " + std::string(to_string(kind_));
  }
  constexpr std::size_t kLeastForNvls = 3;  // ncclNvlsInit of src/transport/nvls.cc
  switch (algorithm) {
    case Algorithm::ring:
    case Algorithm::direct:
      break;
    case Algorithm::tree:
      return is_across() ? "" : "all GPUs are on one node";
    case Algorithm::nvls:
    case Algorithm::nvls_tree:
      if (!reduces_in_switch()) {
        return "these GPUs are not on NVSwitches that reduce";
      }
      if (group_.shape.least_per_node() < kLeastForNvls) {
        return "it needs at least three GPUs on every node";
      }
      if (is_across() != (algorithm == Algorithm::nvls_tree)) {
        return is_across() ? "the GPUs are on several nodes" : "all GPUs are on one node";
      }
      break;
    case Algorithm::collnet:
      if (options_.transport.name != "infiniband") {
        return "switches reduce on InfiniBand alone, not on " + std::string(options_.transport.name);
      }
      return is_across() ? "" : "all GPUs are on one node";
    case Algorithm::hierarchical:
      return is_across() && group_.shape.is_even && group_.shape.ranks_per_node() > 1
                 ? ""
                 : "it needs several nodes with equally many GPUs, at least two";
    case Algorithm::pat:
      return group_.shape.ranks() == group_.shape.nodes() ? "" : "it needs one GPU per node";
    case Algorithm::halving_doubling:
      return std::has_single_bit(group_.shape.ranks()) ? "" : "the number of GPUs is not a power of two";
    case Algorithm::torus:
      return torus_box(groups_.topology(), group_.shape.gpus).empty() ? "the GPUs are not a box of a torus"
                                                                      : "";
  }
  return {};
}

std::vector<Algorithm> CollectivePlanning::algorithms() const {
  if (choice_.algorithm) {
    const std::string why = obstacle(*choice_.algorithm);
    if (!why.empty()) {
      std::vector<Algorithm> possible(kAlgorithms.begin(), kAlgorithms.end());
      std::erase_if(possible, [&](Algorithm algorithm) { return !obstacle(algorithm).empty(); });
      throw InputError({}, "algorithm",
                       "cannot run as " + std::string(to_string(*choice_.algorithm)) + ": " + why,
                       "one of " + names(possible));
    }
    return {*choice_.algorithm};
  }
  std::vector<Algorithm> considered = {Algorithm::ring, Algorithm::tree, Algorithm::nvls,
                                       Algorithm::nvls_tree, Algorithm::torus};
  if (options_.automatic_pat) {
    considered.push_back(Algorithm::pat);
  }
  if (kind_ == CollectiveKind::all_to_all) {
    considered = {Algorithm::direct};
  }
  std::erase_if(considered, [&](Algorithm algorithm) {
    return !obstacle(algorithm).empty() || (choice_.protocol && !has_protocol(algorithm, *choice_.protocol));
  });
  return considered;
}

std::vector<Protocol> CollectivePlanning::protocols(Algorithm algorithm) const {
  if (choice_.protocol && *choice_.protocol != Protocol::simple && !options_.gpu.has_low_latency) {
    throw InputError({}, "protocol", "these chips have no " + std::string(to_string(*choice_.protocol)),
                     "simple");
  }
  std::vector<Protocol> protocols;
  for (const Protocol protocol : kAllProtocols) {
    const bool is_considered = choice_.protocol ? protocol == *choice_.protocol
                                                : protocol != Protocol::ll128 || options_.automatic_ll128;
    const bool exists = protocol == Protocol::simple || options_.gpu.has_low_latency;
    if (is_considered && exists && has_protocol(algorithm, protocol)) {
      protocols.push_back(protocol);
    }
  }
  return protocols;
}

void check_protocol(CollectiveKind kind, const CollectiveChoice& choice) {
  if (!choice.protocol || *choice.protocol == Protocol::simple) {
    return;
  }
  const bool fits = choice.algorithm ? has_protocol(*choice.algorithm, *choice.protocol)
                                     : kind != CollectiveKind::all_to_all;
  if (!fits) {
    throw InputError({}, "protocol",
                     "there is no " + std::string(to_string(*choice.protocol)) + " of " +
                         std::string(choice.algorithm ? to_string(*choice.algorithm) : to_string(kind)),
                     "simple; ll and ll128 exist for ring and tree");
  }
}

}  // namespace makespan
