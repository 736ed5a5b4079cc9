#pragma once

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "core/task_graph.h"
#include "core/timeline.h"

namespace makespan {

/// Bytes by what they are held for, indexed by MemoryKind.
using MemorySplit = std::array<Bytes, kMemoryKinds>;

/// Stands for a task where nothing but the static allocations made the peak.
inline constexpr TaskId kNoTask{0xffff'ffffU};

/// The most memory that a device holds at once.
struct MemoryPeak {
  Bytes peak;
  MemorySplit split{};    ///< of the peak; sums to it
  Time at;                ///< the first instant at which it is reached
  TaskId task = kNoTask;  ///< whose start or end takes the most there; the lowest number of equals
};

/// Memory over time follows from the graph's deltas and from when tasks began and ended. Within one instant
/// what happens at the end of tasks comes before what happens at the start of tasks; the order among either
/// does not matter. `statics` holds what each device holds throughout, one entry per device. O(d log d) in
/// the number of deltas d.
[[nodiscard]] std::vector<MemoryPeak> memory_peaks(const TaskGraph& graph, const Timeline& timeline,
                                                   std::span<const MemorySplit> statics);

/// What `device` holds from each instant on, starting with its statics at 0. Instants ascend and appear once,
/// except where memory passes through a maximum inside one: there the maximum comes first, then what remains.
/// The largest total is the peak of memory_peaks().
[[nodiscard]] std::vector<std::pair<Time, MemorySplit>> memory_curve(const TaskGraph& graph,
                                                                     const Timeline& timeline,
                                                                     std::span<const MemorySplit> statics,
                                                                     DeviceId device);

/// The sum over the kinds.
[[nodiscard]] Bytes total(const MemorySplit& split);

}  // namespace makespan
