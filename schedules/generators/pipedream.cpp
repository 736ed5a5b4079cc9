#include "schedules/alternation.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

/// Without a flush: 1F1B over a stream of mini-batches, each of which is used for an update of its own. A
/// micro-batch here is one of them. Rank r keeps p - r versions of its weights, so that B(k) uses the version
/// that F(k) used.
Schedule pipedream(const ScheduleOptions& options) {
  Schedule schedule = alternating_schedule("pipedream", options, 1);
  for (int rank = 0; rank < options.ranks; ++rank) {
    schedule.weight_versions.push_back(options.ranks - rank);
  }
  return schedule;
}

}  // namespace

extern const ScheduleKind kPipedream;
const ScheduleKind kPipedream = {
    .name = "pipedream",
    .summary = "1F1B over a stream of mini-batches without a flush, with stashed weights",
    .source = "Harlap et al. 2018, arXiv 1806.03377",
    .update = Update::each_microbatch,
    .generate = pipedream};

}  // namespace makespan
