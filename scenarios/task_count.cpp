#include "scenarios/task_count.h"

#include <algorithm>

namespace makespan {

namespace {

/// Tasks of one micro-batch in all layers of one replica: computations on each tensor-parallel rank, and the
/// collectives of their group.
std::int64_t layer_tasks(const Scenario& scenario) {
  const Parallelism& parallelism = scenario.parallelism;
  const Software& software = scenario.software;
  const Recompute& recompute = scenario.training.recompute;
  const std::int64_t tensor = parallelism.tensor;
  const std::int64_t layers = scenario.model.layers;
  const std::int64_t stages = parallelism.pipeline * scenario.schedule.chunks;
  const bool overlap = tensor > 1 && (parallelism.sequence_parallel || software.tensor_overlap);
  const std::int64_t collectives = parallelism.sequence_parallel ? 4 : tensor > 1 ? 2 : 0;
  const std::int64_t forward = 2 * tensor + collectives;
  const std::int64_t backward =
      (overlap ? 4 : 2) * tensor + (parallelism.sequence_parallel ? 6 : collectives);
  const std::int64_t again = recompute.layers < 0 ? layers : std::min(layers, recompute.layers * stages);
  std::int64_t repeated = 0;
  if (recompute.kind == RecomputeKind::full) {
    repeated = forward;
  } else if (recompute.kind == RecomputeKind::selective && software.attention == Attention::unfused) {
    repeated = tensor;
  }
  return layers * (forward + backward) + again * repeated;
}

}  // namespace

Uint128 most_tasks(const Scenario& scenario) {
  const Parallelism& parallelism = scenario.parallelism;
  const std::int64_t tensor = parallelism.tensor;
  const std::int64_t data = parallelism.data;
  const std::int64_t stages = parallelism.pipeline * scenario.schedule.chunks;
  const std::int64_t messages = parallelism.pipeline > 1 ? 2 * (stages - 1) : 0;
  std::int64_t per_microbatch = messages * tensor;
  std::int64_t per_iteration = 0;
  if (scenario.profile) {
    per_microbatch += 2 * stages * tensor;
  } else {
    // The embedding and the head: 2 + 3 computations; with tensor parallelism 2 + 6 collectives. A message
    // that is split over the group is gathered behind.
    const bool gathers = tensor > 1 && scenario.software.scatter_gather && !parallelism.sequence_parallel;
    per_microbatch += layer_tasks(scenario) + 5 * tensor + (tensor > 1 ? 8 : 0) + (gathers ? messages : 0);
    // Gradient buckets (at most one per layer, embedding and head), the sum of tied embeddings, the norm and
    // the optimizer.
    const std::int64_t buckets =
        parallelism.data_parallel.overlap ? scenario.model.layers + 2 : parallelism.pipeline;
    per_iteration = (data > 1 ? buckets * tensor : 0) + tensor * data + data + scenario.ranks();
  }
  const auto wide = [](std::int64_t count) { return Uint128(static_cast<std::uint64_t>(count)); };
  return wide(scenario.simulation.iterations) *
         (wide(scenario.microbatches()) * wide(data) * wide(per_microbatch) + wide(per_iteration));
}

}  // namespace makespan
