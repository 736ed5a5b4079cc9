#include "devices/memory_ledger.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"

namespace makespan {

namespace {

/// A delta of one device, placed in time. Sorted, the ends of an instant come before its starts.
struct Change {
  Time at;
  bool start;
  std::uint32_t delta;  ///< index into TaskGraph::memory

  auto operator<=>(const Change&) const = default;
};

Change change_of(const TaskGraph& graph, const Timeline& timeline, std::size_t index) {
  const MemoryDelta& delta = graph.memory[index];
  const std::vector<Time>& times = delta.at_end ? timeline.end : timeline.begin;
  return {times[delta.task.index()], !delta.at_end, static_cast<std::uint32_t>(index)};
}

/// The next changes that happen together: same instant, all ends or all starts.
std::span<const Change> together(std::span<const Change> changes) {
  const auto last = std::find_if(changes.begin(), changes.end(), [&](const Change& change) {
    return change.at != changes.front().at || change.start != changes.front().start;
  });
  return changes.first(static_cast<std::size_t>(last - changes.begin()));
}

void apply(const TaskGraph& graph, std::span<const Change> changes, MemorySplit& held) {
  for (const Change& change : changes) {
    const MemoryDelta& delta = graph.memory[change.delta];
    held[static_cast<std::size_t>(delta.kind)] += delta.bytes;
  }
}

TaskId largest_taker(const TaskGraph& graph, std::span<const Change> changes) {
  const auto key = [&](const Change& change) {
    const MemoryDelta& delta = graph.memory[change.delta];
    return std::tuple(Bytes{} - delta.bytes, delta.task);
  };
  return graph
      .memory[std::min_element(changes.begin(), changes.end(),
                               [&](const Change& a, const Change& b) { return key(a) < key(b); })
                  ->delta]
      .task;
}

/// Calls visit(changes that happen together, what is held after them) in order of time.
template <class Visit>
void replay(const TaskGraph& graph, std::span<const Change> changes, MemorySplit held, Visit visit) {
  while (!changes.empty()) {
    const std::span<const Change> group = together(changes);
    apply(graph, group, held);
    visit(group, held);
    changes = changes.subspan(group.size());
  }
}

MemoryPeak peak_of(const TaskGraph& graph, std::span<const Change> changes, const MemorySplit& held) {
  MemoryPeak peak{total(held), held, Time(0), kNoTask};
  replay(graph, changes, held, [&](std::span<const Change> group, const MemorySplit& now) {
    if (total(now) > peak.peak) {
      peak = {total(now), now, group.front().at, largest_taker(graph, group)};
    }
  });
  return peak;
}

void check_shapes(const TaskGraph& graph, const Timeline& timeline, std::span<const MemorySplit> statics) {
  MAKESPAN_CHECK(statics.size() == graph.devices, "static allocations of every device");
  MAKESPAN_CHECK(timeline.begin.size() == graph.tasks.size() && timeline.end.size() == graph.tasks.size(),
                 "the timeline of this graph");
}

}  // namespace

Bytes total(const MemorySplit& split) {
  Bytes sum;
  for (const Bytes bytes : split) {
    sum += bytes;
  }
  return sum;
}

std::vector<MemoryPeak> memory_peaks(const TaskGraph& graph, const Timeline& timeline,
                                     std::span<const MemorySplit> statics) {
  check_shapes(graph, timeline, statics);
  // Bucket by device, then sort each bucket: `first[d]` is where the changes of device d begin.
  std::vector<std::size_t> first(graph.devices + 1);
  for (const MemoryDelta& delta : graph.memory) {
    ++first[delta.device.index() + 1];
  }
  for (std::size_t device = 0; device < graph.devices; ++device) {
    first[device + 1] += first[device];
  }
  std::vector<Change> changes(graph.memory.size());
  std::vector<std::size_t> next = first;
  for (std::size_t i = 0; i < graph.memory.size(); ++i) {
    changes[next[graph.memory[i].device.index()]++] = change_of(graph, timeline, i);
  }
  std::vector<MemoryPeak> peaks;
  peaks.reserve(graph.devices);
  for (std::size_t device = 0; device < graph.devices; ++device) {
    const std::span<Change> mine =
        std::span(changes).subspan(first[device], first[device + 1] - first[device]);
    std::sort(mine.begin(), mine.end());
    peaks.push_back(peak_of(graph, mine, statics[device]));
  }
  return peaks;
}

std::vector<std::pair<Time, MemorySplit>> memory_curve(const TaskGraph& graph, const Timeline& timeline,
                                                       std::span<const MemorySplit> statics,
                                                       DeviceId device) {
  check_shapes(graph, timeline, statics);
  std::vector<Change> changes;
  for (std::size_t i = 0; i < graph.memory.size(); ++i) {
    if (graph.memory[i].device == device) {
      changes.push_back(change_of(graph, timeline, i));
    }
  }
  std::sort(changes.begin(), changes.end());
  std::vector<std::pair<Time, MemorySplit>> curve = {{Time(0), statics[device.index()]}};
  replay(graph, changes, statics[device.index()], [&](std::span<const Change> group, const MemorySplit& now) {
    auto& [at, held] = curve.back();
    const bool same_instant = at == group.front().at;
    const bool maximum =
        total(held) > total(now) && (curve.size() == 1 || total(held) > total(curve.end()[-2].second));
    if (same_instant && !maximum) {
      held = now;
    } else {
      curve.emplace_back(group.front().at, now);
    }
  });
  return curve;
}

}  // namespace makespan
