#include "schedules/schedule_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "schedules/catalogue.h"
#include "schedules/communication.h"
#include "schedules/validate.h"

namespace makespan {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    (void)read_schedule_csv(text, "lists.csv");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

/// A shape that every kind accepts.
ScheduleOptions shape_for(const ScheduleKind& kind) {
  return {.ranks = 4, .microbatches = kind.name == "hanayo" ? 4 : 8, .chunks = kind.most_chunks > 1 ? 2 : 1};
}

TEST(ScheduleFile, EveryScheduleComesBackAsItWasWritten) {
  for (const ScheduleKind& kind : schedule_kinds()) {
    Schedule schedule = generate(kind.name, shape_for(kind));
    schedule.evictions.clear();  // lists do not say them
    for (const Schedule& written : {schedule, insert_communication(schedule, WeightSteps::keep)}) {
      const std::string text = write_schedule_csv(written);
      const Schedule read = read_schedule_csv(text, "lists.csv", {.replicas = schedule.replicas});
      EXPECT_EQ(read.actions, written.actions) << kind.name;
      EXPECT_EQ(read.rank_of_stage, written.rank_of_stage) << kind.name;
      EXPECT_EQ(read.microbatches, written.microbatches) << kind.name;
      EXPECT_EQ(read.chunks, written.chunks) << kind.name;
      EXPECT_TRUE(validate(read).empty()) << kind.name;
      EXPECT_EQ(write_schedule_csv(read), text) << kind.name;
    }
  }
}

TEST(ScheduleFile, PassesOverBlanksAndIdleCells) {
  const Schedule schedule = read_schedule_csv(" 0F0 ,, 0B0\r\n,1F0,1B0,\n", "lists.csv");
  EXPECT_EQ(write_schedule_csv(schedule), "0F0,0B0\n1F0,1B0\n");
}

TEST(ScheduleFile, TranslatesTheOldDialect) {
  EXPECT_EQ(write_schedule_csv(read_schedule_csv("0F0,0F1,0B0,0W0,0BW1", "lists.csv")),
            "0F0,0F1,0I0,0W0,0B1\n");
  EXPECT_EQ(write_schedule_csv(read_schedule_csv("0F0,0B0,0W0", "lists.csv")), "0F0,0I0,0W0\n");
  EXPECT_EQ(write_schedule_csv(read_schedule_csv("0F0,0F1,0B0,0I1,0W1", "lists.csv")),
            "0F0,0F1,0B0,0I1,0W1\n");
}

TEST(ScheduleFile, KeepsPairs) {
  const Schedule schedule = read_schedule_csv("0F0,(0F1;0B0)OVERLAP_F_B,0B1", "lists.csv");
  ASSERT_EQ(schedule.actions[0].size(), 4U);
  EXPECT_TRUE(schedule.actions[0][1].overlaps_next);
  EXPECT_THAT(cells(schedule.actions[0]), ElementsAre("0F0", "(0F1;0B0)OVERLAP_F_B", "0B1"));
}

TEST(ScheduleFile, TellsRowAndColumnOfWhatIsNoAction) {
  EXPECT_THAT(refusal("0F0,0B0\n1F0,1Q0\n"),
              AllOf(HasSubstr("lists.csv:2:5: '1Q0' is no action: 'Q' is no kind"),
                    HasSubstr("(0F7;7B3)OVERLAP_F_B")));
  EXPECT_THAT(refusal("0F0,F0"), HasSubstr("lists.csv:1:5: 'F0' is no action: there is no stage"));
  EXPECT_THAT(refusal("0F"), HasSubstr("'0F' is no action: there is no micro-batch"));
  EXPECT_THAT(refusal("0"), HasSubstr("there is no kind behind the stage"));
  EXPECT_THAT(refusal("0F0x"), HasSubstr("'x' is too much"));
  EXPECT_THAT(refusal("0UNSHARD3"), HasSubstr("'3' is too much"));
  EXPECT_THAT(refusal("-1F0"), HasSubstr("is no action"));
  EXPECT_THAT(refusal("0F99999999999"), HasSubstr("has a micro-batch above 4194303"));
  EXPECT_THAT(refusal("99999999999F0"), HasSubstr("has a stage above"));
  EXPECT_THAT(refusal("(0F0;0B1)"), HasSubstr("is no pair of actions"));
  EXPECT_THAT(refusal("(0F0,0B1)OVERLAP_F_B"), HasSubstr("is no pair of actions"));
  EXPECT_THAT(refusal("(0B0;0F1)OVERLAP_F_B"), HasSubstr("does not overlap an F with a B"));
  EXPECT_THAT(refusal("0F0,0B0\n0F1,0B1\n"),
              HasSubstr("lists.csv:2:1: 0F1 is on rank 1, and stage 0 is on rank 0"));
  EXPECT_THAT(refusal(""), HasSubstr("lists.csv: is empty"));
}

TEST(ScheduleFile, ReplicasShareTheStages) {
  const Schedule schedule =
      read_schedule_csv(write_schedule_csv(generate("dualpipe", {.ranks = 4, .microbatches = 8})),
                        "lists.csv", {.replicas = 2});
  EXPECT_EQ(schedule.stages(), 8);
  EXPECT_EQ(schedule.model_stages(), 4);
  EXPECT_EQ(schedule.microbatches, 8);
  EXPECT_EQ(schedule.chunks, 1);
  EXPECT_EQ(schedule.consumer_of({ActionKind::forward, 3, 0}), -1);
  EXPECT_EQ(schedule.producer_of({ActionKind::forward, 4, 0}), -1);
}

}  // namespace
}  // namespace makespan
