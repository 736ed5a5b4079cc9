#include <algorithm>
#include <map>

#include "network/fabrics_parts.h"

namespace makespan::fabrics {

namespace {

/// The least divisor of `cables` that `fits`, so that each of as many switches takes the same number of them;
/// 0 where none does.
template <class Fits>
int fewest_switches(int cables, Fits fits) {
  for (int switches = 1; switches <= cables; ++switches) {
    if (cables % switches == 0 && fits(switches)) {
      return switches;
    }
  }
  return 0;
}

/// A leaf of every unit: the ports of a node that are on it.
struct LeafShape {
  int ports = 0;
  double bandwidth = 0;
};

/// The numbers of one tree. Several planes are as many trees.
class TreeShape {
 public:
  TreeShape(const Plan& plan, const LeafShape& leaf, int leaves_per_unit)
      : plan_(plan), fabric_(plan.fabric), leaf_(leaf), leaves_per_unit_(leaves_per_unit) {
    find_unit();
    find_spines();
  }

  int unit = 0;  ///< nodes
  int units = 0;
  int tiers = 0;
  int pod = 0;  ///< leaves that share spines
  int pods = 0;
  int spines = 0;       ///< of a pod
  int spine_cores = 0;  ///< cores that a spine is on

 private:
  [[nodiscard]] bool has_ports(std::int64_t ports) const {
    return fabric_.radix == 0 || ports <= fabric_.radix;
  }

  [[nodiscard]] int uplinks(int nodes) const {
    return cables_for(nodes * leaf_.bandwidth / fabric_.oversubscription, plan_.cable());
  }

  [[nodiscard]] int core_links(double spine_bandwidth) const {
    return cables_for(spine_bandwidth / fabric_.core_oversubscription, plan_.cable());
  }

  void find_unit() {
    const std::string ports = std::to_string(fabric_.radix) + " ports";
    unit = fabric_.unit > 0 ? fabric_.unit : plan_.unit;
    const auto fits = [&](int nodes) {
      const bool has_uplinks = fabric_.tiers > 1 || (fabric_.tiers == 0 && plan_.nodes > nodes);
      return has_ports(std::int64_t{nodes} * leaf_.ports + (has_uplinks ? uplinks(nodes) : 0));
    };
    int most = fabric_.radix / leaf_.ports;
    while (most > 0 && !fits(std::min(most, plan_.nodes))) {
      --most;
    }
    if (fabric_.unit == 0 && fabric_.kind == "fat-tree" && fabric_.radix > 0) {
      unit = most;
    }
    if (fabric_.radix > 0 && (most == 0 || !fits(std::min(unit, plan_.nodes)))) {
      refuse("switches of " + ports + " are too small for leaves of " + std::to_string(std::max(unit, 1)) +
                 " nodes",
             most == 0 ? "a larger radix" : "at most " + std::to_string(most) + " nodes in a unit");
    }
    units = (plan_.nodes - 1) / unit + 1;
  }

  void find_spines() {
    const int leaves = units * leaves_per_unit_;
    const int up = uplinks(std::min(unit, plan_.nodes));
    if (std::int64_t{leaves} * up > kMostCables) {
      refuse("a " + fabric_.kind + " of more than " + std::to_string(kMostCables) + " cables",
             "cables of a higher bandwidth");
    }
    const int two_tier_spines = fabric_.radix == 0 ? up : fewest_switches(up, [&](int s) {
      return has_ports(std::int64_t{leaves} * (up / s));
    });
    tiers = fabric_.tiers > 0 ? fabric_.tiers : units == 1 ? 1 : two_tier_spines > 0 ? 2 : 3;
    if (tiers == 1 && units > 1) {
      refuse("one tier cannot join " + std::to_string(plan_.nodes) + " nodes",
             "at most " + std::to_string(unit) + " nodes");
    }
    if (tiers == 2 && two_tier_spines == 0) {
      refuse("two tiers of switches with " + std::to_string(fabric_.radix) + " ports cannot join " +
                 std::to_string(leaves) + " leaves",
             "three tiers, or a larger radix");
    }
    pod = leaves;
    spines = two_tier_spines;
    if (tiers == 3) {
      find_cores(leaves, up);
    }
    pods = (leaves - 1) / pod + 1;
  }

