#include "scenarios/machine.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "core/text.h"
#include "network/import.h"

namespace makespan {

namespace {

const std::string kTopology = "cluster.topology";

/// "cluster.topology.slurm".
std::string topology_key(const std::string& name) {
  return kTopology + "." + name;
}

InputError error_at(const Cluster& cluster, const std::string& key, const std::string& what,
                    const std::string& hint = {}) {
  return {find_location(cluster.locations, key), key, what, hint};
}

/// Runs `make`; what it refuses is told at `key`.
template <class Make>
auto at_key(const Cluster& cluster, const std::string& key, Make make) {
  try {
    return make();
  } catch (const InputError& error) {
    throw error_at(cluster, key, error.what());
  }
}

std::string text_of(const Cluster& cluster, const std::string& key, const FilePath& file) {
  return read_named_file(cluster.locations, topology_key(key), file);
}

bool has_gpus(const ClusterGraph& graph) {
  return std::any_of(graph.vertices.begin(), graph.vertices.end(),
                     [](const ClusterVertex& vertex) { return vertex.kind == VertexKind::gpu; });
}

/// Of several sources of the same thing, the second.
void refuse_second(const Cluster& cluster, const std::vector<std::pair<std::string, bool>>& sources,
                   const std::string& what) {
  std::string first;
  for (const auto& [key, is_given] : sources) {
    if (is_given && !first.empty()) {
      throw error_at(cluster, topology_key(key), "cannot be given together with '" + first + "'",
                     "each describes " + what + "; keep one of them");
    }
    first = is_given ? key : first;
  }
}

void check_sources(const Cluster& cluster) {
  const GivenTopology& topology = cluster.topology;
  const bool has_graph = !topology.graph.vertices.empty();
  refuse_second(cluster,
                {{"nccl_xml", !topology.nccl_xml.empty()},
                 {"nvidia_smi", !topology.nvidia_smi.empty()},
                 {"graph", has_graph && has_gpus(topology.graph)}},
                "the inside of a node");
  refuse_second(cluster,
                {{"ibnetdiscover", !topology.ibnetdiscover.empty()},
                 {"slurm", !topology.slurm.empty()},
                 {"graph", has_graph}},
                "the fabric");
  if (!has_graph && !topology.graph.links.empty()) {
    throw error_at(cluster, topology_key("graph"), "has links and no vertices", "list the vertices");
  }
}

RoutingSpec routing_spec(const Fabric& fabric) {
  return {.mode = fabric.routing.mode,
          .subflows = static_cast<int>(fabric.routing.subflows),
          .seed = static_cast<std::uint64_t>(fabric.routing.seed)};
}

FabricSpec fabric_spec(const Fabric& fabric) {
  FabricSpec spec{.kind = fabric.kind,
                  .oversubscription = fabric.oversubscription,
                  .core_oversubscription = fabric.core_oversubscription,
                  .unit = static_cast<int>(fabric.unit),
                  .radix = static_cast<int>(fabric.radix),
                  .tiers = static_cast<int>(fabric.tiers),
                  .pod = static_cast<int>(fabric.pod),
                  .groups = static_cast<int>(fabric.groups),
                  .group_nodes = static_cast<int>(fabric.group_nodes),
                  .group_switches = static_cast<int>(fabric.group_switches),
                  .group_spines = static_cast<int>(fabric.group_spines),
                  .global_links = static_cast<int>(fabric.global_links),
                  .link = bytes_per_second(fabric.link),
                  .wrap = fabric.wrap,
                  .routing = routing_spec(fabric)};
  for (const std::int64_t size : fabric.dimensions) {
    spec.dimensions.push_back(static_cast<int>(size));
  }
  return spec;
}

NodeSpec node_spec(const Cluster& cluster) {
  NodeSpec node = at_key(cluster, "cluster.node", [&] { return find_node(cluster.node); });
  if (!cluster.fabric.transport.empty()) {
    node.transport = cluster.fabric.transport;
  }
  return node;
}

/// As many as are given; of a torus, where none are, as many as its axes have.
std::int64_t node_count(const Cluster& cluster) {
  const std::vector<std::int64_t>& dimensions = cluster.fabric.dimensions;
  if (cluster.fabric.kind != "torus" || dimensions.empty() || cluster.locations.contains("cluster.nodes")) {
    return cluster.nodes;
  }
  Bytes product(1);  // a checked count
  for (const std::int64_t size : dimensions) {
    product *= size;
  }
  return product.count();
}

/// The inside of a node.
GraphSpec inside_graph(const Cluster& cluster, const NodeSpec& node) {
  const GivenTopology& topology = cluster.topology;
  if (!topology.nccl_xml.empty()) {
    return import_nccl_xml(text_of(cluster, "nccl_xml", topology.nccl_xml), topology.nccl_xml.path, {node});
  }
  if (!topology.nvidia_smi.empty()) {
    return import_nvidia_smi(text_of(cluster, "nvidia_smi", topology.nvidia_smi), topology.nvidia_smi.path,
                             nvidia_smi_options(node));
  }
  return at_key(cluster, "cluster.node", [&] { return node_graph(node); });
}

/// What the graph of a node says of it.
void take_counts(NodeSpec& node, const GraphSpec& inside) {
  node.gpus = 0;
  node.nics = 0;
  for (const GraphVertex& vertex : inside.vertices) {
    node.gpus += vertex.kind == VertexKind::gpu ? 1 : 0;
    if (vertex.kind == VertexKind::nic) {
      ++node.nics;
      node.nic = vertex.bandwidth;
      node.nic_ports = vertex.ports;
    }
  }
}

/// The vertex that a link's end names.
std::size_t find_end(const Cluster& cluster, const std::map<std::string, std::size_t, std::less<>>& vertices,
                     const std::string& key, const std::string& name) {
  const auto found = vertices.find(name);
  if (found == vertices.end()) {
    std::vector<std::string_view> names;
    for (const auto& [known, index] : vertices) {
      names.push_back(known);
    }
    throw error_at(cluster, key, "there is no vertex '" + name + "'", suggestion(name, names));
  }
  return found->second;
}

GraphSpec graph_spec(const Cluster& cluster) {
  const ClusterGraph& given = cluster.topology.graph;
  GraphSpec graph;
  std::map<std::string, std::size_t, std::less<>> vertices;
  for (const ClusterVertex& vertex : given.vertices) {
    const std::string key = topology_key("graph.vertices[") + std::to_string(vertices.size()) + "]";
    if (!vertices.try_emplace(vertex.name, vertices.size()).second) {
      throw error_at(cluster, key + ".name", "'" + vertex.name + "' is there twice",
                     "give each its own name");
    }
    if (vertex.kind == VertexKind::fabric_switch && !vertex.node.empty()) {
      throw error_at(cluster, key + ".node", "a switch of the fabric is in no node", "remove it");
    }
    if (vertex.kind != VertexKind::fabric_switch && vertex.tier != 0) {
      throw error_at(cluster, key + ".tier", "only switches have tiers", "remove it");
    }
    graph.vertices.push_back({.name = vertex.name,
                              .kind = vertex.kind,
                              .node = vertex.node,
                              .tier = static_cast<int>(vertex.tier)});
  }
  for (const ClusterLink& link : given.links) {
    const std::string key = topology_key("graph.links[") + std::to_string(graph.links.size()) + "].ends";
    if (link.ends.size() != 2) {
      throw error_at(cluster, key, "names " + std::to_string(link.ends.size()) + " vertices",
                     "a link has two ends, as in [gpu0, switch]");
    }
    graph.links.push_back({.a = find_end(cluster, vertices, key, link.ends[0]),
                           .b = find_end(cluster, vertices, key, link.ends[1]),
                           .kind = link.kind,
                           .bandwidth = bytes_per_second(link.bandwidth),
                           .latency_s = seconds(link.latency),
                           .cables = static_cast<std::uint32_t>(link.cables)});
  }
  return graph;
}

/// The fabric of a given topology.
GraphSpec fabric_graph(const Cluster& cluster, const NodeSpec& node) {
  const GivenTopology& topology = cluster.topology;
  if (!topology.ibnetdiscover.empty()) {
    return import_ibnetdiscover(text_of(cluster, "ibnetdiscover", topology.ibnetdiscover),
                                topology.ibnetdiscover.path);
  }
  if (!topology.slurm.empty()) {
    const GraphSpec hosts = import_slurm(text_of(cluster, "slurm", topology.slurm), topology.slurm.path);
    return at_key(cluster, topology_key("slurm"),
                  [&] { return with_nics(hosts, node, cluster.fabric.oversubscription); });
  }
  return graph_spec(cluster);
}

/// The key of the fabric without which the cluster could be built; the fabric itself when there is none.
std::string blamed_key(const Cluster& cluster, const NodeSpec& node, const GraphSpec& inside,
                       const FabricSpec& fabric, int count) {
  using Reset = void (*)(FabricSpec&);
  constexpr std::array<std::pair<const char*, Reset>, 14> kResets = {{
      {"dimensions", [](FabricSpec& f) { f.dimensions = {}; }},
      {"pod", [](FabricSpec& f) { f.pod = 0; }},
      {"unit", [](FabricSpec& f) { f.unit = 0; }},
      {"tiers", [](FabricSpec& f) { f.tiers = 0; }},
      {"radix", [](FabricSpec& f) { f.radix = 0; }},
      {"groups", [](FabricSpec& f) { f.groups = 0; }},
      {"group_nodes", [](FabricSpec& f) { f.group_nodes = 0; }},
      {"group_switches", [](FabricSpec& f) { f.group_switches = 0; }},
      {"group_spines", [](FabricSpec& f) { f.group_spines = 0; }},
      {"global_links", [](FabricSpec& f) { f.global_links = 0; }},
      {"oversubscription", [](FabricSpec& f) { f.oversubscription = 1; }},
      {"core_oversubscription", [](FabricSpec& f) { f.core_oversubscription = 1; }},
      {"link", [](FabricSpec& f) { f.link = 0; }},
      {"kind", [](FabricSpec& f) { f.kind = FabricSpec{}.kind; }},
  }};
  for (const auto& [name, reset] : kResets) {
    std::string key = std::string("cluster.fabric.") + name;
    if (!cluster.locations.contains(key)) {
      continue;
    }
    FabricSpec without = fabric;
    reset(without);
    try {
      (void)build_cluster(node, inside, count, without);
      return key;
    } catch (const InputError&) {  // something else is wrong
    }
  }
  return "cluster.fabric";
}

Topology generated(const Cluster& cluster, const NodeSpec& node, const GraphSpec& inside) {
  const FabricSpec fabric = fabric_spec(cluster.fabric);
  const std::int64_t count = node_count(cluster);
  const auto gpus = std::count_if(inside.vertices.begin(), inside.vertices.end(),
                                  [](const GraphVertex& v) { return v.kind == VertexKind::gpu; });
  if (gpus > 0 && count > kMaxClusterGpus / gpus) {
    throw error_at(cluster, "cluster.nodes",
                   std::to_string(count) + " nodes of " + std::to_string(gpus) + " GPUs are more than the " +
                       std::to_string(kMaxClusterGpus) + " GPUs that can be simulated",
                   "at most " + std::to_string(kMaxClusterGpus / gpus) + " nodes");
  }
  try {
    return build_cluster(node, inside, static_cast<int>(count), fabric);
  } catch (const InputError& error) {
    throw error_at(cluster, blamed_key(cluster, node, inside, fabric, static_cast<int>(count)), error.what());
  }
}

/// Finds the keys of `cluster.fabric` that have no effect; of keys with a default, where another value is
/// given.
class VainFabricKeys {
 public:
  explicit VainFabricKeys(const Cluster& cluster)
      : cluster_(cluster), fabric_(cluster.fabric), is_given_(has_given_fabric(cluster.topology)) {}

