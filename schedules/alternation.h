#pragma once

#include <string_view>

#include "schedules/options.h"
#include "schedules/schedule.h"

namespace makespan {

/// One stage per rank, forwards and backwards in turn after a warm-up: rank r runs
/// min(per_rank * (p - 1 - r), m) forwards, then forward and backward in turn, then the remaining backwards.
[[nodiscard]] Schedule alternating_schedule(std::string_view kind, const ScheduleOptions& options,
                                            int per_rank);

/// The same with the backward passes split: I in place of B, and W later, `delay` * r micro-batches after its
/// I on rank r. At the end each rank runs the weight gradients that are left.
[[nodiscard]] Schedule split_schedule(std::string_view kind, const ScheduleOptions& options, int per_rank,
                                      int delay);

}  // namespace makespan
