#include "schedules/placement.h"

#include <numeric>

namespace makespan {

Schedule empty_schedule(std::string_view kind, const ScheduleOptions& options) {
  const auto ranks = static_cast<std::size_t>(options.ranks);
  Schedule schedule;
  schedule.kind = kind;
  schedule.ranks = options.ranks;
  schedule.microbatches = options.microbatches;
  schedule.chunks = options.chunks;
  schedule.rank_of_stage.resize(ranks * static_cast<std::size_t>(options.chunks));
  for (int stage = 0; stage < schedule.stages(); ++stage) {
    schedule.rank_of_stage[static_cast<std::size_t>(stage)] = stage % options.ranks;
  }
  schedule.actions.resize(ranks);
  const auto per_rank =
      2 * static_cast<std::size_t>(options.microbatches) * static_cast<std::size_t>(options.chunks);
  for (std::vector<Action>& actions : schedule.actions) {
    actions.reserve(per_rank);
  }
  schedule.exchanges.resize(ranks);
  return schedule;
}

void exchange_after_every_action(Schedule& schedule) {
  for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    schedule.exchanges[rank].resize(schedule.actions[rank].size() + 1);
    std::iota(schedule.exchanges[rank].begin(), schedule.exchanges[rank].end(), -1);
  }
}

}  // namespace makespan
