#include "schedules/catalogue.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// Stages in a loop, all micro-batches through one chunk before the next: each stage's weights are gathered
/// and its gradients reduced once. Backwards newest micro-batch first, as in PyTorch.
Schedule looped_bfs(const ScheduleOptions& options) {
  Schedule schedule = empty_schedule("looped-bfs", options);
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
    for (int chunk = 0; chunk < options.chunks; ++chunk) {
      for (int k = 0; k < options.microbatches; ++k) {
        actions.push_back({ActionKind::forward, chunk * options.ranks + rank, k});
      }
    }
    for (int chunk = options.chunks; chunk-- > 0;) {
      for (int k = options.microbatches; k-- > 0;) {
        actions.push_back({ActionKind::backward, chunk * options.ranks + rank, k});
      }
    }
  }
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace

extern const ScheduleKind kLoopedBfs;
const ScheduleKind kLoopedBfs = {.name = "looped-bfs",
                                 .summary = "all micro-batches through one chunk before the next chunk",
                                 .source = "Lamy-Poirier 2023, arXiv 2211.05953",
                                 .most_chunks = kMaxSteps,
                                 .generate = looped_bfs};

}  // namespace makespan
