#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "network/path.h"
#include "network/routing_fabric.h"
#include "network/routing_node.h"
#include "network/topology.h"

namespace makespan {

/// Finds paths through a topology, by its RoutingSpec, over links that have any capacity. Within a node as
/// NodeRouter says. Between nodes from the sender's NIC to the receiver's, its ports sharing evenly, as
/// FabricRouter says; where NICs form rails and theirs differ, first over NVLink to the GPU of the sender's
/// node that has the receiver's rail (PXN).
///
/// Keeps what it found: not for use by several threads at once. The topology must outlive it and not change.
class Router {
 public:
  explicit Router(const Topology& topology)
      : topology_(topology),
        inside_(topology),
        fabric_(topology),
        lanes_(lanes(topology)),
        merged_(topology.links().size()) {}

  [[nodiscard]] const Topology& topology() const { return topology_; }

  /// Nothing from a GPU to itself. Throws InfeasibleError when no route leads there.
  [[nodiscard]] Path path(std::size_t from, std::size_t to);

  /// The GPU that hands over to the fabric on the way from `from` to `to`, on another node: `from` itself, or
  /// the one that PXN goes through.
  [[nodiscard]] std::size_t exit_gpu(std::size_t from, std::size_t to) const;

 private:
  using Lanes = std::vector<std::vector<std::uint32_t>>;

  [[nodiscard]] static Lanes lanes(const Topology& topology);
  [[nodiscard]] Path across(std::size_t from, std::size_t to);
  [[nodiscard]] Path between_nics(std::size_t from, std::size_t to);
  [[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> ports(const Nic& out, const Nic& in);
  void merge_duplicates(std::vector<Use>& uses);
  [[noreturn]] void no_route(std::size_t from, std::size_t to) const;

  const Topology& topology_;
  NodeRouter inside_;
  FabricRouter fabric_;
  Lanes lanes_;  ///< by NIC and port: its number among the NICs on its switch

  /// Where a link is first named in the uses that are merged.
  struct Place {
    std::uint32_t merge = 0;  ///< the number of the merge that this is of
    std::size_t use = 0;
  };

  std::vector<Place> merged_;  ///< by link
  std::uint32_t merges_ = 0;
};

/// The links of one path, in order; for a single question: a Router answers many.
[[nodiscard]] std::vector<ResourceId> route(const Topology& topology, std::size_t from, std::size_t to);

}  // namespace makespan
