#include "schedules/validate.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "schedules/catalogue.h"
#include "schedules/communication.h"
#include "schedules/deadlock.h"
#include "schedules/passes.h"
#include "test/schedules/pytorch_files.h"

namespace makespan::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> problems(const std::vector<std::string>& lists) {
  return validate(schedule_from_lists(lists));
}

TEST(Validate, FindsNothingWrongWithSplitAndWholeBackwards) {
  EXPECT_THAT(problems({"0F0,0B0", "1F0,1I0,1W0"}), IsEmpty());
}

TEST(Validate, SaysWhichPassIsMissingOrRepeated) {
  EXPECT_THAT(problems({"0F0,0F1,0B0,0F1,0B1"}), ElementsAre(HasSubstr("rank 0 runs 0F1 twice")));
  EXPECT_THAT(problems({"0F0,0I0,0F1,0B1"}),
              ElementsAre(HasSubstr("stage 0, micro-batch 0: runs I without W")));
  EXPECT_THAT(problems({"0F0,0W0,0F1,0B1"}), ElementsAre(HasSubstr("runs W without I")));
  EXPECT_THAT(problems({"0F0,0B0,0I0,0W0"}), ElementsAre(HasSubstr("both the whole backward pass B and")));
  EXPECT_THAT(problems({"0F0,0B0,0I0,0F1,0W0"}),
              ElementsAre(HasSubstr("both the whole backward pass B and"),
                          HasSubstr("micro-batch 1: the backward pass is missing")));
  EXPECT_THAT(problems({"0F0,0I0,0W0,0B1"}), ElementsAre(HasSubstr("the forward pass 0F1 is missing")));
}

TEST(Validate, ChecksPairs) {
  EXPECT_THAT(problems({"0F0,(0F1;0B0)OVERLAP_F_B,0B1"}), IsEmpty());
  EXPECT_THAT(problems({"(0F0;0B0)OVERLAP_F_B"}),
              ElementsAre("rank 0: 0B0 needs 0F0, with which it is overlapped"));
  Schedule lone = schedule_from_lists({"0F0,0B0"});
  lone.actions[0][1].overlaps_next = true;
  EXPECT_THAT(validate(lone), ElementsAre(HasSubstr("0B0 is overlapped with what is no backward pass")));
  // Each pair needs what only the other one gives.
  EXPECT_THAT(
      problems({"0F0,(0F1;0B0)OVERLAP_F_B,0B1", "1F0,(1F1;1B0)OVERLAP_F_B,1B1"}),
      ElementsAre("deadlock: rank 0 waits at 0B0 for the backward pass of stage 1, micro-batch 0, on rank 1; "
                  "rank 1 waits at 1F1 for the forward pass of stage 0, micro-batch 1, on rank 0"));
}

TEST(Validate, ChecksTheOrderOfSequencePieces) {
  Schedule schedule = schedule_from_lists({"0F0,0F1,0B1,0B0"});
  schedule.pieces = 2;
  EXPECT_THAT(validate(schedule), IsEmpty());
  schedule = schedule_from_lists({"0F0,0F1,0B0,0B1"});
  schedule.pieces = 2;
  EXPECT_THAT(validate(schedule), ElementsAre(HasSubstr("0B1 and 0B0 are pieces of one sequence")));
  schedule.pieces = 3;
  EXPECT_THAT(validate(schedule), ElementsAre(HasSubstr("not whole sequences of 3")));
}

TEST(Validate, ReplicasDoNotExchangeAnything) {
  Schedule schedule = schedule_from_lists({"0F0,0B0,3F0,3B0", "1F0,1B0,2F0,2B0"});
  schedule.replicas = 2;
  schedule.microbatches = 2;
  EXPECT_THAT(validate(schedule), IsEmpty());
  schedule.microbatches = 3;
  EXPECT_THAT(validate(schedule), ElementsAre(HasSubstr("do not divide evenly among 2 replicas")));
}

TEST(Validate, SaysWhatIsListedTooEarly) {
  EXPECT_THAT(problems({"0B0,0F0"}), ElementsAre("0B0 is listed before 0F0, which it needs"));
  EXPECT_THAT(problems({"0F0,0W0,0I0"}), ElementsAre("0W0 is listed before 0I0, which it needs"));
  EXPECT_THAT(problems({"0I0,0F0,0W0"}), ElementsAre("0I0 is listed before 0F0, which it needs"));
}

