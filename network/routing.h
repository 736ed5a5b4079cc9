#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "core/task_graph.h"
#include "network/topology.h"

namespace makespan {

/// The links from one GPU to another with the share of the bytes that crosses each, in 1/1024: what enters a
/// vertex on the way leaves it, to the last 1/1024. In the order of the way where there is one.
struct Path {
  std::vector<Use> uses;
  Time latency;  ///< what the links add, along the slowest branch
};

/// Finds paths through a topology, by its RoutingSpec. Within a node over NVLink (or the links of a torus),
/// through other GPUs where no direct link or switch leads there, else over PCIe and the sockets. Between
/// nodes from the sender's NIC to the receiver's; where NICs form rails and theirs differ, first over NVLink
/// to the GPU of the sender's node that has the receiver's rail (PXN). Paths between switches are the
/// shortest over links that have any capacity.
///
/// Keeps what it found: not for use by several threads at once. The topology must outlive it and not change.
class Router {
 public:
  explicit Router(const Topology& topology);

  [[nodiscard]] const Topology& topology() const { return topology_; }

  /// Nothing from a GPU to itself. Throws InfeasibleError when no route leads there.
  [[nodiscard]] Path path(std::size_t from, std::size_t to);

  /// The GPU that hands over to the fabric on the way from `from` to `to`, on another node: `from` itself, or
  /// the one that PXN goes through.
  [[nodiscard]] std::size_t exit_gpu(std::size_t from, std::size_t to) const;

 private:
  /// Hops from every fabric switch to one of them, by position in `switches_`.
  using Distances = std::vector<std::uint16_t>;

  /// One way between two switches: where it is, what it carries.
  struct Flow {
    std::size_t from = 0;
    std::size_t to = 0;
    std::uint32_t weight = 0;
    std::uint32_t lane = 0;  ///< the sender's port on its switch
    std::uint64_t key = 0;   ///< of the hash
  };

  void inside_node(Path& path, std::size_t from, std::size_t to, std::uint32_t weight);
  void to_vertex(Path& path, std::size_t from, std::size_t to, std::span<const LinkKind> kinds);
  bool search(std::size_t from, std::size_t to, std::span<const LinkKind> kinds);
  void across(Path& path, std::size_t from, std::size_t to);
  [[nodiscard]] Path between_switches(const Flow& flow);
  [[nodiscard]] Path spread(const Flow& flow);
  [[nodiscard]] Path walk(const Flow& flow, std::uint32_t subflow);
  [[nodiscard]] const Distances& distances_to(std::size_t target);
  [[nodiscard]] std::vector<ResourceId> next_hops(std::size_t vertex, const Distances& distances) const;
  [[noreturn]] void no_route(std::size_t from, std::size_t to) const;

  const Topology& topology_;
  std::vector<std::size_t> switches_;              ///< vertices that are fabric switches
  std::vector<std::uint32_t> position_;            ///< of a vertex in `switches_`
  std::vector<std::vector<std::uint32_t>> lanes_;  ///< by NIC and port: its number on the switch
  std::map<std::size_t, Distances> distances_;     ///< by target
  std::map<std::tuple<std::size_t, std::size_t, std::uint32_t>, Path> spread_;  ///< by ends and weight
  // The state of one search within a node.
  std::vector<std::uint32_t> stamp_;
  std::vector<std::uint32_t> hops_;
  std::uint32_t searches_ = 0;
};

/// The links of one path, in order; for a single question: a Router answers many.
[[nodiscard]] std::vector<ResourceId> route(const Topology& topology, std::size_t from, std::size_t to);

}  // namespace makespan
