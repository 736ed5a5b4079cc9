#include "tools/compare_report.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/report_writer.h"
#include "tools/table.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

/// What a row shows beyond its report's own figures, in seconds and means over ranks.
struct Figures {
  double iteration = 0;
  double exposed = 0;
  double contention = 0;
  double slowdown = 0;
  std::array<double, kBubbles> bubble{};
};

Figures figures_of(const Report& report) {
  Figures figures{.iteration = seconds(report.iteration_time)};
  if (report.ranks.empty()) {
    return figures;
  }
  Time exposed;
  Time contention;
  Time slowdown;
  std::array<Time, kBubbles> bubble{};
  for (const RankReport& rank : report.ranks) {
    exposed += rank.time.exposed_total();
    slowdown += rank.time.slowdown;
    for (const Time part : rank.time.contention) {
      contention += part;
    }
    for (std::size_t i = 0; i < kBubbles; ++i) {
      bubble[i] += rank.time.bubble[i];
    }
  }
  const auto ranks = static_cast<double>(report.ranks.size());
  figures.exposed = seconds(exposed) / ranks;
  figures.contention = seconds(contention) / ranks;
  figures.slowdown = seconds(slowdown) / ranks;
  std::transform(bubble.begin(), bubble.end(), figures.bubble.begin(),
                 [ranks](Time part) { return seconds(part) / ranks; });
  return figures;
}

double speed_up(double baseline, double iteration) {
  return iteration > 0 ? baseline / iteration : 0.0;
}

std::string memory_text(const Report& report) {
  return bytes_text(report.peak_memory) + (report.out_of_memory ? " (too much)" : "");
}

std::vector<std::string> people_row(const std::string& name, const Report& report, double baseline) {
  const Figures figures = figures_of(report);
  const bool has_model = report.tokens_per_s > 0;  // a profile of measured stage times has none
  std::vector<std::string> cells = {
      name,
      time_text(figures.iteration),
      baseline > 0 ? fmt::format("{:.3f}", speed_up(baseline, figures.iteration)) : "-",
      has_model ? fmt::format("{:.0f}", report.tokens_per_s) : "-",
      has_model ? fmt::format("{:.1f} %", 100 * report.mfu) : "-",
      fmt::format("{:.1f} %", 100 * report.bubble_fraction)};
  for (const double part : figures.bubble) {
    cells.push_back(share_text(part, figures.iteration));
  }
  cells.insert(cells.end(), {time_text(seconds(report.longest_span)), time_text(figures.exposed),
                             time_text(figures.contention), memory_text(report)});
  return cells;
}

/// Only what ran.
Table people_table(const std::vector<CompareRow>& rows, double baseline) {
  Table table{{"", "iteration", "speed-up", "tokens/s", "MFU", "bubble", "warm-up", "drain", "optimizer",
               "dependency", "longest span", "exposed comm.", "contention", "peak memory"},
              {}};
  for (const CompareRow& row : rows) {
    if (row.report) {
      table.rows.push_back(people_row(row.name, *row.report, baseline));
    }
  }
  return table;
}

std::vector<std::string> exact_row(const CompareRow& row, double baseline) {
  if (!row.report) {
    std::vector<std::string> cells(17);
    cells.front() = row.name;
    cells.push_back(row.reason);
    return cells;
  }
  const Report& report = *row.report;
  const Figures figures = figures_of(report);
  const auto exact = [](double value) { return fmt::format("{}", value); };
  std::vector<std::string> cells = {row.name,
                                    exact(figures.iteration),
                                    exact(speed_up(baseline, figures.iteration)),
                                    exact(report.tokens_per_s),
                                    exact(report.model_tflops_per_gpu),
                                    exact(report.mfu),
                                    exact(report.bubble_fraction)};
  std::transform(figures.bubble.begin(), figures.bubble.end(), std::back_inserter(cells), exact);
  cells.insert(cells.end(),
               {exact(seconds(report.longest_span)), exact(figures.exposed), exact(figures.contention),
                exact(figures.slowdown), std::to_string(report.peak_memory.count()),
                report.out_of_memory ? "no" : "yes", report.out_of_memory.value_or("")});
  return cells;
}

Table exact_table(const std::vector<CompareRow>& rows, double baseline) {
  Table table{{"name", "iteration_time_s", "speed_up", "tokens_per_s", "model_tflops_per_gpu", "mfu",
               "bubble_fraction", "bubble_warm_up_s", "bubble_drain_s", "bubble_optimizer_s",
               "bubble_dependency_s", "longest_span_s", "exposed_communication_s", "contention_s",
               "compute_slowdown_s", "peak_memory_bytes", "fits_memory", "reason"},
              {}};
  for (const CompareRow& row : rows) {
    table.rows.push_back(exact_row(row, baseline));
  }
  return table;
}

std::string json_rows(const std::vector<CompareRow>& rows, double baseline) {
  ordered_json list = ordered_json::array();
  for (const CompareRow& row : rows) {
    ordered_json entry = ordered_json::object();
    if (row.report) {
      entry = ordered_json::parse(report_json(*row.report));
      entry["speed_up"] = speed_up(baseline, seconds(row.report->iteration_time));
    } else {
      entry["reason"] = row.reason;
    }
    entry["name"] = row.name;
    list.push_back(std::move(entry));
  }
  return ordered_json({{"schema", "makespan.compare/1"}, {"rows", std::move(list)}})
             .dump(1, ' ', false, ordered_json::error_handler_t::replace) +
         '\n';
}

/// A line for each row that cannot run, or does not fit.
std::string reasons_text(const std::vector<CompareRow>& rows) {
  std::string text;
  for (const CompareRow& row : rows) {
    const std::string reason = row.report ? row.report->out_of_memory.value_or("") : row.reason;
    if (!reason.empty()) {
      text += fmt::format("{}: {}\n", row.name, reason);
    }
  }
  return text.empty() ? "" : "\n" + text;
}

}  // namespace

std::string print_comparison(const std::vector<CompareRow>& rows, double baseline,
                             const std::string& format) {
  if (format == "json") {
    return json_rows(rows, baseline);
  }
  if (format == "csv") {
    return csv_table(exact_table(rows, baseline));
  }
  if (format == "markdown") {
    return markdown_table(people_table(rows, baseline));
  }
  if (format == "latex") {
    return latex_table(people_table(rows, baseline));
  }
  return text_table(people_table(rows, baseline)) + reasons_text(rows);
}

}  // namespace makespan
