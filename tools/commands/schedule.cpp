#include <algorithm>
#include <array>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>  // ceil
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "schedules/bare.h"
#include "schedules/catalogue.h"
#include "schedules/communication.h"
#include "schedules/schedule_file.h"
#include "schedules/searches.h"
#include "schedules/validate.h"
#include "tools/commands/command.h"
#include "tools/progress.h"
#include "tools/schedule_figure.h"
#include "tools/schedule_input.h"
#include "tools/schedule_palette.h"
#include "tools/schedule_picture.h"
#include "tools/schedule_trace.h"

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
  std::int64_t pieces = 0;
  std::int64_t replicas = 0;
  std::string placement;
  BareCostTexts costs;
  std::string semantics = "independent";
  std::string format = "text";
  bool communication_steps = false;
  std::string palette;
  std::string width;
  bool transfers = false;
};

constexpr const char* kSvg = "svg";
constexpr const char* kTikz = "tikz";
constexpr const char* kLoop = "loop";
constexpr const char* kV = "v";

Schedule schedule_of_file(const Options& options) {
  const std::array<std::pair<const char*, bool>, 5> given = {{{"--ranks", options.ranks > 0},
                                                              {"--microbatches", options.microbatches > 0},
                                                              {"--chunks", options.chunks > 0},
                                                              {"--group", options.group > 0},
                                                              {"--lifo", options.lifo}}};
  for (const auto& [option, is_given] : given) {
    if (is_given) {
      throw InputError(
          {}, option,
          "is for kinds of schedules, and '" + options.kind + "' is a file, which says it itself");
    }
  }
  const auto size = [](std::int64_t value) {
    return value > 0 ? std::optional(static_cast<int>(value)) : std::nullopt;
  };
  return read_schedule(options.kind, {.replicas = size(options.replicas), .pieces = size(options.pieces)});
}

void refuse_search_options(const Options& options) {
  const std::array<std::pair<const char*, bool>, 3> of_searches = {
      {{"--placement", !options.placement.empty()},
       {"--memory-limit", options.costs.memory_limit.has_value()},
       {"--weight-activation", options.costs.weight_activation.has_value()}}};
  for (const auto& [option, is_given] : of_searches) {
    if (is_given) {
      throw InputError({}, option, "is for schedules that are searched, and '" + options.kind + "' is not",
                       "'zb-auto' and 'list' are");
    }
  }
}

void refuse_foreign_to_searches(const Options& options) {
  const std::array<std::pair<const char*, bool>, 4> of_others = {{{"--group", options.group > 0},
                                                                  {"--lifo", options.lifo},
                                                                  {"--pieces", options.pieces > 0},
                                                                  {"--replicas", options.replicas > 0}}};
  for (const auto& [option, is_given] : of_others) {
    if (is_given) {
      throw InputError({}, option, "is not an option of " + options.kind + ", which is searched");
    }
  }
}

/// What is found is the best for messages that wait for nothing but their producer.
void require_independent(const Options& options) {
  if (options.semantics != "independent") {
    throw InputError({}, "--semantics",
                     options.kind + " is searched for independent messages, not " + options.semantics,
                     "save what is found with --format csv, and run the file");
  }
}

void require_size(const Options& options) {
  if (options.ranks == 0 || options.microbatches == 0) {
    throw InputError({}, "", fmt::format("{} is required", options.ranks == 0 ? "--ranks" : "--microbatches"),
                     "see makespan schedule --help");
  }
}

/// A schedule, and of a search how it stands beside the fixed ones.
struct Choice {
  Schedule schedule;
  std::string verdict;
};

Choice search(const ScheduleSearch& search, const Options& options, const BareCosts& costs) {
  refuse_foreign_to_searches(options);
  require_independent(options);
  require_size(options);
  SearchOptions wanted{.ranks = static_cast<int>(options.ranks),
                       .microbatches = static_cast<int>(options.microbatches),
                       .chunks = static_cast<int>(options.chunks)};
  if (!options.placement.empty()) {
    wanted.placement = options.placement == kV ? Placement::snake : Placement::loop;
  }
  wanted = complete_options(search, wanted);
  const TickCosts ticks = search_costs(costs, wanted.chunks);
  FoundSchedule found = search_schedule(search, wanted, ticks.costs);
  std::string text;
  if (found.bound > 0) {
    text = verdict(found, [&](std::int64_t time) {
      return to_string(Rational(time) / Rational(ticks.ticks_per_unit)) + (costs.in_seconds ? " s" : "");
    });
  }
  return {std::move(found.schedule), std::move(text)};
}

