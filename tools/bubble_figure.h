#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/plot.h"

namespace makespan {

/// What a schedule's ranks lose with so many micro-batches.
struct BubblePoint {
  std::int64_t microbatches = 0;
  double bubble = 0;  ///< share of all ranks' time
  bool fits_memory = true;
};

/// A schedule, with a point for every number of micro-batches with which it runs.
struct BubbleSeries {
  std::string name;
  std::vector<BubblePoint> points;  ///< by ascending micro-batches
};

/// More lines than that are not told apart.
inline constexpr std::size_t kMostBubbleSeries = 24;

/// The bubble as a share of the time over the number of micro-batches, on a logarithmic axis that is marked
/// at the numbers that occur: a line and a shape for each schedule, open where it does not fit the memory.
/// Throws InputError naming `option` for more series than that, and without a point.
[[nodiscard]] Plot bubble_figure(const std::string& title, std::span<const BubbleSeries> series, double width,
                                 const std::string& option);

}  // namespace makespan
