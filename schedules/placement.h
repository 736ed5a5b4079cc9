#pragma once

#include <string_view>

#include "schedules/options.h"
#include "schedules/schedule.h"

namespace makespan {

/// A schedule without actions whose stages are placed in a loop: stage s on rank s mod p.
[[nodiscard]] Schedule empty_schedule(std::string_view kind, const ScheduleOptions& options);

/// Fills `exchanges` with -1 and every position.
void exchange_after_every_action(Schedule& schedule);

}  // namespace makespan
