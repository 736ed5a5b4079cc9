#include "schedules/alternation.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

/// "Overlap-friendly": 1F1B with twice the warm-up, so that every input is there one action before it is used
/// and the steady phase hides transfers.
Schedule eager(const ScheduleOptions& options) {
  return alternating_schedule("eager-1f1b", options, 2);
}

}  // namespace

extern const ScheduleKind kEager;
const ScheduleKind kEager = {.name = "eager-1f1b",
                             .summary = "1F1B with twice the warm-up, which hides transfers",
                             .source = "Zhuang et al. 2023, arXiv 2211.05322",
                             .generate = eager};

}  // namespace makespan
