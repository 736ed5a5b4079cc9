#include <algorithm>
#include <array>

#include "schedules/catalogue.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// Writes a rank's list: the two stages' forwards, input gradients and weight gradients each in order of the
/// micro-batch. What is beyond the last one is counted and left out.
class Writer {
 public:
  Writer(const ScheduleOptions& options, int rank, std::vector<Action>& actions)
      : p_(options.ranks),
        rank_(rank),
        microbatches_(options.microbatches),
        counted_(std::max(options.microbatches, 2 * options.ranks - 1)),
        actions_(actions) {}

  void run() {
    for (int i = 0; i < 2 * (p_ - rank_) - 1; ++i) {
      add(kForward, 0);
    }
    for (int i = 0; i < rank_; ++i) {
      add(kForward, 1);
      add(kForward, 0);
    }
    for (int i = 0; i < p_ - rank_; ++i) {
      add_all(1);
    }
    while (next_[kForward][1] < next_[kForward][0] || next_[kForward][0] < counted_) {
      if (next_[kForward][0] < counted_) {
        add(kForward, 0);
      }
      add(kInput, 0);
      add(kWeight, 0);
      add_all(1);
    }
    for (int i = 0; i < rank_; ++i) {
      add(kInput, 0);
      add(kInput, 1);
    }
    for (int i = 0; i < p_ - rank_; ++i) {
      add(kInput, 0);
      add(kWeight, 0);
    }
    for (const std::size_t chunk : {1U, 0U}) {
      while (next_[kWeight][chunk] < next_[kInput][chunk]) {
        add(kWeight, chunk);
      }
    }
  }

 private:
  static constexpr std::size_t kForward = 0;
  static constexpr std::size_t kInput = 1;
  static constexpr std::size_t kWeight = 2;
  static constexpr std::array<ActionKind, 3> kKinds = {ActionKind::forward, ActionKind::backward_input,
                                                       ActionKind::backward_weight};

  void add(std::size_t kind, std::size_t chunk) {
    const int k = next_[kind][chunk]++;
    if (k < microbatches_) {
      actions_.push_back({kKinds[kind], chunk == 0 ? rank_ : 2 * p_ - 1 - rank_, k});
    }
  }

  void add_all(std::size_t chunk) {
    add(kForward, chunk);
    add(kInput, chunk);
    add(kWeight, chunk);
  }

  int p_;
  int rank_;
  int microbatches_;
  int counted_;  ///< micro-batches that the pattern needs
  std::vector<Action>& actions_;
  std::array<std::array<int, 2>, 3> next_ = {};  ///< micro-batch, by kind and chunk
};

/// Two stages per rank in a V: no rank idles between its first and its last action when F = I = W and
/// m >= 2p - 1, at the memory of 1F1B. Order as PyTorch's ScheduleZBVZeroBubble.
Schedule zb_v(const ScheduleOptions& options) {
  Schedule schedule = empty_schedule("zb-v", options, Placement::snake);
  for (int rank = 0; rank < options.ranks; ++rank) {
    Writer(options, rank, schedule.actions[static_cast<std::size_t>(rank)]).run();
  }
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace

extern const ScheduleKind kZbV;
const ScheduleKind kZbV = {.name = "zb-v",
                           .summary = "zero bubble within each rank's span, in a V, at the memory of 1F1B",
                           .source = "Qi et al. 2024, arXiv 2401.10241, section 6",
                           .least_chunks = 2,
                           .most_chunks = 2,
                           .splits = true,
                           .generate = zb_v};

}  // namespace makespan
