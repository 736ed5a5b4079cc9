#include "schedules/validate.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "core/error.h"
#include "schedules/deadlock.h"
#include "schedules/evictions.h"
#include "schedules/passes.h"

namespace makespan {

namespace {

std::size_t number_of(ActionKind kind) {
  return static_cast<std::size_t>(kind);
}

/// Sentences, of which only the first few are kept.
class Problems {
 public:
  void add(std::string sentence) {
    if (sentences_.size() < kMaxProblems) {
      sentences_.push_back(std::move(sentence));
    } else {
      ++dropped_;
    }
  }

  [[nodiscard]] bool empty() const { return sentences_.empty(); }

  [[nodiscard]] std::vector<std::string> take() && {
    if (dropped_ > 0) {
      sentences_.push_back("... and " + std::to_string(dropped_) + " more problems");
    }
    return std::move(sentences_);
  }

 private:
  std::vector<std::string> sentences_;
  std::size_t dropped_ = 0;
};

std::string rank_text(std::size_t rank) {
  return "rank " + std::to_string(rank);
}

void check_positions(const std::vector<std::vector<int>>& lists, const Schedule& schedule,
                     const std::string& what, bool ascending, Problems& problems) {
  if (lists.empty()) {
    return;
  }
  if (lists.size() != schedule.actions.size()) {
    problems.add("there are " + what + " for " + std::to_string(lists.size()) + " ranks, not " +
                 std::to_string(schedule.ranks));
    return;
  }
  for (std::size_t rank = 0; rank < lists.size(); ++rank) {
    const auto count = static_cast<int>(schedule.actions[rank].size());
    const bool inside = std::all_of(lists[rank].begin(), lists[rank].end(),
                                    [&](int position) { return position >= -1 && position < count; });
    if (!inside) {
      problems.add(rank_text(rank) + " has " + what + " outside its list");
    } else if (ascending && !std::is_sorted(lists[rank].begin(), lists[rank].end())) {
      problems.add(rank_text(rank) + " has " + what + " that are not in ascending order");
    }
  }
}

/// Sizes that everything else relies on.
void check_sizes(const Schedule& schedule, Problems& problems) {
  if (schedule.ranks < 1 || schedule.microbatches < 1 || schedule.chunks < 1 || schedule.stages() < 1 ||
      schedule.replicas < 1 || schedule.pieces < 1) {
    problems.add("a schedule needs at least one rank, stage, chunk, micro-batch, replica and piece");
    return;
  }
  if (schedule.stages() % schedule.replicas != 0 || schedule.microbatches % schedule.replicas != 0) {
    problems.add(std::to_string(schedule.stages()) + " stages and " + std::to_string(schedule.microbatches) +
                 " micro-batches do not divide evenly among " + std::to_string(schedule.replicas) +
                 " replicas");
    return;
  }
  if (schedule.microbatches % schedule.pieces != 0) {
    problems.add(std::to_string(schedule.microbatches) + " pieces of sequences are not whole sequences of " +
                 std::to_string(schedule.pieces));
    return;
  }
  if (schedule.actions.size() != static_cast<std::size_t>(schedule.ranks)) {
    problems.add("there are action lists for " + std::to_string(schedule.actions.size()) + " ranks, not " +
                 std::to_string(schedule.ranks));
    return;
  }
  for (int stage = 0; stage < schedule.stages(); ++stage) {
    const int rank = schedule.rank_of_stage[static_cast<std::size_t>(stage)];
    if (rank < 0 || rank >= schedule.ranks) {
      problems.add("stage " + std::to_string(stage) + " is placed on rank " + std::to_string(rank) +
                   ", which does not exist");
    }
  }
  check_positions(schedule.exchanges, schedule, "exchanges", true, problems);
  check_positions(schedule.arrivals, schedule, "arrivals", false, problems);
  for (std::size_t rank = 0; rank < schedule.arrivals.size() && rank < schedule.actions.size(); ++rank) {
    if (schedule.arrivals[rank].size() != schedule.actions[rank].size()) {
      problems.add(rank_text(rank) + " has " + std::to_string(schedule.arrivals[rank].size()) +
                   " arrivals for " + std::to_string(schedule.actions[rank].size()) + " actions");
    }
  }
  std::size_t actions = 0;
  for (const std::vector<Action>& list : schedule.actions) {
    actions += list.size();
  }
  const auto least = 2 * static_cast<std::uint64_t>(schedule.stages()) *
                     static_cast<std::uint64_t>(schedule.stage_microbatches());
  if (actions < least) {  // also bounds the tables below by the size of the input
    problems.add(std::to_string(schedule.stages()) + " stages and " +
                 std::to_string(schedule.stage_microbatches()) + " micro-batches need at least " +
                 std::to_string(least) + " actions, but there are " + std::to_string(actions));
  }
}

void check_action(const Schedule& schedule, std::size_t rank, const Action& action, Problems& problems) {
  if (action.stage < 0 || action.stage >= schedule.stages()) {
    problems.add(rank_text(rank) + ": " + to_string(action) +
                 " names a stage that does not exist; stages are 0 to " +
                 std::to_string(schedule.stages() - 1));
    return;
  }
  if (action.microbatch < 0 || action.microbatch >= schedule.stage_microbatches()) {
    problems.add(rank_text(rank) + ": " + to_string(action) +
                 " names a micro-batch that does not exist; micro-batches are 0 to " +
                 std::to_string(schedule.stage_microbatches() - 1));
    return;
  }
  const int owner = schedule.rank_of(action.stage);
  if (static_cast<std::size_t>(owner) != rank) {
    problems.add(rank_text(rank) + ": " + to_string(action) + " belongs to rank " + std::to_string(owner) +
                 ", which owns stage " + std::to_string(action.stage));
  }
}

/// Where each kind of action of one (stage, micro-batch) stands in its rank's list; -1 is nowhere.
using Positions = std::array<std::int32_t, kActionKinds>;

/// The positions of all actions. Adds a problem for every action that is listed twice.
std::vector<Positions> locate(const Schedule& schedule, Problems& problems) {
  Positions nowhere{};
  nowhere.fill(-1);
  const auto microbatches = static_cast<std::size_t>(schedule.stage_microbatches());
  std::vector<Positions> table(static_cast<std::size_t>(schedule.stages()) * microbatches, nowhere);
  for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    for (std::size_t i = 0; i < schedule.actions[rank].size(); ++i) {
      const Action& action = schedule.actions[rank][i];
      if (!has_microbatch(action.kind)) {
        continue;
      }
      std::int32_t& position = table[static_cast<std::size_t>(action.stage) * microbatches +
                                     static_cast<std::size_t>(action.microbatch)][number_of(action.kind)];
      if (position >= 0) {
        problems.add(rank_text(rank) + " runs " + to_string(action) + " twice");
      }
      position = static_cast<std::int32_t>(i);
    }
  }
  return table;
}

/// Checks all actions of one (stage, micro-batch) against each other and against its neighbours.
class PassChecker {
 public:
  PassChecker(const Schedule& schedule, const std::vector<Positions>& table, bool spells_communication,
              Problems& problems)
      : schedule_(schedule),
        table_(table),
        spells_communication_(spells_communication),
        problems_(problems) {}

