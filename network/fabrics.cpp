#include "network/fabrics.h"

#include <algorithm>
#include <optional>

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
          .nvlink = 366e9,
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
      .nvlink = 682e9,
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

/// The GPUs of one node around its NVSwitch and, with a fabric, its NICs, joined to the leaves from
/// `first_leaf` on.
void add_node(Topology& topology, const NodeSpec& node, std::uint32_t number, std::size_t first_leaf,
              bool fabric) {
  const std::size_t nvswitch = topology.add_vertex({VertexKind::nvswitch, number, 0});
  const std::size_t first_nic = topology.nics().size();
  for (int rail = 0; fabric && rail < node.nics; ++rail) {
    const auto local = static_cast<std::uint32_t>(rail);
    const std::size_t leaf = first_leaf + local;
    Nic nic{.vertex = topology.add_vertex({VertexKind::nic, number, local}), .rail = local};
    nic.leaf = static_cast<std::uint32_t>(leaf);
    nic.port = topology.connect(nic.vertex, topology.leaves()[leaf].vertex, LinkKind::nic,
                                rate_from_bytes_per_second(node.nic), Time(0));
    topology.add(nic);
  }
  for (int g = 0; g < node.gpus; ++g) {
    const auto local = static_cast<std::uint32_t>(g);
    Gpu gpu{.vertex = topology.add_vertex({VertexKind::gpu, number, local}), .node = number, .local = local};
    gpu.nvlink = topology.connect(gpu.vertex, nvswitch, LinkKind::nvlink,
                                  rate_from_bytes_per_second(node.nvlink), Time(0));
    if (fabric) {
      gpu.nic = static_cast<std::uint32_t>(first_nic) + static_cast<std::uint32_t>(g * node.nics / node.gpus);
      gpu.pcie = topology.connect(gpu.vertex, topology.nics()[gpu.nic].vertex, LinkKind::pcie,
                                  rate_from_bytes_per_second(node.pcie), Time(0));
    }
    topology.add(gpu);
  }
}

/// The leaves of a unit of `nodes` nodes; joined to `spine` when there is one.
void add_leaves(Topology& topology, const NodeSpec& node, std::uint32_t unit, int nodes,
                double oversubscription, std::optional<std::size_t> spine) {
  // 64-byte messages on InfiniBand take 2.8 us under one leaf and 3.7 us across the spine (Zhao et al.,
  // "Insights into DeepSeek-V3", ISCA 2025): half of the difference on the way up, half on the way down.
  constexpr Time kTrunkLatency{450'000};
  for (int rail = 0; rail < node.nics; ++rail) {
    Leaf leaf{.vertex = topology.add_vertex({VertexKind::leaf, unit, static_cast<std::uint32_t>(rail)})};
    if (spine) {
      leaf.uplink =
          topology.connect(leaf.vertex, *spine, LinkKind::leaf_spine,
                           rate_from_bytes_per_second(nodes * node.nic / oversubscription), kTrunkLatency);
    }
    topology.add(leaf);
  }
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

Topology build_cluster(const NodeSpec& node, int count, const FabricSpec& fabric) {
  check(node, count, fabric);
  Topology topology;
  const bool joined = fabric.kind != "none";
  const int unit_nodes = fabric.unit > 0 ? fabric.unit : node.unit;
  std::optional<std::size_t> spine;
  if (joined && count > unit_nodes) {
    spine = topology.add_vertex({VertexKind::spine, 0, 0});
  }
  for (int first = 0, unit = 0; first < count; first += std::min(unit_nodes, count - first), ++unit) {
    const int size = std::min(unit_nodes, count - first);
    const std::size_t first_leaf = topology.leaves().size();
    if (joined) {
      add_leaves(topology, node, static_cast<std::uint32_t>(unit), size, fabric.oversubscription, spine);
    }
    for (int n = first; n < first + size; ++n) {
      add_node(topology, node, static_cast<std::uint32_t>(n), first_leaf, joined);
    }
  }
  return topology;
}

}  // namespace makespan
