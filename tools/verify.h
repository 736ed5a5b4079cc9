#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tools/trace_reader.h"

namespace makespan {

/// What `verify` found in a trace.
struct Verdict {
  std::size_t ranks = 0;
  std::size_t slices = 0;
  std::size_t arrows = 0;
  std::size_t samples = 0;  ///< of memory and link counters
  std::size_t violations = 0;
  std::vector<std::string> sentences;  ///< the first violations, one sentence each
};

/// Checks the laws that every trace of a run obeys, from the text of the trace alone: this code knows nothing
/// of the simulator or of the writer.
///
/// Times agree with their exact arguments and events are in order; nothing overlaps on a thread; forward
/// comes before backward, each once per micro-batch; a message arrives before what consumes it; arrows are
/// paired and forward in time; a transfer looks the same on all its ranks; links stay within capacity; memory
/// is never negative and peaks where reported; per rank, compute + exposed communication + bubble = iteration
/// time, with compute and exposed communication recomputed or bounded from the slices; ids are unique.
[[nodiscard]] Verdict verify_trace(const TraceDocument& trace);

}  // namespace makespan