  void check(int stage, int microbatch) {
    stage_ = stage;
    microbatch_ = microbatch;
    check_counts();
    require_order(ActionKind::forward, ActionKind::backward);
    require_order(ActionKind::forward, ActionKind::backward_input);
    require_order(ActionKind::backward_input, ActionKind::backward_weight);
    check_pieces();
    if (spells_communication_) {
      check_communication();
    }
  }

 private:
  [[nodiscard]] int position(ActionKind kind) const { return position(kind, microbatch_); }

  [[nodiscard]] int position(ActionKind kind, int microbatch) const {
    return table_[static_cast<std::size_t>(stage_) *
                      static_cast<std::size_t>(schedule_.stage_microbatches()) +
                  static_cast<std::size_t>(microbatch)][number_of(kind)];
  }

  [[nodiscard]] bool has(ActionKind kind) const { return position(kind) >= 0; }

  [[nodiscard]] std::string text(ActionKind kind) const {
    return to_string(Action{kind, stage_, microbatch_});
  }

  [[nodiscard]] std::string where() const {
    return "stage " + std::to_string(stage_) + ", micro-batch " + std::to_string(microbatch_);
  }

  void require_order(ActionKind first, ActionKind second) {
    if (has(first) && has(second) && position(first) > position(second)) {
      problems_.add(text(second) + " is listed before " + text(first) + ", which it needs");
    }
  }

