#include <algorithm>

#include "schedules/catalogue.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// 1F1B over pieces of sequences. Later pieces attend to the keys of earlier ones: forwards run a sequence's
/// pieces in order, backwards against it, for which q - 1 more forwards come first.
Schedule seq1f1b(const ScheduleOptions& options) {
  Schedule schedule = empty_schedule("seq1f1b", options);
  const auto backward = [&](int rank, int unit) {
    const int first = unit / options.pieces * options.pieces;
    return Action{ActionKind::backward, rank, first + options.pieces - 1 - unit % options.pieces};
  };
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
    const int warm = std::min(options.ranks - 1 - rank + options.pieces - 1, schedule.microbatches);
    for (int unit = 0; unit < warm; ++unit) {
      actions.push_back({ActionKind::forward, rank, unit});
    }
    for (int unit = 0; unit < schedule.microbatches; ++unit) {
      if (warm + unit < schedule.microbatches) {
        actions.push_back({ActionKind::forward, rank, warm + unit});
      }
      actions.push_back(backward(rank, unit));
    }
  }
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace

extern const ScheduleKind kSeq1f1b;
const ScheduleKind kSeq1f1b = {.name = "seq1f1b",
                               .summary = "1F1B over pieces of sequences",
                               .source = "Sun et al. 2024, arXiv 2406.03488",
                               .has_pieces = true,
                               .generate = seq1f1b};

}  // namespace makespan
