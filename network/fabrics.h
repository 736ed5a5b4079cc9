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
  cube_mesh,  ///< the hybrid cube mesh of DGX-1V: 8 GPUs with 6 NVLinks each, one or two to a neighbour
  pcie,       ///< PCIe alone
};

/// GPU generations, as far as NCCL's constants tell them apart.
enum class Generation : std::uint8_t { volta, ampere, hopper, blackwell, cdna3, tpu };

/// A server, or more generally what NCCL calls a node: GPUs that share a scale-up network. Bandwidths are
/// what NCCL carries, in bytes per second and per direction, not line rates.
///
/// PCIe: GPU g is below PCIe switch g / gpus_per_switch, NICs are divided evenly among the switches in their
/// order, and the switches among the sockets. With one GPU per switch the switch is left out and the GPU has
/// a link to its NIC. Sockets are there where `host` is given, or PCIe is the only wiring.
struct NodeSpec {
  std::string name;
  std::string accelerator;  ///< its name in the catalogue of accelerators
  Generation generation = Generation::ampere;
  int gpus = 8;
  Wiring wiring = Wiring::nvswitch;
  double nvlink = 0;        ///< of a GPU to its switch; of one link in a mesh, cube mesh, or torus of nodes
  double nvls = 0;          ///< of a GPU in reductions inside NVSwitch; 0: its switch does not reduce
  int island = 0;           ///< GPUs that a mesh joins among themselves; 0: all of the node
  double pcie = 0;          ///< GPU to PCIe switch to NIC
  int gpus_per_switch = 1;  ///< GPUs, and their share of the NICs, below one PCIe switch
  int sockets = 2;
  double host = 0;  ///< between sockets; 0: nothing crosses them
  int nics = 8;
  int nic_ports = 1;                     ///< 2: the ports of a NIC are on two planes
  double nic = 0;                        ///< per NIC, its ports together
  std::string transport = "infiniband";  ///< what NCCL's network constants depend on; see nccl_options()
  int unit = 32;                         ///< nodes of a scalable unit: one leaf switch per rail
  /// The most that NCCL's low-latency protocol carries of a collective's bus bandwidth, on 1, 2 and more
  /// nodes.
  std::array<double, 3> low_latency = {87.7e9, 22.5e9, 19.0e9};
  std::string source = {};
};

/// By name.
[[nodiscard]] const std::vector<NodeSpec>& node_specs();

/// Throws InputError, with the nearest name or all there are, when there is none of that name.
[[nodiscard]] const NodeSpec& find_node(std::string_view name);

/// The inside of a node as a graph: GPUs, switches, sockets and NICs. Throws InputError for values out of
/// range, and for a wiring that the number of GPUs does not fit.
[[nodiscard]] GraphSpec node_graph(const NodeSpec& node);

/// What joins nodes. Fields that a kind does not have are ignored by it; the kinds that use each are in
/// brackets, both fat trees as "trees".
struct FabricSpec {
  /// rail-fat-tree: NIC r of every node of a scalable unit is on leaf r of that unit. fat-tree: the NICs of a
  /// node are on one leaf (classic). star: one switch. dragonfly, dragonfly-plus. torus: no NICs, chips
  /// joined to their neighbours. none: a single node.
  std::string kind = "rail-fat-tree";
  /// What the NICs below a leaf carry over what its uplinks carry [trees, dragonfly-plus].
  double oversubscription = 1.0;
  double core_oversubscription = 1.0;  ///< the same between spines and cores [trees]
  /// Nodes of a scalable unit, or of a rack [trees]. 0: the node's own; in a fat-tree of a given radix, as
  /// many as fit below a leaf.
  int unit = 0;
  int radix = 0;           ///< ports of a switch, as cables; 0: as many as two tiers need [trees]
  int tiers = 0;           ///< 1, 2 or 3; 0: as few as join all nodes [trees]
  int pod = 0;             ///< leaves below one set of spines where there are 3 tiers; 0: radix / 2 [trees]
  int groups = 0;          ///< 0: as many as the nodes need [dragonflies]
  int group_nodes = 0;     ///< nodes of a group; 0: the node's unit [dragonflies]
  int group_switches = 0;  ///< those of a group that have NICs; 0: see there [dragonflies]
  int group_spines = 0;    ///< the others; 0: as many as a leaf has cables to them [dragonfly-plus]
  int global_links = 0;    ///< cables between every two groups; 0: see there [dragonflies]
  double link = 0;  ///< bandwidth of a cable between switches, or chips; 0: that of a NIC's port, or of
                    ///< the node's NVLink [all but star and none]
  std::vector<int> dimensions = {};  ///< nodes along each axis [torus]
  bool wrap = true;                  ///< the axes are rings; an axis of two has one link [torus]
  RoutingSpec routing = {};
};

