#include "devices/kernel.h"

#include <algorithm>
#include <cmath>  // ceil, which is exact
#include <string>

#include "core/error.h"

namespace makespan {

namespace {

struct MatrixRate {
  double flops;    ///< peak
  double ceiling;  ///< share of it that the whole device sustains
};

MatrixRate matrix_rate(const Accelerator& accelerator, const KernelOptions& options, double element_bytes) {
  if (element_bytes > 1) {
    return {accelerator.matmul_flops, accelerator.matmul_ceiling * options.sustained};
  }
  if (accelerator.fp8_flops == 0) {
    throw InputError({}, {}, accelerator.name + " has no fp8 matrix units", "use bf16 or fp16");
  }
  return {accelerator.fp8_flops, accelerator.fp8_ceiling * options.sustained_fp8};
}

/// Seconds that the SMs need for `shape` when everything runs at `efficiency` of its rate.
double gemm_sm_seconds(const Accelerator& accelerator, const KernelOptions& options, const Gemm& shape,
                       double efficiency) {
  const MatrixRate rate = matrix_rate(accelerator, options, shape.element_bytes);
  const double device = rate.flops * rate.ceiling * efficiency;
  const double sms = accelerator.sms;
  const double per_sm = device * options.issue_headroom / sms;
  const double batch = static_cast<double>(shape.batch);
  double best = 0;
  for (const Tile& tile : options.tiles) {
    const double tiles = std::ceil(shape.m / tile.m) * std::ceil(shape.n / tile.n) * batch;
    for (double splits = 1; splits == 1 || (splits <= 8 && tiles * splits <= sms); splits *= 2) {
      const double waves = std::ceil(tiles * splits / sms);
      double time =
          waves * 2 * tile.m * tile.n * (shape.k / splits + options.k0) / (per_sm * tile.efficiency);
      if (splits >
          1) {  // partial sums in fp32, written and read once each, out of L2 at twice the memory's rate
        time += 8 * shape.m * shape.n * batch * splits / (2 * accelerator.memory_bandwidth);
      }
      best = best == 0 ? time : std::min(best, time);
    }
  }
  return std::max(best, 2 * shape.m * shape.n * shape.k * batch / device);
}

double memory_seconds(const Accelerator& accelerator, const KernelOptions& options, double bytes) {
  return bytes / (accelerator.memory_bandwidth * options.memory_efficiency);
}

/// One kernel: bound by its SMs or by memory.
ComputeWork roofline(const KernelOptions& options, double sm_s, double memory_s) {
  ComputeWork work;
  work.launch = time_from_seconds(options.launch_s);
  (sm_s >= memory_s ? work.sm : work.memory) = time_from_seconds(std::max(sm_s, memory_s));
  return work;
}

/// Rate of batched GEMMs over heads by what divides the head dimension (published sweeps of head counts; the
/// factors are set by hand to that order).
double head_dim_efficiency(std::int64_t head_dim) {
  if (head_dim % 64 == 0) {
    return 1.0;
  }
  if (head_dim % 32 == 0) {
    return 0.92;
  }
  return head_dim % 8 == 0 ? 0.8 : 0.4;
}

/// The two products of the forward pass, or the four of the backward pass, and the traffic of the scores.
ComputeWork unfused(const Accelerator& accelerator, const KernelOptions& options, const AttentionShape& shape,
                    int passes, double bytes_per_score) {
  const double queries = static_cast<double>(shape.queries);
  const double keys = static_cast<double>(shape.keys);
  const double dim = static_cast<double>(shape.head_dim);
  const std::int64_t batch = shape.sequences * shape.heads;
  const double efficiency = head_dim_efficiency(shape.head_dim);
  const double product = gemm_sm_seconds(accelerator, options, {queries, keys, dim, batch}, efficiency) +
                         gemm_sm_seconds(accelerator, options, {queries, dim, keys, batch}, efficiency);
  constexpr int kOtherKernels = 2;  // masked softmax and dropout
  ComputeWork work;
  work.launch = (2 * passes + kOtherKernels) * time_from_seconds(options.launch_s);
  work.sm = time_from_seconds(passes * product);
  work.memory = time_from_seconds(
      memory_seconds(accelerator, options, bytes_per_score * static_cast<double>(batch) * queries * keys));
  return work;
}

/// Multiply-adds of a fused kernel count 2; two products.
double flash_flops(const AttentionShape& shape) {
  const double queries = static_cast<double>(shape.queries);
  const double scores =
      queries * static_cast<double>(shape.keys) - (shape.causal ? queries * queries / 2 : 0.0);
  return 4 * static_cast<double>(shape.sequences * shape.heads) * scores *
         static_cast<double>(shape.head_dim);
}

/// FLOP/s of the forward kernel.
double flash_rate(const Accelerator& accelerator, const AttentionShape& shape) {
  const double share = shape.kernel == AttentionKernel::flash ? accelerator.flash : accelerator.flash2;
  if (share == 0) {
    throw InputError({}, {}, accelerator.name + " has no such fused attention kernel",
                     "use unfused attention");
  }
  const double length = static_cast<double>(std::min(shape.queries, shape.keys));
  const double dim = static_cast<double>(shape.head_dim);
  const double half_length = shape.causal ? 550 : 225;
  const double causal_loss = shape.causal ? 0.96 : 1.0;
  // The softmax costs about as much as 20 more columns; 1 at a head dimension of 128.
  const double by_dim = dim / (dim + 20) * (148.0 / 128.0);
  return accelerator.matmul_flops * share * causal_loss * by_dim * length / (length + half_length);
}

/// Bytes of Q, K, V, O and the statistics, each moved once.
double flash_bytes(const AttentionShape& shape) {
  const auto sequences = static_cast<double>(shape.sequences);
  const double rows = sequences * static_cast<double>(shape.queries) * static_cast<double>(shape.heads);
  const double kv_rows = sequences * static_cast<double>(shape.keys) * static_cast<double>(shape.kv_heads);
  return 2 * static_cast<double>(shape.head_dim) * (2 * rows + 2 * kv_rows) + 4 * rows;
}

}  // namespace

KernelOptions training_options(const Accelerator& accelerator, KernelOptions options) {
  options.sustained = accelerator.matmul_sustained / accelerator.matmul_ceiling;
  options.sustained_fp8 =
      accelerator.fp8_flops > 0 ? accelerator.fp8_sustained / accelerator.fp8_ceiling : 1.0;
  return options;
}

ComputeWork gemm(const Accelerator& accelerator, const KernelOptions& options, const Gemm& shape) {
  const double batch = static_cast<double>(shape.batch);
  if (shape.m * shape.n * shape.k * batch == 0) {
    return {};
  }
  const double bytes = batch * (shape.element_bytes * (shape.m * shape.k + shape.k * shape.n) +
                                shape.output_bytes * shape.m * shape.n);
  return roofline(options, gemm_sm_seconds(accelerator, options, shape, 1.0),
                  memory_seconds(accelerator, options, bytes));
}

ComputeWork memory_bound(const Accelerator& accelerator, const KernelOptions& options, double bytes) {
  return bytes == 0 ? ComputeWork{} : roofline(options, 0.0, memory_seconds(accelerator, options, bytes));
}

ComputeWork attention_forward(const Accelerator& accelerator, const KernelOptions& options,
                              const AttentionShape& shape) {
  if (shape.kernel == AttentionKernel::unfused) {
    return unfused(accelerator, options, shape, 1, 9.0);
  }
  return roofline(options, flash_flops(shape) / flash_rate(accelerator, shape),
                  memory_seconds(accelerator, options, flash_bytes(shape)));
}

ComputeWork attention_backward(const Accelerator& accelerator, const KernelOptions& options,
                               const AttentionShape& shape) {
  if (shape.kernel == AttentionKernel::unfused) {
    return unfused(accelerator, options, shape, 2, 12.5);
  }
  const double rate = flash_rate(accelerator, shape) * accelerator.flash_backward;
  return roofline(options, 2.5 * flash_flops(shape) / rate,
                  memory_seconds(accelerator, options, 2 * flash_bytes(shape)));
}

ComputeWork adam_step(const Accelerator& accelerator, const KernelOptions& options, double parameters,
                      double gradient_bytes) {
  return memory_bound(accelerator, options, parameters * (26 + gradient_bytes));
}

}  // namespace makespan
