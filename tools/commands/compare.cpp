#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "scenarios/lower.h"
#include "scenarios/reader.h"
#include "scenarios/resolve.h"
#include "scenarios/yaml.h"
#include "schedules/searches.h"
#include "tools/bubble_figure.h"
#include "tools/commands/command.h"
#include "tools/commands/scenario_options.h"
#include "tools/compare_report.h"
#include "tools/count_series.h"
#include "tools/output_file.h"
#include "tools/progress.h"
#include "tools/table.h"

namespace makespan {

namespace {

constexpr std::string_view kAll = "all";

struct Options {
  std::vector<std::string> scenarios;
  std::vector<std::string> overrides;
  std::vector<std::string> schedules;
  std::string microbatches;
  bool what_if = false;
  std::string bubble_figure;
  std::string figure_width;
  std::string format = "text";
};

/// A schedule to compare: "interleaved:2" is interleaved with two chunks.
struct Choice {
  std::string text;
  std::string kind;
  int chunks = 0;  ///< 0: not given
};

/// One row of what is compared: a scenario, and with which schedule if not its own.
struct Candidate {
  std::string scenario;
  std::optional<Choice> choice;
  std::int64_t microbatches = 0;  ///< 0: as many as the scenario has
};

void require_kind(const std::string& name) {
  std::vector<std::string_view> names;
  for (const ScheduleKind& kind : schedule_kinds()) {
    names.push_back(kind.name);
  }
  for (const ScheduleSearch& search : schedule_searches()) {
    names.push_back(search.kind.name);
  }
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    names.push_back(kAll);
    throw InputError(SourceLocation{}, "--schedules", "unknown kind '" + name + "'", suggestion(name, names));
  }
}

Choice parse_choice(const std::string& text) {
  const std::size_t colon = text.find(':');
  Choice choice{text, text.substr(0, colon)};
  if (text == kAll) {
    throw InputError(SourceLocation{}, "--schedules", "'all' stands alone", "keep 'all', or the others");
  }
  require_kind(choice.kind);
  if (colon != std::string::npos) {
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data() + colon + 1, end, choice.chunks);
    if (error != std::errc() || stopped != end || choice.chunks < 1) {
      throw InputError(SourceLocation{}, "--schedules", "'" + text + "' is not a schedule",
                       "write KIND or KIND:CHUNKS, such as interleaved:2");
    }
  }
  return choice;
}

void refuse_two_schedules(const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    const std::string key = text.substr(0, text.find('='));
    if (key == "schedule" || key == "schedule.kind") {
      throw InputError(SourceLocation{}, "--schedules", "does not go with --set " + text,
                       "both choose the schedule; keep one of them");
    }
  }
}

/// Reads scenarios, and the standard input once.
class ScenarioSource {
 public:
  Scenario read(const std::string& path_or_name, const std::vector<std::string>& overrides) {
    if (path_or_name != "-") {
      return read_scenario(path_or_name, overrides);
    }
    if (!standard_input_) {
      standard_input_ = read_text(path_or_name);
    }
    return parse_scenario(*standard_input_, source_name(path_or_name), overrides);
  }

 private:
  std::optional<std::string> standard_input_;
};

bool asks_for_all(const Options& options) {
  return options.schedules.size() == 1 && options.schedules.front() == kAll;
}

/// Every kind with a flush, those with a choice of chunks with two, then the searches; `own` first, as it is.
/// Iterations without a flush are one stream, whose times are of another kind.
std::vector<std::string> all_schedules(const std::string& own) {
  std::vector<std::string> schedules = {own};
  for (const ScheduleKind& kind : schedule_kinds()) {
    if (kind.update == Update::flush && kind.name != own) {
      schedules.push_back(std::string(kind.name) + (kind.most_chunks > 2 ? ":2" : ""));
    }
  }
  for (const ScheduleSearch& search : schedule_searches()) {
    if (search.kind.name != own) {
      schedules.emplace_back(search.kind.name);
    }
  }
  return schedules;
}

std::vector<Candidate> candidates(const Options& options, ScenarioSource& source) {
  std::vector<Candidate> result;
  if (options.schedules.empty()) {
    for (const std::string& scenario : options.scenarios) {
      result.push_back({scenario, std::nullopt, 0});
    }
    return result;
  }
  if (options.scenarios.size() > 1) {
    throw InputError(SourceLocation{}, "--schedules",
                     "goes with one scenario, and there are " + std::to_string(options.scenarios.size()));
  }
  refuse_two_schedules(options.overrides);
  const std::string& scenario = options.scenarios.front();
  for (const std::string& schedule :
       asks_for_all(options) ? all_schedules(source.read(scenario, options.overrides).schedule.kind)
                             : options.schedules) {
    result.push_back({scenario, parse_choice(schedule), 0});
  }
  return result;
}

