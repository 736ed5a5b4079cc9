#include "schedules/local_search.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>
#include <vector>

#include "core/random.h"
#include "schedules/list_rules.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// Dispatching an action takes about as long as timing this many.
constexpr std::int64_t kDispatchWeight = 8;
constexpr int kDisturbances = 64;

/// The action at `from` of a rank moves to `to`; those between close up.
struct Move {
  std::size_t rank;
  std::size_t from;
  std::size_t to;
  std::int64_t estimate;  ///< the longest path through what moves, as far as it is known
};

class Shortening {
 public:
  Shortening(Schedule& schedule, const PassCosts& costs, Objective objective, bool split,
             std::int64_t& budget)
      : schedule_(schedule),
        costs_(costs),
        objective_(objective),
        split_(split),
        budget_(budget),
        timer_(schedule, costs) {
    for (const std::vector<Action>& list : schedule.actions) {
      actions_ += static_cast<std::int64_t>(list.size());
    }
    times_ = *time();
  }

  ScheduleTimes run() {
    for (bool again = true; again && budget_ > 0;) {
      descend();
      again = dispatch_disturbed();
    }
    return times_;
  }

 private:
  void descend() {
    for (bool again = true; again && budget_ > 0;) {
      again = dispatch_again();
      again = swap_critical() || again;
      again = move_weights() || again;
      again = join_halves() || again;
      again = split_critical() || again;
    }
  }

  std::optional<ScheduleTimes> time() {
    budget_ -= actions_;
    return timer_.time(schedule_);
  }

  /// Whether the lists as they are fit and are shorter than the best so far; then they are the best.
  bool accept() {
    const std::optional<ScheduleTimes> times = time();
    if (!times || !is_shorter(*times, times_, objective_)) {
      return false;
    }
    times_ = *times;
    return true;
  }

  const std::vector<std::vector<std::int64_t>>& retime() {
    times_ = *time();
    return timer_.tails(schedule_, objective_);
  }

  bool dispatch_again() {
    bool any = false;
    for (bool again = true; again && budget_ > 0;) {
      const ListPriorities priorities = urgency();
      again = dispatch(priorities, false);
      again = dispatch(priorities, true) || again;
      any = any || again;
    }
    return any;
  }

  bool dispatch(const ListPriorities& priorities, bool patient) {
    budget_ -= kDispatchWeight * actions_;
    Schedule other = run_list_priorities(schedule_, costs_, split_, priorities, patient);
    schedule_.actions.swap(other.actions);
    if (accept()) {
      return true;
    }
    schedule_.actions.swap(other.actions);
    return false;
  }

  /// With random changes of urgency: of all passes of a direction, of all W's, and of each action. Whether
  /// one of kDisturbances shortens the schedule.
  bool dispatch_disturbed() {
    const ListPriorities urgent = urgency();
    const RankCosts& costs = costs_.of(0);
    const std::int64_t unit = costs.forward + costs.backward_input + costs_.hop + 1;
    for (int i = 0; i < kDisturbances && budget_ > 0; ++i) {
      const std::int64_t range = unit << (i / 2 % 4);
      ListPriorities priorities = urgent;
      for (std::vector<std::int64_t>* const table :
           {&priorities.forward, &priorities.backward, &priorities.weight}) {
        const std::int64_t all = random_.between(-range, range);
        for (std::int64_t& priority : *table) {
          priority += all + random_.between(-range / 4, range / 4);
        }
      }
      if (dispatch(priorities, i % 2 == 1)) {
        return true;
      }
    }
    return false;
  }

  ListPriorities urgency() {
    const std::vector<std::vector<std::int64_t>>& tails = retime();
    const auto microbatches = static_cast<std::size_t>(schedule_.microbatches);
    ListPriorities priorities;
    priorities.forward.resize(static_cast<std::size_t>(schedule_.stages()) * microbatches);
    priorities.backward = priorities.forward;
    priorities.weight = priorities.forward;
    for (std::size_t rank = 0; rank < tails.size(); ++rank) {
      for (std::size_t i = 0; i < tails[rank].size(); ++i) {
        const Action& action = schedule_.actions[rank][i];
        const std::size_t at = static_cast<std::size_t>(action.stage) * microbatches +
                               static_cast<std::size_t>(action.microbatch);
        if (action.kind == ActionKind::forward) {
          priorities.forward[at] = -tails[rank][i];
        } else if (is_pass(action.kind)) {
          priorities.backward[at] = -tails[rank][i];
        }
        if (action.kind == ActionKind::backward_weight || action.kind == ActionKind::backward) {
          priorities.weight[at] = -tails[rank][i];
        }
      }
    }
    return priorities;
  }

