#include "scenarios/schedule_source.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "scenarios/reader.h"
#include "scenarios/resolve.h"
#include "scenarios/run.h"
#include "schedules/catalogue.h"
#include "schedules/communication.h"
#include "schedules/schedule_file.h"

namespace makespan {
namespace {

using testing::HasSubstr;

/// Writes the lists beside the tests' own files; removed at the end.
class ScheduleSource : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() /
            ("makespan-lists-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) +
             ".csv");
  }

  void TearDown() override { std::filesystem::remove(path_); }

  /// The tiny scenario of the library with these lists: two pipeline ranks, eight micro-batches.
  Report run_lists(const std::string& lists, const std::string& more = "") {
    std::ofstream(path_) << lists;
    return run_with("schedule={file: " + path_.string() + more + "}");
  }

  static Report run_with(const std::string& set) {
    Scenario scenario = read_scenario("tiny-8xa100", std::vector<std::string>{set});
    std::vector<std::string> warnings;
    resolve(scenario, warnings);
    return run(prepare(std::move(scenario), std::move(warnings))).report;
  }

  std::string refusal(const std::string& lists, const std::string& more = "") {
    try {
      (void)run_lists(lists, more);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path path_;
};

TEST_F(ScheduleSource, lists_run_as_the_kind_that_they_are_of) {
  for (const std::string kind : {"1f1b", "zb-h1", "zb-v", "dualpipev"}) {
    const Schedule schedule = generate(kind, {.ranks = 2, .microbatches = 8});
    const Report own = run_with("schedule={kind: " + kind + ", communication: independent}");
    for (const Schedule& written : {schedule, insert_communication(schedule, WeightSteps::keep)}) {
      const Report report = run_lists(write_schedule_csv(written));
      EXPECT_EQ(report.fingerprint, own.fingerprint) << kind;
      EXPECT_EQ(report.iteration_time, own.iteration_time) << kind;
      EXPECT_THAT(report.schedule, HasSubstr("lists of "));
    }
  }
}

TEST_F(ScheduleSource, what_a_kind_refuses_is_told_at_the_key_that_says_it) {
  const auto refused = [](const std::vector<std::string>& sets) {
    try {
      Scenario scenario = read_scenario("tiny-8xa100", sets);
      std::vector<std::string> warnings;
      resolve(scenario, warnings);
      (void)prepare(std::move(scenario));
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(refused({"schedule=chimera", "parallelism.pipeline=1"}),
              HasSubstr("parallelism.pipeline: 1 is odd: chimera's two directions share every rank evenly"));
  EXPECT_THAT(refused({"schedule=dualpipe", "training.global_batch=8"}),
              HasSubstr("training.global_batch: micro-batches per pipeline: 2 is less than"));
}

TEST_F(ScheduleSource, lists_that_do_not_suit_the_scenario_are_refused) {
  const auto lists = [](int ranks, int microbatches) {
    return write_schedule_csv(generate("1f1b", {.ranks = ranks, .microbatches = microbatches}));
  };
  EXPECT_THAT(refusal(lists(4, 8)),
              HasSubstr("schedule.file: has lists for 4 ranks, and 'parallelism.pipeline' is 2"));
  EXPECT_THAT(refusal(lists(2, 4)),
              HasSubstr("schedule.file: has lists for 4 micro-batches, and there are 8"));
  EXPECT_THAT(refusal(lists(2, 8), ", chunks: 2"), HasSubstr("schedule.chunks: 2 is not what 'file' has: 1"));
  EXPECT_THAT(refusal(lists(2, 8), ", kind: zb-h1"),
              HasSubstr("schedule.kind: cannot be given together with 'file'"));
  EXPECT_THAT(refusal("0F0,1F0,0B0,1B0\n2F0,2B0\n"), HasSubstr("gives rank 1 1 stages, and others 2"));
  EXPECT_THAT(refusal("0F0,0B0\n1F0,1Q0\n"), HasSubstr(".csv:2:5: '1Q0' is no action"));
  EXPECT_THAT(refusal("0F0,0B0,0F1,0F2,0F3,0F4,0F5,0F6,0F7,0B1,0B2,0B3,0B4,0B5,0B6,0B7\n"
                      "1F0,1F1,1B0,1F2,1F3,1F4,1F5,1F6,1F7,1B1,1B2,1B3,1B4,1B5,1B6,1B7\n"),
              HasSubstr("deadlock: rank 0 waits at 0B0"));
  EXPECT_THAT(
      [] {
        try {
          (void)run_with("schedule={file: no-such-lists.csv}");
        } catch (const Error& error) {
          return std::string(error.what());
        }
        return std::string();
      }(),
      HasSubstr("no-such-lists.csv: there is no such file"));
}

}  // namespace
}  // namespace makespan
