#include <algorithm>

#include "scenarios/lowering.h"
#include "schedules/evictions.h"

namespace makespan {

Lowering::Lowering(const Prepared& prepared, const Partition& partition)
    : scenario_(prepared.scenario),
      schedule_(prepared.schedule),
      machine_(prepared.machine),
      accelerator_(*prepared.accelerator),
      partition_(partition),
      layout_(scenario_),
      builder_(partition.representative.size()),
      names_(builder_),
      update_(update_of(scenario_)),
      planner_(scenario_, machine_, accelerator_, prepared.collectives),
      messages_(plan_messages(schedule_, *scenario_.schedule.communication)) {
  if (!scenario_.profile) {
    const std::vector<StageLayers> stages = stage_layers(scenario_, schedule_.model_stages());
    for (int replica = 0; replica < schedule_.replicas; ++replica) {
      stages_.insert(stages_.end(), stages.begin(), stages.end());
    }
    const bool has_both_ends = owners(0) == owners(schedule_.model_stages() - 1);
    for (int piece = 0; piece < schedule_.pieces; ++piece) {
      workloads_.push_back(build_workload(scenario_, accelerator_, has_both_ends,
                                          {.index = piece, .count = schedule_.pieces}));
    }
  }
}

Lowered Lowering::run() {
  add_links();
  add_places();
  ends_.resize(static_cast<std::size_t>(scenario_.simulation.iterations));
  if (update_ != Update::flush) {
    emit_actions(0);
    emit_messages(0);
  } else {
    for (int iteration = 0; iteration < scenario_.simulation.iterations; ++iteration) {
      emit_actions(iteration);
      emit_messages(iteration);
      emit_evictions(iteration);
      if (!scenario_.profile) {
        reduce_gradients();
        tie_embeddings();
      }
      step(iteration);
    }
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
      place.program =
          std::make_unique<Program>(scenario_, workloads_, names_, stages_, schedule_, *place.cell);
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
    }
    const std::vector<Action>& actions = schedule_.actions[static_cast<std::size_t>(pipeline)];
    for (std::size_t i = 0; i < actions.size(); i += actions[i].overlaps_next ? 2 : 1) {
      for (int data = 0; data < layout_.data(); ++data) {
        emit_action(place(pipeline, data), actions, i, iteration);
      }
      if (update_ != Update::flush && actions[i].kind == ActionKind::backward) {
        update_rank(pipeline, actions[i].microbatch);
      }
    }
  }
}

void Lowering::emit_action(Place& at, const std::vector<Action>& actions, std::size_t position,
                           int iteration) {
  const Action& action = actions[position];
  if (action.overlaps_next) {
    const auto [forward, backward] = at.program->emit_pair(action, actions[position + 1], iteration);
    at.actions.insert(at.actions.end(), {forward, backward});
  } else {
    // Sends and receives keep their positions; what they do is in the messages.
    at.actions.push_back(is_compute(action.kind) ? at.program->emit(action, iteration) : ActionTasks{});
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

void Lowering::emit_evictions(int iteration) {
  const std::vector<int> backwards = backward_positions(schedule_);
  for (std::size_t i = 0; i < schedule_.evictions.size(); ++i) {
    for (int data = 0; data < layout_.data(); ++data) {
      for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
        emit_eviction(schedule_.evictions[i], backwards[i], iteration, data, tensor);
      }
    }
  }
}

/// There and back as transfers of what the forward pass keeps. The next forward pass waits until it is gone.
void Lowering::emit_eviction(const Eviction& eviction, int backward, int iteration, int data, int tensor) {
  const auto lane = static_cast<std::size_t>(tensor);
  const std::vector<Action>& actions = schedule_.actions[static_cast<std::size_t>(eviction.rank)];
  const Action& forward = actions[static_cast<std::size_t>(eviction.out_after)];
  const Bytes bytes = place(eviction.rank, data).program->activation(forward);
  Label label{.name = names_.evict_activation,
              .phase = Phase::forward,
              .group = Group::pp,
              .stage = eviction.stage,
              .chunk = eviction.stage / schedule_.ranks,
              .microbatch = iteration * schedule_.microbatches + eviction.microbatch};
  const DeviceId home = device(eviction.rank, data, tensor);
  const DeviceId guest = device(eviction.to, data, tensor);
  const TransferTasks out = send(home, guest, bytes, label);
  label.name = names_.load_activation;
  label.phase = Phase::backward;
  const TransferTasks back = send(guest, home, bytes, label);
  const auto at = [&](int position) -> const ActionTasks& { return tasks({eviction.rank, position}, data); };
  builder_.edge(at(eviction.out_after).last[lane], out.first);
  const auto next = std::find_if(actions.begin() + eviction.out_after + 1, actions.end(),
                                 [](const Action& action) { return action.kind == ActionKind::forward; });
  if (next != actions.end()) {
    builder_.edge(out.last, at(static_cast<int>(next - actions.begin())).first[lane]);
  }
  builder_.edge(out.last, back.first);
  builder_.edge(at(eviction.back_after).last[lane], back.first);
  builder_.edge(back.last, at(backward).first[lane]);
  const auto holds = [&](TaskId task, DeviceId on, bool at_end, Bytes change) {
    builder_.memory(
        {.task = task, .device = on, .kind = MemoryKind::activations, .at_end = at_end, .bytes = change});
  };
  holds(out.first, guest, false, bytes);
  holds(out.last, home, true, Bytes(0) - bytes);
  holds(back.first, home, false, bytes);
  holds(back.last, guest, true, Bytes(0) - bytes);
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
    bytes = scenario_.profile ? share_of_piece(scenario_.profile->message, schedule_, message.microbatch)
                              : workload().message;
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
      sum += layers.count * Bytes(workload().layer_parameters());
      sum += Bytes(layers.head ? workload().head_parameters : 0);
      sum += Bytes(layers.embedding ? workload().embedding_parameters : 0);
    }
  }
  return sum.count();
}

std::vector<MemorySplit> Lowering::statics() const {
  std::vector<MemorySplit> result(partition_.representative.size());
  for (std::size_t d = 0; d < result.size() && !scenario_.profile; ++d) {
    const int pipeline = layout_.coordinates(partition_.representative[d]).pipeline;
    const std::int64_t local = parameters(pipeline);
    const std::int64_t versions =
        schedule_.weight_versions.empty() ? 1 : schedule_.weight_versions[static_cast<std::size_t>(pipeline)];
    result[d][static_cast<std::size_t>(MemoryKind::weights)] =
        versions * workload().weight_bytes * Bytes(local);
    result[d][static_cast<std::size_t>(MemoryKind::gradients)] = workload().gradient_bytes * Bytes(local);
    result[d][static_cast<std::size_t>(MemoryKind::optimizer)] = workload().optimizer_bytes * Bytes(local);
  }
  return result;
}

Lowered lower(const Prepared& prepared, const Partition& partition) {
  return Lowering(prepared, partition).run();
}

}  // namespace makespan
