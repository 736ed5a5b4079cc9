#pragma once

#include <map>
#include <utility>
#include <vector>

#include "scenarios/cell.h"
#include "scenarios/layout.h"
#include "scenarios/scenario.h"
#include "scenarios/workload.h"
#include "schedules/schedule.h"

namespace makespan {

/// Emits the actions of one cell: what a forward or backward pass of one stage means in layers, kernels and
/// tensor-parallel collectives. With a profile, a pass is one compute task.
///
/// Tensor parallelism is Megatron-LM's (arXiv 1909.08053): each half of a layer ends in an all-reduce,
/// forward and backward. With sequence parallelism (arXiv 2205.05198) each all-reduce becomes an all-gather
/// before and a reduce-scatter behind; the backward pass gathers its input a second time for the weight
/// gradient. Split passes: I gathers, computes and reduces what the gradient of the input needs and keeps
/// what W needs (inputs of the matrix multiplications, gradients of their outputs, gathered); W computes
/// alone.
class Program {
 public:
  /// `stages` are those of the whole pipeline. `workload` is unused, and may be null, with a profile.
  Program(const Scenario& scenario, const Workload* workload, const LabelNames& names,
          const std::vector<StageLayers>& stages, const Schedule& schedule, Cell& cell);

  /// Emits the action; `iteration` offsets its micro-batch, so that labels stay unique.
  ActionTasks emit(const Action& action, int iteration);

  /// Head, layers and embedding of `stage` in the order in which their gradients are complete.
  [[nodiscard]] std::vector<GradientUnit> gradient_units(int stage) const;

  /// Per tensor-parallel rank, the last backward task emitted so far that adds to the unit's gradient.
  [[nodiscard]] const std::vector<TaskId>& ready(const GradientUnit& unit) const {
    return ready_.at({unit.stage, unit.layer});
  }

 private:
  /// The backward pass of a tensor-parallel region, in the parts that a schedule may move. A whole backward
  /// runs `input` and `row_weight` before its reduction and `column_weight` beside it.
  struct Region {
    ComputeWork input;
    ComputeWork row_weight;
    ComputeWork column_weight;
  };

  void profiled();
  void forward();
  void backward();
  void backward_weight();
  void backward_embedding(Phase phase);
  void forward_layer(int layer, Phase phase);
  void backward_layer(int layer, int layer_in_stage);
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
  void keep_for_weights(Bytes bytes);
  [[nodiscard]] Label label(NameId name, Phase phase, int layer = -1) const;

  const Scenario& scenario_;
  const Workload* workload_;
  const LabelNames& names_;
  const std::vector<StageLayers>& stages_;
  const Schedule& schedule_;
  Cell& cell_;
  bool sequence_parallel_;
  bool tensor_parallel_;
  bool overlap_;
  Action action_;
  int microbatch_ = 0;
  std::map<std::pair<int, int>, std::vector<TaskId>> ready_;  ///< by stage and layer, as in GradientUnit
};

}  // namespace makespan
