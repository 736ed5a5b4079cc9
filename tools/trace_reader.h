#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace makespan {

/// One event of a Chrome trace, as far as `verify` reads it. Times are picoseconds, exactly as the decimal
/// text says.
struct TraceEvent {
  char phase = 0;  ///< X, i, s, f, C, M
  std::string_view name;
  std::string_view category;
  std::string_view id;
  std::optional<std::int64_t> at;
  std::optional<std::int64_t> duration;
  std::int64_t pid = -1;
  std::int64_t tid = -1;

  // Arguments; -1 or empty where absent.
  std::optional<std::int64_t> begin;
  std::optional<std::int64_t> end;
  std::string_view work;  ///< forward, backward, ...
  std::string_view group;
  std::string_view role;
  std::string_view transfer;
  std::int64_t stage = -1;
  std::int64_t chunk = -1;
  std::int64_t microbatch = -1;
  std::int64_t layer = -1;
  std::int64_t bytes = -1;
  std::int64_t correlation = -1;
  /// Counters: name and value in thousandths.
  std::vector<std::pair<std::string_view, std::int64_t>> series;
};

/// A trace in memory.
struct TraceDocument {
  std::vector<TraceEvent> events;  ///< in the order of the file
  /// Every scalar of `metadata` by its path, such as "ranks.0.compute_ps".
  std::map<std::string, std::string> metadata;
  bool has_events = false;  ///< whether there is a list of events, perhaps empty
  /// Where the document is JSON but not such a trace, in sentences.
  std::vector<std::string> problems;
  /// What the views point into.
  std::unordered_set<std::string> strings;
};

/// Reads a trace. Throws InputError, with `name` as the file, when it is not JSON, nested deeper than 64 or
/// has no list of events.
[[nodiscard]] TraceDocument read_trace(std::istream& in, const std::string& name);

/// The same from a file, plain or gzip ("-": the standard input); throws InputError when it cannot be read, is
/// a directory or is cut short.
[[nodiscard]] TraceDocument read_trace_file(const std::string& path);

/// text * 10^digits when that is a whole number between -2^62 and 2^62: "1.5" with 3 digits is 1500.
[[nodiscard]] std::optional<std::int64_t> scaled_decimal(std::string_view text, int digits);

}  // namespace makespan
