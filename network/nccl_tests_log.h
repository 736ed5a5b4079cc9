#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "network/collective.h"

namespace makespan {

/// What a program of nccl-tests printed.
struct NcclTestsLog {
  std::vector<MeasuredTime> times = {};
  int ranks = 0;  ///< of the first group that ran; 0 where the log does not list them
  int nodes = 0;
};

/// Takes the log's times and the group that it is of.
void take_log(CollectiveChoice& choice, NcclTestsLog log);

/// Why times of the group that was measured say little of one of `ranks` on `nodes`; empty where it was like
/// this one or is not known.
[[nodiscard]] std::string measured_mismatch(const CollectiveChoice& choice, std::size_t ranks,
                                            std::size_t nodes);

/// Reads what a program of nccl-tests prints: the out-of-place times, by ascending size (the full buffer, as
/// payload counts it), and from the list of ranks at its top how many there are on how many hosts. Rows of
/// equal size (cycles, roots, data types) count by their mean.
///
/// The table is found by its header, so all versions' columns will do. Comments, NCCL's own messages between
/// the rows and the prefixes of mpirun (`[1,0]<stdout>:`) and srun (`0:`) are passed over, so are rows
/// without bytes or whose time is `N/A` or not a number. Throws InputError with line and column: no table or
/// more than one, a row that is broken off, CPU times, no time at all. `source` is what messages call the
/// text.
[[nodiscard]] NcclTestsLog parse_nccl_tests_log(std::string_view text, const std::string& source);

}  // namespace makespan
