#include "scenarios/workload.h"

#include <algorithm>

#include "devices/kernel.h"
#include "scenarios/layout.h"

namespace makespan {

namespace {

/// Sizes of one micro-batch on one tensor-parallel rank, as doubles: they multiply to more than 64 bits.
struct Sizes {
  double batch;
  double sequence;
  double keys;  ///< positions that the last token attends to
  double tensor;
  double hidden;
  double heads;     ///< on this rank
  double kv_heads;  ///< on this rank
  double head_dim;
  double ffn;         ///< on this rank
  double vocabulary;  ///< on this rank
  double tokens;
  double norm_tokens;  ///< tokens of the parts between tensor-parallel regions: split by sequence parallelism
  double element = 2;  ///< bytes

  Sizes(const Scenario& scenario, SequencePiece piece)
      : batch(static_cast<double>(scenario.training.micro_batch)),
        sequence(static_cast<double>(scenario.model.sequence / piece.count)),
        keys(sequence * (piece.index + 1)),
        tensor(static_cast<double>(scenario.parallelism.tensor)),
        hidden(static_cast<double>(scenario.model.hidden)),
        heads(static_cast<double>(scenario.model.heads) / tensor),
        kv_heads(static_cast<double>(scenario.model.kv_heads) / tensor),
        head_dim(static_cast<double>(scenario.model.head_dim)),
        ffn(static_cast<double>(scenario.model.ffn) / tensor),
        vocabulary(static_cast<double>(padded_vocabulary(scenario)) / tensor),
        tokens(batch * sequence),
        norm_tokens(scenario.parallelism.sequence_parallel ? tokens / tensor : tokens) {}
};

KernelOptions kernel_options(const Scenario& scenario, const Accelerator& accelerator) {
  constexpr double kEagerLaunch = 5e-6;  // CPU launch path of PyTorch, when the queue is not ahead
  constexpr double kGraphLaunch = 1e-6;
  KernelOptions options;
  options.launch_s = scenario.software.launch == Launch::eager ? kEagerLaunch : kGraphLaunch;
  return training_options(accelerator, options);
}

/// The kernels of one scenario on one accelerator.
class Kernels {
 public:
  Kernels(const Scenario& scenario, const Accelerator& accelerator, SequencePiece piece)
      : scenario_(scenario),
        accelerator_(accelerator),
        piece_(piece),
        sizes_(scenario, piece),
        options_(kernel_options(scenario, accelerator)) {}

  [[nodiscard]] const Sizes& sizes() const { return sizes_; }

  [[nodiscard]] ComputeWork bytes(double count) const { return memory_bound(accelerator_, options_, count); }

  /// A linear layer from `in` to `out` features on all tokens of the micro-batch.
  [[nodiscard]] ComputeWork linear(double in, double out) const {
    return gemm(accelerator_, options_, {.m = sizes_.tokens, .n = out, .k = in});
  }

  /// Its weight gradient. Fused, the GEMM adds to the main gradient; otherwise that is a pass of its own,
  /// which reads the product and the main gradient and writes the main gradient.
  [[nodiscard]] ComputeWork weight_gradient(double in, double out) const {
    const double main = scenario_.software.fp32_gradients ? 4.0 : 2.0;
    if (scenario_.software.wgrad_fusion) {
      return gemm(accelerator_, options_,
                  {.m = in, .n = out, .k = sizes_.tokens, .output_bytes = 2.0 * main});
    }
    return gemm(accelerator_, options_, {.m = in, .n = out, .k = sizes_.tokens}) +
           bytes((2.0 + 2.0 * main) * in * out);
  }

  /// Norm, and before it bias, dropout and residual of the part that came before.
  [[nodiscard]] ComputeWork residual_norm_forward() const {
    const double elements = sizes_.norm_tokens * sizes_.hidden;
    const ComputeWork norm = bytes(4.0 * elements);
    if (scenario_.model.architecture == Architecture::llama) {
      return norm + bytes(6.0 * elements);  // residual: read two, write one
    }
    if (scenario_.software.fused_kernels) {
      return norm + bytes(7.0 * elements);  // bias, dropout, residual: read two, write one and the mask
    }
    return norm + bytes(4.0 * elements) + bytes(5.0 * elements) + bytes(6.0 * elements);
  }

