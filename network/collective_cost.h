#pragma once

#include "network/collective.h"
#include "network/collective_loads.h"

namespace makespan {

/// What the time of one way to carry out a collective is made of, beyond what its links say.
struct CollectiveCost {
  double latency_us = 0;  ///< steps, without what links add
  Time link_latency;      ///< what links add to the steps
  /// The least time that the protocol takes for its bytes, in seconds; links may take longer.
  double bytes_s = 0;
  /// Wire bytes over data bytes: flags of LL and LL128.
  std::uint64_t wire = 1;
  std::uint64_t data = 1;
};

/// What is asked, and who takes part.
struct CollectiveQuestion {
  CollectiveKind kind = CollectiveKind::all_reduce;
  double payload = 0;  ///< S, bytes
  double ranks = 1;
  double nodes = 1;
  double per_node = 1;   ///< the most members on one node
  std::size_t nics = 1;  ///< in use on each node
  int channels = 1;
  double bus = 0;               ///< of a ring over these members, bytes per second
  double rounds = 1;            ///< 2 for an all-reduce
  std::size_t hops_across = 0;  ///< of halving and doubling: rounds between nodes
  double torus_steps = 0;       ///< along the axes of a torus
};

/// NCCL's time for rings, trees and what reduces in switches; of the others the same constants with their own
/// steps. `loads` are those of the algorithm. The formulas: docs/explanation/network.md.
[[nodiscard]] CollectiveCost collective_cost(const NcclOptions& options, const CollectiveQuestion& question,
                                             Algorithm algorithm, Protocol protocol, const Loads& loads);

/// Of a send of `bytes`; `is_across`: to another node.
[[nodiscard]] CollectiveCost send_cost(const NcclOptions& options, double bytes, bool is_across,
                                       const Loads& loads);

/// Channels that a send within a node spreads over, before rounding: enough for none to carry more than its
/// share.
[[nodiscard]] double send_channels(const NcclOptions& options, double bytes);

}  // namespace makespan
