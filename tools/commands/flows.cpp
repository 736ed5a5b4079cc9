#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/error.h"
#include "core/simulator.h"
#include "tools/commands/command.h"
#include "tools/input_text.h"
#include "tools/progress.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

struct Options {
  std::string file;
};

/// A JSON value with the words that say where it is.
struct Place {
  const ordered_json& value;
  std::string file;
  std::string path;

  [[nodiscard]] InputError error(const std::string& what, const std::string& hint = {}) const {
    return {SourceLocation{file, 0, 0}, path, what, hint};
  }

  [[nodiscard]] bool has(const char* key) const { return value.contains(key); }

  [[nodiscard]] Place at(const char* key) const {
    if (!has(key)) {
      throw error(std::string("'") + key + "' is missing");
    }
    return {value[key], file, (path.empty() ? "" : path + '.') + key};
  }

  [[nodiscard]] std::vector<Place> elements() const {
    if (!value.is_array()) {
      throw error("must be a list");
    }
    std::vector<Place> result;
    for (std::size_t i = 0; i < value.size(); ++i) {
      result.push_back({value[i], file, path + '[' + std::to_string(i) + ']'});
    }
    return result;
  }

  [[nodiscard]] const Place& object() const {
    if (!value.is_object()) {
      throw error("must be an object");
    }
    return *this;
  }

  /// A finite number in [least, most].
  [[nodiscard]] double number(double least, double most) const {
    const double result = value.is_number() ? value.get<double>() : std::nan("");
    if (!(result >= least && result <= most)) {
      throw error("must be a number from " + ordered_json(least).dump() + " to " + ordered_json(most).dump());
    }
    return result;
  }

  /// A whole number from 0 to the last before `end`.
  [[nodiscard]] std::size_t index(std::size_t end) const {
    if (!value.is_number_unsigned() || value.get<std::size_t>() >= end) {
      throw error("must be a whole number from 0 to " + std::to_string(end) + ", the last excluded");
    }
    return value.get<std::size_t>();
  }
};

constexpr double kLongest = 9e6;     // seconds: about the range of simulated time
constexpr double kMostBytes = 9e15;  // whole numbers up to here are exact in a double
constexpr double kSlowest = 1e-3;    // bytes per second
constexpr double kFastest = 9.2e15;
constexpr double kRateStep = 1e-3;                   // the unit of Rate, in bytes per second
constexpr std::uint32_t kMostCrossings = 1'000'000;  // of one link by one flow
constexpr std::size_t kMostInFlight = 1'000'000'000;

struct Flow {
  std::vector<Use> uses;
  std::int64_t bytes = 0;
  Time latency;
  Time start;
  std::vector<std::size_t> after;
};

struct System {
  std::vector<double> bandwidths;  ///< of the links, in bytes per second
  std::vector<Flow> flows;
  std::size_t window = 0;  ///< flows in flight at most; 0 is no limit
};

Time duration(const Place& flow, const char* key) {
  return flow.has(key) ? time_from_seconds(flow.at(key).number(0, kLongest)) : Time(0);
}

std::int64_t bytes_of(const Place& flow) {
  const Place bytes = flow.at("bytes");
  const double amount = bytes.number(0, kMostBytes);
  if (amount != std::floor(amount)) {
    throw bytes.error("must be a whole number of bytes");
  }
  return static_cast<std::int64_t>(amount);
}

/// The links of a flow; one that is named twice is crossed twice.
std::vector<Use> uses_of(const Place& flow, std::size_t links) {
  std::map<std::size_t, std::uint32_t> crossings;
  for (const Place& link : flow.at("links").elements()) {
    ++crossings[link.index(links)];
  }
  std::vector<Use> uses;
  for (const auto& [link, count] : crossings) {
    if (count > kMostCrossings) {
      throw flow.at("links").error("names link " + std::to_string(link) + " more than " +
                                   std::to_string(kMostCrossings) + " times");
    }
    uses.push_back({ResourceId(link), count * Use::kUnitWeight});
  }
  return uses;
}

System read_system(const Place& text) {
  System system;
  for (const Place& link : text.object().at("link_bandwidth_Bps").elements()) {
    system.bandwidths.push_back(link.number(kSlowest, kFastest));
  }
  const std::vector<Place> flows = text.at("flows").elements();
  for (const Place& flow : flows) {
    Flow& read = system.flows.emplace_back();
    read.uses = uses_of(flow.object(), system.bandwidths.size());
    read.bytes = bytes_of(flow);
    read.latency = duration(flow, "latency_s");
    read.start = duration(flow, "start_s");
    if (flow.has("after")) {
      for (const Place& before : flow.at("after").elements()) {
        read.after.push_back(before.index(flows.size()));
      }
    }
  }
  if (text.has("window")) {
    system.window = text.at("window").index(kMostInFlight);
  }
  return system;
}

/// The least that a flow can get of a link: what there is when all flows of the case are in flight.
struct Share {
  std::size_t link = 0;
  double crossings = 0;
  double rate = kFastest;
};

