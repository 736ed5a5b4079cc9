#pragma once

#include <cstdint>

#include "schedules/schedule.h"

namespace makespan::test {

/// What the actions of a chunk and a hop between ranks take, in whole units.
struct ListCosts {
  std::int64_t forward = 1;
  std::int64_t backward = 2;
  std::int64_t backward_input = 1;
  std::int64_t backward_weight = 1;
  std::int64_t hop = 0;
};

/// The makespan of the compute actions of `schedule` with independent messages, by recursion over what each
/// action waits for: slow, and sharing nothing with the library but the lists.
[[nodiscard]] std::int64_t list_makespan(const Schedule& schedule, const ListCosts& costs);

}  // namespace makespan::test
