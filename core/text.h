#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace makespan {

/// Levenshtein distance: the least number of single-byte insertions, deletions and replacements that make `a`
/// into `b`. Letter case is ignored. O(a * b).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `name` was probably meant to be: the nearest one, the first of equals, provided that it
/// is at most two changes away, and at most half as many as it has letters. For "did you mean" hints.
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view name,
                                                      std::span<const std::string_view> candidates);

/// A hint for an unknown name: "did you mean 'x'?" when a candidate is near, else "known: a, b, c".
[[nodiscard]] std::string suggestion(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace makespan
