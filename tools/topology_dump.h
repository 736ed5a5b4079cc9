#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/machine.h"

namespace makespan {

/// Formats in which tools write topologies down.
enum class DumpKind : std::uint8_t { nccl_xml, nvidia_smi, ibnetdiscover, slurm, topograph, astra_sim };

[[nodiscard]] std::string_view to_string(DumpKind kind);  ///< "nccl-xml", ...
[[nodiscard]] const std::vector<DumpKind>& dump_kinds();

/// The format of a text by what is in it; nothing for others, such as YAML of a cluster.
[[nodiscard]] std::optional<DumpKind> recognise_dump(std::string_view text);

struct DumpOptions {
  std::string node;                    ///< of the catalogue; empty: not said
  std::vector<std::string> overrides;  ///< "cluster.nodes=4", ...; they need a node
};

/// A machine, and what is known of it.
struct DescribedMachine {
  Machine machine = {};
  bool has_gpus = true;   ///< else each GPU stands for a host of which nothing else is known
  bool has_rates = true;  ///< else bandwidths mean nothing
};

/// The machine that a dump describes. Without `node` the inside of a node stands alone, and a fabric has
/// hosts that nothing is known of; with it, there are as many such nodes as the overrides or the fabric say.
/// Throws InputError.
[[nodiscard]] DescribedMachine read_dump(std::string_view text, const std::string& file, DumpKind kind,
                                         const DumpOptions& options);

}  // namespace makespan
