#include "scenarios/scenario.h"

namespace makespan {

SourceLocation scenario_location(const Scenario& scenario, const std::string& key) {
  std::string path = key;
  auto given = scenario.locations.find(path);
  while (given == scenario.locations.end() && !path.empty()) {
    path.resize(path.find('.') == std::string::npos ? 0 : path.rfind('.'));
    given = scenario.locations.find(path);
  }
  return given == scenario.locations.end() ? SourceLocation{} : given->second;
}

InputError scenario_error(const Scenario& scenario, const std::string& key, const std::string& what,
                          const std::string& hint) {
  return {scenario_location(scenario, key), key, what, hint};
}

}  // namespace makespan
