#include "schedules/alternation.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

/// Twice the warm-up and twice the delay of ZB-H1: no rank idles between its first and its last action when
/// F = I = W and m >= 2p - 1.
Schedule zb_h2(const ScheduleOptions& options) {
  return split_schedule("zb-h2", options, 2, 2);
}

}  // namespace

extern const ScheduleKind kZbH2;
const ScheduleKind kZbH2 = {.name = "zb-h2",
                            .summary = "zero bubble within each rank's span, at twice the memory of 1F1B",
                            .source = "Qi et al. 2024, arXiv 2401.10241 (ZB-H2, ZB2P)",
                            .splits = true,
                            .generate = zb_h2};

}  // namespace makespan
