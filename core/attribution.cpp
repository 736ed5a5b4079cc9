#include "core/attribution.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <tuple>

#include "core/int128.h"

namespace makespan {

std::string_view to_string(Bubble bubble) {
  static constexpr std::array<std::string_view, kBubbles> kNames = {"warm_up", "drain", "optimizer",
                                                                    "dependency"};
  return kNames[static_cast<std::size_t>(bubble)];
}

Time RankTime::exposed_total() const {
  return std::accumulate(exposed.begin(), exposed.end(), Time());
}

Time RankTime::bubble_total() const {
  return std::accumulate(bubble.begin(), bubble.end(), Time());
}

Time alone_duration(const TaskGraph& graph, TaskId task) {
  const TransferWork& work = graph.transfer(task);
  const Route& route = graph.route(task);
  if (route.uses.empty() || work.amount == Bytes(0)) {
    return work.latency;
  }
  std::uint64_t rate = std::numeric_limits<std::uint64_t>::max();
  for (const Use& use : route.uses) {
    const auto capacity = static_cast<std::uint64_t>(graph.resources[use.resource.index()].capacity.count());
    rate = std::min(rate,
                    static_cast<std::uint64_t>(floor_div(Uint128{capacity} * Use::kUnitWeight, use.weight)));
  }
  if (rate == 0) {
    return work.latency;
  }
  constexpr std::uint64_t kWorkPerByte = 1'000'000'000'000'000;  // 1/1000 byte per second times a picosecond
  const Uint128 remaining = Uint128{static_cast<std::uint64_t>(work.amount.count())} * kWorkPerByte;
  return work.latency + Time(static_cast<std::int64_t>(ceil_div(remaining, rate)));
}

namespace {

/// Transfers of no group count as `other`.
std::size_t group_of(const Label& label) {
  return static_cast<std::size_t>(label.group == Group::none ? Group::other : label.group);
}

bool is_member(const Route& route, DeviceId device) {
  return std::find(route.members.begin(), route.members.end(), device) != route.members.end();
}

/// Walks from a task to what it waited for.
class Walker {
 public:
  Walker(const TaskGraph& graph, const Timeline& timeline) : graph_(graph), timeline_(timeline) {
    for (const Pool& pool : graph.pools) {
      for (std::size_t i = 0; i < pool.tasks.size(); ++i) {
        turns_.emplace(pool.tasks[i], std::span(pool.tasks).first(i));
      }
    }
  }

  /// The latest-ending predecessor of `task` as `device` sees it, looking through markers; false when there
  /// is none. The predecessors of a task of a pool are also those that freed its slot, and those of the task
  /// before it where it only waited for its turn.
  bool step(TaskId task, DeviceId device, TaskId& before) {
    found_ = false;
    pending_.assign(1, task);
    while (!pending_.empty()) {
      const TaskId at = pending_.back();
      pending_.pop_back();
      const auto [first, last] = graph_.incoming(at);
      for (auto edge = first; edge != last; ++edge) {
        offer(TaskId(boost::source(*edge, graph_.adjacency)), device);
      }
      if (!turns_.empty()) {
        offer_turns(at, device);
      }
    }
    before = best_;
    return found_;
  }

  /// Starts over from several tasks, as if one task waited for all of them.
  void offer(TaskId candidate, DeviceId device) {
    if (graph_.tasks[candidate.index()].kind == TaskKind::marker) {
      pending_.push_back(candidate);
      return;
    }
    const Time end = timeline_.end[candidate.index()];
    const auto key = std::make_tuple(-end.count(), preference(candidate, device), candidate);
    if (!found_ || key < best_key_) {
      found_ = true;
      best_ = candidate;
      best_key_ = key;
    }
  }

  void reset() {
    found_ = false;
    pending_.clear();
  }

  [[nodiscard]] bool found() const { return found_; }

  [[nodiscard]] TaskId best() const { return best_; }

 private:
  void offer_turns(TaskId task, DeviceId device) {
    const auto found = turns_.find(task);
    if (found == turns_.end() || found->second.empty()) {
      return;
    }
    const Time begin = timeline_.begin[task.index()];
    for (const TaskId earlier : found->second) {
      const bool is_marker = graph_.tasks[earlier.index()].kind == TaskKind::marker;
      if (timeline_.end[earlier.index()] == begin && !is_marker) {  // a marker is reached by the next step
        offer(earlier, device);
      }
    }
    if (timeline_.begin[found->second.back().index()] == begin) {
      pending_.push_back(found->second.back());
    }
  }

