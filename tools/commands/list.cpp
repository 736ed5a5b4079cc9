#include <algorithm>
#include <fmt/format.h>

#include "devices/accelerator.h"
#include "network/collective.h"
#include "network/fabrics.h"
#include "scenarios/library.h"
#include "scenarios/machine.h"
#include "schedules/searches.h"
#include "tools/commands/command.h"

namespace makespan {

namespace {

struct Options {
  std::string what;
};

LibraryEntry described(const NodeSpec& node) {
  const std::string gpus = fmt::format("{} x {}", node.gpus, node.accelerator);
  if (node.nics == 0) {
    return {node.name, fmt::format("{}, links of {:.1f} GB/s", gpus, node.nvlink / 1e9)};
  }
  return {node.name,
          fmt::format("{}, {} NICs of {:.1f} GB/s on {}", gpus, node.nics, node.nic / 1e9, node.transport)};
}

/// With NCCL's factor from algorithm bandwidth to bus bandwidth, for n ranks.
std::vector<LibraryEntry> collectives() {
  const auto name = [](CollectiveKind kind) { return std::string(to_string(kind)); };
  return {{name(CollectiveKind::all_reduce), "every rank gets the sum; bus bandwidth 2 (n - 1) / n"},
          {name(CollectiveKind::all_gather), "every rank gets the shards of all; (n - 1) / n"},
          {name(CollectiveKind::reduce_scatter), "every rank gets its shard of the sum; (n - 1) / n"},
          {name(CollectiveKind::all_to_all), "every rank sends a part to every other; (n - 1) / n"},
          {name(CollectiveKind::broadcast), "every rank gets what the first has; 1"},
          {name(CollectiveKind::reduce), "the first rank gets the sum; 1"}};
}

std::vector<LibraryEntry> algorithms() {
  const auto name = [](Algorithm algorithm) { return std::string(to_string(algorithm)); };
  return {{name(Algorithm::ring), "from rank to rank, one ring per NIC of a node"},
          {name(Algorithm::tree), "double binary tree across nodes (all-reduce)"},
          {name(Algorithm::hierarchical), "within nodes, across nodes rail by rail, within nodes"},
          {name(Algorithm::nvls), "reductions inside NVSwitch"},
          {name(Algorithm::nvls_tree), "reductions inside NVSwitch and a tree across nodes"},
          {name(Algorithm::collnet), "reductions inside the switches of the fabric (SHARP)"},
          {name(Algorithm::pat), "parallel aggregated trees (all-gather, reduce-scatter)"},
          {name(Algorithm::direct), "every rank with every other"},
          {name(Algorithm::halving_doubling), "recursive halving and doubling"},
          {name(Algorithm::torus), "rings along the axes of a torus"}};
}

std::vector<LibraryEntry> entries(const std::string& what) {
  std::vector<LibraryEntry> result;
  if (what == "models") {
    return list_library(LibraryKind::models);
  }
  if (what == "clusters") {
    return list_library(LibraryKind::clusters);
  }
  if (what == "schedules") {
    for (const ScheduleKind& kind : schedule_kinds()) {
      result.push_back({std::string(kind.name), fmt::format("{} ({})", kind.summary, kind.source)});
    }
    for (const ScheduleSearch& search : schedule_searches()) {
      const ScheduleKind& kind = search.kind;
      result.push_back({std::string(kind.name), fmt::format("{} ({})", kind.summary, kind.source)});
    }
    return result;
  }
  if (what == "accelerators") {
    for (const Accelerator& accelerator : accelerators()) {
      result.push_back({accelerator.name, fmt::format("{:.0f} TFLOP/s bf16, {:.0f} GB, {:.2f} TB/s",
                                                      accelerator.matmul_flops / 1e12,
                                                      static_cast<double>(accelerator.memory.count()) / 1e9,
                                                      accelerator.memory_bandwidth / 1e12)});
    }
    return result;
  }
  if (what == "nodes") {
    for (const NodeSpec& node : node_specs()) {
      result.push_back(described(node));
    }
    return result;
  }
  if (what == "fabrics") {
    for (const FabricKind& kind : fabric_kinds()) {
      result.push_back({std::string(kind.name), std::string(kind.summary)});
    }
    return result;
  }
  if (what == "collectives") {
    return collectives();
  }
  if (what == "algorithms") {
    return algorithms();
  }
  return list_library(LibraryKind::scenarios);
}

ExitCode run(const Options& options, Context& context) {
  const std::vector<LibraryEntry> list = entries(options.what);
  std::size_t width = 0;
  for (const LibraryEntry& entry : list) {
    width = std::max(width, entry.name.size());
  }
  for (const LibraryEntry& entry : list) {
    context.out << fmt::format("{:<{}}  {}\n", entry.name, width, entry.description);
  }
  return ExitCode::done;
}

}  // namespace

void add_list(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "list", "List what is known by name",
                                 "makespan list scenarios", run);
  add_choice(*command.app, "WHAT", command.options->what,
             {"scenarios", "models", "clusters", "nodes", "accelerators", "fabrics", "collectives",
              "algorithms", "schedules"},
             "What to list")
      ->required();
}

}  // namespace makespan
