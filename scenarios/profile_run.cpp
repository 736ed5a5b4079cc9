#include "scenarios/profile_run.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/simulator.h"
#include "scenarios/lower.h"
#include "schedules/searches.h"

namespace makespan {

namespace {

/// F, B, I, W.
constexpr std::size_t kPasses = 4;

/// What one pass of a stage does.
struct PassProfile {
  std::optional<Time> begin;
  Time end;
  Bytes memory;  ///< held behind it, less what was held before

  [[nodiscard]] Time length() const { return begin ? end - *begin : Time(); }
};

using StageProfile = std::array<PassProfile, kPasses>;

/// What the run tells.
struct Profiled {
  std::vector<StageProfile> stages;
  Time hop;  ///< of the slowest message
};

/// The first micro-batch through all stages and back, its W's behind; then the second.
Schedule profile_schedule(int ranks, int chunks, Placement placement, bool split) {
  Schedule schedule =
      empty_schedule("profile", {.ranks = ranks, .microbatches = split ? 2 : 1, .chunks = chunks}, placement);
  const auto add = [&](ActionKind kind, int stage, int microbatch) {
    schedule.actions[static_cast<std::size_t>(schedule.rank_of(stage))].push_back({kind, stage, microbatch});
  };
  for (int microbatch = 0; microbatch < schedule.microbatches; ++microbatch) {
    const bool halves = split && microbatch == 0;
    for (int stage = 0; stage < schedule.stages(); ++stage) {
      add(ActionKind::forward, stage, microbatch);
    }
    for (int stage = schedule.stages(); stage-- > 0;) {
      add(halves ? ActionKind::backward_input : ActionKind::backward, stage, microbatch);
    }
    for (int stage = schedule.stages(); halves && stage-- > 0;) {
      add(ActionKind::backward_weight, stage, microbatch);
    }
  }
  return schedule;
}

/// One replica of the scenario, on the GPUs of the first.
Prepared profile_setup(const Prepared& prepared, Placement placement) {
  Prepared setup = prepared;
  Scenario& scenario = setup.scenario;
  const Layout layout(prepared.scenario);
  scenario.parallelism.placement.clear();
  for (int rank = 0; rank < layout.ranks(); ++rank) {
    if (layout.coordinates(rank).data == 0) {
      scenario.parallelism.placement.push_back(static_cast<std::int64_t>(layout.gpu(rank)));
    }
  }
  setup.schedule =
      profile_schedule(static_cast<int>(scenario.parallelism.pipeline),
                       static_cast<int>(scenario.schedule.chunks), placement, !is_unsplit(scenario));
  scenario.parallelism.data = 1;
  scenario.training.global_batch = scenario.training.micro_batch * setup.schedule.microbatches;
  scenario.simulation.iterations = 1;
  scenario.schedule.communication = Communication::independent;
  scenario.schedule.optimizer_sync = OptimizerSync::barrier;
  return setup;
}

/// The pass that a task of the first micro-batch, or of the second's backward pass, belongs to.
std::optional<std::size_t> pass_of(const Label& label, bool split) {
  const auto index = [](ActionKind kind) { return std::optional(static_cast<std::size_t>(kind)); };
  const bool is_whole = !split || label.microbatch == 1;
  switch (label.phase) {
    case Phase::forward:
      return label.microbatch == 0 ? index(ActionKind::forward) : std::nullopt;
    case Phase::recompute:
      return index(is_whole ? ActionKind::backward : ActionKind::backward_input);
    case Phase::backward:
      return index(ActionKind::backward);
    case Phase::backward_input:
      return index(ActionKind::backward_input);
    case Phase::backward_weight:
      return index(ActionKind::backward_weight);
    default:
      return std::nullopt;
  }
}

Profiled read_profile(const TaskGraph& graph, const Timeline& timeline, const Prepared& setup) {
  const Layout layout(setup.scenario);
  const bool split = setup.schedule.microbatches > 1;
  Profiled profiled;
  profiled.stages.resize(static_cast<std::size_t>(setup.schedule.stages()));
  const auto pass = [&](const Label& label) -> PassProfile* {
    const std::optional<std::size_t> kind = pass_of(label, split);
    return label.stage < 0 || !kind ? nullptr
                                    : &profiled.stages[static_cast<std::size_t>(label.stage)][*kind];
  };
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    const Label& label = graph.label(TaskId(i));
    if (label.group == Group::pp) {
      profiled.hop = std::max(profiled.hop, timeline.end[i] - timeline.begin[i]);
    } else if (PassProfile* of = pass(label)) {
      of->begin = std::min(of->begin.value_or(timeline.begin[i]), timeline.begin[i]);
      of->end = std::max(of->end, timeline.end[i]);
    }
  }
  for (const MemoryDelta& delta : graph.memory) {
    const Label& label = graph.label(delta.task);
    PassProfile* of = pass(label);
    if (of != nullptr && delta.kind == MemoryKind::activations && label.group == Group::none) {
      const int rank = layout.rank({.pipeline = setup.schedule.rank_of(label.stage)});
      of->memory += delta.device.index() == static_cast<std::size_t>(rank) ? delta.bytes : Bytes();
    }
  }
  return profiled;
}

const PassProfile& part(const StageProfile& stage, ActionKind kind) {
  return stage[static_cast<std::size_t>(kind)];
}

/// Of all stages of a rank.
RankCosts rank_costs(const Profiled& profiled, const Schedule& schedule, int rank) {
  std::array<std::int64_t, kPasses> times{};
  RankCosts costs{.activation = 0, .weight_activation = 0};
  for (int stage = 0; stage < schedule.stages(); ++stage) {
    if (schedule.rank_of(stage) == rank) {
      const StageProfile& profile = profiled.stages[static_cast<std::size_t>(stage)];
      for (std::size_t kind = 0; kind < kPasses; ++kind) {
        times[kind] += profile[kind].length().count();
      }
      const Bytes kept = part(profile, ActionKind::forward).memory;
      const Bytes left = kept + part(profile, ActionKind::backward_input).memory;
      costs.activation = std::max(costs.activation, kept.count());
      costs.weight_activation = std::max(costs.weight_activation, left.count());
    }
  }
  const auto mean = [&](ActionKind kind) {
    return (times[static_cast<std::size_t>(kind)] + schedule.chunks - 1) / schedule.chunks;
  };
  costs.forward = mean(ActionKind::forward);
  costs.backward = mean(ActionKind::backward);
  costs.backward_input = mean(ActionKind::backward_input);
  costs.backward_weight = mean(ActionKind::backward_weight);
  return costs;
}

/// What the GPU of a rank can hold of activations. `peak`: of the run with one micro-batch at a time.
Bytes memory_left(const Prepared& setup, const MemorySplit& statics, const MemoryPeak& peak, Bytes kept) {
  const auto of = [&](MemoryKind kind) { return peak.split[static_cast<std::size_t>(kind)]; };
  const Bytes passing = of(MemoryKind::buffers) + std::max(Bytes(), of(MemoryKind::activations) - kept);
  return std::max(Bytes(), setup.accelerator->memory - total(statics) - passing);
}

/// A count of micro-batches, whatever each keeps.
void limit_count(RankCosts& costs, int chunks, std::int64_t count) {
  if (costs.activation == 0 && costs.weight_activation == 0) {
    costs.activation = costs.weight_activation = 1;
  }
  costs.activation = std::max(costs.activation, costs.weight_activation);
  costs.memory_limit = (chunks * costs.activation * Bytes(count)).count();
}

std::string gib(std::int64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

/// `splits`: every micro-batch has its time between the halves of its backward pass.
void require_room(const RankCosts& costs, int rank, int chunks, bool splits) {
  const std::int64_t most = splits ? std::max(costs.activation, costs.weight_activation) : costs.activation;
  if (most > costs.memory_limit / chunks) {
    throw InfeasibleError(
        fmt::format("schedule.memory: pipeline rank {} has {} for activations, and one micro-batch takes {}",
                    rank, gib(costs.memory_limit), gib(most * chunks)));
  }
}

}  // namespace

bool is_unsplit(const Scenario& scenario) {
  return scenario.profile && !scenario.profile->backward.empty();
}

PassCosts profile_passes(const Prepared& prepared, Placement placement) {
  const Prepared setup = profile_setup(prepared, placement);
  const Lowered lowered = lower(setup, every_rank_alone(static_cast<int>(setup.scenario.ranks())));
  const Timeline timeline = simulate(lowered.graph);
  const Profiled profiled = read_profile(lowered.graph, timeline, setup);
  const std::vector<MemoryPeak> peaks = memory_peaks(lowered.graph, timeline, lowered.statics);
  const Layout layout(setup.scenario);
  const ScheduleSpec& spec = prepared.scenario.schedule;
  const ScheduleSearch* search = find_search(spec.kind);
  PassCosts costs;
  costs.ranks.clear();
  costs.hop = profiled.hop.count();
  for (int rank = 0; rank < setup.schedule.ranks; ++rank) {
    RankCosts own = rank_costs(profiled, setup.schedule, rank);
    const auto device = static_cast<std::size_t>(layout.rank({.pipeline = rank}));
    const std::int64_t share = own.activation * setup.schedule.chunks;
    if (spec.activations > 0) {
      limit_count(own, setup.schedule.chunks, spec.activations);
    } else if (spec.memory > Bytes()) {
      own.memory_limit = spec.memory.count();
    } else {
      own.memory_limit = memory_left(setup, lowered.statics[device], peaks[device], Bytes(share)).count();
    }
    require_room(own, rank, setup.schedule.chunks, search != nullptr && search->kind.splits);
    costs.ranks.push_back(own);
  }
  return costs;
}

}  // namespace makespan
