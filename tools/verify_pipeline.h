#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tools/trace_reader.h"

namespace makespan {

using Slices = std::vector<const TraceEvent*>;

/// The kernels of a trace, by process, and how to speak of them.
struct PipelineSlices {
  const std::map<std::int64_t, Slices>& computes;
  const std::map<std::int64_t, Slices>& transfers;
  std::function<std::string(const TraceEvent& slice)> describe;
  std::function<std::string(std::int64_t pid)> who;
  std::function<void(std::string sentence)> violated;
};

/// The laws of a pipeline: every micro-batch of a stage goes through the same operations, forward before
/// backward; what a stage receives has arrived before it computes; an activation that another rank holds
/// leaves behind its forward pass and is back before its backward pass.
void check_pipeline(const PipelineSlices& slices);

}  // namespace makespan
