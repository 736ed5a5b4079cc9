#pragma once

#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/units.h"

namespace makespan {

/// What a task is for, as far as the attribution of time has to know.
enum class Phase : std::uint8_t {
  none,
  forward,
  backward,         ///< both halves of the backward pass
  backward_input,   ///< gradient of the input
  backward_weight,  ///< gradient of the weights
  recompute,        ///< forward work repeated in the backward pass
  grad_norm,        ///< the scalar reduction before the optimizer
  optimizer,
};

/// The kind of communication group of a transfer, in the order in which ties are attributed.
enum class Group : std::uint8_t { tp, cp, ep, pp, dp, other, none };
inline constexpr std::size_t kGroups = 6;  ///< without `none`

[[nodiscard]] std::string_view to_string(Phase phase);
[[nodiscard]] std::string_view to_string(Group group);

/// What a task is called. -1 where a number does not apply. Labels hold no rank: they are the same for ranks
/// that do the same.
struct Label {
  NameId name;  ///< the operation, such as "attention" or "all-reduce"
  Phase phase = Phase::none;
  Group group = Group::none;
  std::int32_t stage = -1;
  std::int32_t chunk = -1;
  std::int32_t microbatch = -1;
  std::int32_t layer = -1;

  auto operator<=>(const Label&) const = default;
};

/// The three parts of a compute task's time when nothing else runs: launching, bound by the SMs, bound by
/// memory. Its nominal duration is their sum.
struct ComputeWork {
  Time launch;
  Time sm;
  Time memory;

  [[nodiscard]] Time nominal() const { return launch + sm + memory; }

  auto operator<=>(const ComputeWork&) const = default;
};

/// What a transfer moves: `amount` bytes over its reference hop, after `latency` in which it uses no link.
struct TransferWork {
  Bytes amount;
  Time latency;

  auto operator<=>(const TransferWork&) const = default;
};

/// The load of one transfer on one resource: bytes that cross it per byte of the reference hop, in 1/1024.
struct Use {
  ResourceId resource;
  std::uint32_t weight = kUnitWeight;

  static constexpr std::uint32_t kUnitWeight = 1024;

  auto operator<=>(const Use&) const = default;
};

/// The shape that transfers of one kind share: the links they load and the devices they occupy.
/// While a transfer runs, latency included, it takes `sm_ppm` of the SMs and `memory_ppm` of the memory
/// bandwidth of each member, in parts per million.
struct Route {
  std::vector<Use> uses;          ///< each resource at most once, by ascending resource
  std::vector<DeviceId> members;  ///< the devices that take part, each once
  std::uint32_t sm_ppm = 0;
  std::uint32_t memory_ppm = 0;

  auto operator<=>(const Route&) const = default;
};

/// One directed link: what it is called, the class it is reported under, its capacity.
struct Resource {
  std::string name;
  NameId kind;
  Rate capacity;
};

/// From `at` on, the capacity of a resource is `capacity`. 0 is a link that is down.
struct CapacityChange {
  Time at;
  ResourceId resource;
  Rate capacity;
};

/// Tasks that take turns: they start in the order of the list, and at most `slots` of them are under way at a
/// time. What the first that has not started waits for, those after it wait for too.
struct Pool {
  std::vector<TaskId> tasks;
  std::size_t slots = 1;
};

enum class TaskKind : std::uint8_t { marker, compute, transfer };

/// A node of the graph. What it refers to depends on its kind: markers take no time and use nothing.
struct Task {
  TaskKind kind = TaskKind::marker;
  LabelId label;
  std::uint32_t place = 0;  ///< DeviceId of a compute task, RouteId of a transfer
  std::uint32_t work = 0;   ///< index into the computes or the transfers
};

/// What memory is held for.
enum class MemoryKind : std::uint8_t { weights, gradients, optimizer, activations, buffers };
inline constexpr std::size_t kMemoryKinds = 5;

[[nodiscard]] std::string_view to_string(MemoryKind kind);

/// At the start or at the end of `task`, `device` takes (or gives back, when negative) `bytes`.
struct MemoryDelta {
  TaskId task;
  DeviceId device;
  MemoryKind kind = MemoryKind::activations;
  bool at_end = false;
  Bytes bytes;
};

/// What must happen, in what order, on what. Built once by lowering, then read-only: the narrow waist between
/// what describes training and what advances time. A task starts when its last predecessor ends; a stream is
/// a chain of edges. Only a task of a pool may start later than that: at its turn, when a slot is free.
class TaskGraph {
 public:
  /// Compressed sparse rows in both directions: successors drive the simulation, predecessors the
  /// attribution.
  using Adjacency = boost::compressed_sparse_row_graph<boost::bidirectionalS,  // who waits, and for whom
                                                       boost::no_property,     // vertex data lives in `tasks`
                                                       boost::no_property,     // edges carry nothing
                                                       boost::no_property,
                                                       std::uint32_t,   // vertex index: 4e9 tasks
                                                       std::uint32_t>;  // edge index

