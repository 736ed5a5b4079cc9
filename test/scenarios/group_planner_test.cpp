#include "scenarios/group_planner.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "scenarios/run.h"
#include "test/scenarios/scenario_texts.h"

namespace makespan {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

/// kSmallScenario on two nodes of H100.
Prepared prepared(std::vector<std::string> overrides, std::vector<std::string>* warnings = nullptr) {
  overrides.insert(overrides.begin(), {"cluster={node: dgx-h100, nodes: 2}", "parallelism.tensor=4"});
  return prepare(small_scenario(overrides, warnings));
}

std::string error_of(const std::vector<std::string>& overrides) {
  try {
    (void)prepared(overrides);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

/// The longest transfer of a group.
TransferWork largest(const makespan::Run& run, Group group) {
  TransferWork work;
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    const TaskId task(i);
    if (run.lowered.graph.tasks[i].kind == TaskKind::transfer &&
        run.lowered.graph.label(task).group == group) {
      work = std::max(work, run.lowered.graph.transfer(task));
    }
  }
  return work;
}

TEST(Collectives, are_pinned_by_the_kind_of_group) {
  const makespan::Run cheapest = run(prepared({}));
  const makespan::Run pinned = run(prepared({"collectives={tp: {algorithm: nvls}}"}));
  EXPECT_EQ(largest(pinned, Group::dp), largest(cheapest, Group::dp));
  EXPECT_NE(largest(pinned, Group::tp), largest(cheapest, Group::tp))
      << "of a few megabytes a ring is cheaper";
  const makespan::Run both = run(prepared({"collectives={tp: {algorithm: nvls}, dp: {protocol: ll}}"}));
  EXPECT_EQ(largest(both, Group::tp), largest(pinned, Group::tp));
  EXPECT_NE(largest(both, Group::dp), largest(cheapest, Group::dp));
}

TEST(Collectives, take_an_sm_for_each_channel) {
  const auto sm_ppm = [](const makespan::Run& run) {
    std::uint32_t most = 0;
    for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
      if (run.lowered.graph.tasks[i].kind == TaskKind::transfer &&
          run.lowered.graph.label(TaskId(i)).group == Group::dp) {
        most = std::max(most, run.lowered.graph.route(TaskId(i)).sm_ppm);
      }
    }
    return most;
  };
  const Prepared four = prepared({"collectives={dp: {channels: 4}}"});
  EXPECT_EQ(sm_ppm(run(four)), 4 * 1'000'000U / static_cast<std::uint32_t>(four.accelerator->sms));
}

TEST(Collectives, that_cannot_run_as_pinned_are_refused_before_the_run) {
  EXPECT_THAT(error_of({"collectives={dp: {algorithm: torus}}"}),
              HasSubstr("--set: collectives.dp.algorithm: cannot run as torus"));
  EXPECT_THAT(error_of({"collectives={tp: {algorithm: nvls, protocol: ll}}"}),
              HasSubstr("--set: collectives.tp.protocol: "));
  EXPECT_THAT(error_of({"collectives={tp: {algorithm: tree}}", "parallelism.sequence_parallel=true"}),
              HasSubstr("--set: collectives.tp.algorithm: "));
}

class MeasuredCollectives : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("makespan_measured_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    std::ofstream(folder_ / "all_reduce.log")
        << "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   "
           "algbw   busbw #wrong\n"
           "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  "
           "(GB/s)  (GB/s)\n"
           "        1024           256     float     sum      -1   1000.0    0.00    0.00      0   1000.0    "
           "0.00    0.00      0\n"
           "  1073741824     268435456     float     sum      -1 1000000.0   1.07    1.88      0 1000000.0   "
           " "
           "1.07    1.88      0\n";
  }

  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(MeasuredCollectives, take_the_times_that_nccl_tests_printed) {
  const Prepared ready =
      prepared({"collectives={dp: {measured: " + (folder_ / "all_reduce.log").string() + "}}",
                "parallelism.data_parallel.overlap=false"});
  const makespan::Run finished = run(ready);
  int reductions = 0;
  for (std::size_t i = 0; i < finished.lowered.graph.tasks.size(); ++i) {
    const TaskId task(i);
    if (finished.lowered.graph.tasks[i].kind == TaskKind::transfer &&
        finished.lowered.graph.label(task).group == Group::dp) {
      ++reductions;
      const Time time = finished.timeline.end[i] - finished.timeline.begin[i];
      EXPECT_GE(time, Time(1'000'000'000)) << "a millisecond for a kilobyte";
      EXPECT_LE(time, Time(1'000'000'000'000)) << "a second for a gigabyte";
    }
  }
  EXPECT_EQ(reductions, 2 * 4) << "one per pipeline and tensor rank";
}

TEST_F(MeasuredCollectives, of_another_group_are_warned_about) {
  std::string log = "# Using devices\n";
  for (int rank = 0; rank < 16; ++rank) {
    log += "#  Rank " + std::to_string(rank) + " Group  0 Pid   4711 on " + (rank < 8 ? "host-a" : "host-b") +
           " device  " + std::to_string(rank % 8) + " [0x1b] NVIDIA H100\n";
  }
  log += "# size count type redop root time algbw busbw #wrong\n1048576 262144 float sum -1 100.0 1 1 0\n";
  std::ofstream(folder_ / "large.log") << log;
  const std::string pin = "{measured: " + (folder_ / "large.log").string() + "}";
  EXPECT_THAT(
      prepared({"collectives={dp: " + pin + "}"}).warnings,
      testing::ElementsAre(HasSubstr("collectives.dp.measured.all_reduce: the times are those of 16 ranks "
                                     "on 2 nodes, and are used for 2 ranks on 1 node")));
  EXPECT_THAT(
      prepared({"collectives={dp: " + pin + "}", "parallelism={tensor: 1, pipeline: 1, data: 16}"}).warnings,
      IsEmpty());
}

TEST(Collectives, without_messages_are_warned_about_once) {
  const std::vector<std::string> overrides = {"simulation.fidelity=message",
                                              "collectives={tp: {algorithm: nvls}}"};
  EXPECT_THAT(prepared(overrides).warnings,
              testing::Contains(HasSubstr("simulation.fidelity: where all-reduce runs as nvls, it stays one "
                                          "transfer"))
                  .Times(1));
  EXPECT_THAT(prepared({"simulation.fidelity=message",
                        "collectives={tp: {algorithm: ring}, dp: {algorithm: ring}, "
                        "other: {algorithm: ring}}"})
                  .warnings,
              IsEmpty());
}

TEST_F(MeasuredCollectives, are_found_from_where_the_scenario_is) {
  std::string text = kSmallScenario + "collectives: {dp: {measured: all_reduce.log}}\n";
  text.replace(text.find("nodes: 1"), 8, "nodes: 2");
  Scenario scenario = parse_scenario(text, (folder_ / "scenario.yaml").string());
  std::vector<std::string> warnings;
  resolve(scenario, warnings);
  EXPECT_THAT(warnings, IsEmpty());
  const CollectiveChoices choices = read_collectives(scenario);
  EXPECT_EQ(choices.at({Group::dp, CollectiveKind::all_reduce}).measured.size(), 2U);
  EXPECT_THAT(choices.at({Group::dp, CollectiveKind::all_gather}).measured, IsEmpty());
  EXPECT_THAT(choices.at({Group::tp, CollectiveKind::all_reduce}).measured, IsEmpty());
}

TEST_F(MeasuredCollectives, that_cannot_be_read_are_refused) {
  EXPECT_THAT(error_of({"collectives={dp: {measured: nowhere.log}}"}),
              HasSubstr("--set: collectives.dp.measured.all_reduce: nowhere.log"));
  std::ofstream(folder_ / "broken.log") << "no table\n";
  EXPECT_THAT(error_of({"collectives={dp: {measured: " + (folder_ / "broken.log").string() + "}}"}),
              HasSubstr("broken.log"));
}

TEST(Collectives, in_vain_are_warned_about) {
  std::vector<std::string> warnings;
  (void)small_scenario({"parallelism.tensor=1", "parallelism.pipeline=1", "parallelism.data=1",
                        "collectives={tp: {algorithm: ring}, dp: {channels: 4}, other: {protocol: ll}}"},
                       &warnings);
  const std::string all = testing::PrintToString(warnings);
  EXPECT_THAT(all, HasSubstr("collectives.tp: has no effect: tensor is 1"));
  EXPECT_THAT(all, HasSubstr("collectives.dp: has no effect: there is one replica"));
  EXPECT_THAT(all, HasSubstr("collectives.other: has no effect"));
}

}  // namespace
}  // namespace makespan
