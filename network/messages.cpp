#include "network/messages.h"

#include <algorithm>
#include <bit>
#include <string>

#include "core/error.h"
#include "core/int128.h"
#include "network/collective_loads.h"

namespace makespan {

namespace {

using SendIds = std::vector<std::uint32_t>;

std::uint64_t count(Bytes bytes) {
  return static_cast<std::uint64_t>(bytes.count());
}

/// floor(total x part / parts), so that the differences of neighbours sum to the total.
Bytes until(Bytes total, std::uint64_t part, std::uint64_t parts) {
  return Bytes(static_cast<std::int64_t>(Uint128(count(total)) * part / parts));
}

/// Piece `part` of `parts` pieces that sum to `total`.
Bytes piece(Bytes total, std::uint64_t part, std::uint64_t parts) {
  return until(total, part + 1, parts) - until(total, part, parts);
}

std::uint64_t rounds_of(CollectiveKind kind) {
  return kind == CollectiveKind::all_reduce ? 2 : 1;
}

bool is_rooted(CollectiveKind kind) {
  return kind == CollectiveKind::broadcast || kind == CollectiveKind::reduce;
}

/// Chunks that a stream through a chain or a tree is cut into: enough that filling the levels takes little
/// beside the stream itself, none below 32 KiB.
std::uint64_t stream_chunks(Bytes stream) {
  constexpr std::uint64_t kMost = 128;
  constexpr std::uint64_t kLeast = 32 << 10;
  return std::clamp<std::uint64_t>(count(stream) / kLeast, 1, kMost);
}

/// Collects hops and sends.
class Expander {
 public:
  Expander(CollectivePlanner& planner, CollectiveKind kind, std::span<const std::size_t> gpus, Bytes payload,
           const CollectivePlan& plan);

  Chunks run();

 private:
  struct Step {
    Time nvlink;
    Time net;
  };

  using Hops = std::vector<std::uint32_t>;

  /// The rings of the first phase within each node, those of the i-th members, those of the last phase:
  /// connections of their own, for parts of the payload pass each other.
  struct TwoLevels {
    std::vector<Hops> first;
    std::vector<Hops> across;
    std::vector<Hops> last;
  };

  void ring();
  void ring_across(std::size_t ring);
  void tree();
  void tree_of(const std::vector<int>& parents, std::size_t ring, Bytes stream);
  void hierarchical();
  void two_levels(const TwoLevels& hops, Bytes inside, Bytes across);
  void exchange(bool doubling);
  void direct();

  std::uint32_t hop(std::size_t from, std::size_t to);
  std::uint32_t hop(const Path& path, bool across);
  std::uint32_t send(std::uint32_t hop, Bytes bytes, SendIds after);
  std::vector<SendIds> around(std::span<const std::uint32_t> hops, Bytes bytes, std::uint64_t steps,
                              const std::vector<SendIds>& ready);
  void along(std::vector<std::uint32_t> hops, std::span<const std::size_t> senders, Bytes stream);
  [[nodiscard]] Step step() const;
  [[nodiscard]] Bytes inflated(std::uint64_t numerator, std::uint64_t denominator) const;
  [[nodiscard]] Time before_sends() const;
  void reserve_share();

