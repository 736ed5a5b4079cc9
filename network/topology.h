#pragma once

#include <boost/graph/adjacency_list.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/units.h"

namespace makespan {

enum class VertexKind : std::uint8_t { gpu, nvswitch, pcie_switch, host, nic, fabric_switch };

/// "gpu", "nvswitch", "pcie-switch", "host", "nic" and "switch".
[[nodiscard]] std::string_view to_string(VertexKind kind);

/// Of fabric switches: "leaf", "spine", "core", "tier 4".
[[nodiscard]] std::string tier_name(int tier);

/// Something that links join. `group` is the node of what is inside a node, and the scalable unit, pod or
/// group of a fabric switch; `local` counts within the group, by kind.
struct Vertex {
  VertexKind kind = VertexKind::gpu;
  std::uint32_t group = 0;
  std::uint32_t local = 0;
  std::uint8_t tier = 0;    ///< of a fabric switch: 1 where NICs are attached (leaf), 2 spine, 3 core
  std::uint32_t count = 1;  ///< physical switches that this vertex stands for
};

/// The classes that links are reported under.
enum class LinkKind : std::uint8_t { nvlink, pcie, host, nic, leaf_spine, spine_core, local, global, ici };

/// "nvlink", "pcie", "host" (between sockets), "nic", "leaf-spine", "spine-core", "local" and "global"
/// (within and between the groups of a dragonfly), "ici" (between the chips of a torus).
[[nodiscard]] std::string_view to_string(LinkKind kind);

/// One direction of a connection.
struct Link {
  std::size_t from = 0;  ///< vertices
  std::size_t to = 0;
  LinkKind kind = LinkKind::nvlink;
  Rate capacity;  ///< of all its cables together
  /// What the hop adds to a message's latency beyond NCCL's constants, which hold for one switch between two
  /// nodes.
  Time latency;
  std::uint32_t cables = 1;  ///< physical cables that this link stands for
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

inline constexpr std::uint32_t kNoIndex = ~std::uint32_t{0};

struct Gpu {
  std::size_t vertex = 0;
  std::uint32_t node = 0;  ///< its NVLink domain, and host: what NCCL calls a node
  std::uint32_t local = 0;
  Port nvlink{};                 ///< to the node's NVSwitch, where there is one
  std::uint32_t nic = kNoIndex;  ///< index into nics() of the nearest; kNoIndex where the node has none
  bool on_nvswitch = false;
};

/// A NIC may have ports on several switches (dual planes); it splits what it sends evenly over them.
struct Nic {
  std::size_t vertex = 0;
  std::uint32_t node = 0;
  std::uint32_t local = 0;                 ///< NICs of equal number within their nodes are of one rail
  std::vector<Port> ports;                 ///< to its switches
  std::vector<std::size_t> switches = {};  ///< vertices, one per port
};

enum class RoutingMode : std::uint8_t {
  ideal,     ///< spread evenly over all shortest paths, as packet spraying approaches it
  hashed,    ///< ECMP: each of `subflows` sub-flows takes one of the shortest paths by a hash
  fixed,     ///< deterministic: at each switch the number of the port in gives the port out, so that what
             ///< comes in by different ports of one leaf and goes to one other leaf never meets
  adaptive,  ///< ideal over links that carry 95 % of their rate, with detours inside a dragonfly's group
  ordered,   ///< the first of the shortest paths
};

struct RoutingSpec {
  RoutingMode mode = RoutingMode::ideal;
  int subflows = 1;        ///< of hashed routing; Llama 3 used 16
  std::uint64_t seed = 1;  ///< of the hash
};

/// A cluster as a graph of directed links. A link is one resource that transfers share: its index is its
/// ResourceId. GPUs are numbered node by node; the numbers are the DeviceIds of transfers. Switches forward
/// at any rate.
class Topology {
 public:
  /// Vertices carry what they are, edges the index of their link.
  using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::bidirectionalS, Vertex, Edge>;

