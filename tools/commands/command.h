#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <spdlog/logger.h>
#include <string>
#include <vector>

#include "tools/cli.h"

namespace makespan {

/// What a command works with. It outlives the parsed options.
struct Context {
  std::ostream& out;  ///< the result, and nothing else
  std::ostream& err;
  bool err_is_terminal = false;
  bool quiet = false;
  std::shared_ptr<spdlog::logger> log;
  /// What the chosen command does, set when its options have been read.
  std::function<ExitCode()> action;
};

/// Adds a subcommand, with `example` as the last line of its help. `run` is called with the options that were
/// read.
template <class Options>
struct Command {
  CLI::App* app;
  std::shared_ptr<Options> options;

  Command(CLI::App& parent, Context& context, const std::string& name, const std::string& summary,
          const std::string& example, ExitCode (*run)(const Options&, Context&))
      : app(parent.add_subcommand(name, summary)), options(std::make_shared<Options>()) {
    app->footer("Example:\n  " + example);
    app->add_flag("-q,--quiet", context.quiet, "No progress and no notes on standard error");
    app->callback([&context, run, chosen = options] {
      context.action = [&context, run, chosen] { return run(*chosen, context); };
    });
  }
};

/// An option whose value is a whole number in decimal digits, within [least, most].
CLI::Option* add_count(CLI::App& app, const std::string& names, std::int64_t& value, std::int64_t least,
                       std::int64_t most, const std::string& help);

/// An option whose value is one of `names`.
CLI::Option* add_choice(CLI::App& app, const std::string& option, std::string& value,
                        const std::vector<std::string>& names, const std::string& help);

/// An option whose value is a text that is not empty.
CLI::Option* add_text(CLI::App& app, const std::string& option, std::string& value, const std::string& help);

// One per command.
void add_check(CLI::App& app, Context& context);
void add_collective(CLI::App& app, Context& context);
void add_compare(CLI::App& app, Context& context);
void add_flows(CLI::App& app, Context& context);
void add_list(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_schedule(CLI::App& app, Context& context);
void add_schema(CLI::App& app, Context& context);
void add_topology(CLI::App& app, Context& context);
void add_validate(CLI::App& app, Context& context);
void add_verify(CLI::App& app, Context& context);

}  // namespace makespan
