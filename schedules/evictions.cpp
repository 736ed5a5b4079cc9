#include "schedules/evictions.h"

#include <algorithm>
#include <set>
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

bool comes_back_in_time(const Schedule& schedule, const Eviction& eviction) {
  return eviction.back_after > eviction.out_after &&
         eviction.back_after < backward_position(schedule, eviction) &&
         is_compute(list_of(schedule, eviction)[static_cast<std::size_t>(eviction.back_after)].kind);
}

}  // namespace

int backward_position(const Schedule& schedule, const Eviction& eviction) {
  const std::vector<Action>& actions = list_of(schedule, eviction);
  const auto found = std::find_if(actions.begin(), actions.end(), [&](const Action& action) {
    return action.stage == eviction.stage && action.microbatch == eviction.microbatch &&
           (action.kind == ActionKind::backward || action.kind == ActionKind::backward_input);
  });
  return static_cast<int>(found - actions.begin());
}

std::vector<std::string> eviction_problems(const Schedule& schedule) {
  std::vector<std::string> problems;
  std::set<std::tuple<int, int, int>> seen;
  for (const Eviction& eviction : schedule.evictions) {
    const std::string what =
        "the activation of " + to_string(Action{ActionKind::forward, eviction.stage, eviction.microbatch});
    if (!is_rank(schedule, eviction.rank) || !is_rank(schedule, eviction.to) ||
        eviction.to == eviction.rank) {
      problems.push_back(what + " cannot move from rank " + std::to_string(eviction.rank) + " to rank " +
                         std::to_string(eviction.to));
    } else if (!leaves_behind_forward(schedule, eviction)) {
      problems.push_back(what + " does not leave behind its F on rank " + std::to_string(eviction.rank));
    } else if (!comes_back_in_time(schedule, eviction)) {
      problems.push_back(what + " does not come back behind a compute between its F and its B on rank " +
                         std::to_string(eviction.rank));
    } else if (!seen.emplace(eviction.rank, eviction.stage, eviction.microbatch).second) {
      problems.push_back(what + " leaves twice");
    }
  }
  return problems;
}

}  // namespace makespan
