#include "scenarios/writer.h"

#include "scenarios/keys.h"
#include "scenarios/value_text.h"

namespace makespan {

namespace {

void append_yaml(std::string& text, const Field& section, const std::string& indent) {
  for (const Field& field : section.fields) {
    if (std::holds_alternative<SectionRef>(field.value)) {
      std::string inner;
      append_yaml(inner, field, indent + "  ");
      if (!inner.empty()) {
        text.append(indent).append(field.name).append(":\n").append(inner);
      }
    } else if (const auto value = value_text(field)) {
      text.append(indent).append(field.name).append(": ").append(*value).append("\n");
    }
  }
}

}  // namespace

std::string scenario_yaml(const Scenario& scenario) {
  Scenario copy = scenario;
  Profile profile = scenario.profile.value_or(Profile{});
  Field keys = scenario_keys(copy, profile);
  const std::string absent = scenario.profile ? "model" : "workload";
  std::erase_if(keys.fields, [&](const Field& field) { return field.name == absent; });
  std::string text;
  append_yaml(text, keys, "");
  return text;
}

}  // namespace makespan
