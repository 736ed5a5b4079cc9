#include "schedules/deadlock.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "core/error.h"

namespace makespan {

namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

/// Actions and messages as the nodes of a graph of what waits for what. Both actions of a pair are one node.
class Waits {
 public:
  Waits(const Schedule& schedule, const std::vector<Message>& messages) : messages_(messages) {
    for (const std::vector<Action>& actions : schedule.actions) {
      std::vector<std::size_t>& nodes = nodes_.emplace_back();
      for (std::size_t i = 0; i < actions.size(); ++i) {
        const bool is_second = i > 0 && actions[i - 1].overlaps_next;
        nodes.push_back(is_second ? nodes.back() : count_++);
      }
    }
    first_message_ = count_;
    count_ += messages.size();
    collect();
  }

  /// Removes what can run, over and over.
  void run() {
    std::sort(edges_.begin(), edges_.end());
    std::vector<std::size_t> missing(count_, 0);
    for (const auto& [before, after] : edges_) {
      ++missing[after];
    }
    std::vector<std::size_t> ready;
    for (std::size_t node = 0; node < count_; ++node) {
      if (missing[node] == 0) {
        ready.push_back(node);
      }
    }
    is_done_.assign(count_, false);
    while (!ready.empty()) {
      const std::size_t node = ready.back();
      ready.pop_back();
      is_done_[node] = true;
      const auto begin = std::lower_bound(edges_.begin(), edges_.end(), std::pair(node, std::size_t{0}));
      for (auto edge = begin; edge != edges_.end() && edge->first == node; ++edge) {
        if (--missing[edge->second] == 0) {
          ready.push_back(edge->second);
        }
      }
    }
  }

  /// The first action of a rank that never runs; the length of its list when there is none.
  [[nodiscard]] std::size_t stuck_at(std::size_t rank) const {
    const std::vector<std::size_t>& nodes = nodes_[rank];
    return static_cast<std::size_t>(
        std::find_if(nodes.begin(), nodes.end(), [this](std::size_t node) { return !is_done_[node]; }) -
        nodes.begin());
  }

  [[nodiscard]] bool is_done(const ActionRef& action) const { return is_done_[node(action)]; }

  [[nodiscard]] bool is_message_done(std::size_t message) const { return is_done_[first_message_ + message]; }

  /// A message for which the stuck action of `rank` waits.
  [[nodiscard]] std::size_t message_before(std::size_t rank) const {
    const std::size_t target = nodes_[rank][stuck_at(rank)];
    for (std::size_t m = 0; m < messages_.size(); ++m) {
      const auto is_target = [&](const ActionRef& action) { return node(action) == target; };
      const Message& message = messages_[m];
      if (!is_message_done(m) && (is_target(message.consumer) ||
                                  std::any_of(message.before.begin(), message.before.end(), is_target))) {
        return m;
      }
    }
    MAKESPAN_CHECK(false, "a valid schedule is stuck at messages alone");
    return kNone;
  }

 private:
  [[nodiscard]] std::size_t node(const ActionRef& action) const {
    return nodes_[static_cast<std::size_t>(action.rank)][static_cast<std::size_t>(action.position)];
  }

  void collect() {
    for (const std::vector<std::size_t>& nodes : nodes_) {
      for (std::size_t i = 1; i < nodes.size(); ++i) {
        if (nodes[i - 1] != nodes[i]) {
          edges_.emplace_back(nodes[i - 1], nodes[i]);
        }
      }
    }
    for (std::size_t m = 0; m < messages_.size(); ++m) {
      const Message& message = messages_[m];
      const std::size_t self = first_message_ + m;
      edges_.emplace_back(node(message.producer), self);
      edges_.emplace_back(self, node(message.consumer));
      for (const ActionRef& action : message.after) {
        edges_.emplace_back(node(action), self);
      }
      for (const ActionRef& action : message.before) {
        edges_.emplace_back(self, node(action));
      }
      for (const int earlier : message.after_messages) {
        edges_.emplace_back(first_message_ + static_cast<std::size_t>(earlier), self);
      }
    }
  }

