#include "schedules/pass_costs.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/int128.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

constexpr std::int64_t kUnknown = -1;
constexpr std::size_t kNothing = std::numeric_limits<std::size_t>::max();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

using NamedCost = std::pair<const char*, std::int64_t>;

void require_shape(int ranks, int chunks, int microbatches) {
  int most = kMaxSteps;
  for (const auto& [option, value] :
       {std::pair("ranks", ranks), std::pair("chunks", chunks), std::pair("microbatches", microbatches)}) {
    if (value < 1 || value > most) {
      refuse_option(option,
                    std::to_string(value) + " is outside the accepted range 1 to " + std::to_string(most));
    }
    most /= value;
  }
}

/// Times, then sizes.
std::array<NamedCost, 8> named(const RankCosts& costs) {
  return {{{"forward", costs.forward},
           {"backward", costs.backward},
           {"backward-input", costs.backward_input},
           {"backward-weight", costs.backward_weight},
           {"forward-backward", costs.forward_backward.value_or(0)},
           {"activation", costs.activation},
           {"weight-activation", costs.weight_activation},
           {"memory-limit", costs.memory_limit}}};
}

void require_not_negative(const NamedCost& cost) {
  if (cost.second < 0) {
    refuse_option(cost.first, std::to_string(cost.second) + " is negative");
  }
}

/// `count`: (stage, micro-batch) pairs on the rank. Returns the most time that all passes of the rank take.
Uint128 checked_time(const RankCosts& costs, std::int64_t hop, std::uint64_t count) {
  const std::array<NamedCost, 8> all = named(costs);
  std::for_each(all.begin(), all.end(), require_not_negative);
  if (costs.weight_activation > costs.activation) {
    refuse_option("weight-activation",
                  std::to_string(costs.weight_activation) + " is more than the activation, " +
                      std::to_string(costs.activation) + ", of which it is what I leaves");
  }
  if (Uint128(static_cast<std::uint64_t>(costs.activation)) * count > static_cast<std::uint64_t>(kMost)) {
    refuse_option("activation", std::to_string(costs.activation) + " for each of " + std::to_string(count) +
                                    " passes of a rank is outside the range of 64 bits");
  }
  Uint128 time = Uint128(static_cast<std::uint64_t>(hop)) * 2;
  for (std::size_t i = 0; i < 5; ++i) {
    time += static_cast<std::uint64_t>(all[i].second);
  }
  return time * count;
}

}  // namespace

void require_pass_costs(const PassCosts& costs, int ranks, int chunks, int microbatches) {
  require_shape(ranks, chunks, microbatches);
  if (costs.ranks.size() != 1 && costs.ranks.size() != static_cast<std::size_t>(ranks)) {
    refuse_option(
        "costs",
        "there are " + std::to_string(costs.ranks.size()) + " sets for " + std::to_string(ranks) + " ranks",
        "one per rank, or one for all");
  }
  require_not_negative({"communication", costs.hop});
  const std::uint64_t count = static_cast<std::uint64_t>(chunks) * static_cast<std::uint64_t>(microbatches);
  Uint128 time = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    time += checked_time(costs.of(rank), costs.hop, count);
    if (time > static_cast<std::uint64_t>(kMost)) {
      refuse_option("costs", "the times of all passes together are outside the range of 64 bits",
                    "coarser ticks");
    }
  }
  for (int rank = 0; rank < ranks; ++rank) {
    const RankCosts& own = costs.of(rank);
    if (own.activation > own.memory_limit / chunks) {
      throw InfeasibleError("rank " + std::to_string(rank) + ": the memory limit of " +
                            std::to_string(own.memory_limit) + " does not hold one micro-batch, " +
                            std::to_string(chunks) + " x " + std::to_string(own.activation));
    }
  }
}

std::int64_t memory_change(const RankCosts& costs, ActionKind kind) {
  switch (kind) {
    case ActionKind::forward:
      return costs.activation;
    case ActionKind::backward:
      return -costs.activation;
    case ActionKind::backward_input:
      return costs.weight_activation - costs.activation;
    case ActionKind::backward_weight:
      return -costs.weight_activation;
    default:
      return 0;
  }
}