  void check_counts() {
    const bool whole = has(ActionKind::backward);
    const bool input = has(ActionKind::backward_input);
    const bool weight = has(ActionKind::backward_weight);
    if (!has(ActionKind::forward)) {
      problems_.add(where() + ": the forward pass " + text(ActionKind::forward) + " is missing");
    }
    if (whole && (input || weight)) {
      problems_.add(where() + ": runs both the whole backward pass B and one of its halves I and W");
    } else if (!whole && !input && !weight) {
      problems_.add(where() + ": the backward pass is missing");
    } else if (!whole && input != weight) {
      problems_.add(where() + ": runs " + (input ? "I without W" : "W without I"));
    }
  }

  /// Later pieces of a sequence attend to the earlier ones: forwards go in order, backwards against it.
  void check_pieces() {
    if (microbatch_ % schedule_.pieces == 0) {
      return;
    }
    const auto require = [&](ActionKind kind, bool ascending) {
      const int before = position(kind, microbatch_ - 1);
      const int here = position(kind);
      if (before >= 0 && here >= 0 && (before < here) != ascending) {
        problems_.add(
            text(kind) + " and " + to_string(Action{kind, stage_, microbatch_ - 1}) +
            " are pieces of one sequence and in the wrong order: forwards begin with its first piece, "
            "backwards with its last");
      }
    };
    require(ActionKind::forward, true);
    require(ActionKind::backward, false);
    require(ActionKind::backward_input, false);
  }

  /// Whether the stage that takes what F or B gives is on another rank.
  [[nodiscard]] bool gives_across(ActionKind kind) const {
    const int other = schedule_.consumer_of({kind, stage_, microbatch_});
    return other >= 0 && schedule_.rank_of(stage_) != schedule_.rank_of(other);
  }

  void check_communication() {
    const bool downwards = gives_across(ActionKind::forward);
    const bool upwards = gives_across(ActionKind::backward);
    require_presence(ActionKind::send_forward, downwards);
    require_presence(ActionKind::receive_forward, upwards);
    require_presence(ActionKind::send_backward, upwards);
    require_presence(ActionKind::receive_backward, downwards);
    require_order(ActionKind::forward, ActionKind::send_forward);
    require_order(ActionKind::receive_forward, ActionKind::forward);
    const ActionKind backward = has(ActionKind::backward) ? ActionKind::backward : ActionKind::backward_input;
    require_order(backward, ActionKind::send_backward);
    require_order(ActionKind::receive_backward, backward);
  }

  /// A message has exactly one send and one receive; a boundary within a rank has none.
  void require_presence(ActionKind kind, bool wanted) {
    if (has(kind) && !wanted) {
      problems_.add(text(kind) + " has no counterpart: no other rank holds the neighbouring stage");
    } else if (!has(kind) && wanted) {
      problems_.add(text(kind) + " is missing: its neighbouring stage is on another rank");
    }
  }