TEST(Validate, SaysWhatDoesNotExist) {
  Schedule schedule = schedule_from_lists({"0F0,0B0", "1F0,1B0"});
  schedule.actions[1].push_back({ActionKind::forward, 2, 0});
  schedule.actions[1].push_back({ActionKind::forward, 1, 5});
  schedule.actions[0].push_back({ActionKind::forward, 1, 0});
  EXPECT_THAT(
      validate(schedule),
      ElementsAre(HasSubstr("1F0 belongs to rank 1"),
                  HasSubstr("2F0 names a stage that does not exist; stages are 0 to 1"),
                  HasSubstr("1F5 names a micro-batch that does not exist; micro-batches are 0 to 0")));
}

TEST(Validate, RefusesSizesThatDoNotFitTogether) {
  Schedule schedule = schedule_from_lists({"0F0,0B0"});
  schedule.microbatches = 1'000'000'000;
  EXPECT_THAT(validate(schedule),
              ElementsAre(HasSubstr("need at least 2000000000 actions, but there are 2")));
  schedule.microbatches = 0;
  EXPECT_THAT(validate(schedule), ElementsAre(HasSubstr("at least one rank")));
  schedule.microbatches = 1;
  schedule.rank_of_stage = {3};
  EXPECT_THAT(validate(schedule),
              ElementsAre(HasSubstr("stage 0 is placed on rank 3, which does not exist")));
  schedule.ranks = 2;
  EXPECT_THAT(validate(schedule), ElementsAre(HasSubstr("action lists for 1 ranks, not 2")));
}

TEST(Validate, RefusesExchangesThatAreNotInTheLists) {
  Schedule schedule = generate("1f1b", {.ranks = 2, .microbatches = 2});
  schedule.exchanges[1] = {-1, 4};
  EXPECT_THAT(validate(schedule), ElementsAre("rank 1 has exchanges outside its list"));
  schedule.exchanges[1] = {1, 0};
  EXPECT_THAT(validate(schedule), ElementsAre("rank 1 has exchanges that are not in ascending order"));
  schedule.exchanges.pop_back();
  EXPECT_THAT(validate(schedule), ElementsAre("there are exchanges for 1 ranks, not 2"));
}

TEST(Validate, RefusesArrivalsThatAreNotGivenForEveryAction) {
  Schedule schedule = generate("1f1b", {.ranks = 1, .microbatches = 2});
  schedule.arrivals = {{-1, -1, -1}};
  EXPECT_THAT(validate(schedule), ElementsAre("rank 0 has 3 arrivals for 4 actions"));
}

TEST(Validate, WantsOneSendAndOneReceivePerMessage) {
  EXPECT_THAT(problems({"0F0,0SEND_F0,0RECV_B0,0B0", "1RECV_F0,1F0,1B0,1SEND_B0"}), IsEmpty());
  EXPECT_THAT(problems({"0F0,0RECV_B0,0B0", "1RECV_F0,1F0,1B0,1SEND_B0"}),
              ElementsAre(HasSubstr("0SEND_F0 is missing")));
  EXPECT_THAT(problems({"0F0,0SEND_F0,0RECV_B0,0B0", "1F0,1B0,1SEND_B0"}),
              ElementsAre(HasSubstr("1RECV_F0 is missing")));
  EXPECT_THAT(problems({"0F0,0SEND_F0,0RECV_B0,0B0,0SEND_B0", "1RECV_F0,1F0,1B0,1SEND_B0"}),
              ElementsAre(HasSubstr("0SEND_B0 has no counterpart")));
  EXPECT_THAT(problems({"0F0,0SEND_F0,1F0,1B0,0B0"}), ElementsAre(HasSubstr("0SEND_F0 has no counterpart")));
}

TEST(Validate, WantsSendsAfterAndReceivesBeforeTheirPass) {
  EXPECT_THAT(
      problems({"0SEND_F0,0F0,0B0,0RECV_B0", "1RECV_F0,1F0,1SEND_B0,1B0"}),
      ElementsAre(HasSubstr("0SEND_F0 is listed before 0F0"), HasSubstr("0B0 is listed before 0RECV_B0"),
                  HasSubstr("1SEND_B0 is listed before 1B0")));
}

