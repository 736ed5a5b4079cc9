#include "tools/machine_options.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

#include "scenarios/library.h"

namespace makespan {

namespace {

bool is_node(const std::string& name) {
  const std::vector<NodeSpec>& nodes = node_specs();
  return std::any_of(nodes.begin(), nodes.end(), [&](const NodeSpec& node) { return node.name == name; });
}

}  // namespace

Cluster load_cluster(const std::string& name, const std::vector<std::string>& overrides, std::int64_t nodes) {
  std::error_code error;
  if (is_node(name) && !find_in_library(LibraryKind::clusters, name) &&
      !std::filesystem::exists(name, error)) {
    const std::string count = nodes > 0 ? fmt::format("nodes: {}\n", nodes) : "";
    return parse_cluster(fmt::format("node: {}\n{}", name, count), name, overrides);
  }
  return read_cluster(name, overrides);
}

std::string cluster_text(const Cluster& cluster, const Topology& topology) {
  const bool is_torus = !topology.dimensions().empty();  // its chips are the nodes that a cluster counts
  return cluster_text(cluster, is_torus ? topology.gpu_count() : topology.node_count());
}

std::string cluster_text(const Cluster& cluster, std::size_t nodes) {
  return fmt::format("{} node{} of {}{}", nodes, nodes == 1 ? "" : "s", cluster.node,
                     cluster.name.empty() ? "" : " (" + cluster.name + ")");
}

}  // namespace makespan
