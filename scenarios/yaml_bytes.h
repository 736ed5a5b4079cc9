#pragma once

#include <string>
#include <string_view>

#include "scenarios/problems.h"

namespace makespan {

/// Refuses what must not reach the YAML scanner: bytes that are not UTF-8, control characters, and more
/// brackets open at once than kMaxYamlDepth (the scanner would read all of them before we see the first).
/// Brackets are counted without regard to quotes and comments: no honest text has that many unbalanced ones.
void check_yaml_bytes(std::string_view text, const std::string& source, Problems& problems);

/// Whether UTF-8 text has a control character other than tab and line ends.
[[nodiscard]] bool has_control_characters(std::string_view text);

}  // namespace makespan