  const Schedule& schedule_;
  const std::vector<Positions>& table_;
  bool spells_communication_;
  Problems& problems_;
  int stage_ = 0;
  int microbatch_ = 0;
};

/// Every F that is marked as the first of a pair has a B behind it that does not need it.
void check_pairs(const Schedule& schedule, Problems& problems) {
  for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    const std::vector<Action>& actions = schedule.actions[rank];
    for (std::size_t i = 0; i < actions.size(); ++i) {
      if (!actions[i].overlaps_next) {
        continue;
      }
      const Action* const next = i + 1 < actions.size() ? &actions[i + 1] : nullptr;
      if (actions[i].kind != ActionKind::forward || next == nullptr || next->kind != ActionKind::backward) {
        problems.add(rank_text(rank) + ": " + to_string(actions[i]) +
                     " is overlapped with what is no backward pass; a pair is an F and a B");
      } else if (next->stage == actions[i].stage && next->microbatch == actions[i].microbatch) {
        problems.add(rank_text(rank) + ": " + to_string(*next) + " needs " + to_string(actions[i]) +
                     ", with which it is overlapped");
      }
    }
  }
}

/// Runs all lists as far as they go, without times, in time linear in their lengths: a rank goes on when
/// the pass that it waits for has been run.
class Progress {
 public:
  explicit Progress(const Schedule& schedule)
      : schedule_(schedule), next_(schedule.actions.size(), 0), done_(schedule, false) {}

  void run() {
    awake_.resize(next_.size());
    std::iota(awake_.rbegin(), awake_.rend(), std::size_t{0});
    while (!awake_.empty()) {
      const std::size_t rank = awake_.back();
      awake_.pop_back();
      advance(rank);
    }
  }

  /// The action at which `rank` is stuck, if it is: the one of a pair that lacks its input.
  [[nodiscard]] std::optional<Action> stuck_at(std::size_t rank) {
    for (std::size_t i = next_[rank]; i < step_end(rank); ++i) {
      if (lacks_input(schedule_.actions[rank][i])) {
        return schedule_.actions[rank][i];
      }
    }
    return std::nullopt;
  }

 private:
  /// Behind the next action of `rank`, or behind both of the next pair.
  [[nodiscard]] std::size_t step_end(std::size_t rank) const {
    const std::vector<Action>& actions = schedule_.actions[rank];
    const std::size_t next = next_[rank];
    return next < actions.size() ? next + (actions[next].overlaps_next ? 2 : 1) : next;
  }

  [[nodiscard]] bool lacks_input(const Action& action) {
    return schedule_.producer_of(action) >= 0 && !done_.producer_of(action);
  }

  void advance(std::size_t rank) {
    const std::vector<Action>& actions = schedule_.actions[rank];
    while (next_[rank] < actions.size() && !stuck_at(rank)) {
      const std::size_t end = step_end(rank);
      for (std::size_t& i = next_[rank]; i < end; ++i) {
        if (is_pass(actions[i].kind)) {
          done_.of(actions[i]) = true;
          wake_consumer(actions[i]);
        }
      }
    }
  }

  /// Wakes the rank whose next step needs the output of `action`. One that merely has not got there yet will
  /// find it done.
  void wake_consumer(const Action& action) {
    const int stage = schedule_.consumer_of(action);
    if (stage < 0) {
      return;
    }
    const auto rank = static_cast<std::size_t>(schedule_.rank_of(stage));
    for (std::size_t i = next_[rank]; i < step_end(rank); ++i) {
      const Action& next = schedule_.actions[rank][i];
      if (next.stage == stage && next.microbatch == action.microbatch && is_pass(next.kind) &&
          (next.kind == ActionKind::forward) == (action.kind == ActionKind::forward)) {
        awake_.push_back(rank);
      }
    }
  }

  const Schedule& schedule_;
  std::vector<std::size_t> next_;
  std::vector<std::size_t> awake_;  ///< ranks that may go on
  PassTable<char> done_;
};

