#include "schedules/zero_bubble_search.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

#include "core/error.h"
#include "schedules/catalogue.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// The switches of one variant.
struct Variant {
  bool overshoot = false;  ///< one more F before the first I, which delays it
  bool skip = false;       ///< leave out an F that would delay an I
  bool fill = false;       ///< a W in every gap
};

/// What one rank has run so far.
struct RankState {
  RankCosts costs;
  std::vector<std::int64_t> forward_ends;  ///< by micro-batch; as many as F's were run
  std::vector<std::int64_t> input_ends;    ///< likewise of I
  int weights = 0;                         ///< W's that were run
  std::int64_t now = 0;
  std::int64_t memory = 0;
  std::int64_t bubble = 0;  ///< idle since its first start
  std::vector<Action> actions;

  [[nodiscard]] int forwards() const { return static_cast<int>(forward_ends.size()); }

  [[nodiscard]] int inputs() const { return static_cast<int>(input_ends.size()); }

  [[nodiscard]] int pending() const { return inputs() - weights; }

  /// Whether one more F fits, after `pending()` W's if need be.
  [[nodiscard]] bool has_room() const {
    return memory - pending() * costs.weight_activation <= costs.memory_limit - costs.activation;
  }
};

class Search {
 public:
  Search(int ranks, int microbatches, const PassCosts& costs, Variant variant)
      : last_(static_cast<std::size_t>(ranks) - 1),
        microbatches_(microbatches),
        hop_(costs.hop),
        variant_(variant),
        ranks_(static_cast<std::size_t>(ranks)) {
    for (int rank = 0; rank < ranks; ++rank) {
      ranks_[static_cast<std::size_t>(rank)].costs = costs.of(rank);
    }
  }

  std::vector<std::vector<Action>> run() {
    warm_up();
    for (int microbatch = 1; microbatch < microbatches_; ++microbatch) {
      run_forwards(microbatch);
      run_inputs();
    }
    std::vector<std::vector<Action>> lists;
    for (std::size_t rank = 0; rank <= last_; ++rank) {
      while (ranks_[rank].pending() > 0) {
        run_weight(rank);
      }
      lists.push_back(std::move(ranks_[rank].actions));
    }
    return lists;
  }

 private:
  void warm_up() {
    for (std::size_t rank = 0; rank <= last_; ++rank) {
      run_forward(rank);
    }
    const std::vector<int> wanted = warm_up_forwards();
    for (std::size_t rank = 0; rank <= last_; ++rank) {
      while (ranks_[rank].forwards() < wanted[rank]) {
        run_forward(rank);
      }
    }
    run_inputs();
  }

  /// Per rank, F's before the first I.
  [[nodiscard]] std::vector<int> warm_up_forwards() const {
    std::vector<int> wanted(ranks_.size(), 1);
    std::int64_t input_end = ranks_[last_].now + ranks_[last_].costs.backward_input;
    for (std::size_t rank = last_; rank-- > 0;) {
      const RankState& state = ranks_[rank];
      const std::int64_t arrival = input_end + hop_;
      std::int64_t now = state.now;
      while (wanted[rank] < most_forwards(rank)) {
        const bool is_late = now + state.costs.forward > arrival;
        if (is_late && !variant_.overshoot) {
          break;
        }
        now += state.costs.forward;
        ++wanted[rank];
        if (is_late) {
          break;
        }
      }
      wanted[rank] =
          std::clamp(wanted[rank], std::min(wanted[rank + 1] + 1, most_forwards(rank)), most_forwards(rank));
      input_end = std::max(now, arrival) + state.costs.backward_input;
    }
    for (std::size_t rank = 0; rank < last_; ++rank) {
      wanted[rank + 1] =
          std::max(1, std::min(wanted[rank + 1], wanted[rank] - (wanted[rank] < microbatches_)));
    }
    return wanted;
  }

  /// As many as memory holds.
  [[nodiscard]] int most_forwards(std::size_t rank) const {
    const RankCosts& costs = ranks_[rank].costs;
    return costs.activation == 0 ? microbatches_
                                 : static_cast<int>(std::min<std::int64_t>(
                                       microbatches_, costs.memory_limit / costs.activation));
  }

  void run_forwards(int microbatch) {
    const std::vector<char> runs = ranks_that_run_forward(microbatch);
    for (std::size_t rank = 0; rank <= last_; ++rank) {
      if (runs[rank]) {
        while (ranks_[rank].memory > ranks_[rank].costs.memory_limit - ranks_[rank].costs.activation) {
          run_weight(rank);
        }
        run_weights_before(rank, forward_arrival(rank));
        run_forward(rank);
      }
    }
  }

