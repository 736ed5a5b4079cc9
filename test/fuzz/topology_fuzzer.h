#pragma once

#include <string_view>

namespace makespan {

/// Reads `text` as every kind of topology file: each ends in a graph that holds together or in an exception
/// of ours.
void fuzz_topologies(std::string_view text);

}  // namespace makespan
