#pragma once

#include "core/task_graph.h"
#include "core/timeline.h"

namespace makespan::oracle {

/// What `simulate` must give, `events` left 0, by a loop that looks at every task at every instant and
/// computes every rate afresh with the reference solver. Throws InfeasibleError where `simulate` does, with
/// the shortest of messages: "starved", "overflow" or "deadlock".
[[nodiscard]] Timeline reference_simulate(const TaskGraph& graph);

}  // namespace makespan::oracle
