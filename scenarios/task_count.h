#pragma once

#include "core/int128.h"
#include "scenarios/scenario.h"

namespace makespan {

/// The tasks that lowering a resolved scenario makes, by a closed formula: never too few, and close to them.
/// What each pass consists of is in scenarios/program.cpp.
[[nodiscard]] Uint128 most_tasks(const Scenario& scenario);

}  // namespace makespan
