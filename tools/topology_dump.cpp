#include "tools/topology_dump.h"

#include <array>
#include <filesystem>
#include <map>
#include <utility>

#include "core/error.h"
#include "network/import.h"
#include "tools/topograph.h"

namespace makespan {

namespace {

/// What tells a format, and the key under which a cluster names such a file.
struct Format {
  DumpKind kind;
  std::string_view name;
  std::array<std::string_view, 3> words;  ///< any of them; the empty ones count for nothing
  std::string_view key;
};

constexpr std::array<Format, 6> kFormats = {{
    {DumpKind::nccl_xml, "nccl-xml", {"<system", "", ""}, "nccl_xml"},
    {DumpKind::nvidia_smi, "nvidia-smi", {"NIC Legend:", "", ""}, "nvidia_smi"},
    {DumpKind::ibnetdiscover,
     "ibnetdiscover",
     {"switchguid=", "caguid=", "# Topology file:"},
     "ibnetdiscover"},
    {DumpKind::slurm, "slurm", {"SwitchName=", "BlockName=", ""}, "slurm"},
    {DumpKind::topograph, "topograph", {"\nblocks:", "", ""}, ""},
    {DumpKind::astra_sim, "astra-sim", {"npus_count", "", ""}, ""},
}};

const Format& format_of(DumpKind kind) {
  return kFormats[static_cast<std::size_t>(kind)];
}

/// Whether a line of the text begins with the cell "GPU0", as the rows of nvidia-smi's matrix do: YAML may
/// have a vertex of this name.
bool has_matrix_row(std::string_view text) {
  constexpr std::string_view kCell = "GPU0";
  for (std::size_t at = text.find(kCell); at != std::string_view::npos; at = text.find(kCell, at + 1)) {
    const std::string_view before = text.substr(0, at).substr(text.substr(0, at).rfind('\n') + 1);
    const char after = at + kCell.size() < text.size() ? text[at + kCell.size()] : '\n';
    // The first line is underlined on terminals.
    const bool is_first = before.find_first_not_of(" \t\x1B[4m") == std::string_view::npos;
    if (is_first && (after == ' ' || after == '\t')) {
      return true;
    }
  }
  return false;
}

bool is_inside(DumpKind kind) {
  return kind == DumpKind::nccl_xml || kind == DumpKind::nvidia_smi || kind == DumpKind::astra_sim;
}

GraphSpec import(std::string_view text, const std::string& file, DumpKind kind) {
  switch (kind) {
    case DumpKind::nccl_xml:
      return import_nccl_xml(text, file);
    case DumpKind::nvidia_smi:
      return import_nvidia_smi(text, file);
    case DumpKind::ibnetdiscover:
      return import_ibnetdiscover(text, file);
    case DumpKind::slurm:
      return import_slurm(text, file);
    case DumpKind::topograph:
      return import_topograph(text, file);
    case DumpKind::astra_sim:
      break;
  }
  return import_astra_sim(text, file);
}

std::string base_name(const std::string& file) {
  return std::filesystem::path(file).filename().string();
}

/// A node by itself, as its dump has it.
Machine single_node(const GraphSpec& graph, const std::string& file) {
  Machine machine;
  machine.node.name = base_name(file);
  machine.warnings = graph.warnings;
  machine.topology = build_graph(graph, {});
  return machine;
}

/// A fabric in which every host is one GPU behind the host's NICs.
class HostGraph {
 public:
  explicit HostGraph(const GraphSpec& fabric) : fabric_(fabric), moved_(fabric.vertices.size()) {
    find_domains();
    for (std::size_t v = 0; v < fabric.vertices.size(); ++v) {
      add_vertex(v);
    }
    for (const GraphLink& link : fabric.links) {
      add_link(link);
    }
    graph_.warnings = fabric.warnings;
  }

  [[nodiscard]] const GraphSpec& graph() const { return graph_; }

  [[nodiscard]] bool has_rates() const { return has_rates_; }

 private:
  static constexpr double kSome = 1e9;  ///< bytes per second, where nothing says how many

  void find_domains() {
    for (const GraphLink& link : fabric_.links) {
      const bool is_domain = fabric_.vertices[link.a].kind == VertexKind::nvswitch;
      if (link.kind == LinkKind::nvlink && is_domain) {
        domain_of_[link.b] = fabric_.vertices[link.a].name;
      }
    }
  }

  std::size_t add(const std::string& name, VertexKind kind, const std::string& node) {
    graph_.vertices.push_back({.name = name, .kind = kind, .node = node});
    return graph_.vertices.size() - 1;
  }

