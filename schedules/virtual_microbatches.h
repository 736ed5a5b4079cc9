#pragma once

#include <vector>

#include "schedules/options.h"

namespace makespan {

/// A micro-batch in one chunk of a rank.
struct VirtualMicrobatch {
  int microbatch = 0;
  int chunk = 0;
};

/// The forward order of interleaved schedules, the same on every rank: for each group of micro-batches, for
/// each chunk, for each micro-batch of the group; the last group may be shorter. Backwards run the same order
/// with chunk v - 1 - c in place of c. Narayanan et al. 2021 (arXiv 2104.04473), groups as in Megatron-LM.
[[nodiscard]] std::vector<VirtualMicrobatch> virtual_microbatches(const ScheduleOptions& options);

}  // namespace makespan
