#include "scenarios/report.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <tuple>

#include "core/int128.h"
#include "scenarios/run.h"
#include "scenarios/workload.h"

namespace makespan {

namespace {

std::vector<RankReport> rank_reports(const Prepared& prepared, const Lowered& lowered,
                                     const Timeline& timeline, Window window) {
  const Layout layout(prepared.scenario);
  const std::vector<RankTime> times = attribute(lowered.graph, timeline, window);
  const std::vector<MemoryPeak> memory = memory_peaks(lowered.graph, timeline, lowered.statics);
  std::vector<RankReport> ranks;
  for (int rank = 0; rank < layout.ranks(); ++rank) {
    const std::size_t gpu = layout.gpu(rank);
    ranks.push_back({.rank = rank,
                     .at = layout.coordinates(rank),
                     .node = static_cast<int>(prepared.machine.topology.gpus()[gpu].node),
                     .gpu = gpu,
                     .time = times[static_cast<std::size_t>(rank)],
                     .memory = memory[static_cast<std::size_t>(rank)]});
  }
  return ranks;
}

/// The passes of a rank in one iteration.
struct PassSpan {
  Time first;
  Time last;
  Time work;  ///< compute time
};

bool is_pass(Phase phase) {
  return phase == Phase::forward || phase == Phase::backward || phase == Phase::backward_input ||
         phase == Phase::backward_weight || phase == Phase::recompute;
}

/// By device, of the last iteration: its micro-batches are those from `first` on. Without a barrier it begins
/// before the one before has ended everywhere.
std::vector<PassSpan> pass_spans(const TaskGraph& graph, const Timeline& timeline, std::int64_t first) {
  std::vector<PassSpan> spans(graph.devices, {timeline.makespan, Time(), Time()});
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    const Label& label = graph.label(TaskId(i));
    if (graph.tasks[i].kind == TaskKind::compute && is_pass(label.phase) && label.microbatch >= first) {
      PassSpan& span = spans[graph.tasks[i].place];
      span.first = std::min(span.first, timeline.begin[i]);
      span.last = std::max(span.last, timeline.end[i]);
      span.work += timeline.end[i] - timeline.begin[i];
    }
  }
  return spans;
}

void add_spans(const std::vector<PassSpan>& spans, Report& report) {
  for (const PassSpan& span : spans) {
    report.longest_span = std::max(report.longest_span, span.last - span.first);
    report.span_work = std::max(report.span_work, span.work);
  }
  if (report.longest_span > Time()) {
    report.span_bubble_ratio = seconds(report.longest_span - report.span_work) / seconds(report.longest_span);
  }
}

std::vector<RankClass> classes_of(const std::vector<RankReport>& ranks) {
  using Key = std::tuple<int, RankTime, Bytes, MemorySplit>;
  std::map<Key, std::size_t> known;
  std::vector<RankClass> classes;
  for (const RankReport& rank : ranks) {
    const auto [place, is_new] = known.try_emplace(
        Key{rank.at.pipeline, rank.time, rank.memory.peak, rank.memory.split}, classes.size());
    if (is_new) {
      classes.emplace_back();
    }
    classes[place->second].ranks.push_back(rank.rank);
  }
  return classes;
}

/// Bytes that crossed each link, times the unit weight, from what lowering put into the graph.
std::vector<Uint128> bytes_of_links(const TaskGraph& graph) {
  std::vector<Uint128> amount_of_route(graph.routes.size());
  for (const Task& task : graph.tasks) {
    if (task.kind == TaskKind::transfer) {
      amount_of_route[task.place] += static_cast<std::uint64_t>(graph.transfers[task.work].amount.count());
    }
  }
  std::vector<Uint128> bytes(graph.resources.size());
  for (std::size_t route = 0; route < graph.routes.size(); ++route) {
    for (const Use& use : graph.routes[route].uses) {
      bytes[use.resource.index()] += amount_of_route[route] * use.weight;
    }
  }
  return bytes;
}

std::vector<LinkClass> link_classes(const TaskGraph& graph, const Timeline& timeline) {
  const std::vector<Uint128> bytes = bytes_of_links(graph);
  std::map<std::string, LinkClass> classes;
  std::map<std::string, double> capacity;
  for (std::size_t i = 0; i < graph.resources.size(); ++i) {
    const Resource& link = graph.resources[i];
    const std::string& kind = graph.name(link.kind);
    LinkClass& entry = classes[kind];
    entry.kind = kind;
    ++entry.count;
    entry.bytes += Bytes(static_cast<std::int64_t>((bytes[i] + Use::kUnitWeight - 1) / Use::kUnitWeight));
    capacity[kind] += bytes_per_second(link.capacity);
    if (link.capacity > Rate(0)) {
      entry.peak_utilisation = std::max(
          entry.peak_utilisation, bytes_per_second(timeline.peak_load[i]) / bytes_per_second(link.capacity));
    }
  }
  std::vector<LinkClass> result;
  for (auto& [kind, entry] : classes) {
    const double possible = capacity[kind] * seconds(timeline.makespan);
    entry.mean_utilisation = possible > 0 ? static_cast<double>(entry.bytes.count()) / possible : 0.0;
    result.push_back(entry);
  }
  return result;
}

std::string gib(Bytes bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes.count()) / (1 << 30));
}

