#include "schedules/list_rules.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// What one rank has run so far.
struct RankState {
  RankCosts costs;
  std::vector<int> stages;  ///< ascending
  std::int64_t free_at = 0;
  std::int64_t memory = 0;
  int under_way = 0;  ///< passes with F but without B or I
  int taken = 0;      ///< micro-batches whose first pass of the rank has run, and whose last has not
  int passes_left = 0;
  bool last_was_forward = false;
  std::vector<Action> pending;  ///< W's in the order of their I's
  std::size_t weights = 0;      ///< of `pending` that were run
  /// By micro-batch, F's to run, and passes under way.
  std::vector<int> forwards_left;
  std::vector<int> live;
  int oldest = 0;  ///< the first micro-batch with either
  int newest = 0;  ///< the last one with passes under way
  std::vector<Action> actions;

  /// F's for which there is memory, at most all.
  [[nodiscard]] std::int64_t slots() const {
    const auto all = static_cast<std::int64_t>(stages.size() * live.size());
    return costs.activation == 0 ? all : std::min(all, costs.memory_limit / costs.activation);
  }

  [[nodiscard]] bool has_pending() const { return weights < pending.size(); }

  [[nodiscard]] std::int64_t freeable() const {
    return static_cast<std::int64_t>(pending.size() - weights) * costs.weight_activation;
  }
};

/// A pass that a rank may run next.
struct Candidate {
  Action action;
  std::int64_t arrival = kNever;  ///< of its input; kNever: not known
};

/// The state of all ranks, and what may run.
class Dispatch {
 public:
  Dispatch(const Schedule& shape, const PassCosts& costs, bool split)
      : schedule_(shape),
        split_(split),
        hop_(costs.hop),
        microbatches_(shape.microbatches),
        ranks_(static_cast<std::size_t>(shape.ranks)),
        next_forward_(static_cast<std::size_t>(shape.stages()), 0),
        next_backward_(next_forward_),
        forward_arrival_(next_forward_.size() * static_cast<std::size_t>(microbatches_), kNever),
        backward_arrival_(forward_arrival_) {
    for (int stage = 0; stage < shape.stages(); ++stage) {
      ranks_[static_cast<std::size_t>(shape.rank_of(stage))].stages.push_back(stage);
    }
    for (int rank = 0; rank < shape.ranks; ++rank) {
      RankState& state = ranks_[static_cast<std::size_t>(rank)];
      state.costs = costs.of(rank);
      const auto stages = static_cast<int>(state.stages.size());
      state.passes_left = 2 * stages * microbatches_;
      state.forwards_left.assign(static_cast<std::size_t>(microbatches_), stages);
      state.live.assign(static_cast<std::size_t>(microbatches_), 0);
    }
    std::fill_n(forward_arrival_.begin(), microbatches_, 0);
  }

