#include "core/units.h"

#include <cmath>

#include "core/error.h"

namespace makespan {

namespace {

/// 2^63: the first double that a signed 64-bit integer cannot hold.
constexpr double kLimit = 9223372036854775808.0;

std::int64_t rounded(double value, const char* what) {
  const double nearest = std::floor(value + 0.5);
  if (!(nearest >= 0.0) || nearest >= kLimit) {  // also refuses NaN
    throw InfeasibleError(std::string(what) + " is out of range");
  }
  return static_cast<std::int64_t>(nearest);
}

}  // namespace

void detail::quantity_overflow() {
  throw InfeasibleError("a time, size or rate leaves the range of 64 bits (simulated time ends at 106 days)");
}

Time time_from_seconds(double seconds) { return Time(rounded(seconds * 1e12, "a duration")); }

Rate rate_from_bytes_per_second(double bytes_per_second) {
  return Rate(rounded(bytes_per_second * 1e3, "a transfer rate"));
}

}  // namespace makespan
