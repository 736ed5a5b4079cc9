#include "schedules/communication.h"

#include <gtest/gtest.h>

#include "schedules/catalogue.h"
#include "test/schedules/pytorch_files.h"

namespace makespan::test {
namespace {

TEST(InsertCommunication, PutsReceivesWhereTheReceiverStandsWhenTheSenderIsDone) {
  const Schedule schedule = insert_communication(generate("1f1b", {.ranks = 2, .microbatches = 2}));
  // By hand, one step per rank and turn, UNSHARD first: rank 1 can start only after 0F0 and then runs a turn
  // behind.
  EXPECT_EQ(schedule.actions[0], parse_actions("0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0RECV_B1,0B1"));
  EXPECT_EQ(schedule.actions[1], parse_actions("1RECV_F0,1F0,1RECV_F1,1B0,1SEND_B0,1F1,1B1,1SEND_B1"));
}

TEST(InsertCommunication, SendsNothingBetweenStagesOfOneRank) {
  const Schedule schedule = generate("interleaved", {.ranks = 1, .microbatches = 2, .chunks = 3});
  EXPECT_FALSE(has_communication(schedule));
  EXPECT_EQ(insert_communication(schedule).actions, schedule.actions);
}

TEST(InsertCommunication, LeavesListsWithCommunicationAsTheyAre) {
  const Schedule once = insert_communication(generate("1f1b", {.ranks = 3, .microbatches = 4}));
  EXPECT_TRUE(has_communication(once));
  EXPECT_EQ(insert_communication(once).actions, once.actions);
}

TEST(InsertCommunication, DropsPositionsThatNoLongerHold) {
  const Schedule schedule =
      insert_communication(generate("interleaved", {.ranks = 2, .microbatches = 6, .chunks = 2, .group = 3}));
  EXPECT_TRUE(schedule.exchanges.empty());
  EXPECT_TRUE(schedule.arrivals.empty());
}

TEST(InsertCommunication, GivesWaitingRanksNoTurns) {
  // With a turn for each rank until the last one is done, this would take 2^34 turns.
  const Schedule schedule = generate("1f1b", {.ranks = 1 << 17, .microbatches = 2});
  std::size_t actions = 0;
  for (const std::vector<Action>& list : insert_communication(schedule).actions) {
    actions += list.size();
  }
  const std::size_t passes = std::size_t{1 << 17} * 2 * 2;
  const std::size_t messages = std::size_t{(1 << 17) - 1} * 2 * 2;
  EXPECT_EQ(actions, passes + 2 * messages);
}

}  // namespace
}  // namespace makespan::test
