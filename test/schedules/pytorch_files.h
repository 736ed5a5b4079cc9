#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedules/schedule.h"

namespace makespan::test {

/// Reads a list of actions such as "0F0,1SEND_F2"; blanks and the steps that move weights (UNSHARD, RESHARD,
/// REDUCE_GRAD) are dropped. Fails the test on any other token.
[[nodiscard]] std::vector<Action> parse_actions(const std::string& line);

/// A schedule from its ranks' lists; stages and micro-batches are those that occur.
[[nodiscard]] Schedule schedule_from_lists(const std::vector<std::string>& lines);

/// A reference file of PyTorch's schedule generators, or nothing when the reference data is not beside the
/// repository.
[[nodiscard]] std::optional<Schedule> read_pytorch_file(const std::string& name);

}  // namespace makespan::test
