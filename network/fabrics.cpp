#include "network/fabrics.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/text.h"
#include "network/fabrics_parts.h"

namespace makespan {

namespace fabrics {

std::vector<NicPort> nic_ports(const GraphSpec& node) {
  constexpr int kMostPorts = 8;
  std::vector<NicPort> ports;
  std::uint32_t nic = 0;
  for (const GraphVertex& vertex : node.vertices) {
    if (vertex.kind == VertexKind::nic) {
      if (vertex.ports < 1 || vertex.ports > kMostPorts || !(vertex.bandwidth > 0)) {
        refuse("a NIC with " + std::to_string(vertex.ports) + " ports that carry nothing or are too many",
               "from 1 to " + std::to_string(kMostPorts) + " ports and a bandwidth above 0");
      }
      for (int p = 0; p < vertex.ports; ++p) {
        ports.push_back({nic, static_cast<std::uint32_t>(p), vertex.bandwidth / vertex.ports});
      }
      ++nic;
    }
  }
  return ports;
}

double Plan::cable() const {
  return fabric.link > 0 ? fabric.link : ports.front().bandwidth;
}

Rate Plan::rate(double bandwidth) const {
  return fabric_rate(bandwidth, fabric.routing.mode);
}

int cables_for(double bandwidth, double cable) {
  constexpr double kRounding = 1e-9;
  const double cables = std::ceil(bandwidth / cable * (1 - kRounding));
  if (!(cables < static_cast<double>(kMostCables))) {
    refuse("more than " + std::to_string(kMostCables) + " cables at a switch",
           "cables of a higher bandwidth");
  }
  return std::max(1, static_cast<int>(cables));
}

void join_upwards(const Plan& plan, std::size_t lower, std::span<const std::size_t> upper, LinkKind kind,
                  double bandwidth, int cables) {
  if (plan.merged) {
    plan.topology.connect(lower, upper.front(), kind, plan.rate(bandwidth), plan.hop,
                          static_cast<std::uint32_t>(cables));
    return;
  }
  for (int c = 0; c < cables; ++c) {
    plan.topology.connect(lower, upper[static_cast<std::size_t>(c) % upper.size()], kind,
                          plan.rate(bandwidth / cables), plan.hop);
  }
}

Rate fabric_rate(double bandwidth, RoutingMode mode) {
  constexpr double kAdaptive = 0.95;
  return rate_from_bytes_per_second(mode == RoutingMode::adaptive ? kAdaptive * bandwidth : bandwidth);
}

bool separates_cables(RoutingMode mode) {
  return mode != RoutingMode::ideal && mode != RoutingMode::adaptive;
}

Time switch_latency(const std::string& transport) {
  // 64-byte messages take 2.8 us under one leaf and 3.7 us across the spine on InfiniBand, 3.6 and 5.6 us on
  // RoCE (Zhao et al., "Insights into DeepSeek-V3", ISCA 2025): half of the difference on the way up, half on
  // the way down. A Slingshot switch takes 0.35 us (De Sensi et al., "An in-depth analysis of the Slingshot
  // interconnect", SC 2020).
  constexpr Time kInfiniband{450'000};
  constexpr Time kEthernet{1'000'000};
  constexpr Time kSlingshot{350'000};
  return transport == "infiniband" ? kInfiniband : transport == "slingshot-11" ? kSlingshot : kEthernet;
}

void add_node(Topology& topology, const GraphSpec& node, std::uint32_t number,
              std::span<const Attachment> attachments) {
  constexpr std::size_t kAbsent = ~std::size_t{0};
  std::vector<std::size_t> vertices;
  std::array<std::uint32_t, 6> locals{};
  auto next = attachments.begin();
  for (const GraphVertex& vertex : node.vertices) {
    const std::uint32_t local = locals[static_cast<std::size_t>(vertex.kind)]++;
    const bool is_nic = vertex.kind == VertexKind::nic;
    if (is_nic && (next == attachments.end() || next->nic != local)) {
      vertices.push_back(kAbsent);
      continue;
    }
    const Vertex added{vertex.kind, number, local};
    vertices.push_back(vertex.name.empty()
                           ? topology.add_vertex(added)
                           : topology.add_vertex(added, "n" + std::to_string(number) + "." + vertex.name));
    if (vertex.kind == VertexKind::gpu) {
      topology.add(Gpu{.vertex = vertices.back(), .node = number, .local = local});
    } else if (is_nic) {
      Nic nic{.vertex = vertices.back(), .node = number, .local = local, .ports = {}};
      for (; next != attachments.end() && next->nic == local; ++next) {
        nic.ports.push_back(
            topology.connect(nic.vertex, next->fabric_switch, LinkKind::nic, next->capacity, next->latency));
        nic.switches.push_back(next->fabric_switch);
      }
      topology.add(std::move(nic));
    }
  }
  for (const GraphLink& link : node.links) {
    if (vertices[link.a] != kAbsent && vertices[link.b] != kAbsent) {
      topology.connect(vertices[link.a], vertices[link.b], link.kind,
                       rate_from_bytes_per_second(link.bandwidth), time_from_seconds(link.latency_s),
                       link.cables);
    }
  }
}

void refuse(const std::string& what, const std::string& hint) {
  throw InputError({}, {}, what, hint);
}

}  // namespace fabrics

namespace {

using fabrics::refuse;

constexpr std::array<std::string_view, 7> kKinds = {"rail-fat-tree",  "fat-tree", "star", "dragonfly",
                                                    "dragonfly-plus", "torus",    "none"};

void check_count(int value, int least, int most, const char* what) {
  if (value < least || value > most) {
    refuse(std::string(what) + " is " + std::to_string(value),
           "from " + std::to_string(least) + " to " + std::to_string(most));
  }
}

void check_ratio(double value, double least, double most, const char* what) {
  if (!(value >= least && value <= most)) {
    refuse(std::string(what) + " is out of range",
           "at least " + std::to_string(static_cast<std::int64_t>(least)) + ", at most 1e" +
               std::to_string(std::lround(std::log10(most))));
  }
}

void check_values(const FabricSpec& fabric) {
  constexpr int kMost = 1 << 20;
  check_ratio(fabric.oversubscription, 1.0, 1e6, "oversubscription");
  check_ratio(fabric.core_oversubscription, 1.0, 1e6, "core oversubscription");
  check_ratio(fabric.link, 0.0, 1e15, "the bandwidth of a link");
  if (fabric.unit < 0) {
    refuse("a scalable unit of " + std::to_string(fabric.unit) + " nodes", "at least 1 node");
  }
  check_count(fabric.unit, 0, kMost, "the number of nodes in a unit");
  check_count(fabric.radix, 0, kMost, "the radix of a switch");
  check_count(fabric.tiers, 0, 3, "the number of tiers");
  check_count(fabric.pod, 0, kMost, "the number of leaves in a pod");
  check_count(fabric.groups, 0, kMost, "the number of groups");
  check_count(fabric.group_nodes, 0, kMost, "the number of nodes in a group");
  check_count(fabric.group_switches, 0, kMost, "the number of switches in a group");
  check_count(fabric.group_spines, 0, kMost, "the number of spines in a group");
  check_count(fabric.global_links, 0, kMost, "the number of links between two groups");
  check_count(fabric.routing.subflows, 1, 1024, "the number of sub-flows");
}

void check(const GraphSpec& node, int count, const FabricSpec& fabric) {
  constexpr std::int64_t kMostGpus = 1 << 20;
  if (std::find(kKinds.begin(), kKinds.end(), fabric.kind) == kKinds.end()) {
    refuse("there is no fabric '" + fabric.kind + "'", suggestion(fabric.kind, kKinds));
  }
  const auto gpus = std::count_if(node.vertices.begin(), node.vertices.end(),
                                  [](const GraphVertex& v) { return v.kind == VertexKind::gpu; });
  if (gpus == 0) {
    refuse("a node without GPUs", "at least one");
  }
  if (count < 1 || count > kMostGpus / gpus) {
    refuse("a cluster of " + std::to_string(count) + " nodes",
           "from 1 to " + std::to_string(kMostGpus / gpus) + " nodes");
  }
  check_values(fabric);
  if (count > 1 && fabric.kind == "none") {
    refuse("several nodes need a fabric", "use rail-fat-tree");
  }
}

}  // namespace

Topology build_cluster(const NodeSpec& node, int count, const FabricSpec& fabric) {
  return build_cluster(node, node_graph(node), count, fabric);
}

Topology build_cluster(const NodeSpec& spec, const GraphSpec& node, int count, const FabricSpec& fabric) {
  check(node, count, fabric);
  if (fabric.kind == "torus") {
    return fabrics::build_torus(spec, node, count, fabric);
  }
  Topology topology;
  topology.set_routing(fabric.routing);
  const fabrics::Plan plan{.topology = topology,
                           .fabric = fabric,
                           .nodes = count,
                           .unit = spec.unit,
                           .ports = fabrics::nic_ports(node),
                           .hop = fabrics::switch_latency(spec.transport),
                           .merged = !fabrics::separates_cables(fabric.routing.mode)};
  if (count > 1 && plan.ports.empty()) {
    refuse("nodes without NICs on a " + fabric.kind, "NICs, or a torus");
  }
  fabrics::Switches switches;
  if (fabric.kind != "none" && !plan.ports.empty()) {
    topology.set_rails(fabric.kind == "rail-fat-tree");
    switches = fabric.kind == "star"                  ? fabrics::add_star(plan)
               : fabric.kind.starts_with("dragonfly") ? fabrics::add_dragonfly(plan)
                                                      : fabrics::add_fat_tree(plan);
  }
  std::vector<fabrics::Attachment> attachments(switches.empty() ? 0 : plan.ports.size());
  auto next = switches.begin();
  for (int n = 0; n < count; ++n) {
    for (std::size_t p = 0; p < attachments.size(); ++p) {
      attachments[p] = {plan.ports[p].nic, *next++, rate_from_bytes_per_second(plan.ports[p].bandwidth),
                        Time(0)};
    }
    fabrics::add_node(topology, node, static_cast<std::uint32_t>(n), attachments);
  }
  topology.finish();
  return topology;
}

}  // namespace makespan
