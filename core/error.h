#pragma once

#include <stdexcept>  // runtime_error
#include <string>
#include <utility>

namespace makespan {

/// Base of everything the library throws. There are two failure channels: these exceptions, for what a user can
/// cause, and MAKESPAN_CHECK, which aborts, for our own bugs. Nothing below the command line catches them.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A place in an input file. Line and column count from 1; 0 means unknown.
struct SourceLocation {
  std::string file;
  int line = 0;
  int column = 0;

  /// "file:line:column", leaving out what is unknown.
  [[nodiscard]] std::string text() const;
};

/// The input is not acceptable: bad syntax, an unknown key, a value out of range. Exit code 2.
class InputError : public Error {
 public:
  using Error::Error;
  /// "file:line:column: key: what", and on a second line "  hint: ..." when a hint is given.
  InputError(const SourceLocation& where, const std::string& key, const std::string& what,
             const std::string& hint = {});
};

/// The input is valid but cannot run: out of memory, a schedule that deadlocks, no route, simulated time past
/// its range. Exit code 1.
class InfeasibleError : public Error {
 public:
  using Error::Error;
};

/// A result could not be written. Exit code 3.
class OutputError : public Error {
 public:
  using Error::Error;
};

/// The run was stopped from outside. Exit code 128 + the signal's number.
class Interrupted : public Error {
 public:
  using Error::Error;
};

namespace detail {
[[noreturn]] void check_failed(const char* condition, const char* file, int line, const char* why);
}  // namespace detail

}  // namespace makespan

/// Aborts with a message when `condition` does not hold. Only for what no input can cause; always compiled in.
#define MAKESPAN_CHECK(condition, why) \
  ((condition) ? static_cast<void>(0) : ::makespan::detail::check_failed(#condition, __FILE__, __LINE__, why))
