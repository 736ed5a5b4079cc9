#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace makespan {

/// The whole of a file, or of the standard input for "-"; throws InputError when it cannot be read, is not a
/// file or holds more than 256 MiB.
[[nodiscard]] std::string read_input(const std::string& path);

/// Parses JSON with its keys in order; throws InputError with line and column. `name` is what messages call
/// it.
[[nodiscard]] nlohmann::ordered_json parse_json(const std::string& text, const std::string& name);

}  // namespace makespan
