#pragma once

#include "schedules/options.h"
#include "schedules/schedule.h"

namespace makespan {

/// 1F1B with a flush: rank r runs min(p - 1 - r, m) forwards, then forward and backward in turn, then the
/// remaining backwards. PipeDream-flush in arXiv 2006.09503, DAPPLE, Megatron-LM's non-interleaved schedule.
[[nodiscard]] Schedule one_f_one_b(const ScheduleOptions& options);

}  // namespace makespan
