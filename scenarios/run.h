#pragma once

#include <string>
#include <vector>

#include "core/simulator.h"
#include "core/timeline.h"
#include "scenarios/lower.h"
#include "scenarios/prepared.h"
#include "scenarios/report.h"
#include "scenarios/scenario.h"

namespace makespan {

/// Generates and validates the schedule, builds the cluster and applies the
/// faults. Requires a resolved scenario.
[[nodiscard]] Prepared prepare(Scenario scenario, std::vector<std::string> warnings = {});

/// A finished run with all that traces and figures need.
struct Run {
  Prepared prepared;
  Lowered lowered;
  Timeline timeline;
  Report report;
};

/// Lowers, simulates and summarises.
[[nodiscard]] Run run(Prepared prepared, const SimulationOptions& options = {});

/// The reported iteration: from the end of the one before the last to the end of the last.
[[nodiscard]] Window last_iteration(const Lowered& lowered, const Timeline& timeline);

/// Pure: the report of a timeline.
[[nodiscard]] Report summarize(const Prepared& prepared, const Lowered& lowered, const Timeline& timeline);

}  // namespace makespan
