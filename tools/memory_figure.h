#pragma once

#include <vector>

#include "scenarios/run.h"
#include "tools/plot.h"

namespace makespan {

/// More rows than that are a poster.
inline constexpr std::size_t kMostMemoryRows = 32;

/// What ranks hold over the whole run, by kind, one on the other: a row for each of `ranks`, all with one
/// scale, with the accelerator's capacity as a dashed line where the scale reaches it, and the peak of the
/// rank in words. Within half a point of width the largest is shown, so that peaks keep their height. Throws
/// InputError naming `option` for more ranks than rows, where no memory is held, and where nothing takes
/// time.
[[nodiscard]] Plot memory_figure(const Run& run, const std::vector<int>& ranks, double width,
                                 const std::string& option);

}  // namespace makespan