  [[nodiscard]] ComputeWork residual_norm_backward() const {
    const double elements = sizes_.norm_tokens * sizes_.hidden;
    const ComputeWork norm = bytes(8.0 * elements);
    if (scenario_.model.architecture == Architecture::llama) {
      return norm + bytes(6.0 * elements);
    }
    return norm + bytes(5.0 * elements) + bytes(6.0 * elements);  // dropout with its mask, residual sum
  }

  [[nodiscard]] ComputeWork activation_forward() const {
    const double elements = sizes_.tokens * sizes_.ffn;
    return bytes((scenario_.model.architecture == Architecture::llama ? 6.0 : 4.0) * elements);
  }

  [[nodiscard]] ComputeWork activation_backward() const {
    const double elements = sizes_.tokens * sizes_.ffn;
    return bytes((scenario_.model.architecture == Architecture::llama ? 10.0 : 6.0) * elements);
  }

  [[nodiscard]] ComputeWork attention_core(bool backward) const {
    const std::int64_t tensor = scenario_.parallelism.tensor;
    const AttentionShape shape{.kernel = scenario_.software.attention == Attention::flash
                                             ? AttentionKernel::flash
                                             : AttentionKernel::unfused,
                               .sequences = scenario_.training.micro_batch,
                               .heads = scenario_.model.heads / tensor,
                               .kv_heads = scenario_.model.kv_heads / tensor,
                               .queries = scenario_.model.sequence / piece_.count,
                               .keys = scenario_.model.sequence / piece_.count * (piece_.index + 1),
                               .head_dim = scenario_.model.head_dim,
                               .causal = true};
    return backward ? attention_backward(accelerator_, options_, shape)
                    : attention_forward(accelerator_, options_, shape);
  }

  /// Rotary embedding of queries and keys: read and write both.
  [[nodiscard]] ComputeWork rotary() const {
    if (scenario_.model.architecture == Architecture::gpt) {
      return {};
    }
    return bytes(4.0 * sizes_.tokens * (sizes_.heads + sizes_.kv_heads) * sizes_.head_dim);
  }

