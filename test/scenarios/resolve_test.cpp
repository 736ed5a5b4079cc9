#include "scenarios/resolve.h"

#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "scenarios/run.h"
#include "scenarios/task_count.h"
#include "test/scenarios/scenario_texts.h"

namespace makespan {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
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

/// What kSmallScenario with overrides is warned about.
std::vector<std::string> small_warnings(const std::vector<std::string>& overrides) {
  std::vector<std::string> warnings;
  std::ignore = small_scenario(overrides, &warnings);
  return warnings;
}

TEST(Resolve, warns_about_recomputation_that_recomputes_nothing) {
  const auto is_vain = ElementsAre(HasSubstr("training.recompute.kind: has no effect"));
  EXPECT_THAT(small_warnings({"training.recompute=selective"}), is_vain);
  EXPECT_THAT(small_warnings({"training.recompute={kind: full, layers: 0}"}), is_vain);
  EXPECT_THAT(small_warnings({"training.recompute={kind: selective, layers: 0}", "software=megatron-2022"}),
              is_vain);
  EXPECT_THAT(small_warnings({"training.recompute=selective", "software=megatron-2022"}), IsEmpty());
  EXPECT_THAT(small_warnings({"training.recompute={kind: full, layers: 1}"}), IsEmpty());
}

TEST(Resolve, warns_about_software_that_the_parallelism_leaves_no_choice) {
  const std::string overlap = "software.tensor_overlap=true";
  const std::string scatter = "software.scatter_gather=true";
  const auto overlap_is_vain = ElementsAre(HasSubstr("software.tensor_overlap: has no effect"));
  const auto scatter_is_vain = ElementsAre(HasSubstr("software.scatter_gather: has no effect"));
  EXPECT_THAT(small_warnings({overlap, scatter}), IsEmpty());
  EXPECT_THAT(small_warnings({overlap, "parallelism.sequence_parallel=true"}), overlap_is_vain);
  EXPECT_THAT(small_warnings({overlap, "parallelism.tensor=1"}), overlap_is_vain);
  EXPECT_THAT(small_warnings({scatter, "parallelism.sequence_parallel=true"}), scatter_is_vain);
  EXPECT_THAT(small_warnings({scatter, "parallelism.tensor=1"}), scatter_is_vain);
  EXPECT_THAT(small_warnings({scatter, "parallelism.pipeline=1"}), scatter_is_vain);
  // What the preset says is not held against the user, and neither is repeating it.
  EXPECT_THAT(small_warnings({"software={preset: megatron-2021, scatter_gather: true}",
                              "parallelism.tensor=1", "training.precision=fp16"}),
              IsEmpty());
}

TEST(Resolve, warns_about_a_bucket_without_overlap_a_seed_and_messages_without_a_pipeline) {
  const std::string bucket = "parallelism.data_parallel.bucket=10 M parameters";
  EXPECT_THAT(small_warnings({bucket}), IsEmpty());
  EXPECT_THAT(small_warnings({bucket, "parallelism.data_parallel.overlap=false"}),
              ElementsAre(HasSubstr("parallelism.data_parallel.bucket: has no effect")));
  EXPECT_THAT(small_warnings({"simulation.seed=7"}),
              ElementsAre(HasSubstr("simulation.seed: has no effect")));
  EXPECT_THAT(small_warnings({"simulation.seed=1"}), IsEmpty()) << "as a resolved scenario is written";
  EXPECT_THAT(small_warnings({"schedule.communication=per-rank"}), IsEmpty());
  EXPECT_THAT(small_warnings({"schedule.communication=per-rank", "parallelism.pipeline=1"}),
              ElementsAre(HasSubstr("schedule.communication: has no effect")));
}

const std::string kProfile = R"(schema: makespan.scenario/1
name: measured
workload:
  profile:
    forward: 10 ms
    backward: 20 ms
training:
  global_batch: 8
cluster:
  node: dgx-a100-80gb
parallelism:
  pipeline: 8
)";

Scenario measured(const std::vector<std::string>& overrides, std::vector<std::string>& warnings) {
  Scenario scenario = parse_scenario(kProfile, "measured.yaml", overrides);
  resolve(scenario, warnings);
  return scenario;
}

TEST(Resolve, warns_about_what_a_profile_leaves_without_effect) {
  std::vector<std::string> warnings;
  const Scenario scenario = measured({}, warnings);
  EXPECT_THAT(warnings, IsEmpty());
  std::ignore = measured({"reference={tflops_per_gpu: 100, source: none}",
                          "software={preset: megatron-2022, launch: graph, attention: flash}"},
                         warnings);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("software.preset: has no effect"),
                                    HasSubstr("software.attention: has no effect"),
                                    HasSubstr("software.launch: has no effect"),
                                    HasSubstr("reference.tflops_per_gpu: has no effect")));
}

