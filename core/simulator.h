#pragma once

#include <cstdint>
#include <functional>

#include "core/task_graph.h"
#include "core/timeline.h"

namespace makespan {

/// The SMs, and the memory bandwidth, that transfers take from a device together never exceed this share, in
/// parts per million: a kernel always keeps a tenth of its device.
inline constexpr std::uint32_t kReservationCap = 900'000;

struct SimulationOptions {
  /// Fill Timeline::rates.
  bool record_rates = false;
  /// When not 0, events of one instant are handled in an order shuffled by this seed. The result must not
  /// change.
  std::uint64_t tie_seed = 0;
  /// Called now and then with the tasks that have ended, all tasks, and the simulated time. Returning false
  /// stops the run with Interrupted.
  std::function<bool(std::size_t done, std::size_t total, Time now)> progress;
};

/// Runs the graph: the only phase with state that changes.
///
/// A task starts the instant its last predecessor ends, one of a pool not before its turn and a free slot.
/// Within an instant, ends free slots before starts take them, and a task that takes no time gives its slot
/// on at once; who may start does not depend on the order in which any of that is done. Transfers share links
/// max-min fairly (core/fluid.h); a compute task on a device where transfers reserve a share s of the SMs and
/// h of the memory bandwidth advances at floor(1e6 * T / (launch + sm / (1 - s) + memory / (1 - h))) parts
/// per million of its nominal speed, T its nominal duration. All arithmetic is on integers: the same graph
/// gives the same timeline everywhere.
///
/// Throws InfeasibleError for a cyclic graph, turns in pools included (with the cycle in words), for a
/// transfer that can never advance, and past the range of simulated time.
[[nodiscard]] Timeline simulate(const TaskGraph& graph, const SimulationOptions& options = {});

/// The speed, in parts per million, of `work` on a device where `sm_ppm` and `memory_ppm` are reserved
/// (already capped at kReservationCap).
[[nodiscard]] std::int64_t compute_speed(const ComputeWork& work, std::uint32_t sm_ppm,
                                         std::uint32_t memory_ppm);

}  // namespace makespan
