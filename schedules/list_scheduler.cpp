#include "schedules/list_scheduler.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/error.h"
#include "schedules/catalogue.h"
#include "schedules/list_rules.h"
#include "schedules/local_search.h"
#include "schedules/zero_bubble_search.h"

namespace makespan {

namespace {

constexpr std::int64_t kRuleBudget = std::int64_t{1} << 21;   ///< actions dispatched by rules
constexpr std::int64_t kLocalBudget = std::int64_t{1} << 22;  ///< actions timed in local moves
constexpr std::size_t kStarts = 6;                            ///< candidates that are shortened
constexpr int kMaxGroups = 8;

ScheduleOptions catalogue_options(const ListOptions& options) {
  return {.ranks = options.ranks, .microbatches = options.microbatches, .chunks = options.chunks};
}

/// The options with which a kind is tried, and what they add to its name.
std::vector<std::pair<ScheduleOptions, std::string>> variants(const ScheduleKind& kind,
                                                              const ListOptions& options) {
  std::vector<std::pair<ScheduleOptions, std::string>> result = {{catalogue_options(options), ""}};
  if (kind.has_lifo) {
    result.emplace_back(catalogue_options(options), ", lifo");
    result.back().first.lifo = true;
  }
  for (int group = options.ranks, left = kMaxGroups; kind.has_group && group <= options.microbatches;
       ++group) {
    if (options.microbatches % group == 0 && options.chunks > 1 && left-- > 0) {
      result.emplace_back(catalogue_options(options), ", group " + std::to_string(group));
      result.back().first.group = group;
    }
  }
  return result;
}

/// Nothing when the kind does not accept the options.
std::optional<Schedule> generate_if_accepted(const ScheduleKind& kind, const ScheduleOptions& options) {
  if (options.chunks < kind.least_chunks || options.chunks > kind.most_chunks) {
    return std::nullopt;
  }
  try {
    return generate(kind.name, options);
  } catch (
      const InputError&) {  // kinds refuse some numbers of ranks, micro-batches and chunks for themselves
    return std::nullopt;
  }
}

bool has_split_passes(const Schedule& schedule) {
  return std::any_of(schedule.actions.begin(), schedule.actions.end(), [](const std::vector<Action>& list) {
    return std::any_of(list.begin(), list.end(),
                       [](const Action& action) { return action.kind == ActionKind::backward_input; });
  });
}

/// Gives `take` the fixed schedules of `options` one after the other.
void visit_fixed(const ListOptions& options, const std::function<void(FixedSchedule)>& take) {
  const Schedule shape = empty_schedule("list", catalogue_options(options), options.placement);
  for (const ScheduleKind& kind : schedule_kinds()) {
    for (const auto& [variant, suffix] : variants(kind, options)) {
      std::optional<Schedule> schedule = generate_if_accepted(kind, variant);
      if (schedule && schedule->replicas == 1 && schedule->weight_versions.empty() &&
          schedule->evictions.empty() && schedule->rank_of_stage == shape.rank_of_stage &&
          (options.split || !has_split_passes(*schedule))) {
        take({std::string(kind.name) + suffix, std::move(*schedule)});
      }
    }
  }
}

struct Candidate {
  Schedule schedule;
  ScheduleTimes times;
  std::string origin;
};

class ListSearch {
 public:
  ListSearch(const ListOptions& options, const PassCosts& costs)
      : options_(options),
        costs_(costs),
        shape_(empty_schedule("list", catalogue_options(options), options.placement)),
        timer_(shape_, costs),
        bound_(lower_bound()) {}

  ListSchedule run() {
    visit_fixed(options_, [this](FixedSchedule fixed) { add_fixed(std::move(fixed)); });
    if (options_.split && options_.chunks == 1 && !is_done()) {
      consider(zero_bubble_search(options_.ranks, options_.microbatches, costs_), "zb-auto");
    }
    add_rules();
    shorten_starts();
    return result();
  }

 private:
  /// No rank has a shorter span than its work, and none begins before its first input can arrive.
  [[nodiscard]] std::int64_t lower_bound() const {
    std::int64_t bound = 0;
    std::int64_t first = 0;  // when the first stage of a rank can begin
    for (int rank = 0; rank < options_.ranks; ++rank) {
      const RankCosts& costs = costs_.of(rank);
      const std::int64_t backward =
          options_.split ? std::min(costs.backward, costs.backward_input + costs.backward_weight)
                         : costs.backward;
      const std::int64_t apart = costs.forward + backward;
      const std::int64_t work = std::int64_t{options_.microbatches} * options_.chunks *
                                std::min(apart, costs.forward_backward.value_or(apart));
      bound = std::max(bound, work + (options_.objective == Objective::makespan ? first : 0));
      first += costs.forward + costs_.hop;
    }
    return bound;
  }

