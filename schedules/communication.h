#pragma once

#include "schedules/schedule.h"

namespace makespan {

/// Whether the lists spell out their sends and receives.
[[nodiscard]] bool has_communication(const Schedule& schedule);

/// The schedule with sends and receives in its lists, placed as PyTorch's pipelining runtime places them:
/// each pass is followed by its SEND, and the RECV is put into the receiver's list at that moment of a
/// round-robin over the ranks, so after whatever the receiver had run by then rather than before its
/// consumer. A boundary within a rank has neither. `exchanges` and `arrivals` are dropped: they count
/// positions of the old lists. Lists that have sends or receives are returned as they are. Requires a valid
/// schedule.
[[nodiscard]] Schedule insert_communication(const Schedule& schedule);

}  // namespace makespan
