#pragma once

#include "schedules/options.h"
#include "schedules/schedule.h"

namespace makespan {

/// All forwards, then all backwards: oldest first, or newest first with `options.lifo` as in the paper's
/// figure. GPipe, arXiv 1811.06965.
[[nodiscard]] Schedule gpipe(const ScheduleOptions& options);

}  // namespace makespan
