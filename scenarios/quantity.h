#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/units.h"

namespace makespan {

/// A value read from text, or why it cannot be read and what to write instead.
template <class T>
struct Parsed {
  std::optional<T> value;
  std::string what;  ///< continues a sentence about the key: "must be ..."
  std::string hint;
};

/// One grammar for all numbers: decimal digits with an optional sign '-', fraction and exponent, without
/// leading zeros, underscores, hexadecimal or octal forms; finite. `1e3` is a whole number, `1.5` is not.
[[nodiscard]] Parsed<std::int64_t> parse_integer(std::string_view text);
[[nodiscard]] Parsed<double> parse_real(std::string_view text);

/// `18.5 ms`: ps, ns, us, ms, s, min, h. To the nearest picosecond, rounded once.
[[nodiscard]] Parsed<Time> parse_time(std::string_view text);

/// `48 MiB`: B, kB, MB, GB, TB (decimal), KiB, MiB, GiB, TiB (binary). To the nearest byte.
[[nodiscard]] Parsed<Bytes> parse_size(std::string_view text);

/// `400 Gb/s` or `50 GB/s`: b is bit, B is byte, each with k, M, G, T (decimal) or Ki, Mi, Gi, Ti (binary).
[[nodiscard]] Parsed<Rate> parse_rate(std::string_view text);

/// `40 M parameters`: a whole number with k, M, G or T and the noun `unit`.
[[nodiscard]] Parsed<std::int64_t> parse_count(std::string_view text, std::string_view unit);

/// The same quantities as text that reads back to the same value, in the largest unit that is not larger than
/// the value (times and bandwidths) or that divides it (sizes and counts): "18.522 ms", "48 MiB", "40 M
/// parameters".
[[nodiscard]] std::string time_text(Time time);
[[nodiscard]] std::string rate_text(Rate rate);
[[nodiscard]] std::string size_text(Bytes size);
[[nodiscard]] std::string count_text(std::int64_t count, std::string_view unit);

}  // namespace makespan
