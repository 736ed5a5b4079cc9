#include <algorithm>
#include <deque>

#include "schedules/alternation.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

/// Gives the evictions of one rank, which holds `rest` activations at rest and one more during a forward.
class Evictor {
 public:
  Evictor(Schedule& schedule, int rank, int rest) : schedule_(schedule), rank_(rank), rest_(rest) {}

  void run() {
    const std::vector<Action>& actions = schedule_.actions[static_cast<std::size_t>(rank_)];
    for (std::size_t i = 0; i < actions.size(); ++i) {
      const auto position = static_cast<int>(i);
      if (actions[i].kind == ActionKind::forward) {
        after_forward(position, actions[i].microbatch);
      } else {
        after_backward(position);
      }
    }
  }

 private:
  /// The newest is needed last: it leaves when the rank is full.
  void after_forward(int position, int microbatch) {
    if (held_ < rest_) {
      ++held_;
      return;
    }
    away_.push_back(schedule_.evictions.size());
    schedule_.evictions.push_back({.rank = rank_,
                                   .to = schedule_.ranks - 1 - rank_,
                                   .stage = rank_,
                                   .microbatch = microbatch,
                                   .out_after = position});
  }

  /// The oldest that is away comes back in place of what the backward pass freed.
  void after_backward(int position) {
    --held_;
    if (away_.empty()) {
      return;
    }
    schedule_.evictions[away_.front()].back_after = position;
    away_.pop_front();
    ++held_;
  }

  Schedule& schedule_;
  int rank_;
  int rest_;
  int held_ = 0;
  std::deque<std::size_t> away_;  ///< indices of evictions, oldest first
};

/// 1F1B whose first ranks lend activations to the last ones: rank r < p/2 of those that would hold more than
/// ceil((p + 2) / 2) sends the newest to rank p - 1 - r behind its forward, and takes the oldest back behind
/// each backward. So it holds one less than that at rest, and the last place is for the forward under way.
Schedule bpipe(const ScheduleOptions& options) {
  Schedule schedule = alternating_schedule("bpipe", options, 1);
  const int most = (options.ranks + 3) / 2;
  for (int rank = 0; rank < options.ranks / 2; ++rank) {
    if (std::min(options.ranks - rank, options.microbatches) > most) {
      Evictor(schedule, rank, most - 1).run();
    }
  }
  return schedule;
}

}  // namespace

extern const ScheduleKind kBpipe;
const ScheduleKind kBpipe = {.name = "bpipe",
                             .summary = "1F1B whose first ranks keep activations on the last ones",
                             .source = "Kim et al. 2023, ICML (BPipe: memory-balanced pipeline parallelism)",
                             .evicts = true,
                             .generate = bpipe};

}  // namespace makespan
