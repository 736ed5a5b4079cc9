#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scenarios/keys.h"

/// What the tables of keys are written with.
namespace makespan::keys {

using Names = std::vector<std::string>;

/// Counts of things in one model or cluster: far past anything that exists, and safe to multiply by two of
/// its kind.
inline constexpr std::int64_t kMany = 1'000'000;

inline Field key(std::string name, ValueRef value, std::string doc) {
  Field field;
  field.name = std::move(name);
  field.value = std::move(value);
  field.doc = std::move(doc);
  return field;
}

inline Field required(Field field) {
  field.required = true;
  return field;
}

inline Field with_default(Field field, std::string text) {
  field.default_text = std::move(text);
  return field;
}

inline Field integer(std::string name, std::int64_t& value, std::int64_t low, std::int64_t high,
                     std::string doc) {
  Field field = key(std::move(name), &value, std::move(doc));
  field.low = low;
  field.high = high;
  return field;
}

template <class T>
Field real(std::string name, T& value, double low, double high, std::string doc) {
  Field field = key(std::move(name), &value, std::move(doc));
  field.real_low = low;
  field.real_high = high;
  return field;
}

inline Field word(std::string name, std::string& value, Names names, Names later, std::string doc) {
  Field field = key(std::move(name), &value, std::move(doc));
  field.names = std::move(names);
  field.later = std::move(later);
  return field;
}

template <class Enum>
Field choice(std::string name, Enum& value, const Names& names, std::string doc, Names later = {}) {
  Field field = key(std::move(name),
                    ChoiceRef{[&value] { return std::optional(static_cast<std::size_t>(value)); },
                              [&value](std::size_t index) { value = static_cast<Enum>(index); }},
                    std::move(doc));
  field.names = names;
  field.later = std::move(later);
  return field;
}

template <class Enum>
Field choice(std::string name, std::optional<Enum>& value, const Names& names, std::string doc) {
  const auto get = [&value] {
    return value ? std::optional(static_cast<std::size_t>(*value)) : std::nullopt;
  };
  Field field =
      key(std::move(name), ChoiceRef{get, [&value](std::size_t index) { value = static_cast<Enum>(index); }},
          std::move(doc));
  field.names = names;
  return field;
}

inline Field unsupported(std::string name, std::string neutral, std::string doc) {
  return key(std::move(name), Unsupported{std::move(neutral)}, std::move(doc));
}

inline Field section(std::string name, std::string doc, std::vector<Field> fields, std::string short_key = {},
                     std::string library = {}) {
  Field field = key(std::move(name), SectionRef{}, std::move(doc));
  field.fields = std::move(fields);
  field.short_key = std::move(short_key);
  field.library = std::move(library);
  return field;
}

/// A list of mappings, whose keys `keys` binds to one item.
template <class T>
Field list(std::string name, std::string doc, std::vector<T>& items, std::vector<Field> (*keys)(T&)) {
  const auto example = std::make_shared<T>();
  Field field = key(std::move(name),
                    SectionsRef{.example = example,
                                .size = [&items] { return items.size(); },
                                .keys = [&items, keys](std::size_t i) { return keys(items[i]); },
                                .append = [&items] { items.emplace_back(); },
                                .clear = [&items] { items.clear(); }},
                    std::move(doc));
  field.fields = keys(*example);
  return field;
}

[[nodiscard]] Field cluster_keys(Cluster& cluster);
[[nodiscard]] Field collective_keys(Collectives& collectives);
[[nodiscard]] Field fault_keys(std::vector<Fault>& faults);

}  // namespace makespan::keys