  [[nodiscard]] std::vector<std::string> find() && {
    shape();
    routing();
    oversubscription();
    return std::move(warnings_);
  }

 private:
  void no_effect(const std::string& name, const std::string& why) {
    const std::string key = "cluster.fabric." + name;
    if (cluster_.locations.contains(key)) {
      warnings_.emplace_back(error_at(cluster_, key, "has no effect: " + why).what());
    }
  }

  void vain(const std::string& name, bool differs, bool has_use) {
    if (differs && is_given_) {
      no_effect(name, "the fabric is that of 'cluster.topology'");
    } else if (differs && !has_use) {
      no_effect(name, "a fabric of kind " + fabric_.kind + " has none");
    }
  }

  [[nodiscard]] bool is_tree() const { return fabric_.kind == "rail-fat-tree" || fabric_.kind == "fat-tree"; }

  [[nodiscard]] bool is_dragonfly() const { return fabric_.kind.starts_with("dragonfly"); }

  void shape() {
    const bool tree = is_tree();
    const bool dragonfly = is_dragonfly();
    const bool plus = fabric_.kind == "dragonfly-plus";
    vain("kind", fabric_.kind != usual_.kind, true);
    if (cluster_.topology.slurm.empty()) {
      vain("oversubscription", fabric_.oversubscription != 1, tree || plus);
    }
    vain("core_oversubscription", fabric_.core_oversubscription != 1, tree);
    vain("unit", fabric_.unit != 0, tree);
    vain("radix", fabric_.radix != 0, tree);
    vain("tiers", fabric_.tiers != 0, tree);
    vain("pod", fabric_.pod != 0, tree);
    vain("groups", fabric_.groups != 0, dragonfly);
    vain("group_nodes", fabric_.group_nodes != 0, dragonfly);
    vain("group_switches", fabric_.group_switches != 0, dragonfly);
    vain("group_spines", fabric_.group_spines != 0, plus);
    vain("global_links", fabric_.global_links != 0, dragonfly);
    vain("link", fabric_.link != Rate(0), tree || dragonfly || fabric_.kind == "torus");
    vain("dimensions", !fabric_.dimensions.empty(), fabric_.kind == "torus");
    vain("wrap", !fabric_.wrap, fabric_.kind == "torus");
  }

