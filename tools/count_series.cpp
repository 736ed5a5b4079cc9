#include "tools/count_series.h"

#include <charconv>
#include <fmt/format.h>
#include <set>

#include "core/error.h"

namespace makespan {

namespace {

constexpr std::int64_t kMostCount = 1'000'000;
constexpr std::size_t kMostCounts = 64;

std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(separator); end != std::string_view::npos; end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  parts.push_back(text);
  return parts;
}

std::int64_t count_of(std::string_view text, const std::string& option) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 1 || count > kMostCount) {
    throw InputError({}, option, fmt::format("'{}' is not a whole number from 1 to {}", text, kMostCount),
                     "write a list such as 8,16,24 or a series such as 8:128:x2");
  }
  return count;
}

std::set<std::int64_t> series(const std::vector<std::string_view>& parts, const std::string& option) {
  const std::int64_t first = count_of(parts[0], option);
  const std::int64_t last = count_of(parts[1], option);
  const std::string_view step = parts.size() == 3 ? parts[2] : "x2";
  const bool is_factor = step.starts_with('x');
  if (!is_factor && !step.starts_with('+')) {
    throw InputError({}, option, fmt::format("'{}' is neither a factor nor a step", step),
                     "a factor such as x2, or a step such as +8");
  }
  const std::int64_t by = count_of(step.substr(1), option);
  if (last < first || (is_factor && by == 1)) {
    throw InputError({}, option,
                     last < first ? fmt::format("{} is less than {}", last, first)
                                  : std::string("a factor of 1 leads nowhere"));
  }
  std::set<std::int64_t> counts;
  for (std::int64_t count = first; count <= last && counts.size() <= kMostCounts;
       count = is_factor ? count * by : count + by) {
    counts.insert(count);
  }
  return counts;
}

}  // namespace

std::vector<std::int64_t> parse_counts(std::string_view text, const std::string& option) {
  std::set<std::int64_t> counts;
  const std::vector<std::string_view> parts = parts_of(text, ':');
  if (parts.size() > 3) {
    throw InputError({}, option, fmt::format("'{}' has too many parts", text),
                     "FROM:TO:xFACTOR, such as 8:128:x2");
  }
  if (parts.size() > 1) {
    counts = series(parts, option);
  } else {
    for (const std::string_view part : parts_of(text, ',')) {
      counts.insert(count_of(part, option));
    }
  }
  if (counts.size() > kMostCounts) {
    throw InputError({}, option, fmt::format("more than {} numbers", kMostCounts), "take a larger step");
  }
  return {counts.begin(), counts.end()};
}

}  // namespace makespan
