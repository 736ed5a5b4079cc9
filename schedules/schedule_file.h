#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "schedules/schedule.h"

namespace makespan {

/// A cell of a rank's list as it was written, and where.
struct ScheduleCell {
  std::string text;
  SourceLocation location;
};

/// What lists of cells do not say.
struct ScheduleFileOptions {
  std::string kind = "file";  ///< what the schedule is called
  int replicas = 1;           ///< of which each has as many of the stages, in order of their numbers
  int pieces = 1;
};

/// A schedule from PyTorch's cells: per rank, in order.
///
///     cell    = "" | action | "(" action ";" action ")OVERLAP_F_B"      an F and the B that overlaps with it
///     action  = stage kind microbatch | stage ("UNSHARD" | "RESHARD" | "REDUCE_GRAD")
///     kind    = F | B | I | W | SEND_F | RECV_F | SEND_B | RECV_B
///
/// Blanks around a cell and empty cells are passed over. In PyTorch's old dialect B is the gradient of the
/// input and BW the whole backward pass: lists with a BW, or with a B for every W and no I, are translated.
/// Ranks, stages and micro-batches are those that occur. Throws InputError with the place of the cell. The
/// schedule may still be invalid (schedules/validate.h).
[[nodiscard]] Schedule schedule_of_cells(const std::vector<std::vector<ScheduleCell>>& ranks,
                                         const ScheduleFileOptions& options);

/// A line per rank, cells separated by commas, no header and no quotes: what PyTorch's pipelining loads and
/// dumps. Throws as schedule_of_cells does.
[[nodiscard]] Schedule read_schedule_csv(std::string_view text, const std::string& file,
                                         const ScheduleFileOptions& options = {});

/// The same of a schedule's lists as they are. Throws InputError for evictions, which lists do not say.
[[nodiscard]] std::string write_schedule_csv(const Schedule& schedule);

}  // namespace makespan
