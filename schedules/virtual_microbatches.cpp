#include "schedules/virtual_microbatches.h"

#include <algorithm>

namespace makespan {

std::vector<VirtualMicrobatch> virtual_microbatches(const ScheduleOptions& options) {
  const int group = options.chunks == 1 ? options.microbatches : options.group;
  std::vector<VirtualMicrobatch> table;
  table.reserve(static_cast<std::size_t>(options.microbatches) * static_cast<std::size_t>(options.chunks));
  for (int first = 0; first < options.microbatches; first += group) {
    const int end = std::min(options.microbatches, first + group);
    for (int chunk = 0; chunk < options.chunks; ++chunk) {
      for (int k = first; k < end; ++k) {
        table.push_back({k, chunk});
      }
    }
  }
  return table;
}

}  // namespace makespan
