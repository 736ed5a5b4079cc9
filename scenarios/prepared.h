#pragma once

#include <string>
#include <vector>

#include "devices/accelerator.h"
#include "scenarios/group_planner.h"
#include "scenarios/machine.h"
#include "scenarios/scenario.h"
#include "schedules/schedule.h"

namespace makespan {

/// A scenario made ready: everything that can be refused has been.
struct Prepared {
  Scenario scenario;
  Schedule schedule;
  Machine machine;  ///< with the scenario's faults
  const Accelerator* accelerator = nullptr;
  CollectiveChoices collectives;
  std::vector<std::string> warnings;
};

}  // namespace makespan
