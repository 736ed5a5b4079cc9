#pragma once

#include <numeric>
#include <vector>

#include "network/collective.h"

namespace makespan::test {

struct Cluster {
  NodeSpec node;
  Topology topology;
  CollectivePlanner planner;

  Cluster(const NodeSpec& spec, int nodes, const FabricSpec& fabric = {})
      : node(spec),
        topology(build_cluster(spec, nodes, nodes > 1 ? fabric : FabricSpec{.kind = "none"})),
        planner(topology, nccl_options(spec)) {}
};

inline CollectiveChoice pinned(Algorithm algorithm, Protocol protocol = Protocol::simple) {
  return {.algorithm = algorithm, .protocol = protocol};
}

inline std::vector<std::size_t> first_gpus(std::size_t count) {
  std::vector<std::size_t> gpus(count);
  std::iota(gpus.begin(), gpus.end(), 0);
  return gpus;
}

/// The first `per_node` GPUs of every node.
inline std::vector<std::size_t> of_every_node(const Topology& topology, std::size_t per_node) {
  std::vector<std::size_t> gpus;
  for (std::size_t node = 0; node < topology.node_count(); ++node) {
    for (std::size_t i = 0; i < per_node; ++i) {
      gpus.push_back(topology.first_gpu(node) + i);
    }
  }
  return gpus;
}

/// Bytes per second, as nccl-tests prints it.
inline double bus_bandwidth(Cluster& cluster, CollectiveKind kind, const std::vector<std::size_t>& gpus,
                            std::int64_t payload, const CollectiveChoice& choice = {}) {
  const auto n = static_cast<double>(gpus.size());
  const double factor = (kind == CollectiveKind::all_reduce ? 2 : 1) * (n - 1) / n;
  const TransferPlan plan = cluster.planner.plan(kind, gpus, Bytes(payload), choice).transfer;
  return factor * static_cast<double>(payload) / seconds(cluster.planner.alone(plan));
}

}  // namespace makespan::test
