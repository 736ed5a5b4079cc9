#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/units.h"

namespace makespan {

/// The data sheet of one GPU, and what kernels and collectives reach of it. Rates are dense (no sparsity),
/// bandwidths in bytes per second and, for links, per direction.
struct Accelerator {
  std::string name;
  double matmul_flops = 0;  ///< bf16 or fp16 matrix peak, FLOP/s
  double fp8_flops = 0;     ///< fp8 matrix peak; 0: no fp8
  double vector_flops = 0;  ///< fp32 outside the matrix units
  /// Shares of the matrix peak: what the best of all GEMM shapes reaches in a benchmark (MAMF), and what
  /// large GEMMs sustain inside a training step, where power and heat hold the clock lower.
  double matmul_ceiling = 0;
  double matmul_sustained = 0;
  double fp8_ceiling = 0;
  double fp8_sustained = 0;
  /// Share of the bf16 peak that a fused attention kernel approaches on long sequences, forward, head
  /// dimension 128: the fastest published kernel, and FlashAttention-2. 0: no such kernel for this device.
  double flash = 0;
  double flash2 = 0;
  double flash_backward = 0;  ///< backward rate per forward rate, of both
  int sms = 0;                ///< streaming multiprocessors or compute units
  double l2_bytes = 0;
  Bytes memory;                   ///< as the driver reports it
  double memory_bandwidth = 0;    ///< peak
  double scale_up_bandwidth = 0;  ///< all links to the other GPUs of the node: line rate
  double scale_up_effective = 0;  ///< ... and what a ring collective carries
  double power_w = 0;
  std::string source;
};

/// Every known accelerator, by name.
[[nodiscard]] const std::vector<Accelerator>& accelerators();

/// Throws InputError, with the nearest name or all there are, when there is none of that name.
[[nodiscard]] const Accelerator& find_accelerator(std::string_view name);

}  // namespace makespan
