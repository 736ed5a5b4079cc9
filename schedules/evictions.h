#pragma once

#include <string>
#include <vector>

#include "schedules/schedule.h"

namespace makespan {

/// By eviction, the position in the list of its rank of the backward pass that needs the activation; 0 when
/// there is none.
[[nodiscard]] std::vector<int> backward_positions(const Schedule& schedule);

/// What is wrong with the evictions of a schedule whose actions are known to be right one by one: an
/// activation leaves once, behind its F, to another rank, and comes back behind a compute before its B.
[[nodiscard]] std::vector<std::string> eviction_problems(const Schedule& schedule);

}  // namespace makespan
