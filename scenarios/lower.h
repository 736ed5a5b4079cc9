#pragma once

#include <vector>

#include "core/task_graph.h"
#include "devices/memory_ledger.h"
#include "scenarios/layout.h"
#include "scenarios/prepared.h"
#include "schedules/catalogue.h"

namespace makespan {

/// A scenario as a task graph. Devices are the classes of the partition; resources are the links of the
/// topology, in the topology's order.
struct Lowered {
  TaskGraph graph;
  std::vector<MemorySplit> statics;       ///< by device: weights, gradients, optimizer state
  std::vector<std::vector<TaskId>> ends;  ///< by iteration: the tasks after which it is over
};

/// Lowers every rank of `partition` over one or more iterations: the schedule's passes (scenarios/program.h),
/// the messages between stages, gradient reduction, gradient norm and optimizer. Requires for now the finest
/// partition.
///
/// Gradients are reduced over the data-parallel group in buckets, in the order in which the backward passes
/// complete them; with overlap a bucket starts when its last gradient is there (Megatron-LM's DDP), otherwise
/// after the last backward pass. Tied embeddings are then summed between the first and the last stage; the
/// norm of the gradients is reduced over the model-parallel group; then the optimizer steps.
[[nodiscard]] Lowered lower(const Prepared& prepared, const Partition& partition);

}  // namespace makespan
