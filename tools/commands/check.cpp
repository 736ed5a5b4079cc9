#include <fmt/format.h>

#include "scenarios/layout_string.h"
#include "tools/commands/command.h"
#include "tools/commands/scenario_options.h"

namespace makespan {

namespace {

struct Options {
  std::string scenario;
  std::vector<std::string> overrides;
};

ExitCode run(const Options& options, Context& context) {
  const Prepared prepared = load_scenario(options.scenario, options.overrides);
  for (const std::string& warning : prepared.warnings) {
    context.log->warn(warning);
  }
  const Scenario& scenario = prepared.scenario;
  context.out << fmt::format("{}: good: {} on {} GPUs, {} micro-batches per pipeline\n", options.scenario,
                             scenario.schedule.kind, scenario.ranks(), scenario.microbatches());
  if (!scenario.parallelism.layout.empty()) {
    context.out << fmt::format("layout for Megatron-LM: {}\n", layout_text(scenario.parallelism.layout));
  }
  return ExitCode::done;
}

}  // namespace

void add_check(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "check", "Check a scenario as run does, without running it",
                                 "makespan check scenario.yaml", run);
  command.app
      ->add_option("SCENARIO", command.options->scenario, "YAML file or library name; - reads standard input")
      ->required();
  add_overrides(*command.app, command.options->overrides);
}

}  // namespace makespan
