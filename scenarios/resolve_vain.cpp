#include "scenarios/machine.h"
#include "scenarios/resolver.h"

namespace makespan {

/// Only values that differ from the default: a resolved scenario gives every key.
void Resolver::vain_keys() {
  const Parallelism& parallelism = s_.parallelism;
  for (const std::string& warning : fabric_warnings(s_.cluster)) {
    warnings_.push_back(warning);
  }
  if (parallelism.data == 1 || s_.profile) {
    const std::string why = s_.profile ? "a profile has no gradients" : "there is one replica";
    if (!parallelism.data_parallel.overlap) {
      no_effect("parallelism.data_parallel.overlap", why);
    }
    if (parallelism.data_parallel.bucket != default_bucket(parallelism.data)) {
      no_effect("parallelism.data_parallel.bucket", why);
    }
  }
  const DataParallel& reduction = parallelism.data_parallel;
  if (parallelism.data > 1 && !s_.profile && !reduction.overlap &&
      reduction.bucket != default_bucket(parallelism.data)) {
    no_effect("parallelism.data_parallel.bucket", "without overlap all gradients are reduced together");
  }
  if (s_.simulation.seed != SimulationSpec{}.seed) {
    no_effect("simulation.seed", "nothing is random in this version");
  }
  vain_collectives();
  if (s_.profile) {
    vain_with_profile();
  } else {
    vain_software();
  }
}

void Resolver::vain_collectives() {
  const Parallelism& parallelism = s_.parallelism;
  const std::string with_profile = "a profile has no collectives";
  if (s_.profile || parallelism.tensor == 1) {
    no_effect("collectives.tp", s_.profile ? with_profile : "tensor is 1");
  }
  if (s_.profile || parallelism.data == 1) {
    no_effect("collectives.dp", s_.profile ? with_profile : "there is one replica");
  }
  if (s_.profile || (parallelism.tensor == 1 && parallelism.pipeline == 1)) {
    no_effect("collectives.other", s_.profile ? with_profile : "tensor and pipeline are 1");
  }
  if (!parallelism.sequence_parallel) {
    no_effect("collectives.tp.measured.reduce_scatter", "tensor groups use it with sequence parallelism");
  }
  for (const char* key :
       {"collectives.dp.measured.all_gather", "collectives.dp.measured.reduce_scatter",
        "collectives.other.measured.all_gather", "collectives.other.measured.reduce_scatter"}) {
    no_effect(key, "such groups use all-reduce alone");
  }
}

void Resolver::vain_software() {
  const Software& software = s_.software;
  const Parallelism& parallelism = s_.parallelism;
  const std::string why = parallelism.tensor == 1 ? "tensor is 1" : "sequence parallelism does it anyway";
  const bool without_choice = parallelism.tensor == 1 || parallelism.sequence_parallel;
  if (without_choice && software.tensor_overlap != usual_.tensor_overlap) {
    no_effect("software.tensor_overlap", why);
  }
  if (software.scatter_gather != usual_.scatter_gather) {
    if (without_choice) {
      no_effect("software.scatter_gather", why);
    } else if (parallelism.pipeline == 1) {
      no_effect("software.scatter_gather", "pipeline is 1, and no messages are sent");
    }
  }
  if (s_.training.recompute.kind == RecomputeKind::selective && software.attention == Attention::flash) {
    no_effect("training.recompute.kind", "flash attention keeps nothing that is recomputed");
  }
}

void Resolver::vain_with_profile() {
  const std::string why = "the profile gives the times";
  const Software& software = s_.software;
  const auto vain = [&](bool differs, const std::string& key) {
    if (differs) {
      no_effect(key, why);
    }
  };
  vain(software.preset != Software{}.preset, "software.preset");
  vain(software.attention != usual_.attention, "software.attention");
  vain(software.wgrad_fusion != usual_.wgrad_fusion, "software.wgrad_fusion");
  vain(software.tensor_overlap != usual_.tensor_overlap, "software.tensor_overlap");
  vain(software.launch != usual_.launch, "software.launch");
  vain(software.scatter_gather != usual_.scatter_gather, "software.scatter_gather");
  vain(software.fused_kernels != usual_.fused_kernels, "software.fused_kernels");
  vain(software.fp32_gradients != usual_.fp32_gradients, "software.fp32_gradients");
  vain(s_.training.recompute.kind != RecomputeKind::none, "training.recompute.kind");
  vain(s_.parallelism.sequence_parallel, "parallelism.sequence_parallel");
  vain(!s_.parallelism.layout.empty(), "parallelism.layout");
  no_effect("reference.tflops_per_gpu", "a profile has no FLOPs to count");
}

}  // namespace makespan
