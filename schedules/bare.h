#pragma once

#include <string>
#include <vector>

#include "core/simulator.h"
#include "core/task_graph.h"
#include "core/timeline.h"
#include "schedules/bare_costs.h"
#include "schedules/schedule.h"

namespace makespan {

/// A schedule as a task graph, without a model or a cluster: one device per rank, its computes in a chain,
/// one transfer per message between ranks. The simulator's picosecond stands for one tick here.
struct BareModel {
  TaskGraph graph;
  /// By rank and position in its list; both actions of an overlapped pair have the same. A default for what
  /// is no compute.
  std::vector<std::vector<TaskId>> tasks;
  /// Ticks per unit of BareCosts: every duration is a whole number of them. At least 5040 per abstract unit,
  /// 10^12 per second (where a tick that is not a picosecond also scales the bandwidth, rounded to 1/1000
  /// byte per 10^12 ticks).
  BigInteger ticks_per_unit = 1;
};

/// Throws InputError or InfeasibleError for an invalid schedule (require_valid), and InputError naming the
/// option whose cost does not fit the range of ticks.
[[nodiscard]] BareModel lower_bare(const Schedule& schedule, const BareCosts& costs,
                                   Communication communication);

/// What a bare schedule comes to. Times in the unit of BareCosts.
struct BareResult {
  Rational makespan;          ///< latest end over all ranks, from the first start
  Rational max_span;          ///< the longest time of a rank from its own first start to its own last end
  Rational work;              ///< the largest busy time of a rank
  double bubble_ratio = 0.0;  ///< 1 - busy time of all ranks / (ranks * makespan); 0 when nothing takes time
  double span_bubble_ratio = 0.0;  ///< (max_span - work) / max_span; 0 when nothing takes time
  /// Per rank, the most stage activations held at once in program order: +1 at F, -1 after B or W. With
  /// sequence pieces, those of pieces. With evictions, all that the rank holds, at the times of the run; a
  /// move takes no time.
  std::vector<int> peak_activations;
  /// Per rank, PyTorch's cells, as in the schedule.
  std::vector<std::vector<std::string>> actions;
};

[[nodiscard]] BareResult summarize_bare(const Schedule& schedule, const BareModel& model,
                                        const Timeline& timeline);

/// A bare schedule with what is needed to draw it.
struct BareRun {
  BareModel model;
  Timeline timeline;
  BareResult result;
};

/// Lowers, simulates and summarizes. Throws as lower_bare does, and InfeasibleError when the ranks wait for
/// each other for ever under `communication` or time leaves its range, and Interrupted when
/// `options.progress` says so.
[[nodiscard]] BareRun run_bare(const Schedule& schedule, const BareCosts& costs, Communication communication,
                               const SimulationOptions& options = {});

/// Per rank, as BareResult::peak_activations without evictions.
[[nodiscard]] std::vector<int> peak_activations(const Schedule& schedule);

}  // namespace makespan
