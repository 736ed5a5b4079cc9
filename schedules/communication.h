#pragma once

#include "schedules/schedule.h"

namespace makespan {

/// Whether the lists spell out their sends and receives.
[[nodiscard]] bool has_communication(const Schedule& schedule);

/// Whether completed lists show what becomes of sharded weights.
enum class WeightSteps : std::uint8_t {
  omit,
  /// UNSHARD before the first use of a stage, RESHARD when it is not among the next three stages that the
  /// rank uses, REDUCE_GRAD after its last B or W.
  keep,
};

/// The schedule with sends and receives in its lists, placed as PyTorch's pipelining runtime places them:
/// each pass is followed by its SEND, and the RECV is put into the receiver's list at that moment of a
/// round-robin over the ranks, so after whatever the receiver had run by then rather than before its
/// consumer. Steps on weights take part in the round-robin whether or not they are kept; those that the lists
/// have already are left as they are. A boundary within a rank has neither send nor receive. `exchanges` and
/// `arrivals` are dropped: they count positions of the old lists. Lists that have sends or receives are
/// returned as they are. Requires a valid schedule.
[[nodiscard]] Schedule insert_communication(const Schedule& schedule,
                                            WeightSteps weights = WeightSteps::omit);

}  // namespace makespan
