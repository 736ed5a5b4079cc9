#include "scenarios/schema.h"

#include "tools/commands/command.h"

namespace makespan {

namespace {

struct Options {
  bool reference = false;
};

ExitCode run(const Options& options, Context& context) {
  context.out << (options.reference ? scenario_reference_page() : scenario_json_schema());
  return ExitCode::done;
}

}  // namespace

void add_schema(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "schema", "Print the JSON Schema of scenario files",
                                 "makespan schema > makespan.schema.json", run);
  command.app->add_flag("--reference", command.options->reference, "The reference page in Markdown instead");
}

}  // namespace makespan
