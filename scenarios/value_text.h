#pragma once

#include <optional>
#include <string>

#include "scenarios/keys.h"

namespace makespan {

/// A number in its shortest form that reads back to the same value.
[[nodiscard]] std::string real_text(double value);

/// The value of a field as a scenario file writes it; nothing when it has none or is a section or
/// unsupported.
[[nodiscard]] std::optional<std::string> value_text(const Field& field);

}  // namespace makespan
