#include "core/text.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace makespan {

namespace {

/// More changes than this is another word, not a slip.
constexpr std::size_t kMaxChanges = 2;

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() +
                               1);  // distances from the part of `a` read so far to each prefix of `b`
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

std::optional<std::string_view> nearest(std::string_view name, std::span<const std::string_view> candidates) {
  std::optional<std::string_view> best;
  std::size_t fewest = kMaxChanges + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t longer = std::max(name.size(), candidate.size());
    const std::size_t shorter = std::min(name.size(), candidate.size());
    if (longer - shorter >= fewest) {
      continue;  // the lengths alone differ too much; also keeps a huge name cheap
    }
    const std::size_t changes = edit_distance(name, candidate);
    if (changes < fewest && 2 * changes <= candidate.size()) {
      best = candidate;
      fewest = changes;
    }
  }
  return best;
}

std::string suggestion(std::string_view name, std::span<const std::string_view> candidates) {
  if (const auto near = nearest(name, candidates)) {
    return "did you mean '" + std::string(*near) + "'?";
  }
  std::string text = "known:";
  for (const std::string_view candidate : candidates) {
    text += (text.back() == ':' ? " " : ", ") + std::string(candidate);
  }
  return text;
}

}  // namespace makespan
