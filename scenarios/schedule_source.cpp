#include "scenarios/schedule_source.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "scenarios/profile_run.h"
#include "scenarios/reader.h"
#include "schedules/catalogue.h"
#include "schedules/schedule_file.h"
#include "schedules/searches.h"

namespace makespan {

bool is_searched(const Scenario& scenario) {
  return scenario.schedule.file.empty() && find_search(scenario.schedule.kind) != nullptr;
}

namespace {

Placement placement_of(const Scenario& scenario) {
  return scenario.schedule.placement == "v" ? Placement::snake : Placement::loop;
}

/// With as much room for each micro-batch as its halves need, in time or in bytes.
PassCosts for_halves(PassCosts costs) {
  for (RankCosts& rank : costs.ranks) {
    rank.activation = std::max(rank.activation, rank.weight_activation);
  }
  return costs;
}

PassCosts for_wholes(PassCosts costs) {
  for (RankCosts& rank : costs.ranks) {
    rank.weight_activation = std::min(rank.activation, rank.weight_activation);
  }
  return costs;
}

/// Where W needs more memory than F keeps (inputs that sequence parallelism gathers), a search that may leave
/// backward passes whole does so too, and takes what is shorter.
FoundSchedule shortest(const ScheduleSearch& search, SearchOptions options, const PassCosts& costs) {
  const bool grows = std::any_of(costs.ranks.begin(), costs.ranks.end(), [](const RankCosts& rank) {
    return rank.weight_activation > rank.activation;
  });
  if (!grows || search.kind.splits) {
    return search_schedule(search, options, for_halves(costs));
  }
  const bool may_split = std::exchange(options.split, false);
  FoundSchedule whole = search_schedule(search, options, for_wholes(costs));
  try {
    options.split = may_split;
    FoundSchedule halves = search_schedule(search, options, for_halves(costs));
    return halves.time < whole.time ? halves : whole;
  } catch (const InfeasibleError&) {  // no room for one micro-batch in halves
    return whole;
  }
}

Schedule search_with(const Scenario& scenario, const PassCosts& costs) {
  const ScheduleSpec& spec = scenario.schedule;
  const bool is_barrier = spec.optimizer_sync == OptimizerSync::barrier;
  SearchOptions options{.ranks = static_cast<int>(scenario.parallelism.pipeline),
                        .microbatches = static_cast<int>(scenario.microbatches()),
                        .chunks = static_cast<int>(spec.chunks),
                        .split = !is_unsplit(scenario),
                        .objective = is_barrier ? Objective::makespan : Objective::largest_span};
  if (!spec.placement.empty()) {
    options.placement = placement_of(scenario);
  }
  return shortest(*find_search(spec.kind), options, costs).schedule;
}

/// The mean of all ranks for each of them.
PassCosts mean_of(const PassCosts& costs) {
  const auto count = static_cast<std::int64_t>(costs.ranks.size());
  const auto mean = [&](std::int64_t RankCosts::*cost) {
    std::int64_t sum = 0;
    for (const RankCosts& rank : costs.ranks) {
      sum += rank.*cost / count;
    }
    return sum;
  };
  RankCosts all = costs.ranks.front();
  for (const auto cost :
       {&RankCosts::forward, &RankCosts::backward, &RankCosts::backward_input, &RankCosts::backward_weight,
        &RankCosts::activation, &RankCosts::weight_activation, &RankCosts::memory_limit}) {
    all.*cost = mean(cost);
  }
  return {.ranks = {all}, .hop = costs.hop};
}

}  // namespace

Schedule find_schedule(const Prepared& prepared) {
  return search_with(prepared.scenario, profile_passes(prepared, placement_of(prepared.scenario)));
}

double profiled_bubble_rate(const Prepared& prepared) {
  const PassCosts costs = mean_of(profile_passes(prepared, placement_of(prepared.scenario)));
  const Schedule schedule =
      is_searched(prepared.scenario) ? search_with(prepared.scenario, costs) : prepared.schedule;
  const std::optional<ScheduleTimes> times = ScheduleTimer(schedule, costs).time(schedule);
  MAKESPAN_CHECK(times, "a schedule that was accepted does not run");
  std::int64_t work = 0;
  for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    std::int64_t own = 0;
    bool is_paired = false;
    for (const Action& action : schedule.actions[rank]) {
      own += is_paired ? 0 : step_length(costs.of(static_cast<int>(rank)), action);
      is_paired = action.overlaps_next;
    }
    work = std::max(work, own);
  }
  return times->max_span == 0
             ? 0.0
             : static_cast<double>(times->max_span - work) / static_cast<double>(times->max_span);
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

Update update_of(const Scenario& scenario) {
  const bool is_kind = scenario.schedule.file.empty() && !is_searched(scenario);
  return is_kind ? schedule_kind(scenario.schedule.kind).update : Update::flush;
}

Schedule schedule_of(const Scenario& scenario) try {
  const ScheduleSpec& spec = scenario.schedule;
  if (!spec.file.empty()) {
    return read_schedule_lists(scenario);
  }
  const ScheduleOptions options{.ranks = static_cast<int>(scenario.parallelism.pipeline),
                                .microbatches = static_cast<int>(scenario.microbatches()),
                                .chunks = static_cast<int>(spec.chunks),
                                .group = static_cast<int>(spec.group),
                                .lifo = spec.lifo,
                                .pieces = static_cast<int>(spec.pieces)};
  Schedule schedule = generate(spec.kind, options);
  if (update_of(scenario) == Update::flush) {
    return schedule;
  }
  ScheduleOptions stream = options;
  stream.microbatches *= static_cast<int>(scenario.simulation.iterations);
  return generate(spec.kind, stream);

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
