#include <array>
#include <string_view>
#include <utility>

#include "core/text.h"
#include "scenarios/resolver.h"

namespace makespan {

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
    warnings_.push_back(find_location(s_.locations, "cluster.nodes").text() +
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

}  // namespace makespan
