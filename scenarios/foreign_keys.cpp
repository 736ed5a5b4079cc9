#include <algorithm>
#include <array>

#include "scenarios/keys.h"

namespace makespan {

namespace {

constexpr std::string_view kLayersNote =
    "theirs counts layers, ours chunks: layers / (pipeline x layers per virtual stage)";
constexpr std::string_view kTokensNote =
    "theirs counts tokens, ours sequences: divide by the sequence length";
constexpr std::string_view kAccumulationNote =
    "ours is the whole batch: micro_batch x accumulation steps x data";
constexpr std::string_view kScheduleNote = "write 1f1b or interleaved";

// Sorted by their name.
constexpr std::array kForeignKeys = std::to_array<ForeignKey>({
    {"accumulate_allreduce_grads_in_fp32", "software.fp32_gradients", ""},
    {"activation_checkpoint", "training.recompute", "none, selective or full"},
    {"activation_checkpointing", "training.recompute", "none, selective or full"},
    {"activation_recompute", "training.recompute", "none, selective or full"},
    {"attn_heads", "model.heads", ""},
    {"batch_size", "training.global_batch", ""},
    {"bf16", "training.precision", "write 'precision: bf16'"},
    {"bucket_size", "parallelism.data_parallel.bucket", ""},
    {"context_parallel_degree", "parallelism.context", ""},
    {"context_parallel_size", "parallelism.context", ""},
    {"cp", "parallelism.context", ""},
    {"data_par", "parallelism.data", ""},
    {"data_parallel_replicate_degree", "parallelism.data", ""},
    {"data_parallel_shard_degree", "parallelism.zero",
     "theirs is a size, ours a ZeRO stage; only 0 is supported"},
    {"data_parallel_sharding_strategy", "parallelism.zero", ""},
    {"data_parallel_size", "parallelism.data", ""},
    {"datatype", "training.precision", ""},
    {"dim", "model.hidden", ""},
    {"dp", "parallelism.data", ""},
    {"dtype", "training.precision", ""},
    {"enable_sequence_parallel", "parallelism.sequence_parallel", ""},
    {"ep", "parallelism.expert", ""},
    {"expert_model_parallel_size", "parallelism.expert", ""},
    {"expert_parallel_degree", "parallelism.expert", ""},
    {"ffn_hidden_size", "model.ffn", ""},
    {"fp16", "training.precision", "write 'precision: fp16'"},
    {"fp8", "training.precision", ""},
    {"fsdp_reshard_after_forward", "parallelism.data_parallel.reshard_after_forward", ""},
    {"global_batch_size", "training.global_batch", ""},
    {"gradient_accumulation_fusion", "software.wgrad_fusion", ""},
    {"gradient_accumulation_steps", "training.global_batch", kAccumulationNote},
    {"hidden_size", "model.hidden", ""},
    {"intermediate_size", "model.ffn", ""},
    {"kv_channels", "model.head_dim", ""},
    {"local_batch_size", "training.micro_batch", ""},
    {"max_context_length", "model.sequence", ""},
    {"max_position_embeddings", "model.sequence", ""},
    {"max_seq_len", "model.sequence", ""},
    {"mbs", "training.micro_batch", ""},
    {"micro_batch_size", "training.micro_batch", ""},
    {"microbatch_group_size_per_vp_stage", "schedule.group", ""},
    {"microbatch_size", "training.micro_batch", ""},
    {"n_heads", "model.heads", ""},
    {"n_kv_heads", "model.kv_heads", ""},
    {"n_layers", "model.layers", ""},
    {"num_attention_heads", "model.heads", ""},
    {"num_experts", "model.moe", ""},
    {"num_hidden_layers", "model.layers", ""},
    {"num_key_value_heads", "model.kv_heads", ""},
    {"num_layers", "model.layers", ""},
    {"num_layers_per_virtual_pipeline_stage", "schedule.chunks", kLayersNote},
    {"num_moe_experts", "model.moe", ""},
    {"num_pp_microbatches", "training.global_batch",
     "ours is the whole batch: micro_batch x micro-batches x data"},
    {"num_query_groups", "model.kv_heads", ""},
    {"num_tokens_per_microbatch_per_dp_rank", "training.micro_batch", kTokensNote},
    {"num_tokens_per_train_step", "training.global_batch", kTokensNote},
    {"num_virtual_stages_per_pipeline_rank", "schedule.chunks", ""},
    {"optimizer_sharding", "parallelism.zero", ""},
    {"overlap_comm", "parallelism.data_parallel.overlap", ""},
    {"overlap_grad_reduce", "parallelism.data_parallel.overlap", ""},
    {"overlap_p2p_comm", "schedule.communication",
     "independent overlaps messages with computation, fused does not"},
    {"pipeline_interleaving", "schedule.chunks", ""},
    {"pipeline_model_parallel_layout", "parallelism.layout", "the same string, without m"},
    {"pipeline_model_parallel_size", "parallelism.pipeline", ""},
    {"pipeline_par", "parallelism.pipeline", ""},
    {"pipeline_parallel_degree", "parallelism.pipeline", ""},
    {"pipeline_parallel_layers_per_stage", "schedule.chunks", kLayersNote},
    {"pipeline_parallel_microbatch_size", "training.micro_batch", ""},
    {"pipeline_parallel_schedule", "schedule.kind", kScheduleNote},
    {"pp", "parallelism.pipeline", ""},
    {"recompute_granularity", "training.recompute", "none, selective or full"},
    {"recompute_num_layers", "training.recompute.layers", ""},
    {"reduce_bucket_size", "parallelism.data_parallel.bucket", ""},
    {"seq_len", "model.sequence", ""},
    {"seq_length", "model.sequence", ""},
    {"seq_par", "parallelism.sequence_parallel", ""},
    {"sp", "parallelism.sequence_parallel", ""},
    {"tensor_model_parallel_size", "parallelism.tensor", ""},
    {"tensor_par", "parallelism.tensor", ""},
    {"tensor_par_overlap", "software.tensor_overlap", ""},
    {"tensor_parallel_degree", "parallelism.tensor", ""},
    {"tie_word_embeddings", "model.tied_embeddings", ""},
    {"tp", "parallelism.tensor", ""},
    {"tp_comm_overlap", "software.tensor_overlap", ""},
    {"train_batch_size", "training.global_batch", ""},
    {"train_micro_batch_size_per_gpu", "training.micro_batch", ""},
    {"use_distributed_optimizer", "parallelism.zero", "ZeRO-1; only 0 is supported"},
    {"use_flash_attn", "software.attention", "flash or unfused"},
    {"use_megatron_fsdp", "parallelism.zero", "ZeRO-3; only 0 is supported"},
    {"virtual_pipeline_model_parallel_size", "schedule.chunks", ""},
    {"vocab_size", "model.vocabulary", ""},
    {"vpp", "schedule.chunks", ""},
    {"zero_stage", "parallelism.zero", ""},
});

constexpr bool before(const ForeignKey& a, const ForeignKey& b) {
  return a.theirs < b.theirs;
}

static_assert(std::is_sorted(kForeignKeys.begin(), kForeignKeys.end(), before));

}  // namespace

const ForeignKey* find_foreign_key(std::string_view name) {
  std::string normal(name.substr(std::min(name.find_first_not_of('-'), name.size())));
  for (char& letter : normal) {
    letter = letter == '-'                    ? '_'
             : letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a')
                                              : letter;
  }
  const ForeignKey wanted{normal, {}, {}};
  const auto* found = std::lower_bound(kForeignKeys.begin(), kForeignKeys.end(), wanted, before);
  return found != kForeignKeys.end() && found->theirs == normal ? &*found : nullptr;
}

}  // namespace makespan