Share least_share(const System& system) {
  std::vector<double> crossings(system.bandwidths.size());
  for (const Flow& flow : system.flows) {
    for (const Use& use : flow.uses) {
      crossings[use.resource.index()] += static_cast<double>(use.weight / Use::kUnitWeight);
    }
  }
  Share least;
  for (std::size_t link = 0; link < crossings.size(); ++link) {
    const double rate = system.bandwidths[link] / crossings[link];
    if (rate < least.rate) {
      least = {link, crossings[link], rate};
    }
  }
  return least;
}

/// Rates and bytes are counted in a unit of data that is 1 byte or a tenth, a hundredth, ... of it, so that
/// the least share that a flow can get of a link is many steps of Rate. Returns how many units a byte has;
/// throws InputError when the range of numbers is too small for that.
std::int64_t units_per_byte(const System& system, const Place& text) {
  constexpr double kSought = 1e-9;  // relative error of a rate that is rounded to a step
  constexpr double kWorst = 1e-6;
  double most = 1;
  for (const double bandwidth : system.bandwidths) {
    most = std::max(most, bandwidth);
  }
  for (const Flow& flow : system.flows) {
    most = std::max(most, static_cast<double>(flow.bytes) * kRateStep);  // a Rate has three digits more
  }
  const Share share = least_share(system);
  std::int64_t units = 1;
  double step = kRateStep;
  while (step > kSought * share.rate && static_cast<double>(units * 10) * most <= kFastest) {
    units *= 10;
    step /= 10;
  }
  if (step > kWorst * share.rate) {
    throw text.at("link_bandwidth_Bps")
        .elements()[share.link]
        .error(fmt::format("is too low for {:g} crossings beside the largest bandwidth and amount of this "
                           "case: a share of it "
                           "could be off by more than {:g}",
                           share.crossings, kWorst));
  }
  return units;
}

/// Adds each flow as a transfer. One that starts late waits for a transfer over no link whose latency is its
/// start; a window is a pool of all flows.
std::vector<TaskId> add_flows_of(const System& system, std::int64_t units, TaskGraphBuilder& builder) {
  std::vector<TaskId> tasks;
  for (std::size_t i = 0; i < system.flows.size(); ++i) {
    const Flow& flow = system.flows[i];
    const Label label{builder.name("flow " + std::to_string(i)), Phase::none, Group::other, -1, -1, -1, -1};
    const Bytes amount(flow.uses.empty() ? 0 : flow.bytes * units);
    tasks.push_back(builder.transfer(builder.route({flow.uses, {}, 0, 0}), {amount, flow.latency}, label));
    if (flow.start > Time(0)) {
      builder.edge(builder.transfer(builder.route({}), {Bytes(0), flow.start}, label), tasks.back());
    }
  }
  for (std::size_t i = 0; i < system.flows.size(); ++i) {
    for (const std::size_t before : system.flows[i].after) {
      builder.edge(tasks[before], tasks[i]);
    }
  }
  if (system.window > 0) {
    builder.pool({tasks, system.window});
  }
  return tasks;
}

/// The instants at which the flows of one case end.
std::vector<Time> ends_of(const Place& text, const SimulationOptions& options) {
  const System system = read_system(text);
  const std::int64_t units = units_per_byte(system, text);
  TaskGraphBuilder builder(0);
  for (std::size_t link = 0; link < system.bandwidths.size(); ++link) {
    builder.resource("link " + std::to_string(link), "link",
                     rate_from_bytes_per_second(system.bandwidths[link] * static_cast<double>(units)));
  }
  const std::vector<TaskId> tasks = add_flows_of(system, units, builder);
  const Timeline timeline = simulate(std::move(builder).build(), options);
  std::vector<Time> ends;
  for (const TaskId task : tasks) {
    ends.push_back(timeline.end[task.index()]);
  }
  return ends;
}

ExitCode run(const Options& options, Context& context) {
  ordered_json document = parse_json(read_input(options.file), options.file);
  const std::vector<Place> systems = Place{document, options.file, ""}.object().at("cases").elements();
  for (std::size_t i = 0; i < systems.size(); ++i) {
    Progress progress(context.err, context.err_is_terminal && !context.quiet, "case " + std::to_string(i));
    const std::vector<Time> ends = ends_of(systems[i], progress.options());
    for (std::size_t k = 0; k < ends.size(); ++k) {
      document["cases"][i]["flows"][k]["end_s"] = seconds(ends[k]);
    }
  }
  context.out << document.dump(1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
  return ExitCode::done;
}

}  // namespace

void add_flows(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "flows", "Run bare systems of flows over shared links",
                                 "makespan flows cases.json > ends.json", run);
  command.app
      ->add_option(
          "CASES", command.options->file,
          "JSON file: cases, each with link_bandwidth_Bps and flows (links, bytes, start_s, latency_s, "
          "after), optionally a window; - reads standard input")
      ->required();
}

}  // namespace makespan
