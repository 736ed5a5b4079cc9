// What each generator puts into the lists, against the tables of the papers and of Megatron-LM.
#include <algorithm>
#include <gtest/gtest.h>
#include <vector>

#include "schedules/bare.h"
#include "schedules/catalogue.h"
#include "schedules/validate.h"
#include "test/schedules/pytorch_files.h"

namespace makespan::test {
namespace {

std::vector<Action> list(const Schedule& schedule, int rank) {
  return schedule.actions[static_cast<std::size_t>(rank)];
}

/// Forwards before the first backward. The steady phase adds one to the warm-up, when there is one.
int leading_forwards(const Schedule& schedule, int rank) {
  const std::vector<Action> actions = list(schedule, rank);
  const auto first = std::find_if(actions.begin(), actions.end(),
                                  [](const Action& action) { return action.kind != ActionKind::forward; });
  return static_cast<int>(first - actions.begin());
}

TEST(Gpipe, RunsTheOldestBackwardFirstUnlessAskedOtherwise) {
  const Schedule fifo = generate("gpipe", {.ranks = 2, .microbatches = 3});
  EXPECT_EQ(list(fifo, 0), parse_actions("0F0,0F1,0F2,0B0,0B1,0B2"));
  EXPECT_EQ(list(fifo, 1), parse_actions("1F0,1F1,1F2,1B0,1B1,1B2"));
  const Schedule lifo = generate("gpipe", {.ranks = 2, .microbatches = 3, .lifo = true});
  EXPECT_EQ(list(lifo, 1), parse_actions("1F0,1F1,1F2,1B2,1B1,1B0"));
}

TEST(OneFOneB, GivesTheListsOfThePaper) {
  const Schedule schedule = generate("1f1b", {.ranks = 4, .microbatches = 6});
  EXPECT_EQ(list(schedule, 0), parse_actions("0F0,0F1,0F2,0F3,0B0,0F4,0B1,0F5,0B2,0B3,0B4,0B5"));
  EXPECT_EQ(list(schedule, 3), parse_actions("3F0,3B0,3F1,3B1,3F2,3B2,3F3,3B3,3F4,3B4,3F5,3B5"));
}

TEST(OneFOneB, WarmsUpWithAllMicrobatchesWhenThereAreFewerThanRanks) {
  const Schedule schedule = generate("1f1b", {.ranks = 4, .microbatches = 2});
  EXPECT_EQ(list(schedule, 0), parse_actions("0F0,0F1,0B0,0B1"));
  EXPECT_EQ(list(schedule, 2), parse_actions("2F0,2F1,2B0,2B1"));
  EXPECT_EQ(list(schedule, 3), parse_actions("3F0,3B0,3F1,3B1"));
}

TEST(Interleaved, GivesTheListOfTheReferenceTable) {
  const Schedule schedule = generate("interleaved", {.ranks = 4, .microbatches = 4, .chunks = 2});
  EXPECT_EQ(list(schedule, 2),
            parse_actions("2F0,2F1,2F2,2F3,6F0,6F1,6F2,6B0,6F3,6B1,6B2,6B3,2B0,2B1,2B2,2B3"));
}

TEST(Interleaved, WarmsUpByTheRuleOfMegatron) {
  const Schedule few = generate("interleaved", {.ranks = 4, .microbatches = 4, .chunks = 2});
  const Schedule many = generate("interleaved", {.ranks = 4, .microbatches = 8, .chunks = 2});
  for (int rank = 0; rank < 4; ++rank) {
    const int warm_up = (2 - 1) * 4 + 2 * (4 - 1 - rank);
    EXPECT_EQ(leading_forwards(few, rank), std::min(warm_up + 1, 4 * 2));
    EXPECT_EQ(leading_forwards(many, rank), warm_up + 1);
  }
}

TEST(Interleaved, WalksTheTableOfVirtualMicrobatchesWithAShorterLastGroup) {
  const Schedule schedule = generate("interleaved", {.ranks = 2, .microbatches = 5, .chunks = 2, .group = 3});
  std::vector<int> microbatches;
  std::vector<int> chunks;
  for (const Action& action : list(schedule, 0)) {
    if (action.kind == ActionKind::forward) {
      microbatches.push_back(action.microbatch);
      chunks.push_back(action.stage / 2);
    }
  }
  EXPECT_EQ(microbatches, (std::vector<int>{0, 1, 2, 0, 1, 2, 3, 4, 3, 4}));
  EXPECT_EQ(chunks, (std::vector<int>{0, 0, 0, 1, 1, 1, 0, 0, 1, 1}));
}

TEST(Interleaved, WithOneChunkIsOneFOneB) {
  const Schedule one = generate("interleaved", {.ranks = 4, .microbatches = 6, .chunks = 1});
  const Schedule plain = generate("1f1b", {.ranks = 4, .microbatches = 6});
  EXPECT_EQ(one.actions, plain.actions);
  EXPECT_EQ(one.exchanges, plain.exchanges);
  EXPECT_EQ(one.kind, plain.kind);
}

TEST(Interleaved, ExchangesOnceAfterEachPairOfTheSteadyPhase) {
  const Schedule schedule = generate("interleaved", {.ranks = 2, .microbatches = 2, .chunks = 2});
  // Rank 1: two warm-up forwards, two pairs, two cool-down backwards.
  EXPECT_EQ(list(schedule, 1), parse_actions("1F0,1F1,3F0,3B0,3F1,3B1,1B0,1B1"));
  EXPECT_EQ(schedule.exchanges[1], (std::vector<int>{-1, 0, 1, 3, 5, 6, 7}));
}

TEST(Interleaved, HoldsAsManyActivationsAsItWarmsUpFor) {
  for (const int p : {1, 2, 3, 4, 8}) {
    for (const int v : {2, 3, 4}) {
      for (const int rounds : {1, 2, 4}) {
        const int m = p * rounds;
        const Schedule schedule = generate("interleaved", {.ranks = p, .microbatches = m, .chunks = v});
        for (int rank = 0; rank < p; ++rank) {
          EXPECT_EQ(peak_activations(schedule)[static_cast<std::size_t>(rank)],
                    std::min((v - 1) * p + 2 * (p - 1 - rank) + 1, m * v));
        }
      }
    }
  }
}

TEST(Generators, GiveValidSchedulesForEveryShape) {
  for (int p = 1; p <= 6; ++p) {
    for (int m = 1; m <= 12; ++m) {
      for (const char* kind : {"gpipe", "1f1b"}) {
        EXPECT_TRUE(validate(generate(kind, {.ranks = p, .microbatches = m})).empty()) << kind << p << m;
      }
      for (int v = 2; v <= 3; ++v) {
        for (int group = std::min(p, m); group <= m; ++group) {
          if (m % group == 0 || m % group >= p) {
            const Schedule schedule =
                generate("interleaved", {.ranks = p, .microbatches = m, .chunks = v, .group = group});
            EXPECT_TRUE(validate(schedule).empty()) << p << ' ' << m << ' ' << v << ' ' << group;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace makespan::test
