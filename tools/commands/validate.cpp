#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "scenarios/quantity.h"
#include "tools/commands/command.h"
#include "tools/input_text.h"
#include "tools/measurements.h"
#include "tools/progress.h"
#include "tools/report_writer.h"
#include "tools/table.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

struct Options {
  std::vector<std::string> paths;
  std::string min_size;
  std::string format = "text";
};

/// A table and what became of its rows.
struct Validated {
  std::string file;
  std::vector<Measurement> rows;
};

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

/// The files: CSV files of a folder by name.
std::vector<std::string> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      if (entry.path().extension() == ".csv") {
        found.push_back(entry.path().string());
      }
    }
    if (found.empty()) {
      throw InputError({path, 0, 0}, {}, error ? "cannot be read: " + error.message() : "holds no CSV file");
    }
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

Bytes least_size(const Options& options) {
  if (options.min_size.empty()) {
    return Bytes(0);
  }
  const Parsed<Bytes> size = parse_size(options.min_size);
  if (!size.value) {
    throw InputError({}, "--min-size", size.what, size.hint);
  }
  return *size.value;
}

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

Table row_table(const std::vector<Measurement>& rows) {
  Table table{{"row", "size", "predicted", "measured", "error"}, {}};
  for (const Measurement& row : rows) {
    if (row.status == RowStatus::ok) {
      table.rows.push_back({row_name(row), size_text(row.replay->payload), time_text(*row.predicted),
                            time_text(*row.measured), fmt::format("{:+.1f} %", 100 * *row.relative_error())});
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
  Table table{{"family", "rows", "median", "p90", "max", "bias", ">= 1 MiB", "median", "p90", ">= 16 MiB",
               "median", "p90"},
              {}};
  const auto add = [&](const std::string& name, const auto& is_chosen) {
    std::vector<ErrorSummary> bands;
    for (const Band& band : kBands) {
      bands.push_back(summary_of(rows, band, is_chosen));
    }
    add_family(table, name, bands);
  };
  for (const std::string& family : families_of(rows)) {
    const auto is_member = [&family](const Measurement& row) { return row.family == family; };
    const auto of_family = std::find_if(rows.begin(), rows.end(), is_member);
    if (summary_of(rows, kBands.front(), is_member).rows > 0) {
      add(family + (of_family->is_counted ? "" : " (not counted)"), is_member);
    }
  }
  add("the file", is_counted);
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

std::string print_text(const std::vector<Validated>& files) {
  std::string text;
  for (const Validated& file : files) {
    text += (text.empty() ? "" : "\n") + file.file + "\n\n";
    if (const Table table = row_table(file.rows); !table.rows.empty()) {
      text += text_table(table) + '\n' + text_table(family_table(file.rows)) + '\n';
    }
    text += assumed_text(file.rows) + refused_text(file.rows);
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

ordered_json row_json(const std::string& file, const Measurement& row) {
  ordered_json json = {{"file", file}};
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

std::string print_json(const std::vector<Validated>& files) {
  ordered_json rows = ordered_json::array();
  ordered_json summary = ordered_json::object();
  std::vector<Measurement> all;
  for (const Validated& file : files) {
    for (const Measurement& row : file.rows) {
      rows.push_back(row_json(file.file, row));
    }
    summary[file.file] = file_json(file.rows);
    all.insert(all.end(), file.rows.begin(), file.rows.end());
  }
  summary["overall"] = banded_json(all, is_counted);
  const ordered_json document = {
      {"schema", "makespan.validate/1"}, {"rows", std::move(rows)}, {"summary", std::move(summary)}};
  return document.dump(1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

ExitCode run(const Options& options, Context& context) {
  const Bytes least = least_size(options);
  Replayer replayer;
  std::vector<Validated> files;
  for (const std::string& file : files_of(options.paths)) {
    Validated validated{file, read_measurements(parse_csv(read_input(file), file))};
    std::erase_if(validated.rows,
                  [least](const Measurement& row) { return row.replay && row.replay->payload < least; });
    Progress progress(context.err, context.err_is_terminal && !context.quiet, file);
    for (Measurement& row : validated.rows) {
      replayer.predict(row, progress.options());
    }
    files.push_back(std::move(validated));
  }
  context.out << (options.format == "json" ? print_json(files) : print_text(files));
  return ExitCode::done;
}

}  // namespace

void add_validate(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "validate",
                                 "Hold predictions against tables of published measurements",
                                 "makespan validate collectives.csv --min-size 1MiB", run);
  Options& options = *command.options;
  command.app->add_option("TABLE", options.paths, "CSV files, folders of them, or - for standard input")
      ->type_name("FILE.csv|DIR")
      ->required();
  add_text(*command.app, "--min-size", options.min_size, "Leave out collectives of less than this")
      ->type_name("SIZE");
  add_choice(*command.app, "--format", options.format, {"text", "json"}, "How the result is printed");
}

}  // namespace makespan
