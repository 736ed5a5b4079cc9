#pragma once

#include <string>
#include <utility>

#include "core/error.h"

namespace makespan {

/// What a schedule is generated for. Which options a kind takes is in its ScheduleKind.
struct ScheduleOptions {
  int ranks = 1;         ///< p
  int microbatches = 1;  ///< m
  int chunks = 0;        ///< v, stages per rank; 0: the fewest that the kind has
  /// Micro-batches that pass a chunk before the next chunk's turn. 0: m div max(1, m div p), which is p when
  /// p divides m.
  int group = 0;
  bool lifo = false;  ///< run the newest micro-batch's backward first
  int pieces = 1;     ///< q, into which each sequence is cut
};

/// An option that a schedule does not accept: what a scenario's file calls otherwise.
class OptionError : public InputError {
 public:
  OptionError(std::string option, std::string what, std::string hint)
      : InputError(SourceLocation{}, option, what, hint),
        option_(std::move(option)),
        reason_(std::move(what)),
        hint_(std::move(hint)) {}

  [[nodiscard]] const std::string& option() const { return option_; }

  [[nodiscard]] const std::string& reason() const { return reason_; }

  [[nodiscard]] const std::string& hint() const { return hint_; }

 private:
  std::string option_;
  std::string reason_;
  std::string hint_;
};

/// Throws an OptionError.
[[noreturn]] void refuse_option(const std::string& option, const std::string& what,
                                const std::string& hint = {});

}  // namespace makespan
