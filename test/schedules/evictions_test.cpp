// Activations that move to other ranks: BPipe.
#include "schedules/evictions.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "schedules/bare.h"
#include "schedules/catalogue.h"
#include "schedules/communication.h"
#include "schedules/schedule_file.h"
#include "schedules/validate.h"

namespace makespan {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;

TEST(Bpipe, is_1f1b_with_balanced_memory) {
  for (int p = 1; p <= 12; ++p) {
    for (int m = 1; m <= 3 * p; m += 2) {
      const ScheduleOptions options{.ranks = p, .microbatches = m};
      const Schedule bpipe = generate("bpipe", options);
      const Schedule plain = generate("1f1b", options);
      EXPECT_EQ(bpipe.actions, plain.actions);
      EXPECT_THAT(find_problems(bpipe), IsEmpty());
      const BareResult balanced = run_bare(bpipe, BareCosts{}, Communication::independent).result;
      EXPECT_EQ(balanced.makespan, run_bare(plain, BareCosts{}, Communication::independent).result.makespan);
      EXPECT_THAT(balanced.peak_activations, Each(Le((p + 3) / 2))) << p << ' ' << m;  // ceil((p + 2) / 2)
    }
  }
}

TEST(Bpipe, moves_the_newest_and_brings_back_the_oldest) {
  // Rank 0 of 8 has 4 at rest: 0 to 3 stay, the next three leave in the warm-up, and each one that a
  // backward pass frees room for comes back, the oldest first.
  const Schedule schedule = generate("bpipe", {.ranks = 8, .microbatches = 8});
  std::vector<int> moved;
  for (const Eviction& eviction : schedule.evictions) {
    if (eviction.rank == 0) {
      EXPECT_EQ(eviction.to, 7);
      EXPECT_EQ(eviction.out_after, eviction.microbatch) << "forwards come first";
      moved.push_back(eviction.microbatch);
      const Action& back = schedule.actions[0][static_cast<std::size_t>(eviction.back_after)];
      EXPECT_EQ(back, (Action{ActionKind::backward, 0, eviction.microbatch - 4}));
    }
  }
  EXPECT_THAT(moved, ElementsAre(4, 5, 6, 7));
}

TEST(Evictions, are_checked_one_by_one) {
  const auto problem_with = [](auto change) {
    Schedule schedule = generate("bpipe", {.ranks = 8, .microbatches = 8});
    change(schedule.evictions.front());
    const std::vector<std::string> problems = find_problems(schedule);
    return problems.empty() ? std::string() : problems.front();
  };
  EXPECT_EQ(problem_with([](Eviction&) {}), "");
  EXPECT_THAT(problem_with([](Eviction& at) { at.to = at.rank; }),
              HasSubstr("the activation of 0F4 cannot move from rank 0 to rank 0"));
  EXPECT_THAT(problem_with([](Eviction& at) { at.to = 8; }), HasSubstr("to rank 8"));
  EXPECT_THAT(problem_with([](Eviction& at) { at.out_after = 5; }),
              HasSubstr("does not leave behind its F on rank 0"));
  EXPECT_THAT(problem_with([](Eviction& at) { at.back_after = at.out_after; }),
              HasSubstr("does not come back"));
  EXPECT_THAT(problem_with([](Eviction& at) { at.back_after = 15; }), HasSubstr("does not come back"));
  Schedule twice = generate("bpipe", {.ranks = 8, .microbatches = 8});
  twice.evictions.push_back(twice.evictions.front());
  EXPECT_THAT(find_problems(twice).front(), HasSubstr("leaves twice"));
}

TEST(Evictions, are_not_lost_in_lists_silently) {
  const Schedule schedule = generate("bpipe", {.ranks = 8, .microbatches = 8});
  EXPECT_THROW((void)write_schedule_csv(schedule), InputError);
  EXPECT_THAT(insert_communication(schedule, WeightSteps::keep).evictions, IsEmpty());
}

}  // namespace
}  // namespace makespan
