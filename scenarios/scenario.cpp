#include "scenarios/scenario.h"

namespace makespan {

SourceLocation find_location(const Locations& locations, const std::string& key) {
  std::string path = key;
  auto given = locations.find(path);
  while (given == locations.end() && !path.empty()) {
    path.resize(path.find('.') == std::string::npos ? 0 : path.rfind('.'));
    given = locations.find(path);
  }
  return given == locations.end() ? SourceLocation{} : given->second;
}

InputError scenario_error(const Scenario& scenario, const std::string& key, const std::string& what,
                          const std::string& hint) {
  return {find_location(scenario.locations, key), key, what, hint};
}

}  // namespace makespan
