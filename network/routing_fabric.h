#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "network/path.h"
#include "network/topology.h"

namespace makespan {

/// What goes from one fabric switch to another.
struct FabricFlow {
  std::size_t from = 0;  ///< vertices
  std::size_t to = 0;
  std::uint32_t weight = 0;
  std::uint32_t lane = 0;  ///< number of the sender's NIC among those on `from`
  std::uint64_t key = 0;   ///< tells flows apart to the hash
};

/// Finds paths between fabric switches by the topology's RoutingSpec: the shortest over links that have any
/// capacity. Between the groups of a dragonfly they are minimal: all cables that lead from one group towards
/// the other count as equal, whichever switches they join, and the ways to and from them are the shortest;
/// `ordered` takes the fewest links there too. Nothing takes a detour over a third group while two are
/// joined.
///
/// Ideal and adaptive: every switch divides what comes in evenly, by capacity. Adaptive, between two switches
/// of one group of a dragonfly: over the direct link and over every third switch of the group, a detour
/// counting half as it loads two links, which is the balance that UGAL aims at (Kim et al. 2008, "Technology-
/// driven, highly-scalable dragonfly topology", section 4). Hashed: every switch hashes
/// each sub-flow by itself (Philox of key, sub-flow and switch under the seed). Fixed: see RoutingMode.
class FabricRouter {
 public:
  /// The topology must outlive it and not change.
  explicit FabricRouter(const Topology& topology);

  [[nodiscard]] bool joined(std::size_t from, std::size_t to);

  /// Requires that they are joined.
  [[nodiscard]] Path path(const FabricFlow& flow);

 private:
  /// Links from every switch to one of them. Here and below switches go by their position in `switches_`.
  using Distances = std::vector<std::uint16_t>;

  /// A link from one fabric switch to another.
  struct Hop {
    ResourceId link;
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    std::uint32_t port = 0;  ///< its number among the links into `to` from switches
  };

  /// A way within a dragonfly's group: over one link, or over a third switch.
  struct Detour {
    Hop first;
    std::optional<Hop> second;
  };

  /// A sub-flow on its way.
  struct Walker {
    std::uint32_t at = 0;
    std::uint32_t port = 0;  ///< that it came in by; at the start, its NIC's lane
    std::uint32_t subflow = 0;
    std::uint64_t key = 0;
    std::uint32_t weight = 0;
  };

  /// What arrives at a switch from all that lie before it.
  struct Share {
    std::uint32_t weight = 0;
    Time latency;
  };

  using Shares = std::map<std::uint32_t, Share>;

  void index_hops();
  void index_groups();

  [[nodiscard]] Path spread(std::uint32_t from, std::uint32_t to, std::uint32_t weight);
  [[nodiscard]] Path spread_shortest(std::uint32_t from, std::uint32_t to, std::uint32_t weight);
  void spread_exits(std::uint32_t at, std::uint32_t to, const Share& share, Path& path, Shares& arrived);
  [[nodiscard]] std::vector<std::uint32_t> divided(std::uint32_t weight, std::span<const Hop> over) const;

  [[nodiscard]] std::vector<Detour> detours(std::uint32_t from, std::uint32_t to) const;
  [[nodiscard]] Path spread_detours(std::span<const Detour> ways, std::uint32_t weight) const;

  [[nodiscard]] Path walk(Walker walker, std::uint32_t to);
  void walk_shortest(Walker& walker, std::uint32_t to, Path& path);
  void take(Walker& walker, const Hop& hop, Path& path) const;
  [[nodiscard]] std::size_t choice(const Walker& walker, std::size_t lane, std::size_t count) const;

  [[nodiscard]] std::uint64_t capacity(const Hop& hop) const;
  [[nodiscard]] std::span<const Hop> hops(std::uint32_t at) const;
  [[nodiscard]] const Distances& distances_to(std::uint32_t target);
  void find_next(std::uint32_t at, std::uint32_t to, std::vector<Hop>& next);
  [[nodiscard]] std::uint32_t group(std::uint32_t at) const;
  [[nodiscard]] std::vector<Hop> exits(std::uint32_t at, std::uint32_t to);
  [[nodiscard]] const std::vector<Hop>& group_exits(std::uint32_t from, std::uint32_t to);
  [[nodiscard]] std::vector<std::uint32_t> group_distances_to(std::uint32_t target) const;

  const Topology& topology_;
  std::vector<std::size_t> switches_;       ///< vertices
  std::vector<std::uint32_t> position_;     ///< of a vertex in `switches_`
  std::vector<std::size_t> first_hop_;      ///< of a switch in `hops_`
  std::vector<Hop> hops_;                   ///< those with capacity, switch by switch
  std::vector<std::size_t> first_arrival_;  ///< of a switch in `arrivals_`
  std::vector<std::uint32_t> arrivals_;     ///< where the hops to a switch come from
  std::vector<Distances> distances_;        ///< by target; empty where unknown
  std::vector<std::vector<Hop>> global_;    ///< by group: the links that leave it; empty without groups
  std::vector<std::uint32_t> group_size_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<Hop>> group_exits_;  ///< by groups
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, Path> spread_;   ///< by ends and weight
  std::vector<Hop> next_;
};

}  // namespace makespan
