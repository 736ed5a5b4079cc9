// plan_messages: which messages a schedule sends, and what orders them.
#include <algorithm>
#include <iterator>
#include <map>

#include "core/error.h"
#include "schedules/communication.h"
#include "schedules/passes.h"

namespace makespan {

namespace {

constexpr int kNone = -1;

void add_unless_known(std::vector<ActionRef>& list, const ActionRef& known, const ActionRef& action) {
  if (action != known && std::find(list.begin(), list.end(), action) == list.end()) {
    list.push_back(action);
  }
}

/// `message` starts after `action`, `action` after `message`.
void start_after(Message& message, const ActionRef& action) {
  add_unless_known(message.after, message.producer, action);
}

void end_before(Message& message, const ActionRef& action) {
  add_unless_known(message.before, message.consumer, action);
}

void start_after_message(Message& message, int other) {
  if (std::find(message.after_messages.begin(), message.after_messages.end(), other) ==
      message.after_messages.end()) {
    message.after_messages.push_back(other);
  }
}

/// One message per stage boundary between two ranks, micro-batch and direction, in the order of their
/// producers by rank and position.
std::vector<Message> list_messages(const Schedule& schedule) {
  PassTable<ActionRef> where(schedule, ActionRef{});
  const auto for_each_pass = [&](auto&& visit) {
    for (int rank = 0; rank < schedule.ranks; ++rank) {
      const std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
      for (int position = 0; position < static_cast<int>(actions.size()); ++position) {
        const Action& action = actions[static_cast<std::size_t>(position)];
        if (is_pass(action.kind)) {
          visit(action, ActionRef{rank, position});
        }
      }
    }
  };
  for_each_pass([&](const Action& action, const ActionRef& ref) { where.of(action) = ref; });
  std::vector<Message> messages;
  for_each_pass([&](const Action& action, const ActionRef& ref) {
    const int to = schedule.consumer_of(action);
    if (to < 0 || schedule.rank_of(to) == ref.rank) {
      return;
    }
    const bool forward = action.kind == ActionKind::forward;
    Message message;
    message.forward = forward;
    message.from_stage = action.stage;
    message.to_stage = to;
    message.microbatch = action.microbatch;
    message.producer = ref;
    message.consumer = where.at(forward, to, action.microbatch);
    messages.push_back(std::move(message));
  });
  return messages;
}

/// Orders messages as one rank's list with sends and receives does. `Communication` decides what is one
/// stream.
class ListOrder {
 public:
  ListOrder(const Schedule& schedule, Communication communication, std::vector<Message>& messages)
      : schedule_(schedule),
        completed_(insert_communication(schedule)),
        communication_(communication),
        messages_(messages),
        message_from_(schedule, kNone) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      message_from_.at(messages[i].forward, messages[i].from_stage, messages[i].microbatch) =
          static_cast<int>(i);
    }
  }

  void apply() {
    for (int rank = 0; rank < schedule_.ranks; ++rank) {
      walk(rank);
    }
  }

 private:
  /// The message that a SEND or RECV is about, found by the stage that sends it.
  [[nodiscard]] int message_of(const Action& action) {
    const bool forward =
        action.kind == ActionKind::send_forward || action.kind == ActionKind::receive_forward;
    int from = action.stage;
    if (action.kind == ActionKind::receive_forward) {
      --from;
    } else if (action.kind == ActionKind::receive_backward) {
      ++from;
    }
    const int message = message_from_.at(forward, from, action.microbatch);
    MAKESPAN_CHECK(message != kNone, "plan_messages needs a valid schedule");
    return message;
  }

  void walk(int rank) {
    const auto index = static_cast<std::size_t>(rank);
    const std::vector<Action>& own = schedule_.actions[index];
    int compute = kNone;          // position of the last compute in the schedule's own list, if there was one
    int unfinished = kNone;       // the last message, when no compute followed yet
    std::map<int, int> previous;  // the last message of each stream
    for (const Action& action : completed_.actions[index]) {
      if (is_compute(action.kind)) {
        do {
          ++compute;
        } while (!is_compute(own[static_cast<std::size_t>(compute)].kind));
        if (communication_ == Communication::blocking && unfinished != kNone) {
          end_before(messages_[static_cast<std::size_t>(unfinished)], {rank, compute});
        }
        unfinished = kNone;
        continue;
      }
      if (!is_message(action.kind)) {
        continue;
      }
      const int current = message_of(action);
      Message& message = messages_[static_cast<std::size_t>(current)];
      const int peer = message.producer.rank == rank ? message.consumer.rank : message.producer.rank;
      const int stream = communication_ == Communication::per_peer ? peer : 0;
      if (compute != kNone) {
        start_after(message, {rank, compute});
      }
      if (const auto last = previous.find(stream); last != previous.end()) {
        start_after_message(message, last->second);
      }
      previous.insert_or_assign(stream, current);
      unfinished = current;
    }
  }

