#pragma once

#include <string>
#include <vector>

#include "scenarios/run.h"
#include "tools/commands/command.h"

namespace makespan {

/// Adds --set, which may be given any number of times.
void add_overrides(CLI::App& app, std::vector<std::string>& overrides);

/// Resolves and prepares a scenario that was read; throws as these do.
[[nodiscard]] Prepared prepare_scenario(Scenario scenario);

/// Reads, overrides, resolves and prepares a scenario; throws as these do.
[[nodiscard]] Prepared load_scenario(const std::string& path_or_name,
                                     const std::vector<std::string>& overrides);

/// Simulates with a progress line on a terminal.
[[nodiscard]] Run simulate_scenario(Prepared prepared, bool record_rates, Context& context);

}  // namespace makespan
