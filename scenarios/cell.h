#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/task_graph.h"
#include "network/collective.h"
#include "scenarios/layout.h"
#include "scenarios/workload.h"
#include "schedules/schedule.h"

namespace makespan {

/// A communication in the task graph: what waits for its members, and what others wait for. A fluid transfer
/// is one task.
struct TransferTasks {
  TaskId first;
  TaskId last;
};

/// Gives the transfer of a collective of `kind` and `payload` among the members of one group.
using CollectiveMaker = std::function<TransferTasks(CollectiveKind kind, Bytes payload, const Label& label)>;

/// The tasks of one action of the schedule, as messages need them; one entry per tensor-parallel rank.
struct ActionTasks {
  std::vector<TaskId> first;   ///< what starts it
  std::vector<TaskId> output;  ///< what makes its result available
  std::vector<TaskId> last;    ///< the last compute task
};

/// A piece of the model whose gradient is complete at once: the head, a layer, or the embedding.
struct GradientUnit {
  static constexpr int kHead = -2;
  static constexpr int kEmbedding = -1;

  int stage = 0;
  int layer = 0;  ///< the model's number of the layer, or one of the above
  std::int64_t parameters = 0;
};

/// Labels by name, interned once.
struct LabelNames {
  explicit LabelNames(TaskGraphBuilder& builder);

  NameId attention, mlp, embedding, head, forward, backward, loss;
  NameId all_reduce, all_gather, reduce_scatter, send_activation, send_gradient, evict_activation,
      load_activation, gather_activation, gather_gradient;
  NameId grad_norm, partial_norm, whole_norm, optimizer, embedding_all_reduce;
};

/// One tensor-parallel group at one place of the pipeline and of the data dimension: its ranks run the same
/// program in step. Emits compute tasks on the chain of every rank and collectives on the group's
/// communication chain.
///
/// Two actions that overlap are the two strands of one pair: their tasks share the chains, and each waits
/// only for its own strand's computation and collectives, so that one strand computes while the other
/// communicates.
class Cell {
 public:
  /// `devices` are the members' devices in tensor order. `collective` makes the group's collectives.
  Cell(TaskGraphBuilder& builder, std::vector<DeviceId> devices, CollectiveMaker collective);

  /// One compute task per rank, after the rank's previous one and after collectives that are waited for.
  void compute(const ComputeWork& work, const Label& label);

  /// A collective after the strand's previous compute of every member and the group's previous collective.
  /// What follows on the strand waits for it, once await() was called with the returned end.
  TaskId collective(CollectiveKind kind, Bytes payload, const Label& label);
  void await(TaskId task);

  /// Marks where an action begins; end_action tells its tasks.
  void begin_action();
  [[nodiscard]] ActionTasks end_action();
  /// Marks where two actions begin that overlap: strands 0 and 1, the first of which is entered.
  void begin_pair();

  void enter(std::size_t strand) { active_ = strand; }

  [[nodiscard]] std::array<ActionTasks, 2> end_pair();
  /// The action's result is available now; work that follows does not hold it up. By default: at its end.
  void mark_output();

  /// The next compute task opens a span, for allocate().
  void begin_span() { strand().span_first.clear(); }

  /// The last compute task per rank.
  [[nodiscard]] const std::vector<TaskId>& last() const { return last_; }

  [[nodiscard]] const std::vector<DeviceId>& devices() const { return devices_; }

  [[nodiscard]] std::size_t size() const { return devices_.size(); }

  /// Takes bytes on every rank when the span's first compute task starts.
  void allocate(MemoryKind kind, Bytes bytes);
  /// Gives bytes back on every rank when the strand's last compute task ends.
  void release(MemoryKind kind, Bytes bytes);

 private:
  /// What an action knows of its own tasks.
  struct Strand {
    std::vector<TaskId> last;     ///< the last compute task per rank; empty before the first
    std::vector<TaskId> awaited;  ///< collectives that the next task waits for
    std::vector<TaskId> first;
    std::vector<TaskId> output;
    std::vector<TaskId> span_first;
  };

  [[nodiscard]] Strand& strand() { return strands_[active_]; }

  void begin(std::size_t strands);
  [[nodiscard]] ActionTasks tasks_of(std::size_t strand);

  TaskGraphBuilder& builder_;
  std::vector<DeviceId> devices_;
  CollectiveMaker collective_;
  std::vector<TaskId> last_;  ///< last compute task per rank; empty before the first
  std::optional<TaskId> last_collective_;
  std::array<Strand, 2> strands_;
  std::size_t active_ = 0;
};

}  // namespace makespan
