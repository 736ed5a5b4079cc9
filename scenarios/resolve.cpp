#include "scenarios/resolve.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <string_view>
#include <utility>

#include "core/int128.h"
#include "core/text.h"
#include "network/fabrics.h"
#include "scenarios/problems.h"
#include "scenarios/task_count.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

std::string text(std::int64_t value) {
  return std::to_string(value);
}

/// Parameters, as Megatron-LM.
std::int64_t default_bucket(std::int64_t data) {
  return std::max<std::int64_t>(40'000'000, 1'000'000 * data);
}

class Resolver {
 public:
  Resolver(Scenario& scenario, std::vector<std::string>& warnings) : s_(scenario), warnings_(warnings) {}

  void run();

 private:
  [[nodiscard]] bool given(const std::string& key) const { return s_.locations.contains(key); }

  void complain(const std::string& key, const std::string& what, const std::string& hint = {}) {
    problems_.add(scenario_location(s_, key), key, what, hint);
  }

  /// Warns that `key` was given in vain.
  void no_effect(const std::string& key, const std::string& why) {
    if (given(key)) {
      warnings_.emplace_back(InputError(scenario_location(s_, key), key, "has no effect: " + why).what());
    }
  }

  [[nodiscard]] bool accepts_tensor(std::int64_t tensor) const;
  [[nodiscard]] std::string tensor_hint() const;
  void model();
  void tensor_parallel();
  void software();
  void cluster();
  void data();
  void order();
  void placement();
  void schedule();
  void group();
  void layers();
  void profile();
  void profile_times(const std::string& name, const std::vector<Time>& times);
  void positive_times(const std::string& name, const std::vector<Time>& times);
  void positive_sums();
  void batch();
  void vain_keys();
  void vain_software();
  void vain_with_profile();
  void size();

  [[nodiscard]] std::int64_t stages() const { return s_.parallelism.pipeline * s_.schedule.chunks; }

  Scenario& s_;
  std::vector<std::string>& warnings_;
  Problems problems_;
  std::int64_t gpus_ = 0;
  std::int64_t unit_ = 0;  ///< nodes on one leaf
  Software usual_;         ///< what the preset says
};

/// Whether a tensor-parallel size suits the model, the GPUs and the other sizes.
bool Resolver::accepts_tensor(std::int64_t tensor) const {
  const Model& model = s_.model;
  const Parallelism& parallelism = s_.parallelism;
  for (const std::int64_t size : {model.heads, model.kv_heads, model.hidden, model.ffn}) {
    if (size % tensor != 0) {
      return false;
    }
  }
  if (parallelism.sequence_parallel && (tensor == 1 || model.sequence % tensor != 0)) {
    return false;
  }
  const std::int64_t model_parallel = tensor * parallelism.pipeline;
  if (gpus_ == 0) {  // the cluster was refused
    return true;
  }
  return parallelism.data > 0 ? model_parallel * parallelism.data <= gpus_ : gpus_ % model_parallel == 0;
}

/// "accepted: 1, 2, 4, 8", at most twelve.
std::string Resolver::tensor_hint() const {
  constexpr std::size_t kShown = 12;
  constexpr std::int64_t kLargest = 4096;
  std::string list;
  std::size_t count = 0;
  for (std::int64_t tensor = 1; tensor <= std::min(s_.model.kv_heads, kLargest); ++tensor) {
    if (accepts_tensor(tensor)) {
      if (++count > kShown) {
        return "accepted: " + list + " and larger";
      }
      list += (count == 1 ? "" : ", ") + text(tensor);
    }
  }
  return count > 0 ? "accepted: " + list
                   : "no size divides the heads, 'hidden', 'ffn' and the GPUs beside the other sizes";
}

void Resolver::model() {
  Model& model = s_.model;
  model.kv_heads = model.kv_heads == 0 ? model.heads : model.kv_heads;
  if (model.head_dim == 0) {
    if (model.hidden % model.heads != 0) {
      complain("model.heads", text(model.heads) + " does not divide hidden " + text(model.hidden),
               "give 'head_dim' when heads x head_dim is not hidden");
    }
    model.head_dim = std::max<std::int64_t>(1, model.hidden / model.heads);
  }
  if (model.heads % model.kv_heads != 0) {
    complain("model.kv_heads", text(model.kv_heads) + " does not divide heads " + text(model.heads),
             "each key-value head serves the same number of heads");
  }
  if (model.ffn == 0 && model.architecture == Architecture::llama) {
    complain("model.ffn", "is missing", "a llama has no default, for example 14336 in Llama 3 8B");
  }
  model.ffn = model.ffn == 0 ? 4 * model.hidden : model.ffn;
  model.tied_embeddings = model.tied_embeddings.value_or(model.architecture == Architecture::gpt);
}

