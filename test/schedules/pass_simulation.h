#pragma once

#include <cstdint>
#include <vector>

#include "schedules/bare_costs.h"
#include "schedules/pass_costs.h"
#include "schedules/placement.h"
#include "schedules/schedule.h"

namespace makespan::test {

/// The same costs for run_bare, whose unit is then the tick. Requires one set of costs for all ranks.
[[nodiscard]] BareCosts bare_costs(const PassCosts& costs, int chunks);

struct SimulatedTimes {
  std::int64_t makespan = 0;
  std::int64_t max_span = 0;
};

/// `schedule` through the simulator with costs that may differ by rank, messages independent.
[[nodiscard]] SimulatedTimes simulate_passes(const Schedule& schedule, const PassCosts& costs);

/// Per rank, what is left of the memory limit at the fullest moment in program order, counted by micro-batch:
/// M_B from F to I or B, M_W from I to W.
[[nodiscard]] std::vector<std::int64_t> memory_left(const Schedule& schedule, const PassCosts& costs);

/// Random costs per rank, sometimes with parts that take no time, and limits between one micro-batch and all
/// of them.
[[nodiscard]] PassCosts random_pass_costs(std::uint64_t seed, int ranks, int chunks, int microbatches);

}  // namespace makespan::test
