#pragma once

#include <cstddef>
#include <vector>

#include "schedules/schedule.h"

namespace makespan {

/// One value per (stage, micro-batch) and direction: what the forward pass, and what the backward pass (B or
/// I), of that stage gives its neighbour. The schedule must outlive it.
template <class Value>
class PassTable {
 public:
  PassTable(const Schedule& schedule, const Value& initial)
      : schedule_(schedule),
        microbatches_(static_cast<std::size_t>(schedule.stage_microbatches())),
        forward_(static_cast<std::size_t>(schedule.stages()) * microbatches_, initial),
        backward_(forward_) {}

  [[nodiscard]] Value& at(bool forward, int stage, int microbatch) {
    return (forward ? forward_ : backward_)[static_cast<std::size_t>(stage) * microbatches_ +
                                            static_cast<std::size_t>(microbatch)];
  }

  /// Of the pass that the compute `action` belongs to; not for W.
  [[nodiscard]] Value& of(const Action& action) {
    return at(action.kind == ActionKind::forward, action.stage, action.microbatch);
  }

  /// Of the neighbouring pass whose output the compute `action` needs. Requires that there is one.
  [[nodiscard]] Value& producer_of(const Action& action) {
    return at(action.kind == ActionKind::forward, schedule_.producer_of(action), action.microbatch);
  }

 private:
  const Schedule& schedule_;
  std::size_t microbatches_;
  std::vector<Value> forward_;
  std::vector<Value> backward_;
};

}  // namespace makespan
