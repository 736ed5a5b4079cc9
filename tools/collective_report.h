#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tools/collective_run.h"

namespace makespan {

struct CollectiveRow {
  Bytes size;
  Time time;
  std::optional<CollectivePlan> plan;  ///< none for sends
  std::optional<Time> alone;           ///< the time without background, where there is one
};

/// Simulated times of one operation by size.
struct CollectiveReport {
  TestKind kind = TestKind::all_reduce;
  std::string cluster;    ///< in words
  std::string place;      ///< the nodes of it that a group is on
  std::size_t ranks = 0;  ///< of a group
  std::size_t groups = 1;
  std::vector<std::string> background = {};  ///< as it was asked for
  std::vector<CollectiveRow> rows = {};
};

/// `format` is "text" (the table of nccl-tests, out of place alone, with the algorithm chosen), "csv" or
/// "json" (makespan.collective/1).
[[nodiscard]] std::string print_collective(const CollectiveReport& report, const std::string& format);

}  // namespace makespan