TEST(Validate, AcceptsWhatInsertingCommunicationGives) {
  for (const char* kind : {"gpipe", "1f1b"}) {
    EXPECT_THAT(validate(insert_communication(generate(kind, {.ranks = 4, .microbatches = 6}))), IsEmpty());
  }
  EXPECT_THAT(
      validate(insert_communication(generate("interleaved", {.ranks = 3, .microbatches = 6, .chunks = 3}))),
      IsEmpty());
}

TEST(Validate, TellsADeadlockAsWhoWaitsForWhom) {
  // Rank 0 wants the gradient of micro-batch 0 before it forwards micro-batch 1; rank 1 wants it the other
  // way round.
  EXPECT_THAT(
      problems({"0F0,0B0,0F1,0B1", "1F0,1F1,1B0,1B1"}),
      ElementsAre("deadlock: rank 0 waits at 0B0 for the backward pass of stage 1, micro-batch 0, on rank 1; "
                  "rank 1 waits at 1F1 for the forward pass of stage 0, micro-batch 1, on rank 0"));
}

TEST(Validate, TellsADeadlockOfOneRankWithItself) {
  EXPECT_THAT(problems({"1F0,0F0,1B0,0B0"}),
              ElementsAre(AllOf(StartsWith("deadlock: rank 0 waits at 1F0 for the forward pass of stage 0"),
                                HasSubstr("later in its own list"))));
}

TEST(Validate, LeavesOutRanksThatOnlyWaitForTheDeadlock) {
  const std::vector<std::string> found = problems({"0F0,0F1,0B0,0B1", "1F0,1B0,1F1,1B1", "2F0,2F1,2B0,2B1"});
  EXPECT_THAT(found, ElementsAre(AllOf(HasSubstr("rank 1 waits at 1B0"), HasSubstr("rank 2 waits at 2F1"),
                                       Not(HasSubstr("rank 0 waits")))));
}

TEST(Validate, StopsListingAfterTwentyProblems) {
  Schedule schedule = generate("1f1b", {.ranks = 1, .microbatches = 50});
  for (Action& action : schedule.actions[0]) {
    action.stage = 7;
  }
  const std::vector<std::string> found = validate(schedule);
  ASSERT_EQ(found.size(), kMaxProblems + 1);
  EXPECT_EQ(found.back(), "... and " + std::to_string(2 * 50 - kMaxProblems) + " more problems");
}

TEST(RequireValid, ThrowsInputErrorForAWrongListAndInfeasibleErrorForADeadlock) {
  EXPECT_NO_THROW(require_valid(generate("1f1b", {.ranks = 2, .microbatches = 2})));
  EXPECT_THROW(require_valid(schedule_from_lists({"0B0,0F0"})), InputError);
  EXPECT_THROW(require_valid(schedule_from_lists({"1F0,0F0,1B0,0B0"})), InfeasibleError);
}

/// Whether all lists run to their ends when the ranks are tried over and over again.
bool runs_to_the_end(const Schedule& schedule) {
  std::vector<std::size_t> next(schedule.actions.size(), 0);
  PassTable<char> done(schedule, false);
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t rank = 0; rank < next.size(); ++rank) {
      const std::vector<Action>& actions = schedule.actions[rank];
      while (next[rank] < actions.size() &&
             (schedule.producer_of(actions[next[rank]]) < 0 || done.producer_of(actions[next[rank]]))) {
        done.of(actions[next[rank]++]) = true;
        moved = true;
      }
    }
  }
  for (std::size_t rank = 0; rank < next.size(); ++rank) {
    if (next[rank] < schedule.actions[rank].size()) {
      return false;
    }
  }
  return true;
}

