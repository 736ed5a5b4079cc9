#include "scenarios/schedule_source.h"

#include <algorithm>
#include <map>

#include "scenarios/reader.h"
#include "schedules/catalogue.h"
#include "schedules/schedule_file.h"

namespace makespan {

Schedule schedule_of(const Scenario& scenario) {
  const ScheduleSpec& spec = scenario.schedule;
  if (!spec.file.empty()) {
    return read_schedule_lists(scenario);
  }
  return generate(spec.kind, {.ranks = static_cast<int>(scenario.parallelism.pipeline),
                              .microbatches = static_cast<int>(scenario.microbatches()),
                              .chunks = static_cast<int>(spec.chunks),
                              .group = static_cast<int>(spec.group),
                              .lifo = spec.lifo});
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
  for (const std::vector<Action>& actions : schedule.actions) {
    const auto pair = std::find_if(actions.begin(), actions.end(),
                                   [](const Action& action) { return action.overlaps_next; });
    if (pair != actions.end()) {
      return "overlaps " + to_string(*pair) + " with a backward pass, which scenarios do not run yet";
    }
  }
  return {};
}

}  // namespace makespan
