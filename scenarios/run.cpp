#include "scenarios/run.h"

#include <utility>

#include "scenarios/faults.h"
#include "scenarios/schedule_source.h"
#include "schedules/validate.h"

namespace makespan {

namespace {

/// Whether communication may turn out impossible or other than the scenario says: where nothing is pinned, a
/// generated cluster without faults has all routes.
bool needs_trial(const Scenario& scenario) {
  const auto pins = [](const CollectivePin& pin) {
    const CollectivePin::Measured& measured = pin.measured;
    return pin.algorithm || pin.protocol || pin.channels > 0 || !measured.all_reduce.empty() ||
           !measured.all_gather.empty() || !measured.reduce_scatter.empty();
  };
  const Collectives& collectives = scenario.collectives;
  return pins(collectives.tp) || pins(collectives.dp) || pins(collectives.other) ||
         scenario.simulation.fidelity == "message" || !scenario.faults.empty() ||
         has_given_fabric(scenario.cluster.topology) || !scenario.cluster.topology.nccl_xml.empty() ||
         !scenario.cluster.topology.nvidia_smi.empty();
}

}  // namespace

Prepared prepare(Scenario scenario, std::vector<std::string> warnings) {
  Schedule schedule;
  if (!is_searched(scenario)) {
    schedule = schedule_of(scenario);
    require_valid(schedule, *scenario.schedule.communication);
  }
  Machine machine = build_machine(scenario.cluster);
  apply_faults(scenario, machine);
  warnings.insert(warnings.end(), machine.warnings.begin(), machine.warnings.end());
  const Accelerator& accelerator = find_accelerator(machine.node.accelerator);
  CollectiveChoices collectives = read_collectives(scenario);
  if (needs_trial(scenario)) {
    GroupPlanner planner(scenario, machine, accelerator, collectives);
    const std::vector<std::string> found = check_communication(scenario, planner);
    warnings.insert(warnings.end(), found.begin(), found.end());
  }
  Prepared prepared{.scenario = std::move(scenario),
                    .schedule = std::move(schedule),
                    .machine = std::move(machine),
                    .accelerator = &accelerator,
                    .collectives = std::move(collectives),
                    .warnings = std::move(warnings)};
  if (is_searched(prepared.scenario)) {
    prepared.schedule = find_schedule(prepared);
    require_valid(prepared.schedule, *prepared.scenario.schedule.communication);
  }
  return prepared;
}

Run run(Prepared prepared, const SimulationOptions& options) {
  const Partition partition = every_rank_alone(static_cast<int>(prepared.scenario.ranks()));
  Lowered lowered = lower(prepared, partition);
  Timeline timeline = simulate(lowered.graph, options);
  Report report = summarize(prepared, lowered, timeline);
  return {.prepared = std::move(prepared),
          .lowered = std::move(lowered),
          .timeline = std::move(timeline),
          .report = std::move(report)};
}

}  // namespace makespan
