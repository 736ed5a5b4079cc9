#include "core/task_graph.h"

#include <algorithm>
#include <array>
#include <optional>

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

void TaskGraphBuilder::pool(Pool pool) {
  MAKESPAN_CHECK(pool.slots > 0, "a pool without slots");
  for (const TaskId task : pool.tasks) {
    MAKESPAN_CHECK(task.index() < graph_.tasks.size(), "an unknown task in a pool");
    MAKESPAN_CHECK(pooled_.insert(task).second, "a task has two places in pools");
  }
  graph_.pools.push_back(std::move(pool));
}

TaskGraph TaskGraphBuilder::build() && {
  std::stable_sort(graph_.capacity_changes.begin(), graph_.capacity_changes.end(),
                   [](const CapacityChange& a, const CapacityChange& b) { return a.at < b.at; });
  graph_.adjacency = TaskGraph::Adjacency(boost::edges_are_unsorted_multi_pass, edges_.begin(), edges_.end(),
                                          static_cast<std::uint32_t>(graph_.tasks.size()));
  return std::move(graph_);
}

TaskGraph with_transfers(const TaskGraph& graph, const std::function<TransferWork(TaskId)>& work) {
  TaskGraph result = graph;
  result.transfers.clear();
  std::map<TransferWork, std::uint32_t> known;
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    if (graph.tasks[i].kind == TaskKind::transfer) {
      result.tasks[i].work = intern_in(known, result.transfers, work(TaskId(i)));
    }
  }
  return result;
}

namespace {

/// Who waits for whom: by edges, and in a pool for the task before.
class Waits {
 public:
  explicit Waits(const TaskGraph& graph) : graph_(graph) {
    if (graph.pools.empty()) {
      return;
    }
    turn_before_.resize(graph.tasks.size());
    turn_after_.resize(graph.tasks.size());
    for (const Pool& pool : graph.pools) {
      for (std::size_t i = 1; i < pool.tasks.size(); ++i) {
        turn_before_[pool.tasks[i].index()] = static_cast<std::uint32_t>(pool.tasks[i - 1].index());
        turn_after_[pool.tasks[i - 1].index()] = static_cast<std::uint32_t>(pool.tasks[i].index());
      }
    }
  }

  /// Calls `visit` for every task that `task` waits for.
  template <class Visit>
  void before(std::uint32_t task, const Visit& visit) const {
    const auto [first, last] = graph_.incoming(TaskId(task));
    std::for_each(first, last, [&](const auto& edge) { visit(boost::source(edge, graph_.adjacency)); });
    if (!turn_before_.empty() && turn_before_[task]) {
      visit(*turn_before_[task]);
    }
  }

  /// Calls `visit` for every task that waits for `task`.
  template <class Visit>
  void after(std::uint32_t task, const Visit& visit) const {
    const auto [first, last] = graph_.successors(TaskId(task));
    std::for_each(first, last, visit);
    if (!turn_after_.empty() && turn_after_[task]) {
      visit(*turn_after_[task]);
    }
  }

 private:
  const TaskGraph& graph_;
  std::vector<std::optional<std::uint32_t>> turn_before_;  ///< empty without pools
  std::vector<std::optional<std::uint32_t>> turn_after_;   ///< likewise
};

/// Removes tasks that wait for nothing until none is left. Returns for how many of the others each task that
/// remains waits.
std::vector<std::uint32_t> waiting_for_each_other(const Waits& waits, std::size_t count) {
  std::vector<std::uint32_t> waiting(count);
  std::vector<std::uint32_t> ready;
  for (std::uint32_t task = 0; task < count; ++task) {
    waits.before(task, [&](std::uint32_t) { ++waiting[task]; });
    if (waiting[task] == 0) {
      ready.push_back(task);
    }
  }
  while (!ready.empty()) {
    const std::uint32_t task = ready.back();
    ready.pop_back();
    waits.after(task, [&](std::uint32_t next) {
      if (--waiting[next] == 0) {
        ready.push_back(next);
      }
    });
  }
  return waiting;
}

bool has_edge(const TaskGraph& graph, TaskId before, TaskId after) {
  const auto [first, last] = graph.successors(before);
  return std::find(first, last, static_cast<std::uint32_t>(after.index())) != last;
}

}  // namespace

std::vector<TaskId> find_cycle(const TaskGraph& graph) {
  const Waits waits(graph);
  const std::vector<std::uint32_t> waiting = waiting_for_each_other(waits, graph.tasks.size());
  const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](std::uint32_t n) { return n > 0; });
  if (stuck == waiting.end()) {
    return {};
  }
  // Every task that remains waits for another that remains: go back until one comes again.
  auto task = static_cast<std::uint32_t>(stuck - waiting.begin());
  std::vector<std::uint32_t> path;
  std::vector<bool> seen(waiting.size());
  while (!seen[task]) {
    seen[task] = true;
    path.push_back(task);
    std::optional<std::uint32_t> next;
    waits.before(task, [&](std::uint32_t before) {
      if (!next && waiting[before] > 0) {
        next = before;
      }
    });
    task = *next;
  }
  const auto start = std::find(path.begin(), path.end(), task);
  std::vector<TaskId> cycle;
  for (auto i = path.end(); i != start;) {  // the path runs against the waits
    cycle.emplace_back(*--i);
  }
  return cycle;
}

std::string explain_cycle(const TaskGraph& graph, std::span<const TaskId> cycle) {
  constexpr std::size_t kShown = 16;
  std::string text;
  for (std::size_t i = 0; i < std::min(cycle.size(), kShown); ++i) {
    const TaskId before = i == 0 ? cycle.back() : cycle[i - 1];
    const bool by_edge = has_edge(graph, before, cycle[i]);
    text += "  " + graph.describe(cycle[i]) + (by_edge ? "  waits for  " : "  waits for its turn after  ") +
            graph.describe(before) + '\n';
  }
  if (cycle.size() > kShown) {
    text += "  ... and " + std::to_string(cycle.size() - kShown) + " more\n";
  }
  return text;
}

}  // namespace makespan