  const std::vector<Message>& messages_;
  std::vector<std::vector<std::size_t>> nodes_;  ///< by rank and position
  std::size_t first_message_ = 0;
  std::size_t count_ = 0;
  std::vector<std::pair<std::size_t, std::size_t>> edges_;
  std::vector<bool> is_done_;
};

/// Follows what waits until it comes back to a rank or a message.
class Story {
 public:
  Story(const Schedule& schedule, const std::vector<Message>& messages, const Waits& waits)
      : schedule_(schedule), messages_(messages), waits_(waits) {}

  [[nodiscard]] std::string tell(std::size_t rank) {
    std::vector<std::size_t> seen(schedule_.actions.size(), kNone);  // sentence, by rank
    std::vector<std::string> sentences;
    while (rank != kNone && seen[rank] == kNone) {
      seen[rank] = sentences.size();
      const Action& action = schedule_.actions[rank][waits_.stuck_at(rank)];
      std::string sentence = "rank " + std::to_string(rank) + " waits at " + to_string(action);
      rank = follow(waits_.message_before(rank), sentence);
      sentences.push_back(std::move(sentence));
    }
    std::string story;
    for (std::size_t i = rank == kNone ? sentences.size() - 1 : seen[rank]; i < sentences.size(); ++i) {
      story += (story.empty() ? "" : "; ") + sentences[i];
    }
    return story;
  }

 private:
  /// Adds why a message does not come; the rank that holds it up, or kNone when messages wait in a circle.
  std::size_t follow(std::size_t m, std::string& sentence) const {
    sentence += " for " + text(m);
    std::vector<std::size_t> passed;
    while (std::find(passed.begin(), passed.end(), m) == passed.end()) {
      passed.push_back(m);
      const Message& message = messages_[m];
      if (!waits_.is_done(message.producer)) {
        return static_cast<std::size_t>(message.producer.rank);
      }
      const auto late = std::find_if(message.after.begin(), message.after.end(),
                                     [this](const ActionRef& action) { return !waits_.is_done(action); });
      if (late != message.after.end()) {
        sentence +=
            ", which rank " + std::to_string(late->rank) + " joins only after " + to_string(at(*late));
        return static_cast<std::size_t>(late->rank);
      }
      const auto earlier = std::find_if(
          message.after_messages.begin(), message.after_messages.end(),
          [this](int other) { return !waits_.is_message_done(static_cast<std::size_t>(other)); });
      MAKESPAN_CHECK(earlier != message.after_messages.end(), "what waits waits for something");
      m = static_cast<std::size_t>(*earlier);
      sentence += ", which is queued behind " + text(m);
    }
    return kNone;
  }

  [[nodiscard]] const Action& at(const ActionRef& action) const {
    return schedule_
        .actions[static_cast<std::size_t>(action.rank)][static_cast<std::size_t>(action.position)];
  }

  [[nodiscard]] std::string text(std::size_t m) const {
    const Message& message = messages_[m];
    return std::string(message.forward ? "the activation of " : "the gradient of ") +
           to_string(at(message.producer)) + " from rank " + std::to_string(message.producer.rank) +
           " to rank " + std::to_string(message.consumer.rank);
  }

  const Schedule& schedule_;
  const std::vector<Message>& messages_;
  const Waits& waits_;
};

}  // namespace

std::string find_deadlock(const Schedule& schedule, Communication communication) {
  const std::vector<Message> messages = plan_messages(schedule, communication);
  Waits waits(schedule, messages);
  waits.run();
  for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    if (waits.stuck_at(rank) < schedule.actions[rank].size()) {
      return "deadlock with " + std::string(to_string(communication)) +
             " communication: " + Story(schedule, messages, waits).tell(rank);
    }
  }
  return {};
}

}  // namespace makespan