  /// Whether the action at `i` of `rank` moves alone: it is not one of a pair.
  [[nodiscard]] bool is_single(std::size_t rank, std::size_t i) const {
    const std::vector<Action>& list = schedule_.actions[rank];
    return !list[i].overlaps_next && (i == 0 || !list[i - 1].overlaps_next);
  }

  [[nodiscard]] bool is_critical(const std::vector<std::vector<std::int64_t>>& tails, std::size_t rank,
                                 std::size_t i) const {
    return timer_.begins()[rank][i] + tails[rank][i] == times_.by(objective_);
  }

  bool swap_critical() {
    return take_moves([this](std::vector<Move>& moves) {
      const std::vector<std::vector<std::int64_t>>& tails = retime();
      for (std::size_t rank = 0; rank < tails.size(); ++rank) {
        for (std::size_t i = 2; i < tails[rank].size(); ++i) {
          const Action& before = schedule_.actions[rank][i - 1];
          const Action& action = schedule_.actions[rank][i];
          if (is_critical(tails, rank, i) && is_critical(tails, rank, i - 1) && is_single(rank, i) &&
              is_single(rank, i - 1) &&
              !(before.stage == action.stage && before.microbatch == action.microbatch)) {
            moves.push_back({rank, i, i - 1, swapped(tails[rank], rank, i)});
          }
        }
      }
    });
  }

  /// The longest path through the actions at i - 1 and i of `rank` after they change places.
  [[nodiscard]] std::int64_t swapped(const std::vector<std::int64_t>& tails, std::size_t rank,
                                     std::size_t i) const {
    const RankCosts& costs = costs_.of(static_cast<int>(rank));
    const Action& first = schedule_.actions[rank][i];
    const Action& second = schedule_.actions[rank][i - 1];
    const std::int64_t first_end =
        std::max(timer_.ends()[rank][i - 2], timer_.arrival(rank, first)) + duration(costs, first.kind);
    const std::int64_t second_end =
        std::max(first_end, timer_.arrival(rank, second)) + duration(costs, second.kind);
    const std::int64_t last = objective_ == Objective::makespan ? 0 : -timer_.begins()[rank].front();
    std::int64_t longest = second_end + (i + 1 < tails.size() ? tails[i + 1] : last);
    for (const auto& [end, action] : {std::pair(first_end, first), std::pair(second_end, second)}) {
      const std::int64_t tail = timer_.output_tail(rank, action);
      longest = tail == std::numeric_limits<std::int64_t>::min() ? longest : std::max(longest, end + tail);
    }
    return longest;
  }

  bool move_weights() {
    return take_moves([this](std::vector<Move>& moves) {
      const std::vector<std::vector<std::int64_t>>& tails = retime();
      for (std::size_t rank = 0; rank < tails.size(); ++rank) {
        for (std::size_t i = 1; i < tails[rank].size(); ++i) {
          if (schedule_.actions[rank][i].kind == ActionKind::backward_weight && is_critical(tails, rank, i)) {
            add_weight_moves(moves, rank, i);
          }
        }
      }
    });
  }

  /// To just before the next idle gap, to the end, and into the last gap before it and behind its I.
  void add_weight_moves(std::vector<Move>& moves, std::size_t rank, std::size_t i) const {
    const std::vector<std::int64_t>& begins = timer_.begins()[rank];
    const std::vector<std::int64_t>& ends = timer_.ends()[rank];
    const std::vector<Action>& list = schedule_.actions[rank];
    std::size_t later = i + 1;
    while (later < begins.size() && begins[later] <= ends[later - 1]) {
      ++later;
    }
    if (later - 1 > i) {
      moves.push_back({rank, i, later - 1, 0});
    }
    if (later < begins.size()) {
      moves.push_back({rank, i, begins.size() - 1, 0});
    }
    for (std::size_t j = i; j-- > 1;) {
      if (list[j].kind == ActionKind::backward_input && list[j].stage == list[i].stage &&
          list[j].microbatch == list[i].microbatch) {
        return;
      }
      if (begins[j] > ends[j - 1] && is_single(rank, j)) {
        moves.push_back({rank, i, j, 0});
        return;
      }
    }
  }

  /// Takes the first move that shortens the schedule, of those that could and fit the memory, the most
  /// promising first; again until there is none.
  template <class Find>
  bool take_moves(Find find) {
    bool any = false;
    std::vector<Move> moves;
    for (bool again = true; again && budget_ > 0;) {
      moves.clear();
      find(moves);
      const std::int64_t length = times_.by(objective_);
      std::stable_sort(moves.begin(), moves.end(),
                       [](const Move& a, const Move& b) { return a.estimate < b.estimate; });
      again = std::any_of(moves.begin(), moves.end(),
                          [&](const Move& move) { return move.estimate < length && take(move); });
      any = any || again;
    }
    return any;
  }

