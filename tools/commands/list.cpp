#include <algorithm>
#include <fmt/format.h>

#include "devices/accelerator.h"
#include "network/fabrics.h"
#include "scenarios/library.h"
#include "schedules/catalogue.h"
#include "tools/commands/command.h"

namespace makespan {

namespace {

struct Options {
  std::string what;
};

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
      result.push_back({node.name, fmt::format("{} x {}, {} NICs of {:.1f} GB/s", node.gpus, node.accelerator,
                                               node.nics, node.nic / 1e9)});
    }
    return result;
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
             {"scenarios", "models", "clusters", "nodes", "accelerators", "schedules"}, "What to list")
      ->required();
}

}  // namespace makespan
