#include "tools/progress.h"

#include <fmt/format.h>
#include <utility>

#include "tools/signals.h"

namespace makespan {

namespace {

constexpr std::chrono::milliseconds kPatience{500};
constexpr std::chrono::milliseconds kInterval{100};

}  // namespace

Progress::Progress(std::ostream& err, bool shown, std::string what)
    : err_(err), shown_(shown), what_(std::move(what)) {}

Progress::~Progress() {
  if (width_ > 0) {
    err_ << '\r' << std::string(width_, ' ') << '\r' << std::flush;
  }
}

SimulationOptions Progress::options() {
  SimulationOptions options;
  options.progress = [this](std::size_t done, std::size_t total, Time /*now*/) {
    if (shown_ && !start_) {
      start_ = Clock::now();
      next_ = *start_ + kPatience;
    } else if (shown_ && Clock::now() >= next_) {
      show(done, total);
    }
    return stop_signal() == 0;
  };
  return options;
}

void Progress::show(std::size_t done, std::size_t total) {
  const Clock::time_point now = Clock::now();
  next_ = now + kInterval;
  const double elapsed = std::chrono::duration<double>(now - *start_).count();
  const double rate = static_cast<double>(done) / elapsed;
  const std::string left =
      done == 0 ? "" : fmt::format(", {:.0f} s left", static_cast<double>(total - done) / rate);
  const std::string line =
      fmt::format("{}: {:.0f} % of {} tasks, {:.2f} M/s{}", what_,
                  100.0 * static_cast<double>(done) / static_cast<double>(total), total, rate / 1e6, left);
  const std::size_t padding = width_ > line.size() ? width_ - line.size() : 0;
  err_ << '\r' << line << std::string(padding, ' ') << std::flush;
  width_ = line.size();
}

}  // namespace makespan
