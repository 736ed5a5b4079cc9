#pragma once

#include <string>

#include "scenarios/report.h"

namespace makespan {

/// The report as a person reads it. With `every_rank`, ranks with equal results are not put together.
[[nodiscard]] std::string report_text(const Report& report, bool every_rank = false);

/// The report as JSON, schema makespan.report/1; docs/reference/report.md lists the keys.
[[nodiscard]] std::string report_json(const Report& report, bool every_rank = false);

/// "12.34 ms": four significant digits, in the unit that suits.
[[nodiscard]] std::string time_text(double seconds);

/// "12.3 %": so much of `whole`; "-" when that is not above zero.
[[nodiscard]] std::string share_text(double part, double whole);

/// "12.34 GiB".
[[nodiscard]] std::string bytes_text(Bytes bytes);

}  // namespace makespan