  void routing() {
    const Routing& routing = fabric_.routing;
    if (routing.mode != usual_.routing.mode && !is_given_ && !is_tree() && !is_dragonfly()) {
      no_effect("routing.kind", "a fabric of kind " + fabric_.kind + " has one way to go");
    }
    if (routing.mode != RoutingMode::hashed) {
      for (const auto& [name, differs] : {std::pair("subflows", routing.subflows != usual_.routing.subflows),
                                          std::pair("seed", routing.seed != usual_.routing.seed)}) {
        if (differs) {
          no_effect("routing." + std::string(name), "only ecmp hashes");
        }
      }
    }
  }

  /// One scalable unit uses no uplinks.
  void oversubscription() {
    if (is_given_ || !is_tree() || (fabric_.kind == "fat-tree" && fabric_.radix != 0)) {
      return;
    }
    const std::int64_t unit = fabric_.unit > 0 ? fabric_.unit : find_node(cluster_.node).unit;
    if (node_count(cluster_) <= unit && fabric_.oversubscription > 1) {
      no_effect("oversubscription",
                "up to " + std::to_string(unit) +
                    " nodes of this kind share their leaf switches, and no transfer leaves these");
    }
  }

  const Cluster& cluster_;
  const Fabric& fabric_;
  const Fabric usual_;
  bool is_given_;
  std::vector<std::string> warnings_;
};

void append(std::vector<std::string>& warnings, const std::vector<std::string>& more) {
  warnings.insert(warnings.end(), more.begin(), more.end());
}

}  // namespace

std::vector<std::string> fabric_warnings(const Cluster& cluster) {
  return VainFabricKeys(cluster).find();
}

std::span<const FabricKind> fabric_kinds() {
  static constexpr std::array<FabricKind, 7> kKinds = {{
      {"rail-fat-tree", "NICs of equal number in the nodes of a unit on one leaf, spines (and cores) above"},
      {"fat-tree", "all NICs of a node on one leaf, spines (and cores) above"},
      {"star", "one switch"},
      {"dragonfly", "groups of switches that are all joined, cables between all groups"},
      {"dragonfly-plus", "groups of leaves and spines, cables between all groups"},
      {"torus", "nodes joined to their neighbours, without switches and NICs"},
      {"none", "a single node"},
  }};
  return kKinds;
}

bool has_given_fabric(const GivenTopology& topology) {
  return !topology.ibnetdiscover.empty() || !topology.slurm.empty() || !topology.graph.vertices.empty();
}

Machine build_machine(const Cluster& cluster) {
  Machine machine;
  machine.node = node_spec(cluster);
  check_sources(cluster);
  const GivenTopology& topology = cluster.topology;
  const RoutingSpec routing = routing_spec(cluster.fabric);
  if (has_gpus(topology.graph)) {
    const GraphSpec graph = graph_spec(cluster);
    machine.topology = at_key(cluster, topology_key("graph"), [&] { return build_graph(graph, routing); });
  } else {
    const GraphSpec inside = inside_graph(cluster, machine.node);
    append(machine.warnings, inside.warnings);
    take_counts(machine.node, inside);
    if (has_given_fabric(topology)) {
      const GraphSpec fabric = fabric_graph(cluster, machine.node);
      append(machine.warnings, fabric.warnings);
      machine.topology = at_key(cluster, kTopology, [&] {
        return build_on_fabric(machine.node, inside, fabric, routing, machine.warnings);
      });
    } else {
      machine.topology = generated(cluster, machine.node, inside);
    }
  }
  const auto nodes = static_cast<std::int64_t>(machine.topology.node_count());
  const bool is_torus = !machine.topology.dimensions().empty();  // one node to NCCL, whose chips were counted
  if (!is_torus && cluster.locations.contains("cluster.nodes") && cluster.nodes != nodes) {
    throw error_at(cluster, "cluster.nodes",
                   "the topology has " + std::to_string(nodes) + (nodes == 1 ? " node" : " nodes") +
                       ", not " + std::to_string(cluster.nodes),
                   "remove it, or write " + std::to_string(nodes));
  }
  return machine;
}

MachineSize machine_size(const Cluster& cluster) {
  const GivenTopology& topology = cluster.topology;
  if (has_given_fabric(topology) || !topology.nccl_xml.empty() || !topology.nvidia_smi.empty()) {
    const Machine machine = build_machine(cluster);
    return {.nodes = static_cast<std::int64_t>(machine.topology.node_count()),
            .gpus = static_cast<std::int64_t>(machine.topology.gpu_count())};
  }
  const std::int64_t nodes = node_count(cluster);
  return {.nodes = nodes, .gpus = nodes * node_spec(cluster).gpus};
}

}  // namespace makespan