 private:
  const Scenario& scenario_;
  const Accelerator& accelerator_;
  SequencePiece piece_;
  Sizes sizes_;
  KernelOptions options_;
};

/// A size that a user's numbers multiply to.
std::int64_t whole_number(double count) {
  constexpr double kLimit = 9e18;
  if (!(count < kLimit)) {
    throw InfeasibleError("a size of the model leaves the range of 64 bits");
  }
  return static_cast<std::int64_t>(count);
}

Bytes whole(double count) {
  return Bytes(whole_number(count));
}

HalfLayer attention_half(const Scenario& scenario, const Kernels& kernels) {
  const Sizes& s = kernels.sizes();
  const double qkv = (s.heads + 2.0 * s.kv_heads) * s.head_dim;
  const double context = s.heads * s.head_dim;
  HalfLayer half;
  half.forward = kernels.residual_norm_forward() + kernels.linear(s.hidden, qkv) + kernels.rotary() +
                 kernels.attention_core(false) + kernels.linear(context, s.hidden);
  half.backward_input = kernels.linear(s.hidden, context) + kernels.attention_core(true) + kernels.rotary() +
                        kernels.linear(qkv, s.hidden) + kernels.residual_norm_backward();
  half.row_weight = kernels.weight_gradient(context, s.hidden);
  half.column_weight = kernels.weight_gradient(s.hidden, qkv);
  const bool flash = scenario.software.attention == Attention::flash;
  if (scenario.training.recompute.kind == RecomputeKind::selective && !flash) {
    half.recompute = kernels.attention_core(false);
  }
  const bool gpt = scenario.model.architecture == Architecture::gpt;
  const double biases = gpt ? qkv + s.hidden : 0.0;
  const double norm = gpt ? 2.0 * s.hidden : s.hidden;
  half.parameters = whole_number(s.hidden * qkv + context * s.hidden + biases + norm);
  // Inputs of the norm and of the QKV projection; Q, K, V and the context on this rank; gpt: the dropout
  // mask.
  const double whole_tokens = s.norm_tokens * s.hidden * (2.0 + 2.0 + (gpt ? 1.0 : 0.0));
  const double split = s.tokens * 2.0 * (qkv + context);
  // Scores: softmax output, its dropout and mask (5 a s^2 b); flash attention keeps only the log-sum-exp.
  const double scores = flash ? 4.0 * s.tokens * s.heads : 5.0 * s.tokens * s.heads * s.keys;
  half.weight_activation = whole(s.tokens * 2.0 * (2.0 * s.hidden + context + qkv));
  half.activation = whole(whole_tokens + split + scores);
  half.selective_activation = flash ? half.activation : whole(whole_tokens + split);
  return half;
}

HalfLayer mlp_half(const Scenario& scenario, const Kernels& kernels) {
  const Sizes& s = kernels.sizes();
  const bool gated = scenario.model.architecture == Architecture::llama;
  const double up = gated ? 2.0 * s.ffn : s.ffn;
  HalfLayer half;
  half.forward = kernels.residual_norm_forward() + kernels.linear(s.hidden, up) +
                 kernels.activation_forward() + kernels.linear(s.ffn, s.hidden);
  half.backward_input = kernels.linear(s.hidden, s.ffn) + kernels.activation_backward() +
                        kernels.linear(up, s.hidden) + kernels.residual_norm_backward();
  half.row_weight = kernels.weight_gradient(s.ffn, s.hidden);
  half.column_weight = kernels.weight_gradient(s.hidden, up);
  const double biases = gated ? 0.0 : s.ffn + s.hidden;
  const double norm = gated ? s.hidden : 2.0 * s.hidden;
  half.parameters = whole_number(s.hidden * up + s.ffn * s.hidden + biases + norm);
  const double whole_tokens = s.norm_tokens * s.hidden * (2.0 + 2.0 + (gated ? 0.0 : 1.0));
  const double split = s.tokens * s.ffn * 2.0 * (gated ? 3.0 : 2.0);
  half.weight_activation = whole(s.tokens * 2.0 * (2.0 * s.hidden + s.ffn + up));
  half.activation = whole(whole_tokens + split);
  half.selective_activation = half.activation;
  return half;
}

void add_embedding(const Scenario& scenario, const Kernels& kernels, Workload& work) {
  const Sizes& s = kernels.sizes();
  const double states = s.tokens * s.hidden;
  const bool gpt = scenario.model.architecture == Architecture::gpt;
  // Gather and write; gpt adds positions and dropout on what sequence parallelism leaves to this rank.
  work.embedding_forward = kernels.bytes(4.0 * states);
  work.embedding_backward = kernels.bytes(6.0 * states);
  if (gpt) {
    work.embedding_forward = work.embedding_forward + kernels.bytes(11.0 * s.norm_tokens * s.hidden);
    work.embedding_backward = work.embedding_backward + kernels.bytes(5.0 * s.norm_tokens * s.hidden);
  }
  work.embedding_activation = whole(8.0 * s.tokens + (gpt ? s.norm_tokens * s.hidden : 0.0));
  const double positions = gpt ? static_cast<double>(scenario.model.sequence) * s.hidden : 0.0;
  work.embedding_parameters = whole_number(s.vocabulary * s.hidden + positions);
}

void add_head(const Scenario& scenario, const Kernels& kernels, bool has_both_ends, Workload& work) {
  const Sizes& s = kernels.sizes();
  const double norm_states = s.norm_tokens * s.hidden;
  const double logits = s.tokens * s.vocabulary;
  // The loss reads the logits, writes them in FP32 with their gradient, and writes the 16-bit gradient.
  work.head_forward =
      kernels.residual_norm_forward() + kernels.linear(s.hidden, s.vocabulary) + kernels.bytes(10.0 * logits);
  work.head_backward_input =
      kernels.bytes(6.0 * logits) + kernels.linear(s.vocabulary, s.hidden) + kernels.residual_norm_backward();
  work.head_backward_weight = kernels.weight_gradient(s.hidden, s.vocabulary);
  work.head_weight_activation = whole(s.tokens * 2.0 * (s.hidden + s.vocabulary));
  work.head_activation = whole(2.0 * s.element * norm_states + 4.0 * logits);
  work.head_is_embedding =
      *scenario.model.tied_embeddings && (has_both_ends || scenario.parallelism.pipeline == 1);
  const double norm = scenario.model.architecture == Architecture::gpt ? 2.0 * s.hidden : s.hidden;
  work.head_parameters = whole_number((work.head_is_embedding ? 0.0 : s.vocabulary * s.hidden) + norm);
}

}  // namespace

std::int64_t padded_vocabulary(const Scenario& scenario) {
  const std::int64_t multiple = 128 * scenario.parallelism.tensor;
  return (scenario.model.vocabulary + multiple - 1) / multiple * multiple;
}

Workload build_workload(const Scenario& scenario, const Accelerator& accelerator, bool has_both_ends,
                        SequencePiece piece) {
  const Kernels kernels(scenario, accelerator, piece);
  const Sizes& s = kernels.sizes();
  Workload work;
  work.attention = attention_half(scenario, kernels);
  work.mlp = mlp_half(scenario, kernels);
  work.layer_input = whole(s.element * s.norm_tokens * s.hidden);
  add_embedding(scenario, kernels, work);
  add_head(scenario, kernels, has_both_ends, work);
  work.tensor_payload = whole(s.element * s.tokens * s.hidden);
  work.loss_payload = whole(4.0 * s.tokens);
  const bool split = scenario.parallelism.sequence_parallel || scenario.software.scatter_gather;
  work.message = whole(s.element * s.tokens * s.hidden / (split ? s.tensor : 1.0));
  work.gradient_bytes = scenario.software.fp32_gradients ? 4 : 2;
  return work;
}

ComputeWork optimizer_step(const Scenario& scenario, const Accelerator& accelerator,
                           std::int64_t parameters) {
  // The norm and the unscaling read the gradients once more.
  const double gradient_bytes = scenario.software.fp32_gradients ? 4.0 : 2.0;
  const auto count = static_cast<double>(parameters);
  const KernelOptions options = kernel_options(scenario, accelerator);
  return memory_bound(accelerator, options, gradient_bytes * count) +
         adam_step(accelerator, options, count, gradient_bytes);
}

namespace {

/// The model's numbers as doubles, for FLOP formulas.
struct Formula {
  double batch, sequence, layers, hidden, heads, kv_heads, head_dim, ffn, vocabulary, gated;

