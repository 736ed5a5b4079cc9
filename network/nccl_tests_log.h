#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "network/collective.h"

namespace makespan {

/// Reads what a program of nccl-tests prints: the out-of-place times, by ascending size (the full buffer, as
/// payload counts it). Rows of equal size (cycles, roots, data types) count by their mean.
///
/// The table is found by its header, so all versions' columns will do. Comments, NCCL's own messages between
/// the rows and the prefixes of mpirun (`[1,0]<stdout>:`) and srun (`0:`) are passed over, so are rows
/// without bytes or whose time is `N/A` or not a number. Throws InputError with line and column: no table or
/// more than one, a row that is broken off, CPU times, no time at all. `source` is what messages call the
/// text.
[[nodiscard]] std::vector<MeasuredTime> parse_nccl_tests_log(std::string_view text,
                                                             const std::string& source);

}  // namespace makespan
