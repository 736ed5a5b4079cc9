// plan_messages: what orders each message under each kind of communication.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "schedules/catalogue.h"
#include "schedules/communication.h"
#include "test/schedules/pytorch_files.h"

namespace makespan::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// 1F1B on two ranks with two micro-batches: 0F0 0F1 0B0 0B1 and 1F0 1B0 1F1 1B1.
Schedule two_ranks() {
  return generate("1f1b", {.ranks = 2, .microbatches = 2});
}

/// The message that `token` (such as "0F1") sends.
Message message_of(const std::vector<Message>& messages, const Schedule& schedule, const std::string& token) {
  const Action action = parse_actions(token).front();
  const auto found = std::find_if(messages.begin(), messages.end(), [&](const Message& message) {
    return schedule.actions[static_cast<std::size_t>(message.producer.rank)]
                           [static_cast<std::size_t>(message.producer.position)] == action;
  });
  EXPECT_NE(found, messages.end()) << token;
  return *found;
}

TEST(PlanMessages, ListsOneMessagePerBoundaryBetweenRanks) {
  const Schedule schedule = two_ranks();
  const std::vector<Message> messages = plan_messages(schedule, Communication::independent);
  ASSERT_EQ(messages.size(), 4U);
  const Message forward = message_of(messages, schedule, "0F1");
  EXPECT_TRUE(forward.forward);
  EXPECT_EQ(forward.from_stage, 0);
  EXPECT_EQ(forward.to_stage, 1);
  EXPECT_EQ(forward.microbatch, 1);
  EXPECT_EQ(forward.producer, (ActionRef{0, 1}));
  EXPECT_EQ(forward.consumer, (ActionRef{1, 2}));
  const Message backward = message_of(messages, schedule, "1B0");
  EXPECT_FALSE(backward.forward);
  EXPECT_EQ(backward.producer, (ActionRef{1, 1}));
  EXPECT_EQ(backward.consumer, (ActionRef{0, 2}));
}

TEST(PlanMessages, AddsNothingWhenMessagesAreIndependent) {
  for (const Message& message : plan_messages(two_ranks(), Communication::independent)) {
    EXPECT_THAT(message.after, IsEmpty());
    EXPECT_THAT(message.before, IsEmpty());
    EXPECT_THAT(message.after_messages, IsEmpty());
  }
}

TEST(PlanMessages, SendsNothingWithinARank) {
  const Schedule schedule = generate("interleaved", {.ranks = 1, .microbatches = 3, .chunks = 2});
  for (const char* name : {"independent", "per-peer", "per-rank", "blocking", "fused"}) {
    EXPECT_THAT(plan_messages(schedule, communication_named(name)), IsEmpty());
  }
}

// The lists with communication are, as InsertCommunication's test has them,
//   0F0 SEND 0F1 SEND RECV 0B0 RECV 0B1   and   RECV 1F0 RECV 1B0 SEND 1F1 1B1 SEND.
TEST(PlanMessages, KeepsAStreamInTheOrderOfBothLists) {
  const Schedule schedule = two_ranks();
  for (const Communication communication : {Communication::per_peer, Communication::per_rank}) {
    const std::vector<Message> messages = plan_messages(schedule, communication);
    const auto index_of = [&](const std::string& token) {
      const ActionRef producer = message_of(messages, schedule, token).producer;
      return static_cast<int>(
          std::find_if(messages.begin(), messages.end(),
                       [&](const Message& message) { return message.producer == producer; }) -
          messages.begin());
    };
    EXPECT_THAT(message_of(messages, schedule, "0F0").after_messages, IsEmpty());
    EXPECT_THAT(message_of(messages, schedule, "0F1").after_messages, ElementsAre(index_of("0F0")));
    EXPECT_THAT(message_of(messages, schedule, "1B0").after_messages, ElementsAre(index_of("0F1")));
    EXPECT_THAT(message_of(messages, schedule, "1B1").after_messages, ElementsAre(index_of("1B0")));
    // The receiver has run 1F0 when it posts the receive of 0F1's output, and 0B0 when it posts that of
    // 1B1's.
    EXPECT_THAT(message_of(messages, schedule, "0F1").after, ElementsAre(ActionRef{1, 0}));
    EXPECT_THAT(message_of(messages, schedule, "1B1").after, ElementsAre(ActionRef{0, 2}));
    EXPECT_THAT(message_of(messages, schedule, "0F0").before, IsEmpty());
  }
}

