#include "schedules/schedule.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/text.h"

namespace makespan {

namespace {

constexpr std::array<std::string_view, kActionKinds> kTokens = {
    "F", "B", "I", "W", "SEND_F", "RECV_F", "SEND_B", "RECV_B", "UNSHARD", "RESHARD", "REDUCE_GRAD"};

/// In the order of Communication.
constexpr std::array<std::string_view, 5> kCommunications = {"independent", "per-peer", "per-rank",
                                                             "blocking", "fused"};

}  // namespace

std::string to_string(const Action& action) {
  std::string text = std::to_string(action.stage);
  text += kTokens[static_cast<std::size_t>(action.kind)];
  if (has_microbatch(action.kind)) {
    text += std::to_string(action.microbatch);
  }
  return text;
}

std::vector<std::string> cells(const std::vector<Action>& actions) {
  std::vector<std::string> result;
  result.reserve(actions.size());
  for (std::size_t i = 0; i < actions.size(); ++i) {
    std::string cell = to_string(actions[i]);
    if (actions[i].overlaps_next && i + 1 < actions.size()) {
      cell = '(' + cell + ';' + to_string(actions[++i]) + ")OVERLAP_F_B";
    }
    result.push_back(std::move(cell));
  }
  return result;
}

int Schedule::consumer_of(const Action& action) const {
  return is_pass(action.kind) ? neighbour(action.stage, action.kind == ActionKind::forward ? 1 : -1) : -1;
}

int Schedule::producer_of(const Action& action) const {
  return is_pass(action.kind) ? neighbour(action.stage, action.kind == ActionKind::forward ? -1 : 1) : -1;
}

/// The stage `step` away in the same replica, or -1 beyond the ends of the model.
int Schedule::neighbour(int stage, int step) const {
  const int inside = stage % model_stages() + step;
  return inside >= 0 && inside < model_stages() ? stage + step : -1;
}

std::string_view to_string(Communication communication) {
  return kCommunications[static_cast<std::size_t>(communication)];
}

Communication communication_named(std::string_view name) {
  const auto* const found = std::find(kCommunications.begin(), kCommunications.end(), name);
  if (found == kCommunications.end()) {
    throw InputError(SourceLocation{}, "communication",
                     "unknown kind of communication '" + std::string(name) + "'",
                     suggestion(name, kCommunications));
  }
  return static_cast<Communication>(found - kCommunications.begin());
}

}  // namespace makespan