  /// Own communication in the order of groups, then own compute, then remote work.
  [[nodiscard]] int preference(TaskId task, DeviceId device) const {
    if (graph_.tasks[task.index()].kind == TaskKind::transfer) {
      return is_member(graph_.route(task), device) ? static_cast<int>(group_of(graph_.label(task))) : 100;
    }
    return graph_.device(task) == device ? 99 : 100;
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  std::map<TaskId, std::span<const TaskId>> turns_;  ///< of a task in a pool: the tasks before it
  std::vector<TaskId> pending_;
  bool found_ = false;
  TaskId best_;
  std::tuple<std::int64_t, int, TaskId> best_key_;
};

/// Compute tasks of each device in order of their begin.
std::vector<std::vector<TaskId>> compute_streams(const TaskGraph& graph, const Timeline& timeline) {
  std::vector<std::vector<TaskId>> streams(graph.devices);
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    if (graph.tasks[i].kind == TaskKind::compute) {
      streams[graph.tasks[i].place].emplace_back(i);
    }
  }
  for (std::vector<TaskId>& stream : streams) {
    const auto earlier = [&](TaskId a, TaskId b) {
      return std::tie(timeline.begin[a.index()], timeline.end[a.index()], a) <
             std::tie(timeline.begin[b.index()], timeline.end[b.index()], b);
    };
    if (!std::is_sorted(stream.begin(), stream.end(), earlier)) {
      std::sort(stream.begin(), stream.end(), earlier);
    }
  }
  return streams;
}

/// Attributes one device.
class RankAttribution {
 public:
  RankAttribution(const TaskGraph& graph, const Timeline& timeline, Window window, DeviceId device,
                  Walker& walker)
      : graph_(graph), timeline_(timeline), window_(window), device_(device), walker_(walker) {}

  RankTime run(const std::vector<TaskId>& stream, const std::vector<TaskId>& last_tasks) {
    Time last_forward = window_.begin;
    for (const TaskId task : stream) {
      if (graph_.label(task).phase == Phase::forward && timeline_.begin[task.index()] < window_.end) {
        last_forward = std::max(last_forward, timeline_.begin[task.index()]);
      }
    }
    Time at = window_.begin;
    bool computed = false;
    for (const TaskId task : stream) {
      const Time begin = std::max(timeline_.begin[task.index()], window_.begin);
      const Time end = std::min(timeline_.end[task.index()], window_.end);
      if (end <= at && begin <= at) {
        continue;  // outside the window, of no length, or under an earlier task
      }
      if (begin > at) {
        gap(at, begin, task, cause(task, computed, begin > last_forward));
        at = begin;
      }
      computed = true;
      result_.compute += std::max(end, at) - at;
      const Time slowdown = std::max(Time(), (timeline_.end[task.index()] - timeline_.begin[task.index()]) -
                                                 graph_.compute(task).nominal());
      result_.slowdown += std::min(slowdown, std::max(end, at) - at);
      at = std::max(at, end);
    }
    if (at < window_.end) {
      tail(at, last_tasks);
    }
    return result_;
  }

 private:
  [[nodiscard]] Bubble cause(TaskId task, bool computed, bool after_last_forward) const {
    const Phase phase = graph_.label(task).phase;
    if (!computed) {
      return Bubble::warm_up;
    }
    if (phase == Phase::optimizer || phase == Phase::grad_norm) {
      return Bubble::optimizer;
    }
    return after_last_forward ? Bubble::drain : Bubble::dependency;
  }

  /// The gap [from, to) that `task` ends.
  void gap(Time from, Time to, TaskId task, Bubble cause) {
    TaskId before;
    if (timeline_.begin[task.index()] == to && walker_.step(task, device_, before)) {
      to = under_communication(from, to, before);
    }
    result_.bubble[static_cast<std::size_t>(cause)] += to - from;
  }

  /// The gap from the last compute task to the end of the window.
  void tail(Time from, const std::vector<TaskId>& last_tasks) {
    walker_.reset();
    for (const TaskId task : last_tasks) {
      walker_.offer(task, device_);
    }
    Time to = window_.end;
    if (walker_.found()) {
      to = under_communication(from, to, walker_.best());
    }
    result_.bubble[static_cast<std::size_t>(Bubble::optimizer)] += to - from;
  }

