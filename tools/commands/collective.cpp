#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "network/nccl_tests_log.h"
#include "tools/collective_options.h"
#include "tools/collective_report.h"
#include "tools/commands/command.h"
#include "tools/commands/scenario_options.h"
#include "tools/input_text.h"
#include "tools/machine_options.h"
#include "tools/progress.h"

namespace makespan {

namespace {

struct Options {
  std::string kind;
  std::string cluster;
  std::vector<std::string> overrides;
  std::int64_t nodes = 0;
  std::int64_t ranks = 0;
  std::int64_t gpus_per_node = 0;
  std::string ranks_list;
  std::string split;
  std::string sizes = "8B:8GiB:x2";
  std::string algorithm;
  std::string protocol;
  std::int64_t channels = 0;
  std::string measured;
  std::string matrix;
  std::vector<std::string> background;
  std::string fidelity = "fluid";
  std::string format = "text";
};

InputError wrong(const std::string& option, const std::string& what, const std::string& hint = {}) {
  return {SourceLocation{}, option, what, hint};
}

/// The GPUs that take part, in the order of ranks.
std::vector<std::size_t> ranks_of(const Options& options, const Topology& topology) {
  const bool is_torus = !topology.dimensions().empty();  // its chips are the nodes that a cluster counts
  const auto first_gpu = [&](std::size_t node) { return is_torus ? node : topology.first_gpu(node); };
  const std::size_t all = is_torus ? topology.gpu_count() : topology.node_count();
  const std::size_t nodes = options.nodes > 0 ? static_cast<std::size_t>(options.nodes) : all;
  if (nodes > all) {
    throw wrong("--nodes", fmt::format("the cluster has {} nodes, fewer than {}", all, nodes),
                fmt::format("--set cluster.nodes={} makes it larger", nodes));
  }
  if (!options.ranks_list.empty()) {
    return parse_gpus(options.ranks_list, first_gpu(nodes), "--ranks-list");
  }
  std::vector<std::size_t> gpus;
  for (std::size_t node = 0; node < nodes; ++node) {
    const std::size_t size = first_gpu(node + 1) - first_gpu(node);
    const std::size_t used =
        options.gpus_per_node > 0 ? static_cast<std::size_t>(options.gpus_per_node) : size;
    if (used > size) {
      throw wrong("--gpus-per-node", fmt::format("node {} has {} GPUs, fewer than {}", node, size, used));
    }
    for (std::size_t local = 0; local < used; ++local) {
      gpus.push_back(first_gpu(node) + local);
    }
  }
  const auto ranks = static_cast<std::size_t>(options.ranks);
  if (ranks > gpus.size()) {
    throw wrong("--ranks", fmt::format("{} ranks are more than the {} GPUs there are", ranks, gpus.size()),
                "add nodes with --nodes or --set cluster.nodes=N");
  }
  gpus.resize(ranks > 0 ? ranks : gpus.size());
  return gpus;
}

template <class Enum>
std::optional<Enum> choice_named(const std::string& name, Enum last, const std::string& option) {
  if (name.empty()) {
    return std::nullopt;
  }
  std::vector<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    names.push_back(to_string(static_cast<Enum>(i)));
    if (plain_name(names.back()) == plain_name(name)) {
      return static_cast<Enum>(i);
    }
  }
  throw wrong(option, "unknown value '" + name + "'", suggestion(name, names));
}

CollectiveChoice choice_of(const Options& options) {
  CollectiveChoice choice;
  choice.algorithm = choice_named(options.algorithm, Algorithm::torus, "--algorithm");
  choice.protocol = choice_named(options.protocol, Protocol::ll128, "--protocol");
  choice.channels = static_cast<int>(options.channels);
  if (!options.measured.empty()) {
    take_log(choice, parse_nccl_tests_log(read_input(options.measured), options.measured));
  }
  return choice;
}

/// What does not go together.
void check_options(const Options& options, TestKind kind) {
  if (!options.ranks_list.empty() && (options.ranks > 0 || options.gpus_per_node > 0)) {
    throw wrong("--ranks-list", "does not go with --ranks or --gpus-per-node", "the list names all GPUs");
  }
  const bool is_pinned = !options.algorithm.empty() || !options.protocol.empty() || options.channels > 0 ||
                         !options.measured.empty();
  if (kind == TestKind::send && is_pinned) {
    throw wrong("send", "takes no --algorithm, --protocol, --channels or --measured");
  }
  if (!options.matrix.empty() && options.fidelity == "message") {
    throw wrong("--fidelity", "message does not go with --matrix");
  }
  if (!options.matrix.empty() && (kind != TestKind::all_to_all || !options.split.empty())) {
    throw wrong("--matrix", kind != TestKind::all_to_all ? "is for all-to-all" : "does not go with --split");
  }
}

void check_matrix(const std::vector<Bytes>& matrix, std::size_t ranks) {
  for (std::size_t cell = 0; cell < matrix.size(); ++cell) {
    if (cell / ranks != cell % ranks && matrix[cell] > Bytes(0)) {
      return;
    }
  }
  throw wrong("--matrix", "no rank sends anything to another", "row i is what rank i sends to each rank");
}

/// The operation without its size.
Operation operation_of(const Options& options, TestKind kind, const std::vector<std::size_t>& gpus) {
  Operation operation{.kind = kind};
  operation.groups = options.split.empty() ? std::vector<std::vector<std::size_t>>{gpus}
                                           : split_ranks(gpus, options.split, "--split");
  for (const std::vector<std::size_t>& group : operation.groups) {
    if (group.size() < 2) {
      throw wrong(!options.split.empty()       ? "--split"
                  : options.ranks_list.empty() ? "--ranks"
                                               : "--ranks-list",
                  "a group of one GPU has nobody to talk to", "at least 2 ranks");
    }
  }
  if (!options.matrix.empty()) {
    operation.matrix = parse_matrix(read_input(options.matrix), options.matrix, gpus.size());
    check_matrix(operation.matrix, gpus.size());
  }
  operation.choice = choice_of(options);
  return operation;
}

/// Nodes that some GPUs are on, as a cluster counts them.
std::size_t nodes_of(const std::vector<std::size_t>& gpus, const Topology& topology) {
  std::set<std::size_t> nodes;
  for (const std::size_t gpu : gpus) {
    nodes.insert(topology.dimensions().empty() ? topology.gpus()[gpu].node : gpu);
  }
  return nodes.size();
}

/// The most that a rank holds for all: what the size of an uneven all-to-all is.
Bytes largest_row(const std::vector<Bytes>& matrix, std::size_t ranks) {
  Bytes most;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    Bytes sum;
    for (std::size_t to = 0; to < ranks; ++to) {
      sum += matrix[rank * ranks + to];
    }
    most = std::max(most, sum);
  }
  return most;
}

