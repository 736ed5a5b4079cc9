#include "schedules/catalogue.h"
#include "schedules/v_schedule.h"

namespace makespan {

namespace {

/// Every pass steps one slot per rank.
VBlock block(int ranks, int rank) {
  const int gap = ranks % 3 == 0 ? 2 : 0;
  return {rank, 2 * ranks - 1 - rank, 2 * ranks + gap + rank, 4 * ranks + gap - 1 - rank};
}

Schedule v_min(const ScheduleOptions& options) {
  return v_schedule("v-min", options, block);
}

}  // namespace

extern const ScheduleKind kVMin;
const ScheduleKind kVMin = {.name = "v-min",
                            .summary = "a V at a third of the activations of 1F1B",
                            .source = "Qi et al. 2024, arXiv 2405.15362",
                            .least_chunks = 2,
                            .most_chunks = 2,
                            .splits = true,
                            .generate = v_min};

}  // namespace makespan
