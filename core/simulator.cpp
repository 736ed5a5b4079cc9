#include "core/simulator.h"

#include <algorithm>
#include <limits>
#include <string>

#include "core/error.h"
#include "core/event_queue.h"
#include "core/fluid.h"
#include "core/int128.h"
#include "core/random.h"

namespace makespan {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
/// The slot of the event "a capacity changes"; no task has it.
constexpr std::uint32_t kCapacitySlot = kNone;
constexpr std::uint64_t kFullSpeed = 1'000'000;  ///< of compute: parts per million
/// Work of a transfer per byte: at 1/1000 byte per second, 10^15 picoseconds.
constexpr std::uint64_t kWorkPerByte = 1'000'000'000'000'000;
/// Progress is reported at the start and whenever so many tasks have ended or so many instants have passed:
/// an instant that ends few tasks may still take long.
constexpr std::size_t kReportedTasks = 65'536;
constexpr std::size_t kReportedInstants = 256;

Uint128 wide(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

/// What the loop needs of a task, together on one cache line: the countdown of its predecessors brings in
/// what its start and its end will read.
struct Node {
  std::uint32_t waiting;          ///< predecessors that have not ended
  std::uint32_t first_successor;  ///< position in the successors of all tasks; the next node's is the end
  std::uint32_t place;            ///< as in Task
  std::uint32_t work : 29;        ///< as in Task
  std::uint32_t pooled : 1;       ///< starts at its turn in a pool
  TaskKind kind : 2;
};

static_assert(sizeof(Node) == 16);
constexpr std::uint32_t kWorkMask = (1U << 29U) - 1;

enum class Stage : std::uint8_t { compute, latency, flow };

/// A task between its start and its end. Its slot is reused afterwards; `version` tells the events of one
/// use, and of one rate, from those of the next.
struct Running {
  Uint128 left = 0;  ///< work at `since`, in rate x picoseconds
  Time since;
  std::int64_t rate = 0;  ///< parts per million for compute, a Rate for a flow
  std::uint32_t task = 0;
  std::uint32_t version = 0;
  std::uint32_t next = kNone;      ///< on the device, for compute
  std::uint32_t previous = kNone;  ///< on the device, for compute
  Stage stage = Stage::compute;
};

struct Device {
  std::uint64_t sm = 0;         ///< reserved by transfers, in parts per million, not yet capped
  std::uint64_t memory = 0;     ///< likewise
  std::uint32_t first = kNone;  ///< list of the slots that compute here
  bool touched = false;
};

/// Where a pool stands.
struct Turns {
  std::size_t next = 0;  ///< position of the task whose turn it is
  std::size_t free = 0;  ///< slots
};

class Simulation {
 public:
  Simulation(const TaskGraph& graph, const SimulationOptions& options);
  Timeline run() &&;

 private:
  void make_nodes();
  void make_pools();
  void handle(const EventQueue::Item& event);
  void change_capacities();
  void start(std::uint32_t task);
  void start_compute(std::uint32_t task);
  void start_transfer(std::uint32_t task);
  void enter_flow(std::uint32_t slot);
  void end(std::uint32_t slot);
  void finish(std::uint32_t task);
  void start_ready();
  void take_turns(std::uint32_t pool);
  void settle_instant();
  void settle_flows();
  void settle_devices();
  void change_rate(std::uint32_t slot, std::int64_t rate);
  void schedule(std::uint32_t slot, Uint128 delay);
  void link(std::uint32_t slot);
  void unlink(std::uint32_t slot);
  void reserve(const Route& route);
  void release(const Route& route);
  void touch(std::uint32_t device);
  void check_starved();
  [[nodiscard]] bool will_rise(ResourceId resource) const;
  void report_progress();
  [[noreturn]] void explain_stop() const;

  std::uint32_t take_slot(std::uint32_t task, Stage stage);
  void free_slot(std::uint32_t slot);

  [[nodiscard]] const ComputeWork& compute(std::uint32_t task) const {
    return graph_.computes[nodes_[task].work];
  }

  [[nodiscard]] const TransferWork& transfer(std::uint32_t task) const {
    return graph_.transfers[nodes_[task].work];
  }

  [[nodiscard]] const Route& route(std::uint32_t task) const { return graph_.routes[nodes_[task].place]; }

  [[nodiscard]] bool has_flow(std::uint32_t task) const {
    return transfer(task).amount > Bytes(0) && !route(task).uses.empty();
  }

  const TaskGraph& graph_;
  const SimulationOptions& options_;
  Timeline timeline_;
  EventQueue queue_;
  FluidSystem fluid_;
  Random ties_;
  Time now_;
  std::size_t done_ = 0;
  std::size_t next_report_ = 0;  ///< when so many tasks have ended
  std::size_t unreported_instants_ = 0;
  std::size_t next_capacity_change_ = 0;
  bool check_starved_ = false;

  std::vector<Node> nodes_;  ///< by task, and one that ends the successors of the last
  boost::graph_traits<TaskGraph::Adjacency>::adjacency_iterator
      successors_;                    ///< of all tasks, in their order
  std::vector<std::uint32_t> ready_;  ///< tasks whose last predecessor has ended
  std::vector<Turns> pools_;
  std::vector<std::uint32_t> pool_of_;    ///< by task; empty without pools
  std::vector<bool> arrived_;             ///< by task: only its turn is left to wait for; empty without pools
  std::vector<std::uint32_t> due_pools_;  ///< with a new arrival or a new free slot
  std::vector<Running> running_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<Device> devices_;
  std::vector<std::uint32_t> touched_devices_;  ///< with new compute or other reservations in this instant
  std::vector<std::uint32_t> starved_;          ///< slots of flows whose rate is 0
  std::vector<EventQueue::Item> shuffled_;
};

Simulation::Simulation(const TaskGraph& graph, const SimulationOptions& options)
    : graph_(graph),
      options_(options),
      fluid_(graph.resources),
      ties_(options.tie_seed),
      devices_(graph.devices) {
  for (const ComputeWork& work : graph.computes) {
    MAKESPAN_CHECK(work.launch >= Time(0) && work.sm >= Time(0) && work.memory >= Time(0),
                   "a negative duration");
  }
  for (const TransferWork& work : graph.transfers) {
    MAKESPAN_CHECK(work.amount >= Bytes(0) && work.latency >= Time(0), "a negative amount or latency");
  }
  timeline_.begin.resize(graph.tasks.size());
  timeline_.end.resize(graph.tasks.size());
  make_nodes();
  make_pools();
}

Timeline Simulation::run() && {
  change_capacities();
  settle_instant();
  while (done_ < graph_.tasks.size()) {
    if (queue_.empty()) {
      explain_stop();
    }
    now_ = queue_.advance();
    std::span<const EventQueue::Item> events = queue_.taken();
    timeline_.events += events.size();
    if (options_.tie_seed != 0) {
      shuffled_.assign(events.begin(), events.end());
      ties_.shuffle(std::span(shuffled_));
      events = shuffled_;
    }
    for (const EventQueue::Item& event : events) {
      handle(event);
    }
    settle_instant();
  }
  for (std::size_t i = 0; i < graph_.resources.size(); ++i) {
    timeline_.peak_load.push_back(fluid_.peak_load(ResourceId(i)));
  }
  timeline_.makespan = graph_.tasks.empty() ? Time(0) : now_;
  return std::move(timeline_);
}

/// Tasks without predecessors are ready at once.
void Simulation::make_nodes() {
  MAKESPAN_CHECK(std::max(graph_.computes.size(), graph_.transfers.size()) <= kWorkMask,
                 "too many kinds of work");
  nodes_.reserve(graph_.tasks.size() + 1);
  std::uint32_t successors = 0;
  for (std::uint32_t index = 0; index < graph_.tasks.size(); ++index) {
    const Task& task = graph_.tasks[index];
    const auto predecessors = static_cast<std::uint32_t>(boost::in_degree(index, graph_.adjacency));
    nodes_.push_back(Node{predecessors, successors, task.place, task.work & kWorkMask, 0, task.kind});
    successors += static_cast<std::uint32_t>(boost::out_degree(index, graph_.adjacency));
    if (predecessors == 0) {
      ready_.push_back(index);
    }
  }
  nodes_.push_back(Node{0, successors, 0, 0, 0, TaskKind::marker});
  if (!graph_.tasks.empty()) {
    successors_ = graph_.successors(TaskId(0)).first;
  }
}

void Simulation::make_pools() {
  if (graph_.pools.empty()) {
    return;
  }
  pool_of_.resize(graph_.tasks.size());
  arrived_.resize(graph_.tasks.size());
  for (const Pool& pool : graph_.pools) {
    for (const TaskId task : pool.tasks) {
      nodes_[task.index()].pooled = 1;
      pool_of_[task.index()] = static_cast<std::uint32_t>(pools_.size());
    }
    pools_.push_back({0, pool.slots});
  }
}

void Simulation::handle(const EventQueue::Item& event) {
  if (event.slot == kCapacitySlot) {
    change_capacities();
    return;
  }
  const Running& running = running_[event.slot];
  if (running.version != event.version) {
    return;  // the rate has changed since
  }
  if (running.stage == Stage::latency && has_flow(running.task)) {
    enter_flow(event.slot);
  } else {
    end(event.slot);
  }
}

/// Those that are due; the next one becomes an event.
void Simulation::change_capacities() {
  const std::vector<CapacityChange>& changes = graph_.capacity_changes;
  for (; next_capacity_change_ < changes.size(); ++next_capacity_change_) {
    const CapacityChange& change = changes[next_capacity_change_];
    if (change.at > now_) {
      queue_.push(change.at, kCapacitySlot, 0);
      return;
    }
    fluid_.set_capacity(change.resource, change.capacity);
    check_starved_ = true;
  }
}

void Simulation::start(std::uint32_t task) {
  timeline_.begin[task] = now_;
  switch (nodes_[task].kind) {
    case TaskKind::marker:
      finish(task);
      break;
    case TaskKind::compute:
      start_compute(task);
      break;
    case TaskKind::transfer:
      start_transfer(task);
      break;
  }
}

void Simulation::start_compute(std::uint32_t task) {
  const Time nominal = compute(task).nominal();
  if (nominal == Time(0)) {
    finish(task);
    return;
  }
  const std::uint32_t slot = take_slot(task, Stage::compute);
  running_[slot].left = wide(nominal.count()) * kFullSpeed;
  link(slot);
}

void Simulation::start_transfer(std::uint32_t task) {
  const Time latency = transfer(task).latency;
  const bool flows = has_flow(task);
  if (latency == Time(0) && !flows) {
    finish(task);
    return;
  }
  const std::uint32_t slot = take_slot(task, Stage::latency);
  reserve(route(task));
  if (latency > Time(0)) {
    schedule(slot, wide(latency.count()));
  } else {
    enter_flow(slot);
  }
}

void Simulation::enter_flow(std::uint32_t slot) {
  Running& running = running_[slot];
  running.stage = Stage::flow;
  running.left = wide(transfer(running.task).amount.count()) * kWorkPerByte;
  running.since = now_;
  fluid_.add(VariableId(slot), route(running.task).uses);
}

void Simulation::end(std::uint32_t slot) {
  const std::uint32_t task = running_[slot].task;
  switch (running_[slot].stage) {
    case Stage::compute:
      unlink(slot);
      break;
    case Stage::flow:
      fluid_.remove(VariableId(slot));
      [[fallthrough]];
    case Stage::latency:
      release(route(task));
      break;
  }
  free_slot(slot);
  finish(task);
}

void Simulation::finish(std::uint32_t task) {
  timeline_.end[task] = now_;
  ++done_;
  if (nodes_[task].pooled != 0) {
    ++pools_[pool_of_[task]].free;
    due_pools_.push_back(pool_of_[task]);
  }
  for (std::uint32_t i = nodes_[task].first_successor; i < nodes_[task + 1].first_successor; ++i) {
    const std::uint32_t next = successors_[i];
    if (--nodes_[next].waiting == 0) {
      ready_.push_back(next);
    }
  }
}

/// Starts what is ready and has its turn, and what that makes ready by taking no time.
void Simulation::start_ready() {
  while (!ready_.empty() || !due_pools_.empty()) {
    if (ready_.empty()) {
      const std::uint32_t pool = due_pools_.back();
      due_pools_.pop_back();
      take_turns(pool);
      continue;
    }
    if (options_.tie_seed != 0) {
      std::swap(ready_.back(), ready_[static_cast<std::size_t>(ties_.below(ready_.size()))]);
    }
    const std::uint32_t task = ready_.back();
    ready_.pop_back();
    if (nodes_[task].pooled != 0) {
      arrived_[task] = true;
      due_pools_.push_back(pool_of_[task]);
    } else {
      start(task);
    }
  }
}

/// What may start stays so until it starts: only the pool's own tasks take its slots, each at its turn. Hence
/// the order in which pools and tasks are looked at does not matter.
void Simulation::take_turns(std::uint32_t pool) {
  const std::vector<TaskId>& tasks = graph_.pools[pool].tasks;
  Turns& turns = pools_[pool];
  while (turns.free > 0 && turns.next < tasks.size() && arrived_[tasks[turns.next].index()]) {
    --turns.free;
    start(static_cast<std::uint32_t>(tasks[turns.next++].index()));
  }
}

void Simulation::settle_instant() {
  start_ready();
  settle_flows();
  settle_devices();
  if (options_.progress && (++unreported_instants_ >= kReportedInstants || done_ >= next_report_)) {
    report_progress();
  }
}

void Simulation::settle_flows() {
  const std::size_t recorded = timeline_.rates.size();
  for (const VariableId variable : fluid_.solve()) {
    const auto slot = static_cast<std::uint32_t>(variable.index());
    const Rate rate = fluid_.rate(variable);
    change_rate(slot, rate.count());
    if (rate == Rate(0)) {
      starved_.push_back(slot);
      check_starved_ = true;
    }
    if (options_.record_rates) {
      timeline_.rates.push_back({now_, TaskId(running_[slot].task), rate});
    }
  }
  std::sort(timeline_.rates.begin() + static_cast<std::ptrdiff_t>(recorded), timeline_.rates.end(),
            [](const RateChange& a, const RateChange& b) { return a.task < b.task; });
  if (check_starved_) {
    check_starved();
  }
}

void Simulation::settle_devices() {
  for (const std::uint32_t index : touched_devices_) {
    Device& device = devices_[index];
    device.touched = false;
    const auto sm = static_cast<std::uint32_t>(std::min<std::uint64_t>(device.sm, kReservationCap));
    const auto memory = static_cast<std::uint32_t>(std::min<std::uint64_t>(device.memory, kReservationCap));
    for (std::uint32_t slot = device.first; slot != kNone; slot = running_[slot].next) {
      change_rate(slot, compute_speed(compute(running_[slot].task), sm, memory));
    }
  }
  touched_devices_.clear();
}

void Simulation::change_rate(std::uint32_t slot, std::int64_t rate) {
  Running& running = running_[slot];
  if (running.rate == rate) {
    return;
  }
  running.left -= wide(running.rate) * static_cast<std::uint64_t>((now_ - running.since).count());
  running.since = now_;
  running.rate = rate;
  ++running.version;
  if (rate > 0) {
    schedule(slot, ceil_div(running.left, static_cast<std::uint64_t>(rate)));
  }
}

/// An end past the range of time is not an event: a later change of rate may still bring it nearer.
void Simulation::schedule(std::uint32_t slot, Uint128 delay) {
  const Uint128 at = wide(now_.count()) + delay;
  if (at <= wide(std::numeric_limits<std::int64_t>::max())) {
    queue_.push(Time(static_cast<std::int64_t>(at)), slot, running_[slot].version);
  }
}

std::uint32_t Simulation::take_slot(std::uint32_t task, Stage stage) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(running_.size()));
    running_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Running& running = running_[slot];
  running.since = now_;
  running.rate = 0;
  running.task = task;
  running.stage = stage;
  return slot;
}