/// Each candidate once per number of micro-batches.
std::vector<Candidate> with_microbatches(const std::vector<Candidate>& candidates, const Options& options) {
  if (options.microbatches.empty()) {
    return candidates;
  }
  for (const std::string& text : options.overrides) {
    if (text.starts_with("training.global_batch=") || text.starts_with("training=")) {
      throw InputError(SourceLocation{}, "--microbatches", "does not go with --set " + text,
                       "both choose the global batch; keep one of them");
    }
  }
  std::vector<Candidate> result;
  for (const Candidate& candidate : candidates) {
    for (const std::int64_t count : parse_counts(options.microbatches, "--microbatches")) {
      result.push_back({candidate.scenario, candidate.choice, count});
    }
  }
  return result;
}

void drop_search_keys(Scenario& scenario, const ScheduleSearch* search) {
  const ScheduleSpec usual;
  if (search == nullptr) {
    scenario.schedule.activations = usual.activations;
    scenario.schedule.memory = usual.memory;
    scenario.locations.erase("schedule.activations");
    scenario.locations.erase("schedule.memory");
  }
  if (search == nullptr || !search->has_placement) {
    scenario.schedule.placement = usual.placement;
    scenario.locations.erase("schedule.placement");
  }
}

/// Takes away what the schedule kind has no use for: the scenario gave it for another one.
void drop_foreign_keys(Scenario& scenario, const Choice& choice) {
  const ScheduleSpec usual;
  scenario.schedule.file = usual.file;
  const ScheduleKind& kind = named_schedule(choice.kind);
  drop_search_keys(scenario, find_search(choice.kind));
  if (!kind.has_group) {
    scenario.schedule.group = usual.group;
    scenario.locations.erase("schedule.group");
  }
  const bool takes_chunks =
      scenario.schedule.chunks >= kind.least_chunks && scenario.schedule.chunks <= kind.most_chunks;
  if (!takes_chunks && choice.chunks == 0) {
    scenario.schedule.chunks = usual.chunks;
    scenario.locations.erase("schedule.chunks");
  }
  if (!kind.has_lifo) {
    scenario.schedule.lifo = usual.lifo;
    scenario.locations.erase("schedule.lifo");
  }
  if (!kind.has_pieces) {
    scenario.schedule.pieces = usual.pieces;
    scenario.locations.erase("schedule.pieces");
  }
  if (kind.update != Update::flush) {
    scenario.schedule.optimizer_sync = usual.optimizer_sync;
    scenario.locations.erase("schedule.optimizer_sync");
  }
}

/// The times of a profile are those of one stage. A schedule with other chunks cuts a rank's share into other
/// stages: the share stays.
void share_profile(Scenario& scenario, std::int64_t own_chunks) {
  const ScheduleSpec& schedule = scenario.schedule;
  const std::int64_t chunks = scenario.locations.contains("schedule.chunks")
                                  ? schedule.chunks
                                  : named_schedule(schedule.kind).least_chunks;
  if (!scenario.profile || chunks == own_chunks) {
    return;
  }
  Profile& profile = *scenario.profile;
  for (std::vector<Time>* times : {&profile.forward, &profile.backward, &profile.backward_input,
                                   &profile.backward_weight, &profile.forward_backward}) {
    if (times->size() > 1) {
      throw InputError(SourceLocation{}, "--schedules",
                       "the profile gives each of its stages a time of its own, and " + schedule.kind +
                           " has " + std::to_string(chunks) + " stages per rank, not " +
                           std::to_string(own_chunks));
    }
    for (Time& time : *times) {
      time = Time(time.count() * own_chunks / chunks);
    }
  }
  profile.activation = Bytes(profile.activation.count() * own_chunks / chunks);
}

/// The candidate's scenario with the schedule of its choice; `own` has its own schedule.
Scenario with_choice(const Candidate& candidate, const Scenario& own, const Options& options,
                     ScenarioSource& source) {
  const Choice& choice = *candidate.choice;
  std::vector<std::string> overrides = options.overrides;
  overrides.push_back("schedule.kind=" + choice.kind);
  if (choice.chunks > 0) {
    overrides.push_back("schedule.chunks=" + std::to_string(choice.chunks));
  }
  Scenario scenario = source.read(candidate.scenario, overrides);
  drop_foreign_keys(scenario, choice);
  share_profile(scenario, own.locations.contains("schedule.chunks")
                              ? own.schedule.chunks
                              : named_schedule(own.schedule.kind).least_chunks);
  return scenario;
}

