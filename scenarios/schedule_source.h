#pragma once

#include <string>
#include <vector>

#include "scenarios/scenario.h"
#include "schedules/schedule.h"

namespace makespan {

/// The schedule of a resolved scenario: generated, or from its file.
[[nodiscard]] Schedule schedule_of(const Scenario& scenario);

/// The lists of `schedule.file` without their steps on weights, which mean nothing while weights are not
/// sharded. Throws InputError at the key when there is no such file, and at the place in the file where it is
/// no schedule.
[[nodiscard]] Schedule read_schedule_lists(const Scenario& scenario);

/// What a scenario cannot run of a schedule that was read, in words; empty when nothing: other ranks than the
/// pipeline's, different numbers of stages per rank, pairs that overlap.
[[nodiscard]] std::string foreign_to_scenarios(const Schedule& schedule, const Scenario& scenario);

}  // namespace makespan
