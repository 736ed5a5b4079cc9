#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "network/fabrics.h"

/// What the generators of fabrics share.
namespace makespan::fabrics {

/// A port of a node's NICs.
struct NicPort {
  std::uint32_t nic = 0;    ///< of its node
  std::uint32_t plane = 0;  ///< its number on the NIC
  double bandwidth = 0;
};

/// The ports of the NICs of a node, NIC by NIC.
[[nodiscard]] std::vector<NicPort> nic_ports(const GraphSpec& node);

/// What a generator gets.
struct Plan {
  Topology& topology;
  const FabricSpec& fabric;
  int nodes = 0;
  int unit = 0;                ///< of the node
  std::vector<NicPort> ports;  ///< of every node
  Time hop;                    ///< what a link between switches adds to the latency
  bool merged = false;         ///< switches that are alike are one vertex

  [[nodiscard]] double cable() const;               ///< bandwidth of a cable between switches
  [[nodiscard]] Rate rate(double bandwidth) const;  ///< of a link between switches
};

/// Vertices of switches. From a generator: those that the ports of all nodes are on, node by node.
using Switches = std::vector<std::size_t>;

// Each adds its switches and the links between them.
[[nodiscard]] Switches add_fat_tree(const Plan& plan);
[[nodiscard]] Switches add_star(const Plan& plan);
[[nodiscard]] Switches add_dragonfly(const Plan& plan);

[[nodiscard]] Topology build_torus(const NodeSpec& spec, const GraphSpec& node, int count,
                                   const FabricSpec& fabric);

/// More are refused.
inline constexpr std::int64_t kMostCables = std::int64_t{1} << 24U;

/// The least number of cables that carry `bandwidth`, at least one.
[[nodiscard]] int cables_for(double bandwidth, double cable);

/// Joins a switch to those above it by cables that carry `bandwidth` together and are dealt out in turn.
/// Where those above are merged they are one vertex, and all cables one link.
void join_upwards(const Plan& plan, std::size_t lower, std::span<const std::size_t> upper, LinkKind kind,
                  double bandwidth, int cables);

/// The bandwidth of a link between switches under this routing.
[[nodiscard]] Rate fabric_rate(double bandwidth, RoutingMode mode);

/// Whether the routing mode tells parallel cables apart.
[[nodiscard]] bool separates_cables(RoutingMode mode);

/// What a link between switches adds to a message's latency.
[[nodiscard]] Time switch_latency(const std::string& transport);

/// Where a port of a NIC goes.
struct Attachment {
  std::uint32_t nic = 0;
  std::size_t fabric_switch = 0;  ///< vertex
  Rate capacity;
  Time latency;
};

/// Adds the graph of a node as node `number`; of its NICs those that are attached. By ascending NIC.
void add_node(Topology& topology, const GraphSpec& node, std::uint32_t number,
              std::span<const Attachment> attachments);

[[noreturn]] void refuse(const std::string& what, const std::string& hint);

}  // namespace makespan::fabrics
