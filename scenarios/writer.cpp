#include "scenarios/writer.h"

#include "scenarios/keys.h"
#include "scenarios/value_text.h"

namespace makespan {

namespace {

std::string yaml_of(const Field& section, const std::string& indent) {
  std::string text;
  for (const Field& field : section.fields) {
    if (std::holds_alternative<SectionRef>(field.value)) {
      const std::string inner = yaml_of(field, indent + "  ");
      text += inner.empty() ? "" : indent + field.name + ":\n" + inner;
    } else if (const auto value = value_text(field)) {
      text += indent + field.name + ": " + *value + "\n";
    }
  }
  return text;
}

}  // namespace

std::string scenario_yaml(const Scenario& scenario) {
  Scenario copy = scenario;
  Profile profile = scenario.profile.value_or(Profile{});
  Field keys = scenario_keys(copy, profile);
  const std::string absent = scenario.profile ? "model" : "workload";
  std::erase_if(keys.fields, [&](const Field& field) { return field.name == absent; });
  return yaml_of(keys, "");
}

}  // namespace makespan
