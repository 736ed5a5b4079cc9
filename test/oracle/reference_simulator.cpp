#include "test/oracle/reference_simulator.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/error.h"
#include "test/oracle/reference_max_min.h"

namespace makespan::oracle {

namespace {

__extension__ typedef __int128 Int128;

enum class State { waiting, latency, moving, ended };

/// Latency counts down in picoseconds at rate 1, compute in 10^-6 picoseconds at a rate in parts per million,
/// a flow in 10^-15 bytes at a rate in 1/1000 byte per second.
struct Progress {
  State state = State::waiting;
  Int128 left = 0;
  std::int64_t rate = 0;
  bool has_rate = false;  ///< a flow that was given its first rate
};

/// The largest v with v / 10^6 <= T / (launch + sm / (1 - s) + memory / (1 - h)), found by bisection.
std::int64_t slowed_speed(const ComputeWork& work, std::int64_t sm_ppm, std::int64_t memory_ppm) {
  const Int128 million = 1'000'000;
  const Int128 a = million - sm_ppm;
  const Int128 b = million - memory_ppm;
  const Int128 slowed =
      work.launch.count() * a * b + work.sm.count() * million * b + work.memory.count() * million * a;
  std::int64_t low = 0;
  std::int64_t high = 1'000'001;
  while (high - low > 1) {
    const std::int64_t middle = (low + high) / 2;
    (middle * slowed <= million * work.nominal().count() * a * b ? low : high) = middle;
  }
  return low;
}

struct Reference {
  const TaskGraph& graph;
  Timeline timeline;
  std::vector<Progress> progress;
  std::vector<Rate> capacities;
  Time now;

  bool is_flow(std::size_t task) const {
    return graph.tasks[task].kind == TaskKind::transfer && progress[task].state == State::moving;
  }

  bool runs(std::size_t task) const {
    return progress[task].state == State::latency || progress[task].state == State::moving;
  }