  std::size_t add_vertex(const Vertex& vertex);
  /// A vertex that is called `name`; the others are called by what they are.
  std::size_t add_vertex(const Vertex& vertex, std::string name);
  /// Joins `a` and `b` by a link each way; the port as seen from `a`. `capacity` is that of all cables
  /// together.
  Port connect(std::size_t a, std::size_t b, LinkKind kind, Rate capacity, Time latency,
               std::uint32_t cables = 1);

  void add(const Gpu& gpu) { gpus_.push_back(gpu); }

  void add(Nic nic) { nics_.push_back(std::move(nic)); }

  /// Called once, when everything is there: finds each GPU's port to an NVSwitch and its nearest NIC (fewest
  /// links away, then the one that fewest GPUs have, then the lowest). Requires GPUs and NICs by ascending
  /// node.
  void finish();

  void set_routing(const RoutingSpec& routing) { routing_ = routing; }

  /// Whether NICs of equal number share leaves, so that a sender does well to hand over within its node to
  /// the GPU next to the receiver's rail (NCCL's PXN).
  void set_rails(bool rails) { rails_ = rails; }

  /// GPUs as the chips of a torus, numbered along the first axis first; `wrap`: the axes are rings.
  void set_torus(std::vector<int> dimensions, bool wrap) {
    dimensions_ = std::move(dimensions);
    wrap_ = wrap;
  }

  void set_capacity(ResourceId link, Rate capacity) { links_[link.index()].capacity = capacity; }

  void add_latency(ResourceId link, Time latency) { links_[link.index()].latency += latency; }

  [[nodiscard]] const Graph& graph() const { return graph_; }

  [[nodiscard]] const Vertex& vertex(std::size_t vertex) const { return graph_[vertex]; }

  [[nodiscard]] const std::vector<Link>& links() const { return links_; }

  [[nodiscard]] const Link& link(ResourceId link) const { return links_[link.index()]; }

  /// The other direction of the same connection.
  [[nodiscard]] ResourceId reverse(ResourceId link) const { return ResourceId(link.index() ^ 1U); }

  [[nodiscard]] const std::vector<Gpu>& gpus() const { return gpus_; }

  /// Node by node; empty where no fabric joins the nodes.
  [[nodiscard]] const std::vector<Nic>& nics() const { return nics_; }

  [[nodiscard]] std::size_t gpu_count() const { return gpus_.size(); }

  [[nodiscard]] std::size_t node_count() const { return gpus_.empty() ? 0 : gpus_.back().node + 1; }

  /// The first GPU of `node`, and of the one after the last.
  [[nodiscard]] std::size_t first_gpu(std::size_t node) const { return first_gpu_[node]; }

  [[nodiscard]] const RoutingSpec& routing() const { return routing_; }

  [[nodiscard]] bool rails() const { return rails_; }

  /// Chips along each axis of a torus; none where it is no torus.
  [[nodiscard]] const std::vector<int>& dimensions() const { return dimensions_; }

  [[nodiscard]] bool wraps() const { return wrap_; }

  /// "n3.gpu2", "n3.nvswitch", "n3.pcie0", "n3.cpu1", "n3.nic2", "u0.leaf2" (scalable unit 0, leaf 2),
  /// "p0.spine1", "p0.core3", or the name it was given.
  [[nodiscard]] std::string vertex_name(std::size_t vertex) const;

 private:
  void find_nvlink_ports();
  void assign_nics();

  Graph graph_;
  std::vector<Link> links_;
  std::vector<Gpu> gpus_;
  std::vector<Nic> nics_;
  std::vector<std::size_t> first_gpu_;
  std::map<std::size_t, std::string> names_;
  RoutingSpec routing_;
  bool rails_ = false;
  std::vector<int> dimensions_;
  bool wrap_ = false;
};

/// "n3.gpu2->n3.nvswitch"; of several cables between the same two, the second is "u0.leaf1->p0.spine0#2".
[[nodiscard]] std::string link_name(const Topology& topology, ResourceId link);

}  // namespace makespan
