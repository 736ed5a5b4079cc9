#include "scenarios/resolve.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "test/scenarios/scenario_texts.h"

namespace makespan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Resolve, derives_the_dimensions_of_a_gpt) {
  const Model model = small_scenario().model;
  EXPECT_EQ(model.kv_heads, model.heads);
  EXPECT_EQ(model.head_dim, 1024 / 16);
  EXPECT_EQ(model.ffn, 4 * 1024);
  EXPECT_EQ(model.tied_embeddings, true);
}

TEST(Resolve, derives_the_replicas_from_the_gpus) {
  const Scenario scenario = small_scenario({"cluster.nodes=3", "training.global_batch=24"});
  EXPECT_EQ(scenario.parallelism.data, 3 * 8 / (2 * 2));
  EXPECT_EQ(small_scenario({"parallelism.data=1"}).parallelism.data, 1);
}

TEST(Resolve, sizes_buckets_as_megatron_does) {
  EXPECT_EQ(small_scenario().parallelism.data_parallel.bucket, 40'000'000);
  const Scenario large = small_scenario({"cluster.nodes=100", "training.global_batch=400"});
  EXPECT_EQ(large.parallelism.data_parallel.bucket, 1'000'000 * large.parallelism.data);
}

TEST(Resolve, chooses_the_communication_by_the_schedule) {
  EXPECT_EQ(small_scenario().schedule.communication, Communication::fused);
  EXPECT_EQ(small_scenario({"schedule=gpipe"}).schedule.communication, Communication::independent);
  EXPECT_EQ(small_scenario({"schedule.communication=per-rank"}).schedule.communication,
            Communication::per_rank);
}

TEST(Resolve, fills_the_software_from_the_preset_unless_given) {
  const Software sc21 = small_scenario({"software=megatron-2021", "training.precision=fp16"}).software;
  EXPECT_EQ(sc21.attention, Attention::unfused);
  EXPECT_FALSE(sc21.wgrad_fusion);
  EXPECT_TRUE(sc21.scatter_gather);
  EXPECT_FALSE(sc21.fp32_gradients);
  const Software mixed = small_scenario({"software={preset: megatron-2021, attention: flash}"}).software;
  EXPECT_EQ(mixed.attention, Attention::flash);
  EXPECT_FALSE(mixed.wgrad_fusion);
  EXPECT_EQ(small_scenario().software.attention, Attention::flash);
}

TEST(Resolve, chooses_the_micro_batch_group_of_interleaved_schedules) {
  // 32 sequences / (2 x 2 replicas) = 8 micro-batches; p = 2 divides them.
  EXPECT_EQ(small_scenario({"schedule={kind: interleaved, chunks: 2}"}).schedule.group, 2);
  // 5 micro-batches on 2 ranks: 5 div (5 div 2) = 2 leaves a last group of 1, less than p.
  EXPECT_THAT(small_error({"schedule={kind: interleaved, chunks: 2}", "training.global_batch=20"}),
              HasSubstr("leave a last group of 1"));
  EXPECT_EQ(small_scenario({"schedule={kind: interleaved, chunks: 2, group: 5}", "training.global_batch=20"})
                .schedule.group,
            5);
}

TEST(Resolve, warns_about_keys_without_effect) {
  std::vector<std::string> warnings;
  std::ignore = small_scenario(
      {"schedule.group=4", "schedule.lifo=true", "cluster.fabric.oversubscription=2"}, &warnings);
  ASSERT_EQ(warnings.size(), 3U);
  EXPECT_THAT(warnings[0], HasSubstr("schedule.group: has no effect"));
  EXPECT_THAT(warnings[1], HasSubstr("schedule.lifo: has no effect"));
  EXPECT_THAT(warnings[2], HasSubstr("cluster.fabric.oversubscription: has no effect"));
}

TEST(Resolve, warns_about_idle_gpus) {
  std::vector<std::string> warnings;
  std::ignore = small_scenario({"parallelism.data=1"}, &warnings);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("4 of the 8 GPUs")));
  warnings.clear();
  std::ignore = small_scenario({}, &warnings);
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(Resolve, reports_independent_problems_together) {
  const std::string error = small_error({"model.heads=15", "model.layers=23", "parallelism.order=[tensor]"});
  EXPECT_THAT(error, HasSubstr("model.heads: 15 does not divide hidden 1024"));
  EXPECT_THAT(error, HasSubstr("model.layers: 23 layers do not divide"));
  EXPECT_THAT(error, HasSubstr("parallelism.order: must name each"));
}

TEST(Resolve, refuses_a_run_that_is_too_large_at_once_and_says_why) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(std::ignore = small_scenario({"training.global_batch=4e9"}), InfeasibleError);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  const std::string error = small_error({"training.global_batch=4e9"});
  EXPECT_THAT(error, HasSubstr("--set: training.global_batch: the run would take about"));
  EXPECT_THAT(error, HasSubstr("(1000000000 micro-batches per pipeline) and 'model.layers' (12 layers"));
  EXPECT_THAT(small_error({"training.global_batch=1e12"}), HasSubstr("the run would take about"));
}

TEST(Resolve, survives_the_largest_sizes_of_every_key) {
  for (const std::string key :
       {"model.layers=10000", "model.hidden=1000000", "model.heads=1000000", "model.kv_heads=1000000",
        "model.head_dim=1000000", "model.ffn=10000000", "model.vocabulary=100000000",
        "model.sequence=100000000", "training.global_batch=1000000000000",
        "training.micro_batch=1000000000000", "cluster.nodes=100000", "parallelism.tensor=1000000",
        "parallelism.pipeline=1000000", "parallelism.data=1000000", "schedule.chunks=10000",
        "schedule.group=1000000", "training.recompute={kind: full, layers: 10000}"}) {
    EXPECT_NE(small_error({key}), "") << key;
  }
  EXPECT_THAT(
      small_error({"parallelism.tensor=1000000", "parallelism.pipeline=1000000", "parallelism.data=1000000",
                   "schedule={kind: interleaved, chunks: 10000}", "training.micro_batch=1000000000000",
                   "training.global_batch=1000000000000", "model.layers=10000"}),
      HasSubstr("more than the 8 GPUs"));
}

}  // namespace
}  // namespace makespan