  bool take(const Move& move) {
    if (budget_ <= 0) {
      return false;
    }
    apply(move.rank, move.from, move.to);
    if (fits(move.rank) && accept()) {
      return true;
    }
    apply(move.rank, move.to, move.from);
    return false;
  }

  void apply(std::size_t rank, std::size_t from, std::size_t to) {
    const auto begin = schedule_.actions[rank].begin();
    const auto at = [&](std::size_t i) { return begin + static_cast<std::ptrdiff_t>(i); };
    if (from < to) {
      std::rotate(at(from), at(from + 1), at(to + 1));
    } else {
      std::rotate(at(to), at(from), at(from + 1));
    }
  }

  [[nodiscard]] bool fits(std::size_t rank) const {
    const RankCosts& costs = costs_.of(static_cast<int>(rank));
    std::int64_t held = 0;
    for (const Action& action : schedule_.actions[rank]) {
      held += memory_change(costs, action.kind);
      if (held > costs.memory_limit) {
        return false;
      }
    }
    return true;
  }

  /// On each rank where B takes less than I and W, all that stand in a row.
  bool join_halves() {
    bool any = false;
    for (std::size_t rank = 0; rank < schedule_.actions.size() && budget_ > 0; ++rank) {
      const RankCosts& costs = costs_.of(static_cast<int>(rank));
      if (costs.backward >= costs.backward_input + costs.backward_weight) {
        continue;
      }
      std::vector<Action> joined;
      for (const Action& action : schedule_.actions[rank]) {
        if (action.kind == ActionKind::backward_weight && !joined.empty() &&
            joined.back() == Action{ActionKind::backward_input, action.stage, action.microbatch}) {
          joined.back().kind = ActionKind::backward;
        } else {
          joined.push_back(action);
        }
      }
      any = take_list(rank, std::move(joined)) || any;
    }
    return any;
  }

  /// A critical B, so that its input gradient leaves earlier. The W stands behind its I, or at the end.
  bool split_critical() {
    bool any = false;
    for (bool again = split_; again && budget_ > 0;) {
      again = split_one();
      any = any || again;
    }
    return any;
  }

  bool split_one() {
    const std::vector<std::vector<std::int64_t>> tails = retime();
    const std::vector<std::vector<std::int64_t>> begins = timer_.begins();
    for (std::size_t rank = 0; rank < tails.size(); ++rank) {
      for (std::size_t i = 0; i < tails[rank].size() && budget_ > 0; ++i) {
        const Action whole = schedule_.actions[rank][i];
        if (whole.kind != ActionKind::backward || !is_single(rank, i) ||
            begins[rank][i] + tails[rank][i] != times_.by(objective_)) {
          continue;
        }
        std::vector<Action> halves = schedule_.actions[rank];
        halves[i].kind = ActionKind::backward_input;
        const Action weight{ActionKind::backward_weight, whole.stage, whole.microbatch};
        halves.insert(halves.begin() + static_cast<std::ptrdiff_t>(i) + 1, weight);
        if (take_list(rank, halves)) {
          return true;
        }
        halves.erase(halves.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        halves.push_back(weight);
        if (take_list(rank, std::move(halves))) {
          return true;
        }
      }
    }
    return false;
  }

  bool take_list(std::size_t rank, std::vector<Action> list) {
    list.swap(schedule_.actions[rank]);
    if (fits(rank) && accept()) {
      return true;
    }
    list.swap(schedule_.actions[rank]);
    return false;
  }

  Schedule& schedule_;
  const PassCosts& costs_;
  Objective objective_;
  bool split_;
  std::int64_t& budget_;
  ScheduleTimer timer_;
  std::int64_t actions_ = 0;
  Random random_{0};
  ScheduleTimes times_;  ///< of the best so far, which is what the schedule holds between moves
};

}  // namespace

bool is_shorter(const ScheduleTimes& a, const ScheduleTimes& b, Objective objective) {
  const auto key = [objective](const ScheduleTimes& times) {
    return std::pair(times.by(objective),
                     objective == Objective::makespan ? times.total_end : times.total_span);
  };
  return key(a) < key(b);
}

ScheduleTimes shorten(Schedule& schedule, const PassCosts& costs, Objective objective, bool split,
                      std::int64_t& budget) {
  const ScheduleTimes times = Shortening(schedule, costs, objective, split, budget).run();
  schedule.arrivals.clear();
  schedule.exchanges.assign(schedule.actions.size(), {});
  exchange_after_every_action(schedule);
  return times;
}

}  // namespace makespan
