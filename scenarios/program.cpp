#include "scenarios/program.h"

#include <algorithm>
#include <optional>

#include "core/int128.h"
#include "devices/kernel.h"

namespace makespan {

Program::Program(const Scenario& scenario, const std::vector<Workload>& workloads, const LabelNames& names,
                 const std::vector<StageLayers>& stages, const Schedule& schedule, Cell& cell)
    : scenario_(scenario),
      workloads_(workloads),
      names_(names),
      stages_(stages),
      schedule_(schedule),
      cell_(cell),
      sequence_parallel_(scenario.parallelism.sequence_parallel),
      tensor_parallel_(scenario.parallelism.tensor > 1),
      overlap_(tensor_parallel_ && (sequence_parallel_ || scenario.software.tensor_overlap)) {}

void Program::enter(const Action& action, std::size_t strand) {
  action_ = action;
  microbatch_ = iteration_ * schedule_.microbatches + action.microbatch;
  if (!workloads_.empty()) {
    workload_ = &workloads_[static_cast<std::size_t>(action.microbatch % schedule_.pieces)];
  }
  cell_.enter(strand);
}

ActionTasks Program::emit(const Action& action, int iteration) {
  MAKESPAN_CHECK(is_compute(action.kind) && !action.overlaps_next, "not a computation of its own");
  iteration_ = iteration;
  cell_.begin_action();
  enter(action, 0);
  if (scenario_.profile) {
    profiled();
  } else if (action.kind == ActionKind::backward_weight) {
    backward_weight();
  } else {
    for (const Piece& piece : pass()) {
      piece.gather();
      piece.run();
    }
  }
  return cell_.end_action();
}

std::array<ActionTasks, 2> Program::emit_pair(const Action& forward, const Action& backward, int iteration) {
  iteration_ = iteration;
  cell_.begin_pair();
  if (scenario_.profile) {
    return profiled_pair(forward, backward);
  }
  const std::array<Action, 2> actions = {forward, backward};
  std::array<std::vector<Piece>, 2> pieces;
  std::vector<std::pair<std::size_t, const Piece*>> turns;  // strand and piece, in turns
  for (const std::size_t strand : {0, 1}) {
    enter(actions[strand], strand);
    pieces[strand] = pass();
  }
  for (std::size_t i = 0; i < std::max(pieces[0].size(), pieces[1].size()); ++i) {
    for (const std::size_t strand : {0, 1}) {
      if (i < pieces[strand].size()) {
        turns.emplace_back(strand, &pieces[strand][i]);
      }
    }
  }
  // A gather goes ahead of what the other strand computes before it, so that it runs beside that.
  std::size_t gathered = 0;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const bool is_ahead = i + 1 < turns.size() && turns[i + 1].first != turns[i].first;
    for (; gathered <= i + (is_ahead ? 1 : 0); ++gathered) {
      const auto& [strand, piece] = turns[gathered];
      enter(actions[strand], strand);
      piece->gather();
    }
    const auto& [strand, piece] = turns[i];
    enter(actions[strand], strand);
    piece->run();
  }
  return cell_.end_pair();
}

/// Of the action's stage: one time for all stages, or one for each. A piece of a sequence takes its share.
Time Program::profile_time(const std::vector<Time>& times) const {
  const auto stage = static_cast<std::size_t>(action_.stage % schedule_.model_stages());
  return share_of_piece(times.size() == 1 ? times.front() : times[stage], schedule_, action_.microbatch);
}

Time Program::profile_backward() const {
  const Profile& profile = *scenario_.profile;
  return profile.backward.empty()
             ? profile_time(profile.backward_input) + profile_time(profile.backward_weight)
             : profile_time(profile.backward);
}

void Program::profiled() {
  const Profile& profile = *scenario_.profile;
  switch (action_.kind) {
    case ActionKind::forward:
      run_profiled(profile_time(profile.forward), names_.forward, Phase::forward);
      return;
    case ActionKind::backward_input:
      run_profiled(profile_time(profile.backward_input), names_.backward, Phase::backward_input);
      return;
    case ActionKind::backward_weight:
      run_profiled(profile_time(profile.backward_weight), names_.backward, Phase::backward_weight);
      return;
    default:
      run_profiled(profile_backward(), names_.backward, Phase::backward);
      return;
  }
}