  /// `choose(rank, now)` says what the rank begins then; nothing: it waits for its next input.
  template <class Choose>
  Schedule run(Choose choose) {
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      events_.emplace(0, rank);
    }
    while (!events_.empty()) {
      const auto [now, rank] = events_.top();
      events_.pop();
      if (ranks_[rank].free_at <= now) {
        if (const std::optional<Action> action = choose(rank, now)) {
          begin(rank, now, *action);
        }
      }
    }
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      MAKESPAN_CHECK(ranks_[rank].passes_left == 0 && !ranks_[rank].has_pending(), "a list stopped early");
      schedule_.actions[rank] = std::move(ranks_[rank].actions);
    }
    schedule_.arrivals.clear();
    schedule_.exchanges.assign(schedule_.actions.size(), {});
    exchange_after_every_action(schedule_);
    return std::move(schedule_);
  }

  [[nodiscard]] const RankState& rank(std::size_t rank) const { return ranks_[rank]; }

  [[nodiscard]] int ranks() const { return schedule_.ranks; }

  /// The next F of `stage`, if any is left.
  [[nodiscard]] std::optional<Candidate> forward(int stage) const {
    const int k = next_forward_[static_cast<std::size_t>(stage)];
    if (k == microbatches_) {
      return std::nullopt;
    }
    return Candidate{{ActionKind::forward, stage, k}, forward_arrival_[index(stage, k)]};
  }

  /// The next B or I of `stage`, if its F was run.
  [[nodiscard]] std::optional<Candidate> backward(int stage) const {
    const int k = next_backward_[static_cast<std::size_t>(stage)];
    if (k == next_forward_[static_cast<std::size_t>(stage)]) {
      return std::nullopt;
    }
    return Candidate{{split_ ? ActionKind::backward_input : ActionKind::backward, stage, k},
                     backward_arrival_[index(stage, k)]};
  }

  [[nodiscard]] bool has_memory(std::size_t rank) const {
    const RankState& state = ranks_[rank];
    return state.memory <= state.costs.memory_limit - state.costs.activation;
  }

  /// Whether after the F of `microbatch`, and all pending W's, the micro-batches under way can end one after
  /// the other.
  [[nodiscard]] bool is_safe(std::size_t rank, int microbatch) const {
    const RankState& state = ranks_[rank];
    const std::int64_t one = state.costs.activation;
    std::int64_t room = state.costs.memory_limit - (state.memory - state.freeable()) - one;
    if (room < 0) {
      return false;
    }
    if (room >= static_cast<std::int64_t>(state.stages.size()) * one) {
      return true;  // any of them can end
    }
    for (int k = state.oldest; k <= std::max(state.newest, microbatch); ++k) {
      const auto at = static_cast<std::size_t>(k);
      const int more = k == microbatch ? 1 : 0;
      if ((state.forwards_left[at] - more) * one > room) {
        return false;
      }
      room += (state.live[at] + more) * one;
    }
    return true;
  }

  [[nodiscard]] std::size_t index(int stage, int microbatch) const {
    return static_cast<std::size_t>(stage) * static_cast<std::size_t>(microbatches_) +
           static_cast<std::size_t>(microbatch);
  }

 private:
  void begin(std::size_t rank, std::int64_t now, const Action& action) {
    RankState& state = ranks_[rank];
    const std::int64_t end = now + duration(state.costs, action.kind);
    state.free_at = end;
    state.memory += memory_change(state.costs, action.kind);
    state.actions.push_back(action);
    events_.emplace(end, rank);
    if (action.kind == ActionKind::backward_weight) {
      ++state.weights;
      return;
    }
    count(state, action);
    give(rank, action, end);
  }

  void count(RankState& state, const Action& action) {
    const auto k = static_cast<std::size_t>(action.microbatch);
    const bool forward = action.kind == ActionKind::forward;
    ++(forward ? next_forward_ : next_backward_)[static_cast<std::size_t>(action.stage)];
    state.under_way += forward ? 1 : -1;
    if (action.stage == state.stages.front()) {
      state.taken += forward ? 1 : -1;
    }
    state.live[k] += forward ? 1 : -1;
    state.forwards_left[k] -= forward ? 1 : 0;
    state.newest = std::max(state.newest, action.microbatch);
    while (state.oldest < state.newest && state.live[static_cast<std::size_t>(state.oldest)] == 0 &&
           state.forwards_left[static_cast<std::size_t>(state.oldest)] == 0) {
      ++state.oldest;
    }
    --state.passes_left;
    state.last_was_forward = forward;
    if (action.kind == ActionKind::backward_input) {
      state.pending.push_back({ActionKind::backward_weight, action.stage, action.microbatch});
    }
  }

  /// Gives the output of a pass to the stage that needs it.
  void give(std::size_t rank, const Action& action, std::int64_t end) {
    const bool forward = action.kind == ActionKind::forward;
    const int consumer = schedule_.consumer_of(action);
    if (consumer < 0) {
      if (forward) {
        backward_arrival_[index(action.stage, action.microbatch)] = end;  // the loss
      }
      return;
    }
    const auto other = static_cast<std::size_t>(schedule_.rank_of(consumer));
    const std::int64_t arrival = other == rank ? end : end + hop_;
    (forward ? forward_arrival_ : backward_arrival_)[index(consumer, action.microbatch)] = arrival;
    if (other != rank) {
      events_.emplace(arrival, other);
    }
  }

  using Event = std::pair<std::int64_t, std::size_t>;  ///< time and rank

  Schedule schedule_;
  bool split_;
  std::int64_t hop_;
  int microbatches_;
  std::vector<RankState> ranks_;
  std::vector<int> next_forward_;   ///< by stage, a micro-batch
  std::vector<int> next_backward_;  ///< likewise
  std::vector<std::int64_t> forward_arrival_;
  std::vector<std::int64_t> backward_arrival_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
};

/// Chooses by a rule.
class RuleChoice {
 public:
  RuleChoice(const Dispatch& dispatch, const ListRule& rule) : dispatch_(dispatch), rule_(rule) {}

