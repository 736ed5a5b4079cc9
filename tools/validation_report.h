#pragma once

#include <string>
#include <vector>

#include "tools/measurements.h"

namespace makespan {

/// Measurements that are told of together: those of a table, or of all scenarios.
struct Validation {
  std::string title;
  std::vector<Measurement> rows;
};

/// `format` is "text" (rows, families, what was assumed and what could not be predicted) or "json"
/// (makespan.validate/1).
[[nodiscard]] std::string print_validations(const std::vector<Validation>& validations,
                                            const std::string& format);

}  // namespace makespan
