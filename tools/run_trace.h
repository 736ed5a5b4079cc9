#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scenarios/run.h"
#include "tools/trace_layout.h"

namespace makespan {

/// The ranks that a trace shows: "all", a list such as "0,8,16-23", or by default ("") the pipeline ranks of
/// replica 0, tensor rank 0. Ascending, each once. Throws InputError for text that is neither and for ranks
/// that do not exist.
[[nodiscard]] std::vector<int> select_ranks(const std::string& text, const Scenario& scenario);

/// What the trace of a run shows: those ranks, the NICs of their GPUs and the uplinks above them.
[[nodiscard]] TraceInfo trace_info(const Run& run, const std::vector<int>& ranks);

}  // namespace makespan
