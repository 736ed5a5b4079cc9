#include "network/fabrics.h"

#include <algorithm>
#include <optional>
#include <span>

#include "core/error.h"
#include "core/text.h"

namespace makespan {

namespace {

// Sources of what the rows share:
// - Bandwidth of a NIC and of PCIe as collectives see it: SimAI, calbusbw.h: HDR200 23.5, NDR400 48.5, PCIe
// 4 25.6,
//   PCIe 5 51.2 GB/s. nccl-tests on two DGX A100 (Azure ND A100 v4) reach 8 x 23.6 GB/s.
// - NVLink: measured ring bus bandwidth, ml-engineering, network: A100 235, H100 and H200 366, B200 682 GB/s.
// - Scalable units and one leaf per rail: NVIDIA DGX SuperPOD reference architectures.
// - Low-latency protocol: NCCL, tuning.cc, llMaxBws for Ampere (the default), Hopper, Blackwell.
NodeSpec dgx_a100(std::string name, std::string accelerator) {
  return {
      .name = std::move(name),
      .accelerator = std::move(accelerator),
      .generation = Generation::ampere,
      .nvlink = 235e9,
      .pcie = 25.6e9,
      .nic = 23.5e9,
      .unit = 20,
      .source =
          "NVIDIA DGX A100 (8 HDR200 NICs behind PCIe 4 switches), SuperPOD unit of 20 nodes; NCCL, SimAI, "
          "ml-engineering"};
}

NodeSpec dgx_hopper(std::string name, std::string accelerator) {
  return {.name = std::move(name),
          .accelerator = std::move(accelerator),
          .generation = Generation::hopper,
          .nvlink = 366e9,
          .nvls = 305e9,
          .pcie = 51.2e9,
          .nic = 48.5e9,
          .unit = 32,
          .low_latency = {141e9, 45e9, 35e9},
          .source =
              "NVIDIA DGX H100/H200 (8 NDR400 NICs, PCIe 5), SuperPOD unit of 32 nodes; NCCL, SimAI, "
              "ml-engineering"};
}

NodeSpec dgx_b200() {
  return {
      .name = "dgx-b200",
      .accelerator = "b200",
      .generation = Generation::blackwell,
      .nvlink = 682e9,
      .nvls = 541e9,
      .pcie = 51.2e9,
      .nic = 48.5e9,
      .unit = 32,
      .low_latency = {282e9, 90e9, 70e9},
      .source =
          "NVIDIA DGX B200 (8 NDR400 NICs, PCIe 5), SuperPOD unit of 32 nodes; NCCL, SimAI, ml-engineering"};
}

void check(const NodeSpec& node, int count, const FabricSpec& fabric) {
  constexpr int kMostGpus = 1 << 20;
  constexpr std::array<std::string_view, 2> kKinds = {"rail-fat-tree", "none"};
  if (std::find(kKinds.begin(), kKinds.end(), fabric.kind) == kKinds.end()) {
    throw InputError({}, {}, "there is no fabric '" + fabric.kind + "'", suggestion(fabric.kind, kKinds));
  }
  if (count < 1 || count > kMostGpus / node.gpus) {
    throw InputError({}, {}, "a cluster of " + std::to_string(count) + " nodes",
                     "from 1 to " + std::to_string(kMostGpus / node.gpus) + " nodes");
  }
  if (!(fabric.oversubscription >= 1.0 && fabric.oversubscription <= 1e6)) {
    throw InputError({}, {}, "oversubscription is out of range", "at least 1, at most 1e6");
  }
  if (fabric.unit < 0) {
    throw InputError({}, {}, "a scalable unit of " + std::to_string(fabric.unit) + " nodes",
                     "at least 1 node");
  }
  if (count > 1 && fabric.kind == "none") {
    throw InputError({}, {}, "several nodes need a fabric", "use rail-fat-tree");
  }
  MAKESPAN_CHECK(node.gpus > 0 && node.nics > 0 && node.gpus % node.nics == 0, "a node of the catalogue");
}

/// Adds the graph of a node as node `number`; its NICs only where `leaves` (the leaf of each) are given.
void add_node(Topology& topology, const GraphSpec& node, std::uint32_t number,
              std::span<const std::size_t> leaves) {
  std::vector<std::size_t> vertices;
  std::array<std::uint32_t, 6> locals{};
  for (const GraphVertex& vertex : node.vertices) {
    const bool is_present = vertex.kind != VertexKind::nic || !leaves.empty();
    std::uint32_t& local = locals[static_cast<std::size_t>(vertex.kind)];
    vertices.push_back(is_present ? topology.add_vertex({vertex.kind, number, local}) : ~std::size_t{0});
    if (vertex.kind == VertexKind::gpu) {
      topology.add(Gpu{.vertex = vertices.back(), .node = number, .local = local});
    } else if (vertex.kind == VertexKind::nic && is_present) {
      const Port port = topology.connect(vertices.back(), leaves[local], LinkKind::nic,
                                         rate_from_bytes_per_second(vertex.bandwidth), Time(0));
      topology.add(Nic{vertices.back(), number, local, {port}, {leaves[local]}});
    }
    ++local;
  }
  for (const GraphLink& link : node.links) {
    if (vertices[link.a] != ~std::size_t{0} && vertices[link.b] != ~std::size_t{0}) {
      topology.connect(vertices[link.a], vertices[link.b], link.kind,
                       rate_from_bytes_per_second(link.bandwidth), time_from_seconds(link.latency_s),
                       link.cables);
    }
  }
}

/// The leaves of a unit of `nodes` nodes; joined to `spine` when there is one.
std::vector<std::size_t> add_leaves(Topology& topology, const NodeSpec& node, std::uint32_t unit, int nodes,
                                    double oversubscription, std::optional<std::size_t> spine) {
  // 64-byte messages on InfiniBand take 2.8 us under one leaf and 3.7 us across the spine (Zhao et al.,
  // "Insights into DeepSeek-V3", ISCA 2025): half of the difference on the way up, half on the way down.
  constexpr Time kTrunkLatency{450'000};
  std::vector<std::size_t> leaves;
  for (int rail = 0; rail < node.nics; ++rail) {
    leaves.push_back(
        topology.add_vertex({VertexKind::fabric_switch, unit, static_cast<std::uint32_t>(rail), 1}));
    if (spine) {
      topology.connect(leaves.back(), *spine, LinkKind::leaf_spine,
                       rate_from_bytes_per_second(nodes * node.nic / oversubscription), kTrunkLatency);
    }
  }
  return leaves;
}

}  // namespace

const std::vector<NodeSpec>& node_specs() {
  static const std::vector<NodeSpec> table = {dgx_a100("dgx-a100-40gb", "a100-40gb"),
                                              dgx_a100("dgx-a100-80gb", "a100-80gb"), dgx_b200(),
                                              dgx_hopper("dgx-h100", "h100"), dgx_hopper("dgx-h200", "h200")};
  return table;
}

const NodeSpec& find_node(std::string_view name) {
  const std::vector<NodeSpec>& table = node_specs();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const NodeSpec& node) { return node.name == name; });
  if (found == table.end()) {
    std::vector<std::string_view> names;
    for (const NodeSpec& node : table) {
      names.push_back(node.name);
    }
    throw InputError({}, {}, "there is no node '" + std::string(name) + "'", suggestion(name, names));
  }
  return *found;
}

