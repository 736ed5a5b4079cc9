// What the schedules' actions come to on a cluster.
#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "scenarios/workload.h"
#include "schedules/catalogue.h"
#include "test/scenarios/examples.h"

namespace makespan {
namespace {

using test::profiled;
using test::run_it;
using test::small_gpt;

constexpr auto kActivations = static_cast<std::size_t>(MemoryKind::activations);

/// Two pipeline ranks with four layers each, without tensor parallelism.
Scenario two_ranks(const std::string& kind) {
  Scenario scenario = small_gpt(8);
  scenario.parallelism.pipeline = 2;
  scenario.schedule.kind = kind;
  scenario.schedule.chunks = std::max(schedule_kind(kind).least_chunks, kind == "interleaved-zb" ? 2 : 1);
  return scenario;
}

class SplitSchedule : public testing::TestWithParam<std::string> {};

TEST_P(SplitSchedule, computes_as_much_as_one_with_whole_backward_passes) {
  // Kernels slow down beside messages, so that only the work itself is compared: the sum of nominal
  // durations.
  const auto work = [](const Scenario& scenario) {
    const auto run = run_it(scenario);
    std::map<Phase, Time> sums;
    Time all;
    for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
      const Phase phase = run.lowered.graph.label(TaskId(i)).phase;
      if (run.lowered.graph.tasks[i].kind == TaskKind::compute && phase != Phase::optimizer) {
        const Time nominal = run.lowered.graph.compute(TaskId(i)).nominal();
        sums[phase] += nominal;
        all += nominal;
      }
    }
    return std::pair(all, sums);
  };
  const auto [whole, whole_phases] = work(two_ranks("1f1b"));
  const auto [split, split_phases] = work(two_ranks(GetParam()));
  EXPECT_EQ(whole, split);
  EXPECT_EQ(whole_phases.at(Phase::backward),
            split_phases.at(Phase::backward_input) + split_phases.at(Phase::backward_weight));
  EXPECT_FALSE(split_phases.contains(Phase::backward));
}

TEST_P(SplitSchedule, accounts_for_every_picosecond) {
  const auto run = run_it(two_ranks(GetParam()));
  for (const RankReport& rank : run.report.ranks) {
    EXPECT_EQ(rank.time.compute + rank.time.exposed_total() + rank.time.bubble_total(),
              run.report.iteration_time);
  }
}

TEST_P(SplitSchedule, gives_back_every_activation) {
  const auto run = run_it(two_ranks(GetParam()));
  std::map<std::uint32_t, std::int64_t> left;
  for (const MemoryDelta& delta : run.lowered.graph.memory) {
    left[static_cast<std::uint32_t>(delta.device.index())] += delta.bytes.count();
  }
  for (const auto& [device, bytes] : left) {
    EXPECT_EQ(bytes, 0) << "device " << device;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, SplitSchedule,
                         testing::Values("zb-h1", "zb-h2", "interleaved-zb", "zb-v", "v-half", "v-min"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(SplitSchedules, keep_what_the_weight_gradients_need) {
  // M_W of GPT's layer: inputs of four linears (2 + 2 + 2 + 8 = 14 s b h) and gradients of their outputs (6 +
  // 2 + 8 + 2 = 18 s b h), 32 s b h in all (Qi et al. 2024, arXiv 2401.10241).
  const Scenario scenario = two_ranks("zb-h1");
  const Workload work = build_workload(scenario, find_accelerator("a100-80gb"));
  EXPECT_EQ(work.attention.weight_activation + work.mlp.weight_activation, 32 * Bytes(2048 * 4096));
}

TEST(SplitSchedules, take_the_closed_form_on_a_profile) {
  for (const std::int64_t p : {2, 4}) {
    Scenario scenario = profiled(p, 2 * p);
    scenario.profile->backward.clear();
    scenario.profile->backward_input = {Time(2'000'000'000)};
    scenario.profile->backward_weight = {Time(2'000'000'000)};
    scenario.schedule.kind = "zb-h1";
    // m (F + I + W) + (p - 1)(F + I - W).
    EXPECT_EQ(run_it(scenario).report.iteration_time, Time((2 * p * 6 + (p - 1) * 2) * 1'000'000'000)) << p;
  }
}

TEST(VSchedules, sum_tied_embeddings_on_the_rank_that_has_both_ends) {
  const auto run = run_it(two_ranks("zb-v"));
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    const Label& label = run.lowered.graph.label(TaskId(i));
    EXPECT_FALSE(label.group == Group::other && label.phase == Phase::backward) << "a sum between ranks";
  }
  // Rank 0 has the embedding once, for both ends: rank 1 has four layers and nothing else.
  const Workload work = build_workload(two_ranks("zb-v"), find_accelerator("a100-80gb"), true);
  const auto weights = [&](std::size_t rank) {
    return run.lowered.statics[rank][static_cast<std::size_t>(MemoryKind::weights)];
  };
  EXPECT_EQ(weights(1), 2 * Bytes(4 * work.layer_parameters()));
  EXPECT_EQ(weights(0) - weights(1), 2 * Bytes(work.embedding_parameters + work.head_parameters));
}

TEST(VSchedules, hold_fewer_activations_in_the_order_that_the_paper_gives) {
  const auto peak = [](const std::string& kind) {
    Scenario scenario = small_gpt(16);
    scenario.parallelism.pipeline = 4;
    scenario.training.global_batch = 16;
    scenario.schedule.kind = kind;
    scenario.schedule.chunks = schedule_kind(kind).least_chunks;
    const auto run = run_it(scenario);
    Bytes most;
    for (const RankReport& rank : run.report.ranks) {
      most = std::max(most, rank.memory.split[kActivations]);
    }
    return most;
  };
  const Bytes min = peak("v-min");
  const Bytes half = peak("v-half");
  const Bytes full = peak("zb-v");
  EXPECT_LT(min, half);
  EXPECT_LT(half, full);
}

}  // namespace
}  // namespace makespan
