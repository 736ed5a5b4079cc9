#pragma once

#include <string>
#include <vector>

#include "schedules/schedule.h"

namespace makespan {

/// What is wrong with the shape of `schedule`, one sentence each, at most kMaxProblems and a last one that
/// counts the rest: stages and micro-batches that do not exist, actions on a rank that does not own the
/// stage, passes that are missing, repeated or split wrongly (each stage runs F and either B or I and W once
/// per micro-batch), a rank's list that runs F after B, B before its input or W before I, and, in lists that
/// spell out communication, sends and receives without their counterpart or out of order. Empty when nothing
/// is.
[[nodiscard]] std::vector<std::string> find_problems(const Schedule& schedule);
inline constexpr std::size_t kMaxProblems = 20;

/// The cycle of ranks that wait for each other for ever, as "deadlock: rank 0 waits at 0B0 for 1B0 of rank 1;
/// ...", when messages are independent; empty when every list runs to its end. Requires a schedule without
/// problems.
[[nodiscard]] std::string find_deadlock(const Schedule& schedule);

/// find_problems, and if there are none, the deadlock.
[[nodiscard]] std::vector<std::string> validate(const Schedule& schedule);

/// Throws InputError with all problems, or InfeasibleError with the deadlock: of messages that are
/// independent, or of those under `communication`.
void require_valid(const Schedule& schedule, Communication communication = Communication::independent);

}  // namespace makespan
