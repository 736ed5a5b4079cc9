#include "schedules/evictions.h"

#include <map>
#include <tuple>

namespace makespan {

namespace {

const std::vector<Action>& list_of(const Schedule& schedule, const Eviction& eviction) {
  return schedule.actions[static_cast<std::size_t>(eviction.rank)];
}

bool is_rank(const Schedule& schedule, int rank) {
  return rank >= 0 && rank < schedule.ranks;
}

/// Whether the F of the activation is at `out_after`.
bool leaves_behind_forward(const Schedule& schedule, const Eviction& eviction) {
  const std::vector<Action>& actions = list_of(schedule, eviction);
  if (eviction.out_after < 0 || static_cast<std::size_t>(eviction.out_after) >= actions.size()) {
    return false;
  }
  const Action& action = actions[static_cast<std::size_t>(eviction.out_after)];
  return action.kind == ActionKind::forward && action.stage == eviction.stage &&
         action.microbatch == eviction.microbatch;
}

bool comes_back_in_time(const Schedule& schedule, const Eviction& eviction, int backward) {
  return eviction.back_after > eviction.out_after && eviction.back_after < backward &&
         is_compute(list_of(schedule, eviction)[static_cast<std::size_t>(eviction.back_after)].kind);
}

}  // namespace

std::vector<int> backward_positions(const Schedule& schedule) {
  std::map<std::tuple<int, int, int>, int> positions;  // by rank, stage and micro-batch
  for (std::size_t rank = 0; rank < schedule.actions.size() && !schedule.evictions.empty(); ++rank) {
    const std::vector<Action>& actions = schedule.actions[rank];
    for (std::size_t i = 0; i < actions.size(); ++i) {
      if (actions[i].kind == ActionKind::backward || actions[i].kind == ActionKind::backward_input) {
        positions.try_emplace({static_cast<int>(rank), actions[i].stage, actions[i].microbatch},
                              static_cast<int>(i));
      }
    }
  }
  std::vector<int> result;
  for (const Eviction& eviction : schedule.evictions) {
    const auto found = positions.find({eviction.rank, eviction.stage, eviction.microbatch});
    result.push_back(found == positions.end() ? 0 : found->second);
  }
  return result;
}

std::vector<std::string> eviction_problems(const Schedule& schedule) {
  std::vector<std::string> problems;
  const std::vector<int> backwards = backward_positions(schedule);
  std::map<std::tuple<int, int, int>, int> seen;
  for (std::size_t i = 0; i < schedule.evictions.size(); ++i) {
    const Eviction& eviction = schedule.evictions[i];
    const std::string what =
        "the activation of " + to_string(Action{ActionKind::forward, eviction.stage, eviction.microbatch});
    if (!is_rank(schedule, eviction.rank) || !is_rank(schedule, eviction.to) ||
        eviction.to == eviction.rank) {
      problems.push_back(what + " cannot move from rank " + std::to_string(eviction.rank) + " to rank " +
                         std::to_string(eviction.to));
    } else if (!leaves_behind_forward(schedule, eviction)) {
      problems.push_back(what + " does not leave behind its F on rank " + std::to_string(eviction.rank));
    } else if (!comes_back_in_time(schedule, eviction, backwards[i])) {
      problems.push_back(what + " does not come back behind a compute between its F and its B on rank " +
                         std::to_string(eviction.rank));
    } else if (++seen[{eviction.rank, eviction.stage, eviction.microbatch}] == 2) {
      problems.push_back(what + " leaves twice");
    }
  }
  return problems;
}

}  // namespace makespan
