#pragma once

#include <array>
#include <cstdint>

#include "core/task_graph.h"
#include "devices/accelerator.h"

namespace makespan {

/// How long kernels take when nothing else runs on the device.
///
/// A kernel takes launch + max(time of its SMs, time of its memory traffic). It is bound by one of the two,
/// and all of that time counts for that part, so that a transfer which takes SMs or memory bandwidth slows
/// the right kernels. Seconds are doubles, rounded once into picoseconds; only + - * / and exact comparisons,
/// so that every compiler gives the same result.

/// A tile of the output that one SM computes at a time, and its speed relative to the largest tiles.
struct Tile {
  double m;
  double n;
  double efficiency;
};

struct KernelOptions {
  double launch_s = 5e-6;           ///< per kernel; 5 us launched one by one, about 1 us from a CUDA graph
  double memory_efficiency = 0.85;  ///< share of the peak memory bandwidth that a streaming kernel reaches
  /// Shares of the GEMM ceilings: 1 is the benchmark's (Accelerator::matmul_ceiling); training_options() sets
  /// those of training steps.
  double sustained = 1.0;
  double sustained_fp8 = 1.0;
  /// A tile of depth k runs at k / (k + k0) of the rate of an endless one: prologue and epilogue.
  double k0 = 192;
  /// What the SMs issue above the ceiling of the whole device, which power sets: a shape that fills its waves
  /// badly loses less than its idle SMs.
  double issue_headroom = 1.12;
  std::array<Tile, 6> tiles = {Tile{256, 128, 1.0}, Tile{128, 256, 1.0}, Tile{128, 128, 0.93},
                               Tile{128, 64, 0.75}, Tile{64, 128, 0.75}, Tile{64, 64, 0.5}};
};

/// `options` with the share of its GEMM ceilings that the accelerator sustains in training.
[[nodiscard]] KernelOptions training_options(const Accelerator& accelerator, KernelOptions options = {});

/// `batch` independent products C (m x n) = A (m x k) B (k x n). Elements of 1 byte run at the fp8 rate.
struct Gemm {
  double m = 0;
  double n = 0;
  double k = 0;
  std::int64_t batch = 1;
  double element_bytes = 2;  ///< of A and B
  double output_bytes = 2;   ///< traffic per element of C: 4 for fp32, 8 when added to what is there
};

/// Tile and wave quantisation over the SMs; splits along k fill a wave when there are too few tiles. Without
/// any work (a dimension of 0), nothing is launched. Throws InputError for fp8 on a device that has none.
///
/// Against OpenXLA's H100 table (bf16, 37 shapes with all dimensions >= 512) the error is 2.8 % in the
/// median, 4.4 % at the 90th percentile.
[[nodiscard]] ComputeWork gemm(const Accelerator& accelerator, const KernelOptions& options,
                               const Gemm& shape);

/// A kernel that streams `bytes` (read plus written) and computes little: norms, activations, residuals.
[[nodiscard]] ComputeWork memory_bound(const Accelerator& accelerator, const KernelOptions& options,
                                       double bytes);

enum class AttentionKernel : std::uint8_t {
  flash,  ///< the fastest published fused kernel: FlashAttention-2 on A100, FlashAttention-3 on Hopper, cuDNN
          ///< on Blackwell
  flash2,   ///< FlashAttention-2
  unfused,  ///< batched GEMMs with masked softmax and dropout between them; the scores go through memory
};

/// Softmax(Q K^T) V on one device. Causal queries are the last `queries` of `keys` positions.
struct AttentionShape {
  AttentionKernel kernel = AttentionKernel::flash;
  std::int64_t sequences = 1;
  std::int64_t heads = 1;     ///< on this device
  std::int64_t kv_heads = 1;  ///< on this device
  std::int64_t queries = 0;   ///< positions per sequence
  std::int64_t keys = 0;
  std::int64_t head_dim = 128;
  bool causal = true;
};

/// A fused kernel runs at P s / (s + s0): P from the accelerator, s the shorter of queries and keys, s0 = 225
/// or, causal, 550 (fitted to the charts of FlashAttention-2 and -3; the FLOPs of a causal kernel
/// count once, at half). It is not subject to `sustained`. An unfused one computes every score, masked or
/// not: its GEMMs, slowed by head dimensions that are no multiple of 64, plus 9 bytes per score forward
/// and 12.5 backward (fitted to step times of 2021-22 software). Throws InputError where the accelerator has
/// no such kernel.
[[nodiscard]] ComputeWork attention_forward(const Accelerator& accelerator, const KernelOptions& options,
                                            const AttentionShape& shape);

/// A fused backward kernel computes the scores again: 2.5 times the FLOPs of the forward pass.
[[nodiscard]] ComputeWork attention_backward(const Accelerator& accelerator, const KernelOptions& options,
                                             const AttentionShape& shape);

/// One fused Adam step over the parameters held here: reads and writes the fp32 master copy and both moments,
/// reads the gradient of `gradient_bytes`, writes the 16-bit copy: 26 + gradient_bytes per parameter.
[[nodiscard]] ComputeWork adam_step(const Accelerator& accelerator, const KernelOptions& options,
                                    double parameters, double gradient_bytes);

/// One after the other.
[[nodiscard]] inline ComputeWork operator+(const ComputeWork& a, const ComputeWork& b) {
  return {a.launch + b.launch, a.sm + b.sm, a.memory + b.memory};
}

inline ComputeWork& operator+=(ComputeWork& a, const ComputeWork& b) {
  return a = a + b;
}

/// `count` times the same.
[[nodiscard]] inline ComputeWork operator*(std::int64_t count, const ComputeWork& work) {
  return {count * work.launch, count * work.sm, count * work.memory};
}

}  // namespace makespan