  /// Books the part of [from, to) that lies under own communication ending at `to`; returns where that part
  /// begins.
  Time under_communication(Time from, Time to, TaskId before) {
    while (to > from && graph_.tasks[before.index()].kind == TaskKind::transfer &&
           is_member(graph_.route(before), device_)) {
      const Time begin = std::max(timeline_.begin[before.index()], from);
      const Time part = to - begin;
      const Time actual = timeline_.end[before.index()] - timeline_.begin[before.index()];
      const Time beyond = std::max(Time(), actual - alone_duration(graph_, before));
      const std::size_t group = group_of(graph_.label(before));
      result_.exposed[group] += part;
      result_.contention[group] += std::min(part, beyond);
      to = begin;
      TaskId next;
      if (!walker_.step(before, device_, next)) {
        break;
      }
      before = next;
    }
    return to;
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  Window window_;
  DeviceId device_;
  Walker& walker_;
  RankTime result_;
};

/// The tasks that end last within the window.
std::vector<TaskId> tasks_ending_at(const TaskGraph& graph, const Timeline& timeline, Time end) {
  std::vector<TaskId> tasks;
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    if (timeline.end[i] == end && graph.tasks[i].kind != TaskKind::marker) {
      tasks.emplace_back(i);
    }
  }
  return tasks;
}

}  // namespace

std::vector<RankTime> attribute(const TaskGraph& graph, const Timeline& timeline, Window window) {
  const std::vector<std::vector<TaskId>> streams = compute_streams(graph, timeline);
  const std::vector<TaskId> last_tasks = tasks_ending_at(graph, timeline, window.end);
  Walker walker(graph, timeline);
  std::vector<RankTime> ranks;
  ranks.reserve(graph.devices);
  for (std::size_t device = 0; device < graph.devices; ++device) {
    RankAttribution rank(graph, timeline, window, DeviceId(device), walker);
    ranks.push_back(rank.run(streams[device], last_tasks));
  }
  return ranks;
}

CriticalPath critical_path(const TaskGraph& graph, const Timeline& timeline, Window window) {
  CriticalPath path{};
  const std::vector<TaskId> last_tasks = tasks_ending_at(graph, timeline, window.end);
  Walker walker(graph, timeline);
  walker.reset();
  for (const TaskId task : last_tasks) {
    walker.offer(task, DeviceId(0));
  }
  Time to = window.end;
  bool more = walker.found();
  TaskId task = walker.best();
  while (more && to > window.begin) {
    const Time begin = std::max(timeline.begin[task.index()], window.begin);
    const Label& label = graph.label(task);
    const bool compute = graph.tasks[task.index()].kind == TaskKind::compute;
    (compute ? path.compute[static_cast<std::size_t>(label.phase)] : path.transfer[group_of(label)]) +=
        to - begin;
    to = begin;
    const DeviceId device = compute ? graph.device(task) : DeviceId(0);
    TaskId before;
    more = walker.step(task, device, before);
    task = before;
  }
  path.idle = to - window.begin;
  return path;
}

namespace {

/// The finaliser of SplitMix64 (Steele et al. 2014) over a running state.
std::uint64_t mix(std::uint64_t state, std::uint64_t value) {
  std::uint64_t z = (state ^ value) + 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

std::uint64_t mix(std::uint64_t state, std::string_view text) {
  for (const char c : text) {
    state = mix(state, static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
  }
  return mix(state, text.size());
}

std::vector<std::uint64_t> label_hashes(const TaskGraph& graph) {
  std::vector<std::uint64_t> names;
  for (const std::string& name : graph.names) {
    names.push_back(mix(0, name));
  }
  std::vector<std::uint64_t> hashes;
  hashes.reserve(graph.labels.size());
  for (const Label& label : graph.labels) {
    std::uint64_t hash = names[label.name.index()];
    hash = mix(hash, static_cast<std::uint64_t>(label.phase));
    hash = mix(hash, static_cast<std::uint64_t>(label.group));
    for (const std::int32_t number : {label.stage, label.chunk, label.microbatch, label.layer}) {
      hash = mix(hash, static_cast<std::uint64_t>(static_cast<std::int64_t>(number)));
    }
    hashes.push_back(hash);
  }
  return hashes;
}

}  // namespace

std::uint64_t fingerprint(const TaskGraph& graph, const Timeline& timeline) {
  const std::vector<std::uint64_t> labels = label_hashes(graph);
  std::vector<std::uint64_t> ranks(graph.devices);
  std::vector<std::uint64_t> links(graph.resources.size());
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    const Task& task = graph.tasks[i];
    if (task.kind == TaskKind::marker) {
      continue;
    }
    std::uint64_t span =
        mix(labels[task.label.index()], static_cast<std::uint64_t>(timeline.begin[i].count()));
    span = mix(span, static_cast<std::uint64_t>(timeline.end[i].count()));
    if (task.kind == TaskKind::compute) {
      ranks[task.place] += span;
      continue;
    }
    span = mix(span, static_cast<std::uint64_t>(graph.transfers[task.work].amount.count()));
    for (const DeviceId member : graph.routes[task.place].members) {
      ranks[member.index()] += span;
    }
    for (const Use& use : graph.routes[task.place].uses) {
      links[use.resource.index()] += mix(span, use.weight);
    }
  }
  std::uint64_t sum = 0;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    sum += mix(mix(1, rank), ranks[rank]);
  }
  for (std::size_t link = 0; link < links.size(); ++link) {
    sum += mix(mix(2, link), links[link]);
  }
  return sum;
}

}  // namespace makespan
