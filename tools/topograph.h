#pragma once

#include <string>
#include <string_view>

#include "network/import.h"

namespace makespan {

/// Switches and hosts from a model of NVIDIA's topograph, in YAML: `switches` (by name, each with the
/// `switches` below it) and `blocks` (a list: `switch`, `nodes` as host lists, and where one of the
/// `annotations` ends in
/// "/domain" the NVLink domain that they share); see tree_graph(). Other keys are not used. Throws
/// InputError.
[[nodiscard]] GraphSpec import_topograph(std::string_view text, const std::string& file);

}  // namespace makespan
