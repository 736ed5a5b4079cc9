#pragma once

#include "scenarios/run.h"
#include "scenarios/scenario.h"

namespace makespan::test {

/// A GPT of `layers` layers on A100 nodes, resolved, with every rank on its own: change what the test is
/// about.
inline Scenario small_gpt(std::int64_t layers) {
  Scenario scenario;
  scenario.name = "small-gpt";
  scenario.model = {.name = "small-gpt",
                    .description = "",
                    .architecture = Architecture::gpt,
                    .layers = layers,
                    .hidden = 4096,
                    .heads = 32,
                    .kv_heads = 32,
                    .head_dim = 128,
                    .ffn = 16384,
                    .vocabulary = 51200,
                    .sequence = 2048,
                    .tied_embeddings = true};
  scenario.training.global_batch = 8;
  scenario.training.micro_batch = 1;
  scenario.cluster.node = "dgx-a100-80gb";
  scenario.parallelism.data = 1;
  scenario.parallelism.data_parallel.bucket = 40'000'000;
  scenario.schedule.communication = Communication::independent;
  return scenario;
}

/// A pipeline of measured stages: forward 2 ms, backward 4 ms.
inline Scenario profiled(std::int64_t pipeline, std::int64_t microbatches) {
  Scenario scenario;
  scenario.name = "profiled";
  scenario.profile = Profile{};
  scenario.profile->forward = {Time(2'000'000'000)};
  scenario.profile->backward = {Time(4'000'000'000)};
  scenario.training.global_batch = microbatches;
  scenario.training.micro_batch = 1;
  scenario.cluster.node = "dgx-a100-80gb";
  scenario.parallelism.data = 1;
  scenario.parallelism.pipeline = pipeline;
  scenario.schedule.communication = Communication::independent;
  return scenario;
}

inline Run run_it(const Scenario& scenario) {
  return run(prepare(scenario));
}

}  // namespace makespan::test
