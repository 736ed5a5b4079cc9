#pragma once

#include <string>

#include "schedules/schedule.h"

namespace makespan {

/// The ranks and messages that wait for each other for ever under `communication`, as "deadlock with fused
/// communication: rank 0 waits at 0F3 for the activation of 0F2 from rank 0 to rank 1, which rank 1 joins
/// only after 1B0; rank 1 waits at ..."; empty when every list runs to its end. Requires a valid schedule
/// (schedules/validate.h), which is one that runs when messages are independent.
[[nodiscard]] std::string find_deadlock(const Schedule& schedule, Communication communication);

}  // namespace makespan
