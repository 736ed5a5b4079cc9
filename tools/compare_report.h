#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scenarios/report.h"

namespace makespan {

/// A scenario or schedule that is compared.
struct CompareRow {
  std::string name;
  std::optional<Report> report;  ///< none where it cannot run
  std::string reason = {};       ///< why it cannot
};

/// Side by side, speed-ups over an iteration of `baseline` seconds. `format` is "text", "markdown" or "latex"
/// (booktabs), which are rounded for people, or "csv" or "json" (makespan.compare/1), which are exact.
[[nodiscard]] std::string print_comparison(const std::vector<CompareRow>& rows, double baseline,
                                           const std::string& format);

}  // namespace makespan
