#include "schedules/one_f_one_b.h"

#include <algorithm>

#include "schedules/placement.h"

namespace makespan {

Schedule one_f_one_b(const ScheduleOptions& options) {
  Schedule schedule = empty_schedule("1f1b", options);
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
    const int warm_up = std::min(options.ranks - 1 - rank, options.microbatches);
    for (int k = 0; k < warm_up; ++k) {
      actions.push_back({ActionKind::forward, rank, k});
    }
    for (int k = 0; k < options.microbatches; ++k) {
      if (warm_up + k < options.microbatches) {
        actions.push_back({ActionKind::forward, rank, warm_up + k});
      }
      actions.push_back({ActionKind::backward, rank, k});
    }
  }
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace makespan
