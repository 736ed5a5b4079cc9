#include "schedules/catalogue.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// All forwards, then all backwards: oldest first, or newest first as in the paper's figure.
Schedule gpipe(const ScheduleOptions& options) {
  Schedule schedule = empty_schedule("gpipe", options);
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
    for (int k = 0; k < options.microbatches; ++k) {
      actions.push_back({ActionKind::forward, rank, k});
    }
    for (int k = 0; k < options.microbatches; ++k) {
      actions.push_back({ActionKind::backward, rank, options.lifo ? options.microbatches - 1 - k : k});
    }
  }
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace

extern const ScheduleKind kGpipe;
const ScheduleKind kGpipe = {.name = "gpipe",
                             .summary = "all forwards, then all backwards",
                             .source = "Huang et al. 2019, arXiv 1811.06965",
                             .has_lifo = true,
                             .generate = gpipe};

}  // namespace makespan
