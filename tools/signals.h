#pragma once

namespace makespan {

/// SIGINT and SIGTERM are noted, so that a run stops at its next step; a second one ends the process at once.
/// Writing to a closed pipe or past the file-size limit becomes an error of the write instead of a signal.
/// Standard descriptors that are closed are occupied, so that no output file ever takes their place.
void prepare_process();

/// The number of the signal that asked this process to stop, or 0.
[[nodiscard]] int stop_signal();

}  // namespace makespan
