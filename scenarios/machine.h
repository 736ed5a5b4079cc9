#pragma once

#include <string>
#include <vector>

#include "network/fabrics.h"
#include "network/topology.h"
#include "scenarios/reader.h"
#include "scenarios/scenario.h"

namespace makespan {

/// The hardware that a cluster describes; read_cluster() (scenarios/reader.h) reads one.
struct Machine {
  NodeSpec node;  ///< of the catalogue, with the cluster's transport: nccl_options() goes by it
  Topology topology;
  std::vector<std::string> warnings;  ///< what a measured topology holds and the model does not, in sentences
};

/// Throws InputError at the key that is wrong, and where a measured topology is broken.
[[nodiscard]] Machine build_machine(const Cluster& cluster);

}  // namespace makespan
