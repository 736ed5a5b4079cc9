#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schedules/pass_costs.h"
#include "schedules/placement.h"
#include "schedules/schedule.h"

namespace makespan {

/// Which pass a rank runs when a forward and a backward are both ready.
enum class PassOrder : std::uint8_t { backward_first, forward_first, alternate };

/// Which stage of a rank runs when several are ready.
enum class ChunkOrder : std::uint8_t {
  nearest_end,   ///< the one with the fewest passes of its direction left
  farthest_end,  ///< the one with the most
  grouped,  ///< in groups of as many micro-batches as ranks, in each as farthest_end: as interleaving does
};

/// How many passes or micro-batches rank r may have under way before it takes another micro-batch in its
/// first stage: p ranks of v stages.
enum class WarmUp : std::uint8_t {
  memory,        ///< what the memory limit allows
  single,        ///< (v - 1) p + p - r passes, as in 1F1B
  twofold,       ///< (v - 1) p + 2 (p - r) - 1 passes, as in eager 1F1B and interleaving
  five_fourths,  ///< 5/4 of the micro-batches for which there is memory in all stages
  six_fourths,
  seven_fourths,
};

/// When a rank computes gradients of weights, other than where memory or the end needs it.
enum class WeightRule : std::uint8_t {
  fill,     ///< when nothing else is ready
  fit,      ///< then, if it ends before the next input that is known to come
  at_once,  ///< right after the gradient of the input
};

struct ListRule {
  PassOrder passes = PassOrder::backward_first;
  ChunkOrder chunks = ChunkOrder::nearest_end;
  WarmUp warm_up = WarmUp::memory;
  WeightRule weights = WeightRule::fit;
  bool patient = false;  ///< do not begin a forward that ends after the next gradient that is known to come
};

/// "backward-first, fit weights, single warm-up, patient".
[[nodiscard]] std::string to_string(const ListRule& rule);

/// The rules for that many stages per rank in that placement, with or without split backward passes. Those
/// that give the same lists, or did not give the shortest ones in experiments with random costs, are left
/// out.
[[nodiscard]] std::vector<ListRule> list_rules(int chunks, Placement placement, bool split);

/// The lists that `rule` gives, in the order of time: whenever a rank is free it runs what the rule says, or
/// waits. The micro-batches of a stage run in order. A forward runs only where memory can still hold, one
/// after the other, what all micro-batches under way need to end, so that ranks never wait for memory for
/// ever. `shape` is a schedule of one replica; its lists do not count. Takes time O(n (log n + v + a)) for n
/// actions of v stages per rank with at most a micro-batches under way. Requires that require_pass_costs
/// accepts the costs.
[[nodiscard]] Schedule run_list_rule(const Schedule& shape, const PassCosts& costs, bool split,
                                     const ListRule& rule);

/// A number per action, of which smaller ones go first.
struct ListPriorities {
  /// By [F, backward (B or I), W] and stage x micro-batches + micro-batch.
  std::vector<std::int64_t> forward;
  std::vector<std::int64_t> backward;
  std::vector<std::int64_t> weight;
};

/// Likewise, but by priorities: of what is ready the first, or when `patient` nothing as long as something
/// that goes before it is known to come before it would end.
[[nodiscard]] Schedule run_list_priorities(const Schedule& shape, const PassCosts& costs, bool split,
                                           const ListPriorities& priorities, bool patient);

}  // namespace makespan
