#pragma once

#include <span>
#include <string>
#include <string_view>

#include "scenarios/scenario.h"

namespace makespan {

/// Reads a scenario: a YAML file, a name from the library, or standard input for "-". Each override
/// "key.path=value" replaces or adds one value, in order; the value is YAML ("8", "[1, 2]", "{kind: gpipe}").
///
/// The result holds what the file says and constant defaults; resolve() derives the rest. Throws one
/// InputError with all problems: unknown, missing, repeated or ill-typed keys, values out of range,
/// quantities without a unit.
[[nodiscard]] Scenario read_scenario(const std::string& path_or_name,
                                     std::span<const std::string> overrides = {});

/// The same for YAML text; messages call it `source`.
[[nodiscard]] Scenario parse_scenario(std::string_view text, const std::string& source,
                                      std::span<const std::string> overrides = {});

/// A cluster by itself: a name from the library, or a YAML file that holds the keys of `cluster`, at its
/// top or below that key, or a scenario. Overrides name keys as in a scenario: "cluster.nodes=4". Throws as
/// read_scenario() does.
[[nodiscard]] Cluster read_cluster(const std::string& path_or_name,
                                   std::span<const std::string> overrides = {});

/// The same for YAML text; messages call it `source`.
[[nodiscard]] Cluster parse_cluster(std::string_view text, const std::string& source,
                                    std::span<const std::string> overrides = {});

/// The text of a file that a scenario names at `key`. Throws InputError there.
[[nodiscard]] std::string read_named_file(const Locations& locations, const std::string& key,
                                          const FilePath& file);

}  // namespace makespan
