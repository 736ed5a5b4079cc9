#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "scenarios/reader.h"
#include "scenarios/yaml.h"
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

/// A schedule to compare: "interleaved:2" is interleaved with two chunks.
struct Choice {
  std::string text;
  std::string kind;
  int chunks = 0;  ///< 0: not given
};

/// One row of what is compared: a scenario, and with which schedule if not its own.
struct Candidate {
  std::string scenario;
  std::optional<Choice> choice;
};

Choice parse_choice(const std::string& text) {
  const std::size_t colon = text.find(':');
  Choice choice{text, text.substr(0, colon)};
  (void)schedule_kind(choice.kind);  // refuses unknown names
  if (colon != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data() + colon + 1, end, choice.chunks);
    if (error != std::errc() || stopped != end || choice.chunks < 1) {
      throw InputError(SourceLocation{}, "--schedules", "'" + text + "' is not a schedule",
                       "write KIND or KIND:CHUNKS, such as interleaved:2");
    }
  }
  return choice;
}

void refuse_two_schedules(const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    const std::string key = text.substr(0, text.find('='));
    if (key == "schedule" || key == "schedule.kind") {
      throw InputError(SourceLocation{}, "--schedules", "does not go with --set " + text,
                       "both choose the schedule; keep one of them");
    }
  }
}

std::vector<Candidate> candidates(const Options& options) {
  std::vector<Candidate> result;
  if (options.schedules.empty()) {
    for (const std::string& scenario : options.scenarios) {
      result.push_back({scenario, std::nullopt});
    }
    return result;
  }
  if (options.scenarios.size() > 1) {
    throw InputError(SourceLocation{}, "--schedules",
                     "goes with one scenario, and there are " + std::to_string(options.scenarios.size()));
  }
  refuse_two_schedules(options.overrides);
  for (const std::string& schedule : options.schedules) {
    result.push_back({options.scenarios.front(), parse_choice(schedule)});
  }
  return result;
}

/// Reads scenarios, and the standard input once.
class ScenarioSource {
 public:
  Scenario read(const std::string& path_or_name, const std::vector<std::string>& overrides) {
    if (path_or_name != "-") {
      return read_scenario(path_or_name, overrides);
    }
    if (!standard_input_) {
      standard_input_ = read_text(path_or_name);
    }
    return parse_scenario(*standard_input_, source_name(path_or_name), overrides);
  }

 private:
  std::optional<std::string> standard_input_;
};

/// Takes away what the schedule kind has no use for: the scenario gave it for another one.
void drop_foreign_keys(Scenario& scenario, const Choice& choice) {
  const ScheduleSpec usual;
  const ScheduleKind& kind = schedule_kind(choice.kind);
  if (!kind.has_group) {
    scenario.schedule.group = usual.group;
    scenario.locations.erase("schedule.group");
  }
  if (kind.most_chunks == 1 && choice.chunks == 0) {
    scenario.schedule.chunks = usual.chunks;
    scenario.locations.erase("schedule.chunks");
  }
  if (!kind.has_lifo) {
    scenario.schedule.lifo = usual.lifo;
    scenario.locations.erase("schedule.lifo");
  }
}

Scenario read_candidate(const Candidate& candidate, const Options& options, ScenarioSource& source) {
  if (!candidate.choice) {
    return source.read(candidate.scenario, options.overrides);
  }
  const Choice& choice = *candidate.choice;
  std::vector<std::string> overrides = options.overrides;
  overrides.push_back("schedule.kind=" + choice.kind);
  if (choice.chunks > 0) {
    overrides.push_back("schedule.chunks=" + std::to_string(choice.chunks));
  }
  Scenario scenario = source.read(candidate.scenario, overrides);
  drop_foreign_keys(scenario, choice);
  return scenario;
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
  return report.ranks.empty() ? 0.0 : seconds(sum) / static_cast<double>(report.ranks.size());
}

Table text_rows(const std::vector<Row>& rows) {
  Table table{{"", "iteration", "against first", "tokens/s", "MFU", "bubble", "exposed comm.", "peak memory"},
              {}};
  const double first = seconds(rows.front().report.iteration_time);
  for (const auto& [name, report] : rows) {
    const bool has_model = report.tokens_per_s > 0;  // a profile of measured stage times has none
    const double more = seconds(report.iteration_time) - first;
    table.rows.push_back({name, time_text(seconds(report.iteration_time)),
                          first > 0 ? fmt::format("{:+.1f} %", 100 * more / first) : "-",
                          has_model ? fmt::format("{:.0f}", report.tokens_per_s) : "-",
                          has_model ? fmt::format("{:.1f} %", 100 * report.mfu) : "-",
                          fmt::format("{:.1f} %", 100 * report.bubble_fraction),
                          time_text(mean_exposed(report)),
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

/// `name`, or with the first free " #2", " #3", ... behind it.
std::string unique_name(const std::vector<Row>& rows, const std::string& name) {
  const auto is_taken = [&rows](const std::string& wanted) {
    return std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return row.name == wanted; });
  };
  std::string result = name;
  for (int number = 2; is_taken(result); ++number) {
    result = name + " #" + std::to_string(number);
  }
  return result;
}

ExitCode run_command(const Options& options, Context& context) {
  std::vector<Row> rows;
  ScenarioSource source;
  for (const Candidate& candidate : candidates(options)) {
    Prepared prepared = prepare_scenario(read_candidate(candidate, options, source));
    const std::string& name = candidate.choice ? candidate.choice->text : prepared.scenario.name;
    std::string unique = unique_name(rows, name);
    rows.push_back({std::move(unique), simulate_scenario(std::move(prepared), false, context).report});
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