/// "rank 1 waits at 1F1 for the forward pass of stage 0, micro-batch 1, on rank 0", and that rank.
std::pair<std::string, std::size_t> wait_text(const Schedule& schedule, std::size_t rank,
                                              const Action& action) {
  const int stage = schedule.producer_of(action);
  const auto owner = static_cast<std::size_t>(schedule.rank_of(stage));
  const char* const pass = action.kind == ActionKind::forward ? "forward" : "backward";
  std::string text = rank_text(rank) + " waits at " + to_string(action) + " for the " + pass +
                     " pass of stage " + std::to_string(stage) + ", micro-batch " +
                     std::to_string(action.microbatch) +
                     (owner == rank ? ", later in its own list" : ", on " + rank_text(owner));
  return {text, owner};
}

}  // namespace

std::vector<std::string> find_problems(const Schedule& schedule) {
  Problems problems;
  check_sizes(schedule, problems);
  if (!problems.empty()) {
    return std::move(problems).take();
  }
  bool spells_communication = false;
  for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    for (const Action& action : schedule.actions[rank]) {
      check_action(schedule, rank, action, problems);
      spells_communication = spells_communication || is_message(action.kind);
    }
  }
  check_pairs(schedule, problems);
  for (std::string& problem : eviction_problems(schedule)) {
    problems.add(std::move(problem));
  }
  if (!problems.empty()) {
    return std::move(problems).take();  // what follows indexes by stage and micro-batch
  }
  const std::vector<Positions> table = locate(schedule, problems);
  PassChecker checker(schedule, table, spells_communication, problems);
  for (int stage = 0; stage < schedule.stages(); ++stage) {
    for (int microbatch = 0; microbatch < schedule.stage_microbatches(); ++microbatch) {
      checker.check(stage, microbatch);
    }
  }
  return std::move(problems).take();
}

std::string find_deadlock(const Schedule& schedule) {
  Progress progress(schedule);
  progress.run();
  std::size_t rank = 0;
  while (rank < schedule.actions.size() && !progress.stuck_at(rank)) {
    ++rank;
  }
  if (rank == schedule.actions.size()) {
    return {};
  }
  // Every stuck rank waits for a stuck rank, so following them comes back to one that was seen.
  constexpr std::size_t kUnseen = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> seen(schedule.actions.size(), kUnseen);  // position in `waits`, by rank
  std::vector<std::string> waits;
  while (seen[rank] == kUnseen) {
    seen[rank] = waits.size();
    auto [text, owner] = wait_text(schedule, rank, *progress.stuck_at(rank));
    waits.push_back(std::move(text));
    rank = owner;
  }
  std::string deadlock = "deadlock: ";
  const std::size_t first = seen[rank];
  for (std::size_t i = first; i < waits.size(); ++i) {
    deadlock += (i == first ? "" : "; ") + waits[i];
  }
  return deadlock;
}

std::vector<std::string> validate(const Schedule& schedule) {
  std::vector<std::string> problems = find_problems(schedule);
  if (problems.empty()) {
    if (std::string deadlock = find_deadlock(schedule); !deadlock.empty()) {
      problems.push_back(std::move(deadlock));
    }
  }
  return problems;
}

void require_valid(const Schedule& schedule, Communication communication) {
  const std::vector<std::string> problems = find_problems(schedule);
  if (!problems.empty()) {
    std::string text;
    for (const std::string& problem : problems) {
      text += (text.empty() ? "" : "\n  ") + problem;
    }
    throw InputError(SourceLocation{}, "schedule " + schedule.kind, text);
  }
  std::string deadlock = find_deadlock(schedule);
  if (deadlock.empty() && communication != Communication::independent) {
    deadlock = find_deadlock(schedule, communication);
  }
  if (!deadlock.empty()) {
    throw InfeasibleError("schedule " + schedule.kind + ": " + deadlock);
  }
}

}  // namespace makespan
