#pragma once

#include "scenarios/prepared.h"
#include "schedules/pass_costs.h"
#include "schedules/placement.h"
#include "schedules/schedule.h"

namespace makespan {

/// What the passes of a scenario take and keep, as Qi et al. 2024 (arXiv 2401.10241) profile them: read out
/// of a simulated run of one replica with two micro-batches, of which the second starts when the first has
/// gone and halves no backward pass. Of a workload whose backward passes are whole, one micro-batch.
///
/// Times in picoseconds, memory in bytes, one entry per pipeline rank: of the rank's stages the mean time,
/// rounded up, and the most memory. A pass takes as long as its kernels and the tensor-parallel
/// communication around them; a hop as long as the slowest message. Memory is what the micro-batch still
/// holds behind F, and behind I.
///
/// What I leaves can be more than what F keeps: inputs that sequence parallelism gathers.
///
/// The limit is `schedule.activations` times the activation of a rank's stages, or `schedule.memory`, or what
/// the GPU has beside weights, gradients, optimizer state, and what passes take and give back while they run.
///
/// `prepared` needs no schedule. Throws InfeasibleError when a rank has no memory for one micro-batch.
[[nodiscard]] PassCosts profile_passes(const Prepared& prepared, Placement placement);

/// Whether a profile gives the backward pass as a whole only, so that nothing can be split.
[[nodiscard]] bool is_unsplit(const Scenario& scenario);

}  // namespace makespan
