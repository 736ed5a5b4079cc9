#include "scenarios/what_if.h"

#include <algorithm>
#include <array>

namespace makespan {

namespace {

Group group_of(const TaskGraph& graph, TaskId task) {
  const Group group = graph.label(task).group;
  return group == Group::none ? Group::other : group;
}

/// By Group, whether it has a transfer.
std::array<bool, kGroups> occurring(const TaskGraph& graph) {
  std::array<bool, kGroups> result{};
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    if (graph.tasks[i].kind == TaskKind::transfer) {
      result[static_cast<std::size_t>(group_of(graph, TaskId(i)))] = true;
    }
  }
  return result;
}

Time longest_without_bubble(const Report& report) {
  Time longest;
  for (const RankReport& rank : report.ranks) {
    longest = std::max(longest, rank.time.compute + rank.time.exposed_total());
  }
  return longest;
}

}  // namespace

TaskGraph without_slowdown(TaskGraph graph) {
  for (Route& route : graph.routes) {
    route.sm_ppm = 0;
    route.memory_ppm = 0;
  }
  return graph;
}

TaskGraph without_contention(const TaskGraph& graph) {
  return with_transfers(graph, [&](TaskId task) {
    return TransferWork{.amount = Bytes(0), .latency = alone_duration(graph, task)};
  });
}

TaskGraph without_latency(const TaskGraph& graph) {
  return with_transfers(graph, [&](TaskId task) {
    return TransferWork{.amount = graph.transfer(task).amount, .latency = Time(0)};
  });
}

TaskGraph without_bandwidth(const TaskGraph& graph, Group group) {
  return with_transfers(graph, [&](TaskId task) {
    TransferWork work = graph.transfer(task);
    work.amount = group_of(graph, task) == group ? Bytes(0) : work.amount;
    return work;
  });
}

TaskGraph without_communication(const TaskGraph& graph) {
  return with_transfers(graph, [](TaskId) { return TransferWork{}; });
}

std::vector<WhatIf> what_if(const Run& run, const SimulationOptions& options) {
  const TaskGraph& graph = run.lowered.graph;
  std::vector<WhatIf> result;
  const auto simulate_again = [&](Cause cause, Group group, const TaskGraph& changed) {
    const Timeline timeline = simulate(changed, options);
    result.push_back({cause, group, last_iteration(run.lowered, timeline).length()});
  };
  simulate_again(Cause::compute_slowdown, Group::none, without_slowdown(graph));
  simulate_again(Cause::contention, Group::none, without_contention(graph));
  simulate_again(Cause::latency, Group::none, without_latency(graph));
  const std::array<bool, kGroups> occurs = occurring(graph);
  for (std::size_t i = 0; i < kGroups; ++i) {
    if (occurs[i]) {
      const auto group = static_cast<Group>(i);
      simulate_again(Cause::bandwidth, group, without_bandwidth(graph, group));
    }
  }
  simulate_again(Cause::communication, Group::none, without_communication(graph));
  result.push_back({Cause::bubble, Group::none, longest_without_bubble(run.report)});
  return result;
}

}  // namespace makespan
