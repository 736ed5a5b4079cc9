#pragma once

#include "core/random.h"
#include "core/task_graph.h"

namespace makespan::test {

/// A small graph in which everything can happen at once: transfers with and without latency, amount or links,
/// weights, reservations that slow compute, zero-length work, markers, capacities that change and fail. Round
/// numbers make ties frequent, odd ones leave remainders. Half of the graphs have pools. Now and then the
/// graph has a cycle, a link that is never repaired, or a task that would end after the end of time.
[[nodiscard]] TaskGraph random_graph(Random& random);

}  // namespace makespan::test
