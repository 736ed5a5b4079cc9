#pragma once

#include <string>
#include <vector>

#include "scenarios/prepared.h"
#include "scenarios/scenario.h"
#include "schedules/catalogue.h"
#include "schedules/schedule.h"

namespace makespan {

/// Whether the schedule is searched for from the costs of its passes, which need a machine.
[[nodiscard]] bool is_searched(const Scenario& scenario);

/// When its schedule updates the weights. Without a flush its iterations are one stream, and the schedule has
/// the micro-batches of all of them.
[[nodiscard]] Update update_of(const Scenario& scenario);

/// The schedule of a resolved scenario: generated, or from its file. Throws InputError at the key of what the
/// schedule does not accept. Requires that it is not searched.
[[nodiscard]] Schedule schedule_of(const Scenario& scenario);

/// The schedule that is found with the costs of a profiling run (scenarios/profile_run.h), by the makespan,
/// or by the largest span where iterations do not wait for each other. `prepared` needs no schedule.
[[nodiscard]] Schedule find_schedule(const Prepared& prepared);

/// (longest span - work) / longest span of the scenario's schedule where every stage takes the mean of the
/// profiled times and every message that of the slowest: the bubble rate that Qi et al. 2024 (arXiv
/// 2401.10241) calculate from profiled times. Messages are independent, and a search knows the same times.
[[nodiscard]] double profiled_bubble_rate(const Prepared& prepared);

/// The lists of `schedule.file` without their steps on weights, which mean nothing while weights are not
/// sharded. Throws InputError at the key when there is no such file, and at the place in the file where it is
/// no schedule.
[[nodiscard]] Schedule read_schedule_lists(const Scenario& scenario);

/// What a scenario cannot run of a schedule that was read, in words; empty when nothing: other ranks than the
/// pipeline's, different numbers of stages per rank.
[[nodiscard]] std::string foreign_to_scenarios(const Schedule& schedule, const Scenario& scenario);

}  // namespace makespan