std::vector<Bytes> sizes_of(const Options& options, const Operation& operation, Context& context) {
  const std::size_t ranks = operation.groups.front().size();
  if (!operation.matrix.empty()) {
    return {largest_row(operation.matrix, ranks)};
  }
  std::vector<Bytes> sizes;
  bool is_short = false;
  for (const Bytes size : parse_sizes(options.sizes, "--sizes")) {
    const Bytes tested = tested_size(operation.kind, ranks, size);
    is_short = is_short || tested == Bytes(0);
    if (tested > Bytes(0) && (sizes.empty() || sizes.back() < tested)) {
      sizes.push_back(tested);
    }
  }
  if (sizes.empty()) {
    throw wrong("--sizes", fmt::format("no size holds an element of {} bytes for each rank", kElementBytes));
  }
  if (is_short) {
    context.log->info("sizes that do not hold an element of {} bytes for each of {} ranks are left out",
                      kElementBytes, ranks);
  }
  return sizes;
}

std::vector<Operation> background_of(const Options& options, const Topology& topology) {
  std::vector<Operation> background;
  for (const std::string& text : options.background) {
    background.push_back(parse_operation(text, topology.gpu_count(), "--background"));
  }
  return background;
}

/// Runs `operation` with each size, alone and beside the background.
std::vector<CollectiveRow> simulate_rows(CollectiveRunner& runner, Operation operation,
                                         const std::vector<Bytes>& sizes,
                                         const std::vector<Operation>& background,
                                         const SimulationOptions& simulation) {
  std::vector<CollectiveRow> rows;
  for (const Bytes size : sizes) {
    operation.payload = size;
    OperationResult alone = runner.run(operation, {}, simulation);
    CollectiveRow row{size, alone.time, std::move(alone.plan), std::nullopt};
    if (!background.empty()) {
      row.alone = row.time;
      row.time = runner.run(operation, background, simulation).time;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

ExitCode run(const Options& options, Context& context) {
  const TestType& type = find_test_type(options.kind);
  check_options(options, type.kind);
  const Cluster cluster = load_cluster(options.cluster, options.overrides, options.nodes);
  const Machine machine = build_machine(cluster);
  for (const std::vector<std::string>& warnings : {machine.warnings, fabric_warnings(cluster)}) {
    for (const std::string& warning : warnings) {
      context.log->warn(warning);
    }
  }
  Operation operation = operation_of(options, type.kind, ranks_of(options, machine.topology));
  const std::vector<Operation> background = background_of(options, machine.topology);
  const std::size_t nodes = nodes_of(operation.groups.front(), machine.topology);
  const std::string mismatch = measured_mismatch(operation.choice, operation.groups.front().size(), nodes);
  if (!mismatch.empty()) {
    context.log->warn(options.measured + ": --measured: " + mismatch);
  }
  CollectiveReport report{.kind = type.kind,
                          .cluster = cluster_text(cluster, machine.topology),
                          .place = cluster_text(cluster, nodes),
                          .ranks = operation.groups.front().size(),
                          .groups = operation.groups.size(),
                          .background = options.background};
  const std::vector<Bytes> sizes = sizes_of(options, operation, context);
  if (type.kind == TestKind::send) {
    operation.sends = send_to_next(operation.groups);
    operation.groups.clear();
  }
  CollectiveRunner runner(machine.topology, nccl_options(machine.node),
                          options.fidelity == "message" ? Fidelity::message : Fidelity::fluid);
  {
    Progress progress(context.err, context.err_is_terminal && !context.quiet, std::string(type.name));
    report.rows = simulate_rows(runner, std::move(operation), sizes, background, progress.options());
  }
  context.out << print_collective(report, options.format);
  return ExitCode::done;
}

}  // namespace

void add_collective(CLI::App& app, Context& context) {
  const Command<Options> command(
      app, context, "collective", "Simulate what nccl-tests measures: times and bandwidths by size",
      "makespan collective all-reduce --cluster dgx-h100 --nodes 2 --sizes 1MiB:8GiB:x2", run);
  Options& options = *command.options;
  CLI::App& sub = *command.app;
  constexpr std::int64_t kMostGpus = 1 << 20;
  sub.add_option("KIND", options.kind,
                 "all-reduce, all-gather, reduce-scatter, all-to-all, broadcast, reduce or send (every rank "
                 "to the next); names of nccl-tests will do")
      ->required();
  add_text(sub, "--cluster", options.cluster, "Cluster or node of the library, or a YAML file")
      ->type_name("NAME|FILE")
      ->required();
  add_overrides(sub, options.overrides);
  add_count(sub, "--nodes", options.nodes, 1, kMostGpus, "First nodes of the cluster (all of them)");
  add_count(sub, "--gpus-per-node", options.gpus_per_node, 1, kMostGpus, "First GPUs of each node (all)");
  add_count(sub, "--ranks", options.ranks, 1, kMostGpus, "Ranks (all of these GPUs)");
  add_text(sub, "--ranks-list", options.ranks_list, "GPUs in the order of ranks, such as 0,8,16-23 or 0-56/8")
      ->type_name("LIST");
  add_text(sub, "--split", options.split, "Groups that run at once, such as 'mod 8', as NCCL_TESTS_SPLIT")
      ->type_name("MOD N|DIV N");
  sub.add_option("--sizes", options.sizes, "Sizes: one, a list, FROM:TO:xFACTOR or FROM:TO:+STEP")
      ->type_name("SIZES")
      ->capture_default_str();
  add_text(sub, "--algorithm", options.algorithm, "Algorithm (the cheapest)")->type_name("NAME");
  add_text(sub, "--protocol", options.protocol, "Protocol: simple, ll or ll128 (the cheapest)")
      ->type_name("NAME");
  add_count(sub, "--channels", options.channels, 1, 64, "Channels, an SM each (NCCL's number)");
  add_text(sub, "--measured", options.measured, "Log of nccl-tests whose times to take")->type_name("LOG");
  add_text(sub, "--matrix", options.matrix, "All-to-all: CSV file of the bytes from each rank to each")
      ->type_name("FILE");
  sub.add_option("--background", options.background,
                 "Traffic beside it, over and over: send:8GiB:0->9 or all-reduce:1GiB:0,8,16; repeatable")
      ->type_name("KIND:SIZE:GPUS")
      ->allow_extra_args(false);
  add_choice(sub, "--fidelity", options.fidelity, {"fluid", "message"},
             "A collective as one transfer, or as the messages that it consists of");
  add_choice(sub, "--format", options.format, {"text", "json", "csv"}, "How the table is printed");
}

}  // namespace makespan
