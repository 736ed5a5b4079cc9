#include <algorithm>

#include "scenarios/lowering.h"

/// Everything behind the last backward pass: sums of gradients over replicas, tied embeddings, the norm, the
/// optimizer.
namespace makespan {

/// The pipeline ranks that hold a copy of the stage: one for each replica in the schedule, ascending.
std::vector<int> Lowering::owners(int model_stage) const {
  std::vector<int> ranks;
  for (int stage = model_stage; stage < schedule_.stages(); stage += schedule_.model_stages()) {
    ranks.push_back(schedule_.rank_of(stage));
  }
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

/// The copy of the stage on a rank that owns one.
int Lowering::stage_on(int pipeline, int model_stage) const {
  int stage = model_stage;
  while (schedule_.rank_of(stage) != pipeline) {
    stage += schedule_.model_stages();
  }
  return stage;
}

/// What ranks with the same stages reduce at once, in the order of the first of them: stages in the order of
/// their last backward pass, their units in the order of completion.
std::vector<std::vector<GradientUnit>> Lowering::buckets(const std::vector<int>& owners) {
  const int pipeline = owners.front();
  std::vector<int> stages;
  for (const Action& action : schedule_.actions[static_cast<std::size_t>(pipeline)]) {
    const bool completes = action.kind == ActionKind::backward || action.kind == ActionKind::backward_weight;
    if (completes && this->owners(action.stage % schedule_.model_stages()) == owners) {
      std::erase(stages, action.stage);
      stages.push_back(action.stage);
    }
  }
  const DataParallel& options = scenario_.parallelism.data_parallel;
  std::vector<std::vector<GradientUnit>> result;
  std::int64_t filled = 0;
  for (const int stage : stages) {
    bool open = !result.empty() && !options.overlap;  // without overlap everything is one bucket
    for (const GradientUnit& unit : place(pipeline, 0).program->gradient_units(stage)) {
      if (!open) {
        result.emplace_back();
        filled = 0;
      }
      filled += unit.parameters;
      result.back().push_back(unit);
      open = !options.overlap || filled < options.bucket;
    }
  }
  return result;
}

/// Per tensor-parallel rank, what completes the last gradient of the bucket on one of its owners.
std::vector<TaskId> Lowering::ready(const std::vector<GradientUnit>& bucket, int pipeline, int data) {
  const Place& at = place(pipeline, data);
  if (!scenario_.parallelism.data_parallel.overlap) {
    return at.cell->last();
  }
  std::vector<TaskId> latest(at.cell->size(), TaskId(0));
  for (GradientUnit unit : bucket) {
    unit.stage = stage_on(pipeline, unit.stage % schedule_.model_stages());
    const std::vector<TaskId>& tasks = at.program->ready(unit);
    // Tasks of one rank are numbered in the order in which they run.
    for (std::size_t lane = 0; lane < latest.size(); ++lane) {
      latest[lane] = std::max(latest[lane], tasks[lane]);
    }
  }
  return latest;
}

void Lowering::reduce(const std::vector<int>& owners) {
  for (const std::vector<GradientUnit>& bucket : buckets(owners)) {
    std::int64_t parameters = 0;
    for (const GradientUnit& unit : bucket) {
      parameters += unit.parameters;
    }
    const GradientUnit& last = bucket.back();
    const Label label{.name = names_.all_reduce,
                      .phase = Phase::backward,
                      .group = Group::dp,
                      .stage = last.stage,
                      .chunk = last.stage / schedule_.ranks,
                      .layer = std::max(last.layer, -1)};
    for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
      std::vector<DeviceId> members;
      for (const int pipeline : owners) {
        for (int data = 0; data < layout_.data(); ++data) {
          members.push_back(device(pipeline, data, tensor));
        }
      }
      const TransferTasks transfer = collective(CollectiveKind::all_reduce, members,
                                                workload().gradient_bytes * Bytes(parameters), label);
      for (const int pipeline : owners) {
        for (int data = 0; data < layout_.data(); ++data) {
          builder_.edge(ready(bucket, pipeline, data)[static_cast<std::size_t>(tensor)], transfer.first);
        }
        const auto [chain, is_first] = reduced_.try_emplace({pipeline, tensor}, transfer.last);
        if (!is_first) {
          builder_.edge(chain->second, transfer.first);
          chain->second = transfer.last;
        }
      }
    }
  }
}

void Lowering::reduce_gradients() {
  reduced_.clear();
  tied_.clear();
  std::set<std::vector<int>> groups;
  for (int stage = 0; stage < schedule_.model_stages(); ++stage) {
    groups.insert(owners(stage));
  }
  for (const std::vector<int>& group : groups) {
    if (static_cast<int>(group.size()) * layout_.data() > 1) {
      reduce(group);
    }
  }
}

/// Two copies of one matrix. Where the same ranks have both, they are one.
void Lowering::tie_embeddings() {
  const int first = schedule_.rank_of(0);
  const int last = schedule_.rank_of(schedule_.model_stages() - 1);
  if (!*scenario_.model.tied_embeddings || owners(0) == owners(schedule_.model_stages() - 1)) {
    return;
  }
  const Bytes payload = workload().gradient_bytes * Bytes(workload().embedding_parameters);
  const Label label{.name = names_.embedding_all_reduce, .phase = Phase::backward, .group = Group::other};
  for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
    for (int data = 0; data < layout_.data(); ++data) {
      const TransferTasks transfer =
          collective(CollectiveKind::all_reduce, {device(first, data, tensor), device(last, data, tensor)},
                     payload, label);
      for (const int pipeline : {first, last}) {
        builder_.edge(place(pipeline, data).cell->last()[static_cast<std::size_t>(tensor)], transfer.first);
        if (const auto chain = reduced_.find({pipeline, tensor}); chain != reduced_.end()) {
          builder_.edge(chain->second, transfer.first);
        }
      }
      tied_[{data, tensor}] = transfer.last;
    }
  }
}

