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
      evict_activation(builder.name("evict activation")),
      load_activation(builder.name("load activation")),
      gather_activation(builder.name("gather activation")),
      gather_gradient(builder.name("gather gradient")),
      grad_norm(builder.name("grad-norm all-reduce")),
      partial_norm(builder.name("partial grad-norm")),
      whole_norm(builder.name("whole grad-norm")),
      optimizer(builder.name("optimizer")),
      embedding_all_reduce(builder.name("embedding all-reduce")) {}

Cell::Cell(TaskGraphBuilder& builder, std::vector<DeviceId> devices, CollectiveMaker collective)
    : builder_(builder), devices_(std::move(devices)), collective_(std::move(collective)) {}

void Cell::compute(const ComputeWork& work, const Label& label) {
  Strand& at = strand();
  std::vector<TaskId> tasks;
  tasks.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) {
    const TaskId task = builder_.compute(devices_[i], work, label);
    if (!last_.empty()) {
      builder_.edge(last_[i], task);
    }
    for (const TaskId before : at.awaited) {
      builder_.edge(before, task);
    }
    tasks.push_back(task);
  }
  at.awaited.clear();
  last_ = tasks;
  at.last = tasks;
  if (at.first.empty()) {
    at.first = tasks;
  }
  if (at.span_first.empty()) {
    at.span_first = std::move(tasks);
  }
}

TaskId Cell::collective(CollectiveKind kind, Bytes payload, const Label& label) {
  Strand& at = strand();
  const TransferTasks transfer = collective_(kind, payload, label);
  for (const TaskId before : at.last) {
    builder_.edge(before, transfer.first);
  }
  for (const TaskId before : at.awaited) {
    builder_.edge(before, transfer.first);
  }
  if (last_collective_) {
    builder_.edge(*last_collective_, transfer.first);
  }
  last_collective_ = transfer.last;
  if (at.first.empty()) {
    at.first.assign(size(), transfer.first);
  }
  return transfer.last;
}

void Cell::await(TaskId task) {
  strand().awaited.push_back(task);
}

void Cell::begin(std::size_t strands) {
  active_ = 0;
  for (std::size_t i = strands; i-- > 0;) {
    Strand& at = strands_[i];
    at.last = last_;
    at.awaited = strands_[0].awaited;
    at.first.clear();
    at.output.clear();
  }
}

void Cell::begin_action() {
  begin(1);
}

void Cell::begin_pair() {
  begin(2);
}

void Cell::mark_output() {
  Strand& at = strand();
  at.output = at.awaited.empty() ? at.last : std::vector<TaskId>(size(), at.awaited.back());
}

ActionTasks Cell::tasks_of(std::size_t strand) {
  active_ = strand;
  if (strands_[strand].output.empty()) {
    mark_output();
  }
  return {.first = strands_[strand].first, .output = strands_[strand].output, .last = last_};
}

ActionTasks Cell::end_action() {
  return tasks_of(0);
}

std::array<ActionTasks, 2> Cell::end_pair() {
  const std::array<ActionTasks, 2> result = {tasks_of(0), tasks_of(1)};
  active_ = 0;
  Strand& first = strands_[0];
  const Strand& second = strands_[1];
  first.last = last_;
  first.awaited.insert(first.awaited.end(), second.awaited.begin(), second.awaited.end());
  return result;
}

void Cell::allocate(MemoryKind kind, Bytes bytes) {
  const std::vector<TaskId>& first = strand().span_first;
  for (std::size_t i = 0; i < size(); ++i) {
    builder_.memory({.task = first[i], .device = devices_[i], .kind = kind, .at_end = false, .bytes = bytes});
  }
}

void Cell::release(MemoryKind kind, Bytes bytes) {
  const std::vector<TaskId>& last = strand().last;
  for (std::size_t i = 0; i < size(); ++i) {
    builder_.memory(
        {.task = last[i], .device = devices_[i], .kind = kind, .at_end = true, .bytes = Bytes(0) - bytes});
  }
}

}  // namespace makespan
