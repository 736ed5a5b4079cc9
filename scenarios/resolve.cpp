#include "scenarios/resolve.h"

#include <array>
#include <charconv>
#include <utility>

#include "core/int128.h"
#include "scenarios/resolver.h"
#include "scenarios/task_count.h"
#include "schedules/catalogue.h"

namespace makespan {

namespace {

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

}  // namespace

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

namespace {

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

}  // namespace

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
  faults();
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

void resolve(Scenario& scenario, std::vector<std::string>& warnings) {
  Resolver(scenario, warnings).run();
}

}  // namespace makespan
