#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "scenarios/scenario.h"

namespace makespan {

/// Where a rank stands in each dimension of parallelism.
struct Coordinates {
  int tensor = 0;
  int context = 0;
  int data = 0;
  int pipeline = 0;

  auto operator<=>(const Coordinates&) const = default;
};

/// Numbers the ranks: the first dimension of `parallelism.order` varies fastest. Ranks lie on GPUs as
/// `placement` says.
class Layout {
 public:
  /// Requires a resolved scenario.
  explicit Layout(const Scenario& scenario);

  [[nodiscard]] int ranks() const { return static_cast<int>(gpu_.size()); }

  [[nodiscard]] int tensor() const { return sizes_[static_cast<std::size_t>(Dimension::tensor)]; }

  [[nodiscard]] int data() const { return sizes_[static_cast<std::size_t>(Dimension::data)]; }

  [[nodiscard]] int pipeline() const { return sizes_[static_cast<std::size_t>(Dimension::pipeline)]; }

  [[nodiscard]] int rank(const Coordinates& at) const;
  [[nodiscard]] Coordinates coordinates(int rank) const;

  /// The GPU that a rank runs on.
  [[nodiscard]] std::size_t gpu(int rank) const { return gpu_[static_cast<std::size_t>(rank)]; }

 private:
  std::array<int, 4> sizes_{};    ///< by Dimension
  std::array<int, 4> strides_{};  ///< by Dimension
  std::vector<std::size_t> gpu_;
};

/// The transformer layers of one pipeline stage, and whether it holds the embedding or the head.
struct StageLayers {
  int first = 0;
  int count = 0;
  bool embedding = false;
  bool head = false;
};

/// The layers of each of `stages` stages: `parallelism.layout`, or even shares.
[[nodiscard]] std::vector<StageLayers> stage_layers(const Scenario& scenario, int stages);

/// Which ranks are simulated. Ranks of one class behave identically and are represented by the first of them.
/// Lowering creates one device per class.
struct Partition {
  std::vector<int> class_of;        ///< by rank
  std::vector<int> representative;  ///< by class
};

/// The finest partition: every rank is a class of its own, and nothing is folded.
[[nodiscard]] Partition every_rank_alone(int ranks);

}  // namespace makespan