void Simulation::free_slot(std::uint32_t slot) {
  ++running_[slot].version;
  free_slots_.push_back(slot);
}

void Simulation::link(std::uint32_t slot) {
  const std::uint32_t index = nodes_[running_[slot].task].place;
  Device& device = devices_[index];
  running_[slot].previous = kNone;
  running_[slot].next = device.first;
  if (device.first != kNone) {
    running_[device.first].previous = slot;
  }
  device.first = slot;
  touch(index);
}

void Simulation::unlink(std::uint32_t slot) {
  const Running& running = running_[slot];
  if (running.next != kNone) {
    running_[running.next].previous = running.previous;
  }
  if (running.previous != kNone) {
    running_[running.previous].next = running.next;
  } else {
    devices_[nodes_[running.task].place].first = running.next;
  }
}

void Simulation::reserve(const Route& route) {
  if (route.sm_ppm == 0 && route.memory_ppm == 0) {
    return;
  }
  for (const DeviceId member : route.members) {
    devices_[member.index()].sm += route.sm_ppm;
    devices_[member.index()].memory += route.memory_ppm;
    touch(static_cast<std::uint32_t>(member.index()));
  }
}

void Simulation::release(const Route& route) {
  if (route.sm_ppm == 0 && route.memory_ppm == 0) {
    return;
  }
  for (const DeviceId member : route.members) {
    devices_[member.index()].sm -= route.sm_ppm;
    devices_[member.index()].memory -= route.memory_ppm;
    touch(static_cast<std::uint32_t>(member.index()));
  }
}

