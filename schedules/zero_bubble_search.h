#pragma once

#include "schedules/pass_costs.h"
#include "schedules/schedule.h"

namespace makespan {

/// The automatic schedule of Qi et al. 2024, "Zero Bubble Pipeline Parallelism" (arXiv 2401.10241),
/// section 3.1: one stage per rank, every backward pass split, greedy in time under the memory limits. Three
/// switches make eight variants, and the one with the smallest largest span is kept, the first of equals.
/// With a limit of p M_B it is the paper's ZB-1p, with 2p M_B its ZB-2p.
///
/// 1. Every rank runs its first F. From the last rank up, each then runs the further F's for which there is
///    time before its first I can begin, and memory; switch 1 adds one that delays that I. A rank stays at
///    least one F ahead of the next.
/// 2. For each further micro-batch, each rank runs at most one F, then an I. A rank that is two F's ahead of
///    the next may leave out one that would delay its I, and with it all earlier ranks, where that makes no
///    bubble larger than the largest so far (switch 2).
/// 3. W's run before an F for which there is no memory, where a whole one fits before the input arrives, and
///    in a shorter gap when the rank's bubble would otherwise become the largest of all; switch 3 fills every
///    gap.
/// 4. The other W's run at the end; on rank 0 they run once its F's are done.
///
/// Kind "zb-auto". Takes time O(p m). Throws as require_pass_costs does.
[[nodiscard]] Schedule zero_bubble_search(int ranks, int microbatches, const PassCosts& costs);

}  // namespace makespan
