#include "tools/schedule_trace.h"

#include <boost/multiprecision/cpp_int.hpp>
#include <fmt/format.h>
#include <limits>
#include <utility>
#include <vector>

#include "core/attribution.h"
#include "core/error.h"
#include "scenarios/report.h"

namespace makespan {

namespace {

constexpr std::int64_t kPicosecondsPerMillisecond = 1'000'000'000;

/// The tasks of a bare model, those of overlapped pairs taken apart, and their times in picoseconds.
class TraceGraph {
 public:
  TraceGraph(const Schedule& schedule, const BareRun& run, const BareCosts& costs)
      : schedule_(schedule),
        run_(run),
        picoseconds_per_unit_(costs.in_seconds ? kPicosecondsPerSecond : kPicosecondsPerMillisecond),
        builder_(run.model.graph.devices),
        copies_(run.model.graph.tasks.size()) {
    std::vector<std::int32_t> owned(schedule.actions.size(), 0);
    for (const int rank : schedule.rank_of_stage) {
      chunk_of_stage_.push_back(owned[static_cast<std::size_t>(rank)]++);
    }
  }

  [[nodiscard]] std::pair<TaskGraph, Timeline> run() && {
    const TaskGraph& graph = run_.model.graph;
    for (const Resource& resource : graph.resources) {
      builder_.resource(resource.name, graph.name(resource.kind), resource.capacity);
    }
    add_computes();
    for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
      if (graph.tasks[i].kind == TaskKind::transfer) {
        const TaskId task(i);
        const RouteId route = builder_.route(graph.route(task));
        add(task, builder_.transfer(route, graph.transfer(task), copied(graph.label(task))));
      }
    }
    add_edges();
    timeline_.makespan = picoseconds(run_.timeline.makespan);
    timeline_.peak_load = run_.timeline.peak_load;
    return {std::move(builder_).build(), std::move(timeline_)};
  }

 private:
  [[nodiscard]] Label copied(Label label) {
    label.name = builder_.name(run_.model.graph.name(label.name));
    return label;
  }

  [[nodiscard]] Time picoseconds(Time ticks) const {
    const BigInteger exact = BigInteger(ticks.count()) * picoseconds_per_unit_ / run_.model.ticks_per_unit;
    if (exact > std::numeric_limits<std::int64_t>::max()) {
      throw InputError({}, "--format trace",
                       "the makespan of " + to_string(run_.result.makespan) + " is too long for picoseconds");
    }
    return Time(exact.convert_to<std::int64_t>());
  }

  void add(TaskId original, TaskId copy) {
    copies_[original.index()].push_back(copy);
    timeline_.begin.push_back(picoseconds(run_.timeline.begin[original.index()]));
    timeline_.end.push_back(picoseconds(run_.timeline.end[original.index()]));
  }

  void add_computes() {
    const TaskGraph& graph = run_.model.graph;
    for (std::size_t rank = 0; rank < schedule_.actions.size(); ++rank) {
      for (std::size_t i = 0; i < schedule_.actions[rank].size(); ++i) {
        const Action& action = schedule_.actions[rank][i];
        if (!is_compute(action.kind)) {
          continue;
        }
        const TaskId task = run_.model.tasks[rank][i];
        Label label = copied(graph.label(task));
        const bool is_second = !copies_[task.index()].empty();
        if (action.overlaps_next || is_second) {
          label.name = builder_.name(is_second ? "backward" : "forward");
          label.phase = is_second ? Phase::backward : Phase::forward;
          label.stage = action.stage;
          label.chunk = chunk_of_stage_[static_cast<std::size_t>(action.stage)];
          label.microbatch = action.microbatch;
        }
        add(task, builder_.compute(DeviceId(rank), graph.compute(task), label));
      }
    }
  }

  void add_edges() {
    const TaskGraph& graph = run_.model.graph;
    for (std::size_t i = 0; i < copies_.size(); ++i) {
      for (auto [edge, last] = graph.incoming(TaskId(i)); edge != last; ++edge) {
        for (const TaskId before : copies_[boost::source(*edge, graph.adjacency)]) {
          for (const TaskId after : copies_[i]) {
            builder_.edge(before, after);
          }
        }
      }
    }
  }

  const Schedule& schedule_;
  const BareRun& run_;
  BigInteger picoseconds_per_unit_;
  TaskGraphBuilder builder_;
  std::vector<std::int32_t> chunk_of_stage_;  ///< how many lower stages its rank has
  std::vector<std::vector<TaskId>> copies_;   ///< by task of the model
  Timeline timeline_;
};

}  // namespace

TraceSize write_schedule_trace(const ByteSink& sink, const Schedule& schedule, const BareRun& run,
                               const BareCosts& costs) {
  const auto [graph, timeline] = TraceGraph(schedule, run, costs).run();
  TraceInfo info;
  info.title = schedule.kind;
  info.version = version();
  info.fingerprint = fingerprint(graph, timeline);
  info.world_size = graph.devices;
  info.window = {Time(0), timeline.makespan};
  const std::vector<RankTime> times = attribute(graph, timeline, info.window);
  for (std::size_t rank = 0; rank < graph.devices; ++rank) {
    info.ranks.push_back({rank, DeviceId(rank), fmt::format("rank {}", rank), times[rank], {}, Bytes()});
  }
  info.metadata = {{"schedule", schedule.kind}};
  if (!costs.in_seconds) {
    info.metadata.emplace_back("time_unit", "1 ms stands for one unit of the costs");
  }
  return write_chrome_trace(sink, graph, timeline, info);
}

}  // namespace makespan
