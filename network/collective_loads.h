#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "core/int128.h"
#include "network/collective_group.h"

namespace makespan {

/// What an algorithm puts on links, whatever the payload S: the weights are the bytes that cross each link
/// per byte of the reference hop, rounded up to 1/1024; the reference hop carries S x numerator / denominator
/// in one round. An all-reduce takes two: what holds for a reduce-scatter, and again for an all-gather.
struct Loads {
  std::vector<Use> uses;
  std::uint64_t numerator = 0;
  std::uint64_t denominator = 1;
  double sent = 0;    ///< what a member sends, per byte of the reference hop
  Rate rate;          ///< of the reference hop, when nothing else runs
  Time path_latency;  ///< what links add along the whole of the slowest way (a ring, a send)
  Time hop_latency;   ///< ... on the slowest hop between two members or nodes
  /// Seconds per byte of S that rounds take which come one after the other and load different links; 0 where
  /// all links are busy at once.
  double serial = 0;
};

/// Sums hops over links, in 1/2^20 of the reference hop.
class LoadSum {
 public:
  static constexpr std::uint64_t kHop = 1 << 20;

  /// hops x a / b, rounded up.
  [[nodiscard]] static constexpr std::uint64_t share(std::uint64_t a, std::uint64_t b) {
    return (kHop * a + b - 1) / b;
  }

  void add(ResourceId link, std::uint64_t hops) { hops_[link] += hops; }

  void add(const Path& path, std::uint64_t hops);
  /// What every member of an island passes on to the next, `hops` each.
  void add_inside(Router& router, const Island& island, std::uint64_t hops);
  /// A stream that the switches merge with others: a link carries it once.
  void merge(const Use& use, std::uint64_t hops);

  [[nodiscard]] const std::map<ResourceId, std::uint64_t>& hops() const { return hops_; }

  [[nodiscard]] std::vector<Use> uses() const;

 private:
  std::map<ResourceId, std::uint64_t> hops_;
};

/// The rate of a transfer that has its links for itself.
[[nodiscard]] Rate uncontended(const Topology& topology, std::span<const Use> uses);

/// Which hops of a ring are in use: all, all but the one into the root (broadcast), all but the one out of
/// the root (reduce). The root is the first member.
enum class RingWay : std::uint8_t { closed, from_root, to_root };

/// Ring. In a node the reference hop is one member's to the next on one ring; across nodes it is one NIC's:
/// ring i leaves and enters a node by its i-th NIC next to a member, nodes follow each other as they first
/// appear, and each of the g members on a node passes on every ring but where it leaves the node.
/// Closed: (n - 1) / n x S / rings; else S / rings.
[[nodiscard]] Loads ring_loads(Router& router, const GroupShape& shape, RingWay way);

/// Double binary tree over nodes, a chain within each: S / (2 x rings) over each edge, up and down, which is
/// the reference hop; 2 S (g - 1) / g over NVLink per member: a whole all-reduce. With reductions inside
/// NVSwitch each member moves S (1 + 1 / g) in and out instead.
[[nodiscard]] Loads tree_loads(Router& router, const GroupShape& shape, bool in_switch);

/// Reductions inside one NVSwitch: S (1 + 1 / n) in and out of every member, the reference hop.
[[nodiscard]] Loads nvls_loads(const Topology& topology, const GroupShape& shape);

/// Reductions inside the switches of the fabric: S / rings up from each NIC, merged on the way to the first
/// node's leaf, and down again; the NIC's is the reference hop. Within nodes 2 S (g - 1) / g per member, with
/// reductions inside NVSwitch S (1 + 1 / g).
[[nodiscard]] Loads collnet_loads(Router& router, const GroupShape& shape, bool in_switch);

/// Within nodes, and rings of the i-th members of all nodes: (nodes - 1) / nodes x S / g from node to node,
/// the reference hop, and (g - 1) / g x S over NVLink. Requires is_even, several nodes, several members on
/// each.
[[nodiscard]] Loads hierarchical_loads(Router& router, const GroupShape& shape);

/// Parallel aggregated trees: every rank is the root of a binomial tree whose edges are the shorter the
/// nearer to the leaves; at distance 2^k a rank sends as many shards S / n as there are ranks below n whose
/// lowest bit is 2^k. The reference hop is all that the busiest NIC sends.
[[nodiscard]] Loads pat_loads(Router& router, const GroupShape& shape);

/// Every member to every other at once; the i-th sends parts(i, j) x S / denominator to the j-th. The
/// reference hop is a connection: each member keeps up to 8 in flight (NCCL's batch of sends), those of the
/// busiest NIC, or in a node of the busiest member, are equal.
[[nodiscard]] Loads direct_loads(Router& router, const GroupShape& shape,
                                 const std::function<std::uint64_t(std::size_t, std::size_t)>& parts,
                                 std::uint64_t denominator);

/// Recursive halving and doubling, nearest first: in round k the i-th member exchanges S / 2^(k + 1) with the
/// (i xor 2^k)-th, one round after the other. The reference hop is all that the
/// busiest NIC (in a node, member) sends. Requires a power of two.
[[nodiscard]] Loads halving_doubling_loads(Router& router, const GroupShape& shape);

/// Rings along the axes of a torus, in both directions where an axis closes and all of it takes part. S is
/// split evenly over the axes that the members extend along; each part is scattered (or gathered) along these
/// axes, starting with its own. The reference hop is a link of the busiest axis. Requires a box.
[[nodiscard]] Loads torus_loads(Router& router, const GroupShape& shape);

/// Extent along each axis of the box that the members fill; nothing where they fill none or there is no
/// torus.
[[nodiscard]] std::vector<int> torus_box(const Topology& topology, std::span<const std::size_t> gpus);

/// One path: S.
[[nodiscard]] Loads send_loads(Router& router, std::size_t from, std::size_t to);

}  // namespace makespan