void Resolver::tensor_parallel() {
  const Model& model = s_.model;
  const std::int64_t tensor = s_.parallelism.tensor;
  const std::string key = "parallelism.tensor";
  const std::array<std::pair<std::string_view, std::int64_t>, 4> divided = {
      {{"heads", model.heads}, {"kv_heads", model.kv_heads}, {"hidden", model.hidden}, {"ffn", model.ffn}}};
  const auto* wrong =
      std::find_if(divided.begin(), divided.end(), [&](const auto& of) { return of.second % tensor != 0; });
  if (wrong != divided.end() && wrong->first == "kv_heads" && model.kv_heads < tensor) {
    complain(key, text(tensor) + " is more than the " + text(model.kv_heads) + " key-value heads",
             tensor_hint());
  } else if (wrong != divided.end()) {
    complain(key, text(tensor) + " does not divide " + std::string(wrong->first) + " " + text(wrong->second),
             tensor_hint());
  }
  if (s_.parallelism.sequence_parallel && tensor == 1) {
    complain("parallelism.sequence_parallel", "needs tensor parallelism, and tensor is 1",
             "remove it, or set 'tensor' to 2 or more");
  } else if (s_.parallelism.sequence_parallel && model.sequence % tensor != 0) {
    complain("parallelism.sequence_parallel",
             "cannot split a sequence of " + text(model.sequence) + " tokens over " + text(tensor) + " ranks",
             "'tensor' must divide 'model.sequence'");
  }
}

/// What each preset sets.
struct Preset {
  std::string_view name;
  Attention attention;
  bool wgrad_fusion;
  bool tensor_overlap;
  bool scatter_gather;
  bool fp32_gradients;
};

// 2021: the paper's code (arXiv 2104.04473). 2022: with sequence parallelism (arXiv 2205.05198), whose fused
// weight gradient accumulates in FP32. 2024: Megatron Core with FlashAttention.
constexpr std::array<Preset, 3> kPresets = {{
    {"megatron-2021", Attention::unfused, false, false, true, false},
    {"megatron-2022", Attention::unfused, true, true, true, true},
    {"megatron-2024", Attention::flash, true, false, false, true},
}};

void Resolver::software() {
  Software& software = s_.software;
  const auto* preset = std::find_if(kPresets.begin(), kPresets.end(), [&](const Preset& candidate) {
    return candidate.name == software.preset;
  });
  MAKESPAN_CHECK(preset != kPresets.end(), "the reader accepts known presets only");
  const auto fill = [&](const std::string& key, auto& value, auto& usual, auto from) {
    usual = from;
    if (!given("software." + key)) {
      value = from;
    }
  };
  fill("attention", software.attention, usual_.attention, preset->attention);
  fill("wgrad_fusion", software.wgrad_fusion, usual_.wgrad_fusion, preset->wgrad_fusion);
  fill("tensor_overlap", software.tensor_overlap, usual_.tensor_overlap, preset->tensor_overlap);
  fill("scatter_gather", software.scatter_gather, usual_.scatter_gather, preset->scatter_gather);
  fill("fp32_gradients", software.fp32_gradients, usual_.fp32_gradients, preset->fp32_gradients);
}

void Resolver::cluster() {
  constexpr std::int64_t kMaxGpus = std::int64_t{1} << 20U;  // of a topology
  const std::string& name = s_.cluster.node;
  std::vector<std::string_view> names;
  for (const NodeSpec& spec : node_specs()) {
    names.push_back(spec.name);
    if (spec.name == name) {
      gpus_ = s_.cluster.nodes * spec.gpus;
      unit_ = spec.unit;
    }
  }
  if (gpus_ == 0) {
    complain("cluster.node", "unknown node " + shown(name), suggestion(name, names));
  } else if (gpus_ > kMaxGpus) {
    complain("cluster.nodes",
             text(gpus_) + " GPUs are more than the " + text(kMaxGpus) + " that can be simulated");
  }
}

