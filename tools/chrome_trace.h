#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "core/task_graph.h"
#include "core/timeline.h"
#include "tools/trace_layout.h"

namespace makespan {

/// Takes the bytes of a document piece by piece.
using ByteSink = std::function<void(std::string_view)>;

struct TraceSize {
  std::size_t slices = 0;
  std::size_t bytes = 0;
};

/// Writes a run in the Chrome trace event format (JSON object form), for Perfetto, chrome://tracing,
/// speedscope and PyTorch's Holistic Trace Analysis; docs/reference/trace.md lists the fields.
///
/// Times are microseconds with six decimals, exact picoseconds, except that a duration may be up to a
/// nanosecond short, so that no viewer's rounding makes a slice overlap the next. One process per rank (pid =
/// rank + 1), one thread per stream, events in order of time, the longer first; what takes no time is an
/// instant. Equal input gives equal bytes.
TraceSize write_chrome_trace(const ByteSink& sink, const TaskGraph& graph, const Timeline& timeline,
                             const TraceInfo& info);

}  // namespace makespan
