#include "schedules/catalogue.h"
#include "schedules/v_schedule.h"

namespace makespan {

namespace {

/// Forwards of the first stage and input gradients of the second step two slots per rank.
VBlock block(int ranks, int rank) {
  const int gap = ranks % 2 == 0 ? 3 : 0;
  return {2 * rank, 3 * ranks - 2 - rank, 3 * ranks - 1 + gap + 2 * rank, 6 * ranks - 2 + gap - rank};
}

Schedule v_half(const ScheduleOptions& options) {
  return v_schedule("v-half", options, block);
}

}  // namespace

extern const ScheduleKind kVHalf;
const ScheduleKind kVHalf = {.name = "v-half",
                             .summary = "a V at half the activations of 1F1B",
                             .source = "Qi et al. 2024, arXiv 2405.15362",
                             .least_chunks = 2,
                             .most_chunks = 2,
                             .splits = true,
                             .generate = v_half};

}  // namespace makespan