  std::optional<Action> operator()(std::size_t rank, std::int64_t now) {
    const RankState& state = dispatch_.rank(rank);
    if (rule_.weights == WeightRule::at_once && state.has_pending()) {
      return state.pending[state.weights];
    }
    look(rank, now);
    if (rule_.patient && forward_ && next_backward_ < now + state.costs.forward) {
      forward_.reset();
    }
    const bool prefers_forward = rule_.passes == PassOrder::forward_first ||
                                 (rule_.passes == PassOrder::alternate && !state.last_was_forward);
    if (backward_ && !(forward_ && prefers_forward)) {
      return backward_;
    }
    if (forward_ && dispatch_.has_memory(rank)) {
      return forward_;
    }
    return state.has_pending() && (forward_ || runs_weight(state, now))
               ? std::optional(state.pending[state.weights])
               : std::nullopt;
  }

 private:
  /// Finds the passes that are ready, and when the next ones come.
  void look(std::size_t rank, std::int64_t now) {
    forward_.reset();
    backward_.reset();
    next_forward_ = kNever;
    next_backward_ = kNever;
    const RankState& state = dispatch_.rank(rank);
    for (const int stage : state.stages) {
      if (const std::optional<Candidate> candidate = dispatch_.backward(stage)) {
        consider(*candidate, now, backward_, next_backward_);
      }
      const std::optional<Candidate> candidate = dispatch_.forward(stage);
      if (candidate && candidate->arrival < kNever &&
          (stage != state.stages.front() || takes_another(rank)) &&
          dispatch_.is_safe(rank, candidate->action.microbatch)) {
        consider(*candidate, now, forward_, next_forward_);
      }
    }
  }

  void consider(const Candidate& candidate, std::int64_t now, std::optional<Action>& ready,
                std::int64_t& next) const {
    if (candidate.arrival > now) {
      next = std::min(next, candidate.arrival);
    } else if (!ready || goes_before(candidate.action, *ready)) {
      ready = candidate.action;
    }
  }

  [[nodiscard]] bool goes_before(const Action& a, const Action& b) const {
    const bool forward = a.kind == ActionKind::forward;
    const bool is_nearer = forward ? a.stage > b.stage : a.stage < b.stage;
    switch (rule_.chunks) {
      case ChunkOrder::nearest_end:
        return is_nearer;
      case ChunkOrder::farthest_end:
        return !is_nearer;
      case ChunkOrder::grouped:
        break;
    }
    const int group = dispatch_.ranks();
    return std::tuple(a.microbatch / group, is_nearer) < std::tuple(b.microbatch / group, !is_nearer);
  }

  /// Whether the rank's first stage may take another micro-batch.
  [[nodiscard]] bool takes_another(std::size_t rank) const {
    const RankState& state = dispatch_.rank(rank);
    const std::int64_t p = dispatch_.ranks();
    const auto v = static_cast<std::int64_t>(state.stages.size());
    const std::int64_t ahead = p - static_cast<std::int64_t>(rank);
    switch (rule_.warm_up) {
      case WarmUp::memory:
        return true;
      case WarmUp::single:
        return state.under_way < (v - 1) * p + ahead;
      case WarmUp::twofold:
        return state.under_way < (v - 1) * p + 2 * ahead - 1;
      case WarmUp::five_fourths:
        return state.taken < 5 * state.slots() / (4 * v);
      case WarmUp::six_fourths:
        return state.taken < 6 * state.slots() / (4 * v);
      case WarmUp::seven_fourths:
        return state.taken < 7 * state.slots() / (4 * v);
    }
    return true;
  }

  /// Whether, with no pass to run, a W runs.
  [[nodiscard]] bool runs_weight(const RankState& state, std::int64_t now) const {
    if (state.passes_left == 0 || rule_.weights == WeightRule::fill) {
      return true;
    }
    return rule_.weights == WeightRule::fit &&
           now + state.costs.backward_weight <= std::min(next_forward_, next_backward_);
  }

  const Dispatch& dispatch_;
  ListRule rule_;
  std::optional<Action> forward_;  ///< ready, and safe once pending W's have run
  std::optional<Action> backward_;
  std::int64_t next_forward_ = kNever;  ///< when the next input that is known to come arrives
  std::int64_t next_backward_ = kNever;
};

/// Chooses by priorities.
class PriorityChoice {
 public:
  PriorityChoice(const Dispatch& dispatch, const ListPriorities& priorities, bool patient)
      : dispatch_(dispatch), priorities_(priorities), patient_(patient) {}