  void add_vertex(std::size_t v) {
    const GraphVertex& vertex = fabric_.vertices[v];
    if (vertex.kind == VertexKind::host) {
      const auto domain = domain_of_.find(v);
      moved_[v] =
          add(vertex.name, VertexKind::gpu, domain != domain_of_.end() ? domain->second : vertex.name);
      return;
    }
    moved_[v] = graph_.vertices.size();
    graph_.vertices.push_back(vertex);
    if (vertex.kind == VertexKind::nvswitch) {
      graph_.vertices.back().node = vertex.name;
    }
    if (vertex.kind == VertexKind::nic) {
      const auto [host, is_first] = host_of_.try_emplace(vertex.node);
      if (is_first) {
        host->second = add(vertex.node, VertexKind::gpu, vertex.node);
      }
    }
  }

  void join(std::size_t a, std::size_t b, LinkKind kind, const GraphLink& like) {
    has_rates_ = has_rates_ && like.bandwidth > 0;
    graph_.links.push_back({.a = a,
                            .b = b,
                            .kind = kind,
                            .bandwidth = like.bandwidth > 0 ? like.bandwidth : kSome,
                            .latency_s = like.latency_s,
                            .cables = like.cables});
  }

  /// A host and its NIC, by a link that carries what all cables of the NIC do.
  void join_host(std::size_t nic, const GraphLink& cable) {
    const auto [slot, is_first] = slot_of_.try_emplace(nic, graph_.links.size());
    if (is_first) {
      join(host_of_.at(graph_.vertices[nic].node), nic, LinkKind::pcie, cable);
    } else {
      graph_.links[slot->second].bandwidth += cable.bandwidth > 0 ? cable.bandwidth : kSome;
    }
  }

  void add_link(const GraphLink& link) {
    std::size_t a = moved_[link.a];
    std::size_t b = moved_[link.b];
    if (graph_.vertices[a].kind == VertexKind::fabric_switch) {
      std::swap(a, b);  // what is inside a node first
    }
    if (link.kind == LinkKind::nic && graph_.vertices[a].kind == VertexKind::gpu) {
      const std::size_t nic = add(graph_.vertices[a].name + " nic", VertexKind::nic, graph_.vertices[a].node);
      join(a, nic, LinkKind::pcie, link);
      a = nic;
    } else if (link.kind == LinkKind::nic) {
      join_host(a, link);
    }
    join(a, b, link.kind, link);
  }

  const GraphSpec& fabric_;
  GraphSpec graph_;
  std::vector<std::size_t> moved_;
  std::map<std::size_t, std::string> domain_of_;  ///< NVLink domains by host
  std::map<std::string, std::size_t> host_of_;    ///< of a NIC's node
  std::map<std::size_t, std::size_t> slot_of_;    ///< the link between a NIC and its host
  bool has_rates_ = true;
};

DescribedMachine hosts_alone(const GraphSpec& fabric, const std::string& file) {
  const HostGraph hosts(fabric);
  DescribedMachine described{.has_gpus = false, .has_rates = hosts.has_rates()};
  described.machine.node.name = base_name(file);
  described.machine.warnings = hosts.graph().warnings;
  described.machine.topology = build_graph(hosts.graph(), {});
  return described;
}

/// A YAML string.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    result += c == '\'' ? "''" : std::string(1, c);
  }
  return result + "'";
}

}  // namespace

std::string_view to_string(DumpKind kind) {
  return format_of(kind).name;
}

const std::vector<DumpKind>& dump_kinds() {
  static const std::vector<DumpKind> kinds = {DumpKind::nccl_xml,      DumpKind::nvidia_smi,
                                              DumpKind::ibnetdiscover, DumpKind::slurm,
                                              DumpKind::topograph,     DumpKind::astra_sim};
  return kinds;
}

std::optional<DumpKind> recognise_dump(std::string_view text) {
  if (has_matrix_row(text)) {
    return DumpKind::nvidia_smi;
  }
  for (const Format& format : kFormats) {
    for (const std::string_view word : format.words) {
      if (!word.empty() && text.find(word) != std::string_view::npos) {
        return format.kind;
      }
    }
  }
  return std::nullopt;
}

DescribedMachine read_dump(std::string_view text, const std::string& file, DumpKind kind,
                           const DumpOptions& options) {
  const Format& format = format_of(kind);
  if (options.node.empty() || format.key.empty()) {
    if (!options.overrides.empty() || !options.node.empty()) {
      throw InputError({file, 0, 0}, options.node.empty() ? "--set" : "--node",
                       "changes nothing: the topology is as " + std::string(format.name) + " has it",
                       format.key.empty() ? "" : "give --node as well to build a cluster of it");
    }
    const GraphSpec graph = import(text, file, kind);
    return is_inside(kind) ? DescribedMachine{.machine = single_node(graph, file)} : hosts_alone(graph, file);
  }
  const std::string cluster = "node: " + quoted(options.node) + "\ntopology: {" + std::string(format.key) +
                              ": " + quoted(base_name(file)) + "}\n";
  return {.machine = build_machine(parse_cluster(cluster, file, options.overrides))};
}

}  // namespace makespan
