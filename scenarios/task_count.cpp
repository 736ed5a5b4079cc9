#include "scenarios/task_count.h"

#include <algorithm>

#include "scenarios/schedule_source.h"
#include "schedules/searches.h"

namespace makespan {

namespace {

/// Of one micro-batch in all layers of one replica.
struct LayerTasks {
  std::int64_t computes = 0;     ///< on each tensor-parallel rank
  std::int64_t collectives = 0;  ///< of their group
};

bool splits_backwards(const Scenario& scenario) {
  const std::string& kind = scenario.schedule.kind;
  return !scenario.schedule.file.empty() || find_search(kind) != nullptr || schedule_kind(kind).splits ||
         schedule_kind(kind).splits_some;
}

std::int64_t replicas(const Scenario& scenario) {
  const std::string& kind = scenario.schedule.kind;
  return find_search(kind) != nullptr ? 1 : schedule_kind(kind).replicas;
}

LayerTasks layer_tasks(const Scenario& scenario) {
  const Parallelism& parallelism = scenario.parallelism;
  const Software& software = scenario.software;
  const Recompute& recompute = scenario.training.recompute;
  const std::int64_t tensor = parallelism.tensor;
  const std::int64_t layers = scenario.model.layers;
  const std::int64_t stages = parallelism.pipeline * scenario.schedule.chunks;
  const bool overlap = tensor > 1 && (parallelism.sequence_parallel || software.tensor_overlap);
  const std::int64_t collectives = parallelism.sequence_parallel ? 4 : tensor > 1 ? 2 : 0;
  const std::int64_t backward = parallelism.sequence_parallel ? 6 : collectives;
  const std::int64_t again = recompute.layers < 0 ? layers : std::min(layers, recompute.layers * stages);
  const bool split = overlap || splits_backwards(scenario);
  LayerTasks tasks{.computes = layers * (2 + (split ? 4 : 2)),
                   .collectives = layers * (collectives + backward)};
  if (recompute.kind == RecomputeKind::full) {
    tasks.computes += again * 2;
    tasks.collectives += again * collectives;
  } else if (recompute.kind == RecomputeKind::selective && software.attention == Attention::unfused) {
    tasks.computes += again;
  }
  return tasks;
}

/// Of one collective over `ranks`: one; with message fidelity (network/messages.h) about two for each send of
/// its rings (one ring within a node, one for each NIC of a node across), and both ends.
Uint128 collective_tasks(const Scenario& scenario, std::int64_t ranks) {
  constexpr std::int64_t kNode = 8;
  if (scenario.simulation.fidelity != "message" || ranks < 2) {
    return 1;
  }
  const auto n = static_cast<std::uint64_t>(ranks);
  return 2 + 2 * Uint128(ranks <= kNode ? 1 : kNode) * n * 2 * (n - 1);
}

Uint128 wide(std::int64_t count) {
  return static_cast<std::uint64_t>(count);
}

}  // namespace

Uint128 most_tasks(const Scenario& scenario) {
  const Parallelism& parallelism = scenario.parallelism;
  const std::int64_t tensor = parallelism.tensor;
  const std::int64_t data = parallelism.data;
  const std::int64_t stages = parallelism.pipeline * scenario.schedule.chunks;
  const std::int64_t messages = parallelism.pipeline > 1 ? 2 * (stages - 1) : 0;
  Uint128 per_microbatch = wide(messages * tensor);
  Uint128 per_iteration = 0;
  if (scenario.profile) {
    per_microbatch += wide((splits_backwards(scenario) ? 3 : 2) * stages * tensor);
  } else {
    const LayerTasks layers = layer_tasks(scenario);
    // The embedding and the head: 2 + 3 computations, forward and each half of backward; with tensor
    // parallelism 2 + 6 collectives. A message that is split over the group is gathered behind.
    const bool gathers = tensor > 1 && scenario.software.scatter_gather && !parallelism.sequence_parallel;
    const std::int64_t collectives = layers.collectives + (tensor > 1 ? 8 : 0) + (gathers ? messages : 0);
    per_microbatch +=
        wide((layers.computes + 5) * tensor) + wide(collectives) * collective_tasks(scenario, tensor);
    // Gradient buckets (at most one per layer, embedding and head), the sum of tied embeddings, the norm and
    // the optimizer.
    const std::int64_t buckets =
        parallelism.data_parallel.overlap ? scenario.model.layers + 2 : parallelism.pipeline;
    const std::int64_t copies = data * replicas(scenario);
    per_iteration = (copies > 1 ? wide(buckets * tensor) * collective_tasks(scenario, copies) : 0) +
                    wide(tensor * data) * collective_tasks(scenario, 2) +
                    wide(data) * collective_tasks(scenario, parallelism.pipeline * tensor) +
                    wide(4 * scenario.ranks());  // optimizer steps, and norms passed from rank to rank
  }
  if (scenario.schedule.file.empty() &&
      named_schedule(scenario.schedule.kind).evicts) {  // at most all go to another rank and come back
    per_microbatch += wide(2 * parallelism.pipeline * tensor);
  }
  if (update_of(scenario) == Update::each_microbatch) {
    per_microbatch += per_iteration;
  }
  return wide(scenario.simulation.iterations) *
         (wide(scenario.microbatches() * scenario.schedule.pieces) * wide(data) * per_microbatch +
          per_iteration);
}

}  // namespace makespan
