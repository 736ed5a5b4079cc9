#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "schedules/schedule.h"

namespace makespan {

/// What one rank's passes cost: of one micro-batch through one of its stages. Times are in any whole ticks,
/// memory in any whole units, so that searches are exact.
struct RankCosts {
  std::int64_t forward = 1;          ///< T_F
  std::int64_t backward = 2;         ///< T_B, both halves at once
  std::int64_t backward_input = 1;   ///< T_I
  std::int64_t backward_weight = 1;  ///< T_W
  /// Of an F and a B that overlap; default: one after the other.
  std::optional<std::int64_t> forward_backward = std::nullopt;
  std::int64_t activation = 1;         ///< M_B, what F keeps; B frees it
  std::int64_t weight_activation = 1;  ///< M_W, what I leaves of it until W: at most M_B
  std::int64_t memory_limit = std::numeric_limits<std::int64_t>::max();
};

/// What a search for a schedule knows.
struct PassCosts {
  std::vector<RankCosts> ranks = {RankCosts{}};  ///< one per rank, or one for all
  std::int64_t hop = 0;  ///< T_comm: latency between neighbouring stages on two ranks; occupies neither

  [[nodiscard]] const RankCosts& of(int rank) const {
    return ranks[ranks.size() == 1 ? 0 : static_cast<std::size_t>(rank)];
  }
};

/// Throws InputError, naming the option, unless ranks, chunks and micro-batches are positive and their
/// product is at most kMaxSteps, there is one set of costs or one per rank, nothing is negative, M_W <= M_B,
/// and the times and the memory of all passes together stay in the range of 64 bits; and InfeasibleError when
/// a rank's limit does not hold one micro-batch in each of its stages.
void require_pass_costs(const PassCosts& costs, int ranks, int chunks, int microbatches);

/// How a search compares schedules.
enum class Objective : std::uint8_t {
  makespan,     ///< from the first start to the last end: an optimizer step that waits for all ranks
  largest_span  ///< the longest time of a rank from its own first start to its own last end: one that does
                ///< not
};

/// What a schedule comes to, with independent messages.
struct ScheduleTimes {
  std::int64_t makespan = 0;
  std::int64_t max_span = 0;
  std::int64_t total_span = 0;  ///< sum of all ranks' spans
  std::int64_t total_end = 0;   ///< sum of all ranks' last ends

  [[nodiscard]] std::int64_t by(Objective objective) const {
    return objective == Objective::makespan ? makespan : max_span;
  }
};

/// What an action of that kind adds to the memory of its rank: F M_B, I M_W - M_B, W -M_W, B -M_B.
[[nodiscard]] std::int64_t memory_change(const RankCosts& costs, ActionKind kind);

/// What a compute of that kind takes on a rank.
[[nodiscard]] std::int64_t duration(const RankCosts& costs, ActionKind kind);

/// What `action` takes, or both of the overlapped pair that it begins.
[[nodiscard]] std::int64_t step_length(const RankCosts& costs, const Action& action);

/// Per rank, the most memory held at once in program order.
[[nodiscard]] std::vector<std::int64_t> peak_memory(const Schedule& schedule, const PassCosts& costs);

/// Whether every rank stays within its limit.
[[nodiscard]] bool fits_memory(const Schedule& schedule, const PassCosts& costs);

/// Times the lists of one shape of pipeline again and again, in time linear in their lengths: everything
/// starts as soon as its rank and its input allow.
class ScheduleTimer {
 public:
  /// The shape is that of `schedule`: ranks, stages, their places, micro-batches. Requires that
  /// require_pass_costs accepts the costs.
  ScheduleTimer(const Schedule& schedule, const PassCosts& costs);

  /// Nothing when ranks wait for each other, or for something later in their own list, for ever. Requires a
  /// schedule of the shape of computes alone, whose stages and micro-batches exist and whose pairs are pairs
  /// (find_problems).
  [[nodiscard]] std::optional<ScheduleTimes> time(const Schedule& schedule);

  /// Of the last schedule timed, by rank and position. Both actions of an overlapped pair have the same.
  [[nodiscard]] const std::vector<std::vector<std::int64_t>>& begins() const { return begins_; }

  [[nodiscard]] const std::vector<std::vector<std::int64_t>>& ends() const { return ends_; }

  /// Of `schedule`, which must be the last one timed, by rank and position: from the begin of an action to
  /// the latest end of a rank that it leads to, less that rank's first begin where spans count. An action is
  /// critical when begin + tail is the objective.
  [[nodiscard]] const std::vector<std::vector<std::int64_t>>& tails(const Schedule& schedule,
                                                                    Objective objective);

  /// Of the last schedule timed, when what `action` needs from a neighbouring stage is on its rank; 0 when it
  /// needs nothing.
  [[nodiscard]] std::int64_t arrival(std::size_t rank, const Action& action) const;

  /// Of the schedule of the last tails, from the end of `action` on: the tail through what needs its output.
  /// The least number when nothing does.
  [[nodiscard]] std::int64_t output_tail(std::size_t rank, const Action& action) const;

 private:
  [[nodiscard]] std::size_t key(bool forward, int stage, int microbatch) const;
  [[nodiscard]] std::optional<std::size_t> input_of(const Action& action) const;
  void advance(std::size_t rank, const std::vector<Action>& actions);
  void finish(const Action& action, std::int64_t end);
  [[nodiscard]] ScheduleTimes summary() const;

  int stages_;
  int model_stages_;
  std::size_t microbatches_;
  std::int64_t hop_;
  std::vector<RankCosts> costs_;        ///< by rank
  std::vector<std::size_t> rank_of_;    ///< by stage
  std::vector<std::int64_t> pass_end_;  ///< by key
  std::vector<std::size_t> next_;       ///< by rank, a position
  std::vector<std::size_t> waits_for_;  ///< by rank, the key of the pass that its next step lacks
  std::vector<std::size_t> awake_;
  std::vector<std::vector<std::int64_t>> begins_;
  std::vector<std::vector<std::int64_t>> ends_;
  std::vector<std::vector<std::int64_t>> tails_;
  /// Rank and position of every action, or of the first of a pair, each behind what it waits for.
  std::vector<std::pair<std::size_t, std::size_t>> order_;
  std::vector<std::int64_t> pass_tail_;  ///< by key
};

}  // namespace makespan
