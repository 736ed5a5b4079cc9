#include "scenarios/reader.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/text.h"
#include "scenarios/keys.h"
#include "scenarios/library.h"
#include "scenarios/problems.h"
#include "scenarios/quantity.h"
#include "scenarios/scenario_tree.h"
#include "scenarios/value_text.h"
#include "scenarios/yaml.h"

namespace makespan {

namespace {

std::string joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

std::vector<std::string_view> views(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

/// Moves values from the tree to where the table keeps them.
class Reader {
 public:
  Reader(const ScenarioTree& tree, Scenario& scenario, const Field& keys, Problems& problems)
      : document_(tree.document), scenario_(scenario), keys_(keys), problems_(problems) {}

  void read_section(const Field& field, std::uint32_t node, const SourceLocation& where,
                    const std::string& path);

 private:
  void complain(std::uint32_t node, const std::string& path, const std::string& what,
                const std::string& hint = {}) {
    const std::string meaning = current_ == nullptr ? "" : current_->doc;
    problems_.add(document_.location(node), path, what, hint.empty() ? meaning : hint);
  }

  void read_value(const Field& field, std::uint32_t key, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, std::int64_t* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, double* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, bool* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, std::string* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, Time* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, Bytes* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, const ChoiceRef& value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, const ChoicesRef& value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, std::vector<Time>* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, std::vector<std::int64_t>* value, std::uint32_t node,
                 const std::string& path);
  void read_into(const Field& field, const Unsupported& value, std::uint32_t node, const std::string& path);

  template <class T>
  void read_into(const Field& field, std::optional<T>* value, std::uint32_t node, const std::string& path) {
    T read{};
    read_into(field, &read, node, path);
    *value = read;
  }

  /// Adds what `parsed` complains about; its value otherwise.
  template <class T>
  std::optional<T> accept(Parsed<T> parsed, std::uint32_t node, const std::string& path) {
    if (!parsed.value) {
      complain(node, path, parsed.what, parsed.hint);
    }
    return parsed.value;
  }

  std::string found(std::uint32_t node) const;
  bool is_plain_scalar(std::uint32_t node, const std::string& must_be, const std::string& path);
  std::optional<std::int64_t> integer(const Field& field, std::uint32_t node, const std::string& path);
  std::optional<std::size_t> name_index(const Field& field, std::uint32_t node, const std::string& path);
  std::optional<std::vector<std::uint32_t>> items(std::uint32_t node, const std::string& of,
                                                  const std::string& path);
  void report_unknown(const Field& section, std::uint32_t key, const std::string& path);
  std::string unknown_hint(const Field& section, const std::string& name, const std::string& path);
  std::string foreign_hint(const ForeignKey& foreign);

  const YamlDocument& document_;
  Scenario& scenario_;
  const Field& keys_;
  Problems& problems_;
  const Field* current_ =
      nullptr;  ///< the field being read, whose meaning is the hint when there is no other
  std::set<std::string>
      suggested_;  ///< paths of keys that hints have named, which are then not missed as well
};

std::string Reader::found(std::uint32_t node) const {
  const YamlNode& value = document_.nodes[node];
  switch (value.kind) {
    case YamlKind::null:
      return "found nothing";
    case YamlKind::sequence:
      return "found a list";
    case YamlKind::mapping:
      return "found a mapping";
    case YamlKind::scalar:
      break;
  }
  return "found " + shown(value.text) + (value.quoted ? " in quotes" : "");
}

bool Reader::is_plain_scalar(std::uint32_t node, const std::string& must_be, const std::string& path) {
  const YamlNode& value = document_.nodes[node];
  if (value.kind == YamlKind::scalar && !value.quoted) {
    return true;
  }
  complain(node, path, must_be + ", " + found(node),
           value.kind == YamlKind::scalar ? "remove the quotes" : "");
  return false;
}

std::optional<std::int64_t> Reader::integer(const Field& field, std::uint32_t node, const std::string& path) {
  const bool is_quantity = !field.unit.empty();
  const std::string must_be = is_quantity ? "must be a number of " + field.unit : "must be a whole number";
  if (!is_plain_scalar(node, must_be, path)) {
    return std::nullopt;
  }
  const std::string& text = document_.nodes[node].text;
  const auto value = accept(is_quantity ? parse_count(text, field.unit) : parse_integer(text), node, path);
  if (!value || (*value >= field.low && *value <= field.high)) {
    return value;
  }
  if (!field.only.empty()) {
    complain(node, path, field.only + "; found " + shown(text),
             "write " + std::to_string(field.low) + " or remove it");
  } else if (field.high == std::numeric_limits<std::int64_t>::max()) {
    complain(node, path, "must be at least " + std::to_string(field.low) + ", " + found(node));
  } else {
    complain(node, path,
             "must be from " + std::to_string(field.low) + " to " + std::to_string(field.high) + ", " +
                 found(node));
  }
  return std::nullopt;
}

std::optional<std::size_t> Reader::name_index(const Field& field, std::uint32_t node,
                                              const std::string& path) {
  const YamlNode& value = document_.nodes[node];
  if (value.kind != YamlKind::scalar) {
    complain(node, path, "must be a word, " + found(node), "known: " + listed(field.names));
    return std::nullopt;
  }
  const auto known = std::find(field.names.begin(), field.names.end(), value.text);
  if (known != field.names.end()) {
    return static_cast<std::size_t>(known - field.names.begin());
  }
  if (std::find(field.later.begin(), field.later.end(), value.text) != field.later.end()) {
    complain(node, path, shown(value.text) + " is not supported by this version",
             "supported: " + listed(field.names));
  } else {
    complain(node, path, "unknown word " + shown(value.text), suggestion(value.text, views(field.names)));
  }
  return std::nullopt;
}

std::optional<std::vector<std::uint32_t>> Reader::items(std::uint32_t node, const std::string& of,
                                                        const std::string& path) {
  const YamlNode& value = document_.nodes[node];
  if (value.kind == YamlKind::sequence && !value.children.empty()) {
    return value.children;
  }
  complain(node, path,
           "must be a list of " + of + ", " +
               (value.kind == YamlKind::sequence ? "found an empty list" : found(node)));
  return std::nullopt;
}

void Reader::read_into(const Field& field, std::int64_t* value, std::uint32_t node, const std::string& path) {
  *value = integer(field, node, path).value_or(*value);
}

void Reader::read_into(const Field& field, double* value, std::uint32_t node, const std::string& path) {
  if (!is_plain_scalar(node, "must be a number", path)) {
    return;
  }
  const auto parsed = accept(parse_real(document_.nodes[node].text), node, path);
  if (parsed && (*parsed < field.real_low || *parsed > field.real_high)) {
    complain(node, path,
             "must be from " + real_text(field.real_low) + " to " + real_text(field.real_high) + ", " +
                 found(node));
  } else if (parsed) {
    *value = *parsed;
  }
}

void Reader::read_into(const Field& /*field*/, bool* value, std::uint32_t node, const std::string& path) {
  if (!is_plain_scalar(node, "must be true or false", path)) {
    return;
  }
  const std::string& text = document_.nodes[node].text;
  if (text == "true" || text == "false") {
    *value = text == "true";
  } else {
    complain(node, path, "must be true or false, " + found(node),
             "in lower case; yes, no, on and off are not read");
  }
}

void Reader::read_into(const Field& field, std::string* value, std::uint32_t node, const std::string& path) {
  if (!field.names.empty()) {
    if (const auto index = name_index(field, node, path)) {
      *value = field.names[*index];
    }
  } else if (document_.nodes[node].kind != YamlKind::scalar || document_.nodes[node].text.empty()) {
    complain(node, path, "must be a text, " + found(node), "give a text or remove the key");
  } else {
    *value = document_.nodes[node].text;
  }
}

void Reader::read_into(const Field& /*field*/, Time* value, std::uint32_t node, const std::string& path) {
  if (is_plain_scalar(node, "must be a time such as '18.5 ms'", path)) {
    *value = accept(parse_time(document_.nodes[node].text), node, path).value_or(*value);
  }
}

void Reader::read_into(const Field& /*field*/, Bytes* value, std::uint32_t node, const std::string& path) {
  if (is_plain_scalar(node, "must be a size such as '48 MiB'", path)) {
    *value = accept(parse_size(document_.nodes[node].text), node, path).value_or(*value);
  }
}

void Reader::read_into(const Field& field, const ChoiceRef& value, std::uint32_t node,
                       const std::string& path) {
  if (const auto index = name_index(field, node, path)) {
    value.set(*index);
  }
}

void Reader::read_into(const Field& field, const ChoicesRef& value, std::uint32_t node,
                       const std::string& path) {
  std::vector<std::size_t> indices;
  const auto entries = items(node, "words", path);
  for (std::size_t i = 0; entries && i < entries->size(); ++i) {
    if (const auto index = name_index(field, (*entries)[i], path + "[" + std::to_string(i) + "]")) {
      indices.push_back(*index);
    }
  }
  if (entries && indices.size() == entries->size()) {
    value.set(indices);
  }
}

void Reader::read_into(const Field& field, std::vector<Time>* value, std::uint32_t node,
                       const std::string& path) {
  value->clear();
  if (document_.nodes[node].kind != YamlKind::sequence) {
    read_into(field, &value->emplace_back(), node, path);
    return;
  }
  const auto entries = items(node, "times", path);
  for (std::size_t i = 0; entries && i < entries->size(); ++i) {
    read_into(field, &value->emplace_back(), (*entries)[i], path + "[" + std::to_string(i) + "]");
  }
}

void Reader::read_into(const Field& field, std::vector<std::int64_t>* value, std::uint32_t node,
                       const std::string& path) {
  value->clear();
  if (document_.nodes[node].kind == YamlKind::scalar || document_.nodes[node].kind == YamlKind::mapping) {
    complain(node, path, "must be a list of whole numbers, " + found(node),
             "other forms, such as Megatron-LM's layout string, are not supported by this version");
    return;
  }
  const auto entries = items(node, "whole numbers", path);
  for (std::size_t i = 0; entries && i < entries->size(); ++i) {
    value->push_back(integer(field, (*entries)[i], path + "[" + std::to_string(i) + "]").value_or(field.low));
  }
}

void Reader::read_into(const Field& field, const Unsupported& value, std::uint32_t node,
                       const std::string& path) {
  const YamlNode& given = document_.nodes[node];
  const bool is_empty = given.children.empty();
  const bool is_neutral =
      (given.kind == YamlKind::scalar && !given.text.empty() && given.text == value.neutral) ||
      (given.kind == YamlKind::mapping && is_empty && value.neutral == "{}") ||
      (given.kind == YamlKind::sequence && is_empty && value.neutral == "[]");
  if (!is_neutral) {
    std::string topic = field.doc;
    topic.pop_back();
    complain(node, path, "is not supported by this version (" + topic + ")",
             "remove the key" + (value.neutral.empty() ? "" : " or write '" + value.neutral + "'"));
  }
}

void Reader::read_value(const Field& field, std::uint32_t key, std::uint32_t node, const std::string& path) {
  if (std::holds_alternative<SectionRef>(field.value)) {
    scenario_.locations[path] = document_.location(key);
    read_section(field, node, document_.location(key), path);
    return;
  }
  scenario_.locations[path] = document_.location(node);
  current_ = &field;
  std::visit(
      [&](const auto& value) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(value)>, SectionRef>) {
          read_into(field, value, node, path);
        }
      },
      field.value);
}

void Reader::read_section(const Field& field, std::uint32_t node, const SourceLocation& where,
                          const std::string& path) {
  const YamlNode& given = document_.nodes[node];
  if (given.kind != YamlKind::mapping) {
    std::string examples;
    for (std::size_t i = 0; i < std::min<std::size_t>(field.fields.size(), 3); ++i) {
      examples += (i == 0 ? "'" : ", '") + field.fields[i].name + "'";
    }
    problems_.add(where, path, "must be a mapping, " + found(node), "its keys include " + examples);
    return;
  }
  for (std::size_t i = 0; i < given.children.size(); i += 2) {
    const std::string& name = document_.nodes[given.children[i]].text;
    if (const Field* child = find_child(field, name)) {
      read_value(*child, given.children[i], given.children[i + 1], joined(path, name));
    } else {
      report_unknown(field, given.children[i], path);
    }
  }
  for (const Field& child : field.fields) {
    if (child.required && !document_.find(node, child.name) &&
        !suggested_.contains(joined(path, child.name))) {
      const std::string hint =
          child.names.size() == 1 ? "write '" + child.name + ": " + child.names[0] + "'" : child.doc;
      problems_.add(where, joined(path, child.name), "is missing", hint);
    }
  }
}

void Reader::report_unknown(const Field& section, std::uint32_t key, const std::string& path) {
  const std::string& name = document_.nodes[key].text;
  const std::string quoted = shown(name);
  complain(key, joined(path, quoted.substr(1, quoted.size() - 2)), "unknown key",
           unknown_hint(section, name, path));
}

std::string Reader::foreign_hint(const ForeignKey& foreign) {
  const std::string ours(foreign.ours);
  suggested_.insert(ours);
  const Field* field = find_field(keys_, ours);
  if (field != nullptr && std::holds_alternative<Unsupported>(field->value)) {
    return "our name is '" + ours + "', and it is not supported by this version";
  }
  return "our name is '" + ours + "'" + (foreign.note.empty() ? "" : " (" + std::string(foreign.note) + ")");
}

std::string Reader::unknown_hint(const Field& section, const std::string& name, const std::string& path) {
  if (const ForeignKey* foreign = find_foreign_key(name)) {
    return foreign_hint(*foreign);
  }
  std::vector<std::string_view> names;
  for (const Field& field : section.fields) {
    if (!std::holds_alternative<Unsupported>(field.value)) {
      names.push_back(field.name);
    }
  }
  if (const auto near = nearest(name, names)) {
    suggested_.insert(joined(path, std::string(*near)));
  } else {
    for (const Field& other : keys_.fields) {
      if (other.name == name) {
        return "'" + name + "' belongs at the top level";
      }
      if (find_child(other, name) != nullptr) {
        return "'" + name + "' belongs under '" + other.name + "'";
      }
    }
  }
  return suggestion(name, names);
}

void check_model_or_profile(const Scenario& scenario, const SourceLocation& where, Problems& problems) {
  const bool has_model = scenario.locations.contains("model");
  const auto workload = scenario.locations.find("workload");
  if (has_model && workload != scenario.locations.end()) {
    problems.add(workload->second, "workload", "cannot be given together with 'model'",
                 "measured stage times replace the model; keep one of them");
  } else if (!has_model && workload == scenario.locations.end()) {
    problems.add(
        where, "model", "is missing",
        "give a mapping or a name from 'makespan list models'; or 'workload' with measured stage times");
  }
}

/// "llama" for "dir/llama.yaml".
std::string stem(const std::string& source) {
  const std::string name = source.substr(source.find_last_of('/') + 1);
  const std::size_t dot = name.find_last_of('.');
  return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

Locations cluster_locations(const Locations& all) {
  Locations locations;
  std::copy_if(all.begin(), all.end(), std::inserter(locations, locations.end()), [](const auto& entry) {
    return entry.first.empty() || entry.first == "cluster" || entry.first.rfind("cluster.", 0) == 0;
  });
  return locations;
}

/// The file that `path_or_name` means: itself, or the first of the library's `kinds` that has the name.
/// `what` is what it is to be.
std::string find_file(const std::string& path_or_name, std::span<const LibraryKind> kinds,
                      const std::string& what) {
  if (path_or_name.find('/') != std::string::npos || path_or_name == "-") {
    return path_or_name;
  }
  for (const LibraryKind kind : kinds) {
    if (const auto file = find_in_library(kind, path_or_name)) {
      return *file;
    }
  }
  if (std::error_code error; !std::filesystem::exists(path_or_name, error)) {
    const std::vector<std::string> names = library_names(kinds.front());
    throw InputError(SourceLocation{}, shown(path_or_name),
                     "is neither a YAML file nor a " + what + " of the library",
                     suggestion(path_or_name, views(names)));
  }
  return path_or_name;
}

bool holds_scenario(std::string_view text, const std::string& source) {
  YamlDocument document;
  Problems problems;
  const std::uint32_t root = read_yaml(document, text, source, problems);
  return document.nodes[root].kind == YamlKind::mapping && document.find(root, "cluster").has_value();
}

}  // namespace

Scenario parse_scenario(std::string_view text, const std::string& source,
                        std::span<const std::string> overrides) {
  Scenario scenario;
  Profile profile;
  Problems problems;
  const Field keys = scenario_keys(scenario, profile);
  const ScenarioTree tree = build_scenario_tree(text, source, overrides, keys, problems);
  const SourceLocation where{source, 1, 1};
  Reader(tree, scenario, keys, problems).read_section(keys, tree.root, where, "");
  check_model_or_profile(scenario, where, problems);
  problems.throw_if_any();
  if (scenario.locations.contains("workload")) {
    scenario.profile = std::move(profile);
  }
  if (scenario.name.empty()) {
    scenario.name = stem(source);
  }
  scenario.locations[""] = {source, 0, 0};
  scenario.cluster.locations = cluster_locations(scenario.locations);
  return scenario;
}

Scenario read_scenario(const std::string& path_or_name, std::span<const std::string> overrides) {
  const std::string path = find_file(path_or_name, std::array{LibraryKind::scenarios}, "scenario");
  return parse_scenario(read_text(path), source_name(path), overrides);
}

Cluster parse_cluster(std::string_view text, const std::string& source,
                      std::span<const std::string> overrides) {
  if (holds_scenario(text, source)) {
    return parse_scenario(text, source, overrides).cluster;
  }
  Scenario scenario;
  Profile profile;
  Problems problems;
  Field keys = scenario_keys(scenario, profile);
  std::erase_if(keys.fields, [](const Field& field) { return field.name != "cluster"; });
  const ScenarioTree tree = build_cluster_tree(text, source, overrides, keys, problems);
  Reader(tree, scenario, keys, problems).read_section(keys, tree.root, {source, 1, 1}, "");
  problems.throw_if_any();
  scenario.cluster.locations = cluster_locations(scenario.locations);
  scenario.cluster.locations[""] = {source, 0, 0};
  return scenario.cluster;
}

Cluster read_cluster(const std::string& path_or_name, std::span<const std::string> overrides) {
  const std::string path =
      find_file(path_or_name, std::array{LibraryKind::clusters, LibraryKind::scenarios}, "cluster");
  Cluster cluster = parse_cluster(read_text(path), source_name(path), overrides);
  if (cluster.name.empty()) {
    cluster.name = stem(path);
  }
  return cluster;
}

}  // namespace makespan
