#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace makespan {

/// "8,16,24", or "8:128", "8:128:x2" (a factor; the default) or "8:128:+8" (a step): whole numbers from 1 to
/// a million, ascending, each once. Throws InputError naming `option`, also for more than 64.
[[nodiscard]] std::vector<std::int64_t> parse_counts(std::string_view text, const std::string& option);

}  // namespace makespan
