#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/compare_report.h"
#include "tools/table.h"

namespace makespan {

/// "bandwidth_tp": the cause as formats for programs name it.
[[nodiscard]] std::string what_if_key(const WhatIf& entry);

/// The iteration of the row as it is and with each cause made free, rounded for people. `names_row` puts the
/// row's name in the corner. Requires a report.
[[nodiscard]] Table what_if_table(const CompareRow& row, bool names_row);

/// The same, exact. Requires a report.
[[nodiscard]] nlohmann::ordered_json what_if_json(const CompareRow& row);

/// Where the rows differ from the first that ran, cause by cause (scenarios/account.h), as means over ranks,
/// rounded for people. The causes that all rows are without are left out. Empty with fewer than two rows that
/// ran.
[[nodiscard]] Table difference_table(const std::vector<CompareRow>& rows);

/// The same, exact and with all causes: an entry for each row that ran behind the first.
[[nodiscard]] nlohmann::ordered_json differences_json(const std::vector<CompareRow>& rows);

}  // namespace makespan
