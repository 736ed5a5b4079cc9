#include "scenarios/lower.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

#include "scenarios/cell.h"
#include "scenarios/program.h"
#include "scenarios/workload.h"

namespace makespan {

namespace {

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
  void emit_messages(int iteration);
  TransferTasks emit_message(const Message& message, const Label& label, int data, int tensor);
  void reduce_gradients();
  void reduce_stage_rank(int pipeline);
  void tie_embeddings();
  void await_gradients(int data);
  void step(int iteration);

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

  [[nodiscard]] std::vector<std::vector<GradientUnit>> buckets(int pipeline);
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
  GroupPlanner planner_;
  std::vector<StageLayers> stages_;
  std::optional<Workload> workload_;
  std::vector<Message> messages_;
  std::vector<Place> places_;
  std::vector<std::size_t> gpu_of_device_;
  std::vector<std::size_t> device_of_gpu_;
  std::map<std::tuple<Group, CollectiveKind, std::vector<DeviceId>, Bytes>, Planned> collectives_;
  std::map<std::tuple<DeviceId, DeviceId, Bytes>, Planned> sends_;
  std::map<std::pair<int, int>, std::optional<TaskId>>
      reduced_;                                 ///< by pipeline and tensor: end of the dp chain
  std::map<std::pair<int, int>, TaskId> tied_;  ///< by data and tensor: the sum of tied embeddings
  std::vector<std::vector<TaskId>> ends_;
};

Lowering::Lowering(const Prepared& prepared, const Partition& partition)
    : scenario_(prepared.scenario),
      schedule_(prepared.schedule),
      machine_(prepared.machine),
      accelerator_(*prepared.accelerator),
      partition_(partition),
      layout_(scenario_),
      builder_(partition.representative.size()),
      names_(builder_),
      planner_(scenario_, machine_, accelerator_, prepared.collectives),
      messages_(plan_messages(schedule_, *scenario_.schedule.communication)) {
  if (!scenario_.profile) {
    stages_ = stage_layers(scenario_, schedule_.stages());
    workload_ = build_workload(scenario_, accelerator_,
                               schedule_.rank_of_stage.front() == schedule_.rank_of_stage.back());
  }
}

Lowered Lowering::run() {
  add_links();
  add_places();
  for (int iteration = 0; iteration < scenario_.simulation.iterations; ++iteration) {
    emit_actions(iteration);
    emit_messages(iteration);
    if (!scenario_.profile) {
      reduce_gradients();
      tie_embeddings();
    }
    step(iteration);
  }
  return {.graph = std::move(builder_).build(), .statics = statics(), .ends = std::move(ends_)};
}

void Lowering::add_links() {
  const Topology& topology = machine_.topology;
  for (std::size_t i = 0; i < topology.links().size(); ++i) {
    const Link& link = topology.links()[i];
    builder_.resource(link_name(topology, ResourceId(i)), to_string(link.kind), link.capacity);
  }
  for (const CapacityChange& change : machine_.changes) {
    builder_.capacity_change(change);
  }
  device_of_gpu_.resize(topology.gpu_count());
  for (std::size_t d = 0; d < partition_.representative.size(); ++d) {
    gpu_of_device_.push_back(layout_.gpu(partition_.representative[d]));
    device_of_gpu_[gpu_of_device_.back()] = d;
  }
}

void Lowering::add_places() {
  for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
    for (int data = 0; data < layout_.data(); ++data) {
      std::vector<DeviceId> devices;
      for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
        devices.push_back(device(pipeline, data, tensor));
      }
      const auto make = [this, devices](CollectiveKind kind, Bytes payload, const Label& label) {
        return collective(kind, devices, payload, label);
      };
      Place place;
      place.cell = std::make_unique<Cell>(builder_, devices, make);
      place.program = std::make_unique<Program>(scenario_, workload_ ? &*workload_ : nullptr, names_, stages_,
                                                schedule_, *place.cell);
      places_.push_back(std::move(place));
    }
  }
}

