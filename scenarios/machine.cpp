#include "scenarios/machine.h"

#include <utility>

namespace makespan {

namespace {

/// Runs `make`; what it refuses is told at `key`.
template <class Make>
auto at_key(const Cluster& cluster, const std::string& key, Make make) {
  try {
    return make();
  } catch (const InputError& error) {
    throw InputError(find_location(cluster.locations, key), key, error.what());
  }
}

}  // namespace

Machine build_machine(const Cluster& cluster) {
  Machine machine;
  machine.node = at_key(cluster, "cluster.node", [&] { return find_node(cluster.node); });
  const FabricSpec fabric{.kind = cluster.fabric.kind, .oversubscription = cluster.fabric.oversubscription};
  machine.topology = at_key(cluster, "cluster.fabric", [&] {
    return build_cluster(machine.node, static_cast<int>(cluster.nodes), fabric);
  });
  return machine;
}

}  // namespace makespan