  const Schedule& schedule_;
  Schedule completed_;
  Communication communication_;
  std::vector<Message>& messages_;
  PassTable<int> message_from_;
};

/// Puts every message into one batched exchange at each end.
class ExchangeOrder {
 public:
  explicit ExchangeOrder(const Schedule& schedule) : schedule_(schedule) {}

  void apply(Message& message) const {
    ActionRef end = message.producer;
    ActionRef begin = message.consumer;
    end.position += is_first_of_pair(end.rank, end.position) ? 1 : 0;
    begin.position -= is_first_of_pair(begin.rank, begin.position - 1) ? 1 : 0;
    hold_up(message, end.rank, sending_exchange(end));
    hold_up(message, begin.rank, receiving_exchange(begin));
  }

 private:
  [[nodiscard]] bool is_first_of_pair(int rank, int position) const {
    return position >= 0 &&
           schedule_.actions[static_cast<std::size_t>(rank)][static_cast<std::size_t>(position)]
               .overlaps_next;
  }

  /// The exchanges of a rank; null when there is one after every action.
  [[nodiscard]] const std::vector<int>* exchanges(int rank) const {
    return schedule_.exchanges.empty() ? nullptr : &schedule_.exchanges[static_cast<std::size_t>(rank)];
  }

  /// The first exchange after `producer`.
  [[nodiscard]] int sending_exchange(const ActionRef& producer) const {
    const std::vector<int>* const points = exchanges(producer.rank);
    if (points == nullptr) {
      return producer.position;
    }
    const auto found = std::lower_bound(points->begin(), points->end(), producer.position);
    return found == points->end() ? producer.position : *found;
  }

  /// The last exchange before `consumer`, or an earlier one that the schedule names.
  [[nodiscard]] int receiving_exchange(const ActionRef& consumer) const {
    const auto rank = static_cast<std::size_t>(consumer.rank);
    if (!schedule_.arrivals.empty()) {
      return schedule_.arrivals[rank][static_cast<std::size_t>(consumer.position)];
    }
    const std::vector<int>* const points = exchanges(consumer.rank);
    if (points == nullptr) {
      return consumer.position - 1;
    }
    const auto found = std::lower_bound(points->begin(), points->end(), consumer.position);
    return found == points->begin() ? consumer.position - 1 : *std::prev(found);
  }

  /// `message` lies between the last compute up to position `exchange` and the first one after it.
  void hold_up(Message& message, int rank, int exchange) const {
    const std::vector<Action>& actions = schedule_.actions[static_cast<std::size_t>(rank)];
    const auto computes = [&](int position) {
      return is_compute(actions[static_cast<std::size_t>(position)].kind);
    };
    int before = exchange;
    while (before >= 0 && !computes(before)) {
      --before;
    }
    if (before >= 0) {
      start_after(message, {rank, before});
    }
    int next = exchange + 1;
    while (next < static_cast<int>(actions.size()) && !computes(next)) {
      ++next;
    }
    if (next < static_cast<int>(actions.size())) {
      end_before(message, {rank, next});
    }
  }

  const Schedule& schedule_;
};

}  // namespace

std::vector<Message> plan_messages(const Schedule& schedule, Communication communication) {
  std::vector<Message> messages = list_messages(schedule);
  switch (communication) {
    case Communication::independent:
      break;
    case Communication::per_peer:
    case Communication::per_rank:
    case Communication::blocking:
      ListOrder(schedule, communication, messages).apply();
      break;
    case Communication::fused: {
      const ExchangeOrder order(schedule);
      for (Message& message : messages) {
        order.apply(message);
      }
      break;
    }
  }
  return messages;
}

}  // namespace makespan
