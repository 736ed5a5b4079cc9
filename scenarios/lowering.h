#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "scenarios/cell.h"
#include "scenarios/lower.h"
#include "scenarios/program.h"
#include "scenarios/schedule_source.h"
#include "scenarios/workload.h"

namespace makespan {

/// The state of lowering one scenario.
class Lowering {
 public:
  Lowering(const Prepared& prepared, const Partition& partition);

  Lowered run();

 private:
  /// A cell with what its program has emitted in the present iteration.
  struct Place {
    std::unique_ptr<Cell> cell;
    std::unique_ptr<Program> program;
    std::vector<ActionTasks> actions;  ///< by position in the schedule
    std::vector<TaskId> before;        ///< the last compute of the iteration before, per tensor-parallel rank
  };

  /// A communication that was planned, as the graph keeps it.
  struct Planned {
    RouteId route;
    TransferWork work;
    std::optional<Chunks> messages;  ///< in place of the one transfer
  };

  void add_links();
  void add_places();
  void emit_actions(int iteration);
  void emit_action(Place& at, const std::vector<Action>& actions, std::size_t position, int iteration);
  void update_rank(int pipeline, int microbatch);
  void emit_messages(int iteration);
  void emit_evictions(int iteration);
  void emit_eviction(const Eviction& eviction, int backward, int iteration, int data, int tensor);
  TransferTasks emit_message(const Message& message, const Label& label, int data, int tensor);
  void reduce_gradients();
  void reduce(const std::vector<int>& owners);
  void tie_embeddings();
  void step(int iteration);
  void step_of_rank(int iteration, int pipeline, int data, const std::vector<std::vector<TaskId>>& waits);
  void compute_step(int pipeline, int data, const std::vector<std::vector<TaskId>>& waits);
  void end_iteration(int iteration, int pipeline, int data);
  void await_gradients(int data);
  std::vector<TaskId> norm_of_rank(int pipeline, int data);
  TaskId send_norm(NameId name, int from, int to, int data, int tensor, const std::vector<TaskId>& known);
  void step_after_ranks_before(int iteration, int data);
  void await_all_ranks(int iteration);

  [[nodiscard]] Place& place(int pipeline, int data) {
    const auto row = static_cast<std::size_t>(pipeline) * static_cast<std::size_t>(layout_.data());
    return places_[row + static_cast<std::size_t>(data)];
  }

  [[nodiscard]] const ActionTasks& tasks(const ActionRef& at, int data) {
    return place(at.rank, data).actions[static_cast<std::size_t>(at.position)];
  }

  [[nodiscard]] DeviceId device(int pipeline, int data, int tensor) const {
    return DeviceId(static_cast<std::size_t>(partition_.class_of[static_cast<std::size_t>(
        layout_.rank({.tensor = tensor, .context = 0, .data = data, .pipeline = pipeline}))]));
  }

  [[nodiscard]] bool is_last(int iteration) const { return iteration + 1 == scenario_.simulation.iterations; }

  /// What all pieces of a sequence have in common.
  [[nodiscard]] const Workload& workload() const { return workloads_.front(); }

  [[nodiscard]] std::vector<int> owners(int model_stage) const;
  [[nodiscard]] int stage_on(int pipeline, int model_stage) const;
  [[nodiscard]] std::vector<std::vector<GradientUnit>> buckets(const std::vector<int>& owners);
  [[nodiscard]] std::vector<TaskId> ready(const std::vector<GradientUnit>& bucket, int pipeline, int data);
  void add_gradient_edges(int pipeline, int data, int tensor, TaskId task);
  TransferTasks collective(CollectiveKind kind, const std::vector<DeviceId>& members, Bytes payload,
                           const Label& label);
  TransferTasks send(DeviceId from, DeviceId to, Bytes bytes, const Label& label);
  [[nodiscard]] Planned intern(TransferPlan plan);
  TransferTasks emit(const Planned& planned, const Label& label);
  [[nodiscard]] Route on_devices(Route route) const;
  [[nodiscard]] std::optional<Chunks> on_devices(std::optional<Chunks> chunks) const;
  [[nodiscard]] std::int64_t parameters(int pipeline) const;
  [[nodiscard]] std::vector<MemorySplit> statics() const;

  const Scenario& scenario_;
  const Schedule& schedule_;
  const Machine& machine_;
  const Accelerator& accelerator_;
  const Partition& partition_;
  Layout layout_;
  TaskGraphBuilder builder_;
  LabelNames names_;
  Update update_;
  GroupPlanner planner_;
  std::vector<StageLayers> stages_;
  std::vector<Workload> workloads_;  ///< by piece of a sequence; none with a profile
  std::vector<Message> messages_;
  std::vector<Place> places_;
  std::vector<std::size_t> gpu_of_device_;
  std::vector<std::size_t> device_of_gpu_;
  std::map<std::tuple<Group, CollectiveKind, std::vector<DeviceId>, Bytes>, Planned> collectives_;
  std::map<std::tuple<DeviceId, DeviceId, Bytes>, Planned> sends_;
  std::map<std::pair<int, int>, TaskId> reduced_;  ///< by pipeline and tensor: end of the dp chain
  std::map<std::pair<int, int>, TaskId> tied_;     ///< by data and tensor: the sum of tied embeddings
  /// By pipeline, data and tensor: the last iteration's gradient norm has arrived.
  std::map<std::tuple<int, int, int>, TaskId> validated_;
  std::vector<std::vector<TaskId>> ends_;
};

}  // namespace makespan