  std::optional<Action> operator()(std::size_t rank, std::int64_t now) {
    best_.reset();
    coming_.clear();
    const RankState& state = dispatch_.rank(rank);
    for (const int stage : state.stages) {
      if (const std::optional<Candidate> candidate = dispatch_.backward(stage)) {
        consider(*candidate, now, priorities_.backward);
      }
      const std::optional<Candidate> candidate = dispatch_.forward(stage);
      if (candidate && candidate->arrival < kNever && dispatch_.has_memory(rank) &&
          dispatch_.is_safe(rank, candidate->action.microbatch)) {
        consider(*candidate, now, priorities_.forward);
      }
    }
    if (state.has_pending()) {
      consider({state.pending[state.weights], 0}, now, priorities_.weight);
    }
    if (!best_ || (patient_ && is_overtaken(now + duration(state.costs, best_->kind)))) {
      return std::nullopt;
    }
    return best_;
  }

 private:
  void consider(const Candidate& candidate, std::int64_t now, const std::vector<std::int64_t>& table) {
    const std::int64_t priority = table[dispatch_.index(candidate.action.stage, candidate.action.microbatch)];
    if (candidate.arrival > now) {
      coming_.emplace_back(candidate.arrival, priority);
    } else if (!best_ || priority < priority_) {
      best_ = candidate.action;
      priority_ = priority;
    }
  }

  [[nodiscard]] bool is_overtaken(std::int64_t end) const {
    return std::any_of(coming_.begin(), coming_.end(),
                       [&](const auto& other) { return other.first < end && other.second < priority_; });
  }

  const Dispatch& dispatch_;
  const ListPriorities& priorities_;
  bool patient_;
  std::optional<Action> best_;
  std::int64_t priority_ = 0;                                  ///< of best_
  std::vector<std::pair<std::int64_t, std::int64_t>> coming_;  ///< arrival and priority
};

constexpr std::array<std::string_view, 3> kPassOrders = {"backward first", "forward first", "alternate"};
constexpr std::array<std::string_view, 3> kChunkOrders = {"nearest end", "farthest end", "grouped"};
constexpr std::array<std::string_view, 6> kWarmUps = {"memory", "single", "twofold", "5/4", "6/4", "7/4"};
/// The later ones are `memory` with one stage per rank.
constexpr std::size_t kWarmUpsOfOneChunk = 3;
constexpr std::array<std::string_view, 3> kWeightRules = {"fill", "fit", "at once"};

template <class Enum, std::size_t count>
std::string name(const std::array<std::string_view, count>& names, Enum value) {
  return std::string(names[static_cast<std::size_t>(value)]);
}

}  // namespace

std::string to_string(const ListRule& rule) {
  return name(kPassOrders, rule.passes) + ", " + name(kChunkOrders, rule.chunks) + ", " +
         name(kWarmUps, rule.warm_up) + " warm-up, weights " + name(kWeightRules, rule.weights) +
         (rule.patient ? ", patient" : "");
}

std::vector<ListRule> list_rules(int chunks, Placement placement, bool split) {
  std::vector<ListRule> rules;
  const std::size_t chunk_orders = chunks > 1 && placement == Placement::loop ? kChunkOrders.size() : 1;
  const std::size_t warm_ups = chunks == 1 ? kWarmUpsOfOneChunk : kWarmUps.size();
  const std::size_t weight_rules = split ? kWeightRules.size() : 1;
  for (std::size_t weights = 0; weights < weight_rules; ++weights) {
    for (const bool patient : {false, true}) {
      for (std::size_t warm_up = 0; warm_up < warm_ups; ++warm_up) {
        for (std::size_t order = 0; order < chunk_orders; ++order) {
          for (std::size_t passes = 0; passes < kPassOrders.size(); ++passes) {
            rules.push_back({static_cast<PassOrder>(passes), static_cast<ChunkOrder>(order),
                             static_cast<WarmUp>(warm_up), static_cast<WeightRule>(weights), patient});
          }
        }
      }
    }
  }
  return rules;
}

Schedule run_list_rule(const Schedule& shape, const PassCosts& costs, bool split, const ListRule& rule) {
  Dispatch dispatch(shape, costs, split);
  return dispatch.run(RuleChoice(dispatch, rule));
}

Schedule run_list_priorities(const Schedule& shape, const PassCosts& costs, bool split,
                             const ListPriorities& priorities, bool patient) {
  Dispatch dispatch(shape, costs, split);
  return dispatch.run(PriorityChoice(dispatch, priorities, patient));
}

}  // namespace makespan
