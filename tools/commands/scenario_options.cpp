#include "tools/commands/scenario_options.h"

#include <utility>

#include "scenarios/reader.h"
#include "scenarios/resolve.h"
#include "tools/progress.h"

namespace makespan {

void add_overrides(CLI::App& app, std::vector<std::string>& overrides) {
  app.add_option("--set", overrides, "Replace one value of the scenario, such as parallelism.tensor=4")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

Prepared prepare_scenario(Scenario scenario) {
  std::vector<std::string> warnings;
  resolve(scenario, warnings);
  return prepare(std::move(scenario), std::move(warnings));
}

Prepared load_scenario(const std::string& path_or_name, const std::vector<std::string>& overrides) {
  return prepare_scenario(read_scenario(path_or_name, overrides));
}

Run simulate_scenario(Prepared prepared, bool record_rates, Context& context) {
  for (const std::string& warning : prepared.warnings) {
    context.log->warn(warning);
  }
  Progress progress(context.err, context.err_is_terminal && !context.quiet, prepared.scenario.name);
  SimulationOptions options = progress.options();
  options.record_rates = record_rates;
  return run(std::move(prepared), options);
}

}  // namespace makespan