/// The samples of a micro-batch in all replicas.
std::int64_t samples_per_microbatch(Scenario scenario) {
  std::vector<std::string> ignored;
  resolve(scenario, ignored);
  return scenario.training.micro_batch * scenario.parallelism.data;
}

/// A scenario as it is read, and what its candidates have from it.
struct Origin {
  Scenario own;
  std::int64_t samples = 0;  ///< per micro-batch; 0 where nobody asks
};

Scenario scenario_of(const Candidate& candidate, const Origin& origin, const Options& options,
                     ScenarioSource& source) {
  Scenario scenario = candidate.choice ? with_choice(candidate, origin.own, options, source) : origin.own;
  if (candidate.microbatches > 0) {
    scenario.training.global_batch = candidate.microbatches * origin.samples;
  }
  return scenario;
}

/// Why the candidate is refused; empty if it is not.
std::string refusal(const Candidate& candidate, const Origin& origin, const Options& options,
                    ScenarioSource& source) {
  try {
    Scenario scenario = scenario_of(candidate, origin, options, source);
    std::vector<std::string> ignored;
    resolve(scenario, ignored);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/// Whether `reason`, for which the candidate is refused, is about its number of micro-batches: one that is
/// not meets another number word for word.
bool is_about_microbatches(const std::string& reason, Candidate candidate, const Origin& origin,
                           const Options& options, ScenarioSource& source) {
  if (candidate.microbatches == 0) {
    return false;
  }
  ++candidate.microbatches;
  return refusal(candidate, origin, options, source) != reason;
}

/// `name`, or with the first free " #2", " #3", ... behind it.
std::string unique_name(const std::vector<CompareRow>& rows, const std::string& name) {
  const auto is_taken = [&rows](const std::string& wanted) {
    return std::any_of(rows.begin(), rows.end(), [&](const CompareRow& row) { return row.name == wanted; });
  };
  std::string result = name;
  for (int number = 2; is_taken(result); ++number) {
    result = name + " #" + std::to_string(number);
  }
  return result;
}

/// Runs a candidate. A number of micro-batches that it does not allow is a row with the reason, and, where
/// all schedules are asked for, so is a schedule that the scenario does not allow.
CompareRow run_candidate(const Candidate& candidate, const Options& options, ScenarioSource& source,
                         Context& context) {
  CompareRow row{candidate.choice ? candidate.choice->text : candidate.scenario, std::nullopt};
  Origin origin{source.read(candidate.scenario, options.overrides)};
  if (candidate.microbatches > 0) {
    origin.samples = samples_per_microbatch(origin.own);
  }
  try {
    Prepared prepared = prepare_scenario(scenario_of(candidate, origin, options, source));
    row.name = candidate.choice ? row.name : prepared.scenario.name;
    row.microbatches = prepared.scenario.microbatches();
    Run run = simulate_scenario(std::move(prepared), false, context);
    if (options.what_if) {
      Progress progress(context.err, context.err_is_terminal && !context.quiet, row.name + ", what if");
      row.what_if = what_if(run, progress.options());
    }
    row.report = std::move(run.report);
  } catch (const InfeasibleError& error) {
    row.reason = error.what();
  } catch (const InputError& error) {
    if (!asks_for_all(options) && !is_about_microbatches(error.what(), candidate, origin, options, source)) {
      throw;
    }
    row.reason = error.what();
  }
  row.name = one_line(row.name);
  row.reason = one_line(row.reason);
  row.series = row.name;
  if (candidate.microbatches > 0) {
    row.microbatches = candidate.microbatches;
    row.name += " m=" + std::to_string(candidate.microbatches);
  }
  return row;
}

/// The fastest first; behind them what does not fit the memory, and what cannot run.
void sort_rows(std::vector<CompareRow>& rows) {
  const auto rank = [](const CompareRow& row) {
    const int kind = !row.report ? 2 : row.report->out_of_memory ? 1 : 0;
    return std::pair(kind, row.report ? row.report->iteration_time : Time());
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const CompareRow& a, const CompareRow& b) { return rank(a) < rank(b); });
}

/// A line for each schedule or scenario, of which the rows follow each other by ascending micro-batches.
std::vector<BubbleSeries> bubble_series(const std::vector<CompareRow>& rows) {
  std::vector<BubbleSeries> series;
  std::int64_t last = 0;
  for (const CompareRow& row : rows) {
    if (series.empty() || row.microbatches <= last) {
      series.push_back({row.series, {}});
    }
    last = row.microbatches;
    if (row.report) {
      series.back().points.push_back(
          {row.microbatches, row.report->bubble_fraction, !row.report->out_of_memory.has_value()});
    }
  }
  std::erase_if(series, [](const BubbleSeries& line) { return line.points.empty(); });
  return series;
}

double figure_width(const Options& options) {
  return options.figure_width.empty() ? kColumnWidth : read_width(options.figure_width, "--figure-width");
}

void check_options(const Options& options) {
  if (!options.bubble_figure.empty()) {
    require_plot_name(options.bubble_figure, "--bubble-figure");
    (void)figure_width(options);
    if (options.microbatches.empty()) {
      throw InputError({}, "--bubble-figure", "needs --microbatches", "such as --microbatches 8:128:x2");
    }
  } else if (!options.figure_width.empty()) {
    throw InputError({}, "--figure-width", "is for --bubble-figure");
  }
}

void require_room(std::size_t lines) {
  if (lines > kMostBubbleSeries) {
    throw InputError({}, "--bubble-figure",
                     std::to_string(lines) + " lines are more than the " + std::to_string(kMostBubbleSeries) +
                         " that are told apart",
                     "choose fewer schedules or scenarios");
  }
}

void write_bubble_figure(const std::vector<CompareRow>& rows, const Options& options) {
  const Plot plot =
      bubble_figure(options.scenarios.front(), bubble_series(rows), figure_width(options), "--bubble-figure");
  write_file(options.bubble_figure, plot_text(plot, options.bubble_figure, "--bubble-figure"));
}

ExitCode run_command(const Options& options, Context& context) {
  check_options(options);
  std::vector<CompareRow> rows;
  ScenarioSource source;
  const std::vector<Candidate> lines = candidates(options, source);
  if (!options.bubble_figure.empty()) {
    require_room(lines.size());
    (void)OutputFile(options.bubble_figure);  // refuses now what it would refuse behind all runs
  }
  for (const Candidate& candidate : with_microbatches(lines, options)) {
    CompareRow row = run_candidate(candidate, options, source, context);
    row.name = unique_name(rows, row.name);
    rows.push_back(std::move(row));
  }
  const auto first =
      std::find_if(rows.begin(), rows.end(), [](const CompareRow& row) { return row.report.has_value(); });
  const bool has_run = first != rows.end();
  const double baseline = has_run ? seconds(first->report->iteration_time) : 0.0;
  for (CompareRow& row : rows) {
    if (!options.microbatches.empty() && has_run) {
      row.work = static_cast<double>(row.microbatches) / static_cast<double>(first->microbatches);
    }
  }
  if (!options.bubble_figure.empty() && has_run) {
    write_bubble_figure(rows, options);
  }
  if (asks_for_all(options) && options.microbatches.empty()) {
    sort_rows(rows);
  }
  const bool differences = options.scenarios.size() > 1 && options.microbatches.empty();
  context.out << print_comparison(rows, baseline, differences, options.format);
  return has_run ? ExitCode::done : ExitCode::infeasible;
}

}  // namespace

