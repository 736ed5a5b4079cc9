#pragma once

#include <string>
#include <vector>

#include "schedules/schedule.h"

namespace makespan {

/// The position in the list of `eviction.rank` of the backward pass that needs the activation; that list's
/// length when there is none.
[[nodiscard]] int backward_position(const Schedule& schedule, const Eviction& eviction);

/// What is wrong with the evictions of a schedule whose actions are known to be right one by one: an
/// activation leaves once, behind its F, to another rank, and comes back behind a compute before its B.
[[nodiscard]] std::vector<std::string> eviction_problems(const Schedule& schedule);

}  // namespace makespan
