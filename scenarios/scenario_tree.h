#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "scenarios/keys.h"
#include "scenarios/yaml.h"

namespace makespan {

/// A scenario's YAML with overrides applied, and words that stand for mappings (`schedule: 1f1b`, library
/// names) replaced by these mappings.
struct ScenarioTree {
  YamlDocument document;
  std::uint32_t root = 0;
};

/// Throws InputError for text that is not acceptable YAML, for unknown library names and for malformed
/// overrides; adds other faults to `problems`. `keys` is the table, for its structure only.
[[nodiscard]] ScenarioTree build_scenario_tree(std::string_view text, const std::string& source,
                                               std::span<const std::string> overrides, const Field& keys,
                                               Problems& problems);

/// The same for the text of a cluster's mapping: a tree with the section `cluster` alone. Overrides name its
/// keys as those of a scenario do ("cluster.nodes=4").
[[nodiscard]] ScenarioTree build_cluster_tree(std::string_view text, const std::string& source,
                                              std::span<const std::string> overrides, const Field& keys,
                                              Problems& problems);

}  // namespace makespan
