#include "devices/memory_ledger.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

#include "core/random.h"

namespace makespan {
namespace {

constexpr MemoryKind kActivations = MemoryKind::activations;
constexpr MemoryKind kBuffers = MemoryKind::buffers;

/// A graph of zero-time tasks and a timeline made by hand: the ledger looks at nothing else.
struct Case {
  TaskGraph graph;
  Timeline timeline;
  std::vector<MemorySplit> statics;

  explicit Case(std::size_t devices) : statics(devices) { graph.devices = devices; }

  TaskId task(std::int64_t begin, std::int64_t end) {
    graph.tasks.emplace_back();
    timeline.begin.emplace_back(begin);
    timeline.end.emplace_back(end);
    return TaskId(graph.tasks.size() - 1);
  }

  void at_start(TaskId task, std::int64_t bytes, MemoryKind kind = kActivations, std::size_t device = 0) {
    graph.memory.push_back({task, DeviceId(device), kind, false, Bytes(bytes)});
  }

  void at_end(TaskId task, std::int64_t bytes, MemoryKind kind = kActivations, std::size_t device = 0) {
    graph.memory.push_back({task, DeviceId(device), kind, true, Bytes(bytes)});
  }

  [[nodiscard]] MemoryPeak peak(std::size_t device = 0) const {
    return memory_peaks(graph, timeline, statics)[device];
  }

