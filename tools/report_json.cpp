#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/report_writer.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

/// Adds `name`_s and its exact twin `name`_ps.
void put(ordered_json& json, const std::string& name, Time time) {
  json[name + "_s"] = seconds(time);
  json[name + "_ps"] = time.count();
}

double mean_seconds(Time total, std::size_t ranks) {
  return ranks == 0 ? 0.0 : seconds(total) / static_cast<double>(ranks);
}

/// As `put`, for the mean of a total over `ranks`; the twin is the exact total.
void put_mean(ordered_json& json, const std::string& name, Time total, std::size_t ranks) {
  json[name + "_s"] = mean_seconds(total, ranks);
  json[name + "_total_ps"] = total.count();
}

std::string group_name(std::size_t group) {
  return std::string(to_string(static_cast<Group>(group)));
}

/// Means over ranks by group in seconds, and beside them the exact totals.
void put_exposed(ordered_json& json, const Report& report) {
  ordered_json means = ordered_json::object();
  ordered_json totals = ordered_json::object();
  for (std::size_t group = 0; group < kGroups; ++group) {
    const Time total = report.exposed_total[group];
    means[group_name(group)] = mean_seconds(total, report.ranks.size());
    totals[group_name(group)] = total.count();
  }
  json["exposed_communication_s"] = std::move(means);
  json["exposed_communication_total_ps"] = std::move(totals);
}

ordered_json split_json(const MemorySplit& split) {
  ordered_json json = ordered_json::object();
  for (std::size_t kind = 0; kind < kMemoryKinds; ++kind) {
    json[std::string(to_string(static_cast<MemoryKind>(kind)))] = split[kind].count();
  }
  return json;
}

ordered_json groups_json(const std::array<Time, kGroups>& groups) {
  ordered_json json = ordered_json::object();
  for (std::size_t group = 0; group < kGroups; ++group) {
    put(json, group_name(group), groups[group]);
  }
  return json;
}

ordered_json rank_json(const RankReport& rank, const std::vector<int>& members) {
  ordered_json json = {{"count", members.size()},
                       {"ranks", members},
                       {"coordinates",
                        {{"tensor", rank.at.tensor},
                         {"context", rank.at.context},
                         {"data", rank.at.data},
                         {"pipeline", rank.at.pipeline}}},
                       {"node", rank.node},
                       {"gpu", rank.gpu}};
  put(json, "compute", rank.time.compute);
  put(json, "compute_slowdown", rank.time.slowdown);
  put(json, "exposed_communication", rank.time.exposed_total());
  json["exposed_communication_by_group"] = groups_json(rank.time.exposed);
  json["contention_by_group"] = groups_json(rank.time.contention);
  put(json, "bubble", rank.time.bubble_total());
  ordered_json causes = ordered_json::object();
  for (std::size_t i = 0; i < kBubbles; ++i) {
    put(causes, std::string(to_string(static_cast<Bubble>(i))), rank.time.bubble[i]);
  }
  json["bubble_by_cause"] = std::move(causes);
  json["peak_memory_bytes"] = rank.memory.peak.count();
  json["peak_memory_by_kind"] = split_json(rank.memory.split);
  put(json, "peak_memory_at", rank.memory.at);
  return json;
}

ordered_json ranks_json(const Report& report, bool every_rank) {
  ordered_json json = ordered_json::array();
  if (every_rank) {
    for (const RankReport& rank : report.ranks) {
      json.push_back(rank_json(rank, {rank.rank}));
    }
    return json;
  }
  for (const RankClass& equal : report.classes) {
    json.push_back(rank_json(report.ranks[static_cast<std::size_t>(equal.ranks.front())], equal.ranks));
  }
  return json;
}

ordered_json links_json(const Report& report) {
  ordered_json json = ordered_json::array();
  for (const LinkClass& link : report.links) {
    json.push_back({{"kind", link.kind},
                    {"count", link.count},
                    {"bytes", link.bytes.count()},
                    {"mean_utilisation", link.mean_utilisation},
                    {"peak_utilisation", link.peak_utilisation}});
  }
  return json;
}

ordered_json path_json(const CriticalPath& path) {
  ordered_json compute = ordered_json::object();
  for (std::size_t i = 0; i < path.compute.size(); ++i) {
    put(compute, std::string(to_string(static_cast<Phase>(i))), path.compute[i]);
  }
  ordered_json json = {{"compute", std::move(compute)}, {"communication", groups_json(path.transfer)}};
  put(json, "idle", path.idle);
  return json;
}

ordered_json comparisons_json(const Report& report) {
  ordered_json json = ordered_json::array();
  for (const Comparison& item : report.comparisons) {
    json.push_back({{"quantity", item.quantity},
                    {"predicted", item.predicted},
                    {"published", item.published},
                    {"relative_error", item.relative_error()},
                    {"source", item.source}});
  }
  return json;
}

}  // namespace

std::string report_json(const Report& report, bool every_rank) {
  ordered_json json = {{"schema", "makespan.report/1"},
                       {"scenario", report.scenario},
                       {"schedule", report.schedule},
                       {"gpus", report.gpus},
                       {"nodes", report.nodes}};
  put(json, "iteration_time", report.iteration_time);
  json["tokens_per_s"] = report.tokens_per_s;
  json["model_tflops_per_gpu"] = report.model_tflops_per_gpu;
  json["hardware_tflops_per_gpu"] = report.hardware_tflops_per_gpu;
  json["mfu"] = report.mfu;
  json["hfu"] = report.hfu;
  put(json, "longest_span", report.longest_span);
  put(json, "span_work", report.span_work);
  json["span_bubble_ratio"] = report.span_bubble_ratio;
  json["bubble_fraction"] = report.bubble_fraction;
  put_mean(json, "bubble", report.bubble_total, report.ranks.size());
  put_exposed(json, report);
  json["peak_memory_bytes"] = report.peak_memory.count();
  json["memory_capacity_bytes"] = report.memory_capacity.count();
  json["peak_memory_rank"] = report.peak_rank;
  json["out_of_memory"] = report.out_of_memory ? ordered_json(*report.out_of_memory) : ordered_json(nullptr);
  json["comparisons"] = comparisons_json(report);
  json["ranks"] = ranks_json(report, every_rank);
  json["links"] = links_json(report);
  json["critical_path"] = path_json(report.critical_path);
  json["simulated_ranks"] = report.simulated_ranks;
  json["tasks"] = report.tasks;
  json["warnings"] = report.warnings;
  json["fingerprint"] = fmt::format("{:016x}", report.fingerprint);
  json["version"] = version();
  return json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace makespan