  /// From the last rank up, with an estimate of when the I of `microbatch` ends on each. Without the F of
  /// that micro-batch a rank has to run one, for which there is room: all others have had their I.
  [[nodiscard]] std::vector<char> ranks_that_run_forward(int microbatch) const {
    std::vector<char> runs(ranks_.size(), 0);
    std::int64_t input_end = 0;
    bool skipped = false;
    for (std::size_t rank = ranks_.size(); rank-- > 0;) {
      const RankState& state = ranks_[rank];
      const std::int64_t arrival = rank == last_ ? 0 : input_end + hop_;
      const bool is_due = state.forwards() <= microbatch;
      const bool is_possible = state.forwards() < microbatches_ && state.has_room();
      if (variant_.skip && !is_due && is_possible && !skipped && rank < last_ &&
          state.forwards() >= ranks_[rank + 1].forwards() + runs[rank + 1] + 1) {
        const std::int64_t after_forward = state.now + state.costs.forward;
        const std::int64_t idle = std::max<std::int64_t>(0, arrival - state.now);
        skipped = after_forward > arrival && state.bubble + idle <= largest_bubble_;
      }
      runs[rank] = state.forwards() < microbatches_ && (is_due || (is_possible && !skipped)) ? 1 : 0;
      const std::int64_t ready = state.now + (runs[rank] ? state.costs.forward : 0);
      input_end = std::max(ready, arrival) + state.costs.backward_input;
    }
    for (std::size_t rank = 1; rank < ranks_.size(); ++rank) {
      const RankState& before = ranks_[rank - 1];
      runs[rank] = runs[rank] && before.forwards() + runs[rank - 1] > ranks_[rank].forwards() ? 1 : 0;
    }
    return runs;
  }

  void run_inputs() {
    for (std::size_t rank = ranks_.size(); rank-- > 0;) {
      RankState& state = ranks_[rank];
      const auto microbatch = static_cast<std::size_t>(state.inputs());
      const std::int64_t arrival = rank == last_ ? 0 : ranks_[rank + 1].input_ends[microbatch] + hop_;
      run_weights_before(rank, arrival);
      while (rank == 0 && state.forwards() == microbatches_ && state.pending() > 0) {
        run_weight(rank);
      }
      begin(rank, arrival, state.costs.backward_input,
            {ActionKind::backward_input, static_cast<int>(rank), state.inputs()});
      state.input_ends.push_back(state.now);
    }
  }

  /// W's for which there is time before `arrival`.
  void run_weights_before(std::size_t rank, std::int64_t arrival) {
    RankState& state = ranks_[rank];
    while (state.pending() > 0 && state.now + state.costs.backward_weight <= arrival) {
      run_weight(rank);
    }
    const std::int64_t gap = arrival - state.now;
    if (state.pending() > 0 && gap > 0 && (variant_.fill || state.bubble + gap > largest_bubble_)) {
      run_weight(rank);
    }
  }

  [[nodiscard]] std::int64_t forward_arrival(std::size_t rank) const {
    return rank == 0
               ? 0
               : ranks_[rank - 1].forward_ends[static_cast<std::size_t>(ranks_[rank].forwards())] + hop_;
  }

  void run_forward(std::size_t rank) {
    RankState& state = ranks_[rank];
    begin(rank, forward_arrival(rank), state.costs.forward,
          {ActionKind::forward, static_cast<int>(rank), state.forwards()});
    state.forward_ends.push_back(state.now);
  }

  void run_weight(std::size_t rank) {
    RankState& state = ranks_[rank];
    begin(rank, 0, state.costs.backward_weight,
          {ActionKind::backward_weight, static_cast<int>(rank), state.weights});
    ++state.weights;
  }

  void begin(std::size_t rank, std::int64_t arrival, std::int64_t length, const Action& action) {
    RankState& state = ranks_[rank];
    const std::int64_t start = std::max(state.now, arrival);
    state.bubble += state.actions.empty() ? 0 : start - state.now;
    largest_bubble_ = std::max(largest_bubble_, state.bubble);
    state.now = start + length;
    state.memory += memory_change(state.costs, action.kind);
    state.actions.push_back(action);
  }

  std::size_t last_;  ///< rank
  int microbatches_;
  std::int64_t hop_;
  Variant variant_;
  std::int64_t largest_bubble_ = 0;  ///< of all ranks
  std::vector<RankState> ranks_;
};

}  // namespace

Schedule zero_bubble_search(int ranks, int microbatches, const PassCosts& costs) {
  const ScheduleOptions options{.ranks = ranks, .microbatches = microbatches, .chunks = 1};
  require_pass_costs(costs, ranks, 1, microbatches);
  Schedule best = empty_schedule("zb-auto", options);
  Schedule candidate = best;
  ScheduleTimer timer(best, costs);
  std::optional<std::int64_t> span;
  for (const bool overshoot : {false, true}) {
    for (const bool skip : {false, true}) {
      for (const bool fill : {false, true}) {
        candidate.actions = Search(ranks, microbatches, costs, {overshoot, skip, fill}).run();
        const std::optional<ScheduleTimes> times = timer.time(candidate);
        MAKESPAN_CHECK(times, "the search lists what cannot run");
        if (!span || times->max_span < *span) {
          span = times->max_span;
          best.actions.swap(candidate.actions);
        }
      }
    }
  }
  exchange_after_every_action(best);
  return best;
}

}  // namespace makespan
