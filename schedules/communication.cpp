#include "schedules/communication.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <utility>

#include "core/error.h"
#include "schedules/passes.h"

namespace makespan {

namespace {

/// PyTorch keeps the weights of at most this many stages of a rank unsharded.
constexpr std::size_t kActiveStages = 3;

using Stages = std::vector<int>;

bool contains(const Stages& stages, int stage) {
  return std::find(stages.begin(), stages.end(), stage) != stages.end();
}

/// Actions of a list that are one step: a pair, or a single one.
std::size_t step_length(const std::vector<Action>& actions, std::size_t i) {
  return actions[i].overlaps_next && i + 1 < actions.size() ? 2 : 1;
}

/// For each step of a list, the distinct stages that come next from there on, until there are at least
/// kActiveStages: a pair adds both of its own at once.
std::vector<Stages> upcoming_stages(const std::vector<Action>& actions) {
  struct Use {
    int stage;
    std::size_t step;  // the next one that uses it
  };

  std::vector<std::size_t> steps;
  for (std::size_t i = 0; i < actions.size(); i += step_length(actions, i)) {
    steps.push_back(i);
  }
  std::vector<Stages> upcoming(actions.size());
  std::vector<Use> uses;  // by step
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    for (std::size_t i = *step + step_length(actions, *step); i-- > *step;) {
      std::erase_if(uses, [&](const Use& use) { return use.stage == actions[i].stage; });
      uses.insert(uses.begin(), {actions[i].stage, *step});
    }
    Stages& next = upcoming[*step];
    for (const Use& use : uses) {
      if (next.size() >= kActiveStages && use.step != uses[next.size() - 1].step) {
        break;
      }
      next.push_back(use.stage);
    }
  }
  return upcoming;
}

/// The list with the steps that gather, free and reduce weights as PyTorch's runtime adds them.
std::vector<Action> with_weight_steps(const std::vector<Action>& actions) {
  std::map<int, std::size_t> last_backward;  // by stage
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (actions[i].kind == ActionKind::backward || actions[i].kind == ActionKind::backward_weight) {
      last_backward[actions[i].stage] = i;
    }
  }
  const std::vector<Stages> upcoming = upcoming_stages(actions);
  std::vector<Action> result;
  Stages active;
  const auto reshard = [&](const auto& is_evicted) {
    for (const int stage : active) {
      if (is_evicted(stage)) {
        result.push_back({ActionKind::reshard, stage, 0});
      }
    }
    std::erase_if(active, is_evicted);
  };
  for (std::size_t i = 0; i < actions.size(); i += step_length(actions, i)) {
    reshard([&](int stage) { return !contains(upcoming[i], stage); });
    for (const int stage : upcoming[i]) {
      if (!contains(active, stage)) {
        active.push_back(stage);
        result.push_back({ActionKind::unshard, stage, 0});
      }
    }
    const std::size_t end = i + step_length(actions, i);
    result.insert(result.end(), actions.begin() + static_cast<std::ptrdiff_t>(i),
                  actions.begin() + static_cast<std::ptrdiff_t>(end));
    for (std::size_t j = i; j < end; ++j) {
      const auto last = last_backward.find(actions[j].stage);
      if (last != last_backward.end() && last->second == j) {
        result.push_back({ActionKind::reduce_gradient, actions[j].stage, 0});
      }
    }
  }
  reshard([](int) { return true; });
  return result;
}

bool has_weight_steps(const std::vector<Action>& actions) {
  return std::any_of(actions.begin(), actions.end(),
                     [](const Action& action) { return !has_microbatch(action.kind); });
}

/// The round-robin: one step of a list per rank and turn. A rank that is done leaves it. One that has to wait
/// leaves it too, and comes back in the turn in which what it waits for is run, or in the next one if its
/// place in that turn is over.
class Insertion {
 public:
  explicit Insertion(const Schedule& schedule)
      : schedule_(schedule),
        lists_(schedule.actions.size()),
        next_(schedule.actions.size(), 0),
        done_(schedule, false),
        waits_(schedule, false) {}

