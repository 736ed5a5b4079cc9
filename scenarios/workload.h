#pragma once

#include <cstdint>

#include "core/task_graph.h"
#include "devices/accelerator.h"
#include "scenarios/scenario.h"

namespace makespan {

/// Attention or MLP of one layer, for one micro-batch on one tensor-parallel rank. Communication is not
/// included.
struct HalfLayer {
  ComputeWork forward;         ///< residual and norm before it, to the row-parallel linear
  ComputeWork recompute;       ///< repeated before the backward pass under selective recompute
  ComputeWork backward_input;  ///< gradients of every input, from the output's to the norm's
  ComputeWork
      row_weight;  ///< weight gradient of the row-parallel linear (output projection, second MLP linear)
  ComputeWork column_weight;    ///< weight gradient of the column-parallel linear, which may hide a reduction
  std::int64_t parameters = 0;  ///< on this rank
  Bytes activation;             ///< kept from the forward to the backward pass when nothing is recomputed
  Bytes selective_activation;   ///< the same under selective recompute
  /// Kept from the input's gradient to the weights' where a schedule splits them: inputs of the two linears
  /// and gradients of their outputs, gathered. 32 s b h for attention and MLP of GPT together, as M_W of Qi
  /// et al. 2024 (arXiv 2401.10241).
  Bytes weight_activation;
};

/// What one tensor-parallel rank computes, stores and sends for one micro-batch, and what it keeps all the
/// time.
///
/// Kernels follow devices/kernel.h on the operation counts of modelling literature: transformer FLOPs as in
/// Narayanan et al. 2021 (arXiv 2104.04473), stored activations as in Korthikanti et al. 2022 (arXiv
/// 2205.05198, Table 2) and their Llama counterpart. Vocabularies are padded to a multiple of 128 x tensor,
/// as Megatron-LM does.
struct Workload {
  HalfLayer attention;
  HalfLayer mlp;
  Bytes layer_input;  ///< what full recompute keeps of a layer

  ComputeWork embedding_forward;
  ComputeWork embedding_backward;
  Bytes embedding_activation;
  std::int64_t embedding_parameters = 0;

  ComputeWork head_forward;  ///< final norm, logits, loss
  ComputeWork head_backward_input;
  ComputeWork head_backward_weight;
  Bytes head_activation;
  Bytes head_weight_activation;      ///< as HalfLayer::weight_activation
  std::int64_t head_parameters = 0;  ///< without those that are tied to an embedding on the same rank
  bool head_is_embedding = false;    ///< it is so tied

  Bytes tensor_payload;  ///< hidden states of a micro-batch: what each tensor-parallel collective carries
  Bytes loss_payload;    ///< one of the three reductions of the vocabulary-parallel loss
  Bytes message;         ///< to the next stage, from one tensor-parallel rank

  std::int64_t weight_bytes = 2;      ///< per parameter
  std::int64_t gradient_bytes = 4;    ///< per parameter
  std::int64_t optimizer_bytes = 12;  ///< per parameter: FP32 copy and Adam's two moments

  [[nodiscard]] std::int64_t layer_parameters() const { return attention.parameters + mlp.parameters; }
};

/// One of `count` equal parts of a sequence. It attends to itself and to the parts before it.
struct SequencePiece {
  int index = 0;
  int count = 1;
};

/// Requires a resolved scenario with a model. `has_both_ends`: the ranks with the last stage have the first
/// one too, and with them both ends of tied embeddings.
[[nodiscard]] Workload build_workload(const Scenario& scenario, const Accelerator& accelerator,
                                      bool has_both_ends = false, SequencePiece piece = {});

/// Adam on `parameters` local parameters, gradient norm and unscaling included.
[[nodiscard]] ComputeWork optimizer_step(const Scenario& scenario, const Accelerator& accelerator,
                                         std::int64_t parameters);

/// Vocabulary after padding to a multiple of 128 x tensor.
[[nodiscard]] std::int64_t padded_vocabulary(const Scenario& scenario);

/// FLOPs of one iteration by a convention. `exact` counts every matrix multiplication of forward and backward
/// once (three times the forward pass), causal attention at half; recomputation is not counted.
[[nodiscard]] double iteration_flops(const Scenario& scenario, FlopsConvention convention);

/// What the hardware does: `exact` plus the recomputed part.
[[nodiscard]] double hardware_flops(const Scenario& scenario);

/// All parameters of the model.
[[nodiscard]] double total_parameters(const Scenario& scenario);

}  // namespace makespan
