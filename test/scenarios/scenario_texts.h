#pragma once

#include <string>
#include <vector>

#include "scenarios/reader.h"
#include "scenarios/resolve.h"

namespace makespan {

/// A small scenario that is valid as it stands.
inline const std::string kSmallScenario = R"(schema: makespan.scenario/1
name: small
model:
  architecture: gpt
  layers: 24
  hidden: 1024
  heads: 16
  vocabulary: 51200
  sequence: 1024
training:
  global_batch: 32
  micro_batch: 2
cluster:
  node: dgx-a100-80gb
  nodes: 1
parallelism:
  tensor: 2
  pipeline: 2
schedule: 1f1b
)";

/// kSmallScenario with overrides, read and resolved.
inline Scenario small_scenario(const std::vector<std::string>& overrides = {},
                               std::vector<std::string>* warnings = nullptr) {
  Scenario scenario = parse_scenario(kSmallScenario, "small.yaml", overrides);
  std::vector<std::string> unread;
  resolve(scenario, warnings == nullptr ? unread : *warnings);
  return scenario;
}

/// What reading and resolving kSmallScenario with overrides complains about.
inline std::string small_error(const std::vector<std::string>& overrides) {
  try {
    const Scenario scenario = small_scenario(overrides);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace makespan
