#include "scenarios/run.h"

#include <utility>

#include "scenarios/machine.h"
#include "schedules/catalogue.h"

namespace makespan {

Prepared prepare(Scenario scenario, std::vector<std::string> warnings) {
  ScheduleOptions options;
  options.ranks = static_cast<int>(scenario.parallelism.pipeline);
  options.microbatches = static_cast<int>(scenario.microbatches());
  options.chunks = static_cast<int>(scenario.schedule.chunks);
  options.group = static_cast<int>(scenario.schedule.group);
  options.lifo = scenario.schedule.lifo;
  Schedule schedule = generate(scenario.schedule.kind, options);
  Machine machine = build_machine(scenario.cluster);
  warnings.insert(warnings.end(), machine.warnings.begin(), machine.warnings.end());
  return {.scenario = std::move(scenario),
          .schedule = std::move(schedule),
          .topology = std::move(machine.topology),
          .accelerator = &find_accelerator(machine.node.accelerator),
          .warnings = std::move(warnings)};
}

Run run(Prepared prepared, const SimulationOptions& options) {
  const Partition partition = every_rank_alone(static_cast<int>(prepared.scenario.ranks()));
  Lowered lowered =
      lower(prepared.scenario, prepared.schedule, prepared.topology, *prepared.accelerator, partition);
  Timeline timeline = simulate(lowered.graph, options);
  Report report = summarize(prepared, lowered, timeline);
  return {.prepared = std::move(prepared),
          .lowered = std::move(lowered),
          .timeline = std::move(timeline),
          .report = std::move(report)};
}

}  // namespace makespan
