#pragma once

#include <vector>

#include "core/units.h"

namespace makespan {

/// From `at` on, the transfer `task` progresses at `rate`, until its next entry or its end.
struct RateChange {
  Time at;
  TaskId task;
  Rate rate;
};

/// What happened: when each task ran, indexed by TaskId. The makespan is the latest end.
struct Timeline {
  std::vector<Time> begin;
  std::vector<Time> end;
  Time makespan;
  /// The largest load that each resource carried, summed over transfers of floor(rate * weight / 1024), indexed by
  /// ResourceId.
  std::vector<Rate> peak_load;
  /// Every change of a transfer's rate in order of time; empty unless asked for.
  std::vector<RateChange> rates;
  /// Events that the queue delivered, for measuring the engine.
  std::size_t events = 0;
};

}  // namespace makespan
