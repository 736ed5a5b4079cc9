#include "tools/compare_report.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "scenarios/account.h"
#include "tools/compare_causes.h"
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
      table.rows.push_back(people_row(row.name, *row.report, baseline * row.work));
    }
  }
  return table;
}

std::string exact(double value) {
  return fmt::format("{}", value);
}

/// The causes of which a row has a run without, in their order.
std::vector<std::string> what_if_keys(const std::vector<CompareRow>& rows) {
  std::map<std::pair<Cause, Group>, std::string> keys;
  for (const CompareRow& row : rows) {
    for (const WhatIf& entry : row.what_if) {
      keys.emplace(std::pair(entry.cause, entry.group), what_if_key(entry));
    }
  }
  std::vector<std::string> result;
  std::transform(keys.begin(), keys.end(), std::back_inserter(result),
                 [](const auto& key) { return key.second; });
  return result;
}

/// What `row` shows in the columns of exact_table(), by column.
std::map<std::string, std::string> exact_cells(const CompareRow& row, double baseline) {
  std::map<std::string, std::string> cells = {
      {"name", row.name}, {"microbatches", std::to_string(row.microbatches)}, {"reason", row.reason}};
  if (!row.report) {
    return cells;
  }
  const Report& report = *row.report;
  const Figures figures = figures_of(report);
  cells.insert({{"iteration_time_s", exact(figures.iteration)},
                {"speed_up", exact(speed_up(baseline * row.work, figures.iteration))},
                {"tokens_per_s", exact(report.tokens_per_s)},
                {"model_tflops_per_gpu", exact(report.model_tflops_per_gpu)},
                {"mfu", exact(report.mfu)},
                {"bubble_fraction", exact(report.bubble_fraction)},
                {"longest_span_s", exact(seconds(report.longest_span))},
                {"exposed_communication_s", exact(figures.exposed)},
                {"contention_s", exact(figures.contention)},
                {"compute_slowdown_s", exact(figures.slowdown)},
                {"peak_memory_bytes", std::to_string(report.peak_memory.count())},
                {"fits_memory", report.out_of_memory ? "no" : "yes"},
                {"iteration_time_ps", std::to_string(report.iteration_time.count())}});
  cells["reason"] = report.out_of_memory.value_or("");
  for (std::size_t i = 0; i < kBubbles; ++i) {
    cells[fmt::format("bubble_{}_s", to_string(static_cast<Bubble>(i)))] = exact(figures.bubble[i]);
  }
  for (const AccountItem& item : account(report)) {
    cells[item.cause + "_ps"] = std::to_string(item.time.count());
  }
  for (const WhatIf& entry : row.what_if) {
    cells[fmt::format("without_{}_ps", what_if_key(entry))] = std::to_string(entry.iteration_time.count());
  }
  return cells;
}

Table exact_table(const std::vector<CompareRow>& rows, double baseline) {
  Table table{{"name", "iteration_time_s", "speed_up", "tokens_per_s", "model_tflops_per_gpu", "mfu",
               "bubble_fraction", "bubble_warm_up_s", "bubble_drain_s", "bubble_optimizer_s",
               "bubble_dependency_s", "longest_span_s", "exposed_communication_s", "contention_s",
               "compute_slowdown_s", "peak_memory_bytes", "fits_memory", "microbatches", "iteration_time_ps"},
              {}};
  for (const AccountItem& item : account(Report{})) {
    table.header.push_back(item.cause + "_ps");
  }
  for (const std::string& key : what_if_keys(rows)) {
    table.header.push_back(fmt::format("without_{}_ps", key));
  }
  table.header.emplace_back("reason");
  for (const CompareRow& row : rows) {
    std::map<std::string, std::string> cells = exact_cells(row, baseline);
    std::vector<std::string> line;
    std::transform(table.header.begin(), table.header.end(), std::back_inserter(line),
                   [&](const std::string& column) { return cells[column]; });
    table.rows.push_back(std::move(line));
  }
  return table;
}

std::string comparison_json(const std::vector<CompareRow>& rows, double baseline, bool differences) {
  ordered_json list = ordered_json::array();
  for (const CompareRow& row : rows) {
    ordered_json entry = ordered_json::object();
    if (row.report) {
      entry = ordered_json::parse(report_json(*row.report));
      entry["speed_up"] = speed_up(baseline * row.work, seconds(row.report->iteration_time));
    } else {
      entry["reason"] = row.reason;
    }
    entry["name"] = row.name;
    entry["microbatches"] = row.microbatches;
    if (!row.what_if.empty()) {
      entry["what_if"] = what_if_json(row);
    }
    list.push_back(std::move(entry));
  }
  ordered_json json = {{"schema", "makespan.compare/1"}, {"rows", std::move(list)}};
  if (differences) {
    json["differences"] = differences_json(rows);
  }
  return json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
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

constexpr std::string_view kWhatIfNote =
    "\nEach line is a run with that alone made free. Savings do not add up: a wait that is gone may uncover\n"
    "another, and transfers that start at other times share links with others. The bound is the most "
    "compute\n"
    "and exposed communication of a rank: its iteration if it never waited for another.\n";

/// The tables behind the first.
std::vector<Table> causes_tables(const std::vector<CompareRow>& rows, bool differences) {
  std::vector<Table> tables;
  for (const CompareRow& row : rows) {
    if (!row.what_if.empty()) {
      tables.push_back(what_if_table(row, rows.size() > 1));
    }
  }
  if (Table table = differences ? difference_table(rows) : Table{}; !table.rows.empty()) {
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace

std::string print_comparison(const std::vector<CompareRow>& rows, double baseline, bool differences,
                             const std::string& format) {
  if (format == "json") {
    return comparison_json(rows, baseline, differences);
  }
  if (format == "csv") {
    return csv_table(exact_table(rows, baseline));
  }
  const auto write = format == "markdown" ? markdown_table : format == "latex" ? latex_table : text_table;
  const bool is_text = format == "text";
  std::string text = write(people_table(rows, baseline)) + (is_text ? reasons_text(rows) : "");
  for (const Table& table : causes_tables(rows, differences)) {
    text += '\n' + write(table);
  }
  const bool has_what_if =
      std::any_of(rows.begin(), rows.end(), [](const CompareRow& row) { return !row.what_if.empty(); });
  return text + (is_text && has_what_if ? std::string(kWhatIfNote) : "");
}

}  // namespace makespan
