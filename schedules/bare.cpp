#include "schedules/bare.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "core/int128.h"
#include "core/simulator.h"
#include "schedules/validate.h"

namespace makespan {

namespace {

constexpr int kTicksPerUnit = 5040;  ///< divisible by 1 to 10, so that common chunk counts need no more
constexpr std::int64_t kMaxTicks = std::numeric_limits<std::int64_t>::max();

/// What a rank computes at once: by ActionKind, and behind those an overlapped pair.
constexpr std::size_t kPair = 4;

/// Costs of one chunk, by the name of their option.
struct ChunkCosts {
  std::array<std::pair<const char*, Rational>, kPair + 1> compute;
  std::pair<const char*, Rational> latency;
};

/// `parts`: into which a rank's share of a micro-batch is divided.
ChunkCosts chunk_costs(const BareCosts& costs, int parts) {
  return {{{{"forward", costs.forward / parts},
            {"backward", costs.backward / parts},
            {"backward-input", costs.backward_input / parts},
            {"backward-weight", costs.backward_weight / parts},
            {"forward-backward", costs.forward_backward.value_or(costs.forward + costs.backward) / parts}}},
          {costs.message_bytes > 0 ? "latency" : "communication", costs.latency}};
}

/// The least number of ticks in which every cost is whole.
BigInteger choose_ticks(const ChunkCosts& costs, bool in_seconds) {
  BigInteger ticks = in_seconds ? BigInteger(kPicosecondsPerSecond) : BigInteger(kTicksPerUnit);
  for (const auto& cost : costs.compute) {
    ticks = lcm(ticks, denominator(cost.second));
  }
  return lcm(ticks, denominator(costs.latency.second));
}

Time in_ticks(const std::pair<const char*, Rational>& cost, const BigInteger& ticks_per_unit) {
  const Rational ticks = cost.second * ticks_per_unit;
  MAKESPAN_CHECK(denominator(ticks) == 1, "the tick does not divide a cost");
  if (ticks < 0 || ticks > kMaxTicks) {
    throw InputError(SourceLocation{}, cost.first,
                     to_string(cost.second) + " per chunk is outside the range of simulated time",
                     "at most " + to_string(Rational(kMaxTicks / ticks_per_unit)) +
                         " with the denominators of these costs");
  }
  return Time(numerator(ticks).convert_to<std::int64_t>());
}

/// Bytes per second as 1/1000 byte per 10^12 ticks, to the nearest.
Rate in_tick_rate(const Rational& bandwidth, const BigInteger& ticks_per_unit) {
  const Rational exact = bandwidth * 1000 * kPicosecondsPerSecond / ticks_per_unit;
  const BigInteger nearest = (2 * numerator(exact) + denominator(exact)) / (2 * denominator(exact));
  if (nearest < 1 || nearest > std::numeric_limits<std::int64_t>::max()) {
    throw InputError(
        SourceLocation{}, "bandwidth",
        to_string(bandwidth) + " bytes per second is outside the accepted range 1/1000 to 9.2e15");
  }
  return Rate(nearest.convert_to<std::int64_t>());
}

constexpr std::array<std::pair<const char*, Phase>, kPair + 1> kOperations = {{
    {"forward", Phase::forward},
    {"backward", Phase::backward},
    {"backward of the input", Phase::backward_input},
    {"backward of the weights", Phase::backward_weight},
    {"forward and backward", Phase::forward},
}};

class Lowering {
 public:
  Lowering(const Schedule& schedule, const BareCosts& costs)
      : schedule_(schedule),
        costs_(costs),
        builder_(static_cast<std::size_t>(schedule.ranks)),
        tasks_(schedule.actions.size()) {
    const ChunkCosts chunk = chunk_costs(costs, schedule.chunks * schedule.pieces);
    ticks_per_unit_ = choose_ticks(chunk, costs.in_seconds);
    for (std::size_t kind = 0; kind < durations_.size(); ++kind) {
      durations_[kind] = in_ticks(chunk.compute[kind], ticks_per_unit_);
      operations_[kind] = builder_.name(kOperations[kind].first);
    }
    work_ = {Bytes(costs.message_bytes), in_ticks(chunk.latency, ticks_per_unit_)};
    number_chunks();
  }

  [[nodiscard]] BareModel run(Communication communication) && {
    add_computes();
    add_messages(plan_messages(schedule_, communication));
    return {std::move(builder_).build(), std::move(tasks_), std::move(ticks_per_unit_)};
  }

