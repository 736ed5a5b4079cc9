#pragma once

#include <string>

namespace makespan {

/// What a schedule is generated for. Which options a kind takes is in its ScheduleKind.
struct ScheduleOptions {
  int ranks = 1;         ///< p
  int microbatches = 1;  ///< m
  int chunks = 0;        ///< v, stages per rank; 0: the fewest that the kind has
  /// Micro-batches that pass a chunk before the next chunk's turn. 0: m div max(1, m div p), which is p when
  /// p divides m.
  int group = 0;
  bool lifo = false;  ///< run the newest micro-batch's backward first
  int pieces = 1;     ///< q, into which each sequence is cut
};

/// Throws the InputError of an option that a schedule does not accept.
[[noreturn]] void refuse_option(const std::string& option, const std::string& what,
                                const std::string& hint = {});

}  // namespace makespan