  [[nodiscard]] std::vector<std::pair<std::int64_t, std::int64_t>> totals(std::size_t device = 0) const {
    std::vector<std::pair<std::int64_t, std::int64_t>> result;
    for (const auto& [at, split] : memory_curve(graph, timeline, statics, DeviceId(device))) {
      result.emplace_back(at.count(), total(split).count());
    }
    return result;
  }
};

using Curve = std::vector<std::pair<std::int64_t, std::int64_t>>;

TEST(MemoryLedger, WithoutDeltasThePeakIsWhatIsHeldThroughout) {
  Case c(2);
  c.statics[1][static_cast<std::size_t>(MemoryKind::weights)] = Bytes(40);
  c.statics[1][static_cast<std::size_t>(MemoryKind::optimizer)] = Bytes(2);
  EXPECT_EQ(c.peak(0).peak, Bytes(0));
  EXPECT_EQ(c.peak(1).peak, Bytes(42));
  EXPECT_EQ(c.peak(1).split, c.statics[1]);
  EXPECT_EQ(c.peak(1).at, Time(0));
  EXPECT_EQ(c.peak(1).task, kNoTask);
  EXPECT_EQ(c.totals(1), (Curve{{0, 42}}));
}

TEST(MemoryLedger, NamesThePeakItsTimeItsTaskAndItsSplit) {
  Case c(1);
  c.statics[0][static_cast<std::size_t>(MemoryKind::weights)] = Bytes(100);
  const TaskId forward = c.task(10, 20);
  const TaskId second = c.task(20, 30);
  const TaskId backward = c.task(30, 50);
  c.at_start(forward, 7);
  c.at_start(second, 8);
  c.at_start(second, 5, kBuffers);
  c.at_end(second, -5, kBuffers);
  c.at_end(backward, -15);
  const MemoryPeak peak = c.peak();
  EXPECT_EQ(peak.peak, Bytes(100 + 7 + 8 + 5));
  EXPECT_EQ(peak.at, Time(20));
  EXPECT_EQ(peak.task, second);
  EXPECT_EQ(peak.split[static_cast<std::size_t>(kActivations)], Bytes(15));
  EXPECT_EQ(peak.split[static_cast<std::size_t>(kBuffers)], Bytes(5));
  EXPECT_EQ(total(peak.split), peak.peak);
  EXPECT_EQ(c.totals(), (Curve{{0, 100}, {10, 107}, {20, 120}, {30, 115}, {50, 100}}));
}

TEST(MemoryLedger, WithinAnInstantEndsComeBeforeStarts) {
  // The second task begins the instant the first ends: its buffer can be the same memory.
  Case c(1);
  const TaskId next = c.task(10, 20);
  const TaskId before = c.task(0, 10);
  c.at_start(next, 6);
  c.at_end(next, -6);
  c.at_start(before, 6);
  c.at_end(before, -6);
  EXPECT_EQ(c.peak().peak, Bytes(6));
  EXPECT_EQ(c.peak().at, Time(0));
  EXPECT_EQ(c.peak().task, before);
  EXPECT_EQ(c.totals(), (Curve{{0, 6}, {10, 6}, {20, 0}}));
}

TEST(MemoryLedger, AMaximumInsideAnInstantCountsAndShowsInTheCurve) {
  // What a task leaves at its end is there before the next one, in the same instant, gives something back.
  Case c(1);
  const TaskId producer = c.task(0, 10);
  const TaskId consumer = c.task(10, 20);
  c.at_start(producer, 4);
  c.at_end(producer, 3);
  c.at_start(consumer, -4);
  EXPECT_EQ(c.peak().peak, Bytes(7));
  EXPECT_EQ(c.peak().at, Time(10));
  EXPECT_EQ(c.peak().task, producer);
  EXPECT_EQ(c.totals(), (Curve{{0, 4}, {10, 7}, {10, 3}}));
}

TEST(MemoryLedger, ATaskWithoutDurationThatTakesAndGivesBackHoldsNothing) {
  Case c(1);
  const TaskId marker = c.task(5, 5);
  c.at_start(marker, 9);
  c.at_end(marker, -9);
  EXPECT_EQ(c.peak().peak, Bytes(0));
}

TEST(MemoryLedger, DevicesDoNotMix) {
  Case c(3);
  const TaskId transfer = c.task(0, 10);
  c.at_start(transfer, 5, kBuffers, 0);
  c.at_start(transfer, 11, kBuffers, 2);
  c.at_end(transfer, -11, kBuffers, 2);
  EXPECT_EQ(c.peak(0).peak, Bytes(5));
  EXPECT_EQ(c.peak(1).peak, Bytes(0));
  EXPECT_EQ(c.peak(2).peak, Bytes(11));
  EXPECT_EQ(c.totals(2), (Curve{{0, 11}, {10, 0}}));
}

/// Sums every delta up to an instant anew, for each instant: slow and obvious.
std::int64_t slow_peak(const Case& c, std::size_t device) {
  std::set<std::int64_t> instants;
  for (const Time time : c.timeline.begin) {
    instants.insert(time.count());
  }
  for (const Time time : c.timeline.end) {
    instants.insert(time.count());
  }
  std::int64_t peak = total(c.statics[device]).count();
  for (const std::int64_t now : instants) {
    for (const bool with_starts : {false, true}) {
      std::int64_t held = total(c.statics[device]).count();
      for (const MemoryDelta& delta : c.graph.memory) {
        const std::int64_t at =
            (delta.at_end ? c.timeline.end : c.timeline.begin)[delta.task.index()].count();
        const bool happened = at < now || (at == now && (delta.at_end || with_starts));
        held += happened && delta.device.index() == device ? delta.bytes.count() : 0;
      }
      peak = std::max(peak, held);
    }
  }
  return peak;
}

TEST(MemoryLedger, AgreesWithASlowLedgerOnRandomCasesAndTheCurveReachesThePeak) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    Case c(3);
    c.statics[0][0] = Bytes(20);
    for (int i = 0; i < 12; ++i) {
      const std::int64_t begin = random.between(0, 7);
      const TaskId task = c.task(begin, begin + random.between(0, 3));
      for (std::uint64_t n = random.below(4); n > 0; --n) {
        const std::int64_t bytes = random.between(-10, 10);
        const auto kind = static_cast<MemoryKind>(random.below(kMemoryKinds));
        const std::size_t device = random.below(3);
        c.graph.memory.push_back({task, DeviceId(device), kind, random.below(2) == 0, Bytes(bytes)});
      }
    }
    for (std::size_t device = 0; device < 3; ++device) {
      const MemoryPeak peak = c.peak(device);
      EXPECT_EQ(peak.peak.count(), slow_peak(c, device));
      EXPECT_EQ(total(peak.split), peak.peak);
      const Curve curve = c.totals(device);
      const auto top = std::max_element(curve.begin(), curve.end(),
                                        [](const auto& a, const auto& b) { return a.second < b.second; });
      EXPECT_EQ(top->second, peak.peak.count());
      EXPECT_EQ(top->first, peak.at.count());
      EXPECT_TRUE(std::is_sorted(curve.begin(), curve.end(),
                                 [](const auto& a, const auto& b) { return a.first < b.first; }));
    }
    // The order in which deltas are listed changes nothing.
    const std::vector<MemoryPeak> before = memory_peaks(c.graph, c.timeline, c.statics);
    std::reverse(c.graph.memory.begin(), c.graph.memory.end());
    const std::vector<MemoryPeak> after = memory_peaks(c.graph, c.timeline, c.statics);
    for (std::size_t device = 0; device < 3; ++device) {
      EXPECT_EQ(after[device].split, before[device].split);
      EXPECT_EQ(after[device].at, before[device].at);
      EXPECT_EQ(after[device].task, before[device].task);
    }
  }
}

}  // namespace
}  // namespace makespan
