#include "scenarios/schedule_source.h"

#include <algorithm>
#include <map>

#include "scenarios/profile_run.h"
#include "scenarios/reader.h"
#include "schedules/catalogue.h"
#include "schedules/schedule_file.h"
#include "schedules/searches.h"

namespace makespan {

bool is_searched(const Scenario& scenario) {
  return scenario.schedule.file.empty() && find_search(scenario.schedule.kind) != nullptr;
}

Schedule find_schedule(const Prepared& prepared) {
  const Scenario& scenario = prepared.scenario;
  const ScheduleSpec& spec = scenario.schedule;
  const bool is_v = spec.placement == "v";
  SearchOptions options{.ranks = static_cast<int>(scenario.parallelism.pipeline),
                        .microbatches = static_cast<int>(scenario.microbatches()),
                        .chunks = static_cast<int>(spec.chunks),
                        .split = !is_unsplit(scenario),
                        .objective = spec.optimizer_sync == OptimizerSync::barrier ? Objective::makespan
                                                                                   : Objective::largest_span};
  if (is_v) {
    options.placement = Placement::snake;
  }
  const PassCosts costs = profile_passes(prepared, is_v ? Placement::snake : Placement::loop);
  return search_schedule(*find_search(spec.kind), options, costs).schedule;
}

namespace {

/// What a schedule does not accept, at the key that says it.
InputError at_its_key(const Scenario& scenario, const OptionError& error) {
  if (error.option() == "ranks") {
    return scenario_error(scenario, "parallelism.pipeline", error.reason(), error.hint());
  }
  if (error.option() == "microbatches") {
    return scenario_error(scenario, "training.global_batch", "micro-batches per pipeline: " + error.reason(),
                          error.hint());
  }
  const std::string key = error.option() == "schedule" ? "kind" : error.option();
  return scenario_error(scenario, "schedule." + key, error.reason(), error.hint());
}

}  // namespace

Schedule schedule_of(const Scenario& scenario) try {
  const ScheduleSpec& spec = scenario.schedule;
  if (!spec.file.empty()) {
    return read_schedule_lists(scenario);
  }
  return generate(spec.kind, {.ranks = static_cast<int>(scenario.parallelism.pipeline),
                              .microbatches = static_cast<int>(scenario.microbatches()),
                              .chunks = static_cast<int>(spec.chunks),
                              .group = static_cast<int>(spec.group),
                              .lifo = spec.lifo,
                              .pieces = static_cast<int>(spec.pieces)});

} catch (const OptionError& error) {
  throw at_its_key(scenario, error);
}

Schedule read_schedule_lists(const Scenario& scenario) {
  const std::string text = read_named_file(scenario.locations, "schedule.file", scenario.schedule.file);
  Schedule schedule = read_schedule_csv(text, scenario.schedule.file.path);
  for (std::vector<Action>& actions : schedule.actions) {
    std::erase_if(actions, [](const Action& action) { return !has_microbatch(action.kind); });
  }
  return schedule;
}

std::string foreign_to_scenarios(const Schedule& schedule, const Scenario& scenario) {
  if (schedule.ranks != scenario.parallelism.pipeline) {
    return "has lists for " + std::to_string(schedule.ranks) + " ranks, and 'parallelism.pipeline' is " +
           std::to_string(scenario.parallelism.pipeline);
  }
  std::map<int, int> stages;  // by rank
  for (const int rank : schedule.rank_of_stage) {
    ++stages[rank];
  }
  for (const auto& [rank, count] : stages) {
    if (count != schedule.chunks) {
      return "gives rank " + std::to_string(rank) + ' ' + std::to_string(count) + " stages, and others " +
             std::to_string(schedule.chunks);
    }
  }
  return {};
}

}  // namespace makespan
