#include "scenarios/schema.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "scenarios/keys.h"
#include "scenarios/value_text.h"

namespace makespan {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kNumber = "-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?";

Json quantity(const std::string& units) {
  return {{"type", "string"}, {"pattern", "^" + std::string(kNumber) + " *(" + units + ")$"}};
}

Json time_schema() {
  return quantity("ps|ns|us|ms|s|min|h");
}

Json list_of(Json items) {
  return {{"type", "array"}, {"items", std::move(items)}, {"minItems", 1}};
}

Json section_schema(const Field& section);

struct Type {
  const Field& field;

  Json operator()(const SectionRef& /*section*/) const {
    Json mapping = section_schema(field);
    if (field.short_key.empty() && field.library.empty()) {
      return mapping;
    }
    Json word = {{"type", "string"}};
    if (const Field* short_field = find_child(field, field.short_key)) {
      word = std::visit(Type{*short_field}, short_field->value);
    }
    return {{"oneOf", Json::array({std::move(word), std::move(mapping)})}};
  }

  Json operator()(const SectionsRef& /*sections*/) const {
    return {{"type", "array"}, {"items", section_schema(field)}};
  }

  Json operator()(const Unsupported& unsupported) const {
    if (unsupported.neutral == "{}" || unsupported.neutral == "[]") {
      return {{"const", Json::parse(unsupported.neutral)}};
    }
    if (unsupported.neutral.empty()) {
      return Json::object({{"not", Json::object()}});
    }
    const bool is_number = unsupported.neutral.find_first_not_of("0123456789") == std::string::npos;
    return {{"const", is_number ? Json::parse(unsupported.neutral) : Json(unsupported.neutral)}};
  }

  Json operator()(const std::int64_t* /*value*/) const {
    if (!field.unit.empty()) {
      return quantity("([kMGT] +)?" + field.unit);
    }
    Json type = {{"type", "integer"}, {"minimum", field.low}};
    if (field.high != std::numeric_limits<std::int64_t>::max()) {
      type["maximum"] = field.high;
    }
    return type;
  }

  Json operator()(const double* /*value*/) const {
    return {{"type", "number"}, {"minimum", field.real_low}, {"maximum", field.real_high}};
  }

  Json operator()(const bool* /*value*/) const { return {{"type", "boolean"}}; }

  template <class T>
  Json operator()(const std::optional<T>* /*value*/) const {
    return (*this)(static_cast<const T*>(nullptr));
  }

  Json operator()(const std::string* /*value*/) const {
    return field.names.empty() ? Json{{"type", "string"}, {"minLength", 1}} : Json{{"enum", field.names}};
  }

  Json operator()(const ChoiceRef& /*value*/) const { return {{"enum", field.names}}; }

  Json operator()(const ChoicesRef& /*value*/) const { return list_of({{"enum", field.names}}); }

  Json operator()(const Time* /*value*/) const { return time_schema(); }

  Json operator()(const Bytes* /*value*/) const { return quantity("[kMGT]?B|[KMGT]iB"); }

  Json operator()(const Rate* /*value*/) const { return quantity("([kMGT]|[KMGT]i)?[bB]/s"); }

  Json operator()(const FilePath* /*value*/) const { return {{"type", "string"}, {"minLength", 1}}; }

  Json operator()(const std::vector<std::string>* /*value*/) const {
    return list_of({{"type", "string"}, {"minLength", 1}});
  }

  Json operator()(const std::vector<Time>* /*value*/) const {
    return {{"oneOf", Json::array({time_schema(), list_of(time_schema())})}};
  }

  Json operator()(const std::vector<std::int64_t>* /*value*/) const {
    const Json list = list_of({{"type", "integer"}, {"minimum", field.low}, {"maximum", field.high}});
    if (!field.text_form) {
      return list;
    }
    return {{"oneOf", Json::array({list, {{"type", "string"}, {"pattern", field.text_pattern}}})}};
  }
};

/// What a person reads about the default: how it is derived, or the constant.
std::string default_text(const Field& field) {
  if (!field.default_text.empty() || field.required) {
    return field.default_text;
  }
  return value_text(field).value_or("");
}

Json section_schema(const Field& section) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const Field& field : section.fields) {
    Json type = std::visit(Type{field}, field.value);
    const std::string usual = default_text(field);
    type["description"] =
        field.doc + (std::holds_alternative<Unsupported>(field.value) ? " Not supported by this version."
                     : usual.empty()                                  ? ""
                                                                      : " Default: " + usual + ".");
    properties[field.name] = std::move(type);
    if (field.required) {
      required.push_back(field.name);
    }
  }
  Json schema = {{"type", "object"}, {"additionalProperties", false}};
  if (!required.empty()) {
    schema["required"] = std::move(required);
  }
  schema["properties"] = std::move(properties);
  return schema;
}

// ---- the reference page ----

struct TypeName {
  const Field& field;

  std::string operator()(const SectionRef& /*section*/) const {
    return !field.library.empty()     ? "mapping or name"
           : !field.short_key.empty() ? "mapping or word"
                                      : "mapping";
  }

  std::string operator()(const SectionsRef& /*sections*/) const { return "list of mappings"; }

  std::string operator()(const Unsupported& /*unsupported*/) const { return "not supported yet"; }

  std::string operator()(const std::int64_t* /*value*/) const {
    if (!field.unit.empty()) {
      return "number of " + field.unit + ", as in `40 M " + field.unit + "`";
    }
    if (!field.only.empty()) {
      return "only " + std::to_string(field.low) + " in this version";
    }
    return field.high == std::numeric_limits<std::int64_t>::max()
               ? "whole number from " + std::to_string(field.low)
               : "whole number, " + std::to_string(field.low) + " to " + std::to_string(field.high);
  }

