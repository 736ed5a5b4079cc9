#include "tools/collective_report.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/table.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

double algorithm_bandwidth(const CollectiveRow& row) {
  return row.time > Time(0) ? static_cast<double>(row.size.count()) / seconds(row.time) : 0;
}

double bus_bandwidth(const CollectiveReport& report, const CollectiveRow& row) {
  return algorithm_bandwidth(row) * bus_factor(report.kind, report.ranks);
}

double slow_down(const CollectiveRow& row) {
  return seconds(row.time) / seconds(*row.alone);
}

/// A number in at most `width` characters, with two digits after the point where there is room: as nccl-tests
/// prints it.
std::string number(double value, std::size_t width) {
  for (int digits = 2; digits >= 0; --digits) {
    if (std::string text = fmt::format("{:.{}f}", value, digits); text.size() <= width) {
      return text;
    }
  }
  return fmt::format("{:.1e}", value);
}

std::string algorithm(const CollectiveRow& row) {
  return row.plan ? std::string(to_string(row.plan->algorithm)) : "-";
}

std::string protocol(const CollectiveRow& row) {
  return row.plan ? std::string(to_string(row.plan->protocol)) : "-";
}

std::string channels(const CollectiveRow& row) {
  return row.plan ? std::to_string(row.plan->channels) : "-";
}

std::string text_line(const CollectiveReport& report, const CollectiveRow& row) {
  const TestType& type = test_type(report.kind);
  std::string line = fmt::format(
      "{:>12}  {:>12}  {:>8}  {:>6}  {:>6}  {:>7}  {:>6}  {:>6}  {:>16}  {:>8}  {:>8}", row.size.count(),
      row.size.count() / kElementBytes / (type.is_sharded ? static_cast<std::int64_t>(report.ranks) : 1),
      "float", type.redop, type.root, number(seconds(row.time) * 1e6, 7),
      number(algorithm_bandwidth(row) / 1e9, 6), number(bus_bandwidth(report, row) / 1e9, 6), algorithm(row),
      protocol(row), channels(row));
  if (row.alone) {
    line += fmt::format("  {:>7}  {:>9.3f}", number(seconds(*row.alone) * 1e6, 7), slow_down(row));
  }
  return line + '\n';
}

/// A line of text without the blanks at its end.
std::string line_of(std::string text) {
  text.resize(text.find_last_not_of(' ') + 1);
  return text + '\n';
}

std::string text(const CollectiveReport& report) {
  const TestType& type = test_type(report.kind);
  const bool has_alone = !report.background.empty();
  std::string out =
      fmt::format("# makespan collective {}: {} ranks on {}\n", type.name, report.ranks, report.place);
  if (report.groups > 1) {
    out += fmt::format("# {} groups at once\n", report.groups);
  }
  for (const std::string& other : report.background) {
    out += "# beside " + other + '\n';
  }
  const char* format = "# {:>10}  {:>12}  {:>8}  {:>6}  {:>6}  {:>7}  {:>6}  {:>6}  {:>16}  {:>8}  {:>8}";
  out += "#\n" + line_of(fmt::format(fmt::runtime(format), "size", "count", "type", "redop", "root", "time",
                                     "algbw", "busbw", "algorithm", "protocol", "channels") +
                         (has_alone ? fmt::format("  {:>7}  {:>9}", "alone", "slow-down") : ""));
  out += line_of(fmt::format(fmt::runtime(format), "(B)", "(elements)", "", "", "", "(us)", "(GB/s)",
                             "(GB/s)", "", "", "") +
                 (has_alone ? fmt::format("  {:>7}", "(us)") : ""));
  double sum = 0;
  for (const CollectiveRow& row : report.rows) {
    out += text_line(report, row);
    sum += bus_bandwidth(report, row) / 1e9;
  }
  return out + fmt::format("# Avg bus bandwidth    : {:g}\n", sum / static_cast<double>(report.rows.size()));
}

std::string csv(const CollectiveReport& report) {
  const TestType& type = test_type(report.kind);
  Table table{{"size_bytes", "time_us", "algbw_GBps", "busbw_GBps", "op", "ranks", "groups", "algorithm",
               "protocol", "channels", "alone_us", "slow_down"},
              {}};
  for (const CollectiveRow& row : report.rows) {
    table.rows.push_back({std::to_string(row.size.count()), fmt::format("{}", seconds(row.time) * 1e6),
                          fmt::format("{}", algorithm_bandwidth(row) / 1e9),
                          fmt::format("{}", bus_bandwidth(report, row) / 1e9), std::string(type.name),
                          std::to_string(report.ranks), std::to_string(report.groups), algorithm(row),
                          protocol(row), channels(row),
                          row.alone ? fmt::format("{}", seconds(*row.alone) * 1e6) : "",
                          row.alone ? fmt::format("{}", slow_down(row)) : ""});
  }
  return csv_table(table);
}

std::string json(const CollectiveReport& report) {
  ordered_json rows = ordered_json::array();
  for (const CollectiveRow& row : report.rows) {
    ordered_json entry = {{"size_bytes", row.size.count()},
                          {"time_s", seconds(row.time)},
                          {"time_ps", row.time.count()},
                          {"algbw_bytes_per_s", algorithm_bandwidth(row)},
                          {"busbw_bytes_per_s", bus_bandwidth(report, row)}};
    if (row.plan) {
      entry["algorithm"] = algorithm(row);
      entry["protocol"] = protocol(row);
      entry["channels"] = row.plan->channels;
    }
    if (row.alone) {
      entry["alone_s"] = seconds(*row.alone);
      entry["alone_ps"] = row.alone->count();
      entry["slow_down"] = slow_down(row);
    }
    rows.push_back(std::move(entry));
  }
  const ordered_json document = {{"schema", "makespan.collective/1"},
                                 {"kind", test_type(report.kind).name},
                                 {"cluster", report.cluster},
                                 {"ranks", report.ranks},
                                 {"groups", report.groups},
                                 {"background", report.background},
                                 {"rows", std::move(rows)}};
  return document.dump(1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace

std::string print_collective(const CollectiveReport& report, const std::string& format) {
  if (format == "json") {
    return json(report);
  }
  return format == "csv" ? csv(report) : text(report);
}

}  // namespace makespan
