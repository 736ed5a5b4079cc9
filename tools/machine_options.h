#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scenarios/machine.h"

namespace makespan {

/// A cluster by a name of the library, a YAML file (of a cluster or a scenario), `-` for standard input, or
/// the name of a node of the catalogue: then `nodes` of it (0: not said) on its usual fabric. Throws
/// InputError.
[[nodiscard]] Cluster load_cluster(const std::string& name, const std::vector<std::string>& overrides,
                                   std::int64_t nodes = 0);

/// "8 nodes of dgx-h100 (dgx-h100-64)"; `topology` is what is built of the cluster.
[[nodiscard]] std::string cluster_text(const Cluster& cluster, const Topology& topology);
/// Of some nodes of it.
[[nodiscard]] std::string cluster_text(const Cluster& cluster, std::size_t nodes);

}  // namespace makespan
