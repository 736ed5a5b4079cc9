#pragma once

#include "schedules/options.h"
#include "schedules/schedule.h"

namespace makespan {

/// Interleaved 1F1B: stage s on rank s mod p, `options.group` (not 0 here) micro-batches per chunk at a time.
/// One chunk is plain 1F1B. Narayanan et al., SC21, arXiv 2104.04473; groups larger than p as in Megatron-LM.
[[nodiscard]] Schedule interleaved(const ScheduleOptions& options);

}  // namespace makespan
