#pragma once

#include <string>

namespace makespan {

/// JSON Schema (draft-07) of a scenario file, for editors: `# yaml-language-server: $schema=...`. It accepts
/// what the reader accepts, short forms included, and refuses unknown keys. It cannot tell the sizes that
/// must divide each other.
[[nodiscard]] std::string scenario_json_schema();

/// The reference page of the format, docs/reference/scenario.md.
[[nodiscard]] std::string scenario_reference_page();

}  // namespace makespan
