#include "scenarios/run.h"

#include <utility>

#include "network/fabrics.h"
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
  const NodeSpec& node = find_node(scenario.cluster.node);
  const FabricSpec fabric{.kind = scenario.cluster.fabric.kind,
                          .oversubscription = scenario.cluster.fabric.oversubscription};
  Topology topology = build_cluster(node, static_cast<int>(scenario.cluster.nodes), fabric);
  return {.scenario = std::move(scenario),
          .schedule = std::move(schedule),
          .topology = std::move(topology),
          .accelerator = &find_accelerator(node.accelerator),
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