 private:
  /// The chunk of a stage: how many lower stages its rank has.
  void number_chunks() {
    std::vector<std::int32_t> owned(schedule_.actions.size(), 0);
    for (const int rank : schedule_.rank_of_stage) {
      chunk_of_stage_.push_back(owned[static_cast<std::size_t>(rank)]++);
    }
  }

  [[nodiscard]] Label label(NameId name, Phase phase, Group group, int stage, int microbatch) const {
    return {name, phase, group, stage, chunk_of_stage_[static_cast<std::size_t>(stage)], microbatch};
  }

  void add_computes() {
    for (std::size_t rank = 0; rank < tasks_.size(); ++rank) {
      std::optional<TaskId> previous;
      bool is_paired = false;  // with the action before
      for (const Action& action : schedule_.actions[rank]) {
        if (!is_compute(action.kind)) {
          tasks_[rank].emplace_back();  // keeps the positions; nothing refers to it
          continue;
        }
        if (is_paired) {
          is_paired = false;
          tasks_[rank].push_back(*previous);
          continue;
        }
        is_paired = action.overlaps_next;
        const std::size_t kind = is_paired ? kPair : static_cast<std::size_t>(action.kind);
        const TaskId task = builder_.compute(
            DeviceId(rank), ComputeWork{Time(0), durations_[kind], Time(0)},
            label(operations_[kind], kOperations[kind].second, Group::none, action.stage, action.microbatch));
        if (previous) {
          builder_.edge(*previous, task);
        }
        previous = task;
        tasks_[rank].push_back(task);
      }
    }
  }

  [[nodiscard]] TaskId task(const ActionRef& action) const {
    return tasks_[static_cast<std::size_t>(action.rank)][static_cast<std::size_t>(action.position)];
  }

  RouteId route(int from, int to) {
    const auto found = routes_.find({from, to});
    if (found != routes_.end()) {
      return found->second;
    }
    Route route;
    route.members = {DeviceId(static_cast<std::size_t>(from)), DeviceId(static_cast<std::size_t>(to))};
    if (costs_.message_bytes > 0) {
      route.uses = {{builder_.resource("rank " + std::to_string(from) + " -> rank " + std::to_string(to),
                                       "link", in_tick_rate(costs_.bandwidth, ticks_per_unit_))}};
    }
    return routes_.emplace(std::pair(from, to), builder_.route(std::move(route))).first->second;
  }

  void add_messages(const std::vector<Message>& messages) {
    const NameId activation = builder_.name("send of the activation");
    const NameId gradient = builder_.name("send of the gradient");
    std::vector<TaskId> transfers;
    transfers.reserve(messages.size());
    for (const Message& message : messages) {
      const Label what =
          label(message.forward ? activation : gradient, message.forward ? Phase::forward : Phase::backward,
                Group::pp, message.from_stage, message.microbatch);
      transfers.push_back(
          builder_.transfer(route(message.producer.rank, message.consumer.rank), work_, what));
    }
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Message& message = messages[i];
      builder_.edge(task(message.producer), transfers[i]);
      builder_.edge(transfers[i], task(message.consumer));
      for (const ActionRef& action : message.after) {
        builder_.edge(task(action), transfers[i]);
      }
      for (const ActionRef& action : message.before) {
        builder_.edge(transfers[i], task(action));
      }
      for (const int earlier : message.after_messages) {
        builder_.edge(transfers[static_cast<std::size_t>(earlier)], transfers[i]);
      }
    }
  }

  const Schedule& schedule_;
  const BareCosts& costs_;
  TaskGraphBuilder builder_;
  BigInteger ticks_per_unit_;
  std::array<Time, kPair + 1> durations_;     ///< by ActionKind, or kPair
  std::array<NameId, kPair + 1> operations_;  ///< likewise
  TransferWork work_;
  std::vector<std::int32_t> chunk_of_stage_;
  std::vector<std::vector<TaskId>> tasks_;  ///< by rank and position
  std::map<std::pair<int, int>, RouteId> routes_;
};

/// What one rank did, in ticks.
struct RankTimes {
  bool ran = false;
  Time begin;
  Time end;
  Time busy;
};

std::vector<RankTimes> rank_times(const TaskGraph& graph, const Timeline& timeline) {
  std::vector<RankTimes> ranks(graph.devices);
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    if (graph.tasks[i].kind != TaskKind::compute) {
      continue;
    }
    RankTimes& rank = ranks[graph.tasks[i].place];
    rank.begin = rank.ran ? std::min(rank.begin, timeline.begin[i]) : timeline.begin[i];
    rank.end = std::max(rank.end, timeline.end[i]);
    rank.busy += timeline.end[i] - timeline.begin[i];
    rank.ran = true;
  }
  return ranks;
}

