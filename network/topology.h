#pragma once

#include <boost/graph/adjacency_list.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.h"

namespace makespan {

enum class VertexKind : std::uint8_t { gpu, nvswitch, nic, leaf, spine };

/// Something that links join. `group` is the node of a GPU, NVSwitch or NIC, and the scalable unit of a leaf;
/// `local` counts GPUs and NICs within a node, leaves within a unit.
struct Vertex {
  VertexKind kind = VertexKind::gpu;
  std::uint32_t group = 0;
  std::uint32_t local = 0;
};

/// The classes that links are reported under.
enum class LinkKind : std::uint8_t { nvlink, pcie, nic, leaf_spine };

[[nodiscard]] std::string_view to_string(LinkKind kind);  ///< "nvlink", "pcie", "nic", "leaf-spine"

/// One direction of a connection.
struct Link {
  std::size_t from = 0;  ///< vertices
  std::size_t to = 0;
  LinkKind kind = LinkKind::nvlink;
  Rate capacity;
  /// What the hop adds to a message's latency beyond NCCL's constants, which hold for one switch between two
  /// nodes.
  Time latency;
};

/// What an edge of the graph carries: which link it is.
struct Edge {
  std::uint32_t link = 0;
};

/// A connection seen from one end: out is away from it.
struct Port {
  ResourceId out;
  ResourceId in;
};

struct Gpu {
  std::size_t vertex = 0;
  std::uint32_t node = 0;
  std::uint32_t local = 0;  ///< within the node
  Port nvlink{};            ///< to the node's NVSwitch
  Port pcie{};              ///< to its NIC, where there are NICs
  std::uint32_t nic = 0;    ///< index into nics(), where there are NICs
};

struct Nic {
  std::size_t vertex = 0;
  std::uint32_t rail = 0;  ///< NICs of equal number within their nodes are of one rail
  Port port{};             ///< to its leaf
  std::uint32_t leaf = 0;  ///< index into leaves()
};

struct Leaf {
  std::size_t vertex = 0;
  Port uplink{};  ///< to the spine, where there is one
};

/// A cluster as a graph of directed links. A link is one resource that transfers share: its index is its
/// ResourceId. GPUs are numbered node by node; the numbers are the DeviceIds of transfers. Switches forward
/// at any rate.
class Topology {
 public:
  /// Vertices carry what they are, edges the index of their link.
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Vertex, Edge>;

  std::size_t add_vertex(const Vertex& vertex);
  /// Joins `a` and `b` by a link each way; the port as seen from `a`.
  Port connect(std::size_t a, std::size_t b, LinkKind kind, Rate capacity, Time latency);

  void add(const Gpu& gpu) { gpus_.push_back(gpu); }

  void add(const Nic& nic) { nics_.push_back(nic); }

  void add(const Leaf& leaf) { leaves_.push_back(leaf); }

  [[nodiscard]] const Graph& graph() const { return graph_; }

  [[nodiscard]] const std::vector<Link>& links() const { return links_; }

  [[nodiscard]] const Link& link(ResourceId link) const { return links_[link.index()]; }

  [[nodiscard]] const std::vector<Gpu>& gpus() const { return gpus_; }

  /// Empty in a single node without a fabric.
  [[nodiscard]] const std::vector<Nic>& nics() const { return nics_; }

  [[nodiscard]] const std::vector<Leaf>& leaves() const { return leaves_; }

  [[nodiscard]] std::size_t gpu_count() const { return gpus_.size(); }

 private:
  Graph graph_;
  std::vector<Link> links_;
  std::vector<Gpu> gpus_;
  std::vector<Nic> nics_;
  std::vector<Leaf> leaves_;
};

/// "n3.gpu2", "n3.nvswitch", "n3.nic2", "u0.leaf2" (scalable unit 0, rail 2), "spine".
[[nodiscard]] std::string vertex_name(const Topology& topology, std::size_t vertex);

/// "n3.gpu2->n3.nvswitch".
[[nodiscard]] std::string link_name(const Topology& topology, ResourceId link);

/// The links from one GPU to another, in order; none from a GPU to itself. Within a node through the
/// NVSwitch. Between nodes on the receiver's rail: PCIe, NIC, leaf, (spine, leaf,) NIC, PCIe; a sender of
/// another rail first hands over through the NVSwitch to the GPU of its own node that has the receiver's
/// local number (NCCL's PXN). Throws InfeasibleError between nodes that no fabric joins.
[[nodiscard]] std::vector<ResourceId> route(const Topology& topology, std::size_t from, std::size_t to);

}  // namespace makespan
