#include "schedules/schedule.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/text.h"

namespace makespan {

namespace {

constexpr std::array<std::string_view, 8> kTokens = {"F",      "B",      "I",      "W",
                                                     "SEND_F", "RECV_F", "SEND_B", "RECV_B"};

/// In the order of Communication.
constexpr std::array<std::string_view, 5> kCommunications = {"independent", "per-peer", "per-rank",
                                                             "blocking", "fused"};

/// The neighbour of a stage `step` away, or -1 beyond the ends of the model.
int neighbour(int stage, int step, int stages) {
  const int other = stage + step;
  return other >= 0 && other < stages ? other : -1;
}

}  // namespace

std::string to_string(const Action& action) {
  std::string text = std::to_string(action.stage);
  text += kTokens[static_cast<std::size_t>(action.kind)];
  text += std::to_string(action.microbatch);
  return text;
}

int consumer_stage(const Action& action, int stages) {
  if (action.kind == ActionKind::backward_weight) {
    return -1;
  }
  return neighbour(action.stage, action.kind == ActionKind::forward ? 1 : -1, stages);
}

int producer_stage(const Action& action, int stages) {
  if (action.kind == ActionKind::backward_weight) {
    return -1;
  }
  return neighbour(action.stage, action.kind == ActionKind::forward ? -1 : 1, stages);
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
