#include "scenarios/keys.h"

#include <algorithm>
#include <array>

#include "scenarios/key_builders.h"
#include "scenarios/layout_string.h"
#include "scenarios/lower.h"
#include "schedules/searches.h"

namespace makespan {

namespace keys {

namespace {

/// Sequences per iteration.
constexpr std::int64_t kMaxBatch = 1'000'000'000'000;

// Names in the order of the enumerators.
const Names kArchitectures = {"gpt", "llama"};
const Names kPrecisions = {"fp16", "bf16"};
const Names kRecomputeKinds = {"none", "selective", "full"};
const Names kFlopsConventions = {
    "exact", "sc21_hw", "korth_model", "nemo_noncausal", "nemo_causal", "torchtitan_noncausal", "mpt"};
const Names kDimensions = {"tensor", "context", "data", "pipeline"};
const Names kAttentions = {"flash", "unfused"};
const Names kLaunches = {"eager", "graph"};
const Names kOptimizerSyncs = {"barrier", "post-validation"};
const Names kCommunications = {"independent", "per-peer", "per-rank", "blocking", "fused"};

Field order_keys(std::vector<Dimension>& order) {
  const auto get = [&order] {
    std::vector<std::size_t> indices;
    indices.reserve(order.size());
    for (const Dimension dimension : order) {
      indices.push_back(static_cast<std::size_t>(dimension));
    }
    return indices;
  };
  const auto set = [&order](const std::vector<std::size_t>& indices) {
    order.clear();
    for (const std::size_t index : indices) {
      order.push_back(static_cast<Dimension>(index));
    }
  };
  Field field = key("order", ChoicesRef{get, set},
                    "Order of the dimensions in the rank numbers, innermost (neighbouring ranks) first.");
  field.names = kDimensions;
  field.later = {"expert"};
  return field;
}

Field model_keys(Model& model) {
  return section(
      "model", "The transformer: a mapping, or a name from the library.",
      {
          key("name", &model.name, "Name in the library; a label."),
          key("description", &model.description, "One line for people."),
          required(choice("architecture", model.architecture, kArchitectures,
                          "gpt: learned positions, LayerNorm, GELU, biases. llama: rotary positions, "
                          "RMSNorm, SwiGLU, no biases.",
                          {"moe", "mla-moe"})),
          required(integer("layers", model.layers, 1, 10'000, "Transformer layers.")),
          required(integer("hidden", model.hidden, 1, kMany, "Width of the hidden states.")),
          required(integer("heads", model.heads, 1, kMany, "Attention (query) heads.")),
          with_default(integer("kv_heads", model.kv_heads, 1, kMany,
                               "Key-value heads; fewer than `heads` for grouped-query attention."),
                       "heads"),
          with_default(integer("head_dim", model.head_dim, 1, kMany, "Width of one head."), "hidden / heads"),
          with_default(
              integer("ffn", model.ffn, 1, 10 * kMany, "Inner width of the MLP; required for llama."),
              "4 x hidden (gpt)"),
          required(integer(
              "vocabulary", model.vocabulary, 1, 100 * kMany,
              "Tokens in the vocabulary; padded to a multiple of 128 x tensor, as Megatron-LM does.")),
          required(integer("sequence", model.sequence, 1, 100 * kMany, "Tokens per sequence.")),
          with_default(key("tied_embeddings", &model.tied_embeddings,
                           "Whether the output layer shares the weights of the input embedding."),
                       "true (gpt), false (llama)"),
          unsupported("moe", {}, "Mixture of experts."),
          unsupported("huggingface", {}, "Dimensions from a Hugging Face config.json."),
      },
      {}, "models");
}

Field profile_keys(Profile& profile) {
  return section(
      "profile",
      "Measured times and sizes of one micro-batch through one stage. Times are one value for all stages or "
      "a list with one for each.",
      {
          required(key("forward", &profile.forward, "Forward pass.")),
          key("backward", &profile.backward,
              "Backward pass; or give its halves `backward_input` and `backward_weight`."),
          key("backward_input", &profile.backward_input, "Gradient of the input."),
          key("backward_weight", &profile.backward_weight, "Gradient of the weights."),
          with_default(key("forward_backward", &profile.forward_backward,
                           "A forward and a backward pass that the schedule overlaps, by the forward pass's "
                           "stage."),
                       "the sum of both"),
          key("activation", &profile.activation, "Memory held per micro-batch and stage."),
          key("message", &profile.message, "Sent between neighbouring stages; or give `communication`."),
          key("communication", &profile.communication, "A fixed time per message that occupies no link."),
      });
}

Field training_keys(Training& training) {
  Recompute& recompute = training.recompute;
  return required(section(
      "training", "Batch, precision and recomputation.",
      {
          required(integer("global_batch", training.global_batch, 1, kMaxBatch, "Sequences per iteration.")),
          integer("micro_batch", training.micro_batch, 1, kMaxBatch, "Sequences per micro-batch."),
          choice("precision", training.precision, kPrecisions,
                 "Type of weights and activations; FP32 master weights in the optimizer.",
                 {"fp32", "tf32", "fp8"}),
          section(
              "recompute", "Which activations are recomputed in the backward pass; a word stands for `kind`.",
              {
                  choice(
                      "kind", recompute.kind, kRecomputeKinds,
                      "full: whole layers from their inputs. selective: the attention core, unless flash."),
                  with_default(integer("layers", recompute.layers, 0, 10'000,
                                       "How many of the layers of each stage are recomputed."),
                               "all"),
              },
              "kind"),
          word("optimizer", training.optimizer, {"adam"}, {"sgd", "muon"}, "The optimizer."),
          choice("flops_convention", training.flops_convention, kFlopsConventions,
                 "How FLOPs are counted for TFLOP/s and MFU; exact: every matrix multiplication once, causal "
                 "attention at half."),
      }));
}

Field data_parallel_keys(DataParallel& data_parallel) {
  Field bucket = integer("bucket", data_parallel.bucket, 1, kMaxBatch,
                         "Parameters whose gradients are reduced together.");
  bucket.unit = "parameters";
  return section(
      "data_parallel", "Gradient reduction.",
      {
          key("overlap", &data_parallel.overlap,
              "Reduce a bucket as soon as its last gradient is there, during the backward passes."),
          with_default(std::move(bucket), "the larger of 40 M and 1 M x data, as Megatron-LM"),
          unsupported("prefetch", {}, "Parameter prefetch of ZeRO-3."),
          unsupported("reshard_after_forward", {}, "Resharding of ZeRO-3."),
          unsupported("shard_group", {}, "Hybrid sharding."),
      });
}

Field parallelism_keys(Parallelism& parallelism) {
  Field context = integer("context", parallelism.context, 1, 1, "Context-parallel size.");
  context.only = "context parallelism is not supported by this version";
  Field zero = integer("zero", parallelism.zero, 0, 0, "ZeRO stage; 0 replicates the optimizer states.");
  zero.only = "sharded optimizer states (ZeRO, FSDP) are not supported by this version";
  Field layout = key("layout", &parallelism.layout,
                     "Layers of each stage, first stage first; only the first and the last may have 0.");
  layout.low = 0;
  layout.high = 10'000;
  layout.text_form = parse_layout;
  layout.text_name = "Megatron-LM's layout string";
  layout.text_pattern = "^E[EtmL|()*,0-9]*L$";
  Field placement =
      key("placement", &parallelism.placement, "The GPU of each rank, counted over the cluster from 0.");
  placement.low = 0;
  placement.high = 100 * kMany;
  return section(
      "parallelism", "How the work is divided. The product of all sizes is the number of ranks.",
      {
          integer("tensor", parallelism.tensor, 1, kMany, "Tensor-parallel size; at most `kv_heads`."),
          key("sequence_parallel", &parallelism.sequence_parallel,
              "Megatron-LM's sequence parallelism: norms and dropouts are split over the tensor group."),
          std::move(context),
          integer("pipeline", parallelism.pipeline, 1, kMany, "Pipeline ranks."),
          with_default(integer("data", parallelism.data, 1, kMany, "Data-parallel replicas."),
                       "GPUs / (tensor x context x pipeline)"),
          std::move(zero),
          order_keys(parallelism.order),
          data_parallel_keys(parallelism.data_parallel),
          with_default(std::move(layout), "even"),
          with_default(std::move(placement), "rank r on GPU r"),
          unsupported("expert", "1", "Expert-parallel size."),
          unsupported("expert_tensor", "1", "Tensor-parallel size of the experts."),
      });
}

Field schedule_keys(ScheduleSpec& schedule) {
  Names kinds;
  for (const ScheduleKind& kind : schedule_kinds()) {
    kinds.emplace_back(kind.name);
  }
  for (const ScheduleSearch& search : schedule_searches()) {
    kinds.emplace_back(search.kind.name);
  }
  return section(
      "schedule", "The pipeline schedule; a word stands for `kind`.",
      {
          word("kind", schedule.kind, std::move(kinds), {}, "Name; see `makespan list schedules`."),
          integer("chunks", schedule.chunks, 1, 10'000,
                  "Stages per pipeline rank; at least 2 for interleaved."),
          with_default(
              integer("group", schedule.group, 1, kMany,
                      "Interleaved: consecutive micro-batches that pass a chunk before the next one's turn."),
              "m div max(1, m div pipeline) for m micro-batches: `pipeline` when it divides m"),
          integer("pieces", schedule.pieces, 1, 1024,
                  "Seq1F1B: parts of equal length into which each sequence is cut."),
          key("lifo", &schedule.lifo, "GPipe: run the backward passes newest micro-batch first."),
          with_default(
              choice("communication", schedule.communication, kCommunications,
                     "How messages between stages are ordered against computation."),
              "fused for 1f1b and interleaved, as Megatron-LM without overlap; independent otherwise"),
          choice("optimizer_sync", schedule.optimizer_sync, kOptimizerSyncs,
                 "barrier: each rank takes its optimizer step once the gradient norm of the whole model is "
                 "known. post-validation: once that of the pipeline ranks before it is; the rest is checked "
                 "during the next iteration (Qi et al. 2024)."),
          with_default(word("placement", schedule.placement, {"loop", "v"}, {},
                            "list: stage s on rank s mod pipeline, or a V of two chunks per rank."),
                       "loop"),
          with_default(integer("activations", schedule.activations, 1, kMany,
                               "zb-auto, list: micro-batches of which a rank can hold the activations."),
                       "what `memory` holds"),
          with_default(key("memory", &schedule.memory,
                           "zb-auto, list: memory of a rank for activations; or give `activations`."),
                       "what weights, gradients and optimizer leave of the GPU"),
          key("file", &schedule.file,
              "The lists of each rank in PyTorch's CSV, in place of `kind`, which gives the chunks as well."),
      },
      "kind");
}

Field software_keys(Software& software) {
  return section(
      "software",
      "Properties of the training software; a word stands for `preset`. Keys that are not given follow the "
      "preset.",
      {
          word("preset", software.preset, {"megatron-2021", "megatron-2022", "megatron-2024"}, {},
               "An era of Megatron-LM: SC21; sequence parallelism; FlashAttention and FP32 gradients."),
          with_default(choice("attention", software.attention, kAttentions,
                              "flash: one fused kernel. unfused: scores and softmax go through memory."),
                       "preset"),
          with_default(
              key("wgrad_fusion", &software.wgrad_fusion,
                  "Weight gradients accumulate into the main gradients inside the matrix multiplication."),
              "preset"),
          with_default(
              key("tensor_overlap", &software.tensor_overlap,
                  "The tensor-parallel reduction of the input gradient runs beside the weight gradient."),
              "preset"),
          choice("launch", software.launch, kLaunches,
                 "eager: kernels are launched one by one. graph: CUDA graphs."),
          with_default(key("scatter_gather", &software.scatter_gather,
                           "Pipeline messages are split over the tensor group and gathered behind."),
                       "preset"),
          key("fused_kernels", &software.fused_kernels,
              "Bias, dropout, residual and norm run as fused kernels."),
          with_default(
              key("fp32_gradients", &software.fp32_gradients,
                  "Gradients accumulate and are reduced in FP32; otherwise in the 16 bits of the training."),
              "preset"),
      },
      "preset");
}

Field simulation_keys(SimulationSpec& simulation) {
  return section(
      "simulation", "How to simulate.",
      {
          word("fidelity", simulation.fidelity, {"fluid", "message"}, {},
               "fluid: a collective is one transfer that loads all its links at once. message: each of its "
               "sends "
               "is a transfer that waits for the chunk it passes on; reductions inside switches stay one."),
          word("fold", simulation.fold, {"auto", "off"}, {},
               "Whether ranks that behave alike may be simulated once; the results are the same."),
          with_default(integer("iterations", simulation.iterations, 1, 10,
                               "Training iterations; the last is reported."),
                       "1; 2 with post-validation"),
          integer("seed", simulation.seed, 0, std::numeric_limits<std::int64_t>::max(),
                  "Seed of all random numbers; nothing is random in this version."),
      });
}

Field reference_keys(Reference& reference) {
  return section(
      "reference", "A published measurement to hold the prediction against.",
      {
          real("tflops_per_gpu", reference.tflops_per_gpu, 1e-3, 1e6, "TFLOP/s per GPU."),
          real("iteration_time_s", reference.iteration_time_s, 1e-9, 1e9, "Seconds per iteration."),
          choice("flops_convention", reference.flops_convention, kFlopsConventions,
                 "How the publication counts FLOPs."),
          key("source", &reference.source, "Where it is published."),
      });
}

}  // namespace

}  // namespace keys

Field scenario_keys(Scenario& scenario, Profile& profile) {
  using namespace keys;
  return section(
      "", "A scenario: one training job on one cluster.",
      {
          required(word("schema", scenario.schema, {"makespan.scenario/1"}, {}, "The format of this file.")),
          with_default(key("name", &scenario.name, "Name in reports and file names."),
                       "the file's name without extension"),
          key("description", &scenario.description, "One line for people."),
          model_keys(scenario.model),
          section("workload", "Replaces `model` where stage times are measured.",
                  {required(profile_keys(profile))}),
          training_keys(scenario.training),
          cluster_keys(scenario.cluster),
          parallelism_keys(scenario.parallelism),
          schedule_keys(scenario.schedule),
          simulation_keys(scenario.simulation),
          software_keys(scenario.software),
          reference_keys(scenario.reference),
          collective_keys(scenario.collectives),
          unsupported("offload", "{}", "What is kept in host memory."),
          fault_keys(scenario.faults),
      });
}

const Field* find_child(const Field& section, std::string_view name) {
  const auto found = std::find_if(section.fields.begin(), section.fields.end(),
                                  [&](const Field& field) { return field.name == name; });
  return found == section.fields.end() ? nullptr : &*found;
}

const Field* find_field(const Field& root, std::string_view path) {
  const Field* field = &root;
  while (!path.empty() && field != nullptr) {
    const std::string_view name = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(name.size() + 1, path.size()));
    field = find_child(*field, name);
  }
  return field;
}

}  // namespace makespan