/// Sizes against the GPUs there are.
void Resolver::data() {
  Parallelism& parallelism = s_.parallelism;
  const std::int64_t model_parallel = parallelism.tensor * parallelism.context * parallelism.pipeline;
  const std::string sizes =
      "tensor " + text(parallelism.tensor) + " x pipeline " + text(parallelism.pipeline);
  const std::string gpus = text(gpus_) + " GPUs of " + text(s_.cluster.nodes) + " x " + s_.cluster.node;
  if (model_parallel > gpus_) {
    const bool by_tensor = parallelism.tensor > parallelism.pipeline;
    complain(by_tensor ? "parallelism.tensor" : "parallelism.pipeline",
             sizes + " needs " + text(model_parallel) + " GPUs, more than the " + gpus,
             "add nodes or reduce the sizes");
    return;
  }
  if (parallelism.data == 0 && gpus_ % model_parallel != 0) {
    complain("parallelism.pipeline", sizes + " does not divide the " + gpus,
             "give 'data' to leave GPUs idle");
    return;
  }
  parallelism.data = parallelism.data == 0 ? gpus_ / model_parallel : parallelism.data;
  if (s_.ranks() > gpus_) {
    complain("parallelism.data",
             sizes + " x data " + text(parallelism.data) + " needs " + text(s_.ranks()) +
                 " GPUs, more than the " + gpus,
             "at most " + text(gpus_ / model_parallel) + "; or leave 'data' out");
  } else if (s_.ranks() < gpus_) {
    warnings_.push_back(scenario_location(s_, "cluster.nodes").text() +
                        ": cluster.nodes: " + text(gpus_ - s_.ranks()) + " of the " + gpus + " are idle");
  }
  if (parallelism.data_parallel.bucket == 0) {
    parallelism.data_parallel.bucket = default_bucket(parallelism.data);
  }
}

void Resolver::order() {
  std::vector<Dimension> sorted = s_.parallelism.order;
  std::sort(sorted.begin(), sorted.end());
  if (sorted != std::vector{Dimension::tensor, Dimension::context, Dimension::data, Dimension::pipeline}) {
    complain("parallelism.order", "must name each of tensor, context, data and pipeline once",
             "the default is [tensor, context, data, pipeline]");
  }
}

void Resolver::placement() {
  const std::vector<std::int64_t>& placement = s_.parallelism.placement;
  if (placement.empty()) {
    return;
  }
  const std::string key = "parallelism.placement";
  if (static_cast<std::int64_t>(placement.size()) != s_.ranks()) {
    complain(key, "lists " + std::to_string(placement.size()) + " GPUs for " + text(s_.ranks()) + " ranks",
             "give one GPU for each rank");
  }
  std::vector<std::int64_t> sorted = placement;
  std::sort(sorted.begin(), sorted.end());
  if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end()) {
    complain(key, "GPU " + text(*twice) + " is listed twice", "each rank has a GPU of its own");
  }
  if (sorted.back() >= gpus_) {
    complain(key, "there is no GPU " + text(sorted.back()), "GPUs are numbered from 0 to " + text(gpus_ - 1));
  }
}

void Resolver::schedule() {
  ScheduleSpec& schedule = s_.schedule;
  const ScheduleKind& kind = schedule_kind(schedule.kind);
  if (!kind.has_chunks && schedule.chunks > 1) {
    complain("schedule.chunks", schedule.kind + " has one chunk per rank, not " + text(schedule.chunks),
             "remove 'chunks', or use kind: interleaved");
  }
  if (kind.has_chunks && schedule.chunks < 2) {
    complain("schedule.chunks", schedule.kind + " needs at least 2 chunks per rank",
             "set 'chunks', or use kind: 1f1b");
  }
  if (kind.has_chunks && s_.parallelism.pipeline < 2) {
    complain("schedule.kind", schedule.kind + " needs at least 2 pipeline ranks, and pipeline is 1",
             "use kind: 1f1b, or set 'parallelism.pipeline'");
  }
  if (!kind.has_chunks) {
    no_effect("schedule.group", "only interleaved has micro-batch groups");
  }
  if (!kind.has_lifo && schedule.lifo) {
    no_effect("schedule.lifo", "only gpipe can reverse its backward passes");
  }
  const bool fused = schedule.kind == "1f1b" || schedule.kind == "interleaved";
  const Communication usual = fused ? Communication::fused : Communication::independent;
  if (s_.parallelism.pipeline == 1 && schedule.communication.value_or(usual) != usual) {
    no_effect("schedule.communication", "pipeline is 1, and no messages are sent");
  }
  schedule.communication = schedule.communication.value_or(usual);
}