void Simulation::touch(std::uint32_t device) {
  if (!devices_[device].touched) {
    devices_[device].touched = true;
    touched_devices_.push_back(device);
  }
}

bool Simulation::will_rise(ResourceId resource) const {
  const auto pending = graph_.capacity_changes.begin() + static_cast<std::ptrdiff_t>(next_capacity_change_);
  return std::any_of(pending, graph_.capacity_changes.end(), [&](const CapacityChange& change) {
    return change.resource == resource && change.capacity > fluid_.capacity(resource);
  });
}

/// A flow of rate 0 must have a change of capacity to wait for: nothing else can give it a rate, because no
/// flow on the link that starves it can end before.
void Simulation::check_starved() {
  check_starved_ = false;
  std::erase_if(starved_, [&](std::uint32_t slot) { return running_[slot].rate > 0; });
  std::sort(starved_.begin(), starved_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return running_[a].task < running_[b].task; });
  for (const std::uint32_t slot : starved_) {
    const TaskId task(running_[slot].task);
    const std::vector<Use>& uses = graph_.route(task).uses;
    if (std::any_of(uses.begin(), uses.end(), [&](const Use& use) { return will_rise(use.resource); })) {
      continue;
    }
    const auto starving =
        std::find_if(uses.begin(), uses.end(), [&](const Use& use) { return fluid_.starved(use.resource); });
    MAKESPAN_CHECK(starving != uses.end(), "a flow has rate 0 although all its links have capacity");
    const Resource& resource = graph_.resources[starving->resource.index()];
    throw InfeasibleError(graph_.describe(task) + " can never advance: link " + resource.name +
                          " has a capacity of " +
                          std::to_string(fluid_.capacity(starving->resource).count()) +
                          " thousandths of a byte per second from " + std::to_string(now_.count()) +
                          " ps on, and no later change raises it");
  }
}

