#include "scenarios/program.h"

#include <optional>

#include "devices/kernel.h"

namespace makespan {

namespace {

Time of_stage(const std::vector<Time>& times, int stage) {
  return times.size() == 1 ? times.front() : times[static_cast<std::size_t>(stage)];
}

}  // namespace

Program::Program(const Scenario& scenario, const Workload* workload, const LabelNames& names,
                 const std::vector<StageLayers>& stages, const Schedule& schedule, Cell& cell)
    : scenario_(scenario),
      workload_(workload),
      names_(names),
      stages_(stages),
      schedule_(schedule),
      cell_(cell),
      sequence_parallel_(scenario.parallelism.sequence_parallel),
      tensor_parallel_(scenario.parallelism.tensor > 1),
      overlap_(tensor_parallel_ && (sequence_parallel_ || scenario.software.tensor_overlap)) {}

ActionTasks Program::emit(const Action& action, int iteration) {
  action_ = action;
  microbatch_ = iteration * schedule_.microbatches + action.microbatch;
  cell_.begin_action();
  if (scenario_.profile) {
    profiled();
  } else if (action.kind == ActionKind::forward) {
    forward();
  } else if (action.kind == ActionKind::backward_weight) {
    backward_weight();
  } else {
    MAKESPAN_CHECK(is_pass(action.kind) && !action.overlaps_next,
                   "a schedule with an action that lowering does not know");
    backward();
  }
  return cell_.end_action();
}

void Program::profiled() {
  const Profile& profile = *scenario_.profile;
  const auto input = [&] { return of_stage(profile.backward_input, action_.stage); };
  const auto weight = [&] { return of_stage(profile.backward_weight, action_.stage); };
  const auto run = [&](Time duration, NameId name, Phase phase) {
    cell_.begin_span();
    cell_.compute({.launch = Time(), .sm = duration, .memory = Time()}, label(name, phase));
  };
  switch (action_.kind) {
    case ActionKind::forward:
      run(of_stage(profile.forward, action_.stage), names_.forward, Phase::forward);
      cell_.allocate(MemoryKind::activations, profile.activation);
      return;
    case ActionKind::backward_input:
      run(input(), names_.backward, Phase::backward_input);
      return;
    case ActionKind::backward_weight:
      run(weight(), names_.backward, Phase::backward_weight);
      break;
    default:
      run(profile.backward.empty() ? input() + weight() : of_stage(profile.backward, action_.stage),
          names_.backward, Phase::backward);
      break;
  }
  cell_.release(MemoryKind::activations, profile.activation);
}

void Program::forward() {
  const StageLayers& stage = stages_[static_cast<std::size_t>(action_.stage)];
  if (stage.embedding) {
    cell_.begin_span();
    cell_.compute(workload_->embedding_forward, label(names_.embedding, Phase::forward));
    cell_.allocate(MemoryKind::activations, workload_->embedding_activation);
    reduce(-1, Phase::forward);
  } else {
    gather_message(action_.stage - 1, names_.gather_activation, Phase::forward);
  }
  for (int i = 0; i < stage.count; ++i) {
    cell_.begin_span();
    forward_layer(stage.first + i, Phase::forward);
    cell_.allocate(MemoryKind::activations, kept(i));
  }
  if (stage.head) {
    forward_head();
  }
}

void Program::backward() {
  const StageLayers& stage = stages_[static_cast<std::size_t>(action_.stage)];
  if (stage.head) {
    backward_head();
  } else {
    gather_message(action_.stage + 1, names_.gather_gradient,
                   is_split() ? Phase::backward_input : Phase::backward);
  }
  for (int i = stage.count - 1; i >= 0; --i) {
    backward_layer(stage.first + i, i);
  }
  cell_.mark_output();
  if (stage.embedding && !is_split()) {
    backward_embedding(Phase::backward);
  }
}

/// All its gradients are of weights.
void Program::backward_embedding(Phase phase) {
  if (sequence_parallel_) {
    cell_.await(collective(CollectiveKind::all_gather, names_.all_gather, -1, phase));
  }
  cell_.compute(workload_->embedding_backward, label(names_.embedding, phase));
  cell_.release(MemoryKind::activations, workload_->embedding_activation);
  ready_[{action_.stage, GradientUnit::kEmbedding}] = cell_.last();
}

/// The weight gradients that an earlier action left, in the order of its layers. What they need was gathered
/// and kept.
void Program::backward_weight() {
  const StageLayers& stage = stages_[static_cast<std::size_t>(action_.stage)];
  const auto run = [&](const ComputeWork& work, NameId name, int layer) {
    cell_.compute(work, label(name, Phase::backward_weight, layer));
  };
  if (stage.head) {
    run(workload_->head_backward_weight, names_.head, -1);
    cell_.release(MemoryKind::activations, workload_->head_weight_activation);
    ready_[{action_.stage, GradientUnit::kHead}] = cell_.last();
  }
  for (int layer = stage.first + stage.count; layer-- > stage.first;) {
    const HalfLayer& mlp = workload_->mlp;
    run(mlp.row_weight + mlp.column_weight, names_.mlp, layer);
    cell_.release(MemoryKind::activations, mlp.weight_activation);
    const HalfLayer& attention = workload_->attention;
    run(attention.row_weight + attention.column_weight, names_.attention, layer);
    cell_.release(MemoryKind::activations, attention.weight_activation);
    ready_[{action_.stage, layer}] = cell_.last();
  }
  if (stage.embedding) {
    backward_embedding(Phase::backward_weight);
  }
}

void Program::gather_message(int neighbour, NameId name, Phase phase) {
  const bool crosses = schedule_.rank_of_stage[static_cast<std::size_t>(neighbour)] !=
                       schedule_.rank_of_stage[static_cast<std::size_t>(action_.stage)];
  if (crosses && tensor_parallel_ && !sequence_parallel_ && scenario_.software.scatter_gather) {
    cell_.await(collective(CollectiveKind::all_gather, name, -1, phase));
  }
}

TaskId Program::collective(CollectiveKind kind, NameId name, int layer, Phase phase) {
  Label at = label(name, phase, layer);
  at.group = Group::tp;
  return cell_.collective(kind, workload_->tensor_payload, at);
}

void Program::gather(int layer, Phase phase) {
  if (sequence_parallel_) {
    cell_.await(collective(CollectiveKind::all_gather, names_.all_gather, layer, phase));
  }
}

TaskId Program::start_reduction(int layer, Phase phase) {
  return sequence_parallel_ ? collective(CollectiveKind::reduce_scatter, names_.reduce_scatter, layer, phase)
                            : collective(CollectiveKind::all_reduce, names_.all_reduce, layer, phase);
}

void Program::reduce(int layer, Phase phase) {
  if (tensor_parallel_) {
    cell_.await(start_reduction(layer, phase));
  }
}

void Program::forward_layer(int layer, Phase phase) {
  gather(layer, phase);
  cell_.compute(workload_->attention.forward, label(names_.attention, phase, layer));
  reduce(layer, phase);
  gather(layer, phase);
  cell_.compute(workload_->mlp.forward, label(names_.mlp, phase, layer));
  reduce(layer, phase);
}

/// The input's gradient alone. The gathered input is kept for the weight gradients, which run later.
void Program::backward_input_region(const ComputeWork& input, NameId name, int layer) {
  std::optional<TaskId> gathered;
  if (sequence_parallel_) {
    gathered = collective(CollectiveKind::all_gather, names_.all_gather, layer, Phase::backward_input);
  }
  cell_.compute(input, label(name, Phase::backward_input, layer));
  if (gathered) {
    cell_.await(*gathered);
  }
  reduce(layer, Phase::backward_input);
}

void Program::backward_region(const Region& region, NameId name, int layer) {
  if (is_split()) {
    backward_input_region(region.input, name, layer);
    return;
  }
  const Label at = label(name, Phase::backward, layer);
  if (!overlap_) {
    cell_.compute(region.input + region.row_weight + region.column_weight, at);
    reduce(layer, Phase::backward);
    return;
  }
  // The reduction runs beside the last weight gradient, for which sequence parallelism gathers the input
  // again.
  std::optional<TaskId> gathered;
  if (sequence_parallel_) {
    gathered = collective(CollectiveKind::all_gather, names_.all_gather, layer, Phase::backward);
  }
  cell_.compute(region.input + region.row_weight, at);
  const TaskId reduction = start_reduction(layer, Phase::backward);
  if (gathered) {
    cell_.await(*gathered);
  }
  cell_.compute(region.column_weight, at);
  cell_.await(reduction);
}

void Program::backward_layer(int layer, int layer_in_stage) {
  cell_.begin_span();
  const bool again = scenario_.training.recompute.kind == RecomputeKind::full && recomputed(layer_in_stage);
  const Bytes whole = workload_->attention.activation + workload_->mlp.activation;
  if (again) {
    forward_layer(layer, Phase::recompute);
    cell_.allocate(MemoryKind::activations, whole);
  }
  const Phase phase = is_split() ? Phase::backward_input : Phase::backward;
  gather(layer, phase);
  const HalfLayer& mlp = workload_->mlp;
  backward_region({mlp.backward_input, mlp.row_weight, mlp.column_weight}, names_.mlp, layer);
  gather(layer, phase);
  const HalfLayer& attention = workload_->attention;
  const bool again_core =
      scenario_.training.recompute.kind == RecomputeKind::selective && recomputed(layer_in_stage);
  if (again_core && attention.recompute.nominal() > Time(0)) {
    cell_.compute(attention.recompute, label(names_.attention, Phase::recompute, layer));
  }
  backward_region({attention.backward_input, attention.row_weight, attention.column_weight}, names_.attention,
                  layer);
  cell_.release(MemoryKind::activations, again ? kept(layer_in_stage) + whole : kept(layer_in_stage));
  if (is_split()) {
    keep_for_weights(mlp.weight_activation + attention.weight_activation);
  } else {
    ready_[{action_.stage, layer}] = cell_.last();
  }
}

/// From the end of the input's gradient to that of the weights'.
void Program::keep_for_weights(Bytes bytes) {
  cell_.release(MemoryKind::activations, Bytes(0) - bytes);
}

void Program::forward_head() {
  cell_.begin_span();
  gather(-1, Phase::forward);
  cell_.compute(workload_->head_forward, label(names_.head, Phase::forward));
  cell_.allocate(MemoryKind::activations, workload_->head_activation);
  if (tensor_parallel_) {
    Label at = label(names_.loss, Phase::forward);
    at.group = Group::tp;
    for (int i = 0; i < 3; ++i) {  // maximum, sum of exponentials, logit of the target
      cell_.await(cell_.collective(CollectiveKind::all_reduce, workload_->loss_payload, at));
    }
  }
}

void Program::backward_head() {
  backward_region({workload_->head_backward_input, {}, workload_->head_backward_weight}, names_.head, -1);
  cell_.release(MemoryKind::activations, workload_->head_activation);
  if (is_split()) {
    keep_for_weights(workload_->head_weight_activation);
  } else {
    ready_[{action_.stage, GradientUnit::kHead}] = cell_.last();
  }
}

std::vector<GradientUnit> Program::gradient_units(int stage) const {
  const StageLayers& layers = stages_[static_cast<std::size_t>(stage)];
  std::vector<GradientUnit> units;
  if (layers.head) {
    units.push_back({stage, GradientUnit::kHead, workload_->head_parameters});
  }
  for (int i = layers.count - 1; i >= 0; --i) {
    units.push_back({stage, layers.first + i, workload_->layer_parameters()});
  }
  if (layers.embedding) {
    units.push_back({stage, GradientUnit::kEmbedding, workload_->embedding_parameters});
  }
  return units;
}

bool Program::recomputed(int layer_in_stage) const {
  const std::int64_t layers = scenario_.training.recompute.layers;
  return layers < 0 || layer_in_stage < layers;
}

Bytes Program::kept(int layer_in_stage) const {
  const RecomputeKind kind =
      recomputed(layer_in_stage) ? scenario_.training.recompute.kind : RecomputeKind::none;
  switch (kind) {
    case RecomputeKind::full:
      return workload_->layer_input;
    case RecomputeKind::selective:
      return workload_->attention.selective_activation + workload_->mlp.selective_activation;
    case RecomputeKind::none:
      break;
  }
  return workload_->attention.activation + workload_->mlp.activation;
}

Label Program::label(NameId name, Phase phase, int layer) const {
  return {.name = name,
          .phase = phase,
          .group = Group::none,
          .stage = action_.stage,
          .chunk = action_.stage / schedule_.ranks,
          .microbatch = microbatch_,
          .layer = layer};
}

}  // namespace makespan