/// The rules of schedules/catalogue.h, told at the place of the key.
void Resolver::group() {
  ScheduleSpec& schedule = s_.schedule;
  if (!schedule_kind(schedule.kind).has_chunks) {
    return;
  }
  const std::int64_t microbatches = s_.microbatches();
  const std::int64_t pipeline = s_.parallelism.pipeline;
  const std::int64_t usual = microbatches / std::max<std::int64_t>(1, microbatches / pipeline);
  schedule.group = schedule.group == 0 ? usual : schedule.group;
  const std::int64_t rest = microbatches % schedule.group;
  const std::string key = given("schedule.group") ? "schedule.group" : "training.global_batch";
  const std::string each = text(microbatches) + " micro-batches per pipeline";
  if (schedule.group < std::min(pipeline, microbatches) || schedule.group > microbatches) {
    complain(
        key,
        "a group of " + text(schedule.group) + " does not suit " + each + " and " + text(pipeline) + " ranks",
        "accepted: " + text(std::min(pipeline, microbatches)) + " to " + text(microbatches));
  } else if (rest != 0 && rest < pipeline) {
    complain(
        key,
        "groups of " + text(schedule.group) + " leave a last group of " + text(rest) + " of the " + each +
            ", less than the " + text(pipeline) + " ranks",
        "make the micro-batches a multiple of 'parallelism.pipeline', or choose another 'schedule.group'");
  }
}

void Resolver::layers() {
  const std::vector<std::int64_t>& layout = s_.parallelism.layout;
  std::int64_t most = s_.model.layers / stages();
  const std::string shape =
      text(s_.parallelism.pipeline) + " pipeline ranks x " + text(s_.schedule.chunks) + " chunks";
  if (layout.empty() && s_.model.layers % stages() != 0) {
    complain("model.layers", text(s_.model.layers) + " layers do not divide evenly into " + shape,
             "change 'parallelism.pipeline' or 'schedule.chunks', or give the layers of each stage in "
             "'parallelism.layout'");
  } else if (!layout.empty()) {
    const std::int64_t sum = std::accumulate(layout.begin(), layout.end(), std::int64_t{0});
    if (static_cast<std::int64_t>(layout.size()) != stages()) {
      complain("parallelism.layout",
               "lists " + std::to_string(layout.size()) + " stages, and there are " + text(stages()),
               shape + ", first stage first");
    } else if (sum != s_.model.layers) {
      complain("parallelism.layout",
               "adds up to " + text(sum) + " layers, and the model has " + text(s_.model.layers),
               "one number for each stage, first stage first");
    } else if (const auto empty = std::find(layout.begin() + 1, layout.end(), 0);
               layout.size() > 2 && empty < layout.end() - 1) {
      complain("parallelism.layout",
               "stage " + text(empty - layout.begin()) + " has 0 layers and would compute nothing",
               "only the first stage (with the embedding) and the last one (with the output layer) may have "
               "none");
    }
    most = *std::max_element(layout.begin(), layout.end());
  }
  const Recompute& recompute = s_.training.recompute;
  if (recompute.kind == RecomputeKind::none) {
    no_effect("training.recompute.layers", "nothing is recomputed");
  } else if (recompute.layers == 0) {
    no_effect("training.recompute.kind", "'layers' is 0, so nothing is recomputed");
  } else if (recompute.layers > most) {
    complain("training.recompute.layers",
             text(recompute.layers) + " is more than the " + text(most) + " layers of a stage",
             "leave it out to recompute all");
  }
}

/// Every pass takes time: one that takes none has no place in a schedule.
void Resolver::positive_times(const std::string& name, const std::vector<Time>& times) {
  if (std::find(times.begin(), times.end(), Time(0)) != times.end()) {
    complain("workload.profile." + name, "must be longer than 0", "give the measured time of each stage");
  }
}

void Resolver::profile_times(const std::string& name, const std::vector<Time>& times) {
  const auto size = static_cast<std::int64_t>(times.size());
  if (size > 1 && size != stages()) {
    complain("workload.profile." + name, "lists " + text(size) + " times for " + text(stages()) + " stages",
             "give one time, or one for each of pipeline x chunks stages");
  }
}

void Resolver::profile() {
  const Profile& profile = *s_.profile;
  const std::string root = "workload.profile";
  const bool whole = !profile.backward.empty();
  const bool input = !profile.backward_input.empty();
  const bool weight = !profile.backward_weight.empty();
  if (whole && (input || weight)) {
    complain(root + ".backward", "cannot be given together with its halves",
             "keep 'backward', or 'backward_input' and 'backward_weight'");
  } else if (!whole && !(input && weight)) {
    complain(root, "gives no backward pass",
             "give 'backward', or both 'backward_input' and 'backward_weight'");
  }
  if (given(root + ".message") && given(root + ".communication")) {
    complain(root + ".communication", "cannot be given together with 'message'",
             "a message takes what the network needs; a fixed time replaces it");
  }
  profile_times("forward", profile.forward);
  profile_times("backward", profile.backward);
  profile_times("backward_input", profile.backward_input);
  profile_times("backward_weight", profile.backward_weight);
  positive_times("forward", profile.forward);
  positive_times("backward", profile.backward);
  if (input && weight) {
    positive_sums();
  }
}

