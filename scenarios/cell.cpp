#include "scenarios/cell.h"

#include <utility>

namespace makespan {

LabelNames::LabelNames(TaskGraphBuilder& builder)
    : attention(builder.name("attention")),
      mlp(builder.name("mlp")),
      embedding(builder.name("embedding")),
      head(builder.name("head")),
      forward(builder.name("forward")),
      backward(builder.name("backward")),
      loss(builder.name("loss all-reduce")),
      all_reduce(builder.name("all-reduce")),
      all_gather(builder.name("all-gather")),
      reduce_scatter(builder.name("reduce-scatter")),
      send_activation(builder.name("send activation")),
      send_gradient(builder.name("send gradient")),
      gather_activation(builder.name("gather activation")),
      gather_gradient(builder.name("gather gradient")),
      grad_norm(builder.name("grad-norm all-reduce")),
      optimizer(builder.name("optimizer")),
      embedding_all_reduce(builder.name("embedding all-reduce")) {}

Cell::Cell(TaskGraphBuilder& builder, std::vector<DeviceId> devices, CollectiveMaker collective)
    : builder_(builder), devices_(std::move(devices)), collective_(std::move(collective)) {}

void Cell::compute(const ComputeWork& work, const Label& label) {
  std::vector<TaskId> tasks;
  tasks.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) {
    const TaskId task = builder_.compute(devices_[i], work, label);
    if (!last_.empty()) {
      builder_.edge(last_[i], task);
    }
    for (const TaskId before : awaited_) {
      builder_.edge(before, task);
    }
    tasks.push_back(task);
  }
  awaited_.clear();
  last_ = tasks;
  if (action_first_.empty()) {
    action_first_ = tasks;
  }
  if (span_first_.empty()) {
    span_first_ = std::move(tasks);
  }
}

TaskId Cell::collective(CollectiveKind kind, Bytes payload, const Label& label) {
  const TransferTasks transfer = collective_(kind, payload, label);
  for (const TaskId before : last_) {
    builder_.edge(before, transfer.first);
  }
  for (const TaskId before : awaited_) {
    builder_.edge(before, transfer.first);
  }
  if (last_collective_) {
    builder_.edge(*last_collective_, transfer.first);
  }
  last_collective_ = transfer.last;
  if (action_first_.empty()) {
    action_first_.assign(size(), transfer.first);
  }
  return transfer.last;
}

void Cell::await(TaskId task) {
  awaited_.push_back(task);
}

void Cell::begin_action() {
  action_first_.clear();
  output_.clear();
}

void Cell::mark_output() {
  output_ = awaited_.empty() ? last_ : std::vector<TaskId>(size(), awaited_.back());
}

ActionTasks Cell::end_action() {
  if (output_.empty()) {
    mark_output();
  }
  return {.first = action_first_, .output = output_, .last = last_};
}

void Cell::allocate(MemoryKind kind, Bytes bytes) {
  for (std::size_t i = 0; i < size(); ++i) {
    builder_.memory(
        {.task = span_first_[i], .device = devices_[i], .kind = kind, .at_end = false, .bytes = bytes});
  }
}

void Cell::release(MemoryKind kind, Bytes bytes) {
  for (std::size_t i = 0; i < size(); ++i) {
    builder_.memory(
        {.task = last_[i], .device = devices_[i], .kind = kind, .at_end = true, .bytes = Bytes(0) - bytes});
  }
}

}  // namespace makespan
