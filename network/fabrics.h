#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "network/topology.h"

namespace makespan {

/// A server and the fabric design it is sold with. Bandwidths are what NCCL carries, in bytes per second and
/// per direction, not line rates.
struct NodeSpec {
  std::string name;
  std::string accelerator;  ///< its name in the catalogue of accelerators
  int gpus = 8;
  double nvlink = 0;  ///< per GPU
  double pcie = 0;    ///< GPU to NIC
  int nics = 8;       ///< divides gpus: GPU g uses NIC g x nics / gpus
  double nic = 0;     ///< per NIC
  int unit = 32;      ///< nodes of a scalable unit: one leaf switch per rail
  /// The most that NCCL's low-latency protocol carries of a collective's bus bandwidth, on 1, 2 and more
  /// nodes.
  std::array<double, 3> low_latency = {87.7e9, 22.5e9, 19.0e9};
  std::string source;
};

[[nodiscard]] const std::vector<NodeSpec>& node_specs();

/// Throws InputError, with the nearest name or all there are, when there is none of that name.
[[nodiscard]] const NodeSpec& find_node(std::string_view name);

struct FabricSpec {
  std::string kind = "rail-fat-tree";  ///< or "none": a single node
  /// What the NICs below a leaf carry over what its uplinks carry.
  double oversubscription = 1.0;
  int unit = 0;  ///< nodes of a scalable unit; 0: the node's own
};

/// `count` nodes: in each, GPUs around an NVSwitch, and with a fabric NICs on a rail-optimised fat tree. NIC
/// r of every node of a scalable unit is on leaf r of that unit. With more than one unit, the uplinks of a
/// leaf are one trunk each way to an ideal spine (as adaptive routing approaches it), of capacity nodes of
/// the unit x NIC / oversubscription. Throws InputError for an unknown kind, a count below 1 or beyond 2^20
/// GPUs, an oversubscription below 1, and several nodes without a fabric.
[[nodiscard]] Topology build_cluster(const NodeSpec& node, int count, const FabricSpec& fabric = {});

}  // namespace makespan