  std::string operator()(const double* /*value*/) const {
    return "number, " + real_text(field.real_low) + " to " + real_text(field.real_high);
  }

  std::string operator()(const bool* /*value*/) const { return "true or false"; }

  template <class T>
  std::string operator()(const std::optional<T>* /*value*/) const {
    return (*this)(static_cast<const T*>(nullptr));
  }

  std::string operator()(const std::string* /*value*/) const {
    return field.names.empty() ? "text" : words();
  }

  std::string operator()(const ChoiceRef& /*value*/) const { return words(); }

  std::string operator()(const ChoicesRef& /*value*/) const { return "list of " + words(); }

  std::string operator()(const Time* /*value*/) const { return "time"; }

  std::string operator()(const Bytes* /*value*/) const { return "size"; }

  std::string operator()(const Rate* /*value*/) const { return "bandwidth"; }

  std::string operator()(const FilePath* /*value*/) const { return "file"; }

  std::string operator()(const std::vector<std::string>* /*value*/) const { return "list of texts"; }

  std::string operator()(const std::vector<Time>* /*value*/) const { return "time or list of times"; }

  std::string operator()(const std::vector<std::int64_t>* /*value*/) const {
    return "list of whole numbers, " + std::to_string(field.low) + " to " + std::to_string(field.high) +
           (field.text_form ? ", or " + field.text_name : "");
  }

  [[nodiscard]] std::string words() const {
    std::string text;
    for (const std::string& name : field.names) {
      text += (text.empty() ? "`" : ", `") + name + "`";
    }
    return text;
  }
};

void append_section(std::string& page, const Field& section, const std::string& path) {
  if (!path.empty()) {
    page += "\n## `" + path + "`\n\n" + section.doc + "\n";
  }
  page += "\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n";
  for (const Field& field : section.fields) {
    const std::string usual = default_text(field);
    page += "| `" + field.name + "` | " + std::visit(TypeName{field}, field.value) + " | " +
            (field.required ? "required" : usual) + " | " + field.doc + " |\n";
  }
  for (const Field& field : section.fields) {
    if (!field.fields.empty()) {
      append_section(page, field, path.empty() ? field.name : path + "." + field.name);
    }
  }
}

constexpr const char* kPageHead = R"(# The scenario file

This page is generated from the table of keys that the reader uses; the test suite compares the two.

A scenario is one YAML document, read strictly: an unknown, missing, repeated or ill-typed key is an error that names
file, line and column, and most come with a hint. `makespan check FILE` reads and checks without running,
`makespan schema` prints the JSON Schema for editors, and `--set key.path=value` replaces any value from the command
line. The name of a library scenario works wherever a file does (`makespan list scenarios`).

Rules of the text:

- Numbers are decimal, finite and without leading zeros; `1e3` is a whole number. Booleans are `true` and `false`.
- Quantities carry a unit: `18.5 ms`, `48 MiB`. Times: `ps ns us ms s min h`. Sizes: `B`, `kB MB GB TB` (decimal),
  `KiB MiB GiB TiB` (binary). `b` is a bit and `B` a byte. Values are rounded once, to the picosecond or byte.
- Bandwidths are sizes per second, as in `400 Gb/s` or `50 GB/s`.
- Files are named from where the scenario's file is; those on the command line from where the program runs.
- UTF-8 without control characters, at most 8 MiB, 64 levels and 200 000 values with aliases expanded. Tags and merge
  keys are refused.
- Keys marked "not supported yet" belong to the format and are refused until a version supports them; their neutral value
  (`offload: {}`, `zero: 0`) is accepted.

Give either `model` or `workload`.
)";

constexpr const char* kPageTail = R"(
## FLOPs conventions

`flops_convention` says how FLOPs are counted for TFLOP/s and MFU. B: sequences per iteration, s: sequence, l: layers, h:
hidden, V: vocabulary, k: kv_heads, a: heads, f: ffn, N: parameters.

| name | FLOPs |
| --- | --- |
| `exact` | every matrix multiplication of the model once, causal attention at half |
| `sc21_hw` | 96 B s l h^2 (1 + s/6h + V/16lh) per iteration; hardware FLOPs, with the recomputed forward pass |
| `korth_model` | 72 B s l h^2 (1 + s/6h + V/12lh) per iteration |
| `nemo_noncausal` | 12 l h^2 (1 + k/a + s/h) + 18 l f h (gated) or 12 l f h + 6 V h per token |
| `nemo_causal` | the same with s/2h |
| `torchtitan_noncausal` | 6 (N without the input embedding) + 12 l h s per token |
| `mpt` | 6 N + 12 l h s per token |
)";

}  // namespace

std::string scenario_json_schema() {
  Scenario scenario;
  Profile profile;
  const Field keys = scenario_keys(scenario, profile);
  Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                 {"title", "makespan.scenario/1"},
                 {"description", keys.doc}};
  schema.update(section_schema(keys));
  schema["oneOf"] = Json::array({{{"required", {"model"}}}, {{"required", {"workload"}}}});
  return schema.dump(2) + "\n";
}

std::string scenario_reference_page() {
  Scenario scenario;
  Profile profile;
  std::string page = kPageHead;
  append_section(page, scenario_keys(scenario, profile), "");
  return page + kPageTail;
}

}  // namespace makespan