Schedule generated(const Options& options) {
  const ScheduleKind& kind = named_schedule(options.kind);
  require_size(options);
  if (options.replicas > 0) {
    throw InputError({}, "--replicas",
                     fmt::format("is for files, and '{}' is a kind of schedule", kind.name));
  }
  return generate(kind.name, {.ranks = static_cast<int>(options.ranks),
                              .microbatches = static_cast<int>(options.microbatches),
                              .chunks = static_cast<int>(options.chunks),
                              .group = static_cast<int>(options.group),
                              .lifo = options.lifo,
                              .pieces = static_cast<int>(std::max<std::int64_t>(options.pieces, 1))});
}

Choice choose(const Options& options) {
  if (const ScheduleSearch* of_kind = find_search(options.kind)) {
    return search(*of_kind, options, read_bare_costs(options.costs));
  }
  refuse_search_options(options);
  return {is_schedule_file(options.kind) ? schedule_of_file(options) : generated(options), {}};
}

/// A whole number where the value is one.
ordered_json number(const Rational& value) {
  if (denominator(value) == 1 && abs(numerator(value)) < (std::int64_t{1} << 53U)) {
    return numerator(value).convert_to<std::int64_t>();
  }
  return to_double(value);
}

ordered_json evictions_json(const Schedule& schedule) {
  ordered_json list = ordered_json::array();
  for (const Eviction& eviction : schedule.evictions) {
    const std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(eviction.rank)];
    const auto token = [&](int position) { return to_string(actions[static_cast<std::size_t>(position)]); };
    list.push_back({{"rank", eviction.rank},
                    {"to", eviction.to},
                    {"out_after", token(eviction.out_after)},
                    {"back_after", token(eviction.back_after)}});
  }
  return list;
}

