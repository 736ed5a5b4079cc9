#pragma once

#include <string>
#include <vector>

#include "scenarios/scenario.h"

namespace makespan {

/// The most tasks that a run is started with; a task takes about 100 bytes.
inline constexpr std::int64_t kMaxTasks = 60'000'000;

/// Fills in what the scenario leaves to be derived (see the defaults in docs/reference/scenario.md) and
/// checks that its parts fit together: sizes that must divide each other, ranks against GPUs, the schedule
/// against the micro-batches. Adds a line to `warnings` for each key that was given and has no effect.
///
/// Throws one InputError with all problems, at the places where the keys were given; InfeasibleError when the
/// run would take more than kMaxTasks tasks.
void resolve(Scenario& scenario, std::vector<std::string>& warnings);

}  // namespace makespan