/// Whether actions and messages can all be run when they are tried over and over again.
bool runs_with_messages(const Schedule& schedule, Communication communication) {
  const std::vector<Message> messages = plan_messages(schedule, communication);
  std::vector<std::size_t> next(schedule.actions.size(), 0);  // first action of each rank that has not run
  std::vector<bool> sent(messages.size(), false);
  const auto has_run = [&](const ActionRef& action) {
    return static_cast<std::size_t>(action.position) < next[static_cast<std::size_t>(action.rank)];
  };
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t m = 0; m < messages.size(); ++m) {
      const Message& message = messages[m];
      if (!sent[m] && has_run(message.producer) &&
          std::all_of(message.after.begin(), message.after.end(), has_run) &&
          std::all_of(message.after_messages.begin(), message.after_messages.end(),
                      [&](int other) { return sent[static_cast<std::size_t>(other)]; })) {
        sent[m] = moved = true;
      }
    }
    for (std::size_t rank = 0; rank < next.size(); ++rank) {
      const std::vector<Action>& actions = schedule.actions[rank];
      if (next[rank] == actions.size()) {
        continue;
      }
      const std::size_t length = actions[next[rank]].overlaps_next ? 2 : 1;
      const auto is_here = [&](const ActionRef& action) {
        const auto position = static_cast<std::size_t>(action.position);
        return static_cast<std::size_t>(action.rank) == rank && position >= next[rank] &&
               position < next[rank] + length;
      };
      bool waits = false;
      for (std::size_t m = 0; m < messages.size(); ++m) {
        waits = waits ||
                (!sent[m] && (is_here(messages[m].consumer) ||
                              std::any_of(messages[m].before.begin(), messages[m].before.end(), is_here)));
      }
      if (!waits) {
        next[rank] += length;
        moved = true;
      }
    }
  }
  for (std::size_t rank = 0; rank < next.size(); ++rank) {
    if (next[rank] < schedule.actions[rank].size()) {
      return false;
    }
  }
  return true;
}

TEST(FindDeadlock, AgreesWithTryingOverAndOverUnderEverySemantics) {
  int deadlocks = 0;
  for (const ScheduleKind& kind : schedule_kinds()) {
    for (const int p : {2, 3, 4}) {
      for (const Communication communication : {Communication::per_peer, Communication::per_rank,
                                                Communication::blocking, Communication::fused}) {
        const bool few = kind.name == "hanayo";
        const ScheduleOptions options{.ranks = p, .microbatches = few ? p : 2 * p};
        if (p == 3 && (kind.name == "chimera" || kind.name == "dualpipe")) {
          continue;
        }
        const Schedule schedule = generate(kind.name, options);
        const std::string deadlock = find_deadlock(schedule, communication);
        EXPECT_EQ(deadlock.empty(), runs_with_messages(schedule, communication))
            << kind.name << ' ' << p << ' ' << to_string(communication) << ' ' << deadlock;
        deadlocks += deadlock.empty() ? 0 : 1;
        EXPECT_TRUE(deadlock.empty() || deadlock.find("waits at") != std::string::npos);
      }
    }
  }
  EXPECT_GT(deadlocks, 10);
}

TEST(FindDeadlock, AgreesWithTryingTheRanksOverAndOverOnDisturbedSchedules) {
  Random random(7);
  int deadlocks = 0;
  constexpr int kTrials = 400;
  for (int trial = 0; trial < kTrials; ++trial) {
    Schedule schedule = generate("interleaved", {.ranks = 3, .microbatches = 3, .chunks = 2});
    for (int swaps = 0; swaps < 2; ++swaps) {
      std::vector<Action>& list = schedule.actions[random.below(schedule.actions.size())];
      const auto at = static_cast<std::size_t>(random.below(list.size() - 1));
      std::swap(list[at], list[at + 1]);
    }
    if (!find_problems(schedule).empty()) {
      continue;
    }
    EXPECT_EQ(find_deadlock(schedule).empty(), runs_to_the_end(schedule)) << trial;
    deadlocks += find_deadlock(schedule).empty() ? 0 : 1;
  }
  EXPECT_GT(deadlocks, kTrials / 20);
  EXPECT_LT(deadlocks, kTrials - kTrials / 20);
}

TEST(FindDeadlock, TakesTimeLinearInTheNumberOfRanks) {
  // Trying all ranks once per step of the slowest would take 2^34 steps.
  constexpr int kRanks = 1 << 17;
  Schedule schedule = generate("1f1b", {.ranks = kRanks, .microbatches = 4});
  EXPECT_EQ(find_deadlock(schedule), "");
  // The last rank wants all forward passes first, the one before wants a gradient before its third one, and
  // all others wait for these two.
  std::sort(schedule.actions.back().begin(), schedule.actions.back().end());
  const std::string last = std::to_string(kRanks - 1);
  const std::string before = std::to_string(kRanks - 2);
  EXPECT_EQ(find_deadlock(schedule),
            "deadlock: rank " + before + " waits at " + before + "B0 for the backward pass of stage " + last +
                ", micro-batch 0, on rank " + last + "; rank " + last + " waits at " + last +
                "F2 for the forward pass of stage " + before + ", micro-batch 2, on rank " + before);
}

}  // namespace
}  // namespace makespan::test
