#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/task_graph.h"
#include "network/fabrics.h"
#include "network/topology.h"
#include "scenarios/reader.h"
#include "scenarios/scenario.h"

namespace makespan {

/// The largest cluster.
inline constexpr std::int64_t kMaxClusterGpus = std::int64_t{1} << 20U;

/// The hardware that a cluster describes; read_cluster() (scenarios/reader.h) reads one.
struct Machine {
  /// Of the catalogue, with the cluster's transport and what a given topology says otherwise: nccl_options()
  /// goes by it.
  NodeSpec node;
  Topology topology;
  std::vector<CapacityChange>
      changes;  ///< of its links while it runs, by ascending time; see scenarios/faults.h
  std::vector<std::string> warnings;  ///< what a given topology holds and the model does not, in sentences
};

/// Throws InputError at the key that is wrong, and where a given topology is broken.
[[nodiscard]] Machine build_machine(const Cluster& cluster);

/// A sentence for each key of `cluster.fabric` that is given and changes nothing.
[[nodiscard]] std::vector<std::string> fabric_warnings(const Cluster& cluster);

struct MachineSize {
  std::int64_t nodes = 0;
  std::int64_t gpus = 0;
};

/// What build_machine() would have; builds only what has a given topology. Throws as it does.
[[nodiscard]] MachineSize machine_size(const Cluster& cluster);

/// What `cluster.fabric.kind` can be.
struct FabricKind {
  std::string_view name;
  std::string_view summary;
};

[[nodiscard]] std::span<const FabricKind> fabric_kinds();

/// Whether the fabric is that of a given topology, and `cluster.fabric` describes none.
[[nodiscard]] bool has_given_fabric(const GivenTopology& topology);

}  // namespace makespan
