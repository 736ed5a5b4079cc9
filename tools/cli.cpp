#include "tools/cli.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>  // getenv
#include <iostream>
#include <new>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/ostream_sink.h>
#include <string_view>
#include <unistd.h>  // isatty

#include "core/error.h"
#include "core/text.h"
#include "scenarios/report.h"
#include "tools/commands/command.h"
#include "tools/output_file.h"
#include "tools/signals.h"

namespace makespan {

namespace {

/// https://no-color.org: any value but the empty one turns colour off.
bool colour_allowed() {
  const char* no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): nothing sets it
  return no_color == nullptr || *no_color == '\0';
}

std::shared_ptr<spdlog::logger> make_logger(std::ostream& err) {
  spdlog::sink_ptr sink;
  if (&err == &std::cerr && colour_allowed()) {
    sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_st>();  // colours only on a terminal
  } else {
    sink = std::make_shared<spdlog::sinks::ostream_sink_st>(err);
  }
  auto logger = std::make_shared<spdlog::logger>("makespan", std::move(sink));
  logger->set_pattern("%^%l%$: %v");
  return logger;
}

std::string_view view(const std::string& text) {
  return text;
}

/// Why these left-over arguments mean nothing to `app`, with the nearest name that does.
std::string explain_extra(const CLI::App& app, const std::string& extra, bool is_command) {
  const std::string name = extra.substr(0, extra.find('='));
  std::vector<std::string> known;
  if (is_command) {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(command->get_name());
    }
  } else {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& long_name : option->get_lnames()) {
        known.push_back("--" + long_name);
      }
    }
  }
  std::vector<std::string_view> views(known.size());
  std::transform(known.begin(), known.end(), views.begin(), view);
  return (is_command ? "unknown command '" : "unknown option '") + name +
         "'\n  hint: " + suggestion(name, views);
}

/// Complains about arguments that nobody took; returns whether there are any.
bool report_extras(const CLI::App& app, Context& context) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  const std::vector<std::string> extras = app.remaining(true);
  if (extras.empty()) {
    return false;
  }
  const auto option = std::find_if(extras.begin(), extras.end(), [](const std::string& text) {
    return text.size() > 1 && text.front() == '-';
  });
  if (chosen.empty() && extras.front().front() != '-') {
    context.log->error(explain_extra(command, extras.front(), true));
  } else if (option != extras.end()) {
    context.log->error(explain_extra(command, *option, false));
  } else {
    context.log->error("'{}' is one argument too many\n  hint: see makespan {} --help", extras.front(),
                       command.get_name());
  }
  return true;
}

ExitCode report_usage(const CLI::App& app, const CLI::ParseError& error, Context& context) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  if (dynamic_cast<const CLI::CallForVersion*>(&error) != nullptr) {
    context.out << error.what() << '\n';
    return ExitCode::done;
  }
  if (dynamic_cast<const CLI::CallForHelp*>(&error) != nullptr) {
    context.out << app.help();  // of the chosen command, if any
    return ExitCode::done;
  }
  if (!report_extras(app, context)) {
    context.log->error("{}\n  hint: see makespan {}--help", error.what(),
                       chosen.empty() ? "" : command.get_name() + ' ');
  }
  return ExitCode::bad_input;
}

void define(CLI::App& app, Context& context) {
  app.name("makespan");
  app.set_version_flag("--version", "makespan " + std::string(version()));
  app.footer("See makespan COMMAND --help for the options of a command, with an example.");
  app.require_subcommand(0, 1);
  add_run(app, context);
  add_compare(app, context);
  add_schedule(app, context);
  add_check(app, context);
  add_collective(app, context);
  add_topology(app, context);
  add_validate(app, context);
  add_flows(app, context);
  add_verify(app, context);
  add_schema(app, context);
  add_list(app, context);
  app.allow_extras();
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    command->allow_extras();  // we say ourselves what is wrong with them
  }
}

ExitCode parse_and_run(std::span<const std::string> arguments, Context& context) {
  CLI::App app(
      "Simulates how long a training step of a large language model takes on a cluster, and where the time "
      "goes.");
  define(app, context);
  try {
    app.parse(
        std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the back
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error, context);
  }
  if (report_extras(app, context)) {
    return ExitCode::bad_input;
  }
  if (!context.action) {
    context.err << app.help();
    return ExitCode::bad_input;
  }
  if (context.quiet) {
    context.log->set_level(spdlog::level::warn);
  }
  return context.action();
}

}  // namespace

CLI::Option* add_count(CLI::App& app, const std::string& names, std::int64_t& value, std::int64_t least,
                       std::int64_t most, const std::string& help) {
  const auto read = [&value, names, least, most](const std::string& text) {
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stopped != end || value < least || value > most) {
      throw CLI::ValidationError(names, "'" + text + "' is not a whole number from " + std::to_string(least) +
                                            " to " + std::to_string(most));
    }
  };
  return app.add_option_function<std::string>(names, read, help)->type_name("N");
}

CLI::Option* add_choice(CLI::App& app, const std::string& option, std::string& value,
                        const std::vector<std::string>& names, const std::string& help) {
  const auto check = [names](const std::string& text) {
    const std::vector<std::string_view> views(names.begin(), names.end());
    const bool known = std::find(names.begin(), names.end(), text) != names.end();
    return known ? std::string() : "unknown value '" + text + "': " + suggestion(text, views);
  };
  std::string type;
  for (const std::string& name : names) {
    type += (type.empty() ? "" : "|") + name;
  }
  return app.add_option(option, value, help)
      ->check(CLI::Validator(check, "", ""))
      ->type_name(type)
      ->capture_default_str();
}

CLI::Option* add_text(CLI::App& app, const std::string& option, std::string& value, const std::string& help) {
  const auto read = [&value, option](const std::string& text) {
    if (text.empty()) {
      throw CLI::ValidationError(option, "the value is empty");
    }
    value = text;
  };
  return app.add_option_function<std::string>(option, read, help);
}

int run_cli(std::span<const std::string> arguments, std::ostream& out, std::ostream& err) {
  Context context{out, err, &err == &std::cerr && ::isatty(STDERR_FILENO) == 1, false, make_logger(err), {}};
  ExitCode code = ExitCode::done;
  try {
    code = parse_and_run(arguments, context);
    out.flush();
  } catch (const ClosedPipe&) {
    code = ExitCode::not_written;
  } catch (const InputError& error) {
    context.log->error(error.what());
    code = ExitCode::bad_input;
  } catch (const InfeasibleError& error) {
    context.log->error(error.what());
    code = ExitCode::infeasible;
  } catch (const OutputError& error) {
    context.log->error(error.what());
    code = ExitCode::not_written;
  } catch (const Interrupted& error) {
    context.log->error(error.what());
    return static_cast<int>(ExitCode::interrupted) + stop_signal();
  } catch (const std::bad_alloc&) {
    context.log->error("this machine has not enough memory for the run");
    code = ExitCode::infeasible;
  }
  return static_cast<int>(code);
}

}  // namespace makespan
