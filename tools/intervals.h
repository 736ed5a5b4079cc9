#pragma once

#include <cstdint>
#include <vector>

namespace makespan {

/// From begin up to end, in picoseconds.
struct Interval {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// The union: sorted, and merged where they touch.
[[nodiscard]] std::vector<Interval> unite(std::vector<Interval> intervals);

/// The summed lengths of what `unite` gave.
[[nodiscard]] std::int64_t total(const std::vector<Interval>& intervals);

/// The time in both of two unions.
[[nodiscard]] std::int64_t common(const std::vector<Interval>& a, const std::vector<Interval>& b);

}  // namespace makespan
