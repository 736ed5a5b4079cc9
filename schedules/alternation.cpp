#include "schedules/alternation.h"

#include <algorithm>

#include "schedules/placement.h"

namespace makespan {

namespace {

/// Forwards of `rank` before its first backward.
int warm_up(const ScheduleOptions& options, int rank, int per_rank) {
  const std::int64_t wanted = std::int64_t{per_rank} * (options.ranks - 1 - rank);
  return static_cast<int>(std::min<std::int64_t>(wanted, options.microbatches));
}

}  // namespace

Schedule alternating_schedule(std::string_view kind, const ScheduleOptions& options, int per_rank) {
  Schedule schedule = empty_schedule(kind, options);
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
    const int warm = warm_up(options, rank, per_rank);
    for (int k = 0; k < warm; ++k) {
      actions.push_back({ActionKind::forward, rank, k});
    }
    for (int k = 0; k < options.microbatches; ++k) {
      if (warm + k < options.microbatches) {
        actions.push_back({ActionKind::forward, rank, warm + k});
      }
      actions.push_back({ActionKind::backward, rank, k});
    }
  }
  exchange_after_every_action(schedule);
  return schedule;
}

Schedule split_schedule(std::string_view kind, const ScheduleOptions& options, int per_rank, int delay) {
  Schedule schedule = empty_schedule(kind, options);
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
    const int warm = warm_up(options, rank, per_rank);
    const auto later =
        static_cast<int>(std::min<std::int64_t>(std::int64_t{delay} * rank, options.microbatches));
    for (int k = 0; k < warm; ++k) {
      actions.push_back({ActionKind::forward, rank, k});
    }
    for (int k = 0; k < options.microbatches; ++k) {
      if (warm + k < options.microbatches) {
        actions.push_back({ActionKind::forward, rank, warm + k});
      }
      actions.push_back({ActionKind::backward_input, rank, k});
      if (k >= later) {
        actions.push_back({ActionKind::backward_weight, rank, k - later});
      }
    }
    for (int k = options.microbatches - later; k < options.microbatches; ++k) {
      actions.push_back({ActionKind::backward_weight, rank, k});
    }
  }
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace makespan
