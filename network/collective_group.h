#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "network/routing.h"

namespace makespan {

/// The closed ways through the members of an island that carry what it passes on, each the same share.
struct InnerRings {
  std::vector<std::vector<std::size_t>> orders;
  /// All members are on one NVSwitch by links that work: any order loads the same links; `orders` is empty.
  bool is_switch = false;
  /// Every two members are joined by a link of their own, all equal: the closed ways through all members
  /// together load every link equally; `orders` is empty.
  bool is_mesh = false;
};

/// The members on one node.
struct Island {
  std::vector<std::size_t> gpus;   ///< in the order of ranks
  std::vector<std::size_t> exits;  ///< by ascending NIC: the first member next to it
  InnerRings inner;
};

/// How the members of a group lie on nodes. Where nodes have no NICs (a single node, a torus) all members
/// count as on one.
struct GroupShape {
  std::vector<std::size_t> gpus;  ///< in the order of ranks
  std::vector<Island> islands;    ///< by the order in which nodes first appear among the members
  std::size_t rings = 1;          ///< across nodes: NICs that every node has next to members
  bool is_even = true;            ///< whether the nodes have equally many members
  bool on_nvswitch = true;        ///< whether the members on each node share an NVSwitch

  [[nodiscard]] std::size_t ranks() const { return gpus.size(); }

  [[nodiscard]] std::size_t nodes() const { return islands.size(); }

  /// The most on one node.
  [[nodiscard]] std::size_t ranks_per_node() const;
  [[nodiscard]] std::size_t least_per_node() const;
};

/// `gpus` in the order of ranks, each once.
[[nodiscard]] GroupShape group_shape(Router& router, std::span<const std::size_t> gpus);

/// Without a switch and where some links are missing (the cube mesh of DGX-1V) rings are found as NCCL's
/// search does it: one by one, each the one that evens out the load of the links, and as many of them as
/// together are fastest, for up to 8 members; beyond that there is the one ring in the order of ranks.
[[nodiscard]] InnerRings inner_rings(Router& router, std::span<const std::size_t> gpus);

/// Parents of the two binary trees of NCCL (src/graph/trees.cc) over `nodes` nodes; -1 at the roots. The
/// first is the in-order tree whose leaves are the odd nodes; the second is its mirror image when the number
/// is even, the same shifted by one when it is odd: a node that is inner in one is a leaf in the other.
[[nodiscard]] std::pair<std::vector<int>, std::vector<int>> double_binary_tree(std::size_t nodes);

}  // namespace makespan
