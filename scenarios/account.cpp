#include "scenarios/account.h"

#include <functional>
#include <utility>

namespace makespan {

namespace {

/// What a rank contributes to an item.
struct Part {
  std::string cause;
  std::function<Time(const RankTime&)> of;
};

std::vector<Part> parts() {
  std::vector<Part> result = {{"compute", [](const RankTime& rank) { return rank.compute - rank.slowdown; }},
                              {"compute_slowdown", [](const RankTime& rank) { return rank.slowdown; }}};
  for (std::size_t i = 0; i < kGroups; ++i) {
    const std::string group(to_string(static_cast<Group>(i)));
    result.push_back(
        {"exposed_" + group, [i](const RankTime& rank) { return rank.exposed[i] - rank.contention[i]; }});
    result.push_back({"contention_" + group, [i](const RankTime& rank) { return rank.contention[i]; }});
  }
  for (std::size_t i = 0; i < kBubbles; ++i) {
    result.push_back({"bubble_" + std::string(to_string(static_cast<Bubble>(i))),
                      [i](const RankTime& rank) { return rank.bubble[i]; }});
  }
  return result;
}

}  // namespace

std::vector<AccountItem> account(const Report& report) {
  std::vector<AccountItem> items;
  Time total;    // over ranks and the items so far
  Time counted;  // the mean of it, rounded down
  for (Part& part : parts()) {
    for (const RankReport& rank : report.ranks) {
      total += part.of(rank.time);
    }
    const auto ranks = static_cast<std::int64_t>(report.ranks.size());
    const Time mean(ranks == 0 ? 0 : total.count() / ranks);
    items.push_back({std::move(part.cause), mean - counted});
    counted = mean;
  }
  return items;
}

}  // namespace makespan
