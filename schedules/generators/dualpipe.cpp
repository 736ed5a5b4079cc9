#include <deque>
#include <map>

#include "schedules/catalogue.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// Where a rank stands in the eight steps that DualPipe and DualPipeV share.
struct Position {
  int near = 0;          ///< the stage of the direction that enters at this rank's end
  int far = 0;           ///< the other stage
  int outer = 0;         ///< ranks between this one and its end: h
  int inner = 0;         ///< ranks between this one and the turn, or the middle: z
  int microbatches = 0;  ///< of each stage: n
};

/// Writes a rank's list. Micro-batches of each stage come in order, forwards and backwards each; weight
/// gradients oldest first.
class Writer {
 public:
  Writer(const Position& position, std::vector<Action>& actions) : at_(position), actions_(actions) {}

  /// The steps of the published code (deepseek-ai/DualPipe).
  void run() {
    for (int i = 0; i < 2 * at_.inner; ++i) {
      forward(at_.near);
    }
    for (int i = 0; i < at_.outer + 1; ++i) {
      forward(at_.near);
      forward(at_.far);
    }
    for (int i = 0; i < at_.inner; ++i) {
      backward(at_.far, true);
      weight();
      forward(at_.far);
    }
    steady();
    for (int i = 0; i < at_.inner; ++i) {
      backward(at_.far, false);
      pair(at_.far, at_.near);
    }
    drain();
    for (int i = 0; i < at_.inner; ++i) {
      weight();
      backward(at_.near, true);
    }
    while (!weights_.empty()) {
      weight();
    }
  }

 private:
  /// The innermost ranks have nothing to overlap with their first forward of it.
  void steady() {
    const int half = at_.outer + at_.inner + 1;
    for (int i = 0; i < at_.microbatches - 2 * half + at_.outer + 1; ++i) {
      if (i == 0 && at_.inner == 0) {
        forward(at_.near);
        backward(at_.far, false);
      } else {
        pair(at_.near, at_.far);
      }
      pair(at_.far, at_.near);
    }
  }

  /// Whole backwards at first, then split ones.
  void drain() {
    bool split = false;
    const int change = (at_.outer + 1) / 2;
    for (int i = 0; i < at_.outer + 1; ++i) {
      split = split || (i == change && at_.outer % 2 == 1);
      backward(at_.far, split);
      split = split || (i == change && at_.outer % 2 == 0);
      backward(at_.near, split);
    }
  }

  Action next_forward(int stage) { return {ActionKind::forward, stage, forwards_[stage]++}; }

  void forward(int stage) { actions_.push_back(next_forward(stage)); }

  void backward(int stage, bool split) {
    const int k = backwards_[stage]++;
    actions_.push_back({split ? ActionKind::backward_input : ActionKind::backward, stage, k});
    if (split) {
      weights_.push_back({ActionKind::backward_weight, stage, k});
    }
  }

  void pair(int forward_stage, int backward_stage) {
    const Action forward = next_forward(forward_stage);
    push_pair(actions_, forward, {ActionKind::backward, backward_stage, backwards_[backward_stage]++});
  }

  void weight() {
    actions_.push_back(weights_.front());
    weights_.pop_front();
  }

  Position at_;
  std::vector<Action>& actions_;
  std::map<int, int> forwards_;   ///< by stage
  std::map<int, int> backwards_;  ///< by stage
  std::deque<Action> weights_;
};

void require_microbatches(const ScheduleOptions& options, const std::string& why) {
  if (options.microbatches < 2 * options.ranks) {
    refuse_option("microbatches",
                  std::to_string(options.microbatches) + " is less than twice the " +
                      std::to_string(options.ranks) + " ranks" + why,
                  "at least " + std::to_string(2 * options.ranks));
  }
}

/// Two replicas of the model in opposite directions. Micro-batches count both directions.
Schedule dualpipe(const ScheduleOptions& options) {
  const int p = options.ranks;
  if (p % 2 != 0) {
    refuse_option("ranks", std::to_string(p) + " is odd: dualpipe's two directions share every rank evenly",
                  "an even number of ranks");
  }
  if (options.microbatches % 2 != 0) {
    refuse_option("microbatches",
                  std::to_string(options.microbatches) + " is odd: half of them go in each direction",
                  "an even number of micro-batches");
  }
  require_microbatches(options, ", which both directions need to overlap");
  Schedule schedule = empty_schedule("dualpipe", options, Placement::bidirectional);
  for (int rank = 0; rank < p; ++rank) {
    const int down = rank;
    const int up = p + (p - 1 - rank);
    const bool first_half = rank < p / 2;
    const int outer = first_half ? rank : p - 1 - rank;
    Writer({.near = first_half ? down : up,
            .far = first_half ? up : down,
            .outer = outer,
            .inner = p / 2 - 1 - outer,
            .microbatches = schedule.stage_microbatches()},
           schedule.actions[static_cast<std::size_t>(rank)])
        .run();
  }
  schedule.exchanges.clear();
  return schedule;
}

/// DualPipe cut in half: one replica in a V.
Schedule dualpipev(const ScheduleOptions& options) {
  require_microbatches(options, ", which the two arms of the V need to overlap");
  Schedule schedule = empty_schedule("dualpipev", options, Placement::snake);
  for (int rank = 0; rank < options.ranks; ++rank) {
    Writer({.near = rank,
            .far = 2 * options.ranks - 1 - rank,
            .outer = rank,
            .inner = options.ranks - 1 - rank,
            .microbatches = options.microbatches},
           schedule.actions[static_cast<std::size_t>(rank)])
        .run();
  }
  schedule.exchanges.clear();
  return schedule;
}

}  // namespace

extern const ScheduleKind kDualpipe;
const ScheduleKind kDualpipe = {
    .name = "dualpipe",
    .summary = "two replicas in opposite directions, forwards overlapped with backwards",
    .source = "DeepSeek-AI 2024, arXiv 2412.19437; deepseek-ai/DualPipe",
    .splits_some = true,
    .overlaps = true,
    .replicas = 2,
    .generate = dualpipe};

extern const ScheduleKind kDualpipev;
const ScheduleKind kDualpipev = {.name = "dualpipev",
                                 .summary = "DualPipe on one replica in a V",
                                 .source = "deepseek-ai/DualPipe (DualPipeV), after arXiv 2412.19437",
                                 .least_chunks = 2,
                                 .most_chunks = 2,
                                 .splits_some = true,
                                 .overlaps = true,
                                 .generate = dualpipev};

}  // namespace makespan