/// One half of a backward pass may be nothing, not both.
void Resolver::positive_sums() {
  const std::vector<Time>& input = s_.profile->backward_input;
  const std::vector<Time>& weight = s_.profile->backward_weight;
  for (std::size_t i = 0; i < std::max(input.size(), weight.size()); ++i) {
    if (input[std::min(i, input.size() - 1)] + weight[std::min(i, weight.size() - 1)] == Time(0)) {
      complain("workload.profile.backward_input",
               "and 'backward_weight' are both 0 for stage " + std::to_string(i),
               "give the measured time of at least one half");
      return;
    }
  }
}

void Resolver::batch() {
  const Training& training = s_.training;
  const std::int64_t data = s_.parallelism.data;
  if (training.global_batch % (training.micro_batch * data) != 0) {
    const std::int64_t step = training.micro_batch * data;
    const std::int64_t below = training.global_batch / step * step;
    complain("training.global_batch",
             text(training.global_batch) + " is not a multiple of micro_batch " + text(training.micro_batch) +
                 " x data " + text(data),
             "nearest: " + (below > 0 ? text(below) + " or " : "") + text(below + step));
  }
}

/// Only values that differ from the default: a resolved scenario gives every key.
void Resolver::vain_keys() {
  const Parallelism& parallelism = s_.parallelism;
  if (s_.cluster.nodes <= unit_ && s_.cluster.fabric.oversubscription > 1) {
    no_effect("cluster.fabric.oversubscription",
              "up to " + text(unit_) +
                  " nodes of this kind share their leaf switches, and no transfer leaves these");
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
  if (s_.profile) {
    vain_with_profile();
  } else {
    vain_software();
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

struct Factor {
  std::string key;
  std::string what;
  std::int64_t size = 1;
};

/// The two largest factors, for the message.
std::array<Factor, 2> largest(std::vector<Factor> factors) {
  std::stable_sort(factors.begin(), factors.end(),
                   [](const Factor& a, const Factor& b) { return a.size > b.size; });
  return {factors[0], factors[1]};
}

/// Refuses runs that would not fit, before anything of their size is made.
void Resolver::size() {
  const std::int64_t layers = s_.profile ? 0 : s_.model.layers / s_.parallelism.pipeline;
  const Uint128 steps =
      Uint128(static_cast<std::uint64_t>(s_.microbatches())) * static_cast<std::uint64_t>(stages());
  const Uint128 tasks = most_tasks(s_);
  if (tasks <= static_cast<Uint128>(kMaxTasks) && steps <= static_cast<Uint128>(kMaxSteps)) {
    return;
  }
  const Parallelism& parallelism = s_.parallelism;
  const auto [first, second] =
      largest({{"training.global_batch", "micro-batches per pipeline", s_.microbatches()},
               {"model.layers", "layers per pipeline rank", std::max<std::int64_t>(layers, 1)},
               {"parallelism.data", "replicas", parallelism.data},
               {"parallelism.pipeline", "pipeline ranks", parallelism.pipeline},
               {"parallelism.tensor", "tensor-parallel ranks", parallelism.tensor},
               {"schedule.chunks", "chunks per rank", s_.schedule.chunks},
               {"simulation.iterations", "iterations", s_.simulation.iterations}});
  std::array<char, 32> buffer{};
  char* end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), static_cast<double>(tasks),
                            std::chars_format::scientific, 1)
                  .ptr;
  throw InfeasibleError(scenario_error(s_, first.key,
                                       "the run would take about " + std::string(buffer.data(), end) +
                                           " tasks, more than the " + text(kMaxTasks) + " that are simulated",
                                       "most come from '" + first.key + "' (" + text(first.size) + " " +
                                           first.what + ") and '" + second.key + "' (" + text(second.size) +
                                           " " + second.what + "); reduce these")
                            .what());
}

void Resolver::run() {
  cluster();
  order();
  schedule();
  if (s_.profile) {
    profile();
  } else {
    model();
    tensor_parallel();
    layers();
  }
  software();
  if (gpus_ > 0) {
    data();
  }
  problems_.throw_if_any();
  placement();
  batch();
  problems_.throw_if_any();
  group();
  problems_.throw_if_any();
  vain_keys();
  size();
}

}  // namespace

void resolve(Scenario& scenario, std::vector<std::string>& warnings) {
  Resolver(scenario, warnings).run();
}

}  // namespace makespan
