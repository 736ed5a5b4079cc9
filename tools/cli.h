#pragma once

#include <ostream>
#include <span>
#include <string>

namespace makespan {

/// Exit codes of the program.
enum class ExitCode : int {
  done = 0,
  infeasible = 1,  ///< valid input that cannot run, or a trace that breaks a law
  bad_input = 2,   ///< including wrong usage
  not_written = 3,
  interrupted = 128,  ///< plus the number of the signal
};

/// Runs `makespan` with these arguments (without the program's name) and returns the exit code. Results go to
/// `out`, which is flushed, everything else to `err`.
int run_cli(std::span<const std::string> arguments, std::ostream& out, std::ostream& err);

}  // namespace makespan
