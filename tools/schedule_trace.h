#pragma once

#include "schedules/bare.h"
#include "schedules/bare_costs.h"
#include "schedules/schedule.h"
#include "tools/chrome_trace.h"

namespace makespan {

/// Writes a bare schedule as a trace (write_chrome_trace), all ranks. Where costs have no unit, one of theirs
/// is shown as a millisecond; begins and ends are rounded down to picoseconds. The two halves of an
/// overlapped pair are two slices of the same time on two threads. Throws InputError when the times do not
/// fit the range of picoseconds.
TraceSize write_schedule_trace(const ByteSink& sink, const Schedule& schedule, const BareRun& run,
                               const BareCosts& costs);

}  // namespace makespan
