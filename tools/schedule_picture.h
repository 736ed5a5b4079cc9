#pragma once

#include <string>

#include "schedules/bare.h"
#include "schedules/schedule.h"

namespace makespan {

/// The timeline in characters, one line per rank, time to the right: "F0" is the forward pass of micro-batch
/// 0, drawn as long as it takes. With two stages per rank the second has small letters, with more "2F0" is
/// that of stage 2. Dots are idle time. Empty when it would not fit 200 columns or 32 ranks.
[[nodiscard]] std::string schedule_picture(const Schedule& schedule, const BareRun& run);

}  // namespace makespan