  CollectivePlanner& planner_;
  CollectiveKind kind_;
  Bytes payload_;
  const CollectivePlan& plan_;
  GroupShape shape_;
  Loads loads_;  ///< of the same algorithm as one transfer
  Chunks chunks_;
};

Expander::Expander(CollectivePlanner& planner, CollectiveKind kind, std::span<const std::size_t> gpus,
                   Bytes payload, const CollectivePlan& plan)
    : planner_(planner),
      kind_(kind),
      payload_(payload),
      plan_(plan),
      shape_(group_shape(planner.router(), gpus)) {}

Chunks Expander::run() {
  chunks_.members = plan_.transfer.route.members;
  if (plan_.transfer.route.uses.empty()) {
    return std::move(chunks_);
  }
  switch (plan_.algorithm) {
    case Algorithm::ring:
      ring();
      break;
    case Algorithm::tree:
      tree();
      break;
    case Algorithm::hierarchical:
      hierarchical();
      break;
    case Algorithm::halving_doubling:
      exchange(false);
      break;
    case Algorithm::pat:
      exchange(true);
      break;
    case Algorithm::direct:
      direct();
      break;
    default:
      throw InputError({}, {}, std::string(to_string(plan_.algorithm)) + " has no messages to simulate",
                       "it reduces inside switches, or is a torus; fluid fidelity has it");
  }
  chunks_.base = before_sends();
  reserve_share();
  return std::move(chunks_);
}

/// NCCL's latency of a step of the plan's protocol.
Expander::Step Expander::step() const {
  const NcclOptions& options = planner_.options();
  const auto protocol = static_cast<std::size_t>(plan_.protocol);
  const bool is_tree = plan_.algorithm == Algorithm::tree;
  const StepLatency& latency = is_tree ? options.tree[protocol] : options.ring[protocol];
  const bool is_single = shape_.nodes() > 1 && shape_.ranks() == shape_.nodes();
  const double net = is_single ? options.tree[protocol].net : latency.net;
  const double flushes = plan_.protocol == Protocol::simple ? 2 : 1;
  const double nvlink =
      shape_.nodes() > 1 ? std::max(latency.nvlink, options.transport.post_us[protocol]) : latency.nvlink;
  return {time_from_seconds(nvlink * 1e-6),
          time_from_seconds((net + flushes * options.transport.nic_latency_us) * 1e-6)};
}

/// The bytes that the plan moves for numerator / denominator of the payload: with flags of LL and what else
/// its protocol adds.
Bytes Expander::inflated(std::uint64_t numerator, std::uint64_t denominator) const {
  const std::uint64_t rounds = plan_.algorithm == Algorithm::tree ? 1 : rounds_of(kind_);
  const Uint128 reference = Uint128(loads_.numerator) * rounds * denominator;
  const Uint128 wanted = Uint128(numerator) * loads_.denominator;
  return Bytes(
      static_cast<std::int64_t>((count(plan_.transfer.work.amount) * wanted + reference - 1) / reference));
}

/// What the plan's latency holds beyond the latencies on the longest way through the sends, and beyond rounds
/// that wait for each other.
Time Expander::before_sends() const {
  Time longest;
  std::vector<Time> ends;
  ends.reserve(chunks_.sends.size());
  for (const Chunks::Send& send : chunks_.sends) {
    Time start;
    for (const std::uint32_t before : send.after) {
      start = std::max(start, ends[before]);
    }
    ends.push_back(start + chunks_.hops[send.hop].latency);
    longest = std::max(longest, ends.back());
  }
  const double on_links = seconds(planner_.alone(plan_.transfer) - plan_.transfer.work.latency);
  const double in_rounds = static_cast<double>(rounds_of(kind_) * count(payload_)) * loads_.serial;
  const Time waits = time_from_seconds(std::max(in_rounds - on_links, 0.0));
  return std::max(plan_.transfer.work.latency - longest - waits, Time(0));
}

std::uint32_t Expander::hop(const Path& path, bool across) {
  Chunks::Hop hop;
  LoadSum sum;
  sum.add(path, LoadSum::kHop);
  hop.route.uses = sum.uses();
  hop.latency = (across ? step().net : step().nvlink) + path.latency;
  chunks_.hops.push_back(std::move(hop));
  return static_cast<std::uint32_t>(chunks_.hops.size() - 1);
}

std::uint32_t Expander::hop(std::size_t from, std::size_t to) {
  const auto& gpus = planner_.router().topology().gpus();
  return hop(planner_.router().path(from, to), gpus[from].node != gpus[to].node && shape_.nodes() > 1);
}

std::uint32_t Expander::send(std::uint32_t hop, Bytes bytes, SendIds after) {
  chunks_.sends.push_back({hop, bytes, std::move(after)});
  return static_cast<std::uint32_t>(chunks_.sends.size() - 1);
}

/// `steps` rounds on a closed ring: in each, every hop passes on what came over the hop before. `ready` are
/// the sends that hop i's first chunk waits for; returned are those that end at its receiver last.
std::vector<SendIds> Expander::around(std::span<const std::uint32_t> hops, Bytes bytes, std::uint64_t steps,
                                      const std::vector<SendIds>& ready) {
  std::vector<SendIds> last(hops.size());
  std::vector<std::uint32_t> before(hops.size());
  for (std::uint64_t s = 0; s < steps; ++s) {
    std::vector<std::uint32_t> now(hops.size());
    for (std::size_t i = 0; i < hops.size(); ++i) {
      SendIds after = s > 0 ? SendIds{before[(i + hops.size() - 1) % hops.size()]} : SendIds{};
      if (s == 0 && !ready.empty()) {
        after = ready[i];
      }
      now[i] = send(hops[i], piece(bytes, s, steps), std::move(after));
    }
    before = std::move(now);
  }
  for (std::size_t i = 0; i < hops.size(); ++i) {
    last[i] = {before[(i + hops.size() - 1) % hops.size()]};
  }
  return last;
}

/// A stream of chunks around a closed ring without the hop into the root (broadcast) or out of it (reduce).
/// `senders` are the members that the hops leave from.
void Expander::along(std::vector<std::uint32_t> hops, std::span<const std::size_t> senders, Bytes stream) {
  const auto root = std::find(senders.begin(), senders.end(), shape_.gpus.front()) - senders.begin();
  std::rotate(hops.begin(), hops.begin() + root, hops.end());
  if (kind_ == CollectiveKind::broadcast) {
    hops.pop_back();
  } else {
    hops.erase(hops.begin());
  }
  const std::uint64_t chunks = stream_chunks(stream);
  for (std::uint64_t c = 0; c < chunks; ++c) {
    SendIds after;
    for (const std::uint32_t at : hops) {
      after = {send(at, piece(stream, c, chunks), std::move(after))};
    }
  }
}

void Expander::ring() {
  const bool is_closed = !is_rooted(kind_);
  if (shape_.nodes() > 1) {
    for (std::size_t ring = 0; ring < shape_.rings; ++ring) {
      ring_across(ring);
    }
    return;
  }
  const InnerRings& inner = shape_.islands.front().inner;
  if (inner.is_mesh && shape_.ranks() > 2) {
    throw InputError({}, {}, "the rings over a mesh of direct links are one transfer, not messages",
                     "fluid fidelity has them; or choose the algorithm 'direct'");
  }
  const std::vector<std::vector<std::size_t>> in_order = {shape_.gpus};
  for (const auto& order : inner.orders.empty() ? in_order : inner.orders) {
    std::vector<std::uint32_t> hops;
    for (std::size_t i = 0; i < order.size(); ++i) {
      hops.push_back(hop(order[i], order[(i + 1) % order.size()]));
    }
    if (is_closed) {
      around(hops, plan_.transfer.work.amount, rounds_of(kind_) * (shape_.ranks() - 1), {});
    } else {
      along(std::move(hops), order, plan_.transfer.work.amount);
    }
  }
}

/// Ring `ring` enters every node at its exit next to that NIC and visits the members from there on; the last
/// hands over to the NIC.
void Expander::ring_across(std::size_t ring) {
  Router& router = planner_.router();
  std::vector<std::uint32_t> hops;
  std::vector<std::size_t> senders;
  for (std::size_t node = 0; node < shape_.nodes(); ++node) {
    const Island& island = shape_.islands[node];
    const std::size_t members = island.gpus.size();
    const auto entry = std::find(island.gpus.begin(), island.gpus.end(), island.exits[ring]);
    const auto first = static_cast<std::size_t>(entry - island.gpus.begin());
    for (std::size_t i = 0; i < members; ++i) {
      senders.push_back(island.gpus[(first + i) % members]);
    }
    for (std::size_t i = 0; i + 1 < members; ++i) {
      hops.push_back(hop(island.gpus[(first + i) % members], island.gpus[(first + i + 1) % members]));
    }
    const Island& next = shape_.islands[(node + 1) % shape_.nodes()];
    hops.push_back(hop(router.path(island.exits[ring], next.exits[ring]), true));
  }
  const Bytes amount = plan_.transfer.work.amount;
  if (is_rooted(kind_)) {
    along(std::move(hops), senders, amount);
  } else {
    around(hops, amount, rounds_of(kind_) * (shape_.ranks() - 1), {});
  }
}

void Expander::tree() {
  loads_ = tree_loads(planner_.router(), shape_, false);
  const auto [first, second] = double_binary_tree(shape_.nodes());
  const Bytes stream = inflated(1, 2 * shape_.rings);
  for (std::size_t ring = 0; ring < shape_.rings; ++ring) {
    tree_of(first, ring, stream);
    tree_of(second, ring, stream);
  }
}

/// Chunks climb the chain of each node to its exit, wait there for those of the children, go on to the
/// parent, and come back the same way.
void Expander::tree_of(const std::vector<int>& parents, std::size_t ring, Bytes stream) {
  struct Node {
    std::vector<std::uint32_t> up;    ///< the chain's hops towards the exit
    std::vector<std::uint32_t> down;  ///< and away from it
    std::uint32_t to_parent = 0;
    std::uint32_t from_parent = 0;
    std::vector<std::size_t> children;
    std::size_t depth = 0;
  };

  std::vector<Node> nodes(shape_.nodes());
  std::vector<std::size_t> by_depth(nodes.size());
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    by_depth[n] = n;
    const Island& island = shape_.islands[n];
    const std::size_t exit = island.exits[ring];
    std::vector<std::size_t> chain = {exit};
    std::copy_if(island.gpus.begin(), island.gpus.end(), std::back_inserter(chain),
                 [&](std::size_t gpu) { return gpu != exit; });
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
      nodes[n].up.insert(nodes[n].up.begin(), hop(chain[i + 1], chain[i]));
      nodes[n].down.push_back(hop(chain[i], chain[i + 1]));
    }
    if (parents[n] >= 0) {
      const auto parent = static_cast<std::size_t>(parents[n]);
      nodes[n].to_parent = hop(exit, shape_.islands[parent].exits[ring]);
      nodes[n].from_parent = hop(shape_.islands[parent].exits[ring], exit);
      nodes[parent].children.push_back(n);
    }
    for (int at = parents[n]; at >= 0; at = parents[static_cast<std::size_t>(at)]) {
      ++nodes[n].depth;
    }
  }
  std::stable_sort(by_depth.begin(), by_depth.end(),
                   [&](std::size_t a, std::size_t b) { return nodes[a].depth > nodes[b].depth; });
  const std::uint64_t chunks = stream_chunks(stream);
  for (std::uint64_t c = 0; c < chunks; ++c) {
    const Bytes bytes = piece(stream, c, chunks);
    std::vector<SendIds> arrived(nodes.size());  // at each exit
    for (const std::size_t n : by_depth) {
      SendIds after;
      for (const std::uint32_t at : nodes[n].up) {
        after = {send(at, bytes, std::move(after))};
      }
      arrived[n].insert(arrived[n].end(), after.begin(), after.end());
      if (parents[n] >= 0) {
        const std::uint32_t sent = send(nodes[n].to_parent, bytes, arrived[n]);
        arrived[static_cast<std::size_t>(parents[n])].push_back(sent);
      }
    }
    for (auto at = by_depth.rbegin(); at != by_depth.rend(); ++at) {
      Node& node = nodes[*at];
      SendIds after = arrived[*at];
      for (const std::size_t child : node.children) {
        arrived[child] = {send(nodes[child].from_parent, bytes, after)};
      }
      for (const std::uint32_t chain : node.down) {
        after = {send(chain, bytes, std::move(after))};
      }
    }
  }
}

