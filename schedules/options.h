#pragma once

namespace makespan {

/// What a schedule is generated for.
struct ScheduleOptions {
  int ranks = 1;         ///< p
  int microbatches = 1;  ///< m
  int chunks = 1;        ///< v, stages per rank
  /// Micro-batches that pass a chunk before the next chunk's turn, in interleaved schedules. 0: m div max(1,
  /// m div p), which is p when p divides m.
  int group = 0;
  bool lifo = false;  ///< GPipe: run the newest micro-batch's backward first
};

}  // namespace makespan
