#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "network/topology.h"

namespace makespan {

/// A topology for people to look at. What is alike and next to each other may be one vertex.
struct Outline {
  struct Vertex {
    std::string name;   ///< "n3.gpu2", "u0.leaf1", "n0..n31", "p0.spine0..p0.spine7"
    std::string kind;   ///< "node", or to_string() of the vertex, or tier_name() of the switch
    std::string group;  ///< "node 3" for what is inside nodes, "unit 0" or "pod 0" for switches; may be empty
    int layer = 0;      ///< 0 GPUs and nodes, 1 PCIe switches, 2 sockets, 3 NICs, 4 and up switches by tier
    std::uint64_t count = 1;  ///< of what it stands for
  };

  /// Between two vertices, each way.
  struct Edge {
    std::size_t a = 0;
    std::size_t b = 0;
    LinkKind kind = LinkKind::nvlink;
    std::uint64_t cables = 0;
    double bandwidth = 0;  ///< bytes per second from a to b, all cables together
  };

  /// What one vertex may stand for.
  enum class Detail : std::uint8_t {
    everything,  ///< every vertex of the topology is one
    nodes,       ///< a node is one
    racks,       ///< nodes that are on the same switches are one
    units,       ///< ... and switches of one tier and unit, pod or group
    tiers,       ///< all nodes are one, and all switches of one tier
  };

  Detail detail = Detail::everything;
  std::vector<Vertex> vertices;
  std::vector<Edge> edges;  ///< none within a vertex
};

/// The most detailed outline that has at most `most` vertices; `tiers` where none has.
[[nodiscard]] Outline outline(const Topology& topology, std::size_t most);

/// As a graph for Graphviz: groups as clusters, switches of a tier on one level.
void write_dot(std::ostream& out, const Outline& outline);

}  // namespace makespan
