#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "network/path.h"
#include "network/topology.h"

namespace makespan {

/// Finds paths within nodes, over links that have any capacity: the fewest links, of equals the widest way,
/// of equals the first. In a torus axis by axis while all links on that way work; halfway around a ring, from
/// even places upwards and from odd ones downwards.
class NodeRouter {
 public:
  /// The topology must outlive it and not change.
  explicit NodeRouter(const Topology& topology);

  /// Over NVLink (or the links of a torus), through other GPUs where no direct link or switch leads there,
  /// else over PCIe and the sockets. Nothing when no way leads there.
  [[nodiscard]] std::optional<Path> between_gpus(std::size_t from, std::size_t to);

  /// Over PCIe and the sockets; nullptr when no way leads there, and when the GPU has no NIC.
  [[nodiscard]] const Path* to_nic(std::size_t gpu);
  [[nodiscard]] const Path* from_nic(std::size_t gpu);

 private:
  using Kinds = std::span<const LinkKind>;

  /// What was found of the way between a GPU and its NIC.
  struct NicWay {
    bool searched = false;
    std::optional<Path> path;
  };

  [[nodiscard]] std::optional<Path> along_axes(std::size_t from, std::size_t to) const;
  [[nodiscard]] std::optional<ResourceId> working_link(std::size_t from, std::size_t to) const;
  [[nodiscard]] std::optional<Path> way(std::size_t from, std::size_t to, Kinds kinds);
  [[nodiscard]] bool search(std::size_t from, std::size_t to, Kinds kinds);
  [[nodiscard]] bool may_cross(const Link& link, Kinds kinds) const;

  const Topology& topology_;
  std::vector<NicWay> to_nic_;    ///< by GPU
  std::vector<NicWay> from_nic_;  ///< by GPU
  // What the latest search found, of vertices with its stamp.
  std::uint32_t searches_ = 0;
  std::vector<std::uint32_t> stamp_;
  std::vector<std::uint32_t> links_left_;
  std::vector<Rate> width_;  ///< of the widest of the shortest ways on
  std::vector<std::size_t> queue_;
};

}  // namespace makespan
