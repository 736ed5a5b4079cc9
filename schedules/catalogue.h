#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "schedules/options.h"
#include "schedules/schedule.h"

namespace makespan {

/// The most (stage, micro-batch) pairs in one schedule.
inline constexpr int kMaxSteps = 1 << 22;

/// When weights are updated.
enum class Update : std::uint8_t {
  flush,            ///< once an iteration, when the pipeline is empty: what synchronous training does
  each_microbatch,  ///< on each rank behind each backward pass, without a flush
  each_iteration,   ///< on each rank behind the last of an iteration's backward passes, without a flush
};

/// One kind of schedule, which its generator's file defines as a constant.
struct ScheduleKind {
  std::string_view name;
  std::string_view summary;  ///< one line
  std::string_view source;   ///< where it is defined
  int least_chunks = 1;      ///< the fewest chunks, which are the default
  int most_chunks = 1;
  bool splits = false;       ///< has I and W in place of every B
  bool splits_some = false;  ///< has I and W in place of some B
  bool has_group = false;    ///< takes ScheduleOptions::group
  bool has_lifo = false;     ///< takes ScheduleOptions::lifo
  bool has_pieces = false;   ///< takes ScheduleOptions::pieces
  bool overlaps = false;     ///< has pairs that overlap
  bool evicts = false;       ///< moves activations to other ranks
  int replicas = 1;
  Update update = Update::flush;  ///< without a flush, iterations are one stream of micro-batches
  Schedule (*generate)(const ScheduleOptions& options) = nullptr;
};

/// All kinds, in the order in which they are listed to people.
[[nodiscard]] std::span<const ScheduleKind> schedule_kinds();

/// Throws InputError for an unknown name, with the nearest known one.
[[nodiscard]] const ScheduleKind& schedule_kind(std::string_view name);

/// The schedule of that kind. Throws InputError for an unknown kind, and for an option that the kind does not
/// accept, naming the option and what it accepts: ranks, micro-batches, chunks and pieces from 1 up while
/// their product stays within kMaxSteps, and with more than one chunk min(p, m) <= group <= m where the last
/// group, if it is shorter, has at least p micro-batches. With one chunk the group has no effect. Kinds
/// refuse more for themselves; their headers say what.
[[nodiscard]] Schedule generate(std::string_view kind, const ScheduleOptions& options);

}  // namespace makespan