void Lowering::step(int iteration) {
  const bool has_barrier = scenario_.schedule.optimizer_sync == OptimizerSync::barrier;
  for (int data = 0; data < layout_.data(); ++data) {
    if (!scenario_.profile && !has_barrier) {
      step_after_ranks_before(iteration, data);
      continue;
    }
    if (!scenario_.profile) {
      await_gradients(data);
    }
    for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
      step_of_rank(iteration, pipeline, data, {});
    }
  }
  if (scenario_.profile && has_barrier && !is_last(iteration)) {
    await_all_ranks(iteration);
  }
}

/// Without a flush: a rank's own step, behind the sum of its gradients over replicas and nothing else.
void Lowering::update_rank(int pipeline, int microbatch) {
  const auto per_iteration = static_cast<int>(scenario_.microbatches());
  const bool ends_iteration = (microbatch + 1) % per_iteration == 0;
  if (update_ == Update::each_iteration && !ends_iteration) {
    return;
  }
  if (!scenario_.profile && layout_.data() > 1) {
    reduce({pipeline});
  }
  for (int data = 0; data < layout_.data(); ++data) {
    std::vector<std::vector<TaskId>> waits(static_cast<std::size_t>(layout_.tensor()));
    for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
      if (const auto chain = reduced_.find({pipeline, tensor}); chain != reduced_.end()) {
        waits[static_cast<std::size_t>(tensor)].push_back(chain->second);
      }
    }
    if (!scenario_.profile) {
      compute_step(pipeline, data, waits);
    }
    if (ends_iteration) {
      end_iteration(microbatch / per_iteration, pipeline, data);
    }
  }
}

/// The end of an iteration on a rank: its optimizer's step, if it has gradients, after `waits`.
void Lowering::step_of_rank(int iteration, int pipeline, int data,
                            const std::vector<std::vector<TaskId>>& waits) {
  if (!scenario_.profile) {
    compute_step(pipeline, data, waits);
  }
  end_iteration(iteration, pipeline, data);
}

/// After tasks that each tensor-parallel rank waits for beside what its cell awaits.
void Lowering::compute_step(int pipeline, int data, const std::vector<std::vector<TaskId>>& waits) {
  Cell& cell = *place(pipeline, data).cell;
  cell.compute(optimizer_step(scenario_, accelerator_, parameters(pipeline)),
               {.name = names_.optimizer, .phase = Phase::optimizer});
  for (std::size_t lane = 0; lane < waits.size(); ++lane) {
    for (const TaskId before : waits[lane]) {
      builder_.edge(before, cell.last()[lane]);
    }
  }
}

void Lowering::end_iteration(int iteration, int pipeline, int data) {
  const std::vector<TaskId>& last = place(pipeline, data).cell->last();
  std::vector<TaskId>& ends = ends_[static_cast<std::size_t>(iteration)];
  ends.insert(ends.end(), last.begin(), last.end());
}

