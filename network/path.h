#pragma once

#include <vector>

#include "core/task_graph.h"
#include "core/units.h"

namespace makespan {

/// The links from one place of a topology to another with the share of the bytes that crosses each, in
/// 1/1024: what enters a vertex on the way leaves it, to the last 1/1024. In the order of the way where there
/// is one.
struct Path {
  std::vector<Use> uses;
  Time latency;  ///< what the links add, along the slowest branch
};

/// Lets `path` go on along `more`.
inline void append(Path& path, const Path& more) {
  path.uses.insert(path.uses.end(), more.uses.begin(), more.uses.end());
  path.latency += more.latency;
}

}  // namespace makespan