GraphSpec node_graph(const NodeSpec& node) {
  GraphSpec graph;
  const auto add = [&graph](VertexKind kind, double bandwidth) {
    graph.vertices.push_back({.name = {}, .kind = kind, .node = {}, .bandwidth = bandwidth});
    return graph.vertices.size() - 1;
  };
  const std::size_t nvswitch = add(VertexKind::nvswitch, 0);
  const std::size_t first_nic = graph.vertices.size();
  for (int n = 0; n < node.nics; ++n) {
    add(VertexKind::nic, node.nic);
  }
  for (int g = 0; g < node.gpus; ++g) {
    const std::size_t gpu = add(VertexKind::gpu, 0);
    const auto nic = first_nic + static_cast<std::size_t>(g * node.nics / node.gpus);
    graph.links.push_back({.a = gpu, .b = nvswitch, .kind = LinkKind::nvlink, .bandwidth = node.nvlink});
    graph.links.push_back({.a = gpu, .b = nic, .kind = LinkKind::pcie, .bandwidth = node.pcie});
  }
  return graph;
}

Topology build_cluster(const NodeSpec& node, int count, const FabricSpec& fabric) {
  return build_cluster(node, node_graph(node), count, fabric);
}

Topology build_cluster(const NodeSpec& node, const GraphSpec& graph, int count, const FabricSpec& fabric) {
  check(node, count, fabric);
  Topology topology;
  topology.set_routing(fabric.routing);
  topology.set_rails(true);
  const bool joined = fabric.kind != "none";
  const int unit_nodes = fabric.unit > 0 ? fabric.unit : node.unit;
  std::optional<std::size_t> spine;
  if (joined && count > unit_nodes) {
    spine = topology.add_vertex({VertexKind::fabric_switch, 0, 0, 2});
  }
  for (int first = 0, unit = 0; first < count; first += std::min(unit_nodes, count - first), ++unit) {
    const int size = std::min(unit_nodes, count - first);
    std::vector<std::size_t> leaves;
    if (joined) {
      leaves =
          add_leaves(topology, node, static_cast<std::uint32_t>(unit), size, fabric.oversubscription, spine);
    }
    for (int n = first; n < first + size; ++n) {
      add_node(topology, graph, static_cast<std::uint32_t>(n), leaves);
    }
  }
  topology.finish();
  return topology;
}

}  // namespace makespan
