#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/units.h"
#include "scenarios/quantity.h"
#include "scenarios/scenario.h"

namespace makespan {

/// One of Field::names, kept as an enumerator.
struct ChoiceRef {
  std::function<std::optional<std::size_t>()> get;
  std::function<void(std::size_t)> set;
};

/// Several of Field::names, in order.
struct ChoicesRef {
  std::function<std::vector<std::size_t>()> get;
  std::function<void(const std::vector<std::size_t>&)> set;
};

/// A key of the format that this version does not support.
struct Unsupported {
  std::string
      neutral;  ///< the value that asks for nothing and is accepted, such as "1", "[]" or "barrier"; or empty
};

/// A mapping with keys of its own.
struct SectionRef {};

struct Field;

/// A list of mappings with the same keys.
struct SectionsRef {
  std::shared_ptr<void> example;  ///< an item that is none of the list's; Field::fields are its keys
  std::function<std::size_t()> size;
  /// The keys of one item, until the list changes.
  std::function<std::vector<Field>(std::size_t)> keys;
  std::function<void()> append;
  std::function<void()> clear;
};

/// Where a value is kept; the alternative is its type.
using ValueRef =
    std::variant<SectionRef, SectionsRef, Unsupported, std::int64_t*, double*, std::optional<double>*, bool*,
                 std::optional<bool>*, std::string*, ChoiceRef, ChoicesRef, Time*, Bytes*, Rate*, FilePath*,
                 std::vector<Time>*, std::vector<std::int64_t>*, std::vector<std::string>*>;

/// One key. The table of all keys, scenario_keys(), is what the reader, the writer, the JSON Schema and the
/// reference page go by.
struct Field {
  std::string name;
  std::string doc;  ///< one line
  ValueRef value;
  bool required = false;
  std::string default_text;  ///< how a default that is not a constant is found
  std::int64_t low = 1;      ///< of integers; a value below it in memory means "not given"
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
  double real_low = 0;  ///< of reals
  double real_high = 0;
  std::string unit;                ///< "parameters": the integer is written with this noun
  std::vector<std::string> names;  ///< accepted words
  std::vector<std::string> later;  ///< words of the format that this version does not support
  std::string only;                ///< why the range or the names leave one value, for the message
  /// Of a list of whole numbers: another form, a text, what it is called, and what it matches as a regular
  /// expression.
  std::function<Parsed<std::vector<std::int64_t>>(std::string_view)> text_form;
  std::string text_name;
  std::string text_pattern;
  /// Of a section: the key that a plain word stands for, as in `schedule: 1f1b`; or the library folder of its
  /// names.
  std::string short_key;
  std::string library;
  std::vector<Field> fields;  ///< of a section, or of an item of a list of sections
};

/// The table, with its values in `scenario`; those of `workload.profile` in `profile`, which is not in a
/// scenario that has a model. Both must outlive the table.
[[nodiscard]] Field scenario_keys(Scenario& scenario, Profile& profile);

/// The key `name` of a section, or nullptr.
[[nodiscard]] const Field* find_child(const Field& section, std::string_view name);

/// The field at `path` ("parallelism.tensor"), or nullptr.
[[nodiscard]] const Field* find_field(const Field& root, std::string_view path);

/// Our key for one of another program: its path, and what to mind when the meaning is not the same.
struct ForeignKey {
  std::string_view theirs;  ///< lower case, with underscores
  std::string_view ours;    ///< path
  std::string_view note;
};

/// Names of Megatron-LM, NeMo, torchtitan, DeepSpeed and Hugging Face configurations.
[[nodiscard]] const ForeignKey* find_foreign_key(std::string_view name);

}  // namespace makespan
