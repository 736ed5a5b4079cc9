#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace makespan {

/// `text` in single quotes for a message: shortened to 40 bytes (at a character boundary), control bytes
/// escaped.
[[nodiscard]] std::string shown(std::string_view text);

/// What is wrong with one input, gathered so that a person sees it all at once: the first 20 problems in full
/// and the number of the others.
class Problems {
 public:
  void add(const SourceLocation& where, const std::string& key, const std::string& what,
           const std::string& hint = {});

  /// Adds what `error` says.
  void add(const InputError& error);

  /// Adds a problem after which reading cannot go on, and throws all of them.
  [[noreturn]] void fail(const SourceLocation& where, const std::string& key, const std::string& what,
                         const std::string& hint = {});

  [[nodiscard]] bool empty() const { return count_ == 0; }

  /// Throws one InputError with all problems, in the order in which they were added; does nothing when there
  /// are none.
  void throw_if_any() const;

 private:
  std::vector<std::string> messages_;
  std::size_t count_ = 0;
};

}  // namespace makespan
