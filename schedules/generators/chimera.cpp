#include <algorithm>
#include <utility>

#include "schedules/catalogue.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// Half of the micro-batches go down one replica of the model and half up the other. A unit is p
/// micro-batches; in slots of equal length micro-batch j of a direction has F of stage s in slot 2j + s and B
/// in slot 2j + 2p - 1 - s, and the two directions never meet. Units follow each other directly, 2p slots
/// apart.
Schedule chimera(const ScheduleOptions& options) {
  const int p = options.ranks;
  if (p % 2 != 0) {
    refuse_option("ranks", std::to_string(p) + " is odd: chimera's two directions share every rank evenly",
                  "an even number of ranks");
  }
  if (options.microbatches % p != 0) {
    refuse_option("microbatches",
                  std::to_string(options.microbatches) + " is not a multiple of the " + std::to_string(p) +
                      " ranks, which make one unit",
                  "a multiple of " + std::to_string(p));
  }
  Schedule schedule = empty_schedule("chimera", options, Placement::bidirectional);
  for (int rank = 0; rank < p; ++rank) {
    std::vector<std::pair<std::int64_t, Action>> slots;
    for (int replica = 0; replica < 2; ++replica) {
      const int s = replica == 0 ? rank : p - 1 - rank;
      for (int k = 0; k < schedule.stage_microbatches(); ++k) {
        const std::int64_t start = std::int64_t{k / (p / 2)} * 2 * p + 2 * (k % (p / 2));
        slots.emplace_back(start + s, Action{ActionKind::forward, replica * p + s, k});
        slots.emplace_back(start + 2 * p - 1 - s, Action{ActionKind::backward, replica * p + s, k});
      }
    }
    std::sort(slots.begin(), slots.end());
    for (const auto& [slot, action] : slots) {
      schedule.actions[static_cast<std::size_t>(rank)].push_back(action);
    }
  }
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace

extern const ScheduleKind kChimera;
const ScheduleKind kChimera = {.name = "chimera",
                               .summary = "two replicas in opposite directions, units joined directly",
                               .source = "Li and Hoefler 2021, arXiv 2107.06925",
                               .replicas = 2,
                               .generate = chimera};

}  // namespace makespan