  void find_cores(int leaves, int up) {
    pod =
        fabric_.pod > 0 ? fabric_.pod : std::max(fabric_.radix / 2 / leaves_per_unit_, 1) * leaves_per_unit_;
    if (fabric_.pod == 0 && fabric_.radix == 0) {
      refuse("three tiers without the size of a pod", "a number of leaves in a pod, or a radix");
    }
    if (pod % leaves_per_unit_ != 0) {
      refuse("a pod of " + std::to_string(pod) + " leaves",
             "a multiple of the " + std::to_string(leaves_per_unit_) + " leaves of a unit");
    }
    pod = std::min(pod, leaves);
    const double down = std::min(unit, plan_.nodes) * leaf_.bandwidth / fabric_.oversubscription * pod;
    const auto links_up = [&](int s) { return core_links(down / s); };
    spines = fabric_.radix == 0 ? up : fewest_switches(up, [&](int s) {
      return has_ports(std::int64_t{pod} * (up / s) + links_up(s));
    });
    if (spines == 0) {
      refuse("switches of " + std::to_string(fabric_.radix) + " ports are too small for pods of " +
                 std::to_string(pod) + " leaves",
             "smaller pods, or a larger radix");
    }
    const int all_pods = (leaves - 1) / pod + 1;
    const int core_up = links_up(spines);
    spine_cores = fabric_.radix == 0 ? core_up : fewest_switches(core_up, [&](int c) {
      return has_ports(std::int64_t{all_pods} * (core_up / c));
    });
    if (spine_cores == 0) {
      refuse("cores of " + std::to_string(fabric_.radix) + " ports cannot join " + std::to_string(all_pods) +
                 " pods",
             "at most " + std::to_string(fabric_.radix) + " pods");
    }
  }

  const Plan& plan_;
  const FabricSpec& fabric_;
  LeafShape leaf_;
  int leaves_per_unit_;
};

/// One plane of a fat tree.
class Tree {
 public:
  /// `leaves`: of every unit.
  Tree(const Plan& plan, std::uint32_t plane, std::vector<LeafShape> leaves)
      : plan_(plan),
        plane_(plane),
        leaves_(std::move(leaves)),
        shape_(plan,
               *std::max_element(
                   leaves_.begin(), leaves_.end(),
                   [](const LeafShape& a, const LeafShape& b) { return a.bandwidth < b.bandwidth; }),
               static_cast<int>(leaves_.size())) {
    add_upper_switches();
    for (int unit = 0; unit < shape_.units; ++unit) {
      add_leaves(unit);
    }
    join_cores();
  }

  [[nodiscard]] std::size_t leaf(int node, std::size_t index) const {
    return leaf_vertices_[static_cast<std::size_t>(node / shape_.unit) * leaves_.size() + index];
  }

 private:
  /// `count` switches, or one vertex that stands for them.
  Switches add_switches(std::uint32_t group, std::uint8_t tier, int first, int count) {
    Switches added;
    const auto number = static_cast<std::uint32_t>(plan_.merged ? 1 : count);
    for (std::uint32_t i = 0; i < number; ++i) {
      const std::uint32_t local = plan_.merged ? plane_ : static_cast<std::uint32_t>(first) + i;
      added.push_back(plan_.topology.add_vertex(
          {VertexKind::fabric_switch, group, local, tier, static_cast<std::uint32_t>(count) / number}));
    }
    return added;
  }

  void add_upper_switches() {
    if (shape_.tiers == 1) {
      return;
    }
    const int first = static_cast<int>(plane_) * shape_.spines;
    for (int pod = 0; pod < shape_.pods; ++pod) {
      spines_.push_back(add_switches(static_cast<std::uint32_t>(pod), 2, first, shape_.spines));
      spine_bandwidth_.emplace_back(shape_.spines, 0.0);
    }
    if (shape_.tiers == 3) {
      cores_ = add_switches(0, 3, first * shape_.spine_cores, shape_.spines * shape_.spine_cores);
    }
  }

