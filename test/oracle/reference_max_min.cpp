#include "test/oracle/reference_max_min.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace makespan::oracle {

namespace {

__extension__ typedef __int128 Int128;

/// floor((1024 * capacity - what frozen variables take) / (weights of open variables); nothing without an
/// open variable.
std::optional<std::int64_t> level(std::size_t resource, Rate capacity,
                                  std::span<const std::vector<Use>> variables,
                                  const std::vector<std::optional<Rate>>& rates) {
  Int128 left = Int128(capacity.count()) * 1024;
  Int128 open = 0;
  for (std::size_t v = 0; v < variables.size(); ++v) {
    for (const Use& use : variables[v]) {
      if (use.resource.index() != resource) {
        continue;
      }
      if (rates[v]) {
        left -= Int128(rates[v]->count()) * use.weight;
      } else {
        open += use.weight;
      }
    }
  }
  if (open == 0) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(std::min(left / open, Int128(std::numeric_limits<std::int64_t>::max())));
}

}  // namespace

std::vector<Rate> max_min(std::span<const Rate> capacities, std::span<const std::vector<Use>> variables) {
  std::vector<std::optional<Rate>> rates(variables.size());
  while (std::find(rates.begin(), rates.end(), std::nullopt) != rates.end()) {
    std::vector<std::optional<std::int64_t>> levels;
    std::optional<std::int64_t> least;
    for (std::size_t r = 0; r < capacities.size(); ++r) {
      levels.push_back(level(r, capacities[r], variables, rates));
      if (levels[r] && (!least || *levels[r] < *least)) {
        least = levels[r];
      }
    }
    for (std::size_t v = 0; v < variables.size(); ++v) {
      const bool saturated = std::any_of(variables[v].begin(), variables[v].end(), [&](const Use& use) {
        return levels[use.resource.index()] == least;
      });
      if (!rates[v] && saturated) {
        rates[v] = Rate(*least);
      }
    }
  }
  std::vector<Rate> result;
  for (const std::optional<Rate>& rate : rates) {
    result.push_back(*rate);
  }
  return result;
}

}  // namespace makespan::oracle