/// Rings within every node, rings of the i-th members of all nodes, rings within every node; an all-gather
/// starts, a reduce-scatter ends with the second.
void Expander::hierarchical() {
  // Parts that are too small gain less from the overlap than their latencies cost.
  const std::uint64_t parts = count(payload_) / shape_.ranks_per_node() < (4U << 20U) ? 1 : 4;
  const std::size_t nodes = shape_.nodes();
  const std::size_t members = shape_.ranks_per_node();
  const std::uint64_t rounds = rounds_of(kind_);
  loads_ = hierarchical_loads(planner_.router(), shape_);
  TwoLevels hops{.first = std::vector<Hops>(nodes),
                 .across = std::vector<Hops>(members),
                 .last = std::vector<Hops>(nodes)};
  for (std::size_t n = 0; n < nodes; ++n) {
    for (std::size_t m = 0; m < members; ++m) {
      const Island& island = shape_.islands[n];
      const Path inside = planner_.router().path(island.gpus[m], island.gpus[(m + 1) % members]);
      hops.first[n].push_back(hop(inside, false));
      hops.last[n].push_back(hop(inside, false));
      hops.across[m].push_back(hop(island.gpus[m], shape_.islands[(n + 1) % nodes].gpus[m]));
    }
  }
  const Bytes inside = inflated(members - 1, members);
  const Bytes across = inflated(rounds * (nodes - 1), nodes * members);
  for (std::uint64_t part = 0; part < parts; ++part) {
    two_levels(hops, piece(inside, part, parts), piece(across, part, parts));
  }
}

