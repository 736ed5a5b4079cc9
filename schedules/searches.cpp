#include "schedules/searches.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "schedules/list_scheduler.h"
#include "schedules/zero_bubble_search.h"

namespace makespan {

namespace {

FoundSchedule find_zero_bubble(const SearchOptions& options, const PassCosts& costs) {
  FoundSchedule found;
  found.schedule = zero_bubble_search(options.ranks, options.microbatches, costs);
  found.origin = found.schedule.kind;
  const std::optional<ScheduleTimes> times = ScheduleTimer(found.schedule, costs).time(found.schedule);
  MAKESPAN_CHECK(times, "the search lists what cannot run");
  found.time = times->max_span;
  return found;
}

FoundSchedule find_list(const SearchOptions& options, const PassCosts& costs) {
  ListSchedule list = list_schedule({.ranks = options.ranks,
                                     .microbatches = options.microbatches,
                                     .chunks = options.chunks,
                                     .placement = *options.placement,
                                     .split = options.split,
                                     .objective = options.objective},
                                    costs);
  return {.schedule = std::move(list.schedule),
          .origin = std::move(list.origin),
          .time = list.times.by(options.objective),
          .bound = list.bound,
          .best_fixed = std::move(list.best_fixed),
          .fixed_time = list.fixed_times.by(options.objective)};
}

constexpr std::array<ScheduleSearch, 2> kSearches = {{
    {.kind = {.name = "zb-auto",
              .summary =
                  "searched from the costs of passes: split backwards, greedy in time within the memory",
              .source = "Qi et al. 2024, arXiv 2401.10241, section 3.1",
              .splits = true},
     .find = find_zero_bubble},
    {.kind = {.name = "list",
              .summary =
                  "searched from the costs of passes: the shortest of the fixed schedules that fit the "
                  "memory, priority rules and local moves",
              .source = "list scheduling; docs/reference/schedules.md",
              .most_chunks = kMaxSteps},
     .has_placement = true,
     .find = find_list},
}};

}  // namespace

std::span<const ScheduleSearch> schedule_searches() {
  return kSearches;
}

const ScheduleSearch* find_search(std::string_view name) {
  const auto* found = std::find_if(kSearches.begin(), kSearches.end(),
                                   [&](const ScheduleSearch& search) { return search.kind.name == name; });
  return found == kSearches.end() ? nullptr : found;
}

const ScheduleKind& named_schedule(std::string_view name) {
  if (const ScheduleSearch* search = find_search(name)) {
    return search->kind;
  }
  std::vector<std::string_view> names;
  for (const ScheduleKind& kind : schedule_kinds()) {
    if (kind.name == name) {
      return kind;
    }
    names.push_back(kind.name);
  }
  for (const ScheduleSearch& search : kSearches) {
    names.push_back(search.kind.name);
  }
  refuse_option("schedule", "unknown kind '" + std::string(name) + "'", suggestion(name, names));
}

SearchOptions complete_options(const ScheduleSearch& search, SearchOptions options) {
  const std::string name(search.kind.name);
  if (options.placement && !search.has_placement) {
    refuse_option("placement", "is not an option of " + name, "'list' takes it");
  }
  if (search.has_placement) {
    options.placement = options.placement.value_or(Placement::loop);
  }
  const bool is_v = options.placement == Placement::snake;
  options.chunks = options.chunks == 0 ? (is_v ? 2 : search.kind.least_chunks) : options.chunks;
  if (options.chunks > search.kind.most_chunks) {
    refuse_option("chunks",
                  std::to_string(options.chunks) + " is not accepted: " + name + " has 1 chunk per rank",
                  "'list' takes more");
  }
  if (is_v && options.chunks != 2) {
    refuse_option("chunks", std::to_string(options.chunks) + " is not accepted: a V has 2 chunks per rank");
  }
  return options;
}

FoundSchedule search_schedule(const ScheduleSearch& search, const SearchOptions& options,
                              const PassCosts& costs) {
  return search.find(complete_options(search, options), costs);
}

std::string verdict(const FoundSchedule& found,
                    const std::function<std::string(std::int64_t ticks)>& in_words) {
  const std::string least = found.time == found.bound
                                ? "no schedule can be shorter: the busiest rank works all the time"
                                : "no schedule is shorter than " + in_words(found.bound);
  if (!found.best_fixed) {
    return "no fixed schedule fits the memory; this one is from " + found.origin + "; " + least;
  }
  if (found.time < found.fixed_time) {
    return "beats every fixed schedule that fits the memory: the best, " + *found.best_fixed + ", takes " +
           in_words(found.fixed_time) + "; this one is from " + found.origin + "; " + least;
  }
  const std::string why =
      found.time == found.bound ? least : "no rule and no local move found a shorter one; " + least;
  return "is " + *found.best_fixed + ", the best fixed schedule that fits the memory: " + why;
}

}  // namespace makespan