void Lowering::emit_actions(int iteration) {
  for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
    for (int data = 0; data < layout_.data(); ++data) {
      Place& at = place(pipeline, data);
      at.actions.clear();
      at.before = at.cell->last();
      for (const Action& action : schedule_.actions[static_cast<std::size_t>(pipeline)]) {
        // Sends and receives keep their positions; what they do is in the messages.
        at.actions.push_back(is_compute(action.kind) ? at.program->emit(action, iteration) : ActionTasks{});
      }
    }
  }
}

void Lowering::emit_messages(int iteration) {
  std::vector<std::vector<TransferTasks>> sent;  // by message; by data and tensor
  for (const Message& message : messages_) {
    const Label label{.name = message.forward ? names_.send_activation : names_.send_gradient,
                      .phase = message.forward ? Phase::forward : Phase::backward,
                      .group = Group::pp,
                      .stage = message.from_stage,
                      .chunk = message.from_stage / schedule_.ranks,
                      .microbatch = iteration * schedule_.microbatches + message.microbatch};
    sent.emplace_back();
    for (int data = 0; data < layout_.data(); ++data) {
      for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
        sent.back().push_back(emit_message(message, label, data, tensor));
      }
    }
  }
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    for (const int earlier : messages_[i].after_messages) {
      for (std::size_t lane = 0; lane < sent[i].size(); ++lane) {
        builder_.edge(sent[static_cast<std::size_t>(earlier)][lane].last, sent[i][lane].first);
      }
    }
  }
}

TransferTasks Lowering::emit_message(const Message& message, const Label& label, int data, int tensor) {
  const DeviceId from = device(message.producer.rank, data, tensor);
  const DeviceId to = device(message.consumer.rank, data, tensor);
  TransferTasks transfer;
  Bytes bytes;
  if (scenario_.profile && scenario_.profile->message == Bytes(0)) {
    const RouteId nothing = builder_.route({.uses = {}, .members = {from, to}});
    transfer = emit(
        {nothing, {.amount = Bytes(0), .latency = scenario_.profile->communication}, std::nullopt}, label);
  } else {
    bytes = scenario_.profile ? scenario_.profile->message : workload_->message;
    transfer = send(from, to, bytes, label);
  }
  const auto lane = static_cast<std::size_t>(tensor);
  builder_.edge(tasks(message.producer, data).output[lane], transfer.first);
  const TaskId consumer = tasks(message.consumer, data).first[lane];
  builder_.edge(transfer.last, consumer);
  for (const ActionRef& at : message.after) {
    builder_.edge(tasks(at, data).last[lane], transfer.first);
    builder_.edge(tasks(at, data).output[lane], transfer.first);
  }
  for (const ActionRef& at : message.before) {
    builder_.edge(transfer.last, tasks(at, data).first[lane]);
  }
  // A receive that is posted before the first compute of an iteration is posted after the one before.
  const bool posted_later = std::any_of(message.after.begin(), message.after.end(), [&](const ActionRef& at) {
    return at.rank == message.consumer.rank;
  });
  const std::vector<TaskId>& before = place(message.consumer.rank, data).before;
  if (*scenario_.schedule.communication != Communication::independent && !posted_later && !before.empty()) {
    builder_.edge(before[lane], transfer.first);
  }
  // The receive buffer lives from the start of the transfer to the end of the first task that reads it.
  builder_.memory(
      {.task = transfer.first, .device = to, .kind = MemoryKind::buffers, .at_end = false, .bytes = bytes});
  builder_.memory({.task = consumer,
                   .device = to,
                   .kind = MemoryKind::buffers,
                   .at_end = true,
                   .bytes = Bytes(0) - bytes});
  return transfer;
}

