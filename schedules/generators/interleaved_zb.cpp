#include <algorithm>

#include "schedules/catalogue.h"
#include "schedules/placement.h"
#include "schedules/virtual_microbatches.h"

namespace makespan {

namespace {

/// Interleaving with split backward passes, as PyTorch generates it: warm-up of (v - 1) G + p - 1 - r virtual
/// micro-batches, and weight gradients r virtual micro-batches late on rank r.
Schedule interleaved_zb(const ScheduleOptions& options) {
  Schedule schedule = empty_schedule("interleaved-zb", options);
  const std::vector<VirtualMicrobatch> table = virtual_microbatches(options);
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
    const auto backward = [&](ActionKind kind, std::size_t i) {
      actions.push_back(
          {kind, (options.chunks - 1 - table[i].chunk) * options.ranks + rank, table[i].microbatch});
    };
    const auto wanted = static_cast<std::size_t>((options.chunks - 1) * std::int64_t{options.group} +
                                                 options.ranks - 1 - rank);
    const std::size_t warm = std::min(wanted, table.size());
    const std::size_t later = std::min(static_cast<std::size_t>(rank), table.size());
    for (std::size_t i = 0; i < warm + table.size(); ++i) {
      if (i < table.size()) {
        actions.push_back({ActionKind::forward, table[i].chunk * options.ranks + rank, table[i].microbatch});
      }
      if (i >= warm) {
        backward(ActionKind::backward_input, i - warm);
        if (i - warm >= later) {
          backward(ActionKind::backward_weight, i - warm - later);
        }
      }
    }
    for (std::size_t i = table.size() - later; i < table.size(); ++i) {
      backward(ActionKind::backward_weight, i);
    }
  }
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace

extern const ScheduleKind kInterleavedZb;
const ScheduleKind kInterleavedZb = {
    .name = "interleaved-zb",
    .summary = "interleaved 1F1B with weight gradients moved into the bubbles",
    .source = "Qi et al. 2024, arXiv 2401.10241; PyTorch, ScheduleInterleavedZeroBubble",
    .most_chunks = kMaxSteps,
    .splits = true,
    .has_group = true,
    .generate = interleaved_zb};

}  // namespace makespan
