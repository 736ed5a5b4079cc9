#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <string_view>

#include "schedules/catalogue.h"
#include "tools/commands/command.h"
#include "tools/commands/scenario_options.h"
#include "tools/report_writer.h"
#include "tools/table.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

struct Options {
  std::vector<std::string> scenarios;
  std::vector<std::string> overrides;
  std::vector<std::string> schedules;
  std::string format = "text";
};

/// One column of what is compared: a scenario, and what makes it different.
struct Candidate {
  std::string name;
  std::string scenario;
  std::vector<std::string> overrides;
};

/// "interleaved:2" is interleaved with two chunks.
Candidate with_schedule(const Options& options, const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  (void)schedule_kind(kind);  // refuses unknown names
  std::string schedule = "schedule={kind: " + kind;
  if (colon != std::string::npos) {
    int chunks = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data() + colon + 1, end, chunks);
    if (error != std::errc() || stopped != end || chunks < 1) {
      throw InputError(SourceLocation{}, "--schedules", "'" + text + "' is not a schedule",
                       "write KIND or KIND:CHUNKS, such as interleaved:2");
    }
    schedule += ", chunks: " + std::to_string(chunks);
  }
  Candidate candidate{text, options.scenarios.front(), options.overrides};
  candidate.overrides.push_back(schedule + "}");
  return candidate;
}

std::vector<Candidate> candidates(const Options& options) {
  std::vector<Candidate> result;
  if (options.schedules.empty()) {
    for (const std::string& scenario : options.scenarios) {
      result.push_back({scenario, scenario, options.overrides});
    }
    return result;
  }
  if (options.scenarios.size() > 1) {
    throw InputError(SourceLocation{}, "--schedules",
                     "goes with one scenario, and there are " + std::to_string(options.scenarios.size()));
  }
  for (const std::string& schedule : options.schedules) {
    result.push_back(with_schedule(options, schedule));
  }
  return result;
}

struct Row {
  std::string name;
  Report report;
};

double mean_exposed(const Report& report) {
  Time sum;
  for (const Time exposed : report.exposed_total) {
    sum += exposed;
  }
  return seconds(sum) / static_cast<double>(report.ranks.size());
}

Table text_rows(const std::vector<Row>& rows) {
  Table table{{"", "iteration", "against first", "tokens/s", "MFU", "bubble", "exposed comm.", "peak memory"},
              {}};
  for (const auto& [name, report] : rows) {
    const bool has_model = report.tokens_per_s > 0;  // a profile of measured stage times has none
    const double ratio = seconds(report.iteration_time) / seconds(rows.front().report.iteration_time);
    table.rows.push_back(
        {name, time_text(seconds(report.iteration_time)), fmt::format("{:+.1f} %", 100 * (ratio - 1)),
         has_model ? fmt::format("{:.0f}", report.tokens_per_s) : "-",
         has_model ? fmt::format("{:.1f} %", 100 * report.mfu) : "-",
         fmt::format("{:.1f} %", 100 * report.bubble_fraction), time_text(mean_exposed(report)),
         bytes_text(report.peak_memory) + (report.out_of_memory ? " (too much)" : "")});
  }
  return table;
}

Table exact_rows(const std::vector<Row>& rows) {
  Table table{{"name", "iteration_time_s", "tokens_per_s", "model_tflops_per_gpu", "mfu", "bubble_fraction",
               "exposed_communication_s", "peak_memory_bytes", "fits_memory"},
              {}};
  for (const auto& [name, report] : rows) {
    table.rows.push_back({name, fmt::format("{}", seconds(report.iteration_time)),
                          fmt::format("{}", report.tokens_per_s),
                          fmt::format("{}", report.model_tflops_per_gpu), fmt::format("{}", report.mfu),
                          fmt::format("{}", report.bubble_fraction), fmt::format("{}", mean_exposed(report)),
                          std::to_string(report.peak_memory.count()), report.out_of_memory ? "no" : "yes"});
  }
  return table;
}

std::string json_rows(const std::vector<Row>& rows) {
  ordered_json list = ordered_json::array();
  for (const auto& [name, report] : rows) {
    ordered_json entry = ordered_json::parse(report_json(report));
    entry["name"] = name;
    list.push_back(std::move(entry));
  }
  return ordered_json({{"schema", "makespan.compare/1"}, {"rows", std::move(list)}})
             .dump(1, ' ', false, ordered_json::error_handler_t::replace) +
         '\n';
}

std::string print(const std::vector<Row>& rows, const std::string& format) {
  if (format == "json") {
    return json_rows(rows);
  }
  if (format == "csv") {
    return csv_table(exact_rows(rows));
  }
  if (format == "markdown") {
    return markdown_table(text_rows(rows));
  }
  return format == "latex" ? latex_table(text_rows(rows)) : text_table(text_rows(rows));
}

ExitCode run_command(const Options& options, Context& context) {
  std::vector<Row> rows;
  for (const Candidate& candidate : candidates(options)) {
    Prepared prepared = load_scenario(candidate.scenario, candidate.overrides);
    rows.push_back({candidate.name, simulate_scenario(std::move(prepared), false, context).report});
  }
  context.out << print(rows, options.format);
  return ExitCode::done;
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "compare", "Simulate schedules or scenarios side by side",
                                 "makespan compare llama3-8b-64xh100 --schedules gpipe,1f1b,interleaved:2",
                                 run_command);
  Options& options = *command.options;
  command.app->add_option("SCENARIO", options.scenarios, "YAML files or library names")->required();
  add_overrides(*command.app, options.overrides);
  command.app->add_option("--schedules", options.schedules, "Schedules to run the one scenario with")
      ->type_name("KIND[:CHUNKS],...")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_choice(*command.app, "--format", options.format, {"text", "json", "csv", "markdown", "latex"},
             "How the table is printed");
}

}  // namespace makespan
