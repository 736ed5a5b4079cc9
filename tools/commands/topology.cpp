#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <sstream>

#include "core/error.h"
#include "core/text.h"
#include "network/outline.h"
#include "tools/commands/command.h"
#include "tools/commands/scenario_options.h"
#include "tools/input_text.h"
#include "tools/machine_options.h"
#include "tools/topology_dump.h"
#include "tools/topology_report.h"
#include "tools/topology_svg.h"

namespace makespan {

namespace {

struct Options {
  std::string name;
  std::vector<std::string> overrides;
  std::string kind = "auto";
  std::string node;
  std::int64_t nodes = 0;
  std::int64_t most = 150;
  std::string format = "text";
};

constexpr const char* kYaml = "yaml";

struct Named {
  std::string title;
  DescribedMachine described;
};

/// The format of a dump that was asked for, or that the text looks like; none: it is YAML.
std::optional<DumpKind> kind_of(const Options& options, std::string_view text) {
  if (options.kind == "auto") {
    return recognise_dump(text);
  }
  for (const DumpKind kind : dump_kinds()) {
    if (to_string(kind) == options.kind) {
      return kind;
    }
  }
  return std::nullopt;
}

bool is_file(const std::string& name) {
  std::error_code error;
  return name == "-" || std::filesystem::is_regular_file(name, error);
}

std::vector<std::string> with_nodes(const Options& options) {
  std::vector<std::string> overrides = options.overrides;
  if (options.nodes > 0) {
    overrides.push_back("cluster.nodes=" + std::to_string(options.nodes));
  }
  return overrides;
}

Named cluster_named(const Cluster& cluster) {
  Machine machine = build_machine(cluster);
  const std::vector<std::string> vain = fabric_warnings(cluster);
  machine.warnings.insert(machine.warnings.end(), vain.begin(), vain.end());
  const std::string& fabric = has_given_fabric(cluster.topology) ? "fabric as given" : cluster.fabric.kind;
  return {fmt::format("{}, {}", cluster_text(cluster, machine.topology), fabric),
          {.machine = std::move(machine)}};
}

Named load(const Options& options) {
  if (!is_file(options.name)) {
    if (options.kind != "auto" || !options.node.empty()) {
      throw InputError({}, options.kind != "auto" ? "--kind" : "--node",
                       "is for files, and '" + options.name + "' is not one");
    }
    return cluster_named(load_cluster(options.name, with_nodes(options)));
  }
  const std::string text = read_input(options.name);
  const std::string name = options.name == "-" ? "standard input" : options.name;
  const std::optional<DumpKind> kind = kind_of(options, text);
  if (!kind) {
    if (!options.node.empty()) {
      throw InputError({name, 0, 0}, "--node", "is for dumps of other tools: YAML names its node itself");
    }
    return cluster_named(parse_cluster(text, name, with_nodes(options)));
  }
  const std::string title =
      fmt::format("{} ({}){}", std::filesystem::path(name).filename().string(), to_string(*kind),
                  options.node.empty() ? "" : " with nodes of " + options.node);
  return {title, read_dump(text, name, *kind, {options.node, with_nodes(options)})};
}

std::string print(const Named& named, const Options& options) {
  if (options.format == "json") {
    return topology_json(named.described, named.title);
  }
  if (options.format == "svg") {
    return topology_svg(named.described, named.title);
  }
  if (options.format == "dot") {
    std::ostringstream dot;
    write_dot(dot, outline(named.described.machine.topology, static_cast<std::size_t>(options.most)));
    return dot.str();
  }
  return topology_text(named.described, named.title);
}

ExitCode run(const Options& options, Context& context) {
  const Named named = load(options);
  for (const std::string& warning : named.described.machine.warnings) {
    context.log->warn(warning);
  }
  context.out << print(named, options);
  return ExitCode::done;
}

}  // namespace

void add_topology(CLI::App& app, Context& context) {
  const Command<Options> command(app, context, "topology", "Describe or draw the network of a cluster",
                                 "makespan topology dgx-h100 --nodes 64 --format svg > superpod.svg", run);
  Options& options = *command.options;
  CLI::App& sub = *command.app;
  sub.add_option("NAME", options.name,
                 "Cluster, node or scenario of the library; or a file: YAML, or what NCCL, nvidia-smi, "
                 "ibnetdiscover or Slurm wrote; - reads standard input")
      ->required();
  add_overrides(sub, options.overrides);
  std::vector<std::string> kinds = {"auto", kYaml};
  for (const DumpKind kind : dump_kinds()) {
    kinds.emplace_back(to_string(kind));
  }
  add_choice(sub, "--kind", options.kind, kinds, "What a file is");
  add_text(sub, "--node", options.node, "Node of the catalogue that a dump is about, or that its hosts are")
      ->type_name("NAME");
  add_count(sub, "--nodes", options.nodes, 1, 1 << 20, "Nodes of the cluster");
  add_count(sub, "--most", options.most, 1, 1'000'000,
            "dot: vertices at most; what is alike is put together");
  add_choice(sub, "--format", options.format, {"text", "json", "dot", "svg"}, "How it is printed");
}

}  // namespace makespan