void Expander::two_levels(const TwoLevels& hops, Bytes inside, Bytes across) {
  const std::size_t nodes = hops.first.size();
  const std::size_t members = hops.across.size();
  std::vector<std::vector<SendIds>> ready(nodes, std::vector<SendIds>(members));
  const auto within = [&](const std::vector<Hops>& rings) {
    for (std::size_t n = 0; n < nodes; ++n) {
      ready[n] = around(rings[n], inside, members - 1, ready[n]);
    }
  };
  if (kind_ != CollectiveKind::all_gather) {
    within(hops.first);
  }
  for (std::size_t m = 0; m < members; ++m) {
    std::vector<SendIds> first;
    for (std::size_t n = 0; n < nodes; ++n) {
      first.push_back(ready[n][m]);
    }
    const std::vector<SendIds> last = around(hops.across[m], across, rounds_of(kind_) * (nodes - 1), first);
    for (std::size_t n = 0; n < nodes; ++n) {
      ready[n][m] = last[n];
    }
  }
  if (kind_ != CollectiveKind::reduce_scatter) {
    within(hops.last);
  }
}

/// Rounds of pairs: every rank sends to one other and waits for what it received before it goes on.
void Expander::exchange(bool doubling) {
  const std::size_t ranks = shape_.ranks();

  struct Round {
    std::size_t distance;
    std::uint64_t shards;
  };

  std::vector<Round> rounds;
  for (std::size_t distance = 1; distance < ranks; distance *= 2) {
    const std::uint64_t shards =
        doubling ? (ranks - 1) / distance - (ranks - 1) / (2 * distance) : ranks / (2 * distance);
    rounds.push_back({distance, shards});
  }
  if (doubling) {
    loads_ = pat_loads(planner_.router(), shape_);
    // An all-gather doubles from the largest distance, with few shards, to the smallest; a reduce-scatter
    // runs back.
    if (kind_ == CollectiveKind::all_gather) {
      std::reverse(rounds.begin(), rounds.end());
    }
  } else {
    loads_ = halving_doubling_loads(planner_.router(), shape_);
    const std::vector<Round> halving = rounds;
    if (kind_ == CollectiveKind::all_gather) {
      std::reverse(rounds.begin(), rounds.end());
    } else if (kind_ == CollectiveKind::all_reduce) {
      rounds.insert(rounds.end(), halving.rbegin(), halving.rend());
    }
  }
  std::vector<SendIds> received(ranks);
  for (const Round& round : rounds) {
    std::vector<SendIds> next(ranks);
    for (std::size_t from = 0; from < ranks; ++from) {
      const std::size_t to = doubling ? (from + round.distance) % ranks : from ^ round.distance;
      next[to].push_back(
          send(hop(shape_.gpus[from], shape_.gpus[to]), inflated(round.shards, ranks), received[from]));
    }
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      next[rank].insert(next[rank].end(), received[rank].begin(), received[rank].end());
    }
    received = std::move(next);
  }
}