std::vector<std::vector<GradientUnit>> Lowering::buckets(int pipeline) {
  // Stages in the order of their last backward pass, their units in the order of completion.
  const std::vector<Action>& actions = schedule_.actions[static_cast<std::size_t>(pipeline)];
  std::vector<int> stages;
  for (const Action& action : actions) {
    if (action.kind == ActionKind::backward || action.kind == ActionKind::backward_weight) {
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

void Lowering::reduce_stage_rank(int pipeline) {
  for (const std::vector<GradientUnit>& bucket : buckets(pipeline)) {
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
      for (int data = 0; data < layout_.data(); ++data) {
        members.push_back(device(pipeline, data, tensor));
      }
      const TransferTasks transfer = collective(CollectiveKind::all_reduce, members,
                                                workload_->gradient_bytes * Bytes(parameters), label);
      for (int data = 0; data < layout_.data(); ++data) {
        const Place& at = place(pipeline, data);
        const std::vector<TaskId> ready =
            scenario_.parallelism.data_parallel.overlap ? at.program->ready(last) : at.cell->last();
        builder_.edge(ready[static_cast<std::size_t>(tensor)], transfer.first);
      }
      std::optional<TaskId>& chain = reduced_[{pipeline, tensor}];
      if (chain) {
        builder_.edge(*chain, transfer.first);
      }
      chain = transfer.last;
    }
  }
}

void Lowering::reduce_gradients() {
  reduced_.clear();
  tied_.clear();
  if (layout_.data() == 1) {
    return;
  }
  for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
    reduce_stage_rank(pipeline);
  }
}

void Lowering::tie_embeddings() {
  const int first = schedule_.rank_of_stage.front();
  const int last = schedule_.rank_of_stage.back();
  if (!*scenario_.model.tied_embeddings || first == last) {
    return;
  }
  const Bytes payload = workload_->gradient_bytes * Bytes(workload_->embedding_parameters);
  const Label label{.name = names_.embedding_all_reduce, .phase = Phase::backward, .group = Group::other};
  for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
    for (int data = 0; data < layout_.data(); ++data) {
      const TransferTasks transfer =
          collective(CollectiveKind::all_reduce, {device(first, data, tensor), device(last, data, tensor)},
                     payload, label);
      for (const int pipeline : {first, last}) {
        builder_.edge(place(pipeline, data).cell->last()[static_cast<std::size_t>(tensor)], transfer.first);
        if (const auto& chain = reduced_[{pipeline, tensor}]) {
          builder_.edge(*chain, transfer.first);
        }
      }
      tied_[{data, tensor}] = transfer.last;
    }
  }
}

void Lowering::step(int iteration) {
  for (int data = 0; data < layout_.data(); ++data) {
    if (!scenario_.profile) {
      await_gradients(data);
    }
    for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
      Cell& cell = *place(pipeline, data).cell;
      if (!scenario_.profile) {
        cell.compute(optimizer_step(scenario_, accelerator_, parameters(pipeline)),
                     {.name = names_.optimizer, .phase = Phase::optimizer});
      }
      ends_.resize(static_cast<std::size_t>(iteration) + 1);
      ends_.back().insert(ends_.back().end(), cell.last().begin(), cell.last().end());
    }
  }
}

void Lowering::await_gradients(int data) {
  if (layout_.pipeline() * layout_.tensor() == 1) {
    if (const auto& chain = reduced_[{0, 0}]) {
      place(0, data).cell->await(*chain);
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
    Cell& cell = *place(pipeline, data).cell;
    for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
      builder_.edge(cell.last()[static_cast<std::size_t>(tensor)], norm.first);
      if (const auto& chain = reduced_[{pipeline, tensor}]) {
        builder_.edge(*chain, norm.first);
      }
      if (const auto tied = tied_.find({data, tensor}); tied != tied_.end()) {
        builder_.edge(tied->second, norm.first);
      }
    }
    cell.await(norm.last);
  }
}