/// `task` needs all gradients of one rank.
void Lowering::add_gradient_edges(int pipeline, int data, int tensor, TaskId task) {
  builder_.edge(place(pipeline, data).cell->last()[static_cast<std::size_t>(tensor)], task);
  if (const auto chain = reduced_.find({pipeline, tensor}); chain != reduced_.end()) {
    builder_.edge(chain->second, task);
  }
  if (const auto tied = tied_.find({data, tensor}); tied != tied_.end()) {
    builder_.edge(tied->second, task);
  }
}

void Lowering::await_gradients(int data) {
  if (layout_.pipeline() * layout_.tensor() == 1) {
    if (const auto chain = reduced_.find({0, 0}); chain != reduced_.end()) {
      place(0, data).cell->await(chain->second);
    }
    return;
  }
  std::vector<DeviceId> members;
  for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
    for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
      members.push_back(device(pipeline, data, tensor));
    }
  }
  const TransferTasks norm =
      collective(CollectiveKind::all_reduce, members, Bytes(4),
                 {.name = names_.grad_norm, .phase = Phase::grad_norm, .group = Group::other});
  for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
    for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
      add_gradient_edges(pipeline, data, tensor, norm.first);
    }
    place(pipeline, data).cell->await(norm.last);
  }
}

/// Per tensor-parallel rank, what completes the norm of one pipeline rank's gradients.
std::vector<TaskId> Lowering::norm_of_rank(int pipeline, int data) {
  const Label label{
      .name = names_.partial_norm, .phase = Phase::grad_norm, .group = Group::other, .stage = pipeline};
  if (layout_.tensor() == 1) {
    const TaskId complete = builder_.marker(label);
    add_gradient_edges(pipeline, data, 0, complete);
    return {complete};
  }
  const TransferTasks norm =
      collective(CollectiveKind::all_reduce, place(pipeline, data).cell->devices(), Bytes(4), label);
  for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
    add_gradient_edges(pipeline, data, tensor, norm.first);
  }
  return std::vector<TaskId>(static_cast<std::size_t>(layout_.tensor()), norm.last);
}

/// The norm of one number from one pipeline rank to another, after `known`. Returns its arrival.
TaskId Lowering::send_norm(NameId name, int from, int to, int data, int tensor,
                           const std::vector<TaskId>& known) {
  const TransferTasks message =
      send(device(from, data, tensor), device(to, data, tensor), Bytes(4),
           {.name = name, .phase = Phase::grad_norm, .group = Group::other, .stage = from});
  for (const TaskId before : known) {
    builder_.edge(before, message.first);
  }
  return message.last;
}

/// Post-validation (Qi et al. 2024, section 4): the norm so far passes from rank to rank, and each steps when
/// it has it. The whole norm travels back during the next iteration, before whose step each rank needs it.
void Lowering::step_after_ranks_before(int iteration, int data) {
  const int tensors = layout_.tensor();
  std::vector<std::vector<TaskId>> known(static_cast<std::size_t>(tensors));  // by tensor: the norm so far
  for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
    const std::vector<TaskId> norms = norm_of_rank(pipeline, data);
    std::vector<std::vector<TaskId>> waits;
    for (int tensor = 0; tensor < tensors; ++tensor) {
      std::vector<TaskId>& norm = known[static_cast<std::size_t>(tensor)];
      norm.push_back(norms[static_cast<std::size_t>(tensor)]);
      waits.push_back(norm);
      if (const auto whole = validated_.find({pipeline, data, tensor}); whole != validated_.end()) {
        waits.back().push_back(whole->second);
      }
      if (pipeline + 1 < layout_.pipeline()) {
        norm = {send_norm(names_.partial_norm, pipeline, pipeline + 1, data, tensor, norm)};
      }
    }
    step_of_rank(iteration, pipeline, data, waits);
  }
  for (int tensor = 0; tensor < tensors && !is_last(iteration); ++tensor) {
    std::vector<TaskId>& norm = known[static_cast<std::size_t>(tensor)];
    for (int pipeline = layout_.pipeline() - 1; pipeline > 0; --pipeline) {
      norm = {send_norm(names_.whole_norm, pipeline, pipeline - 1, data, tensor, norm)};
      validated_[{pipeline - 1, data, tensor}] = norm.front();
    }
  }
}

/// Measured stage times have no gradients: all ranks end an iteration before any begins the next.
void Lowering::await_all_ranks(int iteration) {
  const TaskId all = builder_.marker({.name = names_.optimizer, .phase = Phase::optimizer});
  for (const TaskId end : ends_[static_cast<std::size_t>(iteration)]) {
    builder_.edge(end, all);
  }
  for (Place& at : places_) {
    at.cell->await(all);
  }
}

}  // namespace makespan
