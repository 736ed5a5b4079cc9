#include "schedules/alternation.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

/// 1F1B whose weight gradients run r micro-batches late on rank r and fill its bubbles.
Schedule zb_h1(const ScheduleOptions& options) {
  return split_schedule("zb-h1", options, 1, 1);
}

}  // namespace

extern const ScheduleKind kZbH1;
const ScheduleKind kZbH1 = {
    .name = "zb-h1",
    .summary = "1F1B with weight gradients moved into the bubbles, at the memory of 1F1B",
    .source = "Qi et al. 2024, arXiv 2401.10241 (ZB-H1, ZB1P)",
    .splits = true,
    .generate = zb_h1};

}  // namespace makespan
