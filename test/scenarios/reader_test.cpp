#include "scenarios/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "scenarios/writer.h"
#include "test/scenarios/scenario_texts.h"

namespace makespan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Reader, reads_every_kind_of_value) {
  const Scenario scenario = parse_scenario(kSmallScenario + R"(
simulation: {iterations: 3, seed: 0, fold: "off"}
software: {attention: unfused, wgrad_fusion: false}
reference: {tflops_per_gpu: 148, flops_convention: sc21_hw, source: 'A paper: with a colon'}
)",
                                           "small.yaml");
  EXPECT_EQ(scenario.name, "small");
  EXPECT_EQ(scenario.model.architecture, Architecture::gpt);
  EXPECT_EQ(scenario.model.layers, 24);
  EXPECT_EQ(scenario.schedule.kind, "1f1b");
  EXPECT_EQ(scenario.simulation.iterations, 3);
  EXPECT_EQ(scenario.simulation.seed, 0);
  EXPECT_EQ(scenario.simulation.fold, "off");
  EXPECT_EQ(scenario.software.attention, Attention::unfused);
  EXPECT_FALSE(scenario.software.wgrad_fusion);
  EXPECT_EQ(scenario.reference.tflops_per_gpu, 148.0);
  EXPECT_EQ(scenario.reference.flops_convention, FlopsConvention::sc21_hw);
  EXPECT_EQ(scenario.reference.source, "A paper: with a colon");
}

TEST(Reader, remembers_where_keys_were_given) {
  const Scenario scenario = parse_scenario(kSmallScenario, "small.yaml");
  EXPECT_EQ(scenario.locations.at("parallelism.tensor").text(), "small.yaml:17:11");
  EXPECT_EQ(scenario.locations.at("parallelism").text(), "small.yaml:16:1");
  EXPECT_FALSE(scenario.locations.contains("parallelism.data"));
  EXPECT_STREQ(scenario_error(scenario, "parallelism.tensor", "is odd").what(),
               "small.yaml:17:11: parallelism.tensor: is odd");
  EXPECT_STREQ(scenario_error(scenario, "parallelism.data", "is odd").what(),
               "small.yaml:16:1: parallelism.data: is odd");
}

TEST(Reader, takes_short_forms_for_mappings) {
  const Scenario scenario =
      small_scenario({"training.recompute=full", "schedule=gpipe", "software=megatron-2021"});
  EXPECT_EQ(scenario.training.recompute.kind, RecomputeKind::full);
  EXPECT_EQ(scenario.training.recompute.layers, -1);
  EXPECT_EQ(scenario.schedule.kind, "gpipe");
  EXPECT_EQ(scenario.software.preset, "megatron-2021");
}

