#include "scenarios/workload.h"

#include <gtest/gtest.h>

#include "devices/kernel.h"
#include "test/scenarios/examples.h"

namespace makespan {
namespace {

Scenario llama(std::int64_t layers, std::int64_t hidden, std::int64_t heads, std::int64_t ffn) {
  Scenario scenario = test::small_gpt(layers);
  scenario.model = {.name = "llama",
                    .description = "",
                    .architecture = Architecture::llama,
                    .layers = layers,
                    .hidden = hidden,
                    .heads = heads,
                    .kv_heads = 8,
                    .head_dim = hidden / heads,
                    .ffn = ffn,
                    .vocabulary = 128256,
                    .sequence = 8192,
                    .tied_embeddings = false};
  return scenario;
}

const Accelerator& a100() {
  return find_accelerator("a100-80gb");
}

double activation(const Scenario& scenario) {
  const Workload work = build_workload(scenario, a100());
  return static_cast<double>((work.attention.activation + work.mlp.activation).count());
}

TEST(Workload, parameters_of_published_models_are_exact) {
  EXPECT_EQ(total_parameters(llama(32, 4096, 32, 14336)), 8'030'261'248.0);
  EXPECT_EQ(total_parameters(llama(80, 8192, 64, 28672)), 70'553'706'496.0);
  EXPECT_EQ(total_parameters(llama(126, 16384, 128, 53248)), 405'853'388'800.0);
}

TEST(Workload, the_parts_on_one_rank_sum_to_the_model) {
  Scenario scenario = llama(32, 4096, 32, 14336);
  for (const std::int64_t tensor : {1, 2, 8}) {
    scenario.parallelism.tensor = tensor;
    const Workload work = build_workload(scenario, a100());
    const std::int64_t held = 32 * work.layer_parameters() + work.embedding_parameters + work.head_parameters;
    const std::int64_t norms = (2 * 32 + 1) * 4096;  // each rank holds all of them
    const std::int64_t padding = 2 * (padded_vocabulary(scenario) - 128256) * 4096;
    EXPECT_EQ(static_cast<double>(tensor * (held - norms) + norms - padding), total_parameters(scenario));
  }
}

TEST(Workload, a_tied_head_costs_parameters_only_where_the_embedding_is_not) {
  Scenario scenario = test::small_gpt(4);
  EXPECT_EQ(build_workload(scenario, a100()).head_parameters, 2 * 4096);
  scenario.parallelism.pipeline = 2;
  EXPECT_EQ(build_workload(scenario, a100()).head_parameters, 51200 * 4096 + 2 * 4096);
}

TEST(Workload, stored_activations_are_those_of_korthikanti_table_2) {
  Scenario scenario = test::small_gpt(4);
  scenario.software.attention = Attention::unfused;
  const double s = 2048;
  const double b = 2;
  const double h = 4096;
  const double a = 32;
  scenario.training.micro_batch = 2;
  for (const std::int64_t tensor : {1, 2, 4, 8}) {
    const auto t = static_cast<double>(tensor);
    scenario.parallelism.tensor = tensor;
    scenario.parallelism.sequence_parallel = false;
    EXPECT_EQ(activation(scenario), s * b * h * (10 + 24 / t + 5 * a * s / (h * t)));
    scenario.parallelism.sequence_parallel = tensor > 1;
    EXPECT_EQ(activation(scenario), s * b * h / t * (34 + 5 * a * s / h));
    const Workload work = build_workload(scenario, a100());
    EXPECT_EQ(
        static_cast<double>((work.attention.selective_activation + work.mlp.selective_activation).count()),
        s * b * h / t * 34);
    EXPECT_EQ(static_cast<double>(work.layer_input.count()), 2 * s * b * h / t);
    scenario.parallelism.sequence_parallel = false;
  }
}

TEST(Workload, a_llama_layer_stores_its_linear_inputs_and_the_log_sum_exp) {
  Scenario scenario = llama(32, 4096, 32, 14336);
  const double s = 8192;
  const double h = 4096;
  EXPECT_EQ(activation(scenario), s * h * (12 + 4.0 * 8 / 32) + 6 * s * 14336 + 4 * s * 32);
}

TEST(Workload, conventions_reproduce_what_their_sources_print) {
  // Narayanan et al. 2021, Table 1: 145B on 1,536 GPUs, 148 TFLOP/s, 24.8 s. Korthikanti et al. 2022, Table
  // 5: 22B on 8 GPUs, 1.10 s and 41.5 % of 312 TFLOP/s.
  Scenario gpt = test::small_gpt(80);
  gpt.model.hidden = 12288;
  gpt.training.global_batch = 2304;
  EXPECT_NEAR(iteration_flops(gpt, FlopsConvention::sc21_hw) / (1536 * 148e12), 24.8174, 1e-3);
  gpt.model.layers = 48;
  gpt.model.hidden = 6144;
  gpt.training.global_batch = 4;
  EXPECT_NEAR(iteration_flops(gpt, FlopsConvention::korth_model) / (8 * 312e12 * 1.10), 0.415, 0.003);
}

TEST(Workload, per_token_conventions_differ_by_how_they_count_attention) {
  const Scenario scenario = llama(80, 8192, 64, 28672);
  const double tokens = 8.0 * 8192;
  const double attention = 12.0 * 80 * 8192 * 8192.0;  // 12 l h s per token
  EXPECT_DOUBLE_EQ(iteration_flops(scenario, FlopsConvention::mpt),
                   tokens * (6 * total_parameters(scenario) + attention));
  EXPECT_DOUBLE_EQ(iteration_flops(scenario, FlopsConvention::torchtitan_noncausal),
                   tokens * (6 * (total_parameters(scenario) - 128256.0 * 8192) + attention));
  EXPECT_NEAR(iteration_flops(scenario, FlopsConvention::nemo_noncausal) -
                  iteration_flops(scenario, FlopsConvention::nemo_causal),
              tokens * attention / 2, 1e6 * tokens);
  EXPECT_NEAR(iteration_flops(scenario, FlopsConvention::exact) /
                  iteration_flops(scenario, FlopsConvention::nemo_causal),
              1.0, 1e-12)
      << "both count each matrix multiplication once and half of the scores";
}

TEST(Workload, recomputation_adds_hardware_flops_only) {
  Scenario scenario = test::small_gpt(8);
  const double exact = iteration_flops(scenario, FlopsConvention::exact);
  EXPECT_EQ(hardware_flops(scenario), exact);
  scenario.training.recompute.kind = RecomputeKind::full;
  const double logits = 3 * 2.0 * 4096 * 51200 * 8 * 2048;
  EXPECT_DOUBLE_EQ(hardware_flops(scenario), exact + (exact - logits) / 3);
  EXPECT_EQ(iteration_flops(scenario, FlopsConvention::exact), exact);
}

TEST(Workload, partial_recomputation_counts_the_layers_of_each_stage) {
  Scenario scenario = test::small_gpt(8);
  scenario.parallelism.pipeline = 4;
  scenario.training.recompute.kind = RecomputeKind::full;
  const double none = iteration_flops(scenario, FlopsConvention::exact);
  const double all = hardware_flops(scenario) - none;
  scenario.training.recompute.layers = 2;
  EXPECT_DOUBLE_EQ(hardware_flops(scenario), none + all);
  scenario.parallelism.layout = {1, 1, 1, 5};
  EXPECT_DOUBLE_EQ(hardware_flops(scenario), none + all * (1 + 1 + 1 + 2) / 8);
}

TEST(Workload, tensor_parallelism_divides_the_matrix_work) {
  Scenario scenario = test::small_gpt(4);
  scenario.training.micro_batch = 4;  // large enough that tiles fill the device either way
  const Workload whole = build_workload(scenario, a100());
  scenario.parallelism.tensor = 4;
  const Workload part = build_workload(scenario, a100());
  const double ratio =
      static_cast<double>(whole.mlp.forward.sm.count()) / static_cast<double>(part.mlp.forward.sm.count());
  EXPECT_NEAR(ratio, 4.0, 0.4);
  EXPECT_EQ(whole.tensor_payload, part.tensor_payload);
}

TEST(Workload, vocabularies_are_padded_for_tensor_parallelism) {
  Scenario scenario = test::small_gpt(4);
  scenario.model.vocabulary = 50257;
  scenario.parallelism.tensor = 8;
  EXPECT_EQ(padded_vocabulary(scenario), 51200);
}

}  // namespace
}  // namespace makespan
