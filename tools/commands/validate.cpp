#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <utility>

#include "core/error.h"
#include "scenarios/library.h"
#include "scenarios/quantity.h"
#include "scenarios/reader.h"
#include "tools/commands/command.h"
#include "tools/commands/scenario_options.h"
#include "tools/input_text.h"
#include "tools/measurements.h"
#include "tools/progress.h"
#include "tools/validation_report.h"

namespace makespan {

namespace {

struct Options {
  std::vector<std::string> paths;
  std::string min_size;
  std::string format = "text";
};

bool has_extension(const std::filesystem::path& path, std::initializer_list<std::string_view> extensions) {
  return std::find(extensions.begin(), extensions.end(), path.extension().string()) != extensions.end();
}

/// Scenarios are YAML files and names of the library.
bool is_scenario(const std::string& path) {
  return has_extension(path, {".yaml", ".yml"}) || find_in_library(LibraryKind::scenarios, path).has_value();
}

/// Tables and scenarios of a folder, by name.
std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (has_extension(entry.path(), {".csv", ".yaml", ".yml"})) {
      found.push_back(entry.path().string());
    }
  }
  if (found.empty()) {
    throw InputError({folder, 0, 0}, {},
                     error ? "cannot be read: " + error.message() : "holds no CSV file and no scenario");
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// Without any, the scenarios of the library.
std::vector<std::string> files_of(const std::vector<std::string>& paths) {
  if (paths.empty()) {
    return library_names(LibraryKind::scenarios);
  }
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
      const std::vector<std::string> found = files_in(path);
      files.insert(files.end(), found.begin(), found.end());
    } else {
      files.push_back(path);
    }
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

Validation validate_table(const std::string& file, Bytes least, Replayer& replayer, Context& context) {
  Validation validation{file, read_measurements(parse_csv(read_input(file), file))};
  std::erase_if(validation.rows,
                [least](const Measurement& row) { return row.replay && row.replay->payload < least; });
  Progress progress(context.err, context.err_is_terminal && !context.quiet, file);
  for (Measurement& row : validation.rows) {
    row.file = file;
    replayer.predict(row, progress.options());
  }
  return validation;
}

/// The training step of a scenario beside what its `reference` says.
Measurement validate_step(const std::string& file, Context& context) {
  Scenario scenario = read_scenario(file);
  const Reference reference = scenario.reference;
  Measurement row;
  row.file = file;
  row.row_id = scenario.name;
  row.quantity = "iteration_time";
  row.family = reference.source;
  if (!reference.iteration_time_s && !reference.tflops_per_gpu) {
    row.status = RowStatus::incomplete;
    row.reason = "the scenario has no reference";
    return row;
  }
  try {
    const Report report = simulate_scenario(prepare_scenario(std::move(scenario)), false, context).report;
    for (const Comparison& comparison : report.comparisons) {
      if (comparison.quantity == "iteration_time_s") {
        row.predicted = comparison.predicted;
        row.measured = comparison.published;
      }
    }
    if (!reference.iteration_time_s) {
      row.assumed.emplace_back("the time is that of the published TFLOP/s per GPU");
    }
    if (report.out_of_memory) {
      row.assumed.push_back("memory would suffice: " + *report.out_of_memory);
    }
  } catch (const InfeasibleError& error) {
    row.status = RowStatus::unsupported;
    row.reason = error.what();
  }
  return row;
}

ExitCode run_command(const Options& options, Context& context) {
  const Bytes least = least_size(options);
  Replayer replayer;
  std::vector<Validation> validations;
  Validation steps{"training steps", {}};
  for (const std::string& file : files_of(options.paths)) {
    if (is_scenario(file)) {
      steps.rows.push_back(validate_step(file, context));
    } else {
      validations.push_back(validate_table(file, least, replayer, context));
    }
  }
  if (!steps.rows.empty()) {
    validations.push_back(std::move(steps));
  }
  context.out << print_validations(validations, options.format);
  return ExitCode::done;
}

}  // namespace

void add_validate(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "validate", "Hold predictions against published measurements",
                                 "makespan validate collectives.csv --min-size 1MiB", run_command);
  Options& options = *command.options;
  command.app
      ->add_option(
          "FILE", options.paths,
          "Tables of measurements, scenarios with a reference, folders of both, or - for a table on the "
          "standard input; without any, the scenarios of the library")
      ->type_name("FILE.csv|SCENARIO|DIR");
  add_text(*command.app, "--min-size", options.min_size, "Leave out collectives of less than this")
      ->type_name("SIZE");
  add_choice(*command.app, "--format", options.format, {"text", "json"}, "How the result is printed");
}

}  // namespace makespan
