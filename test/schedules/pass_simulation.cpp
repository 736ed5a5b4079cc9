#include "test/schedules/pass_simulation.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/random.h"
#include "core/simulator.h"
#include "core/task_graph.h"
#include "core/timeline.h"

namespace makespan::test {

namespace {

std::int64_t length_of(const RankCosts& costs, const Action& action) {
  if (action.overlaps_next) {
    return costs.forward_backward.value_or(costs.forward + costs.backward);
  }
  switch (action.kind) {
    case ActionKind::forward:
      return costs.forward;
    case ActionKind::backward:
      return costs.backward;
    case ActionKind::backward_input:
      return costs.backward_input;
    default:
      return costs.backward_weight;
  }
}

/// The computes of each rank in a chain; both actions of a pair are one task.
std::vector<std::vector<TaskId>> add_computes(const Schedule& schedule, const PassCosts& costs,
                                              TaskGraphBuilder& builder) {
  std::vector<std::vector<TaskId>> tasks(schedule.actions.size());
  for (std::size_t rank = 0; rank < tasks.size(); ++rank) {
    bool is_second = false;
    for (const Action& action : schedule.actions[rank]) {
      if (is_second) {
        tasks[rank].push_back(tasks[rank].back());
        is_second = false;
        continue;
      }
      const Time length(length_of(costs.of(static_cast<int>(rank)), action));
      const TaskId task = builder.compute(DeviceId(rank), ComputeWork{Time(0), length, Time(0)}, Label{});
      if (!tasks[rank].empty()) {
        builder.edge(tasks[rank].back(), task);
      }
      tasks[rank].push_back(task);
      is_second = action.overlaps_next;
    }
  }
  return tasks;
}

}  // namespace

BareCosts bare_costs(const PassCosts& costs, int chunks) {
  const RankCosts& all = costs.ranks.front();
  BareCosts bare;
  bare.forward = all.forward * chunks;
  bare.backward = all.backward * chunks;
  bare.backward_input = all.backward_input * chunks;
  bare.backward_weight = all.backward_weight * chunks;
  if (all.forward_backward) {
    bare.forward_backward = *all.forward_backward * chunks;
  }
  bare.latency = costs.hop;
  return bare;
}

SimulatedTimes simulate_passes(const Schedule& schedule, const PassCosts& costs) {
  TaskGraphBuilder builder(static_cast<std::size_t>(schedule.ranks));
  const std::vector<std::vector<TaskId>> tasks = add_computes(schedule, costs, builder);
  const auto task = [&](const ActionRef& action) {
    return tasks[static_cast<std::size_t>(action.rank)][static_cast<std::size_t>(action.position)];
  };
  std::map<std::pair<int, int>, RouteId> routes;
  for (const Message& message : plan_messages(schedule, Communication::independent)) {
    const std::pair ends(message.producer.rank, message.consumer.rank);
    if (!routes.contains(ends)) {
      Route route;
      route.members = {DeviceId(static_cast<std::size_t>(ends.first)),
                       DeviceId(static_cast<std::size_t>(ends.second))};
      routes.emplace(ends, builder.route(std::move(route)));
    }
    const TaskId transfer = builder.transfer(routes.at(ends), {Bytes(0), Time(costs.hop)}, Label{});
    builder.edge(task(message.producer), transfer);
    builder.edge(transfer, task(message.consumer));
  }
  const TaskGraph graph = std::move(builder).build();
  const Timeline timeline = simulate(graph, {});
  SimulatedTimes times;
  for (const std::vector<TaskId>& list : tasks) {
    const std::size_t last = list.back().index();
    times.makespan = std::max(times.makespan, timeline.end[last].count());
    times.max_span =
        std::max(times.max_span, (timeline.end[last] - timeline.begin[list.front().index()]).count());
  }
  return times;
}

std::vector<std::int64_t> memory_left(const Schedule& schedule, const PassCosts& costs) {
  std::vector<std::int64_t> left;
  for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    const RankCosts& own = costs.of(static_cast<int>(rank));
    std::map<std::pair<int, int>, std::int64_t> held;  // by stage and micro-batch
    std::int64_t fullest = 0;
    for (const Action& action : schedule.actions[rank]) {
      const std::pair pass(action.stage, action.microbatch);
      switch (action.kind) {
        case ActionKind::forward:
          held[pass] = own.activation;
          break;
        case ActionKind::backward_input:
          held[pass] = own.weight_activation;
          break;
        default:
          held.erase(pass);
      }
      std::int64_t sum = 0;
      for (const auto& entry : held) {
        sum += entry.second;
      }
      fullest = std::max(fullest, sum);
    }
    left.push_back(own.memory_limit - fullest);
  }
  return left;
}

PassCosts random_pass_costs(std::uint64_t seed, int ranks, int chunks, int microbatches) {
  Random random(seed, 7);
  PassCosts costs;
  const auto time = [&] { return random.below(8) == 0 ? std::int64_t{0} : random.between(1, 60); };
  const auto ones = [&] {
    RankCosts one;
    one.forward = time();
    one.backward_input = time();
    one.backward_weight = time();
    one.backward = one.backward_input + one.backward_weight;
    one.activation = random.between(0, 9);
    one.weight_activation = random.between(0, one.activation);
    one.memory_limit = one.activation * random.between(chunks, std::int64_t{chunks} * microbatches);
    return one;
  };
  costs.ranks = {ones()};
  if (random.below(2) == 0) {
    while (costs.ranks.size() < static_cast<std::size_t>(ranks)) {
      costs.ranks.push_back(ones());
    }
  }
  costs.hop = random.below(2) == 0 ? 0 : random.between(1, 20);
  return costs;
}

}  // namespace makespan::test
