#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "schedules/schedule.h"

namespace makespan {

/// The most copies of the model in lists that are read.
inline constexpr int kMaxReplicas = 256;

/// What lists do not say. JSON says it itself.
struct ScheduleInputOptions {
  std::optional<int> replicas = std::nullopt;  ///< 1 by default, kMaxReplicas at most
  std::optional<int> pieces = std::nullopt;    ///< 1 by default
};

/// Whether `name` is a file, is named like one (.csv, .json), or is "-" for the standard input, rather than a
/// kind of schedule. What is both is a kind.
[[nodiscard]] bool is_schedule_file(const std::string& name);

/// The schedule in a file, or in the standard input for "-": JSON as `makespan schedule --format json` prints
/// it (makespan.schedule/1) when it begins with a brace, else PyTorch's lists (read_schedule_csv). Of the
/// JSON, kind, replicas, pieces and actions count; other sizes have to agree with them, and results are
/// passed over. The schedule is valid. Throws InputError with the place of what is wrong, also when `options`
/// name what the JSON says, and InfeasibleError for lists that wait for each other for ever.
[[nodiscard]] Schedule read_schedule(const std::string& path, const ScheduleInputOptions& options);

/// The same of a text; `name` is what messages call it.
[[nodiscard]] Schedule parse_schedule(std::string_view text, const std::string& name,
                                      const ScheduleInputOptions& options);

}  // namespace makespan
