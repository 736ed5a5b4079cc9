#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "schedules/catalogue.h"
#include "schedules/pass_costs.h"
#include "schedules/placement.h"
#include "schedules/schedule.h"

namespace makespan {

/// What a schedule is searched for.
struct SearchOptions {
  int ranks = 1;                            ///< p
  int microbatches = 1;                     ///< m
  int chunks = 0;                           ///< v; 0: the fewest that the placement has
  std::optional<Placement> placement = {};  ///< default: loop
  bool split = true;                        ///< whether backward passes may be split into I and W
  Objective objective = Objective::makespan;
};

/// A schedule, and how it stands. Times are in the ticks of the costs.
struct FoundSchedule {
  Schedule schedule;
  /// Where it comes from: "zb-auto", a fixed schedule, a rule; ", shortened" when local moves followed.
  std::string origin;
  std::int64_t time = 0;   ///< by the objective of the search
  std::int64_t bound = 0;  ///< no schedule of that placement takes less: a rank's work, and what comes before
  std::optional<std::string> best_fixed;  ///< the shortest of the fixed schedules that fit the memory
  std::int64_t fixed_time = 0;            ///< of that one
};

/// One way to search for a schedule from the costs of its passes.
struct ScheduleSearch {
  ScheduleKind kind;           ///< without a generator
  bool has_placement = false;  ///< takes SearchOptions::placement: loop, or snake with two chunks (a V)
  FoundSchedule (*find)(const SearchOptions& options, const PassCosts& costs) = nullptr;
};

/// "zb-auto" (schedules/zero_bubble_search.h, by the largest span whatever the objective) and "list"
/// (schedules/list_scheduler.h).
[[nodiscard]] std::span<const ScheduleSearch> schedule_searches();

/// Or nullptr.
[[nodiscard]] const ScheduleSearch* find_search(std::string_view name);

/// The kind of the catalogue or of a search; throws InputError for an unknown name, with the nearest one.
[[nodiscard]] const ScheduleKind& named_schedule(std::string_view name);

/// The options with what is not given filled in. Throws InputError for one that the search does not accept,
/// naming it.
[[nodiscard]] SearchOptions complete_options(const ScheduleSearch& search, SearchOptions options);

/// Searches with completed options. Throws as complete_options and require_pass_costs do.
[[nodiscard]] FoundSchedule search_schedule(const ScheduleSearch& search, const SearchOptions& options,
                                            const PassCosts& costs);

/// How a schedule stands beside the fixed ones, in one sentence; `in_words` writes a time.
[[nodiscard]] std::string verdict(const FoundSchedule& found,
                                  const std::function<std::string(std::int64_t ticks)>& in_words);

}  // namespace makespan
