// How fast the engine is: tasks and events per second of `simulate` on a 1F1B pipeline with transfers, beside
// the rate of a bare hold loop on the same event queue with as many events in it, in the same run. The ratio
// of the two is what to look at: absolute rates depend on the machine and on what else it does. Prints JSON.
//
// Usage: engine_perf [--quick]

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/event_queue.h"
#include "core/random.h"
#include "core/simulator.h"

namespace {

using namespace makespan;

struct Size {
  std::int64_t stages;
  std::int64_t microbatches;  ///< a multiple of the stages, at least twice as many
  int repetitions;
  std::int64_t hold_steps;
};

constexpr Time kForward(1'000'000'000);   // 1 ms
constexpr Time kBackward(2'000'000'000);  // 2 ms
constexpr Bytes kMessage(33'554'432);
constexpr Rate kLink(50'000'000'000'000);  // 50 GB/s
constexpr Time kLatency(1'000'000);        // 1 us

/// Builds the pipeline stage by stage: a compute task after the previous one of its stage, a transfer after
/// the compute that feeds it, on a link of its own for each direction between neighbours.
class Pipeline {
 public:
  explicit Pipeline(const Size& size) : size_(size), builder_(static_cast<std::size_t>(size.stages)) {
    const auto computes = static_cast<std::size_t>(size.stages * size.microbatches);
    forward_.resize(computes);
    backward_.resize(computes);
  }

  TaskGraph build() && {
    for (std::int64_t stage = 0; stage < size_.stages; ++stage) {
      add_computes(stage);
    }
    for (std::int64_t stage = 0; stage + 1 < size_.stages; ++stage) {
      connect(stage, forward_, stage, stage + 1);
      connect(stage, backward_, stage + 1, stage);
    }
    return std::move(builder_).build();
  }

 private:
  [[nodiscard]] std::size_t at(std::int64_t stage, std::int64_t microbatch) const {
    return static_cast<std::size_t>(stage * size_.microbatches + microbatch);
  }

  TaskId compute(std::int64_t stage, Time duration) {
    return builder_.compute(DeviceId(static_cast<std::size_t>(stage)), {Time(0), duration, Time(0)}, label_);
  }

  void add_computes(std::int64_t stage) {
    const std::int64_t warm_up = std::min(size_.microbatches, size_.stages - 1 - stage);
    std::vector<TaskId> order;
    for (std::int64_t step = 0; step < size_.microbatches + warm_up; ++step) {
      if (step < size_.microbatches) {
        order.push_back(forward_[at(stage, step)] = compute(stage, kForward));
      }
      if (step >= warm_up) {
        order.push_back(backward_[at(stage, step - warm_up)] = compute(stage, kBackward));
      }
    }
    for (std::size_t i = 1; i < order.size(); ++i) {
      builder_.edge(order[i - 1], order[i]);
    }
  }

  void connect(std::int64_t link, const std::vector<TaskId>& tasks, std::int64_t from, std::int64_t to) {
    const ResourceId resource = builder_.resource("link " + std::to_string(link), "link", kLink);
    const RouteId route = builder_.route({{{resource}}, {}, 0, 0});
    for (std::int64_t microbatch = 0; microbatch < size_.microbatches; ++microbatch) {
      const TaskId message = builder_.transfer(route, {kMessage, kLatency}, label_);
      builder_.edge(tasks[at(from, microbatch)], message);
      builder_.edge(message, tasks[at(to, microbatch)]);
    }
  }

  Size size_;
  TaskGraphBuilder builder_;
  Label label_{builder_.name("work")};
  std::vector<TaskId> forward_;
  std::vector<TaskId> backward_;
};

/// 1F1B with m >= 2 p, p | m: (m + p - 1)(F + B), and 2 (p - 1) m / p + 2 (p - 2) hops of c each.
Time expected_makespan(const Size& size) {
  const Time hop = kLatency + Time(kMessage.count() * 20);  // 20 ps a byte
  const std::int64_t hops = 2 * (size.stages - 1) * size.microbatches / size.stages + 2 * (size.stages - 2);
  return (size.microbatches + size.stages - 1) * (kForward + kBackward) + hops * hop;
}

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Mean number of tasks under way, each of which has one event in the queue.
std::uint32_t mean_in_flight(const Timeline& timeline) {
  double sum = 0;
  for (std::size_t task = 0; task < timeline.end.size(); ++task) {
    sum += seconds(timeline.end[task] - timeline.begin[task]);
  }
  return static_cast<std::uint32_t>(std::lround(sum / seconds(timeline.makespan)));
}

/// Takes what is earliest and pushes it again an exponentially distributed time later. Returns seconds.
double hold(std::uint32_t held, std::int64_t steps) {
  constexpr std::size_t kDelays = 65'536;
  std::vector<Time> delays;
  Random random(1);
  for (std::size_t i = 0; i < kDelays; ++i) {
    delays.push_back(time_from_seconds(-std::log(1.0 - random.unit()) * 1e-3));
  }
  EventQueue queue;
  for (std::uint32_t i = 0; i < held; ++i) {
    queue.push(delays[i % kDelays], i, 0);
  }
  const double start = cpu_seconds();
  for (std::int64_t step = 0; step < steps;) {
    const Time now = queue.advance();
    for (const EventQueue::Item& item : queue.taken()) {
      queue.push(now + delays[static_cast<std::size_t>(step) % kDelays], item.slot, item.version + 1);
      ++step;
    }
  }
  return cpu_seconds() - start;
}

int run(const Size& size) {
  const double start = cpu_seconds();
  const TaskGraph graph = Pipeline(size).build();
  const double build_seconds = cpu_seconds() - start;
  Timeline timeline = simulate(graph);
  const std::uint32_t held = mean_in_flight(timeline);
  std::vector<double> simulate_times;
  std::vector<double> hold_times;
  for (int i = 0; i < size.repetitions; ++i) {
    const double before = cpu_seconds();
    timeline = simulate(graph);
    simulate_times.push_back(cpu_seconds() - before);
    hold_times.push_back(hold(held, size.hold_steps));
  }
  const double events_per_s = static_cast<double>(timeline.events) / median(simulate_times);
  const double hold_per_s = static_cast<double>(size.hold_steps) / median(hold_times);
  const nlohmann::ordered_json result = {
      {"stages", size.stages},
      {"microbatches", size.microbatches},
      {"tasks", graph.tasks.size()},
      {"events", timeline.events},
      {"makespan_ps", timeline.makespan.count()},
      {"expected_makespan_ps", expected_makespan(size).count()},
      {"build_cpu_s", build_seconds},
      {"simulate_cpu_s", median(simulate_times)},
      {"tasks_per_s", static_cast<double>(graph.tasks.size()) / median(simulate_times)},
      {"events_per_s", events_per_s},
      {"hold_events", held},
      {"hold_events_per_s", hold_per_s},
      {"events_per_hold_event", events_per_s / hold_per_s},
  };
  std::puts(result.dump(2).c_str());
  if (timeline.makespan != expected_makespan(size)) {
    std::fputs("engine_perf: the makespan is not that of the closed form\n", stderr);
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc == 2 && std::strcmp(argv[1], "--quick") == 0;
  if (argc > 1 && !quick) {
    std::fputs("usage: engine_perf [--quick]\n", stderr);
    return 2;
  }
  return run(quick ? Size{8, 64, 3, 20'000} : Size{64, 512, 15, 2'000'000});
}
