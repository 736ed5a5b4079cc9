#pragma once

#include <string>
#include <vector>

#include "scenarios/report.h"

namespace makespan {

/// What an iteration is spent on.
struct AccountItem {
  std::string cause;
  Time time;
};

/// Where the iteration goes, as a mean over ranks: `compute` without its slow-down, `compute_slowdown`, for
/// each group `exposed_<group>` (as long as the transfers take alone) and `contention_<group>` (the rest of
/// what is exposed), and `bubble_<cause>`. Every report has the same causes in the same order.
///
/// The items sum to the iteration time exactly, whatever the number of ranks: item k is how far the mean over
/// ranks of the first k items, rounded down to a picosecond, moves on, so that it is less than a picosecond
/// from its own mean. Hence two reports differ by exactly the sum of what their items differ by.
[[nodiscard]] std::vector<AccountItem> account(const Report& report);

}  // namespace makespan
