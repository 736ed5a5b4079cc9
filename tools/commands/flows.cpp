#include <cmath>
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

  /// An index below `count`.
  [[nodiscard]] std::size_t index(std::size_t count) const {
    if (!value.is_number_unsigned() || value.get<std::size_t>() >= count) {
      throw error("must be a whole number from 0 to " + std::to_string(count) + ", the last excluded");
    }
    return value.get<std::size_t>();
  }
};

constexpr double kLongest = 9e6;     // seconds: about the range of simulated time
constexpr double kMostBytes = 9e15;  // whole numbers up to here are exact in a double
constexpr double kSlowest = 1e-3;    // bytes per second: the unit of rates
constexpr double kFastest = 9.2e15;

Time duration(const Place& flow, const char* key) {
  return flow.has(key) ? time_from_seconds(flow.at(key).number(0, kLongest)) : Time(0);
}

TransferWork work_of(const Place& flow, bool crosses_links) {
  const Place bytes = flow.at("bytes");
  const double amount = bytes.number(0, kMostBytes);
  if (amount != std::floor(amount)) {
    throw bytes.error("must be a whole number of bytes");
  }
  return {Bytes(crosses_links ? static_cast<std::int64_t>(amount) : 0), duration(flow, "latency_s")};
}

/// The links of a flow; one that is named twice is crossed twice.
Route route_of(const Place& flow, std::size_t links) {
  std::vector<std::uint32_t> crossings(links, 0);
  for (const Place& link : flow.at("links").elements()) {
    ++crossings[link.index(links)];
  }
  Route route;
  for (std::size_t i = 0; i < links; ++i) {
    if (crossings[i] > 0) {
      route.uses.push_back({ResourceId(i), crossings[i] * Use::kUnitWeight});
    }
  }
  return route;
}

/// Adds each flow as a transfer. One that starts late waits for a transfer over no link whose latency is its
/// start.
std::vector<TaskId> add_flows_of(const Place& list, std::size_t links, TaskGraphBuilder& builder) {
  const std::vector<Place> flows = list.elements();
  std::vector<TaskId> tasks;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const Place& flow = flows[i].object();
    const Label label{builder.name("flow " + std::to_string(i)), Phase::none, Group::other, -1, -1, -1, -1};
    Route route = route_of(flow, links);
    const TransferWork work = work_of(flow, !route.uses.empty());
    const Time start = duration(flow, "start_s");
    tasks.push_back(builder.transfer(builder.route(std::move(route)), work, label));
    if (start > Time(0)) {
      builder.edge(builder.transfer(builder.route({}), {Bytes(0), start}, label), tasks.back());
    }
  }
  for (std::size_t i = 0; i < flows.size(); ++i) {
    if (flows[i].has("after")) {
      for (const Place& before : flows[i].at("after").elements()) {
        builder.edge(tasks[before.index(flows.size())], tasks[i]);
      }
    }
  }
  return tasks;
}

/// The instants at which the flows of one case end.
std::vector<Time> ends_of(const Place& system, const SimulationOptions& options) {
  if (system.object().has("window")) {
    throw system.at("window").error("is not supported by this version");
  }
  TaskGraphBuilder builder(0);
  const std::vector<Place> links = system.at("link_bandwidth_Bps").elements();
  for (std::size_t i = 0; i < links.size(); ++i) {
    builder.resource("link " + std::to_string(i), "link",
                     rate_from_bytes_per_second(links[i].number(kSlowest, kFastest)));
  }
  const std::vector<TaskId> tasks = add_flows_of(system.at("flows"), links.size(), builder);
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
          "after); - reads standard input")
      ->required();
}

}  // namespace makespan
