#include "schedules/options.h"

#include "core/error.h"

namespace makespan {

void refuse_option(const std::string& option, const std::string& what, const std::string& hint) {
  throw InputError(SourceLocation{}, option, what, hint);
}

}  // namespace makespan
