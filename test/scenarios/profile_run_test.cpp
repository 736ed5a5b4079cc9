// What passes cost is read out of a run, and schedules are searched for with it.
#include "scenarios/profile_run.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "core/error.h"
#include "scenarios/schedule_source.h"
#include "scenarios/workload.h"
#include "schedules/bare.h"
#include "schedules/catalogue.h"
#include "schedules/list_scheduler.h"
#include "test/scenarios/examples.h"
#include "test/scenarios/scenario_texts.h"

namespace makespan {
namespace {

using test::profiled;
using test::run_it;
using test::small_gpt;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Le;

constexpr std::int64_t kMillisecond = 1'000'000'000;

/// Prepared with a schedule that costs nothing to find.
Prepared prepared(Scenario scenario) {
  scenario.schedule.kind = "gpipe";
  return prepare(std::move(scenario));
}

PassCosts profile(const Scenario& scenario, Placement placement = Placement::loop) {
  return profile_passes(prepared(scenario), placement);
}

std::int64_t picoseconds(const ComputeWork& work) {
  return work.nominal().count();
}

/// F 4, I 5 and W 3 ms per stage but the last, which takes 1 ms more for each; hops of 0.5 ms.
Scenario uneven_profile(std::int64_t pipeline, std::int64_t microbatches) {
  Scenario scenario = profiled(pipeline, microbatches);
  Profile& profile = *scenario.profile;
  const auto times = [&](std::int64_t milliseconds) {
    std::vector<Time> list(static_cast<std::size_t>(pipeline), Time(milliseconds * kMillisecond));
    list.back() += Time(kMillisecond);
    return list;
  };
  profile.forward = times(4);
  profile.backward.clear();
  profile.backward_input = times(5);
  profile.backward_weight = times(3);
  profile.activation = Bytes(1 << 20);
  profile.communication = Time(kMillisecond / 2);
  return scenario;
}

TEST(ProfileRun, reads_back_the_times_of_a_profile) {
  const PassCosts costs = profile(uneven_profile(3, 7));
  ASSERT_EQ(costs.ranks.size(), 3U);
  EXPECT_EQ(costs.hop, kMillisecond / 2);
  for (const int rank : {0, 1, 2}) {
    const RankCosts& own = costs.of(rank);
    const std::int64_t more = rank == 2 ? 1 : 0;
    EXPECT_EQ(own.forward, (4 + more) * kMillisecond);
    EXPECT_EQ(own.backward_input, (5 + more) * kMillisecond);
    EXPECT_EQ(own.backward_weight, (3 + more) * kMillisecond);
    EXPECT_EQ(own.backward, (8 + 2 * more) * kMillisecond);
    EXPECT_EQ(own.activation, 1 << 20);
    EXPECT_EQ(own.weight_activation, 1 << 20);
  }
}

TEST(ProfileRun, takes_the_mean_time_of_the_stages_of_a_rank) {
  Scenario scenario = uneven_profile(4, 8);
  scenario.parallelism.pipeline = 2;
  scenario.schedule.chunks = 2;
  scenario.schedule.kind = "interleaved";
  scenario.schedule.communication = Communication::independent;
  // Stage 3 is on rank 1 in a loop, on rank 0 in a V.
  const auto forward = [&](Placement placement, int rank) {
    return profile_passes(prepare(scenario), placement).of(rank).forward;
  };
  EXPECT_EQ(forward(Placement::loop, 0), 4 * kMillisecond);
  EXPECT_EQ(forward(Placement::loop, 1), (4 + 5) * kMillisecond / 2);
  EXPECT_EQ(forward(Placement::snake, 0), (4 + 5) * kMillisecond / 2);
}

TEST(ProfileRun, takes_whole_backward_passes_where_the_profile_has_no_halves) {
  const Scenario scenario = profiled(2, 4);
  EXPECT_TRUE(is_unsplit(scenario));
  EXPECT_EQ(profile(scenario).of(1).backward, 4 * kMillisecond);
}

TEST(ProfileRun, finds_the_kernels_and_the_activations_of_a_stage) {
  Scenario scenario = small_gpt(8);
  scenario.parallelism.pipeline = 2;
  const PassCosts costs = profile(scenario);
  const Workload work = build_workload(scenario, find_accelerator("a100-80gb"));
  const auto kernels = [&](auto member) {
    return 4 * (picoseconds(work.attention.*member) + picoseconds(work.mlp.*member));
  };
  const auto bytes = [&](Bytes HalfLayer::*member) {
    return 4 * (work.attention.*member + work.mlp.*member);
  };
  const std::int64_t input = kernels(&HalfLayer::backward_input);
  const std::int64_t weight = kernels(&HalfLayer::row_weight) + kernels(&HalfLayer::column_weight);
  EXPECT_EQ(costs.of(0).forward, kernels(&HalfLayer::forward) + picoseconds(work.embedding_forward));
  EXPECT_EQ(costs.of(1).forward, kernels(&HalfLayer::forward) + picoseconds(work.head_forward));
  EXPECT_EQ(costs.of(0).backward_input, input);
  EXPECT_EQ(costs.of(0).backward_weight, weight + picoseconds(work.embedding_backward));
  EXPECT_EQ(costs.of(1).backward_input, input + picoseconds(work.head_backward_input));
  // W runs beside the gradient that I sends, which slows it a little.
  const std::int64_t head_weight = weight + picoseconds(work.head_backward_weight);
  EXPECT_NEAR(static_cast<double>(costs.of(1).backward_weight), static_cast<double>(head_weight),
              1e-3 * static_cast<double>(head_weight));
  EXPECT_EQ(costs.of(1).backward, costs.of(1).backward_input + head_weight);
  EXPECT_EQ(costs.of(0).activation, (bytes(&HalfLayer::activation) + work.embedding_activation).count());
  EXPECT_EQ(costs.of(0).weight_activation,
            (bytes(&HalfLayer::weight_activation) + work.embedding_activation).count());
  EXPECT_EQ(costs.of(1).activation, (bytes(&HalfLayer::activation) + work.head_activation).count());
  EXPECT_EQ(costs.of(1).weight_activation,
            (bytes(&HalfLayer::weight_activation) + work.head_weight_activation).count());
}

TEST(ProfileRun, runs_where_the_first_replica_is) {
  // With data parallelism inside the pipeline, the two stages of a replica are on two nodes; without, on one.
  Scenario scenario = small_gpt(8);
  scenario.parallelism.pipeline = 2;
  const std::int64_t near = profile(scenario).hop;
  scenario.cluster.nodes = 2;
  scenario.parallelism.data = 8;
  scenario.training.global_batch = 64;
  const std::int64_t far = profile(scenario).hop;
  EXPECT_GT(far, 3 * near);
  const auto run = run_it(scenario);
  std::int64_t least = far;
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    if (run.lowered.graph.label(TaskId(i)).group == Group::pp) {
      least = std::min(least, (run.timeline.end[i] - run.timeline.begin[i]).count());
    }
  }
  EXPECT_EQ(far, least);
}

TEST(ProfileRun, limits_memory_to_what_the_gpu_has_left) {
  Scenario scenario = small_gpt(8);
  scenario.parallelism.pipeline = 2;
  const std::int64_t all = find_accelerator("a100-80gb").memory.count();
  const auto run = run_it(scenario);
  const PassCosts costs = profile(scenario);
  for (const int rank : {0, 1}) {
    const std::int64_t left = all - total(run.lowered.statics[static_cast<std::size_t>(rank)]).count();
    EXPECT_LE(costs.of(rank).memory_limit, left);
    EXPECT_GT(costs.of(rank).memory_limit, left - (std::int64_t{1} << 30));
  }
  scenario.schedule.activations = 3;
  EXPECT_EQ(profile(scenario).of(1).memory_limit, 3 * costs.of(1).activation);
  scenario.schedule.activations = 0;
  scenario.schedule.memory = Bytes(std::int64_t{20} << 30);
  EXPECT_EQ(profile(scenario).of(1).memory_limit, std::int64_t{20} << 30);
  scenario.schedule.memory = Bytes(1000);
  try {
    (void)profile(scenario);
    FAIL() << "accepted";
  } catch (const InfeasibleError& error) {
    EXPECT_THAT(error.what(), HasSubstr("schedule.memory: pipeline rank 0 has 0.0 GiB for activations"));
  }
}

TEST(SearchedSchedules, hold_as_many_activations_as_the_scenario_says) {
  for (const std::string kind : {"zb-auto", "list"}) {
    for (const int most : {2, 4, 6}) {
      Scenario scenario = uneven_profile(4, 9);
      scenario.schedule.kind = kind;
      scenario.schedule.activations = most;
      const Prepared ready = prepare(scenario);
      EXPECT_THAT(peak_activations(ready.schedule), Each(Le(most))) << kind;
      EXPECT_EQ(run(ready).report.peak_memory, Bytes(std::int64_t{most} << 20)) << kind;
    }
  }
}

TEST(SearchedSchedules, count_micro_batches_where_a_profile_says_nothing_of_memory) {
  Scenario scenario = uneven_profile(4, 9);
  scenario.profile->activation = Bytes();
  scenario.schedule.kind = "zb-auto";
  scenario.schedule.activations = 4;
  EXPECT_THAT(peak_activations(prepare(scenario).schedule), Each(Le(4)));
}

TEST(SearchedSchedules, stay_within_the_memory_where_weights_need_more_than_forwards_keep) {
  // Split, W needs inputs that sequence parallelism gathers.
  Scenario scenario = small_gpt(8);
  scenario.parallelism.tensor = 4;
  scenario.parallelism.sequence_parallel = true;
  scenario.parallelism.pipeline = 2;
  scenario.software.attention = Attention::flash;
  const PassCosts costs = profile(scenario);
  EXPECT_GT(costs.of(0).weight_activation, costs.of(0).activation);
  scenario.schedule.memory = Bytes(5 * costs.of(0).weight_activation / 2);
  for (const std::string kind : {"zb-auto", "list"}) {
    scenario.schedule.kind = kind;
    for (const RankReport& rank : run_it(scenario).report.ranks) {
      EXPECT_LE(rank.memory.split[static_cast<std::size_t>(MemoryKind::activations)],
                scenario.schedule.memory)
          << kind;
    }
  }
}

TEST(SearchedSchedules, of_a_profile_are_never_longer_than_fixed_ones_that_fit) {
  for (const std::int64_t pipeline : {2, 3, 4}) {
    for (const std::int64_t most : {pipeline, 2 * pipeline}) {
      Scenario scenario = uneven_profile(pipeline, 3 * pipeline);
      scenario.schedule.activations = most;
      scenario.schedule.kind = "list";
      const Time found = run_it(scenario).report.iteration_time;
      int compared = 0;
      for (const FixedSchedule& fixed : fixed_schedules(
               {.ranks = static_cast<int>(pipeline), .microbatches = static_cast<int>(3 * pipeline)})) {
        const std::vector<int> peaks = peak_activations(fixed.schedule);
        scenario.schedule.kind = fixed.schedule.kind;
        if (*std::max_element(peaks.begin(), peaks.end()) <= most && fixed.name == fixed.schedule.kind) {
          EXPECT_LE(found, run_it(scenario).report.iteration_time) << fixed.name;
          ++compared;
        }
      }
      EXPECT_GE(compared, 2);
    }
  }
}

TEST(SearchedSchedules, of_a_model_are_no_longer_than_fixed_ones_up_to_contention) {
  // Kernels slow down a little beside messages, which the costs of passes leave out.
  for (const std::string placement : {"loop", "v"}) {
    Scenario scenario = small_gpt(16);
    scenario.parallelism.pipeline = 4;
    scenario.training.global_batch = 12;
    scenario.schedule.chunks = placement == "v" ? 2 : 1;
    const auto time = [&](const std::string& kind) {
      scenario.schedule.kind = kind;
      scenario.schedule.placement = kind == "list" ? placement : "";
      return seconds(run_it(scenario).report.iteration_time);
    };
    const double found = time("list");
    for (const std::string& fixed : placement == "v" ? std::vector<std::string>{"zb-v", "v-half", "v-min"}
                                                     : std::vector<std::string>{"1f1b", "zb-h1", "zb-h2"}) {
      EXPECT_LE(found, 1.002 * time(fixed)) << fixed;
    }
  }
}

TEST(SearchedSchedules, shrink_bubbles_when_they_may_hold_more) {
  double before = 1;
  for (const std::int64_t most : {4, 8}) {
    Scenario scenario = small_gpt(16);
    scenario.parallelism.pipeline = 4;
    scenario.training.global_batch = 16;
    scenario.schedule.kind = "zb-auto";
    scenario.schedule.activations = most;
    const double bubble = run_it(scenario).report.span_bubble_ratio;
    EXPECT_LT(bubble, before);
    before = bubble;
  }
}

TEST(SearchedSchedules, are_the_same_each_time) {
  Scenario scenario = small_gpt(8);
  scenario.parallelism.pipeline = 2;
  scenario.schedule.kind = "list";
  EXPECT_EQ(run_it(scenario).report.fingerprint, run_it(scenario).report.fingerprint);
}

TEST(SearchedSchedules, have_keys_that_are_refused_where_they_mean_nothing) {
  EXPECT_THAT(small_error({"schedule.kind=list", "schedule.communication=fused"}),
              HasSubstr("schedule.communication: list is searched for independent messages, not fused"));
  EXPECT_THAT(small_error({"schedule.kind=zb-auto", "schedule.chunks=2"}), HasSubstr("one chunk per rank"));
  EXPECT_THAT(small_error({"schedule.kind=list", "schedule.placement=v", "schedule.chunks=3"}),
              HasSubstr("a V has 2 chunks per rank, not 3"));
  EXPECT_THAT(small_error({"schedule.kind=list", "schedule.activations=4", "schedule.memory=3 GiB"}),
              HasSubstr("cannot be given together with 'activations'"));
  std::vector<std::string> warnings;
  (void)small_scenario({"schedule.activations=4", "schedule.placement=v"}, &warnings);
  EXPECT_THAT(warnings, testing::Contains(HasSubstr("only zb-auto and list have a memory limit")));
  EXPECT_THAT(warnings, testing::Contains(HasSubstr("only list has a choice of placements")));
  const Scenario scenario = small_scenario({"schedule.kind=list", "schedule.placement=v"});
  EXPECT_EQ(scenario.schedule.chunks, 2);
  EXPECT_EQ(scenario.schedule.communication, Communication::independent);
}

}  // namespace
}  // namespace makespan