  bool is_ready(std::size_t task) const;
  bool has_turn(std::size_t task) const;
  void end(std::size_t task);
  void next_state(std::size_t task);
  void start_everything_ready();
  void apply_capacities();
  void compute_rates();
  void compute_loads(const std::vector<std::size_t>& flows);
  std::int64_t speed(std::size_t task) const;
  void refuse_starvation() const;
  std::optional<Time> next_instant() const;
  void advance_to(Time next);
};

bool Reference::is_ready(std::size_t task) const {
  if (progress[task].state != State::waiting) {
    return false;
  }
  const auto [first, last] = graph.incoming(TaskId(task));
  return std::all_of(first, last, [&](const auto& edge) {
    return progress[boost::source(edge, graph.adjacency)].state == State::ended;
  });
}

/// Every task before it in its pool has started, and fewer than `slots` of them have not ended.
bool Reference::has_turn(std::size_t task) const {
  for (const Pool& pool : graph.pools) {
    const auto place = std::find(pool.tasks.begin(), pool.tasks.end(), TaskId(task));
    if (place == pool.tasks.end()) {
      continue;
    }
    const auto waits = [&](TaskId t) { return progress[t.index()].state == State::waiting; };
    const auto is_under_way = [&](TaskId t) {
      return !waits(t) && progress[t.index()].state != State::ended;
    };
    return std::none_of(pool.tasks.begin(), place, waits) &&
           std::count_if(pool.tasks.begin(), place, is_under_way) < static_cast<std::ptrdiff_t>(pool.slots);
  }
  return true;
}

void Reference::end(std::size_t task) {
  progress[task] = {State::ended};
  timeline.end[task] = now;
}

/// From waiting to latency to moving to ended, leaving out what takes no time.
void Reference::next_state(std::size_t task) {
  const TaskId id(task);
  const State from = progress[task].state;
  if (from == State::moving || graph.tasks[task].kind == TaskKind::marker) {
    end(task);
  } else if (graph.tasks[task].kind == TaskKind::compute) {
    const Int128 work = Int128(graph.compute(id).nominal().count()) * 1'000'000;
    progress[task] = {State::moving, work};
    if (work == 0) {
      end(task);
    }
  } else if (from == State::waiting && graph.transfer(id).latency > Time(0)) {
    progress[task] = {State::latency, graph.transfer(id).latency.count(), 1};
  } else if (graph.transfer(id).amount > Bytes(0) && !graph.route(id).uses.empty()) {
    progress[task] = {State::moving, Int128(graph.transfer(id).amount.count()) * 1'000'000'000'000'000};
  } else {
    end(task);
  }
}

void Reference::start_everything_ready() {
  for (bool found = true; found;) {
    found = false;
    for (std::size_t task = 0; task < progress.size(); ++task) {
      if (is_ready(task) && has_turn(task)) {
        timeline.begin[task] = now;
        next_state(task);
        found = true;
      }
    }
  }
}

void Reference::apply_capacities() {
  for (const CapacityChange& change : graph.capacity_changes) {
    if (change.at <= now) {
      capacities[change.resource.index()] = change.capacity;
    }
  }
}

std::int64_t Reference::speed(std::size_t task) const {
  const DeviceId device = graph.device(TaskId(task));
  std::int64_t sm = 0;
  std::int64_t memory = 0;
  for (std::size_t other = 0; other < progress.size(); ++other) {
    if (graph.tasks[other].kind != TaskKind::transfer || !runs(other)) {
      continue;
    }
    const Route& route = graph.route(TaskId(other));
    if (std::find(route.members.begin(), route.members.end(), device) != route.members.end()) {
      sm += route.sm_ppm;
      memory += route.memory_ppm;
    }
  }
  return slowed_speed(graph.compute(TaskId(task)), std::min<std::int64_t>(sm, 900'000),
                      std::min<std::int64_t>(memory, 900'000));
}

void Reference::compute_rates() {
  std::vector<std::size_t> flows;
  std::vector<std::vector<Use>> uses;
  for (std::size_t task = 0; task < progress.size(); ++task) {
    if (is_flow(task)) {
      flows.push_back(task);
      uses.push_back(graph.route(TaskId(task)).uses);
    } else if (progress[task].state == State::moving) {
      progress[task].rate = speed(task);
    }
  }
  const std::vector<Rate> rates = max_min(capacities, uses);
  for (std::size_t i = 0; i < flows.size(); ++i) {
    Progress& flow = progress[flows[i]];
    if (flow.rate != rates[i].count() || !flow.has_rate) {
      timeline.rates.push_back({now, TaskId(flows[i]), rates[i]});
    }
    flow.rate = rates[i].count();
    flow.has_rate = true;
  }
  compute_loads(flows);
}

void Reference::compute_loads(const std::vector<std::size_t>& flows) {
  std::vector<Int128> loads(capacities.size());
  for (const std::size_t flow : flows) {
    for (const Use& use : graph.route(TaskId(flow)).uses) {
      loads[use.resource.index()] += Int128(progress[flow].rate) * use.weight / 1024;
    }
  }
  for (std::size_t r = 0; r < loads.size(); ++r) {
    timeline.peak_load[r] = std::max(timeline.peak_load[r], Rate(static_cast<std::int64_t>(loads[r])));
  }
}

void Reference::refuse_starvation() const {
  for (std::size_t task = 0; task < progress.size(); ++task) {
    if (!is_flow(task) || progress[task].rate > 0) {
      continue;
    }
    const std::vector<Use>& uses = graph.route(TaskId(task)).uses;
    const bool has_hope = std::any_of(
        graph.capacity_changes.begin(), graph.capacity_changes.end(), [&](const CapacityChange& change) {
          return change.at > now && change.capacity > capacities[change.resource.index()] &&
                 std::any_of(uses.begin(), uses.end(),
                             [&](const Use& use) { return use.resource == change.resource; });
        });
    if (!has_hope) {
      throw InfeasibleError("starved");
    }
  }
}

/// Nothing when nothing more can happen within the range of time.
std::optional<Time> Reference::next_instant() const {
  std::optional<Time> next;
  const auto consider = [&](Int128 at) {
    if (at <= std::numeric_limits<std::int64_t>::max() && (!next || at < next->count())) {
      next = Time(static_cast<std::int64_t>(at));
    }
  };
  for (const CapacityChange& change : graph.capacity_changes) {
    if (change.at > now) {
      consider(change.at.count());
    }
  }
  for (std::size_t task = 0; task < progress.size(); ++task) {
    if (runs(task) && progress[task].rate > 0) {
      consider(now.count() + (progress[task].left + progress[task].rate - 1) / progress[task].rate);
    }
  }
  return next;
}

void Reference::advance_to(Time next) {
  const Int128 elapsed = (next - now).count();
  now = next;
  apply_capacities();
  for (std::size_t task = 0; task < progress.size(); ++task) {
    if (runs(task)) {
      progress[task].left -= progress[task].rate * elapsed;
      if (progress[task].left <= 0) {
        next_state(task);
      }
    }
  }
}

}  // namespace

Timeline reference_simulate(const TaskGraph& graph) {
  Reference reference{graph, {}, {}, {}, Time(0)};
  reference.progress.resize(graph.tasks.size());
  reference.timeline.begin.resize(graph.tasks.size());
  reference.timeline.end.resize(graph.tasks.size());
  reference.timeline.peak_load.resize(graph.resources.size());
  for (const Resource& resource : graph.resources) {
    reference.capacities.push_back(resource.capacity);
  }
  reference.apply_capacities();
  while (true) {
    reference.start_everything_ready();
    reference.compute_rates();
    reference.refuse_starvation();
    const auto ended = [](const Progress& task) { return task.state == State::ended; };
    if (std::all_of(reference.progress.begin(), reference.progress.end(), ended)) {
      reference.timeline.makespan = reference.now;
      return reference.timeline;
    }
    const std::optional<Time> next = reference.next_instant();
    if (!next) {
      const auto waits = [](const Progress& task) {
        return task.state == State::waiting || task.state == State::ended;
      };
      const bool deadlock = std::all_of(reference.progress.begin(), reference.progress.end(), waits);
      throw InfeasibleError(deadlock ? "deadlock" : "overflow");
    }
    reference.advance_to(*next);
  }
}

}  // namespace makespan::oracle
