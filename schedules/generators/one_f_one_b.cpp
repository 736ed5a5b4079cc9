#include "schedules/alternation.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

/// PipeDream-flush, also DAPPLE and Megatron-LM's schedule without interleaving.
Schedule one_f_one_b(const ScheduleOptions& options) {
  return alternating_schedule("1f1b", options, 1);
}

}  // namespace

extern const ScheduleKind kOneFOneB;
const ScheduleKind kOneFOneB = {.name = "1f1b",
                                .summary = "forward and backward in turn after a warm-up, with a flush",
                                .source = "Narayanan et al. 2021, arXiv 2006.09503 (PipeDream-flush)",
                                .generate = one_f_one_b};

}  // namespace makespan
