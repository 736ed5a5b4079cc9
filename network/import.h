#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "network/fabrics.h"
#include "network/graph_spec.h"

namespace makespan {

// Readers of topologies as tools print them. Each takes the text of a file and the name that messages show,
// and returns the graph that the text describes; what the graph does not hold is in its warnings. Rates are
// what transfers get (network/import_rates.h), and vertices are in an order that does not depend on that of
// the text. Texts are hostile input: what is broken throws InputError with file, line and column, what was
// found and what is allowed.

struct NcclXmlOptions {
  /// The node that the file describes. Files of cloud providers list PCI devices alone: NVLink and the rate
  /// of the NICs are then those of this node, or none and that of the PCIe slot.
  std::optional<NodeSpec> node;
};

/// The inside of a node from the XML that NCCL and RCCL write (NCCL_TOPO_DUMP_FILE) and read
/// (NCCL_TOPO_FILE): GPUs in the order of `dev`, or of their bus addresses where the file has none,
/// NVSwitches as one vertex, PCIe bridges, sockets joined with each other, NICs in the order of `dev`.
///
/// NICs that no GPU is nearest to (storage, management) are left out. A speed of a NIC that no NIC has and
/// that is 1000 times one that exists is divided by 1000. Both with a warning.
[[nodiscard]] GraphSpec import_nccl_xml(std::string_view text, const std::string& file,
                                        const NcclXmlOptions& options = {});

/// Rates that `nvidia-smi topo -m` does not print. 0: what is usual around the generation of GPUs
/// (generation_rates()).
struct NvidiaSmiOptions {
  /// Of the GPUs; empty: the oldest one that has as many NVLinks (6 Volta, 12 Ampere, 18 Hopper), and Ampere
  /// where the matrix shows none.
  std::optional<Generation> generation;
  double nvlink = 0;  ///< of one NVLink
  double pcie = 0;    ///< of every PCIe link
  double host = 0;    ///< between sockets
  double nic = 0;     ///< of every NIC
};

/// The rates of `node`.
[[nodiscard]] NvidiaSmiOptions nvidia_smi_options(const NodeSpec& node);

/// The inside of a node from the matrix that `nvidia-smi topo -m` prints, with tabs or blanks, wrapped or
/// not.
///
/// GPUs whose NVLinks are more than their generation has are joined by an NVSwitch, others directly. PIX,
/// PXB, PHB, NODE and SYS become a tree of PCIe switches below sockets, in which a shorter distance in the
/// matrix is a shorter way; cells that contradict the tree are named in a warning. GPUs whose distance is
/// hidden behind NVLink share a socket where their NUMA or CPU affinities are equal. NICs that no GPU is
/// nearest to are left out.
[[nodiscard]] GraphSpec import_nvidia_smi(std::string_view text, const std::string& file,
                                          const NvidiaSmiOptions& options = {});

/// A fabric from what `ibnetdiscover` prints: switches, with tier 1 next to NICs, and NICs that carry the
/// name of their host. Cables between the same two switches are one link.
///
/// Each cable must be listed at both of its ends: a file in which one is missing is cut off. SHARP
/// aggregation nodes, routers and adapters without the name of a host are left out.
[[nodiscard]] GraphSpec import_ibnetdiscover(std::string_view text, const std::string& file);

/// Switches and hosts as schedulers know them: who is below whom, without speeds.
struct SwitchTree {
  struct Switch {
    std::string name;
    SourceLocation where;
    std::vector<std::string> switches;  ///< names of those below
    std::vector<std::string> hosts;
  };

  /// Hosts that share NVLink.
  struct Domain {
    std::string name;
    SourceLocation where;
    std::vector<std::string> hosts;
  };

  std::string file;
  std::vector<Switch> switches;
  std::vector<Domain> domains;
};

/// The graph of a tree: fabric switches with tier 1 above hosts, hosts (VertexKind::host, `node` is the
/// name), domains as NVSwitches. Bandwidths are 0, because nothing says them. Throws InputError for names
/// that are unknown or there twice, switches that are below two others or below themselves, a host below two
/// switches or in two domains, and a tree without hosts.
[[nodiscard]] GraphSpec tree_graph(const SwitchTree& tree);

/// The switches and hosts of a `topology.conf` of Slurm, of the plugin topology/tree (SwitchName, Nodes,
/// Switches) or topology/block (BlockName, Nodes, BlockSizes); see tree_graph().
[[nodiscard]] GraphSpec import_slurm(std::string_view text, const std::string& file);

/// A fabric from a graph of switches and hosts: every host has the NICs of `node` on its switch, and a switch
/// carries upwards what the NICs below it carry over `oversubscription`. Domains are left out. Throws
/// InputError when the graph has no switches, or `oversubscription` is below 1.
[[nodiscard]] GraphSpec with_nics(const GraphSpec& hosts, const NodeSpec& node,
                                  double oversubscription = 1.0);

/// One dimension of an ASTRA-sim network.
struct AstraSimDimension {
  std::string kind;      ///< Ring, FullyConnected or Switch
  int npus = 0;          ///< 1 to 1024
  double bandwidth = 0;  ///< of a link, GB/s (1e9 bytes)
  double latency = 0;    ///< of a link, ns
};

/// The GPUs of an ASTRA-sim network, the first dimension varying fastest. Throws InputError for an unknown
/// kind, numbers out of range and more than 65,536 GPUs.
[[nodiscard]] GraphSpec astra_sim_graph(const std::vector<AstraSimDimension>& dimensions,
                                        const SourceLocation& where);

/// The same from a network file of ASTRA-sim's analytical backend: lines `topology: [ Ring, Switch ]`,
/// `npus_count: [ 4, 8 ]`, `bandwidth: [ 200, 50 ]`, `latency: [ 50, 500 ]`.
[[nodiscard]] GraphSpec import_astra_sim(std::string_view text, const std::string& file);

}  // namespace makespan
