#pragma once

#include <string>

#include "scenarios/scenario.h"

namespace makespan {

/// The scenario as YAML that reads back to the same scenario. Of a resolved one, every value is written,
/// derived ones included; keys without a value (such as an empty description) are left out.
[[nodiscard]] std::string scenario_yaml(const Scenario& scenario);

}  // namespace makespan