  void add_leaves(int unit) {
    const int nodes = std::min(shape_.unit, plan_.nodes - unit * shape_.unit);
    const auto all = static_cast<std::uint32_t>(leaves_.size());
    for (std::uint32_t l = 0; l < all; ++l) {
      const std::size_t vertex = plan_.topology.add_vertex(
          {VertexKind::fabric_switch, static_cast<std::uint32_t>(unit), plane_ * all + l, 1});
      const auto pod = leaf_vertices_.size() / static_cast<std::size_t>(shape_.pod);
      leaf_vertices_.push_back(vertex);
      if (shape_.tiers > 1) {
        const double bandwidth = nodes * leaves_[l].bandwidth / plan_.fabric.oversubscription;
        const int cables = cables_for(bandwidth, plan_.cable());
        join_upwards(plan_, vertex, spines_[pod], LinkKind::leaf_spine, bandwidth, cables);
        for (int c = 0; c < cables; ++c) {
          spine_bandwidth_[pod][static_cast<std::size_t>(c % shape_.spines)] += bandwidth / cables;
        }
      }
    }
  }

  void join_cores() {
    for (std::size_t pod = 0; pod < spines_.size() && shape_.tiers == 3; ++pod) {
      double total = 0;
      int total_cables = 0;
      for (std::size_t s = 0; s < spine_bandwidth_[pod].size(); ++s) {
        const double bandwidth = spine_bandwidth_[pod][s] / plan_.fabric.core_oversubscription;
        const int cables = bandwidth > 0 ? cables_for(bandwidth, plan_.cable()) : 0;
        if (!plan_.merged && cables > 0) {
          const auto mine = static_cast<std::size_t>(shape_.spine_cores);
          join_upwards(plan_, spines_[pod][s], std::span(cores_).subspan(s * mine, mine),
                       LinkKind::spine_core, bandwidth, cables);
        }
        total += bandwidth;
        total_cables += cables;
      }
      if (plan_.merged) {
        join_upwards(plan_, spines_[pod].front(), cores_, LinkKind::spine_core, total, total_cables);
      }
    }
  }

  const Plan& plan_;
  std::uint32_t plane_;
  std::vector<LeafShape> leaves_;
  TreeShape shape_;
  Switches leaf_vertices_;                            ///< unit by unit
  std::vector<Switches> spines_;                      ///< by pod
  Switches cores_;                                    ///< spine by spine
  std::vector<std::vector<double>> spine_bandwidth_;  ///< by pod and spine: of its cables to leaves
};

}  // namespace

Switches add_fat_tree(const Plan& plan) {
  const bool by_rail = plan.fabric.kind == "rail-fat-tree";
  // By plane: the leaf of each rail, and what is on it.
  std::vector<std::map<std::uint32_t, std::size_t>> leaf_of;
  std::vector<std::vector<LeafShape>> shapes;
  for (const NicPort& port : plan.ports) {
    leaf_of.resize(std::max<std::size_t>(leaf_of.size(), port.plane + 1));
    shapes.resize(leaf_of.size());
    const std::uint32_t rail = by_rail ? port.nic : 0;
    const auto [leaf, is_new] = leaf_of[port.plane].try_emplace(rail, shapes[port.plane].size());
    if (is_new) {
      shapes[port.plane].emplace_back();
    }
    LeafShape& shape = shapes[port.plane][leaf->second];
    ++shape.ports;
    shape.bandwidth += port.bandwidth;
  }
  std::vector<Tree> planes;
  for (std::size_t p = 0; p < shapes.size(); ++p) {
    planes.emplace_back(plan, static_cast<std::uint32_t>(p), std::move(shapes[p]));
  }
  Switches switches;
  for (int n = 0; n < plan.nodes; ++n) {
    for (const NicPort& port : plan.ports) {
      switches.push_back(planes[port.plane].leaf(n, leaf_of[port.plane].at(by_rail ? port.nic : 0)));
    }
  }
  return switches;
}

Switches add_star(const Plan& plan) {
  Switches of_plane;
  std::vector<int> used;
  for (const NicPort& port : plan.ports) {
    if (port.plane == of_plane.size()) {
      of_plane.push_back(plan.topology.add_vertex({VertexKind::fabric_switch, 0, port.plane, 1},
                                                  "switch" + std::to_string(port.plane)));
    }
  }
  Switches switches;
  for (int n = 0; n < plan.nodes; ++n) {
    for (const NicPort& port : plan.ports) {
      switches.push_back(of_plane[port.plane]);
    }
  }
  return switches;
}

}  // namespace makespan::fabrics
