#include "test/schedules/list_oracle.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace makespan::test {

namespace {

class Oracle {
 public:
  Oracle(const Schedule& schedule, const ListCosts& costs) : schedule_(schedule), costs_(costs) {
    for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
      const Action* previous = nullptr;
      for (const Action& action : schedule.actions[rank]) {
        if (is_compute(action.kind)) {
          before_[action] = previous;
          previous = &action;
        }
      }
    }
  }

  std::int64_t makespan() {
    std::int64_t latest = 0;
    for (const auto& [action, previous] : before_) {
      latest = std::max(latest, end(action));
    }
    return latest;
  }

 private:
  std::int64_t cost(const Action& action) const {
    switch (action.kind) {
      case ActionKind::forward:
        return costs_.forward;
      case ActionKind::backward:
        return costs_.backward;
      case ActionKind::backward_input:
        return costs_.backward_input;
      default:
        return costs_.backward_weight;
    }
  }

  /// When the output of `kind` of another stage is there, if that action exists.
  std::int64_t arrival(ActionKind kind, const Action& user, int stage) {
    const Action producer{kind, stage, user.microbatch};
    if (before_.find(producer) == before_.end()) {
      return 0;
    }
    const auto rank_of = [&](int s) { return schedule_.rank_of_stage[static_cast<std::size_t>(s)]; };
    return end(producer) + (rank_of(stage) == rank_of(user.stage) ? 0 : costs_.hop);
  }

  std::int64_t end(const Action& action) {
    if (const auto known = end_.find(action); known != end_.end()) {
      return known->second;
    }
    const Action* const previous = before_.at(action);
    std::int64_t start = previous == nullptr ? 0 : end(*previous);
    if (action.kind == ActionKind::forward) {
      start = std::max(start, arrival(ActionKind::forward, action, action.stage - 1));
    } else if (action.kind != ActionKind::backward_weight) {
      start = std::max({start, arrival(ActionKind::backward, action, action.stage + 1),
                        arrival(ActionKind::backward_input, action, action.stage + 1)});
    }
    return end_[action] = start + cost(action);
  }

  const Schedule& schedule_;
  ListCosts costs_;
  std::map<Action, const Action*> before_;
  std::map<Action, std::int64_t> end_;
};

}  // namespace

std::int64_t list_makespan(const Schedule& schedule, const ListCosts& costs) {
  return Oracle(schedule, costs).makespan();
}

}  // namespace makespan::test