/// Ends with the pass what its micro-batch kept.
void Program::run_profiled(Time duration, NameId name, Phase phase) {
  const Bytes activation = share_of_piece(scenario_.profile->activation, schedule_, action_.microbatch);
  cell_.begin_span();
  cell_.compute({.launch = Time(), .sm = duration, .memory = Time()}, label(name, phase));
  if (phase == Phase::forward) {
    cell_.allocate(MemoryKind::activations, activation);
  } else if (phase != Phase::backward_input) {
    cell_.release(MemoryKind::activations, activation);
  }
}

/// The block's time is shared out as the passes' own times.
std::array<ActionTasks, 2> Program::profiled_pair(const Action& forward, const Action& backward) {
  const Profile& profile = *scenario_.profile;
  enter(backward, 1);
  const Time alone_backward = profile_backward();
  enter(forward, 0);
  const Time alone_forward = profile_time(profile.forward);
  const Time alone = alone_forward + alone_backward;
  const Time both = profile.forward_backward.empty() ? alone : profile_time(profile.forward_backward);
  const auto first = Time(static_cast<std::int64_t>(floor_div(
      Uint128{static_cast<std::uint64_t>(both.count())} * static_cast<std::uint64_t>(alone_forward.count()),
      static_cast<std::uint64_t>(alone.count()))));
  run_profiled(first, names_.forward, Phase::forward);
  enter(backward, 1);
  run_profiled(both - first, names_.backward, Phase::backward);
  const auto [one, other] = cell_.end_pair();
  const ActionTasks block{.first = one.first, .output = other.output, .last = other.last};
  return {block, block};
}

std::vector<Program::Piece> Program::pass() {
  return action_.kind == ActionKind::forward ? forward() : backward();
}

std::vector<Program::Piece> Program::forward() {
  const StageLayers& stage = stages_[static_cast<std::size_t>(action_.stage)];
  std::vector<Piece> pieces;
  if (stage.embedding) {
    pieces.push_back({[] {},
                      [this] {
                        cell_.begin_span();
                        cell_.compute(workload_->embedding_forward, label(names_.embedding, Phase::forward));
                        cell_.allocate(MemoryKind::activations, workload_->embedding_activation);
                        reduce(-1, Phase::forward);
                      }});
  } else {
    pieces.push_back(
        {[this] { gather_message(action_.stage - 1, names_.gather_activation, Phase::forward); }, [] {}});
  }
  for (int i = 0; i < stage.count; ++i) {
    add_forward_layer(pieces, stage.first + i, Phase::forward);
    pieces.back().run = [this, i, run = pieces.back().run] {
      run();
      cell_.allocate(MemoryKind::activations, kept(i));
    };
  }
  if (stage.head) {
    pieces.push_back({[] {}, [this] { forward_head(); }});
  }
  return pieces;
}

std::vector<Program::Piece> Program::backward() {
  const StageLayers& stage = stages_[static_cast<std::size_t>(action_.stage)];
  const Phase phase = is_split() ? Phase::backward_input : Phase::backward;
  std::vector<Piece> pieces;
  if (stage.head) {
    pieces.push_back({[] {}, [this] { backward_head(); }});
  } else {
    pieces.push_back(
        {[this, phase] { gather_message(action_.stage + 1, names_.gather_gradient, phase); }, [] {}});
  }
  for (int i = stage.count - 1; i >= 0; --i) {
    add_backward_layer(pieces, stage.first + i, i);
  }
  if (stage.count == 0 && !stage.head && is_split()) {  // the gradient arrives; nothing is behind it
    pieces.push_back({[] {}, [this, phase] { cell_.compute({}, label(names_.embedding, phase)); }});
  }
  if (stage.embedding && !is_split()) {
    pieces.push_back({[] {},
                      [this] {
                        cell_.mark_output();
                        backward_embedding(Phase::backward);
                      }});
  }
  return pieces;
}

