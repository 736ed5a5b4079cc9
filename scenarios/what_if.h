#pragma once

#include <vector>

#include "core/simulator.h"
#include "core/task_graph.h"
#include "scenarios/run.h"

namespace makespan {

// Task graphs in which something is free. Who waits for whom stays, and so do computes and memory.

/// Transfers reserve nothing of the GPUs: compute runs at its nominal speed.
[[nodiscard]] TaskGraph without_slowdown(TaskGraph graph);

/// Transfers share nothing: each takes what it takes alone (alone_duration()), on links as they are at the
/// start, and reserves its GPUs for that long. Message by message, the chunks of one collective do not share
/// links either.
[[nodiscard]] TaskGraph without_contention(const TaskGraph& graph);

/// Bytes flow as soon as a transfer starts, and steps of collectives cost nothing but their bytes.
[[nodiscard]] TaskGraph without_latency(const TaskGraph& graph);

/// Transfers of `group` move no bytes: what is left of them is their latency. Those of Group::none count as
/// Group::other.
[[nodiscard]] TaskGraph without_bandwidth(const TaskGraph& graph, Group group);

/// Transfers take no time and use nothing.
[[nodiscard]] TaskGraph without_communication(const TaskGraph& graph);

/// What is made free.
enum class Cause : std::uint8_t {
  compute_slowdown,
  contention,
  latency,
  bandwidth,      ///< of one group
  communication,  ///< all of it: latency, bandwidth and reservations
  bubble,         ///< a bound, see what_if()
};

/// The reported iteration with one cause made free.
struct WhatIf {
  Cause cause = Cause::contention;
  Group group = Group::none;  ///< of Cause::bandwidth
  Time iteration_time;
};

/// Simulates the run again without each cause: compute slow-down, contention, latency, the bandwidth of each
/// group that has transfers, all communication. The last entry, Cause::bubble, is no simulation but a bound:
/// the largest of the ranks' times without bubble (compute with its slow-down, and exposed communication),
/// which is how long the iteration of `run` would take its busiest rank if it never waited for another.
///
/// What is saved by one cause depends on the others: a wait that is taken away may uncover another. So
/// savings do not add up, and one of them alone may even be negative, for other transfers then share links
/// and slow compute. With one iteration, these hold: nothing is slower without communication; nothing is
/// slower without contention and compute slow-down together, on links that do not change; and where these
/// two are away, nothing is slower with less latency or fewer bytes, for then every task lasts a fixed time
/// and starts when the last of its predecessors ends.
[[nodiscard]] std::vector<WhatIf> what_if(const Run& run, const SimulationOptions& options = {});

}  // namespace makespan
