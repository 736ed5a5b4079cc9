#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/task_graph.h"
#include "core/timeline.h"

namespace makespan {

/// Why a compute stream stands still when its own communication is not the reason.
enum class Bubble : std::uint8_t {
  warm_up,     ///< before the first compute task
  drain,       ///< after the last forward
  optimizer,   ///< ended by the gradient norm or the optimizer, and the tail
  dependency,  ///< waiting for another rank in between
};
inline constexpr std::size_t kBubbles = 4;

[[nodiscard]] std::string_view to_string(Bubble bubble);

/// The span of time that is attributed: one training iteration.
struct Window {
  Time begin;
  Time end;

  [[nodiscard]] Time length() const { return end - begin; }
};

/// Where one device's time went. compute + sum of exposed + sum of bubble = the window, exactly.
struct RankTime {
  Time compute;                          ///< union of the compute tasks
  Time slowdown;                         ///< the part of it that is due to reservations by transfers
  std::array<Time, kGroups> exposed;     ///< communication that the compute stream waited for, by group
  std::array<Time, kGroups> contention;  ///< the part of `exposed` beyond what the transfers take alone
  std::array<Time, kBubbles> bubble;

  [[nodiscard]] Time exposed_total() const;
  [[nodiscard]] Time bubble_total() const;

  auto operator<=>(const RankTime&) const = default;
};

/// Attributes the window for every device.
///
/// For a gap of a device's compute tasks, walk back from the task that ends it along its latest-ending
/// predecessor, looking through markers. While that predecessor is a transfer in which the device is a
/// member, the part of the gap under it is exposed communication of its group; at the first other predecessor
/// the rest is bubble. A transfer starts when all its members are ready, so a late peer is bubble. Ties: own
/// communication in the order of Group, then own compute, then remote work.
[[nodiscard]] std::vector<RankTime> attribute(const TaskGraph& graph, const Timeline& timeline,
                                              Window window);

/// The time that `task` takes when nothing shares its resources: latency, then amount at the alone rate,
/// rounded up to a picosecond. Requires a transfer.
[[nodiscard]] Time alone_duration(const TaskGraph& graph, TaskId task);

/// The longest chain through the window: from its end back along the latest-ending predecessors. The parts
/// sum to the window.
struct CriticalPath {
  std::array<Time, 8> compute;         ///< by Phase
  std::array<Time, kGroups> transfer;  ///< by Group
  Time idle;                           ///< before the first task of the chain
};

[[nodiscard]] CriticalPath critical_path(const TaskGraph& graph, const Timeline& timeline, Window window);

/// A number that changes when any span of any rank or link changes: the sum over ranks of mix(rank, its
/// spans), and over links of mix(link, what crossed it), modulo 2^64. Spans count with their label's text and
/// numbers, not with task numbers, so equal behaviour gives equal fingerprints however the graph was built.
[[nodiscard]] std::uint64_t fingerprint(const TaskGraph& graph, const Timeline& timeline);

}  // namespace makespan
