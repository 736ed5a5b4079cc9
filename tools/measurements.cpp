#include "tools/measurements.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "scenarios/run.h"
#include "scenarios/schedule_source.h"

namespace makespan {

std::string_view to_string(RowStatus status) {
  if (status == RowStatus::ok) {
    return "ok";
  }
  return status == RowStatus::unsupported ? "unsupported" : "incomplete";
}

std::optional<double> Measurement::relative_error() const {
  if (!predicted || !measured) {
    return std::nullopt;
  }
  return *predicted / *measured - 1;
}

/// A machine with what was planned on it.
struct Replayer::Bench {
  Bench(const std::string& node_name, int nodes, const FabricSpec& fabric_spec)
      : node(node_name),
        fabric(fabric_spec.kind),
        topology(build_cluster(find_node(node_name), nodes, fabric_spec)),
        runner(topology, nccl_options(find_node(node_name))) {}

  std::string node;
  std::string fabric;
  Topology topology;
  CollectiveRunner runner;
};

Replayer::Replayer() = default;
Replayer::~Replayer() = default;

Replayer::Bench& Replayer::bench(const Replay& replay) {
  const auto found = std::find_if(benches_.begin(), benches_.end(), [&](const auto& bench) {
    return bench->node == replay.node && bench->fabric == replay.fabric.kind &&
           bench->topology.node_count() == static_cast<std::size_t>(replay.nodes);
  });
  if (found != benches_.end()) {
    return **found;
  }
  benches_.push_back(std::make_unique<Bench>(replay.node, replay.nodes, replay.fabric));
  return *benches_.back();
}

double Replayer::collective_time(const Replay& replay, const SimulationOptions& options) {
  Bench& machine = bench(replay);
  Operation operation{.kind = replay.kind};
  operation.payload = replay.payload;
  operation.choice.algorithm = replay.algorithm;
  std::vector<std::vector<std::size_t>> groups(
      replay.is_split_by_rail ? static_cast<std::size_t>(replay.ranks_per_node) : 1);
  for (std::size_t node = 0; node < machine.topology.node_count(); ++node) {
    for (std::size_t local = 0; local < static_cast<std::size_t>(replay.ranks_per_node); ++local) {
      groups[local % groups.size()].push_back(machine.topology.first_gpu(node) + local);
    }
  }
  if (replay.kind == TestKind::send) {
    operation.sends = send_to_next(groups);
  } else {
    operation.groups = std::move(groups);
  }
  return seconds(machine.runner.run(operation, {}, options).time);
}

namespace {

void predict_step(Measurement& measurement, const SimulationOptions& options) {
  Prepared prepared = prepare(*measurement.step);
  if (measurement.quantity == "bubble_rate") {
    measurement.predicted = profiled_bubble_rate(prepared);
    return;
  }
  const Report report = run(std::move(prepared), options).report;
  measurement.predicted = seconds(report.iteration_time);
  if (report.out_of_memory) {
    measurement.assumed.push_back("memory would suffice: " + *report.out_of_memory);
  }
}

}  // namespace

void Replayer::predict(Measurement& measurement, const SimulationOptions& options) {
  if (measurement.status != RowStatus::ok) {
    return;
  }
  try {
    if (measurement.replay) {
      measurement.predicted = collective_time(*measurement.replay, options);
    } else if (measurement.step) {
      predict_step(measurement, options);
    }
  } catch (const InputError& error) {
    measurement.status = RowStatus::unsupported;
    measurement.reason = error.what();
  } catch (const InfeasibleError& error) {
    measurement.status = RowStatus::unsupported;
    measurement.reason = error.what();
  }
}

ErrorSummary summarize_errors(std::vector<double> errors) {
  ErrorSummary summary;
  summary.rows = errors.size();
  if (errors.empty()) {
    return summary;
  }
  const auto count = static_cast<double>(errors.size());
  for (double& error : errors) {
    summary.bias += error / count;
    error = std::abs(error);
    summary.mean += error / count;
  }
  std::sort(errors.begin(), errors.end());
  const std::size_t half = errors.size() / 2;
  summary.median = errors.size() % 2 == 1 ? errors[half] : (errors[half - 1] + errors[half]) / 2;
  summary.p90 = errors[(errors.size() * 9 + 9) / 10 - 1];  // nearest rank: the ceiling of 0.9 n, from 1
  summary.max = errors.back();
  return summary;
}

}  // namespace makespan
