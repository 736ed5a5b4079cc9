#include "tools/validation_report.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "scenarios/quantity.h"
#include "tools/report_writer.h"
#include "tools/table.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

/// Sizes from which on rows are summarised by themselves.
struct Band {
  std::string_view name;
  std::int64_t from;
};

constexpr std::array<Band, 3> kBands = {{
    {"all", 0},
    {">= 1 MiB", std::int64_t{1} << 20U},
    {">= 16 MiB", std::int64_t{16} << 20U},
}};

bool is_in(const Measurement& row, const Band& band) {
  return band.from == 0 || (row.replay && row.replay->payload.count() >= band.from);
}

/// The errors of the rows that `is_chosen` takes, as far as there are any.
template <class Choose>
ErrorSummary summary_of(const std::vector<Measurement>& rows, const Band& band, Choose is_chosen) {
  std::vector<double> errors;
  for (const Measurement& row : rows) {
    if (const auto error = row.relative_error(); error && is_in(row, band) && is_chosen(row)) {
      errors.push_back(*error);
    }
  }
  return summarize_errors(std::move(errors));
}

bool is_counted(const Measurement& row) {
  return row.is_counted;
}

/// In the order in which they first appear.
std::vector<std::string> families_of(const std::vector<Measurement>& rows) {
  std::vector<std::string> families;
  for (const Measurement& row : rows) {
    if (std::find(families.begin(), families.end(), row.family) == families.end()) {
      families.push_back(row.family);
    }
  }
  return families;
}

std::string percent(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

std::string row_name(const Measurement& row) {
  return row.row_id.empty() ? "line " + std::to_string(row.line) : row.row_id;
}

/// Whether there are collectives, which have sizes.
bool have_sizes(const std::vector<Measurement>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const Measurement& row) { return row.replay.has_value(); });
}

/// Of a rate the difference, of a time the share that it is off.
std::vector<std::string> row_cells(const Measurement& row) {
  if (row.quantity == "bubble_rate") {
    return {row_name(row) + " bubble rate", fmt::format("{:.4f}", *row.predicted),
            fmt::format("{:.4f}", *row.measured), fmt::format("{:+.4f}", *row.predicted - *row.measured)};
  }
  return {row_name(row), time_text(*row.predicted), time_text(*row.measured),
          fmt::format("{:+.1f} %", 100 * *row.relative_error())};
}

