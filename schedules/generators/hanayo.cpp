#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "schedules/catalogue.h"
#include "schedules/passes.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// Runs the waves in slots, F one slot and B two: each rank takes a backward that is ready, else the deepest
/// forward that is.
class Greedy {
 public:
  explicit Greedy(Schedule& schedule)
      : schedule_(schedule), ends_(schedule, kNever), free_at_(schedule.actions.size(), 0) {
    for (std::size_t rank = 0; rank < free_at_.size(); ++rank) {
      for (int stage = 0; stage < schedule.stages(); ++stage) {
        if (schedule.rank_of(stage) == static_cast<int>(rank)) {
          stages_.resize(free_at_.size());
          stages_[rank].push_back(stage);
        }
      }
    }
    next_forward_.assign(static_cast<std::size_t>(schedule.stages()), 0);
    next_backward_ = next_forward_;
  }

  void run() {
    auto left = std::int64_t{2} * schedule_.stages() * schedule_.microbatches;
    for (std::int64_t slot = 0; left > 0; ++slot) {
      std::vector<std::pair<Action, std::int64_t>> started;
      for (std::size_t rank = 0; rank < free_at_.size(); ++rank) {
        const std::optional<Action> action = free_at_[rank] <= slot ? choose(rank, slot) : std::nullopt;
        if (action) {
          const std::int64_t end = slot + (action->kind == ActionKind::forward ? 1 : 2);
          free_at_[rank] = end;
          schedule_.actions[rank].push_back(*action);
          started.emplace_back(*action, end);
          --left;
        }
      }
      for (const auto& [action, end] : started) {
        ends_.of(action) = end;
      }
    }
  }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  std::optional<Action> choose(std::size_t rank, std::int64_t slot) {
    for (const int stage : stages_[rank]) {
      int& k = next_backward_[static_cast<std::size_t>(stage)];
      const Action backward{ActionKind::backward, stage, k};
      if (k < schedule_.microbatches && ends_.at(true, stage, k) <= slot && has_input(backward, slot)) {
        ++k;
        return backward;
      }
    }
    for (auto stage = stages_[rank].rbegin(); stage != stages_[rank].rend(); ++stage) {
      int& k = next_forward_[static_cast<std::size_t>(*stage)];
      const Action forward{ActionKind::forward, *stage, k};
      if (k < schedule_.microbatches && has_input(forward, slot)) {
        ++k;
        return forward;
      }
    }
    return std::nullopt;
  }

  bool has_input(const Action& action, std::int64_t slot) {
    return schedule_.producer_of(action) < 0 || ends_.producer_of(action) <= slot;
  }

  Schedule& schedule_;
  PassTable<std::int64_t> ends_;
  std::vector<std::int64_t> free_at_;
  std::vector<std::vector<int>> stages_;  ///< of each rank, ascending
  std::vector<int> next_forward_;         ///< by stage
  std::vector<int> next_backward_;        ///< by stage
};

/// Chimera's two directions merged into one model: stages go up and down the ranks in waves, two chunks per
/// rank for each wave.
Schedule hanayo(const ScheduleOptions& options) {
  if (options.chunks % 2 != 0) {
    refuse_option("chunks",
                  std::to_string(options.chunks) + " is odd: a wave goes down the ranks and up again",
                  "an even number, two for each wave");
  }
  if (options.microbatches > options.ranks) {
    refuse_option("microbatches",
                  std::to_string(options.microbatches) + " is more than the " +
                      std::to_string(options.ranks) +
                      " ranks: hanayo is defined for as many micro-batches as ranks",
                  "at most " + std::to_string(options.ranks));
  }
  Schedule schedule = empty_schedule("hanayo", options, Placement::snake);
  Greedy(schedule).run();
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace

extern const ScheduleKind kHanayo;
const ScheduleKind kHanayo = {.name = "hanayo",
                              .summary = "waves up and down the ranks",
                              .source = "Liu et al. 2023, arXiv 2308.15762",
                              .least_chunks = 2,
                              .most_chunks = kMaxSteps,
                              .generate = hanayo};

}  // namespace makespan