std::int64_t duration(const RankCosts& costs, ActionKind kind) {
  switch (kind) {
    case ActionKind::forward:
      return costs.forward;
    case ActionKind::backward:
      return costs.backward;
    case ActionKind::backward_input:
      return costs.backward_input;
    case ActionKind::backward_weight:
      return costs.backward_weight;
    default:
      return 0;
  }
}

std::int64_t step_length(const RankCosts& costs, const Action& action) {
  return action.overlaps_next ? costs.forward_backward.value_or(costs.forward + costs.backward)
                              : duration(costs, action.kind);
}

std::vector<std::int64_t> peak_memory(const Schedule& schedule, const PassCosts& costs) {
  std::vector<std::int64_t> peaks;
  for (int rank = 0; rank < schedule.ranks; ++rank) {
    std::int64_t held = 0;
    std::int64_t peak = 0;
    for (const Action& action : schedule.actions[static_cast<std::size_t>(rank)]) {
      held += memory_change(costs.of(rank), action.kind);
      peak = std::max(peak, held);
    }
    peaks.push_back(peak);
  }
  return peaks;
}

bool fits_memory(const Schedule& schedule, const PassCosts& costs) {
  const std::vector<std::int64_t> peaks = peak_memory(schedule, costs);
  for (std::size_t rank = 0; rank < peaks.size(); ++rank) {
    if (peaks[rank] > costs.of(static_cast<int>(rank)).memory_limit) {
      return false;
    }
  }
  return true;
}

ScheduleTimer::ScheduleTimer(const Schedule& schedule, const PassCosts& costs)
    : stages_(schedule.stages()),
      model_stages_(schedule.model_stages()),
      microbatches_(static_cast<std::size_t>(schedule.stage_microbatches())),
      hop_(costs.hop),
      rank_of_(schedule.rank_of_stage.begin(), schedule.rank_of_stage.end()),
      begins_(static_cast<std::size_t>(schedule.ranks)),
      ends_(begins_.size()),
      tails_(begins_.size()) {
  for (int rank = 0; rank < schedule.ranks; ++rank) {
    costs_.push_back(costs.of(rank));
  }
}

std::size_t ScheduleTimer::key(bool forward, int stage, int microbatch) const {
  const std::size_t first = forward ? 0 : static_cast<std::size_t>(stages_);
  return (first + static_cast<std::size_t>(stage)) * microbatches_ + static_cast<std::size_t>(microbatch);
}

/// The key of the pass of a neighbouring stage that `action` needs, if there is one.
std::optional<std::size_t> ScheduleTimer::input_of(const Action& action) const {
  const bool forward = action.kind == ActionKind::forward;
  const int place = action.stage % model_stages_;
  if (!is_pass(action.kind) || place == (forward ? 0 : model_stages_ - 1)) {
    return std::nullopt;
  }
  return key(forward, action.stage + (forward ? -1 : 1), action.microbatch);
}

std::int64_t ScheduleTimer::arrival(std::size_t rank, const Action& action) const {
  const std::optional<std::size_t> input = input_of(action);
  if (!input) {
    return 0;
  }
  const std::size_t producer = *input / microbatches_ % static_cast<std::size_t>(stages_);
  return pass_end_[*input] + (rank_of_[producer] == rank ? 0 : hop_);
}

/// Notes the end of a pass, and wakes the rank that waits for it.
void ScheduleTimer::finish(const Action& action, std::int64_t end) {
  if (!is_pass(action.kind)) {
    return;
  }
  const bool forward = action.kind == ActionKind::forward;
  const std::size_t own = key(forward, action.stage, action.microbatch);
  pass_end_[own] = end;
  const int place = action.stage % model_stages_;
  if (place != (forward ? model_stages_ - 1 : 0)) {
    const int neighbour = action.stage + (forward ? 1 : -1);
    const std::size_t consumer = rank_of_[static_cast<std::size_t>(neighbour)];
    if (waits_for_[consumer] == own) {
      waits_for_[consumer] = kNothing;
      awake_.push_back(consumer);
    }
  }
}

