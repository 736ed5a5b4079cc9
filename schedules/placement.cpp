#include "schedules/placement.h"

#include <numeric>

namespace makespan {

namespace {

int rank_of(int stage, int ranks, Placement placement) {
  const int place = stage % ranks;
  const bool backwards = placement != Placement::loop && stage / ranks % 2 == 1;
  return backwards ? ranks - 1 - place : place;
}

}  // namespace

Schedule empty_schedule(std::string_view kind, const ScheduleOptions& options, Placement placement) {
  const auto ranks = static_cast<std::size_t>(options.ranks);
  Schedule schedule;
  schedule.kind = kind;
  schedule.ranks = options.ranks;
  schedule.microbatches = options.microbatches * options.pieces;
  schedule.chunks = options.chunks;
  schedule.replicas = placement == Placement::bidirectional ? 2 : 1;
  schedule.pieces = options.pieces;
  const int stages = options.ranks * options.chunks * schedule.replicas;
  for (int stage = 0; stage < stages; ++stage) {
    schedule.rank_of_stage.push_back(rank_of(stage, options.ranks, placement));
  }
  schedule.actions.resize(ranks);
  const auto per_rank =
      2 * static_cast<std::size_t>(schedule.microbatches) * static_cast<std::size_t>(options.chunks);
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

void push_pair(std::vector<Action>& actions, Action forward, const Action& backward) {
  forward.overlaps_next = true;
  actions.push_back(forward);
  actions.push_back(backward);
}

}  // namespace makespan
