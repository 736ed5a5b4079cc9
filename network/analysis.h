#pragma once

#include <cstdint>
#include <map>

#include "network/topology.h"

namespace makespan {

/// What a cluster is made of, as hardware: one vertex may stand for several switches, one link for several
/// cables.
struct Inventory {
  std::size_t nodes = 0;
  std::size_t gpus = 0;
  std::size_t nics = 0;
  std::map<int, std::uint64_t> switches;     ///< of the fabric, by tier
  std::map<LinkKind, std::uint64_t> cables;  ///< both directions are one

  bool operator==(const Inventory&) const = default;
};

[[nodiscard]] Inventory inventory(const Topology& topology);

/// Bytes per second that one half of the GPUs can send to the other half at once, whatever routing does: the
/// maximal flow (Boykov and Kolmogorov's algorithm, of Boost.Graph) from all GPUs of the nodes below nodes /
/// 2 (rounded down) to those of the other nodes; in a single node, from the GPUs below gpus / 2. 0 for a
/// single GPU. Rates are rounded down to whole bytes per second.
[[nodiscard]] double bisection_bandwidth(const Topology& topology);

/// The longest of the shortest ways, in links that have any capacity, whatever routing does.
struct Diameter {
  int switches =
      0;         ///< between two switches that NICs are on, over switches alone; other planes do not count
  int gpus = 0;  ///< between two GPUs
  bool connected =
      true;  ///< whether every GPU reaches every other; those that do not reach each other do not count
};

[[nodiscard]] Diameter diameter(const Topology& topology);

}  // namespace makespan