void print_json(const Schedule& schedule, const BareResult& result, std::ostream& out) {
  ordered_json json = {{"schema", "makespan.schedule/1"},
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
  if (!schedule.evictions.empty()) {
    json["evictions"] = evictions_json(schedule);
  }
  out << json.dump(1) << '\n';
}

/// The forms that PyTorch's pipelining loads as "compute_only" and as "compute_comms".
void print_csv(const Schedule& schedule, const Options& options, std::ostream& out) {
  require_valid(schedule);
  out << write_schedule_csv(options.communication_steps ? insert_communication(schedule, WeightSteps::keep)
                                                        : schedule);
}

bool is_figure(const Options& options) {
  return options.format == kSvg || options.format == kTikz;
}

/// Refuses options of other formats.
void check_format(const Options& options) {
  const std::array<std::pair<const char*, bool>, 3> of_figures = {{{"--palette", !options.palette.empty()},
                                                                   {"--width", !options.width.empty()},
                                                                   {"--transfers", options.transfers}}};
  for (const auto& [option, is_given] : of_figures) {
    if (is_given && !is_figure(options)) {
      throw InputError({}, option, "is for --format svg and --format tikz, not " + options.format);
    }
  }
  if (options.communication_steps && options.format != "csv") {
    throw InputError({}, "--communication-steps", "is for --format csv, not " + options.format);
  }
}

void check_boxes(std::size_t boxes, const Options& options) {
  const bool is_tikz = options.format == kTikz;
  const std::size_t most = is_tikz ? kMaxTikzBoxes : kMaxSvgBoxes;
  if (boxes > most) {
    throw InputError(
        {}, "--format " + options.format,
        fmt::format("{} boxes and arrows are more than the {} that {}", boxes, most,
                    is_tikz ? "TeX draws within reason" : "viewers show"),
        is_tikz ? "take --format svg and convert it: rsvg-convert -f pdf" : "fewer ranks or micro-batches");
  }
}

std::size_t count_computes(const Schedule& schedule) {
  std::size_t count = 0;
  for (const std::vector<Action>& actions : schedule.actions) {
    count += static_cast<std::size_t>(std::count_if(
        actions.begin(), actions.end(), [](const Action& action) { return is_compute(action.kind); }));
  }
  return count;
}

void print_figure(const Schedule& schedule, const BareRun& run, const BareCosts& costs,
                  const Options& options, Context& context) {
  FigureOptions choices;
  choices.transfers = options.transfers;
  if (!options.palette.empty()) {
    choices.palette = options.palette;
  }
  if (!options.width.empty()) {
    choices.width = read_width(options.width, "--width");
  }
  const ScheduleFigure figure = schedule_figure(schedule, run, costs, choices);
  check_boxes(figure.boxes.size() + figure.messages.size(), options);
  if (figure.width_for_numbers > 0) {
    context.log->info(
        "some boxes are too narrow for numbers of 6 pt; all are wide enough at --width {:.1f}in",
        std::ceil(figure.width_for_numbers / kPointsPerInch * 10) / 10);
  }
  context.out << (options.format == kSvg ? schedule_svg(figure) : schedule_tikz(figure));
}

std::string peaks_text(const std::vector<int>& peaks) {
  constexpr std::size_t kMost = 16;
  std::string text;
  for (std::size_t rank = 0; rank < std::min(peaks.size(), kMost); ++rank) {
    text += fmt::format("{}{}", rank == 0 ? "" : " ", peaks[rank]);
  }
  return text + (peaks.size() > kMost ? " ..." : "");
}

void print_text(const Choice& choice, const BareRun& run, const BareCosts& costs, const Options& options,
                std::ostream& out) {
  const Schedule& schedule = choice.schedule;
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
  if (!choice.verdict.empty()) {
    out << fmt::format("{:<17} {}\n", options.kind, choice.verdict);
  }
}

/// Wipes the line of progress before anything is printed.
BareRun simulate_schedule(const Schedule& schedule, const BareCosts& costs, const Options& options,
                          const Context& context) {
  Progress progress(context.err, context.err_is_terminal && !context.quiet, schedule.kind);
  return run_bare(schedule, costs, communication_named(options.semantics), progress.options());
}

ExitCode run(const Options& options, Context& context) {
  check_format(options);
  const Choice choice = choose(options);
  const Schedule& schedule = choice.schedule;
  if (options.format == "csv") {
    print_csv(schedule, options, context.out);
    return ExitCode::done;
  }
  if (is_figure(options)) {
    check_boxes(count_computes(schedule), options);
  }
  const BareCosts costs = read_bare_costs(options.costs);
  const BareRun bare = simulate_schedule(schedule, costs, options, context);
  if (options.format == "json") {
    print_json(schedule, bare.result, context.out);
  } else if (options.format == "trace") {
    write_schedule_trace([&context](std::string_view piece) { context.out << piece; }, schedule, bare, costs);
  } else if (is_figure(options)) {
    print_figure(schedule, bare, costs, options, context);
  } else {
    print_text(choice, bare, costs, options, context.out);
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
  app.add_option("--memory-limit", costs.memory_limit,
                 "zb-auto, list: activations that a rank can hold, of its whole share of a micro-batch (any)")
      ->type_name("N");
  app.add_option("--weight-activation", costs.weight_activation,
                 "zb-auto, list: share of an activation that is kept for the gradient of the weights (1)")
      ->type_name("X");
}

}  // namespace

void add_schedule(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "schedule", "Run a bare pipeline schedule with given costs",
                                 "makespan schedule 1f1b --ranks 4 --microbatches 8 --backward 2", run);
  Options& options = *command.options;
  constexpr std::int64_t kMost = kMaxSteps;
  command.app
      ->add_option(
          "KIND|FILE", options.kind,
          "Schedule (see makespan list schedules), or a file with lists of actions, CSV or JSON; - reads "
          "standard input")
      ->required();
  add_count(*command.app, "-p,--ranks", options.ranks, 1, kMost, "Pipeline ranks; not of a file");
  add_count(*command.app, "-m,--microbatches", options.microbatches, 1, kMost,
            "Micro-batches; not of a file");
  add_count(*command.app, "--chunks", options.chunks, 1, kMost,
            "Stages per rank (the fewest that the schedule has)");
  add_count(*command.app, "--group", options.group, 1, kMost, "Micro-batches per turn of a chunk");
  command.app->add_flag("--lifo", options.lifo, "gpipe: newest micro-batch first in the backward pass");
  add_count(*command.app, "--pieces", options.pieces, 1, kMost,
            "seq1f1b and CSV: pieces of each sequence (1)");
  add_count(*command.app, "--replicas", options.replicas, 1, kMaxReplicas,
            "CSV: copies of the model, each with as many of the stages (1)");
  add_choice(*command.app, "--placement", options.placement, {kLoop, kV},
             "list: stage s on rank s mod p, or a V of two chunks (loop)");
  add_costs(*command.app, options.costs);
  add_choice(*command.app, "--semantics", options.semantics,
             {"independent", "per-peer", "per-rank", "blocking", "fused"}, "How messages are ordered");
  add_choice(*command.app, "--format", options.format, {"text", "json", "csv", kSvg, kTikz, "trace"},
             "How the result is printed");
  command.app->add_flag("--communication-steps", options.communication_steps,
                        "csv: with sends, receives and steps on sharded weights");
  add_choice(*command.app, "--palette", options.palette, figure_palettes(), "svg, tikz: colours (megatron)");
  add_text(*command.app, "--width", options.width, "svg, tikz: such as 84mm or 7in (3.3in)")
      ->type_name("LENGTH");
  command.app->add_flag("--transfers", options.transfers, "svg, tikz: messages as arrows");
}

}  // namespace makespan