/// Runs `rank` up to the first step whose input is not there, which is then what the rank waits for.
void ScheduleTimer::advance(std::size_t rank, const std::vector<Action>& actions) {
  std::vector<std::int64_t>& begins = begins_[rank];
  std::vector<std::int64_t>& ends = ends_[rank];
  std::size_t& next = next_[rank];
  while (next < actions.size()) {
    const std::size_t behind = next + (actions[next].overlaps_next ? 2 : 1);
    std::int64_t begin = next == 0 ? 0 : ends[next - 1];
    for (std::size_t i = next; i < behind; ++i) {
      const std::optional<std::size_t> input = input_of(actions[i]);
      if (input && pass_end_[*input] == kUnknown) {
        waits_for_[rank] = *input;
        return;
      }
      begin = std::max(begin, arrival(rank, actions[i]));
    }
    const std::int64_t end = begin + step_length(costs_[rank], actions[next]);
    order_.emplace_back(rank, next);
    for (; next < behind; ++next) {
      begins[next] = begin;
      ends[next] = end;
      finish(actions[next], end);
    }
  }
}

std::optional<ScheduleTimes> ScheduleTimer::time(const Schedule& schedule) {
  const std::size_t ranks = costs_.size();
  pass_end_.assign(2 * static_cast<std::size_t>(stages_) * microbatches_, kUnknown);
  next_.assign(ranks, 0);
  waits_for_.assign(ranks, kNothing);
  order_.clear();
  for (std::size_t rank = ranks; rank-- > 0;) {
    begins_[rank].resize(schedule.actions[rank].size());
    ends_[rank].resize(schedule.actions[rank].size());
    awake_.push_back(rank);
  }
  while (!awake_.empty()) {
    const std::size_t rank = awake_.back();
    awake_.pop_back();
    advance(rank, schedule.actions[rank]);
  }
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    if (next_[rank] < schedule.actions[rank].size()) {
      return std::nullopt;
    }
  }
  return summary();
}

ScheduleTimes ScheduleTimer::summary() const {
  ScheduleTimes times;
  std::int64_t first = kMost;
  std::int64_t last = 0;
  for (std::size_t rank = 0; rank < ends_.size(); ++rank) {
    if (ends_[rank].empty()) {
      continue;
    }
    const std::int64_t begin = begins_[rank].front();
    const std::int64_t end = ends_[rank].back();
    first = std::min(first, begin);
    last = std::max(last, end);
    times.max_span = std::max(times.max_span, end - begin);
    times.total_span += end - begin;
    times.total_end += end;
  }
  times.makespan = std::max<std::int64_t>(0, last - first);
  return times;
}

std::int64_t ScheduleTimer::output_tail(std::size_t rank, const Action& action) const {
  const bool forward = action.kind == ActionKind::forward;
  const int place = action.stage % model_stages_;
  if (!is_pass(action.kind) || place == (forward ? model_stages_ - 1 : 0)) {
    return std::numeric_limits<std::int64_t>::min();
  }
  const int consumer = action.stage + (forward ? 1 : -1);
  return pass_tail_[key(forward, consumer, action.microbatch)] +
         (rank_of_[static_cast<std::size_t>(consumer)] == rank ? 0 : hop_);
}

const std::vector<std::vector<std::int64_t>>& ScheduleTimer::tails(const Schedule& schedule,
                                                                   Objective objective) {
  pass_tail_.resize(pass_end_.size());
  for (std::size_t rank = 0; rank < tails_.size(); ++rank) {
    tails_[rank].resize(schedule.actions[rank].size());
  }
  for (std::size_t left = order_.size(); left > 0; --left) {
    const auto [rank, position] = order_[left - 1];
    const std::vector<Action>& actions = schedule.actions[rank];
    const std::size_t behind = position + (actions[position].overlaps_next ? 2 : 1);
    std::int64_t tail = 0;
    if (behind < actions.size()) {
      tail = tails_[rank][behind];
    } else if (objective == Objective::largest_span) {
      tail = -begins_[rank].front();
    }
    for (std::size_t i = position; i < behind; ++i) {
      tail = std::max(tail, output_tail(rank, actions[i]));
    }
    tail += step_length(costs_[rank], actions[position]);
    for (std::size_t i = position; i < behind; ++i) {
      tails_[rank][i] = tail;
      if (is_pass(actions[i].kind)) {
        pass_tail_[key(actions[i].kind == ActionKind::forward, actions[i].stage, actions[i].microbatch)] =
            tail;
      }
    }
  }
  return tails_;
}

}  // namespace makespan