/// Every rank to every other, its next neighbours first, eight at a time; an all-reduce twice.
void Expander::direct() {
  constexpr std::size_t kBatch = 8;
  const std::size_t ranks = shape_.ranks();
  loads_ = direct_loads(
      planner_.router(), shape_, [](std::size_t, std::size_t) { return std::uint64_t{1}; }, ranks);
  std::vector<SendIds> received(ranks);
  for (std::uint64_t round = 0; round < rounds_of(kind_); ++round) {
    std::vector<SendIds> sent(ranks);
    std::vector<SendIds> next(ranks);
    for (std::size_t distance = 1; distance < ranks; ++distance) {
      for (std::size_t from = 0; from < ranks; ++from) {
        const std::size_t to = (from + distance) % ranks;
        // Sends beyond the first batch wait for what was received through those before them.
        SendIds after =
            sent[from].size() < kBatch ? received[from] : SendIds{sent[from][sent[from].size() - kBatch]};
        const std::uint32_t id =
            send(hop(shape_.gpus[from], shape_.gpus[to]), inflated(1, ranks), std::move(after));
        sent[from].push_back(id);
        next[to].push_back(id);
      }
    }
    received = std::move(next);
  }
}

/// What the collective reserves on its members, in equal parts to its connections: about as many are under
/// way at a time.
void Expander::reserve_share() {
  const auto hops = static_cast<std::uint32_t>(std::max<std::size_t>(chunks_.hops.size(), 1));
  for (Chunks::Hop& hop : chunks_.hops) {
    hop.route.members = chunks_.members;
    hop.route.sm_ppm = plan_.transfer.route.sm_ppm / hops;
    hop.route.memory_ppm = plan_.transfer.route.memory_ppm / hops;
  }
}

}  // namespace

