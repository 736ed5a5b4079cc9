#include "tools/verify.h"

#include <nlohmann/json.hpp>

#include "tools/commands/command.h"
#include "tools/trace_reader.h"

namespace makespan {

namespace {

struct Options {
  std::string file;
  std::string format = "text";
};

void print_text(const Verdict& verdict, const std::string& file, std::ostream& out) {
  out << file << ": " << verdict.ranks << " ranks, " << verdict.slices << " slices, " << verdict.arrows
      << " arrows, " << verdict.samples << " counter samples: ";
  if (verdict.violations == 0) {
    out << "every law holds\n";
    return;
  }
  out << (verdict.violations == 1 ? "1 violation\n" : std::to_string(verdict.violations) + " violations\n");
  for (const std::string& sentence : verdict.sentences) {
    out << "  " << sentence << '\n';
  }
  if (verdict.violations > verdict.sentences.size()) {
    out << "  and " << verdict.violations - verdict.sentences.size() << " more\n";
  }
}

void print_json(const Verdict& verdict, std::ostream& out) {
  const nlohmann::ordered_json json = {{"schema", "makespan.verify/1"}, {"ranks", verdict.ranks},
                                       {"slices", verdict.slices},      {"arrows", verdict.arrows},
                                       {"samples", verdict.samples},    {"violations", verdict.violations},
                                       {"sentences", verdict.sentences}};
  out << json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

ExitCode run(const Options& options, Context& context) {
  const Verdict verdict = verify_trace(read_trace_file(options.file));
  if (options.format == "json") {
    print_json(verdict, context.out);
  } else {
    print_text(verdict, options.file, context.out);
  }
  return verdict.violations == 0 ? ExitCode::done : ExitCode::infeasible;
}

}  // namespace

void add_verify(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "verify", "Check the laws that a trace must obey",
                                 "makespan verify out/trace.json.gz", run);
  command.app->add_option("TRACE", command.options->file, "Trace file, plain or gzip; - reads standard input")
      ->required();
  add_choice(*command.app, "--format", command.options->format, {"text", "json"},
             "How the verdict is printed");
}

}  // namespace makespan
