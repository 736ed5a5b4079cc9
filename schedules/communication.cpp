#include "schedules/communication.h"

#include <algorithm>
#include <functional>
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

/// For each action, the next kActiveStages distinct stages from there on.
std::vector<Stages> upcoming_stages(const std::vector<Action>& actions) {
  std::vector<Stages> upcoming(actions.size());
  Stages next;
  for (std::size_t i = actions.size(); i-- > 0;) {
    std::erase(next, actions[i].stage);
    next.insert(next.begin(), actions[i].stage);
    if (next.size() > kActiveStages) {
      next.pop_back();
    }
    upcoming[i] = next;
  }
  return upcoming;
}

/// For each action, how many steps that gather, free or reduce weights (UNSHARD, RESHARD, REDUCE_GRAD)
/// PyTorch runs before it and after the action before. The lists here do not hold those steps, but each takes
/// a turn of the round-robin, which decides where receives are put.
std::vector<int> weight_steps_before(const std::vector<Action>& actions) {
  const std::vector<Stages> upcoming = upcoming_stages(actions);
  std::vector<int> steps(actions.size(), 0);
  Stages active;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Stages& wanted = upcoming[i];
    steps[i] += static_cast<int>(std::erase_if(active, [&](int stage) { return !contains(wanted, stage); }));
    for (const int stage : wanted) {
      if (!contains(active, stage)) {
        active.push_back(stage);
        ++steps[i];
      }
    }
  }
  Stages reduced;
  for (std::size_t i = actions.size(); i-- > 1;) {
    const Action& action = actions[i - 1];
    const bool finishes = action.kind == ActionKind::backward || action.kind == ActionKind::backward_weight;
    if (finishes && !contains(reduced, action.stage)) {
      reduced.push_back(action.stage);
      ++steps[i];
    }
  }
  return steps;
}

/// The round-robin: one action, or one weight step, per rank and turn. A rank that is done leaves it. One
/// that has to wait leaves it too, and comes back in the turn in which what it waits for is run, or in the
/// next one if its place in that turn is over.
class Insertion {
 public:
  explicit Insertion(const Schedule& schedule)
      : schedule_(schedule),
        lists_(schedule.actions.size()),
        next_(schedule.actions.size(), 0),
        done_(schedule, false),
        waits_(schedule, false) {
    for (const std::vector<Action>& actions : schedule.actions) {
      pauses_.push_back(weight_steps_before(actions));
    }
  }

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
    const std::size_t i = next_[rank];
    if (i == schedule_.actions[rank].size()) {
      return false;
    }
    if (pauses_[rank][i] > 0) {
      --pauses_[rank][i];
      return true;
    }
    const Action& action = schedule_.actions[rank][i];
    if (action.kind == ActionKind::backward_weight) {
      lists_[rank].push_back(action);
    } else if (producer_stage(action, schedule_.stages()) >= 0 &&
               !done_.producer_of(action, schedule_.stages())) {
      waits_.of(action) = true;
      return false;
    } else {
      done_.of(action) = true;
      lists_[rank].push_back(action);
      give(place, action);
    }
    ++next_[rank];
    return true;
  }

  /// Hands the output of `action` to its consumer.
  void give(const Place& place, const Action& action) {
    const auto [turn, rank] = place;
    const int stage = consumer_stage(action, schedule_.stages());
    if (stage < 0) {
      return;
    }
    const auto peer = static_cast<std::size_t>(schedule_.rank_of_stage[static_cast<std::size_t>(stage)]);
    if (peer == rank) {
      return;
    }
    const bool forward = action.kind == ActionKind::forward;
    if (waits_.at(forward, stage, action.microbatch)) {
      places_.emplace(peer > rank ? turn : turn + 1, peer);
    }
    lists_[rank].push_back(
        {forward ? ActionKind::send_forward : ActionKind::send_backward, action.stage, action.microbatch});
    lists_[peer].push_back(
        {forward ? ActionKind::receive_forward : ActionKind::receive_backward, stage, action.microbatch});
  }

  const Schedule& schedule_;
  std::vector<std::vector<Action>> lists_;
  std::vector<std::vector<int>> pauses_;
  std::vector<std::size_t> next_;
  PassTable<char> done_;
  PassTable<char> waits_;  ///< passes at which a rank has left the round-robin
  std::priority_queue<Place, std::vector<Place>, std::greater<>> places_;
};

}  // namespace

bool has_communication(const Schedule& schedule) {
  for (const std::vector<Action>& actions : schedule.actions) {
    if (!std::all_of(actions.begin(), actions.end(),
                     [](const Action& action) { return is_compute(action.kind); })) {
      return true;
    }
  }
  return false;
}

Schedule insert_communication(const Schedule& schedule) {
  if (has_communication(schedule)) {
    return schedule;
  }
  Schedule completed = schedule;
  completed.actions = Insertion(schedule).run();
  completed.exchanges.clear();
  completed.arrivals.clear();
  return completed;
}

}  // namespace makespan