  [[nodiscard]] std::vector<std::vector<Action>> run() && {
    for (std::size_t rank = 0; rank < lists_.size(); ++rank) {
      places_.emplace(0, rank);
    }
    while (!places_.empty()) {
      const Place place = places_.top();
      places_.pop();
      const auto [turn, rank] = place;
      if (take_turn(place)) {
        places_.emplace(turn + 1, rank);
      }
    }
    for (std::size_t rank = 0; rank < lists_.size(); ++rank) {
      MAKESPAN_CHECK(next_[rank] == schedule_.actions[rank].size(),
                     "insert_communication needs a valid schedule");
    }
    return std::move(lists_);
  }

 private:
  using Place = std::pair<std::size_t, std::size_t>;  ///< turn, rank

  /// Returns whether the rank did something.
  bool take_turn(const Place& place) {
    const std::size_t rank = place.second;
    const std::vector<Action>& actions = schedule_.actions[rank];
    const std::size_t begin = next_[rank];
    if (begin == actions.size()) {
      return false;
    }
    const std::size_t end = begin + step_length(actions, begin);
    for (std::size_t i = begin; i < end; ++i) {
      if (schedule_.producer_of(actions[i]) >= 0 && !done_.producer_of(actions[i])) {
        waits_.of(actions[i]) = true;
        return false;
      }
    }
    for (std::size_t i = begin; i < end; ++i) {
      lists_[rank].push_back(actions[i]);
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (is_pass(actions[i].kind)) {
        done_.of(actions[i]) = true;
        give(place, actions[i]);
      }
    }
    next_[rank] = end;
    return true;
  }

  /// Hands the output of `action` to its consumer.
  void give(const Place& place, const Action& action) {
    const auto [turn, rank] = place;
    const int stage = schedule_.consumer_of(action);
    if (stage < 0) {
      return;
    }
    const auto peer = static_cast<std::size_t>(schedule_.rank_of(stage));
    if (peer == rank) {
      return;
    }
    const bool forward = action.kind == ActionKind::forward;
    if (char& waits = waits_.at(forward, stage, action.microbatch); waits != 0) {
      waits = 0;
      places_.emplace(peer > rank ? turn : turn + 1, peer);
    }
    lists_[rank].push_back(
        {forward ? ActionKind::send_forward : ActionKind::send_backward, action.stage, action.microbatch});
    lists_[peer].push_back(
        {forward ? ActionKind::receive_forward : ActionKind::receive_backward, stage, action.microbatch});
  }

  const Schedule& schedule_;
  std::vector<std::vector<Action>> lists_;
  std::vector<std::size_t> next_;
  PassTable<char> done_;
  PassTable<char> waits_;  ///< passes at which a rank has left the round-robin
  std::priority_queue<Place, std::vector<Place>, std::greater<>> places_;
};

}  // namespace

bool has_communication(const Schedule& schedule) {
  for (const std::vector<Action>& actions : schedule.actions) {
    if (std::any_of(actions.begin(), actions.end(),
                    [](const Action& action) { return is_message(action.kind); })) {
      return true;
    }
  }
  return false;
}

Schedule insert_communication(const Schedule& schedule, WeightSteps weights) {
  if (has_communication(schedule)) {
    return schedule;
  }
  Schedule completed = schedule;
  completed.exchanges.clear();
  completed.evictions.clear();
  completed.arrivals.clear();
  bool were_given = false;
  for (std::vector<Action>& actions : completed.actions) {
    were_given = were_given || has_weight_steps(actions);
  }
  if (!were_given) {
    for (std::vector<Action>& actions : completed.actions) {
      actions = with_weight_steps(actions);
    }
  }
  completed.actions = Insertion(completed).run();
  if (!were_given && weights == WeightSteps::omit) {
    for (std::vector<Action>& actions : completed.actions) {
      std::erase_if(actions, [](const Action& action) { return !has_microbatch(action.kind); });
    }
  }
  return completed;
}

}  // namespace makespan
