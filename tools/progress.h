#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string>

#include "core/simulator.h"

namespace makespan {

/// A line on a terminal that says how far a run is: rate and time left, at most ten times a second, and not
/// in the first half second. It also asks the run to stop when the process was told to.
class Progress {
 public:
  /// With `shown` false nothing is written.
  Progress(std::ostream& err, bool shown, std::string what);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;
  /// Wipes the line.
  ~Progress();

  /// Options for a run that reports here, which must outlive the run.
  [[nodiscard]] SimulationOptions options();

 private:
  using Clock = std::chrono::steady_clock;

  void show(std::size_t done, std::size_t total);

  std::ostream& err_;
  bool shown_;
  std::string what_;
  std::optional<Clock::time_point> start_;  ///< when the run first reported
  Clock::time_point next_;
  std::size_t width_ = 0;  ///< characters on the terminal's line
};

}  // namespace makespan