/// part / whole from exact integers; 0 when the whole is 0.
double ratio(Uint128 part, Uint128 whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

Uint128 wide(Time time) {
  return static_cast<std::uint64_t>(time.count());
}

}  // namespace

BareModel lower_bare(const Schedule& schedule, const BareCosts& costs, Communication communication) {
  require_valid(schedule, communication);
  return Lowering(schedule, costs).run(communication);
}

std::vector<int> peak_activations(const Schedule& schedule) {
  std::vector<int> peaks;
  for (const std::vector<Action>& actions : schedule.actions) {
    int held = 0;
    int peak = 0;
    for (const Action& action : actions) {
      if (action.kind == ActionKind::forward) {
        peak = std::max(peak, ++held);
      } else if (action.kind == ActionKind::backward || action.kind == ActionKind::backward_weight) {
        --held;
      }
    }
    peaks.push_back(peak);
  }
  return peaks;
}

namespace {

/// With what ranks hold for each other, at the times of the run: what ends frees before what starts takes,
/// and a move counts at the end of the compute that it is behind.
std::vector<int> peak_activations(const Schedule& schedule, const BareModel& model,
                                  const Timeline& timeline) {
  std::vector<std::vector<std::tuple<Time, bool, int>>> changes(schedule.actions.size());
  const auto change = [&](int rank, Time at, int count) {
    changes[static_cast<std::size_t>(rank)].emplace_back(at, count > 0, count);
  };
  const auto task = [&](int rank, int position) {
    return model.tasks[static_cast<std::size_t>(rank)][static_cast<std::size_t>(position)].index();
  };
  for (int rank = 0; rank < schedule.ranks; ++rank) {
    const std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
    for (std::size_t i = 0; i < actions.size(); ++i) {
      if (actions[i].kind == ActionKind::forward) {
        change(rank, timeline.begin[task(rank, static_cast<int>(i))], 1);
      } else if (actions[i].kind == ActionKind::backward || actions[i].kind == ActionKind::backward_weight) {
        change(rank, timeline.end[task(rank, static_cast<int>(i))], -1);
      }
    }
  }
  for (const Eviction& eviction : schedule.evictions) {
    const Time out = timeline.end[task(eviction.rank, eviction.out_after)];
    const Time back = timeline.end[task(eviction.rank, eviction.back_after)];
    change(eviction.rank, out, -1);
    change(eviction.to, out, 1);
    change(eviction.to, back, -1);
    change(eviction.rank, back, 1);
  }
  std::vector<int> peaks;
  for (auto& of_rank : changes) {
    std::sort(of_rank.begin(), of_rank.end());
    int held = 0;
    int peak = 0;
    for (const auto& [at, takes, count] : of_rank) {
      peak = std::max(peak, held += count);
    }
    peaks.push_back(peak);
  }
  return peaks;
}

}  // namespace

BareResult summarize_bare(const Schedule& schedule, const BareModel& model, const Timeline& timeline) {
  Time span;
  Time work;
  Uint128 busy = 0;
  Time first = timeline.makespan;
  Time last;
  for (const RankTimes& rank : rank_times(model.graph, timeline)) {
    span = std::max(span, rank.end - rank.begin);
    work = std::max(work, rank.busy);
    busy += wide(rank.busy);
    if (rank.ran) {
      first = std::min(first, rank.begin);
      last = std::max(last, rank.end);
    }
  }
  const auto in_units = [&](Time ticks) { return Rational(ticks.count()) / Rational(model.ticks_per_unit); };
  const Time makespan = last - first;
  const Uint128 available = wide(makespan) * static_cast<std::uint64_t>(schedule.ranks);
  BareResult result;
  result.makespan = in_units(makespan);
  result.max_span = in_units(span);
  result.work = in_units(work);
  result.bubble_ratio = ratio(available - busy, available);
  result.span_bubble_ratio = ratio(wide(span - work), wide(span));
  result.peak_activations =
      schedule.evictions.empty() ? peak_activations(schedule) : peak_activations(schedule, model, timeline);
  for (const std::vector<Action>& actions : schedule.actions) {
    result.actions.push_back(cells(actions));
  }
  return result;
}

BareRun run_bare(const Schedule& schedule, const BareCosts& costs, Communication communication,
                 const SimulationOptions& options) {
  BareModel model = lower_bare(schedule, costs, communication);
  Timeline timeline = simulate(model.graph, options);
  BareResult result = summarize_bare(schedule, model, timeline);
  return {std::move(model), std::move(timeline), std::move(result)};
}

}  // namespace makespan
