#include "schedules/options.h"

namespace makespan {

void refuse_option(const std::string& option, const std::string& what, const std::string& hint) {
  throw OptionError(option, what, hint);
}

}  // namespace makespan
