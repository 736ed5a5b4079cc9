#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "scenarios/keys.h"
#include "scenarios/problems.h"
#include "scenarios/quantity.h"
#include "scenarios/yaml.h"

namespace makespan {

/// Moves values from a YAML tree to where the table of keys keeps them, and notes where each was given. What
/// is wrong goes to the problems.
class SectionReader {
 public:
  /// All must outlive the reader; `keys` is the whole table, for hints.
  SectionReader(const YamlDocument& document, const Field& keys, Locations& locations, Problems& problems)
      : document_(document), keys_(keys), locations_(locations), problems_(problems) {}

  /// Reads the mapping `node` by the keys of `field`; `where` is the place of its own key.
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
  void read_into(const Field& field, Rate* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, FilePath* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, const ChoiceRef& value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, const ChoicesRef& value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, std::vector<Time>* value, std::uint32_t node, const std::string& path);
  void read_into(const Field& field, std::vector<std::int64_t>* value, std::uint32_t node,
                 const std::string& path);
  void read_into(const Field& field, std::vector<std::string>* value, std::uint32_t node,
                 const std::string& path);
  void read_into(const Field& field, const SectionsRef& value, std::uint32_t node, const std::string& path);
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
  const Field& keys_;
  Locations& locations_;
  Problems& problems_;
  const Field* current_ =
      nullptr;  ///< the field being read, whose meaning is the hint when there is no other
  std::set<std::string>
      suggested_;  ///< paths of keys that hints have named, which are then not missed as well
};

}  // namespace makespan