/// `count` nodes on a fabric.
///
/// With ideal and adaptive routing the switches above the leaves that are alike are one vertex, and parallel
/// cables one link (a trunk): spreading evenly over them is the same. With the other modes each switch is a
/// vertex and each cable a link. Vertex::count and Link::cables count hardware either way. Adaptive routing
/// takes 5 % off the links between switches.
///
/// Trees. The cables upwards from a leaf are what its NICs carry over the oversubscription, in whole cables
/// that share it evenly, dealt out to the spines in turn. There are as few spines as the radix allows, so
/// that every leaf has the same number of cables to each; the same for cores, where spine s of every pod is
/// on the same cores (Al-Fares et al., "A scalable, commodity data center network architecture", SIGCOMM
/// 2008). NICs with several ports have as many planes: separate trees.
///
/// Dragonflies (Kim et al., "Technology-driven, highly-scalable dragonfly topology", ISCA 2008; dragonfly+:
/// Shpiner et al., HiPINEB 2017). The ports of a group's NICs are dealt out to its switches in turn. Every
/// two switches of a dragonfly's group have a cable; in a dragonfly+ leaves and spines do, and global cables
/// end at spines. The global cables of a group are dealt out to its switches in turn, nearest group upwards
/// first. By default balanced: sqrt(2 x ports) switches (dragonfly), sqrt(ports) leaves (dragonfly+), and as
/// many global cables as ports, over the oversubscription.
///
/// Throws InputError for an unknown kind, a count below 1 or beyond 2^20 GPUs, values out of range, switches
/// with too few ports, and several nodes without a fabric.
[[nodiscard]] Topology build_cluster(const NodeSpec& node, int count, const FabricSpec& fabric = {});

/// The same with a node that is described by its graph (one vertex per GPU, NVSwitch, NIC, ...); `spec` gives
/// what the graph does not hold.
[[nodiscard]] Topology build_cluster(const NodeSpec& spec, const GraphSpec& node, int count,
                                     const FabricSpec& fabric);

/// A whole cluster that is described by its graph: `node` of each vertex says what is inside which node.
/// Nodes are numbered in the order of their first GPUs. NICs form rails where every switch that has NICs has
/// those of one number within their nodes. Cables between two switches are links of their own where routing
/// tells them apart. Throws InputError for a graph without GPUs, links between kinds of vertices that no
/// route crosses, links of a node that leave it, parallel links within nodes, and a GPU on two NVSwitches.
[[nodiscard]] Topology build_graph(const GraphSpec& cluster, const RoutingSpec& routing);

/// The graph of a fabric (switches, and NICs with the names of their hosts) filled with nodes, one per host,
/// in the order of their names, in which numbers count (gpu9 before gpu10). A host's NICs by name are those
/// of `node` by name; a port carries its share of the NIC or what its cable does, whichever is less. Links
/// between switches without a latency have that of the node's transport. Hosts with another number of NICs
/// are left out with a warning. Throws InputError when that leaves none, and as build_graph().
[[nodiscard]] Topology build_on_fabric(const NodeSpec& spec, const GraphSpec& node, const GraphSpec& fabric,
                                       const RoutingSpec& routing, std::vector<std::string>& warnings);

}  // namespace makespan