TEST(PlanMessages, HoldsUpTheNextComputeOfBothEndsWhenBlocking) {
  const Schedule schedule = two_ranks();
  const std::vector<Message> messages = plan_messages(schedule, Communication::blocking);
  // 0F0's output: rank 0 goes on to 0F1 only after it; rank 1 to its consumer 1F0.
  EXPECT_THAT(message_of(messages, schedule, "0F0").before, ElementsAre(ActionRef{0, 1}));
  // 0F1's output: on rank 1 the next compute is 1B0, on rank 0 the next is another message.
  EXPECT_THAT(message_of(messages, schedule, "0F1").before, ElementsAre(ActionRef{1, 1}));
  // Nor does it start before both ends have come to it: rank 1 has run 1F0 then.
  EXPECT_THAT(message_of(messages, schedule, "0F1").after, ElementsAre(ActionRef{1, 0}));
  // 1B0's gradient: on rank 1 the next is 1F1, on rank 0 its consumer.
  EXPECT_THAT(message_of(messages, schedule, "1B0").before, ElementsAre(ActionRef{1, 2}));
}

TEST(PlanMessages, PutsAFusedMessageBetweenTheComputesAroundTheExchange) {
  // Two chunks, so that the steady phase exchanges once per pair.
  const Schedule schedule = generate("interleaved", {.ranks = 2, .microbatches = 2, .chunks = 2});
  ASSERT_EQ(schedule.actions[0], parse_actions("0F0,0F1,2F0,2F1,2B0,2B1,0B0,0B1"));
  ASSERT_EQ(schedule.actions[1], parse_actions("1F0,1F1,3F0,3B0,3F1,3B1,1B0,1B1"));
  const std::vector<Message> messages = plan_messages(schedule, Communication::fused);
  // 2F0 (rank 0, position 2) feeds 3F0 (rank 1, position 2), which exchanges after position 1.
  EXPECT_THAT(message_of(messages, schedule, "2F0").after, ElementsAre(ActionRef{1, 1}));
  EXPECT_THAT(message_of(messages, schedule, "2F0").before, ElementsAre(ActionRef{0, 3}));
  // 2F1 (rank 0, position 3) feeds 3F1 (rank 1, position 4), which exchanges after the pair that ends at 3.
  EXPECT_THAT(message_of(messages, schedule, "2F1").after, ElementsAre(ActionRef{1, 3}));
  EXPECT_THAT(message_of(messages, schedule, "2F1").before, ElementsAre(ActionRef{0, 4}));
  // 3B1 (rank 1, position 5) sends at once, before 1B0; 2B1 receives between 2B0 and itself.
  EXPECT_THAT(message_of(messages, schedule, "3B1").after, ElementsAre(ActionRef{0, 4}));
  EXPECT_THAT(message_of(messages, schedule, "3B1").before, ElementsAre(ActionRef{1, 6}));
}

TEST(PlanMessages, DelaysAFusedSendToTheEndOfItsPair) {
  const Schedule schedule = generate("interleaved", {.ranks = 2, .microbatches = 4, .chunks = 2});
  // Rank 1: 1F0 1F1 then pairs (3F0 3B0) (3F1 3B1) (1F2 1B0) (1F3 1B1) ...; 1F2 feeds 2F2 on rank 0.
  ASSERT_EQ(schedule.actions[1][6], parse_actions("1F2").front());
  const Message message = message_of(plan_messages(schedule, Communication::fused), schedule, "1F2");
  EXPECT_THAT(message.after, ::testing::Contains(ActionRef{1, 7}));
  EXPECT_THAT(message.before, ::testing::Contains(ActionRef{1, 8}));
}

TEST(PlanMessages, ExchangesAroundEveryComputeWhenTheScheduleNamesNoExchange) {
  Schedule schedule = two_ranks();
  const std::vector<Message> named = plan_messages(schedule, Communication::fused);
  schedule.exchanges.clear();
  const std::vector<Message> unnamed = plan_messages(schedule, Communication::fused);
  ASSERT_EQ(named.size(), unnamed.size());
  for (std::size_t i = 0; i < named.size(); ++i) {
    EXPECT_EQ(named[i].after, unnamed[i].after);
    EXPECT_EQ(named[i].before, unnamed[i].before);
  }
}

TEST(PlanMessages, RefersToComputesInListsThatSpellOutCommunication) {
  const Schedule schedule = insert_communication(two_ranks());
  for (const char* name : {"independent", "per-peer", "per-rank", "blocking", "fused"}) {
    for (const Message& message : plan_messages(schedule, communication_named(name))) {
      std::vector<ActionRef> refs = message.after;
      refs.insert(refs.end(), message.before.begin(), message.before.end());
      refs.push_back(message.producer);
      refs.push_back(message.consumer);
      for (const ActionRef& ref : refs) {
        EXPECT_TRUE(is_compute(
            schedule.actions[static_cast<std::size_t>(ref.rank)][static_cast<std::size_t>(ref.position)]
                .kind))
            << name;
      }
    }
  }
}

TEST(Communication, IsFoundByNameAndNotByAnother) {
  for (const char* name : {"independent", "per-peer", "per-rank", "blocking", "fused"}) {
    EXPECT_EQ(to_string(communication_named(name)), name);
  }
  EXPECT_THROW(static_cast<void>(communication_named("per_peers")), InputError);
}

}  // namespace
}  // namespace makespan::test