Table row_table(const std::vector<Measurement>& rows) {
  const bool has_sizes = have_sizes(rows);
  Table table{{"row", "predicted", "measured", "error"}, {}};
  if (has_sizes) {
    table.header.insert(table.header.begin() + 1, "size");
  }
  for (const Measurement& row : rows) {
    if (row.status == RowStatus::ok) {
      std::vector<std::string> cells = row_cells(row);
      if (has_sizes) {
        cells.insert(cells.begin() + 1, size_text(row.replay->payload));
      }
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

void add_family(Table& table, const std::string& name, const std::vector<ErrorSummary>& bands) {
  std::vector<std::string> cells = {name};
  for (std::size_t i = 0; i < bands.size(); ++i) {
    const ErrorSummary& summary = bands[i];
    const bool is_empty = summary.rows == 0;
    cells.push_back(std::to_string(summary.rows));
    cells.push_back(is_empty ? "-" : percent(summary.median));
    cells.push_back(is_empty ? "-" : percent(summary.p90));
    if (i == 0) {
      cells.push_back(is_empty ? "-" : percent(summary.max));
      cells.push_back(is_empty ? "-" : fmt::format("{:+.1f} %", 100 * summary.bias));
    }
  }
  table.rows.push_back(std::move(cells));
}

Table family_table(const std::vector<Measurement>& rows) {
  Table table{{"family", "rows", "median", "p90", "max", "bias"}, {}};
  const std::span bands(kBands.begin(), have_sizes(rows) ? kBands.size() : 1);
  for (const Band& band : bands.subspan(1)) {
    table.header.insert(table.header.end(), {std::string(band.name), "median", "p90"});
  }
  const auto add = [&](const std::string& name, const auto& is_chosen) {
    std::vector<ErrorSummary> summaries;
    for (const Band& band : bands) {
      summaries.push_back(summary_of(rows, band, is_chosen));
    }
    add_family(table, name, summaries);
  };
  for (const std::string& family : families_of(rows)) {
    const auto is_member = [&family](const Measurement& row) { return row.family == family; };
    const auto of_family = std::find_if(rows.begin(), rows.end(), is_member);
    if (summary_of(rows, kBands.front(), is_member).rows > 0) {
      add(family + (of_family->is_counted ? "" : " (not counted)"), is_member);
    }
  }
  add("all of them", is_counted);
  return table;
}

/// How many rows were not predicted, by reason.
std::string refused_text(const std::vector<Measurement>& rows) {
  std::map<std::pair<std::string, std::string>, std::size_t> reasons;
  for (const Measurement& row : rows) {
    if (row.status != RowStatus::ok) {
      ++reasons[{std::string(to_string(row.status)), row.reason}];
    }
  }
  std::string text;
  for (const auto& [what, count] : reasons) {
    text += fmt::format("{} row{} {}: {}\n", count, count == 1 ? "" : "s", what.first, what.second);
  }
  return text;
}

std::string assumed_text(const std::vector<Measurement>& rows) {
  std::map<std::string, std::size_t> assumptions;
  for (const Measurement& row : rows) {
    for (const std::string& assumed : row.assumed) {
      ++assumptions[assumed];
    }
  }
  std::string text;
  for (const auto& [assumed, count] : assumptions) {
    text += fmt::format("assumed in {} row{}: {}\n", count, count == 1 ? "" : "s", assumed);
  }
  return text;
}

std::string print_text(const std::vector<Validation>& validations) {
  std::string text;
  for (const Validation& file : validations) {
    text += (text.empty() ? "" : "\n") + file.title + "\n\n";
    if (const Table table = row_table(file.rows); !table.rows.empty()) {
      text += text_table(table) + '\n' + text_table(family_table(file.rows));
    }
    const std::string notes = assumed_text(file.rows) + refused_text(file.rows);
    text += (text.ends_with("\n\n") || notes.empty() ? "" : "\n") + notes;
  }
  return text;
}

ordered_json summary_json(const ErrorSummary& summary) {
  if (summary.rows == 0) {
    return {{"rows", 0},      {"median", nullptr}, {"mean", nullptr},
            {"p90", nullptr}, {"max", nullptr},    {"bias", nullptr}};
  }
  return {{"rows", summary.rows}, {"median", summary.median}, {"mean", summary.mean},
          {"p90", summary.p90},   {"max", summary.max},       {"bias", summary.bias}};
}

/// The summary of all sizes, with one for each band of them.
template <class Choose>
ordered_json banded_json(const std::vector<Measurement>& rows, Choose is_chosen) {
  ordered_json json = summary_json(summary_of(rows, kBands.front(), is_chosen));
  json["bands"] = ordered_json::object();
  for (const Band& band : kBands) {
    if (band.from > 0) {
      json["bands"][std::string(band.name)] = summary_json(summary_of(rows, band, is_chosen));
    }
  }
  return json;
}

ordered_json file_json(const std::vector<Measurement>& rows) {
  ordered_json json = banded_json(rows, is_counted);
  for (const RowStatus status : {RowStatus::ok, RowStatus::unsupported, RowStatus::incomplete}) {
    json[std::string(to_string(status))] = std::count_if(
        rows.begin(), rows.end(), [status](const Measurement& row) { return row.status == status; });
  }
  json["families"] = ordered_json::object();
  std::vector<double> medians;
  for (const std::string& family : families_of(rows)) {
    const auto is_member = [&family](const Measurement& row) { return row.family == family; };
    const auto is_in_file = [&](const Measurement& row) { return is_member(row) && row.is_counted; };
    if (summary_of(rows, kBands.front(), is_member).rows > 0) {
      json["families"][family] = banded_json(rows, is_member);
    }
    if (const ErrorSummary counted = summary_of(rows, kBands.front(), is_in_file); counted.rows > 0) {
      medians.push_back(counted.median);
    }
  }
  json["median_of_families"] = medians.empty()  // so that one long family does not decide
                                   ? ordered_json(nullptr)
                                   : ordered_json(summarize_errors(std::move(medians)).median);
  return json;
}

ordered_json number_or_null(const std::optional<double>& number) {
  return number ? ordered_json(*number) : ordered_json(nullptr);
}

ordered_json row_json(const Measurement& row) {
  ordered_json json = {{"file", row.file}};
  if (row.row_id.empty()) {
    json["row_id"] = row.line;
  } else {
    json["row_id"] = row.row_id;
  }
  json["quantity"] = row.quantity;
  json["family"] = row.family;
  json["predicted"] = number_or_null(row.predicted);
  json["measured"] = number_or_null(row.measured);
  json["relative_error"] = number_or_null(row.relative_error());
  json["status"] = to_string(row.status);
  json["reason"] = row.reason;
  json["assumed"] = row.assumed;
  json["counted"] = row.is_counted && row.status == RowStatus::ok;
  if (row.replay) {
    json["size_bytes"] = row.replay->payload.count();
  }
  return json;
}

std::string print_json(const std::vector<Validation>& validations) {
  ordered_json rows = ordered_json::array();
  std::map<std::string, std::vector<Measurement>> by_file;
  std::vector<Measurement> all;
  for (const Validation& validation : validations) {
    for (const Measurement& row : validation.rows) {
      rows.push_back(row_json(row));
      by_file[row.file].push_back(row);
    }
    all.insert(all.end(), validation.rows.begin(), validation.rows.end());
  }
  ordered_json summary = ordered_json::object();
  for (const auto& [file, of_file] : by_file) {
    summary[file] = file_json(of_file);
  }
  summary["overall"] = banded_json(all, is_counted);
  const ordered_json document = {
      {"schema", "makespan.validate/1"}, {"rows", std::move(rows)}, {"summary", std::move(summary)}};
  return document.dump(1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace

std::string print_validations(const std::vector<Validation>& validations, const std::string& format) {
  return format == "json" ? print_json(validations) : print_text(validations);
}

}  // namespace makespan
