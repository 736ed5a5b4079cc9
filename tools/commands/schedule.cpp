#include <boost/multiprecision/cpp_int.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "schedules/bare.h"
#include "schedules/catalogue.h"
#include "tools/commands/command.h"
#include "tools/progress.h"
#include "tools/schedule_picture.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

struct Options {
  std::string kind;
  std::int64_t ranks = 0;
  std::int64_t microbatches = 0;
  std::int64_t chunks = 0;
  std::int64_t group = 0;
  bool lifo = false;
  std::int64_t pieces = 1;
  BareCostTexts costs;
  std::string semantics = "independent";
  std::string format = "text";
};

Schedule schedule_of(const Options& options) {
  return generate(options.kind, {.ranks = static_cast<int>(options.ranks),
                                 .microbatches = static_cast<int>(options.microbatches),
                                 .chunks = static_cast<int>(options.chunks),
                                 .group = static_cast<int>(options.group),
                                 .lifo = options.lifo,
                                 .pieces = static_cast<int>(options.pieces)});
}

/// A whole number where the value is one.
ordered_json number(const Rational& value) {
  if (denominator(value) == 1 && abs(numerator(value)) < (std::int64_t{1} << 53U)) {
    return numerator(value).convert_to<std::int64_t>();
  }
  return to_double(value);
}

void print_json(const Schedule& schedule, const BareResult& result, std::ostream& out) {
  const ordered_json json = {{"schema", "makespan.schedule/1"},
                             {"kind", schedule.kind},
                             {"ranks", schedule.ranks},
                             {"stages", schedule.stages()},
                             {"microbatches", schedule.microbatches / schedule.pieces},
                             {"chunks", schedule.chunks},
                             {"replicas", schedule.replicas},
                             {"pieces", schedule.pieces},
                             {"makespan", number(result.makespan)},
                             {"max_span", number(result.max_span)},
                             {"work", number(result.work)},
                             {"bubble_ratio", result.bubble_ratio},
                             {"span_bubble_ratio", result.span_bubble_ratio},
                             {"peak_activations", result.peak_activations},
                             {"actions", result.actions}};
  out << json.dump(1) << '\n';
}

/// The form that PyTorch's pipelining loads as "compute_only": a line per rank, a cell per action.
void print_csv(const Schedule& schedule, std::ostream& out) {
  for (const std::vector<Action>& actions : schedule.actions) {
    out << fmt::format("{}\n", fmt::join(cells(actions), ","));
  }
}

std::string peaks_text(const std::vector<int>& peaks) {
  constexpr std::size_t kMost = 16;
  std::string text;
  for (std::size_t rank = 0; rank < std::min(peaks.size(), kMost); ++rank) {
    text += fmt::format("{}{}", rank == 0 ? "" : " ", peaks[rank]);
  }
  return text + (peaks.size() > kMost ? " ..." : "");
}

void print_text(const Schedule& schedule, const BareRun& run, const BareCosts& costs, std::ostream& out) {
  const BareResult& result = run.result;
  const char* unit = costs.in_seconds ? " s" : "";
  const std::string picture = schedule_picture(schedule, run);
  out << fmt::format("{}: {} ranks, {} micro-batches, {} {} per rank\n", schedule.kind, schedule.ranks,
                     schedule.microbatches, schedule.chunks, schedule.chunks == 1 ? "stage" : "stages")
      << (picture.empty() ? "" : "\n" + picture) << '\n'
      << fmt::format("makespan          {}{}\n", to_string(result.makespan), unit)
      << fmt::format("longest rank span {}{}\n", to_string(result.max_span), unit)
      << fmt::format("largest rank work {}{}\n", to_string(result.work), unit)
      << fmt::format("bubble            {:.2f} % of all ranks' time\n", 100 * result.bubble_ratio)
      << fmt::format("peak activations  {} (stage inputs held per rank)\n",
                     peaks_text(result.peak_activations));
}

/// Wipes the line of progress before anything is printed.
BareRun simulate_schedule(const Schedule& schedule, const BareCosts& costs, const Options& options,
                          const Context& context) {
  Progress progress(context.err, context.err_is_terminal && !context.quiet, schedule.kind);
  return run_bare(schedule, costs, communication_named(options.semantics), progress.options());
}

ExitCode run(const Options& options, Context& context) {
  const Schedule schedule = schedule_of(options);
  if (options.format == "csv") {
    print_csv(schedule, context.out);
    return ExitCode::done;
  }
  const BareCosts costs = read_bare_costs(options.costs);
  const BareRun bare = simulate_schedule(schedule, costs, options, context);
  if (options.format == "json") {
    print_json(schedule, bare.result, context.out);
  } else {
    print_text(schedule, bare, costs, context.out);
  }
  return ExitCode::done;
}

void add_costs(CLI::App& app, BareCostTexts& costs) {
  app.add_option("--forward", costs.forward, "Forward time of a micro-batch through a rank's whole share (1)")
      ->type_name("T");
  app.add_option("--backward", costs.backward, "Backward time (twice the forward, or the sum of its halves)")
      ->type_name("T");
  app.add_option("--backward-input", costs.backward_input, "Time of the gradient of the input")
      ->type_name("T");
  app.add_option("--backward-weight", costs.backward_weight, "Time of the gradient of the weights")
      ->type_name("T");
  app.add_option("--forward-backward", costs.forward_backward,
                 "Time of a forward and a backward that overlap (one after the other)")
      ->type_name("T");
  app.add_option("--communication", costs.communication,
                 "Latency of each hop between ranks (0), or bytes per message such as '32 MiB'")
      ->type_name("T|BYTES");
  app.add_option("--bandwidth", costs.bandwidth, "With bytes: of each link, such as '50 GB/s'")
      ->type_name("RATE");
  app.add_option("--latency", costs.latency, "With bytes: of each hop")->type_name("T");
}

}  // namespace

void add_schedule(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "schedule", "Run a bare pipeline schedule with given costs",
                                 "makespan schedule 1f1b --ranks 4 --microbatches 8 --backward 2", run);
  Options& options = *command.options;
  constexpr std::int64_t kMost = kMaxSteps;
  command.app->add_option("KIND", options.kind, "Schedule; see makespan list schedules")->required();
  add_count(*command.app, "-p,--ranks", options.ranks, 1, kMost, "Pipeline ranks")->required();
  add_count(*command.app, "-m,--microbatches", options.microbatches, 1, kMost, "Micro-batches")->required();
  add_count(*command.app, "--chunks", options.chunks, 1, kMost, "Stages per rank (the fewest that the schedule has)");
  add_count(*command.app, "--group", options.group, 1, kMost, "Micro-batches per turn of a chunk");
  command.app->add_flag("--lifo", options.lifo, "gpipe: newest micro-batch first in the backward pass");
  add_count(*command.app, "--pieces", options.pieces, 1, kMost, "seq1f1b: pieces of each sequence (1)");
  add_costs(*command.app, options.costs);
  add_choice(*command.app, "--semantics", options.semantics,
             {"independent", "per-peer", "per-rank", "blocking", "fused"}, "How messages are ordered");
  add_choice(*command.app, "--format", options.format, {"text", "json", "csv"}, "How the result is printed");
}

}  // namespace makespan
