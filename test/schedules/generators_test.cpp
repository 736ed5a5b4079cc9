// What each generator puts into the lists, against the tables of the papers and of Megatron-LM.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
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

/// Whether the generator itself refuses the shape, telling which option is wrong.
std::optional<Schedule> schedule_or_refusal(const ScheduleKind& kind, const ScheduleOptions& options) {
  try {
    return generate(kind.name, options);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

TEST(Generators, GiveValidSchedulesForEveryShape) {
  int schedules = 0;
  for (const ScheduleKind& kind : schedule_kinds()) {
    for (int p = 1; p <= 6; ++p) {
      for (int m = 1; m <= 14; ++m) {
        for (int v = kind.least_chunks; v <= std::min(kind.most_chunks, 4); ++v) {
          for (int q = 1; q <= (kind.has_pieces ? 3 : 1); ++q) {
            const auto schedule =
                schedule_or_refusal(kind, {.ranks = p, .microbatches = m, .chunks = v, .pieces = q});
            if (schedule) {
              ++schedules;
              EXPECT_TRUE(validate(*schedule).empty()) << kind.name << ' ' << p << ' ' << m << ' ' << v;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(schedules, 2000);
}

TEST(Generators, RefuseWhatTheirPapersDoNotDefine) {
  const auto refusal = [](std::string_view kind, const ScheduleOptions& options) -> std::string {
    try {
      (void)generate(kind, options);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(refusal("chimera", {.ranks = 3, .microbatches = 6}), HasSubstr("ranks: 3 is odd"));
  EXPECT_THAT(refusal("chimera", {.ranks = 4, .microbatches = 6}),
              HasSubstr("microbatches: 6 is not a multiple of the 4 ranks"));
  EXPECT_THAT(refusal("dualpipe", {.ranks = 3, .microbatches = 6}), HasSubstr("ranks: 3 is odd"));
  EXPECT_THAT(refusal("dualpipe", {.ranks = 4, .microbatches = 9}), HasSubstr("microbatches: 9 is odd"));
  EXPECT_THAT(refusal("dualpipe", {.ranks = 4, .microbatches = 6}), HasSubstr("less than twice the 4 ranks"));
  EXPECT_THAT(refusal("dualpipev", {.ranks = 4, .microbatches = 7}),
              HasSubstr("less than twice the 4 ranks"));
  EXPECT_THAT(refusal("hanayo", {.ranks = 4, .microbatches = 4, .chunks = 3}), HasSubstr("chunks: 3 is odd"));
  EXPECT_THAT(refusal("hanayo", {.ranks = 4, .microbatches = 5}), HasSubstr("microbatches: 5 is more than"));
  EXPECT_THAT(refusal("pipedream-2bw", {.ranks = 4, .microbatches = 3}), HasSubstr("less than the 4 ranks"));
  EXPECT_THAT(refusal("zb-v", {.ranks = 4, .microbatches = 8, .chunks = 3}),
              HasSubstr("zb-v has 2 chunks per rank"));
  EXPECT_THAT(refusal("1f1b", {.ranks = 4, .microbatches = 8, .pieces = 2}),
              HasSubstr("pieces: is not an option of 1f1b\n  hint: 'seq1f1b' takes it"));
}

TEST(Chimera, GivesTheListsOfTheReferenceTable) {
  const Schedule schedule = generate("chimera", {.ranks = 4, .microbatches = 4});
  EXPECT_EQ(list(schedule, 0), parse_actions("0F0,0F1,7F0,7B0,7F1,7B1,0B0,0B1"));
  EXPECT_EQ(list(schedule, 1), parse_actions("1F0,6F0,1F1,6F1,6B0,1B0,6B1,1B1"));
}

TEST(ZeroBubble, RunsWeightGradientsLateOnLaterRanks) {
  const Schedule schedule = generate("zb-h1", {.ranks = 3, .microbatches = 4});
  EXPECT_EQ(list(schedule, 2), parse_actions("2F0,2I0,2F1,2I1,2F2,2I2,2W0,2F3,2I3,2W1,2W2,2W3"));
}

TEST(PipeDream, KeepsAVersionOfTheWeightsForEachMicrobatchUnderWay) {
  EXPECT_EQ(generate("pipedream", {.ranks = 3, .microbatches = 8}).weight_versions,
            (std::vector<int>{3, 2, 1}));
  EXPECT_EQ(generate("pipedream-2bw", {.ranks = 3, .microbatches = 8}).weight_versions,
            (std::vector<int>{2, 2, 2}));
}

TEST(InterleavedOverlap, PairsWhatDoesNotDependOnEachOther) {
  const Schedule schedule = generate("interleaved-overlap", {.ranks = 1, .microbatches = 3, .chunks = 1});
  EXPECT_EQ(cells(list(schedule, 0)),
            (std::vector<std::string>{"0F0", "(0F1;0B0)OVERLAP_F_B", "(0F2;0B1)OVERLAP_F_B", "0B2"}));
}

TEST(Generators, GiveInterleavedSchedulesForEveryGroup) {
  for (int p = 1; p <= 6; ++p) {
    for (int m = 1; m <= 12; ++m) {
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