void add_compare(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "compare", "Simulate schedules or scenarios side by side",
                                 "makespan compare llama3-8b-64xh100 --schedules gpipe,1f1b,interleaved:2",
                                 run_command);
  Options& options = *command.options;
  command.app->add_option("SCENARIO", options.scenarios, "YAML files or library names")->required();
  add_overrides(*command.app, options.overrides);
  command.app
      ->add_option("--schedules", options.schedules, "Schedules to run the one scenario with, or all of them")
      ->type_name("KIND[:CHUNKS],...|all")
      ->delimiter(',')
      ->allow_extra_args(false);
  add_text(*command.app, "--microbatches", options.microbatches,
           "Run each with so many micro-batches per iteration, such as 8:128:x2")
      ->type_name("LIST|FROM:TO:xFACTOR");
  command.app->add_flag("--what-if", options.what_if,
                        "Simulate each again with one cause of lost time made free");
  add_text(*command.app, "--bubble-figure", options.bubble_figure,
           "Draw the bubble against --microbatches, as SVG or TikZ")
      ->type_name("FILE.svg|FILE.tex");
  add_text(*command.app, "--figure-width", options.figure_width, "Such as 84mm or 7in (3.3in)")
      ->type_name("LENGTH");
  add_choice(*command.app, "--format", options.format, {"text", "json", "csv", "markdown", "latex"},
             "How the table is printed");
}

}  // namespace makespan