TransferTasks Lowering::collective(CollectiveKind kind, const std::vector<DeviceId>& members, Bytes payload,
                                   const Label& label) {
  auto [entry, is_new] = collectives_.try_emplace({label.group, kind, members, payload});
  if (is_new) {
    std::vector<std::size_t> gpus;
    for (const DeviceId member : members) {
      gpus.push_back(gpu_of_device_[member.index()]);
    }
    CollectivePlan plan = planner_.collective(label.group, kind, gpus, payload);
    std::optional<Chunks> messages = planner_.messages(kind, gpus, payload, plan);
    entry->second = intern(std::move(plan.transfer));
    entry->second.messages = on_devices(std::move(messages));
  }
  return emit(entry->second, label);
}

TransferTasks Lowering::send(DeviceId from, DeviceId to, Bytes bytes, const Label& label) {
  auto [entry, is_new] = sends_.try_emplace({from, to, bytes});
  if (is_new) {
    entry->second = intern(planner_.send(gpu_of_device_[from.index()], gpu_of_device_[to.index()], bytes));
  }
  return emit(entry->second, label);
}

Lowering::Planned Lowering::intern(TransferPlan plan) {
  return {builder_.route(on_devices(std::move(plan.route))), plan.work, std::nullopt};
}

TransferTasks Lowering::emit(const Planned& planned, const Label& label) {
  if (planned.messages) {
    const ChunkTasks tasks = add(builder_, *planned.messages, label);
    return {tasks.first, tasks.last};
  }
  const TaskId task = builder_.transfer(planned.route, planned.work, label);
  return {task, task};
}

Route Lowering::on_devices(Route route) const {
  for (DeviceId& member : route.members) {
    member = DeviceId(device_of_gpu_[member.index()]);
  }
  return route;
}

std::optional<Chunks> Lowering::on_devices(std::optional<Chunks> chunks) const {
  if (chunks) {
    for (Chunks::Hop& hop : chunks->hops) {
      hop.route = on_devices(std::move(hop.route));
    }
    chunks->members = on_devices(Route{.uses = {}, .members = std::move(chunks->members)}).members;
  }
  return chunks;
}

std::int64_t Lowering::parameters(int pipeline) const {
  Bytes sum;  // a checked count
  for (int stage = 0; stage < schedule_.stages(); ++stage) {
    if (schedule_.rank_of_stage[static_cast<std::size_t>(stage)] == pipeline) {
      const StageLayers& layers = stages_[static_cast<std::size_t>(stage)];
      sum += layers.count * Bytes(workload_->layer_parameters());
      sum += Bytes(layers.head ? workload_->head_parameters : 0);
      sum += Bytes(layers.embedding ? workload_->embedding_parameters : 0);
    }
  }
  return sum.count();
}

std::vector<MemorySplit> Lowering::statics() const {
  std::vector<MemorySplit> result(partition_.representative.size());
  for (std::size_t d = 0; d < result.size() && !scenario_.profile; ++d) {
    const std::int64_t local = parameters(layout_.coordinates(partition_.representative[d]).pipeline);
    result[d][static_cast<std::size_t>(MemoryKind::weights)] = workload_->weight_bytes * Bytes(local);
    result[d][static_cast<std::size_t>(MemoryKind::gradients)] = workload_->gradient_bytes * Bytes(local);
    result[d][static_cast<std::size_t>(MemoryKind::optimizer)] = workload_->optimizer_bytes * Bytes(local);
  }
  return result;
}

}  // namespace

bool lowers(const ScheduleKind& kind) {
  constexpr std::array<std::string_view, 7> kBare = {
      "interleaved-overlap", "pipedream", "pipedream-2bw", "seq1f1b", "chimera", "dualpipe", "dualpipev"};
  return std::find(kBare.begin(), kBare.end(), kind.name) == kBare.end();
}

Lowered lower(const Prepared& prepared, const Partition& partition) {
  return Lowering(prepared, partition).run();
}

}  // namespace makespan