/// All its gradients are of weights.
void Program::backward_embedding(Phase phase) {
  if (sequence_parallel_) {
    cell_.await(collective(CollectiveKind::all_gather, names_.all_gather, -1, phase));
  }
  cell_.compute(workload_->embedding_backward, label(names_.embedding, phase));
  cell_.release(MemoryKind::activations, workload_->embedding_activation);
  complete(GradientUnit::kEmbedding);
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
    complete_head();
  }
  for (int layer = stage.first + stage.count; layer-- > stage.first;) {
    const HalfLayer& mlp = workload_->mlp;
    run(mlp.row_weight + mlp.column_weight, names_.mlp, layer);
    cell_.release(MemoryKind::activations, mlp.weight_activation);
    const HalfLayer& attention = workload_->attention;
    run(attention.row_weight + attention.column_weight, names_.attention, layer);
    cell_.release(MemoryKind::activations, attention.weight_activation);
    complete(layer);
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

void Program::add_forward_layer(std::vector<Piece>& pieces, int layer, Phase phase) {
  const auto half = [this, layer, phase](const ComputeWork& work, NameId name) {
    cell_.compute(work, label(name, phase, layer));
    reduce(layer, phase);
  };
  pieces.push_back({[this, layer, phase] { gather(layer, phase); },
                    [this, half] {
                      cell_.begin_span();
                      half(workload_->attention.forward, names_.attention);
                    }});
  pieces.push_back({[this, layer, phase] { gather(layer, phase); },
                    [this, half] { half(workload_->mlp.forward, names_.mlp); }});
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

void Program::add_backward_layer(std::vector<Piece>& pieces, int layer, int layer_in_stage) {
  const bool again = scenario_.training.recompute.kind == RecomputeKind::full && recomputed(layer_in_stage);
  if (again) {
    add_forward_layer(pieces, layer, Phase::recompute);
    pieces.back().run = [this, run = pieces.back().run] {
      run();
      cell_.allocate(MemoryKind::activations, layer_activation());
    };
  }
  const Phase phase = is_split() ? Phase::backward_input : Phase::backward;
  pieces.push_back(
      {[this, layer, phase] { gather(layer, phase); },
       [this, layer] {
         const HalfLayer& mlp = workload_->mlp;
         backward_region({mlp.backward_input, mlp.row_weight, mlp.column_weight}, names_.mlp, layer);
       }});
  pieces.push_back(
      {[this, layer, phase] { gather(layer, phase); },
       [this, layer, layer_in_stage, again] { backward_attention(layer, layer_in_stage, again); }});
}

/// The end of a layer, at which what it kept is given back; with `again`, what its repeated forward pass made
/// as well.
void Program::backward_attention(int layer, int layer_in_stage, bool again) {
  const HalfLayer& attention = workload_->attention;
  const bool again_core =
      scenario_.training.recompute.kind == RecomputeKind::selective && recomputed(layer_in_stage);
  if (again_core && attention.recompute.nominal() > Time(0)) {
    cell_.compute(attention.recompute, label(names_.attention, Phase::recompute, layer));
  }
  backward_region({attention.backward_input, attention.row_weight, attention.column_weight}, names_.attention,
                  layer);
  cell_.release(MemoryKind::activations, kept(layer_in_stage) + (again ? layer_activation() : Bytes(0)));
  if (is_split()) {
    keep_for_weights(workload_->mlp.weight_activation + attention.weight_activation);
  } else {
    complete(layer);
  }
}

/// The gradients of the action's layer, head or embedding have what this action adds to them.
void Program::complete(int layer) {
  ready_[unit_key(action_.stage, layer)] = cell_.last();
}

/// A head whose matrix is this rank's embedding adds to that one's gradient.
void Program::complete_head() {
  complete(GradientUnit::kHead);
  if (workload_->head_is_embedding) {
    complete(GradientUnit::kEmbedding);
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
    complete_head();
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

Bytes Program::activation(const Action& forward) {
  enter(forward, 0);
  if (scenario_.profile) {
    return share_of_piece(scenario_.profile->activation, schedule_, forward.microbatch);
  }
  const StageLayers& stage = stages_[static_cast<std::size_t>(forward.stage)];
  Bytes bytes;
  for (int i = 0; i < stage.count; ++i) {
    bytes += kept(i);
  }
  return bytes + (stage.embedding ? workload_->embedding_activation : Bytes(0)) +
         (stage.head ? workload_->head_activation : Bytes(0));
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
  return layer_activation();
}

/// What a layer keeps when nothing is recomputed.
Bytes Program::layer_activation() const {
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
