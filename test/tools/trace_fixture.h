#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/task_graph.h"
#include "core/timeline.h"
#include "tools/trace_layout.h"

namespace makespan {

/// A small run put together by hand, not by the simulator: two pipeline ranks with two micro-batches each,
/// forward 10 us, backward 20 us, messages 1 us over one link, then a data-parallel all-reduce of 4 us that
/// rank 0 waits for.
struct HandMadeRun {
  TaskGraph graph;
  Timeline timeline;
  TraceInfo info;
};

[[nodiscard]] HandMadeRun hand_made_run();

/// The run as a trace.
[[nodiscard]] std::string trace_text(const HandMadeRun& run);

}  // namespace makespan
