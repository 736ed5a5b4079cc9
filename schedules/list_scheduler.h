#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schedules/pass_costs.h"
#include "schedules/placement.h"
#include "schedules/schedule.h"

namespace makespan {

struct ListOptions {
  int ranks = 1;
  int microbatches = 1;
  int chunks = 1;  ///< stages per rank
  Placement placement = Placement::loop;
  bool split = true;  ///< whether backward passes may be split into I and W
  Objective objective = Objective::makespan;
};

/// A schedule of the catalogue with the same placement.
struct FixedSchedule {
  std::string name;  ///< its kind, and options other than the default: "interleaved, group 8"
  Schedule schedule;
};

/// The fixed schedules that run the stages of `options` where they are, in the order of the catalogue: one
/// iteration of one replica with whole sequences, and without I and W unless `options.split`. Of micro-batch
/// groups, the default and up to eight that divide the micro-batches.
[[nodiscard]] std::vector<FixedSchedule> fixed_schedules(const ListOptions& options);

struct ListSchedule {
  Schedule schedule;  ///< kind "list", or that of the fixed schedule which it is
  ScheduleTimes times;
  /// Where it comes from: a fixed schedule, "zb-auto" or a rule, and ", shortened" when local moves followed.
  std::string origin;
  bool is_fixed = false;  ///< no search found a shorter one than the best fixed schedule, which this is
  /// The shortest of the fixed schedules that fit the memory, if one does.
  std::optional<std::string> best_fixed;
  ScheduleTimes fixed_times;  ///< of that one
  std::int64_t bound = 0;     ///< no schedule has a smaller objective
};

/// The shortest schedule that is found for any placement of one replica, within the memory limits. Candidates
/// are the fixed schedules that fit, the zero-bubble search (one stage per rank, split), and list scheduling
/// by a set of priority rules (list_rules); the six shortest, and the shortest fixed one, are then shortened
/// by local moves (schedules/local_search.h). It is never longer than a fixed schedule that fits.
///
/// Deterministic. Bounded: rules are tried until 2^21 actions have been dispatched, and local moves until
/// 2^22 actions have been timed, but at least one of each; then work grows with (stage, micro-batch) pairs
/// alone. Throws as require_pass_costs does, and InputError for a placement with two replicas.
[[nodiscard]] ListSchedule list_schedule(const ListOptions& options, const PassCosts& costs);

}  // namespace makespan