void Simulation::report_progress() {
  next_report_ = done_ + kReportedTasks;
  unreported_instants_ = 0;
  if (!options_.progress(done_, graph_.tasks.size(), now_)) {
    throw Interrupted("stopped after " + std::to_string(done_) + " of " +
                      std::to_string(graph_.tasks.size()) + " tasks");
  }
}

/// Nothing is left to happen, yet tasks have not ended.
void Simulation::explain_stop() const {
  if (free_slots_.size() < running_.size()) {
    throw InfeasibleError("simulated time leaves its range of 106 days: a task would end after that");
  }
  const std::vector<TaskId> cycle = find_cycle(graph_);
  MAKESPAN_CHECK(!cycle.empty(), "tasks were left although none waits for another in a circle");
  throw InfeasibleError("deadlock: " + std::to_string(graph_.tasks.size() - done_) + " of " +
                        std::to_string(graph_.tasks.size()) + " tasks never start\n" +
                        explain_cycle(graph_, cycle));
}

}  // namespace

std::int64_t compute_speed(const ComputeWork& work, std::uint32_t sm_ppm, std::uint32_t memory_ppm) {
  if (sm_ppm == 0 && memory_ppm == 0) {
    return kFullSpeed;
  }
  // With a = 1 - s and b = 1 - h in parts per million, launch + sm / (1 - s) + memory / (1 - h) is
  // (launch a b + 10^6 sm b + 10^6 memory a) / (a b). Every product is below 2^63 * 10^18 < 2^123, so the
  // floor is exact.
  const Uint128 a = kFullSpeed - sm_ppm;
  const Uint128 b = kFullSpeed - memory_ppm;
  const Uint128 slowed = wide(work.launch.count()) * (a * b) + wide(work.sm.count()) * (kFullSpeed * b) +
                         wide(work.memory.count()) * (kFullSpeed * a);
  return static_cast<std::int64_t>(wide(work.nominal().count()) * (kFullSpeed * a * b) / slowed);
}

Timeline simulate(const TaskGraph& graph, const SimulationOptions& options) {
  return Simulation(graph, options).run();
}

}  // namespace makespan