  [[nodiscard]] bool is_done() const {
    return !starts_.empty() && starts_.front().times.by(options_.objective) == bound_;
  }

  void add_fixed(FixedSchedule fixed) {
    if (!fits_memory(fixed.schedule, costs_)) {
      return;
    }
    const std::optional<ScheduleTimes> times = timer_.time(fixed.schedule);
    MAKESPAN_CHECK(times, "a schedule of the catalogue does not run");
    if (!fixed_ || is_shorter(*times, fixed_->times, options_.objective)) {
      fixed_ = Candidate{fixed.schedule, *times, fixed.name};
    }
    keep({std::move(fixed.schedule), *times, std::move(fixed.name)});
  }

  void add_rules() {
    std::int64_t budget = kRuleBudget;
    for (const ListRule& rule : list_rules(options_.chunks, options_.placement, options_.split)) {
      if (budget <= 0 || is_done()) {
        return;
      }
      Schedule schedule = run_list_rule(shape_, costs_, options_.split, rule);
      for (const std::vector<Action>& list : schedule.actions) {
        budget -= static_cast<std::int64_t>(list.size());
      }
      consider(std::move(schedule), "rule: " + to_string(rule));
    }
  }

  void consider(Schedule schedule, std::string origin) {
    const std::optional<ScheduleTimes> times = timer_.time(schedule);
    MAKESPAN_CHECK(times && fits_memory(schedule, costs_), "a search broke its own limits");
    keep({std::move(schedule), *times, std::move(origin)});
  }

  /// Keeps the shortest few that differ, of those with equal times the first.
  void keep(Candidate candidate) {
    const auto is_before = [this](const Candidate& a, const Candidate& b) {
      return is_shorter(a.times, b.times, options_.objective);
    };
    const auto [first, last] = std::equal_range(starts_.begin(), starts_.end(), candidate, is_before);
    const bool is_known = std::any_of(first, last, [&](const Candidate& other) {
      return other.schedule.actions == candidate.schedule.actions;
    });
    if (!is_known) {
      starts_.insert(last, std::move(candidate));
    }
    if (starts_.size() > kStarts) {
      starts_.pop_back();
    }
  }

  void shorten_starts() {
    std::vector<Candidate> starts = starts_;
    const bool has_fixed = std::any_of(starts.begin(), starts.end(), [this](const Candidate& start) {
      return fixed_ && start.origin == fixed_->origin;
    });
    if (fixed_ && !has_fixed) {
      starts.push_back(*fixed_);
    }
    std::int64_t budget = kLocalBudget;
    auto left = static_cast<std::int64_t>(starts.size());
    for (Candidate& start : starts) {
      if (is_done()) {
        return;
      }
      std::int64_t share = budget / left--;
      budget -= share;
      const ScheduleTimes before = start.times;
      start.times = shorten(start.schedule, costs_, options_.objective, options_.split, share);
      budget += std::max<std::int64_t>(share, 0);
      if (is_shorter(start.times, before, options_.objective)) {
        start.origin += ", shortened";
        keep(std::move(start));
      }
    }
  }

  /// The shortest, but the best fixed schedule when that is as short.
  ListSchedule result() {
    ListSchedule result;
    result.bound = bound_;
    if (fixed_) {
      result.best_fixed = fixed_->origin;
      result.fixed_times = fixed_->times;
      result.is_fixed = fixed_->times.by(options_.objective) == starts_.front().times.by(options_.objective);
    }
    Candidate& best = result.is_fixed ? *fixed_ : starts_.front();
    result.times = best.times;
    result.origin = std::move(best.origin);
    result.schedule = std::move(best.schedule);
    if (!result.is_fixed) {
      result.schedule.kind = "list";
    }
    return result;
  }

  const ListOptions& options_;
  const PassCosts& costs_;
  Schedule shape_;
  ScheduleTimer timer_;
  std::int64_t bound_;              ///< of the objective
  std::optional<Candidate> fixed_;  ///< the shortest one
  std::vector<Candidate> starts_;   ///< shortest first
};

}  // namespace

std::vector<FixedSchedule> fixed_schedules(const ListOptions& options) {
  std::vector<FixedSchedule> result;
  visit_fixed(options, [&](FixedSchedule fixed) { result.push_back(std::move(fixed)); });
  return result;
}

ListSchedule list_schedule(const ListOptions& options, const PassCosts& costs) {
  require_pass_costs(costs, options.ranks, options.chunks, options.microbatches);
  if (options.placement == Placement::bidirectional) {
    refuse_option("placement", "a list schedule has one replica", "loop or snake");
  }
  return ListSearch(options, costs).run();
}

}  // namespace makespan
