#include "scenarios/section_reader.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <type_traits>
#include <utility>

#include "core/text.h"
#include "scenarios/value_text.h"

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

}  // namespace

std::string SectionReader::found(std::uint32_t node) const {
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

bool SectionReader::is_plain_scalar(std::uint32_t node, const std::string& must_be, const std::string& path) {
  const YamlNode& value = document_.nodes[node];
  if (value.kind == YamlKind::scalar && !value.quoted) {
    return true;
  }
  complain(node, path, must_be + ", " + found(node),
           value.kind == YamlKind::scalar ? "remove the quotes" : "");
  return false;
}

std::optional<std::int64_t> SectionReader::integer(const Field& field, std::uint32_t node,
                                                   const std::string& path) {
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

std::optional<std::size_t> SectionReader::name_index(const Field& field, std::uint32_t node,
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

std::optional<std::vector<std::uint32_t>> SectionReader::items(std::uint32_t node, const std::string& of,
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

void SectionReader::read_into(const Field& field, std::int64_t* value, std::uint32_t node,
                              const std::string& path) {
  *value = integer(field, node, path).value_or(*value);
}

void SectionReader::read_into(const Field& field, double* value, std::uint32_t node,
                              const std::string& path) {
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

void SectionReader::read_into(const Field& /*field*/, bool* value, std::uint32_t node,
                              const std::string& path) {
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

void SectionReader::read_into(const Field& field, std::string* value, std::uint32_t node,
                              const std::string& path) {
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

void SectionReader::read_into(const Field& /*field*/, Time* value, std::uint32_t node,
                              const std::string& path) {
  if (is_plain_scalar(node, "must be a time such as '18.5 ms'", path)) {
    *value = accept(parse_time(document_.nodes[node].text), node, path).value_or(*value);
  }
}

void SectionReader::read_into(const Field& /*field*/, Bytes* value, std::uint32_t node,
                              const std::string& path) {
  if (is_plain_scalar(node, "must be a size such as '48 MiB'", path)) {
    *value = accept(parse_size(document_.nodes[node].text), node, path).value_or(*value);
  }
}

void SectionReader::read_into(const Field& /*field*/, Rate* value, std::uint32_t node,
                              const std::string& path) {
  if (is_plain_scalar(node, "must be a bandwidth such as '400 Gb/s'", path)) {
    *value = accept(parse_rate(document_.nodes[node].text), node, path).value_or(*value);
  }
}

void SectionReader::read_into(const Field& field, FilePath* value, std::uint32_t node,
                              const std::string& path) {
  read_into(field, &value->path, node, path);
  const std::string source = document_.location(node).file;
  value->path = (std::filesystem::path(source).parent_path() / value->path).string();
}

void SectionReader::read_into(const Field& field, const ChoiceRef& value, std::uint32_t node,
                              const std::string& path) {
  if (const auto index = name_index(field, node, path)) {
    value.set(*index);
  }
}

void SectionReader::read_into(const Field& field, const ChoicesRef& value, std::uint32_t node,
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

void SectionReader::read_into(const Field& field, std::vector<Time>* value, std::uint32_t node,
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

void SectionReader::read_into(const Field& field, std::vector<std::int64_t>* value, std::uint32_t node,
                              const std::string& path) {
  value->clear();
  const YamlNode& given = document_.nodes[node];
  if (given.kind == YamlKind::scalar && field.text_form) {
    *value = accept(field.text_form(given.text), node, path).value_or(*value);
    return;
  }
  if (given.kind == YamlKind::scalar || given.kind == YamlKind::mapping) {
    complain(node, path, "must be a list of whole numbers, " + found(node));
    return;
  }
  const auto entries = items(node, "whole numbers", path);
  for (std::size_t i = 0; entries && i < entries->size(); ++i) {
    value->push_back(integer(field, (*entries)[i], path + "[" + std::to_string(i) + "]").value_or(field.low));
  }
}

void SectionReader::read_into(const Field& field, std::vector<std::string>* value, std::uint32_t node,
                              const std::string& path) {
  value->clear();
  const auto entries = items(node, "texts", path);
  for (std::size_t i = 0; entries && i < entries->size(); ++i) {
    read_into(field, &value->emplace_back(), (*entries)[i], path + "[" + std::to_string(i) + "]");
  }
}

void SectionReader::read_into(const Field& field, const SectionsRef& value, std::uint32_t node,
                              const std::string& path) {
  value.clear();
  const YamlNode& given = document_.nodes[node];
  if (given.kind != YamlKind::sequence) {
    complain(node, path, "must be a list of mappings, " + found(node), "begin each with '- '");
    return;
  }
  for (std::size_t i = 0; i < given.children.size(); ++i) {
    value.append();
    Field item = field;
    item.fields = value.keys(i);
    const std::string here = path + "[" + std::to_string(i) + "]";
    locations_[here] = document_.location(given.children[i]);
    read_section(item, given.children[i], locations_[here], here);
  }
}

void SectionReader::read_into(const Field& field, const Unsupported& value, std::uint32_t node,
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

void SectionReader::read_value(const Field& field, std::uint32_t key, std::uint32_t node,
                               const std::string& path) {
  if (std::holds_alternative<SectionRef>(field.value)) {
    locations_[path] = document_.location(key);
    read_section(field, node, document_.location(key), path);
    return;
  }
  locations_[path] = document_.location(node);
  const Field* const outer = std::exchange(current_, &field);  // of a list of mappings
  std::visit(
      [&](const auto& value) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(value)>, SectionRef>) {
          read_into(field, value, node, path);
        }
      },
      field.value);
  current_ = outer;
}

void SectionReader::read_section(const Field& field, std::uint32_t node, const SourceLocation& where,
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

void SectionReader::report_unknown(const Field& section, std::uint32_t key, const std::string& path) {
  const std::string& name = document_.nodes[key].text;
  const std::string quoted = shown(name);
  complain(key, joined(path, quoted.substr(1, quoted.size() - 2)), "unknown key",
           unknown_hint(section, name, path));
}

std::string SectionReader::foreign_hint(const ForeignKey& foreign) {
  const std::string ours(foreign.ours);
  suggested_.insert(ours);
  const Field* field = find_field(keys_, ours);
  if (field != nullptr && std::holds_alternative<Unsupported>(field->value)) {
    return "our name is '" + ours + "', and it is not supported by this version";
  }
  return "our name is '" + ours + "'" + (foreign.note.empty() ? "" : " (" + std::string(foreign.note) + ")");
}

std::string SectionReader::unknown_hint(const Field& section, const std::string& name,
                                        const std::string& path) {
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

}  // namespace makespan
