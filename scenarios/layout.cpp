#include "scenarios/layout.h"

#include <numeric>

namespace makespan {

Layout::Layout(const Scenario& scenario) {
  const Parallelism& parallelism = scenario.parallelism;
  const std::array<std::int64_t, 4> sizes = {parallelism.tensor, parallelism.context, parallelism.data,
                                             parallelism.pipeline};
  int stride = 1;
  for (const Dimension dimension : parallelism.order) {
    const auto i = static_cast<std::size_t>(dimension);
    sizes_[i] = static_cast<int>(sizes[i]);
    strides_[i] = stride;
    stride *= sizes_[i];
  }
  gpu_.resize(static_cast<std::size_t>(stride));
  std::iota(gpu_.begin(), gpu_.end(), std::size_t{0});
  for (std::size_t rank = 0; rank < parallelism.placement.size(); ++rank) {
    gpu_[rank] = static_cast<std::size_t>(parallelism.placement[rank]);
  }
}

int Layout::rank(const Coordinates& at) const {
  return at.tensor * strides_[0] + at.context * strides_[1] + at.data * strides_[2] +
         at.pipeline * strides_[3];
}

Coordinates Layout::coordinates(int rank) const {
  const auto along = [&](Dimension dimension) {
    const auto i = static_cast<std::size_t>(dimension);
    return rank / strides_[i] % sizes_[i];
  };
  return {.tensor = along(Dimension::tensor),
          .context = along(Dimension::context),
          .data = along(Dimension::data),
          .pipeline = along(Dimension::pipeline)};
}

std::vector<StageLayers> stage_layers(const Scenario& scenario, int stages) {
  std::vector<StageLayers> result;
  int first = 0;
  for (int stage = 0; stage < stages; ++stage) {
    const auto& layout = scenario.parallelism.layout;
    const std::int64_t count =
        layout.empty() ? scenario.model.layers / stages : layout[static_cast<std::size_t>(stage)];
    result.push_back({.first = first,
                      .count = static_cast<int>(count),
                      .embedding = stage == 0,
                      .head = stage == stages - 1});
    first += static_cast<int>(count);
  }
  return result;
}

Partition every_rank_alone(int ranks) {
  Partition partition;
  partition.class_of.resize(static_cast<std::size_t>(ranks));
  std::iota(partition.class_of.begin(), partition.class_of.end(), 0);
  partition.representative = partition.class_of;
  return partition;
}

}  // namespace makespan
