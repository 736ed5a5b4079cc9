#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scenarios/report.h"
#include "scenarios/what_if.h"

namespace makespan {

/// A scenario or schedule that is compared.
struct CompareRow {
  std::string name;
  std::optional<Report> report;      ///< none where it cannot run
  std::string reason = {};           ///< why it cannot
  std::vector<WhatIf> what_if = {};  ///< its runs with one cause made free, where they are asked for
  std::string series = {};           ///< the name without a number of micro-batches
  std::int64_t microbatches = 0;     ///< per iteration of a replica; 0 where it was not understood
  double work = 1;                   ///< of an iteration, over that of the baseline, for speed-ups
};

/// Side by side, speed-ups over an iteration of `baseline` seconds; then, where they are there, a table for
/// each row's `what_if`; then, with `differences`, where the rows differ from the first. `format` is "text",
/// "markdown" or "latex" (booktabs), which are rounded for people, or "csv" (one table, whose columns hold
/// all of it) or "json" (makespan.compare/1), which are exact.
[[nodiscard]] std::string print_comparison(const std::vector<CompareRow>& rows, double baseline,
                                           bool differences, const std::string& format);

}  // namespace makespan