TEST(Reader, takes_a_profile_in_place_of_a_model) {
  const Scenario scenario = parse_scenario(R"(schema: makespan.scenario/1
workload:
  profile:
    forward: [1 ms, 2.5 ms]
    backward_input: 18.1 ms
    backward_weight: 9.3 ms
    activation: 1.2 GiB
    message: 48 MiB
training: {global_batch: 8}
cluster: {node: dgx-a100-80gb}
parallelism: {pipeline: 2}
)",
                                           "profile.yaml");
  ASSERT_TRUE(scenario.profile);
  EXPECT_THAT(scenario.profile->forward, ElementsAre(Time(1'000'000'000), Time(2'500'000'000)));
  EXPECT_THAT(scenario.profile->backward_input, ElementsAre(Time(18'100'000'000)));
  // 1.2 x 2^30 = 1288490188.8, rounded once.
  EXPECT_EQ(scenario.profile->activation, Bytes(1'288'490'189));
  EXPECT_EQ(scenario.profile->message, Bytes(48 * 1024 * 1024));
}

TEST(Reader, names_a_scenario_after_its_file_when_it_has_no_name) {
  std::string text = kSmallScenario;
  text.erase(text.find("name: small\n"), std::string("name: small\n").size());
  EXPECT_EQ(parse_scenario(text, "dir.d/my run.yaml").name, "my run");
}

TEST(Reader, accepts_the_neutral_value_of_keys_it_does_not_support) {
  EXPECT_EQ(small_error({"faults=[]", "collectives={}", "offload={}", "schedule.optimizer_sync=barrier",
                         "parallelism.context=1", "parallelism.zero=0", "parallelism.expert=1"}),
            "accepted");
  EXPECT_THAT(small_error({"faults=[{kind: slow-gpu}]"}), HasSubstr("is not supported by this version"));
  EXPECT_THAT(small_error({"parallelism.expert=2"}), HasSubstr("is not supported by this version"));
}

TEST(Reader, accepts_the_example_of_the_format) {
  const Scenario scenario = parse_scenario(R"(schema: makespan.scenario/1
name: gpt3-145b-sc21
model: {architecture: gpt, layers: 80, hidden: 12288, heads: 96, kv_heads: 96, ffn: 49152, vocabulary: 51200, sequence: 2048}
training: {global_batch: 2304, micro_batch: 2, precision: fp16, recompute: full, optimizer: adam, flops_convention: sc21_hw}
cluster:
  node: dgx-a100-80gb
  nodes: 192
  fabric: {kind: rail-fat-tree, oversubscription: 1.0, routing: ideal}
parallelism:
  tensor: 8
  sequence_parallel: false
  context: 1
  pipeline: 8
  data: 24
  zero: 0
  order: [tensor, context, data, pipeline]
schedule: {kind: interleaved, chunks: 2, communication: fused, optimizer_sync: barrier}
simulation: {fidelity: fluid, fold: auto, iterations: 1, seed: 1}
software: megatron-2021
collectives: {}
offload: {}
faults: []
reference: {tflops_per_gpu: 148, flops_convention: sc21_hw, source: "Narayanan et al. 2021, Table 1"}
)",
                                           "example.yaml");
  EXPECT_EQ(scenario.schedule.communication, Communication::fused);
  EXPECT_EQ(scenario.ranks(), 8 * 8 * 24);
}

TEST(Reader, suggests_our_key_for_one_of_another_program) {
  EXPECT_THAT(small_error({"parallelism.tensor_model_parallel_size=2"}),
              HasSubstr("our name is 'parallelism.tensor'"));
  EXPECT_THAT(small_error({"parallelism.--Pipeline-Model-Parallel-Size=2"}),
              HasSubstr("our name is 'parallelism.pipeline'"));
  EXPECT_THAT(small_error({"training.num_tokens_per_train_step=1"}),
              HasSubstr("divide by the sequence length"));
}

TEST(Reader, suggests_the_nearest_key_or_the_section_it_belongs_to) {
  EXPECT_THAT(small_error({"parallelism.tensr=2"}), HasSubstr("did you mean 'tensor'?"));
  EXPECT_THAT(small_error({"micro_batch=2"}), HasSubstr("'micro_batch' belongs under 'training'"));
  EXPECT_THAT(small_error({"training.simulation=2"}), HasSubstr("'simulation' belongs at the top level"));
}

TEST(Reader, does_not_confuse_a_dotted_key_with_a_path) {
  EXPECT_THAT(small_error({"parallelism={tensor: 2, pipeline: 2, data_parallel.overlap: false}"}),
              HasSubstr("unknown key"));
}

TEST(Reader, writes_a_resolved_scenario_that_reads_back_the_same) {
  for (const std::vector<std::string>& overrides : std::vector<std::vector<std::string>>{
           {},
           {"description=\"quotes \\\" backslash \\\\ tab \\t and\\nline\""},
           {"schedule={kind: interleaved, chunks: 3}", "simulation.seed=9223372036854775807"},
           {"parallelism.layout=[13, 11]", "parallelism.placement=[7, 6, 5, 4, 3, 2, 1, 0]"},
           {"training.recompute={kind: full, layers: 0}", "cluster.fabric.oversubscription=1.1",
            "cluster.nodes=24", "training.global_batch=96"},
           {"parallelism.order=[pipeline, data, context, tensor]", "reference.iteration_time_s=0.1"}}) {
    std::vector<std::string> warned;
    const std::string written = scenario_yaml(small_scenario(overrides, &warned));
    Scenario again = parse_scenario(written, "again.yaml");
    std::vector<std::string> warnings;
    resolve(again, warnings);
    EXPECT_EQ(scenario_yaml(again), written);
    EXPECT_EQ(warnings.size(), warned.size()) << "a resolved scenario gives every key, and no more in vain";
  }
}

TEST(Reader, keeps_hostile_text_out_of_messages) {
  const std::string error = small_error({"schedule=\"" + std::string(500, 'x') + "\""});
  EXPECT_LT(error.size(), 400U);
  EXPECT_THAT(error, HasSubstr("..."));
}

}  // namespace
}  // namespace makespan
