#include "core/task_graph.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace makespan {

std::string_view to_string(Phase phase) {
  static constexpr std::array<std::string_view, 8> kNames = {"none",           "forward",         "backward",
                                                             "backward-input", "backward-weight", "recompute",
                                                             "grad-norm",      "optimizer"};
  return kNames[static_cast<std::size_t>(phase)];
}

std::string_view to_string(Group group) {
  static constexpr std::array<std::string_view, kGroups + 1> kNames = {"tp", "cp",    "ep",  "pp",
                                                                       "dp", "other", "none"};
  return kNames[static_cast<std::size_t>(group)];
}

std::string_view to_string(MemoryKind kind) {
  static constexpr std::array<std::string_view, kMemoryKinds> kNames = {"weights", "gradients", "optimizer",
                                                                        "activations", "buffers"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string TaskGraph::describe(TaskId id) const {
  const Task& task = tasks[id.index()];
  const Label& label = labels[task.label.index()];
  std::string text;
  if (task.kind == TaskKind::compute) {
    text = "rank " + std::to_string(task.place) + ": ";
  } else if (task.kind == TaskKind::transfer) {
    const std::vector<DeviceId>& members = routes[task.place].members;
    text = members.empty() ? "" : members.size() == 1 ? "rank " : "ranks ";
    for (std::size_t i = 0; i < std::min<std::size_t>(members.size(), 4); ++i) {
      text += (i == 0 ? "" : ", ") + std::to_string(members[i].index());
    }
    text += members.empty() ? "" : members.size() > 4 ? ", ...: " : ": ";
  }
  text += name(label.name);
  std::string where;
  const auto add = [&](const char* what, std::int32_t number) {
    if (number >= 0) {
      where += (where.empty() ? " of " : ", ") + std::string(what) + ' ' + std::to_string(number);
    }
  };
  add("stage", label.stage);
  add("micro-batch", label.microbatch);
  add("layer", label.layer);
  return text + where;
}

TaskGraphBuilder::TaskGraphBuilder(std::size_t devices) {
  graph_.devices = devices;
}

NameId TaskGraphBuilder::name(std::string_view text) {
  const auto found = names_.find(text);
  if (found != names_.end()) {
    return found->second;
  }
  const NameId id(graph_.names.size());
  graph_.names.emplace_back(text);
  names_.emplace(std::string(text), id);
  return id;
}

ResourceId TaskGraphBuilder::resource(std::string name, std::string_view kind, Rate capacity) {
  const ResourceId id(graph_.resources.size());
  graph_.resources.push_back({std::move(name), this->name(kind), capacity});
  return id;
}

namespace {

/// The id of `value` in `table`, adding it when it is new.
template <class Map, class Value>
typename Map::mapped_type intern_in(Map& map, std::vector<Value>& table, const Value& value) {
  const auto [place, is_new] = map.try_emplace(value, static_cast<typename Map::mapped_type>(table.size()));
  if (is_new) {
    table.push_back(value);
  }
  return place->second;
}

}  // namespace

RouteId TaskGraphBuilder::route(Route route) {
  std::sort(route.uses.begin(), route.uses.end());
  for (std::size_t i = 0; i < route.uses.size(); ++i) {
    MAKESPAN_CHECK(route.uses[i].resource.index() < graph_.resources.size(),
                   "a route over an unknown resource");
    MAKESPAN_CHECK(route.uses[i].weight > 0, "a use needs a weight");
    MAKESPAN_CHECK(i == 0 || route.uses[i - 1].resource != route.uses[i].resource,
                   "a resource is used twice");
  }
  return intern_in(routes_, graph_.routes, route);
}

LabelId TaskGraphBuilder::intern(const Label& label) {
  return intern_in(labels_, graph_.labels, label);
}

TaskId TaskGraphBuilder::marker(const Label& label) {
  graph_.tasks.push_back({TaskKind::marker, intern(label), 0, 0});
  return TaskId(graph_.tasks.size() - 1);
}

TaskId TaskGraphBuilder::compute(DeviceId device, const ComputeWork& work, const Label& label) {
  MAKESPAN_CHECK(device.index() < graph_.devices, "a compute task on an unknown device");
  graph_.tasks.push_back({TaskKind::compute, intern(label), static_cast<std::uint32_t>(device.index()),
                          intern_in(computes_, graph_.computes, work)});
  return TaskId(graph_.tasks.size() - 1);
}

TaskId TaskGraphBuilder::transfer(RouteId route, const TransferWork& work, const Label& label) {
  MAKESPAN_CHECK(route.index() < graph_.routes.size(), "a transfer over an unknown route");
  graph_.tasks.push_back({TaskKind::transfer, intern(label), static_cast<std::uint32_t>(route.index()),
                          intern_in(transfers_, graph_.transfers, work)});
  return TaskId(graph_.tasks.size() - 1);
}

void TaskGraphBuilder::edge(TaskId before, TaskId after) {
  MAKESPAN_CHECK(before.index() < graph_.tasks.size() && after.index() < graph_.tasks.size(),
                 "an edge between unknown tasks");
  edges_.emplace_back(static_cast<std::uint32_t>(before.index()), static_cast<std::uint32_t>(after.index()));
}

void TaskGraphBuilder::memory(const MemoryDelta& delta) {
  if (delta.bytes != Bytes(0)) {
    graph_.memory.push_back(delta);
  }
}

void TaskGraphBuilder::capacity_change(const CapacityChange& change) {
  graph_.capacity_changes.push_back(change);
}

TaskGraph TaskGraphBuilder::build() && {
  std::stable_sort(graph_.capacity_changes.begin(), graph_.capacity_changes.end(),
                   [](const CapacityChange& a, const CapacityChange& b) { return a.at < b.at; });
  graph_.adjacency = TaskGraph::Adjacency(boost::edges_are_unsorted_multi_pass, edges_.begin(), edges_.end(),
                                          static_cast<std::uint32_t>(graph_.tasks.size()));
  return std::move(graph_);
}

std::vector<TaskId> find_cycle(const TaskGraph& graph) {
  // Remove tasks that wait for nothing until none is left; every task that remains waits for another that
  // remains.
  const std::size_t count = graph.tasks.size();
  std::vector<std::uint32_t> waiting(count);
  std::vector<std::uint32_t> ready;
  for (std::uint32_t task = 0; task < count; ++task) {
    waiting[task] = static_cast<std::uint32_t>(boost::in_degree(task, graph.adjacency));
    if (waiting[task] == 0) {
      ready.push_back(task);
    }
  }
  std::size_t removed = 0;
  while (!ready.empty()) {
    const std::uint32_t task = ready.back();
    ready.pop_back();
    ++removed;
    const auto [first, last] = graph.successors(TaskId(task));
    for (auto next = first; next != last; ++next) {
      if (--waiting[*next] == 0) {
        ready.push_back(*next);
      }
    }
  }
  if (removed == count) {
    return {};
  }
  const auto first_stuck =
      std::find_if(waiting.begin(), waiting.end(), [](std::uint32_t n) { return n > 0; });
  std::uint32_t task = static_cast<std::uint32_t>(first_stuck - waiting.begin());
  std::vector<std::uint32_t> path;
  std::vector<bool> seen(count);
  while (!seen[task]) {
    seen[task] = true;
    path.push_back(task);
    const auto [first, last] = graph.incoming(TaskId(task));
    for (auto edge = first; edge != last; ++edge) {
      const std::uint32_t before = boost::source(*edge, graph.adjacency);
      if (waiting[before] > 0) {
        task = before;
        break;
      }
    }
  }
  const auto start = std::find(path.begin(), path.end(), task);
  std::vector<TaskId> cycle;
  for (auto i = path.end(); i != start;) {  // the path runs against the edges
    cycle.emplace_back(*--i);
  }
  return cycle;
}

std::string explain_cycle(const TaskGraph& graph, std::span<const TaskId> cycle) {
  constexpr std::size_t kShown = 16;
  std::string text;
  for (std::size_t i = 0; i < std::min(cycle.size(), kShown); ++i) {
    const TaskId before = i == 0 ? cycle.back() : cycle[i - 1];
    text += "  " + graph.describe(cycle[i]) + "  waits for  " + graph.describe(before) + '\n';
  }
  if (cycle.size() > kShown) {
    text += "  ... and " + std::to_string(cycle.size() - kShown) + " more\n";
  }
  return text;
}

}  // namespace makespan
