#include "scenarios/run.h"

#include <filesystem>

#include "scenarios/writer.h"
#include "tools/chrome_trace.h"
#include "tools/commands/command.h"
#include "tools/commands/scenario_options.h"
#include "tools/memory_figure.h"
#include "tools/output_file.h"
#include "tools/report_writer.h"
#include "tools/run_trace.h"

namespace makespan {

namespace {

struct Options {
  std::string scenario;
  std::vector<std::string> overrides;
  std::string out;
  std::string trace_ranks;
  std::string memory_figure;
  std::string figure_width;
  bool expand_ranks = false;
  std::string format = "text";
};

constexpr std::size_t kLargeTrace = std::size_t{200} << 20U;  // bytes, uncompressed

void write_trace(const Run& run, const std::vector<int>& ranks, const std::filesystem::path& path,
                 Context& context) {
  OutputFile file(path);
  const TraceSize size = write_chrome_trace([&file](std::string_view piece) { file.write(piece); },
                                            run.lowered.graph, run.timeline, trace_info(run, ranks));
  file.commit();
  if (size.bytes > kLargeTrace) {
    context.log->warn(
        "{} holds {} MB uncompressed, more than many viewers load\n  hint: choose fewer with --trace-ranks",
        path.string(), size.bytes / 1'000'000);
  }
}

void write_results(const Run& run, const Options& options, const std::vector<int>& ranks, Context& context) {
  const std::filesystem::path folder(options.out);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw OutputError(folder.string() + ": cannot be created: " + error.message());
  }
  write_file(folder / "scenario.yaml", scenario_yaml(run.prepared.scenario));
  write_file(folder / "report.json", report_json(run.report, options.expand_ranks));
  write_trace(run, ranks, folder / "trace.json.gz", context);
  context.log->info("wrote scenario.yaml, report.json and trace.json.gz to {}", folder.string());
}

double figure_width(const Options& options) {
  return options.figure_width.empty() ? kColumnWidth : read_width(options.figure_width, "--figure-width");
}

void check_options(const Options& options) {
  if (!options.memory_figure.empty()) {
    require_plot_name(options.memory_figure, "--memory-figure");
    (void)figure_width(options);
  } else if (!options.figure_width.empty()) {
    throw InputError({}, "--figure-width", "is for --memory-figure");
  }
}

void write_memory_figure(const Run& run, const Options& options, const std::vector<int>& ranks) {
  const Plot plot = memory_figure(run, ranks, figure_width(options), "--memory-figure");
  write_file(options.memory_figure, plot_text(plot, options.memory_figure, "--memory-figure"));
}

ExitCode run_command(const Options& options, Context& context) {
  check_options(options);
  Prepared prepared = load_scenario(options.scenario, options.overrides);
  const std::vector<int> ranks = select_ranks(options.trace_ranks, prepared.scenario);
  const Run run = simulate_scenario(std::move(prepared), !options.out.empty(), context);
  if (!options.out.empty()) {
    write_results(run, options, ranks, context);
  }
  if (!options.memory_figure.empty()) {
    write_memory_figure(run, options, ranks);
  }
  context.out << (options.format == "json" ? report_json(run.report, options.expand_ranks)
                                           : report_text(run.report, options.expand_ranks));
  if (run.report.out_of_memory) {
    throw InfeasibleError(*run.report.out_of_memory);
  }
  return ExitCode::done;
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "run", "Simulate a scenario and say where the time goes",
                                 "makespan run llama3-8b-64xh100 --set training.micro_batch=2 --out results",
                                 run_command);
  Options& options = *command.options;
  command.app->add_option("SCENARIO", options.scenario, "YAML file or library name; - reads standard input")
      ->required();
  add_overrides(*command.app, options.overrides);
  add_text(*command.app, "--out", options.out, "Folder for report.json, trace.json.gz and scenario.yaml")
      ->type_name("DIR");
  add_text(*command.app, "--trace-ranks", options.trace_ranks,
           "Ranks that the trace and the figure show (the pipeline of replica 0, tensor rank 0)")
      ->type_name("LIST|all");
  add_text(*command.app, "--memory-figure", options.memory_figure,
           "Draw what the ranks hold over time, as SVG or TikZ")
      ->type_name("FILE.svg|FILE.tex");
  add_text(*command.app, "--figure-width", options.figure_width, "Such as 84mm or 7in (3.3in)")
      ->type_name("LENGTH");
  command.app->add_flag("--expand-ranks", options.expand_ranks, "Report every rank by itself");
  add_choice(*command.app, "--format", options.format, {"text", "json"}, "How the report is printed");
}

}  // namespace makespan