  std::vector<Task> tasks;
  std::vector<Label> labels;
  std::vector<std::string> names;
  std::vector<ComputeWork> computes;
  std::vector<TransferWork> transfers;
  std::vector<Route> routes;
  std::vector<Resource> resources;
  std::vector<CapacityChange> capacity_changes;  ///< by ascending time
  std::vector<MemoryDelta> memory;
  std::vector<Pool> pools;  ///< a task is in one at most
  std::size_t devices = 0;
  Adjacency adjacency;

  [[nodiscard]] const Label& label(TaskId task) const { return labels[tasks[task.index()].label.index()]; }

  [[nodiscard]] const std::string& name(NameId name) const { return names[name.index()]; }

  /// Requires a compute task.
  [[nodiscard]] DeviceId device(TaskId task) const { return DeviceId(tasks[task.index()].place); }

  /// Requires a compute task.
  [[nodiscard]] const ComputeWork& compute(TaskId task) const { return computes[tasks[task.index()].work]; }

  /// Requires a transfer.
  [[nodiscard]] const Route& route(TaskId task) const { return routes[tasks[task.index()].place]; }

  /// Requires a transfer.
  [[nodiscard]] const TransferWork& transfer(TaskId task) const {
    return transfers[tasks[task.index()].work];
  }

  /// The tasks that wait for `task`, as a range of vertex indices.
  [[nodiscard]] auto successors(TaskId task) const {
    return boost::adjacent_vertices(static_cast<std::uint32_t>(task.index()), adjacency);
  }

  /// The edges into `task`; boost::source(edge, adjacency) is what it waits for.
  [[nodiscard]] auto incoming(TaskId task) const {
    return boost::in_edges(static_cast<std::uint32_t>(task.index()), adjacency);
  }

  /// "rank 3: forward of stage 2, micro-batch 5", for messages to people.
  [[nodiscard]] std::string describe(TaskId task) const;
};

/// Collects tasks and edges, then builds the graph. Equal labels, works and routes are stored once.
class TaskGraphBuilder {
 public:
  explicit TaskGraphBuilder(std::size_t devices);

  [[nodiscard]] NameId name(std::string_view text);
  /// `kind` is the class of links the resource is reported under, such as "nic".
  ResourceId resource(std::string name, std::string_view kind, Rate capacity);
  [[nodiscard]] RouteId route(Route route);

  TaskId marker(const Label& label);
  TaskId compute(DeviceId device, const ComputeWork& work, const Label& label);
  TaskId transfer(RouteId route, const TransferWork& work, const Label& label);
  /// `after` starts no earlier than `before` ends. Naming an edge twice is allowed.
  void edge(TaskId before, TaskId after);
  void memory(const MemoryDelta& delta);
  /// Requires a slot at least, and tasks that are in no other pool.
  void pool(Pool pool);
  void capacity_change(const CapacityChange& change);

  [[nodiscard]] std::size_t task_count() const { return graph_.tasks.size(); }

  [[nodiscard]] const TaskGraph& peek() const { return graph_; }

  /// Sorts the edges into rows. Does not look for cycles: find_cycle and simulate do.
  [[nodiscard]] TaskGraph build() &&;

 private:
  LabelId intern(const Label& label);

  TaskGraph graph_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges_;
  std::map<std::string, NameId, std::less<>> names_;
  std::map<Label, LabelId> labels_;
  std::map<ComputeWork, std::uint32_t> computes_;
  std::map<TransferWork, std::uint32_t> transfers_;
  std::map<Route, RouteId> routes_;
  std::set<TaskId> pooled_;
};

/// `graph` with `work(task)` in place of the work of each transfer; who waits for whom stays. Equal works are
/// stored once.
[[nodiscard]] TaskGraph with_transfers(const TaskGraph& graph,
                                       const std::function<TransferWork(TaskId)>& work);

/// A cycle, if there is one: each task waits for the one before it, the first for the last. To be next in a
/// pool counts as waiting for the task before. O(tasks + edges).
[[nodiscard]] std::vector<TaskId> find_cycle(const TaskGraph& graph);

/// The cycle in words, one "A waits for B" (or "A waits for its turn after B") a line.
[[nodiscard]] std::string explain_cycle(const TaskGraph& graph, std::span<const TaskId> cycle);

}  // namespace makespan