  explicit Formula(const Scenario& scenario)
      : batch(static_cast<double>(scenario.training.global_batch)),
        sequence(static_cast<double>(scenario.model.sequence)),
        layers(static_cast<double>(scenario.model.layers)),
        hidden(static_cast<double>(scenario.model.hidden)),
        heads(static_cast<double>(scenario.model.heads)),
        kv_heads(static_cast<double>(scenario.model.kv_heads)),
        head_dim(static_cast<double>(scenario.model.head_dim)),
        ffn(static_cast<double>(scenario.model.ffn)),
        vocabulary(static_cast<double>(scenario.model.vocabulary)),
        gated(scenario.model.architecture == Architecture::llama ? 1.0 : 0.0) {}

  [[nodiscard]] double tokens() const { return batch * sequence; }

  /// Causal scores and values of one layer, forward, per token.
  [[nodiscard]] double attention_core() const { return 2.0 * sequence * heads * head_dim; }

  /// One layer, forward, per token.
  [[nodiscard]] double layer() const {
    const double projections = 2.0 * hidden * head_dim * (2.0 * heads + 2.0 * kv_heads);
    return projections + attention_core() + (gated > 0 ? 6.0 : 4.0) * hidden * ffn;
  }
};

double nemo(const Formula& f, double context) {
  return f.tokens() *
         (12.0 * f.layers * f.hidden * f.hidden * (1.0 + f.kv_heads / f.heads + context / f.hidden) +
          (f.gated > 0 ? 18.0 : 12.0) * f.layers * f.ffn * f.hidden + 6.0 * f.vocabulary * f.hidden);
}

}  // namespace

double total_parameters(const Scenario& scenario) {
  const Formula f(scenario);
  const bool gpt = scenario.model.architecture == Architecture::gpt;
  const double attention = f.hidden * f.head_dim * (2.0 * f.heads + 2.0 * f.kv_heads);
  const double mlp = (gpt ? 2.0 : 3.0) * f.hidden * f.ffn;
  const double biases = gpt ? f.head_dim * (f.heads + 2.0 * f.kv_heads) + 2.0 * f.hidden + f.ffn : 0.0;
  const double norms = (gpt ? 4.0 : 2.0) * f.hidden;
  const double final_norm = (gpt ? 2.0 : 1.0) * f.hidden;
  const double embedding = f.vocabulary * f.hidden * (*scenario.model.tied_embeddings ? 1.0 : 2.0);
  const double positions = gpt ? f.sequence * f.hidden : 0.0;
  return f.layers * (attention + mlp + biases + norms) + final_norm + embedding + positions;
}

double iteration_flops(const Scenario& scenario, FlopsConvention convention) {
  const Formula f(scenario);
  const double square = f.tokens() * f.layers * f.hidden * f.hidden;
  switch (convention) {
    case FlopsConvention::exact:
      return 3.0 * f.tokens() * (f.layers * f.layer() + 2.0 * f.hidden * f.vocabulary);
    case FlopsConvention::sc21_hw:
      return 96.0 * square *
             (1.0 + f.sequence / (6.0 * f.hidden) + f.vocabulary / (16.0 * f.layers * f.hidden));
    case FlopsConvention::korth_model:
      return 72.0 * square *
             (1.0 + f.sequence / (6.0 * f.hidden) + f.vocabulary / (12.0 * f.layers * f.hidden));
    case FlopsConvention::nemo_noncausal:
      return nemo(f, f.sequence);
    case FlopsConvention::nemo_causal:
      return nemo(f, f.sequence / 2.0);
    case FlopsConvention::torchtitan_noncausal:
      return f.tokens() * (6.0 * (total_parameters(scenario) - f.vocabulary * f.hidden) +
                           12.0 * f.layers * f.hidden * f.sequence);
    case FlopsConvention::mpt:
      return f.tokens() * (6.0 * total_parameters(scenario) + 12.0 * f.layers * f.hidden * f.sequence);
  }
  MAKESPAN_CHECK(false, "an unknown FLOP convention");
  return 0.0;
}

double hardware_flops(const Scenario& scenario) {
  const Formula f(scenario);
  const Recompute& recompute = scenario.training.recompute;
  const auto stages = static_cast<int>(scenario.parallelism.pipeline * scenario.schedule.chunks);
  double layers = 0.0;
  for (const StageLayers& stage : stage_layers(scenario, stages)) {
    const std::int64_t again =
        recompute.layers < 0 ? stage.count : std::min<std::int64_t>(recompute.layers, stage.count);
    layers += static_cast<double>(again);
  }
  double extra = 0.0;
  if (recompute.kind == RecomputeKind::full) {
    extra = layers * f.layer();
  } else if (recompute.kind == RecomputeKind::selective &&
             scenario.software.attention == Attention::unfused) {
    extra = layers * f.attention_core();
  }
  return iteration_flops(scenario, FlopsConvention::exact) + f.tokens() * extra;
}

}  // namespace makespan