bool has_messages(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::ring:
    case Algorithm::tree:
    case Algorithm::hierarchical:
    case Algorithm::pat:
    case Algorithm::direct:
    case Algorithm::halving_doubling:
      return true;
    default:
      return false;
  }
}

std::uint64_t count_sends(CollectivePlanner& planner, CollectiveKind kind, std::span<const std::size_t> gpus,
                          Bytes payload, Algorithm algorithm) {
  const GroupShape shape = group_shape(planner.router(), gpus);
  const std::uint64_t ranks = shape.ranks();
  const std::uint64_t rounds = rounds_of(kind);
  switch (algorithm) {
    case Algorithm::ring: {
      const std::uint64_t inner = shape.nodes() > 1
                                      ? shape.rings
                                      : std::max<std::uint64_t>(shape.islands.front().inner.orders.size(), 1);
      return inner * ranks * (is_rooted(kind) ? stream_chunks(payload) : rounds * (ranks - 1));
    }
    case Algorithm::tree:
      return 4 * shape.rings * ranks * stream_chunks(payload);
    case Algorithm::hierarchical:
      return ranks * rounds * (shape.ranks_per_node() + shape.nodes());
    case Algorithm::pat:
    case Algorithm::halving_doubling:
      return ranks * rounds * static_cast<std::uint64_t>(std::bit_width(ranks));
    case Algorithm::direct:
      return rounds * ranks * (ranks - 1);
    default:
      return 1;
  }
}

Chunks expand(CollectivePlanner& planner, CollectiveKind kind, std::span<const std::size_t> gpus,
              Bytes payload, const CollectivePlan& plan) {
  constexpr std::uint64_t kMost = 10'000'000;
  constexpr std::uint64_t kMostMembers = 1 << 28;
  if (const std::uint64_t sends = count_sends(planner, kind, gpus, payload, plan.algorithm); sends > kMost) {
    throw InfeasibleError("message by message, " + std::string(to_string(kind)) + " over " +
                          std::to_string(gpus.size()) + " GPUs takes about " + std::to_string(sends) +
                          " sends; at most " + std::to_string(kMost) + " are simulated: use fluid fidelity");
  }
  const std::uint64_t ranks = gpus.size();
  if (plan.algorithm == Algorithm::direct && ranks * (ranks - 1) * ranks > kMostMembers) {
    throw InfeasibleError("message by message, a direct " + std::string(to_string(kind)) + " over " +
                          std::to_string(ranks) + " GPUs has " + std::to_string(ranks * (ranks - 1)) +
                          " connections, each of which holds all GPUs; that is more than memory takes: use "
                          "fluid fidelity");
  }
  return Expander(planner, kind, gpus, payload, plan).run();
}

}  // namespace makespan
