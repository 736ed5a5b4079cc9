#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "network/topology.h"

namespace makespan {

/// A vertex of a graph that people or files describe. Bandwidths are what transfers get, in bytes per second
/// and direction.
struct GraphVertex {
  std::string name = {};
  VertexKind kind = VertexKind::gpu;
  std::string node = {};  ///< of what is inside a node: which one; empty in the graph of a single node
  double bandwidth =
      0;          ///< of a NIC, in the graph of a node: what it carries into the fabric, all ports together
  int ports = 1;  ///< of a NIC, in the graph of a node
  int tier = 0;   ///< of a fabric switch; 0: its distance from the NICs
};

/// A connection, with a link each way.
struct GraphLink {
  std::size_t a = 0;  ///< vertices
  std::size_t b = 0;
  LinkKind kind = LinkKind::nvlink;
  double bandwidth = 0;  ///< of all cables together
  double latency_s = 0;
  std::uint32_t cables = 1;
};

/// A graph as it was written down: the inside of a node, a fabric with the NICs of its nodes, or a whole
/// cluster.
struct GraphSpec {
  std::vector<GraphVertex> vertices;
  std::vector<GraphLink> links;
  /// What the source holds and the graph does not, in sentences; for people.
  std::vector<std::string> warnings;
};

}  // namespace makespan
