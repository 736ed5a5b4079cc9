#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "network/graph_spec.h"
#include "network/topology.h"

namespace makespan {

/// What joins the GPUs of a node.
enum class Wiring : std::uint8_t {
  nvswitch,   ///< every GPU to a switch
  mesh,       ///< every GPU to every other by a link of its own (MI300X; 4 A100 of Perlmutter)
  cube_mesh,  ///< the hybrid cube mesh of DGX-1V: 8 GPUs with 6 NVLinks each
  pcie,       ///< PCIe alone
};

/// GPU generations, as far as NCCL's constants tell them apart.
enum class Generation : std::uint8_t { volta, ampere, hopper, blackwell, cdna3, tpu };

/// A server. Bandwidths are what NCCL carries, in bytes per second and per direction, not line rates.
struct NodeSpec {
  std::string name;
  std::string accelerator;  ///< its name in the catalogue of accelerators
  Generation generation = Generation::ampere;
  int gpus = 8;
  Wiring wiring = Wiring::nvswitch;
  double nvlink = 0;        ///< of a GPU to its switch; of one direct link in a mesh or cube mesh
  double nvls = 0;          ///< of a GPU in reductions inside NVSwitch; 0: its switch does not reduce
  double pcie = 0;          ///< GPU to PCIe switch to NIC
  int gpus_per_switch = 1;  ///< GPUs, and their share of the NICs, below one PCIe switch
  int sockets = 2;
  double host = 0;  ///< between sockets
  int nics = 8;
  int nic_ports = 1;                     ///< 2: the ports of a NIC are on two planes
  double nic = 0;                        ///< per NIC, its ports together
  std::string transport = "infiniband";  ///< what NCCL's network constants depend on; see nccl_options()
  int unit = 32;                         ///< nodes of a scalable unit: one leaf switch per rail
  /// The most that NCCL's low-latency protocol carries of a collective's bus bandwidth, on 1, 2 and more
  /// nodes.
  std::array<double, 3> low_latency = {87.7e9, 22.5e9, 19.0e9};
  std::string source;
};

[[nodiscard]] const std::vector<NodeSpec>& node_specs();

/// Throws InputError, with the nearest name or all there are, when there is none of that name.
[[nodiscard]] const NodeSpec& find_node(std::string_view name);

/// The inside of a node as a graph: GPUs, switches, sockets and NICs.
[[nodiscard]] GraphSpec node_graph(const NodeSpec& node);

/// What joins nodes. Fields that a kind does not have are ignored by it; the names of the kinds that use each
/// are in brackets.
struct FabricSpec {
  /// rail-fat-tree: NIC r of every node of a scalable unit is on leaf r of that unit. fat-tree: the NICs of a
  /// node are on one leaf (classic). star: one switch. dragonfly, dragonfly-plus. torus: no NICs, chips
  /// joined to their neighbours. none: a single node.
  std::string kind = "rail-fat-tree";
  /// What the NICs below a leaf carry over what its uplinks carry [rail-fat-tree, fat-tree, dragonfly-plus].
  double oversubscription = 1.0;
  double core_oversubscription = 1.0;  ///< the same between spines and cores [rail-fat-tree, fat-tree]
  int unit = 0;                        ///< nodes of a scalable unit (rack of fat-tree); 0: the node's own
  int radix = 64;                      ///< ports of a switch [rail-fat-tree, fat-tree]
  int tiers = 0;                       ///< 2 or 3; 0: 2 where the radix allows it [rail-fat-tree, fat-tree]
  int pod =
      0;  ///< leaves below one set of spines in a fabric of 3 tiers; 0: radix / 2 [rail-fat-tree, fat-tree]
  int groups = 0;                    ///< [dragonfly, dragonfly-plus]; 0: as many as the nodes need
  int group_nodes = 0;               ///< nodes of a group [dragonfly, dragonfly-plus]
  int group_switches = 0;            ///< switches of a group that have nodes [dragonfly, dragonfly-plus]
  int group_spines = 0;              ///< the other switches of a group [dragonfly-plus]
  int global_links = 0;              ///< between every two groups [dragonfly, dragonfly-plus]
  double link = 0;                   ///< bandwidth of one cable between switches; 0: that of a NIC
  std::vector<int> dimensions = {};  ///< chips along each axis [torus]
  bool wrap = true;                  ///< [torus] whether the axes are rings
  RoutingSpec routing = {};
};

/// `count` nodes on a fabric.
///
/// With ideal and adaptive routing the switches above the leaves that are alike are one vertex, and the
/// cables to them one link (a trunk): spreading evenly over them is the same. With the other modes each
/// switch is a vertex and each cable a link. Vertex::count and Link::cables count hardware either way.
/// Adaptive routing takes 5 % off the links between switches.
///
/// Throws InputError for an unknown kind, a count below 1 or beyond 2^20 GPUs, values out of range, and
/// several nodes without a fabric.
[[nodiscard]] Topology build_cluster(const NodeSpec& node, int count, const FabricSpec& fabric = {});

/// The same with a node that is described by its graph (one vertex per GPU, NVSwitch, NIC, ...); `spec` gives
/// what the graph does not hold.
[[nodiscard]] Topology build_cluster(const NodeSpec& spec, const GraphSpec& node, int count,
                                     const FabricSpec& fabric);

/// A whole cluster that is described by its graph: `node` of each vertex says what is inside which node.
/// Throws InputError for a graph without GPUs and links between kinds of vertices that nothing crosses.
[[nodiscard]] Topology build_graph(const GraphSpec& cluster, const RoutingSpec& routing);

/// The graph of a fabric (switches, and NICs with the names of their nodes) filled with nodes. NICs of a node
/// are matched by order of name with those of `node`. Hosts whose NICs are not all there are left out with a
/// warning.
[[nodiscard]] Topology build_on_fabric(const NodeSpec& spec, const GraphSpec& node, const GraphSpec& fabric,
                                       const RoutingSpec& routing, std::vector<std::string>& warnings);

}  // namespace makespan
