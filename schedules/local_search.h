#pragma once

#include <cstdint>

#include "schedules/pass_costs.h"
#include "schedules/schedule.h"

namespace makespan {

/// Whether `a` is shorter, or as long with ranks that end (makespan) or span (largest span) less in sum.
[[nodiscard]] bool is_shorter(const ScheduleTimes& a, const ScheduleTimes& b, Objective objective);

/// Shortens `schedule` by local moves, within the memory limits and with the first that shortens it at a
/// time:
///
/// - all lists are dispatched anew by urgency, the longest path from an action to the end
/// (run_list_priorities), as
///   in forward-backward improvement of project schedules;
/// - two actions in a row of which both are critical change places;
/// - a critical W moves to the next idle gap of its rank, to the end of its list, or to the gap before;
/// - I's and W's in a row become B's, where those take less time, and a critical B becomes I and W;
/// - when nothing else helps, the lists are dispatched with random changes of urgency, up to 64 times.
///
/// `split`: whether backward passes may be split. `budget`: actions that may still be timed; it is lowered
/// by those that were, and work ends when none is left. Requires a valid schedule of computes, of one
/// replica, that fits the memory. Returns the times of what is left in `schedule`.
[[nodiscard]] ScheduleTimes shorten(Schedule& schedule, const PassCosts& costs, Objective objective,
                                    bool split, std::int64_t& budget);

}  // namespace makespan