std::optional<std::string> memory_verdict(const Prepared& prepared, const Lowered& lowered,
                                          const Report& report) {
  if (report.peak_memory <= report.memory_capacity) {
    return std::nullopt;
  }
  const RankReport& rank = report.ranks[static_cast<std::size_t>(report.peak_rank)];
  std::string split;
  for (std::size_t kind = 0; kind < kMemoryKinds; ++kind) {
    split += (kind == 0 ? "" : ", ") + std::string(to_string(static_cast<MemoryKind>(kind))) + ' ' +
             gib(rank.memory.split[kind]);
  }
  const std::string when = rank.memory.task == kNoTask
                               ? "before the first task"
                               : fmt::format("at {:.6f} s, when {} runs", seconds(rank.memory.at),
                                             lowered.graph.describe(rank.memory.task));
  return fmt::format("out of memory: rank {} (node {}, GPU {}) needs {} of the {} of {} {}: {}", rank.rank,
                     rank.node, rank.gpu, gib(report.peak_memory), gib(report.memory_capacity),
                     prepared.accelerator->name, when, split);
}

void add_rates(const Prepared& prepared, Report& report) {
  const Scenario& scenario = prepared.scenario;
  const double step = seconds(report.iteration_time);
  if (scenario.profile || step <= 0) {
    return;
  }
  const double gpus = static_cast<double>(scenario.ranks());
  const double tera = 1e12 * step * gpus;
  report.tokens_per_s = static_cast<double>(scenario.training.global_batch) *
                        static_cast<double>(scenario.model.sequence) / step;
  report.model_tflops_per_gpu = iteration_flops(scenario, FlopsConvention::exact) / tera;
  report.hardware_tflops_per_gpu = hardware_flops(scenario) / tera;
  report.mfu = report.model_tflops_per_gpu * 1e12 / prepared.accelerator->matmul_flops;
  report.hfu = report.hardware_tflops_per_gpu * 1e12 / prepared.accelerator->matmul_flops;
  const Reference& reference = scenario.reference;
  if (reference.tflops_per_gpu) {
    const FlopsConvention convention =
        reference.flops_convention.value_or(scenario.training.flops_convention);
    const double flops = iteration_flops(scenario, convention);
    report.comparisons.push_back(
        {"tflops_per_gpu", flops / tera, *reference.tflops_per_gpu, reference.source});
    report.comparisons.push_back(
        {"iteration_time_s", step, flops / (*reference.tflops_per_gpu * 1e12 * gpus), reference.source});
  }
}

}  // namespace

std::string_view version() {
  return MAKESPAN_VERSION;
}

Window last_iteration(const Lowered& lowered, const Timeline& timeline) {
  const auto latest = [&](const std::vector<TaskId>& tasks) {
    Time end;
    for (const TaskId task : tasks) {
      end = std::max(end, timeline.end[task.index()]);
    }
    return end;
  };
  Window window{.begin = Time(), .end = timeline.makespan};
  if (lowered.ends.size() > 1) {
    window.begin = latest(lowered.ends[lowered.ends.size() - 2]);
  }
  return window;
}

Report summarize(const Prepared& prepared, const Lowered& lowered, const Timeline& timeline) {
  const Scenario& scenario = prepared.scenario;
  Report report;
  report.scenario = scenario.name;
  report.schedule =
      scenario.schedule.file.empty() ? scenario.schedule.kind : "lists of " + scenario.schedule.file.path;
  if (scenario.schedule.chunks > 1) {
    report.schedule += fmt::format(", {} chunks", scenario.schedule.chunks);
  }
  report.window = last_iteration(lowered, timeline);
  report.iteration_time = report.window.length();
  report.ranks = rank_reports(prepared, lowered, timeline, report.window);
  report.classes = classes_of(report.ranks);
  add_spans(
      pass_spans(lowered.graph, timeline,
                 (scenario.simulation.iterations - 1) * scenario.microbatches() * prepared.schedule.pieces),
      report);
  for (const RankReport& rank : report.ranks) {
    report.bubble_total += rank.time.bubble_total();
    for (std::size_t group = 0; group < kGroups; ++group) {
      report.exposed_total[group] += rank.time.exposed[group];
    }
    if (rank.memory.peak > report.peak_memory) {
      report.peak_memory = rank.memory.peak;
      report.peak_rank = rank.rank;
    }
  }
  const double rank_seconds = seconds(report.iteration_time) * static_cast<double>(report.ranks.size());
  report.bubble_fraction = rank_seconds > 0 ? seconds(report.bubble_total) / rank_seconds : 0.0;
  report.memory_capacity = prepared.accelerator->memory;
  report.links = link_classes(lowered.graph, timeline);
  report.critical_path = critical_path(lowered.graph, timeline, report.window);
  report.gpus = static_cast<int>(report.ranks.size());
  report.nodes = static_cast<int>(scenario.cluster.nodes);
  report.simulated_ranks = lowered.graph.devices;
  report.tasks = lowered.graph.tasks.size();
  report.events = timeline.events;
  report.fingerprint = fingerprint(lowered.graph, timeline);
  report.warnings = prepared.warnings;
  add_rates(prepared, report);
  if (scenario.reference.iteration_time_s) {
    report.comparisons.push_back({"iteration_time_s", seconds(report.iteration_time),
                                  *scenario.reference.iteration_time_s, scenario.reference.source});
  }
  report.out_of_memory = memory_verdict(prepared, lowered, report);
  return report;
}

}  // namespace makespan
