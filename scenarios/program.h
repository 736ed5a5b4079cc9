#pragma once

#include <array>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "scenarios/cell.h"
#include "scenarios/layout.h"
#include "scenarios/scenario.h"
#include "scenarios/workload.h"
#include "schedules/schedule.h"

namespace makespan {

/// What one piece of a sequence takes of what a micro-batch takes, in pieces of equal size: all of them add
/// up.
template <class Quantity>
[[nodiscard]] Quantity share_of_piece(Quantity whole, const Schedule& schedule, int microbatch) {
  const std::int64_t pieces = schedule.pieces;
  const std::int64_t piece = microbatch % pieces;
  const auto up_to = [&](std::int64_t count) {
    return whole.count() / pieces * count + whole.count() % pieces * count / pieces;
  };
  return Quantity(up_to(piece + 1) - up_to(piece));
}

/// Emits the actions of one cell: what a forward or backward pass of one stage means in layers, kernels and
/// tensor-parallel collectives. With a profile, a pass is one compute task.
///
/// Tensor parallelism is Megatron-LM's (arXiv 1909.08053): each half of a layer ends in an all-reduce,
/// forward and backward. With sequence parallelism (arXiv 2205.05198) each all-reduce becomes an all-gather
/// before and a reduce-scatter behind; the backward pass gathers its input a second time for the weight
/// gradient. Split passes: I gathers, computes and reduces what the gradient of the input needs and keeps
/// what W needs (inputs of the matrix multiplications, gradients of their outputs, gathered); W computes
/// alone.
///
/// A forward and a backward pass that overlap take turns, half a layer each, on the compute chain: what one
/// communicates runs beside what the other computes, as DualPipe's pairs do (arXiv 2412.19437, figure 4). A
/// profile's pair is one block, which needs both inputs and gives both outputs at its end.
class Program {
 public:
  /// `stages` are those of all replicas. `workloads` are those of the pieces of a sequence; none with a
  /// profile.
  Program(const Scenario& scenario, const std::vector<Workload>& workloads, const LabelNames& names,
          const std::vector<StageLayers>& stages, const Schedule& schedule, Cell& cell);

  /// Emits the action; `iteration` offsets its micro-batch, so that labels stay unique.
  ActionTasks emit(const Action& action, int iteration);

  /// Emits a forward and a backward pass that overlap.
  std::array<ActionTasks, 2> emit_pair(const Action& forward, const Action& backward, int iteration);

  /// Head, layers and embedding of `stage` in the order in which their gradients are complete.
  [[nodiscard]] std::vector<GradientUnit> gradient_units(int stage) const;

  /// What a forward pass keeps for its backward pass, on each tensor-parallel rank.
  [[nodiscard]] Bytes activation(const Action& forward);

  /// Per tensor-parallel rank, the last backward task emitted so far that adds to the unit's gradient.
  [[nodiscard]] const std::vector<TaskId>& ready(const GradientUnit& unit) const {
    return ready_.at(unit_key(unit.stage, unit.layer));
  }

 private:
  /// The backward pass of a tensor-parallel region, in the parts that a schedule may move. A whole backward
  /// runs `input` and `row_weight` before its reduction and `column_weight` beside it.
  struct Region {
    ComputeWork input;
    ComputeWork row_weight;
    ComputeWork column_weight;
  };

  /// A part of a pass with computation, and the gather that it begins with.
  struct Piece {
    std::function<void()> gather;
    std::function<void()> run;
  };

  using UnitKey = std::pair<int, int>;  ///< stage and layer, as in GradientUnit

  void enter(const Action& action, std::size_t strand);
  void profiled();
  std::array<ActionTasks, 2> profiled_pair(const Action& forward, const Action& backward);
  void run_profiled(Time duration, NameId name, Phase phase);
  [[nodiscard]] Time profile_time(const std::vector<Time>& times) const;
  [[nodiscard]] Time profile_backward() const;
  [[nodiscard]] std::vector<Piece> pass();
  [[nodiscard]] std::vector<Piece> forward();
  [[nodiscard]] std::vector<Piece> backward();
  void backward_weight();
  void backward_embedding(Phase phase);
  void add_forward_layer(std::vector<Piece>& pieces, int layer, Phase phase);
  void add_backward_layer(std::vector<Piece>& pieces, int layer, int layer_in_stage);
  void backward_attention(int layer, int layer_in_stage, bool again);
  void forward_head();
  void backward_head();
  void backward_region(const Region& region, NameId name, int layer);
  void backward_input_region(const ComputeWork& input, NameId name, int layer);

  [[nodiscard]] bool is_split() const { return action_.kind == ActionKind::backward_input; }

  void gather_message(int neighbour, NameId name, Phase phase);
  void gather(int layer, Phase phase);
  void reduce(int layer, Phase phase);
  TaskId start_reduction(int layer, Phase phase);
  TaskId collective(CollectiveKind kind, NameId name, int layer, Phase phase);
  [[nodiscard]] bool recomputed(int layer_in_stage) const;
  [[nodiscard]] Bytes kept(int layer_in_stage) const;
  [[nodiscard]] Bytes layer_activation() const;
  void keep_for_weights(Bytes bytes);
  void complete(int layer);
  void complete_head();
  [[nodiscard]] Label label(NameId name, Phase phase, int layer = -1) const;

  /// The embedding has one gradient, whichever stages of this rank add to it.
  [[nodiscard]] static UnitKey unit_key(int stage, int layer) {
    return {layer == GradientUnit::kEmbedding ? 0 : stage, layer};
  }

  const Scenario& scenario_;
  const std::vector<Workload>& workloads_;
  const Workload* workload_ = nullptr;  ///< of the action's piece
  const LabelNames& names_;
  const std::vector<StageLayers>& stages_;
  const Schedule& schedule_;
  Cell& cell_;
  bool sequence_parallel_;
  bool tensor_parallel_;
  bool overlap_;
  int iteration_ = 0;
  Action action_;
  int microbatch_ = 0;
  std::map<UnitKey, std::vector<TaskId>> ready_;
};

}  // namespace makespan
