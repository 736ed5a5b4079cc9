#include "core/error.h"

#include <cstdio>   // fprintf
#include <cstdlib>  // abort

namespace makespan {

std::string SourceLocation::text() const {
  std::string text = file;
  if (line > 0) {
    text += ':' + std::to_string(line);
    if (column > 0) {
      text += ':' + std::to_string(column);
    }
  }
  return text;
}

namespace {

std::string compose(const SourceLocation& where, const std::string& key, const std::string& what,
                    const std::string& hint) {
  std::string message = where.text();
  for (const std::string& part : {key, what}) {
    if (!part.empty()) {
      message += (message.empty() ? "" : ": ") + part;
    }
  }
  if (!hint.empty()) {
    message += "\n  hint: " + hint;
  }
  return message;
}

}  // namespace

InputError::InputError(const SourceLocation& where, const std::string& key, const std::string& what,
                       const std::string& hint)
    : Error(compose(where, key, what, hint)) {}

void detail::check_failed(const char* condition, const char* file, int line, const char* why) {
  std::fprintf(stderr, "%s:%d: internal error: %s (%s)\n", file, line, why, condition);
  std::abort();
}

}  // namespace makespan
