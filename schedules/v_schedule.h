#pragma once

#include <array>
#include <string_view>

#include "schedules/options.h"
#include "schedules/schedule.h"

namespace makespan {

/// The four passes of a micro-batch on one rank of a V, in order: F and I of the first stage are at the outer
/// ends, those of the second stage between them.
enum class VPass : std::uint8_t { forward0, forward1, input1, input0 };

/// Slots of micro-batch 0 on one rank, by VPass. Every slot holds one pass of unit length, and micro-batch k
/// is 6 k slots later.
using VBlock = std::array<int, 4>;

/// Two stages per rank in a V, from a building block that every micro-batch repeats: the order of V-Min and
/// V-Half. Qi et al. 2024, "Pipeline Parallelism with Controllable Memory" (arXiv 2405.15362):
///
/// 1. weight gradients fill the free slots, oldest first;
/// 2. passes of the warm-up (before rank 0's first I of stage 0) and of the cool-down (after its last F of
/// stage
///    0) move to the earliest free slot behind what they need that does not raise the peak of activations;
/// 3. everything moves to the earliest slot that this order allows;
/// 4. without the weight gradients the cool-down moves once more, they fill the free slots again, and all
/// moves
///    to its earliest slot again;
/// 5. the weight gradients fill the free slots a last time, those of the second stage first.
[[nodiscard]] Schedule v_schedule(std::string_view kind, const ScheduleOptions& options,
                                  VBlock (*block)(int ranks, int rank));

}  // namespace makespan
