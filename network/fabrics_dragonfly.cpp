#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "network/fabrics_parts.h"

namespace makespan::fabrics {

namespace {

/// The numbers of a dragonfly or dragonfly+.
struct Shape {
  bool plus = false;
  int groups = 0;
  int group_nodes = 0;
  int leaves = 0;        ///< of a group: the switches that have NICs
  int spines = 0;        ///< of a group of a dragonfly+
  double leaf_up = 0;    ///< bandwidth from a leaf of a dragonfly+ to its spines
  int leaf_cables = 0;   ///< ... in cables
  int global_links = 0;  ///< between every two groups
};

/// Bandwidth of each leaf of a full group.
std::vector<double> leaf_bandwidths(const Plan& plan, int group_nodes, int leaves) {
  std::vector<double> bandwidths(static_cast<std::size_t>(leaves), 0.0);
  for (std::size_t i = 0; i < plan.ports.size() * static_cast<std::size_t>(group_nodes); ++i) {
    bandwidths[i % bandwidths.size()] += plan.ports[i % plan.ports.size()].bandwidth;
  }
  return bandwidths;
}

Shape shape_of(const Plan& plan) {
  const FabricSpec& fabric = plan.fabric;
  Shape shape{.plus = fabric.kind == "dragonfly-plus"};
  shape.group_nodes = fabric.group_nodes > 0 ? fabric.group_nodes : plan.unit;
  const int needed = (plan.nodes - 1) / shape.group_nodes + 1;
  shape.groups = fabric.groups > 0 ? fabric.groups : needed;
  if (shape.groups < needed) {
    refuse(std::to_string(plan.nodes) + " nodes in " + std::to_string(shape.groups) + " groups of " +
               std::to_string(shape.group_nodes),
           "at least " + std::to_string(needed) + " groups");
  }
  const std::int64_t ports =
      static_cast<std::int64_t>(plan.ports.size()) * static_cast<std::int64_t>(shape.group_nodes);
  const double root = std::sqrt(static_cast<double>(shape.plus ? ports : 2 * ports));
  shape.leaves = fabric.group_switches > 0 ? fabric.group_switches : static_cast<int>(std::ceil(root));
  const double oversubscription = shape.plus ? fabric.oversubscription : 1.0;
  if (shape.plus) {
    const std::vector<double> bandwidths = leaf_bandwidths(plan, shape.group_nodes, shape.leaves);
    shape.leaf_up = *std::max_element(bandwidths.begin(), bandwidths.end()) / oversubscription;
    shape.leaf_cables = cables_for(shape.leaf_up, plan.cable());
    shape.spines = fabric.group_spines > 0 ? fabric.group_spines : shape.leaf_cables;
    if (shape.spines > shape.leaf_cables) {
      refuse(std::to_string(shape.spines) + " spines in a group whose leaves have " +
                 std::to_string(shape.leaf_cables) + " cables to them",
             "at most as many spines as a leaf has cables");
    }
  }
  if (shape.groups > 1) {
    const double balanced = std::floor(static_cast<double>(ports) / oversubscription / (shape.groups - 1));
    shape.global_links =
        fabric.global_links > 0 ? fabric.global_links : std::max(1, static_cast<int>(balanced));
  }
  const std::int64_t local = shape.plus ? std::int64_t{shape.leaves} * shape.leaf_cables
                                        : std::int64_t{shape.leaves} * (shape.leaves - 1) / 2;
  const std::int64_t pairs = std::int64_t{shape.groups} * (shape.groups - 1) / 2;
  if (local > kMostCables / shape.groups || pairs * shape.global_links > kMostCables) {
    refuse("a " + fabric.kind + " of more than " + std::to_string(kMostCables) + " cables",
           "fewer groups, switches or global links");
  }
  return shape;
}

/// The switches of one group.
struct Group {
  Switches leaves;
  Switches spines;  ///< of a dragonfly+

  [[nodiscard]] const Switches& ends() const { return spines.empty() ? leaves : spines; }
};

Group add_group(const Plan& plan, const Shape& shape, std::uint32_t number) {
  Group group;
  const auto add = [&](Switches& to, std::uint8_t tier, const char* kind, int vertices, int count) {
    for (int i = 0; i < vertices; ++i) {
      const Vertex vertex{VertexKind::fabric_switch, number, static_cast<std::uint32_t>(i), tier,
                          static_cast<std::uint32_t>(count / vertices)};
      to.push_back(
          plan.topology.add_vertex(vertex, "g" + std::to_string(number) + '.' + kind + std::to_string(i)));
    }
  };
  add(group.leaves, 1, shape.plus ? "leaf" : "switch", shape.leaves, shape.leaves);
  if (shape.plus) {
    add(group.spines, 2, "spine", plan.merged ? 1 : shape.spines, shape.spines);
  }
  for (std::size_t a = 0; a < group.leaves.size(); ++a) {
    if (shape.plus) {
      join_upwards(plan, group.leaves[a], group.spines, LinkKind::leaf_spine, shape.leaf_up,
                   shape.leaf_cables);
    }
    for (std::size_t b = a + 1; b < group.leaves.size() && !shape.plus; ++b) {
      plan.topology.connect(group.leaves[a], group.leaves[b], LinkKind::local, plan.rate(plan.cable()),
                            plan.hop);
    }
  }
  return group;
}

/// Joins two groups. The cables of a group are numbered from the next group upwards, and cable k is on its
/// switch k modulo their number.
void join_groups(const Plan& plan, const Shape& shape, const std::vector<Group>& groups, int a, int b) {
  const auto end = [&](int from, int to, int cable) {
    const int before = (to - from + shape.groups) % shape.groups - 1;
    const Switches& ends = groups[static_cast<std::size_t>(from)].ends();
    return ends[(static_cast<std::size_t>(before) * static_cast<std::size_t>(shape.global_links) +
                 static_cast<std::size_t>(cable)) %
                ends.size()];
  };
  std::map<std::pair<std::size_t, std::size_t>, std::uint32_t> cables;
  for (int c = 0; c < shape.global_links; ++c) {
    const std::pair ends = {end(a, b, c), end(b, a, c)};
    if (plan.merged) {
      ++cables[ends];
    } else {
      plan.topology.connect(ends.first, ends.second, LinkKind::global, plan.rate(plan.cable()), plan.hop);
    }
  }
  for (const auto& [ends, count] : cables) {
    plan.topology.connect(ends.first, ends.second, LinkKind::global, plan.rate(count * plan.cable()),
                          plan.hop, count);
  }
}

}  // namespace

Switches add_dragonfly(const Plan& plan) {
  const Shape shape = shape_of(plan);
  std::vector<Group> groups;
  for (int g = 0; g < shape.groups; ++g) {
    groups.push_back(add_group(plan, shape, static_cast<std::uint32_t>(g)));
  }
  for (int a = 0; a < shape.groups; ++a) {
    for (int b = a + 1; b < shape.groups; ++b) {
      join_groups(plan, shape, groups, a, b);
    }
  }
  Switches switches;
  for (int n = 0; n < plan.nodes; ++n) {
    const Switches& leaves = groups[static_cast<std::size_t>(n / shape.group_nodes)].leaves;
    const std::size_t first = static_cast<std::size_t>(n % shape.group_nodes) * plan.ports.size();
    for (std::size_t p = 0; p < plan.ports.size(); ++p) {
      switches.push_back(leaves[(first + p) % leaves.size()]);
    }
  }
  return switches;
}

}  // namespace makespan::fabrics
