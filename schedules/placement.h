#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "schedules/options.h"
#include "schedules/schedule.h"

namespace makespan {

/// Where the stages of a model are.
enum class Placement : std::uint8_t {
  loop,   ///< stage s on rank s mod p
  snake,  ///< forwards and backwards in turn, so that neighbours at a turn share a rank; a V with 2 chunks
  bidirectional,  ///< two replicas of one stage per rank: stage s on rank s, and on rank p - 1 - s
};

/// A schedule without actions.
[[nodiscard]] Schedule empty_schedule(std::string_view kind, const ScheduleOptions& options,
                                      Placement placement = Placement::loop);

/// Fills `exchanges` with -1 and every position.
void exchange_after_every_action(Schedule& schedule);

/// Adds an F and a B that overlap.
void push_pair(std::vector<Action>& actions, Action forward, const Action& backward);

}  // namespace makespan
