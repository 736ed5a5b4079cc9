#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "scenarios/problems.h"

namespace makespan {

enum class YamlKind : std::uint8_t { null, scalar, sequence, mapping };

/// One node of a YAML tree. An alias is not a node: what it refers to has several parents.
struct YamlNode {
  YamlKind kind = YamlKind::null;
  bool quoted = false;       ///< a scalar in quotes or a block scalar, which is always text
  std::uint32_t source = 0;  ///< index into YamlDocument::sources
  int line = 0;              ///< from 1; 0 when it came from the command line
  int column = 0;
  std::string text;                     ///< of a scalar
  std::vector<std::uint32_t> children;  ///< items of a sequence; key, value, key, value ... of a mapping
};

/// Nodes of one or more YAML texts, by index.
struct YamlDocument {
  std::vector<std::string> sources;
  std::vector<YamlNode> nodes;

  [[nodiscard]] SourceLocation location(std::uint32_t node) const;

  /// Position in `children` of the value of `key`, if the mapping has it.
  [[nodiscard]] std::optional<std::size_t> find(std::uint32_t mapping, std::string_view key) const;
};

/// Limits of every YAML text.
inline constexpr std::size_t kMaxYamlBytes = std::size_t{8} << 20U;
inline constexpr std::size_t kMaxYamlDepth = 64;
inline constexpr std::size_t kMaxYamlNodes = 200'000;  ///< with aliases expanded
inline constexpr std::size_t kMaxYamlScalar = std::size_t{64} << 10U;
inline constexpr std::size_t kMaxYamlKey = 256;

/// Reads one YAML text into `document` and returns its root. `source` is the name that messages show; line
/// numbers are dropped when `is_file` is false.
///
/// Strict: UTF-8 without control characters, exactly one document, keys that are plain strings and unique, no
/// tags, no merge keys, aliases that do not lead back to themselves, and the limits above. Duplicate keys and
/// other local faults are added to `problems`; what makes the text unreadable throws InputError with all
/// problems so far.
[[nodiscard]] std::uint32_t read_yaml(YamlDocument& document, std::string_view text,
                                      const std::string& source, Problems& problems, bool is_file = true);

/// The bytes of a regular file, or of standard input for "-". Throws InputError when it cannot be read, is a
/// directory or a device, or has more than kMaxYamlBytes.
[[nodiscard]] std::string read_text(const std::string& path);

/// What messages call `path`: itself, or "standard input" for "-".
[[nodiscard]] std::string source_name(const std::string& path);

}  // namespace makespan
