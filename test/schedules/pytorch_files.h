#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedules/schedule.h"

namespace makespan::test {

/// A schedule from its ranks' lists in PyTorch's tokens.
[[nodiscard]] Schedule schedule_from_lists(const std::vector<std::string>& lines);

/// A list of actions such as "0F0,1SEND_F2".
[[nodiscard]] std::vector<Action> parse_actions(const std::string& line);

/// A reference file, such as "generated/zbv_p2_m4.compute.csv", or nothing when the reference data is not beside
/// the repository.
[[nodiscard]] std::optional<std::string> read_reference_file(const std::string& name);

}  // namespace makespan::test
