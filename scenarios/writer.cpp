#include "scenarios/writer.h"

#include "scenarios/keys.h"
#include "scenarios/value_text.h"

namespace makespan {

namespace {

void append_yaml(std::string& text, const Field& section, const std::string& indent);

/// A list: each item's first key behind a dash, the others below it.
void append_items(std::string& text, const Field& list, const SectionsRef& items, const std::string& indent) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    Field item = list;
    item.fields = items.keys(i);
    std::string inner;
    append_yaml(inner, item, indent + "  ");
    inner[indent.size()] = '-';
    text += inner;
  }
}

void append_yaml(std::string& text, const Field& section, const std::string& indent) {
  for (const Field& field : section.fields) {
    std::string inner;
    if (const auto* items = std::get_if<SectionsRef>(&field.value)) {
      append_items(inner, field, *items, indent + "  ");
    } else if (std::holds_alternative<SectionRef>(field.value)) {
      append_yaml(inner, field, indent + "  ");
    } else if (const auto value = value_text(field)) {
      text.append(indent).append(field.name).append(": ").append(*value).append("\n");
    }
    if (!inner.empty()) {
      text.append(indent).append(field.name).append(":\n").append(inner);
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
