#include "schedules/alternation.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

/// PipeDream with two versions of the weights: gradients of m >= p micro-batches are accumulated for one new
/// version, and what is under way finishes on the old one.
Schedule pipedream_2bw(const ScheduleOptions& options) {
  if (options.microbatches < options.ranks) {
    refuse_option("microbatches",
                  std::to_string(options.microbatches) + " is less than the " +
                      std::to_string(options.ranks) +
                      " ranks: two versions of the weights would not be enough",
                  "at least " + std::to_string(options.ranks));
  }
  Schedule schedule = alternating_schedule("pipedream-2bw", options, 1);
  schedule.weight_versions.assign(static_cast<std::size_t>(options.ranks), 2);
  return schedule;
}

}  // namespace

extern const ScheduleKind kPipedream2bw;
const ScheduleKind kPipedream2bw = {.name = "pipedream-2bw",
                                    .summary = "1F1B without a flush, with two versions of the weights",
                                    .source = "Narayanan et al. 2021, arXiv 2006.09503 (PipeDream-2BW)",
                                    .update = Update::each_iteration,
                                    .generate = pipedream_2bw};

}  // namespace makespan