TEST(Resolve, accepts_a_profile_with_one_half_of_the_backward_pass_at_nothing) {
  std::string text = kProfile;
  text.replace(text.find("backward: 20 ms"), std::string("backward: 20 ms").size(),
               "backward_input: 20 ms\n    backward_weight: 0 s");
  Scenario scenario = parse_scenario(text, "measured.yaml");
  std::vector<std::string> warnings;
  EXPECT_NO_THROW(resolve(scenario, warnings));
}

TEST(Resolve, accepts_first_and_last_stages_without_layers) {
  for (const std::string layout : {"[0, 24]", "[24, 0]"}) {
    const Scenario scenario = small_scenario({"parallelism.layout=" + layout});
    EXPECT_GT(run(prepare(scenario)).report.iteration_time, Time(0)) << layout;
  }
  const Scenario both = small_scenario({"parallelism.pipeline=4", "parallelism.layout=[0, 12, 12, 0]"});
  EXPECT_GT(run(prepare(both)).report.iteration_time, Time(0));
}

TEST(Resolve, offers_only_tensor_sizes_that_are_accepted) {
  // 8 GPUs / pipeline 2 leave at most 4.
  EXPECT_THAT(small_error({"parallelism.tensor=3"}), HasSubstr("hint: accepted: 1, 2, 4\n"));
  EXPECT_THAT(small_error({"parallelism.tensor=3", "model.kv_heads=2"}), HasSubstr("hint: accepted: 1, 2\n"));
  EXPECT_THAT(small_error({"parallelism.tensor=4", "model.kv_heads=2"}), EndsWith("hint: accepted: 1, 2"));
  EXPECT_THAT(small_error({"parallelism.tensor=3", "parallelism.data=2"}),
              AllOf(HasSubstr("hint: accepted: 1, 2\n"), HasSubstr("parallelism.data")));
  EXPECT_THAT(small_error({"parallelism.tensor=16", "cluster.nodes=4", "model.ffn=4100"}),
              EndsWith("hint: accepted: 1, 2, 4"));
  for (const std::string tensor : {"1", "2", "4"}) {
    EXPECT_EQ(small_error({"parallelism.tensor=" + tensor}), "accepted");
  }
}

TEST(Resolve, estimates_tasks_closely_and_never_too_few) {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"parallelism.sequence_parallel=true", "training.recompute=full"},
      {"parallelism.tensor=1", "training.recompute={kind: full, layers: 3}"},
      {"parallelism.tensor=4", "parallelism.data=1", "software=megatron-2021"},
      {"software=megatron-2022", "training.recompute=selective"},
      {"schedule={kind: interleaved, chunks: 3}", "simulation.iterations=2", "software.scatter_gather=true"},
      {"parallelism.pipeline=1", "parallelism.data_parallel.overlap=false"},
      {"parallelism.pipeline=1", "parallelism.tensor=1"}};
  for (const std::vector<std::string>& overrides : cases) {
    const Scenario scenario = small_scenario(overrides);
    const auto estimate = static_cast<std::int64_t>(most_tasks(scenario));
    const auto tasks = static_cast<std::int64_t>(run(prepare(scenario)).report.tasks);
    EXPECT_GE(estimate, tasks) << ::testing::PrintToString(overrides);
    EXPECT_LE(estimate, tasks + tasks / 10) << ::testing::PrintToString(overrides);
  }
  std::vector<std::string> warnings;
  const Scenario profile = measured({}, warnings);
  EXPECT_EQ(static_cast<std::int64_t>(most_tasks(profile)),
            static_cast<std::int64_t>(run(prepare(profile)).report.tasks));
}

TEST(Resolve, shows_oversubscription_in_the_library_scenario_about_it) {
  const auto iteration = [](const std::string& oversubscription) {
    const std::vector<std::string> overrides = {"cluster.fabric.oversubscription=" + oversubscription,
                                                "training.global_batch=320"};
    Scenario scenario = read_scenario("gpt-7.5b-oversubscribed", overrides);
    std::vector<std::string> warnings;
    resolve(scenario, warnings);
    return static_cast<double>(run(prepare(scenario)).report.iteration_time.count());
  };
  EXPECT_GT(iteration("4"), 1.10 * iteration("1"));
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
