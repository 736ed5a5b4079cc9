#include "devices/accelerator.h"

#include <algorithm>

#include "core/error.h"
#include "core/text.h"

namespace makespan {

namespace {

constexpr double kTera = 1e12;
constexpr double kGiga = 1e9;

constexpr Bytes mebibytes(std::int64_t count) {
  return Bytes(count * 1024 * 1024);
}

// Sources of what several rows share:
// - MAMF, the best GEMM of a search over shapes: S. Bekman, ml-engineering, compute/accelerator: A100 271.2,
// H100 and
//   H200 794.5, B200 1745, GB200 1822, MI300X 668.4 TFLOP/s bf16; H100 1402.6, H200 1453.4, B200 3432.5,
//   GB200 3615.6 fp8.
// - Sustained shares: fitted to published step times of Megatron-LM, NeMo, llm-foundry and torchtitan: A100
// 0.75, H100
//   0.67, B200 0.43, GB200 0.54 bf16, Blackwell 0.58 fp8. Others (V100, MI300X, Hopper fp8) keep the H100's
//   ratio of sustained to MAMF, 0.83.
// - FlashAttention-2: fitted to the fwd + bwd charts of its repository (d = 128, not causal), backward at 0.9
// of the
//   forward rate. FlashAttention-3 on H100: 628 TFLOP/s forward, published sweep over s = 512 .. 16384;
//   backward 550 against 650 forward in its paper (arXiv:2407.08608).
// - Effective scale-up: NCCL's payload per link (20.0 GB/s NVLink 2 and 3, 20.6 NVLink 4) times links, or the
// measured
//   ring bus bandwidth where there is one: A100 235, H200 366, B200 682 GB/s.
// - Memory: total that nvidia-smi or rocm-smi prints.

Accelerator volta(std::string name, Bytes memory) {
  return {.name = std::move(name),
          .matmul_flops = 125 * kTera,
          .vector_flops = 15.7 * kTera,
          .matmul_ceiling = 0.80,
          .matmul_sustained = 0.66,
          .sms = 80,
          .l2_bytes = 6e6,
          .memory = memory,
          .memory_bandwidth = 900 * kGiga,
          .scale_up_bandwidth = 150 * kGiga,
          .scale_up_effective = 120 * kGiga,
          .power_w = 300,
          .source =
              "NVIDIA V100 data sheet (fp16 matrix units, no bf16); NCCL topo.h, 6 x 20.0 GB/s; GEMM ceiling "
              "assumed"};
}

Accelerator ampere(std::string name, Bytes memory, double memory_bandwidth) {
  return {.name = std::move(name),
          .matmul_flops = 312 * kTera,
          .vector_flops = 19.5 * kTera,
          .matmul_ceiling = 271.2 / 312,
          .matmul_sustained = 0.75,
          .flash = 0.715,
          .flash2 = 0.715,
          .flash_backward = 0.9,
          .sms = 108,
          .l2_bytes = 40e6,
          .memory = memory,
          .memory_bandwidth = memory_bandwidth,
          .scale_up_bandwidth = 300 * kGiga,
          .scale_up_effective = 235 * kGiga,
          .power_w = 400,
          .source =
              "NVIDIA A100 SXM data sheet; ml-engineering (MAMF, ring bus bandwidth 235 GB/s); "
              "FlashAttention-2 charts"};
}

Accelerator hopper(std::string name, Bytes memory, double memory_bandwidth, double fp8_ceiling) {
  return {.name = std::move(name),
          .matmul_flops = 989.4 * kTera,
          .fp8_flops = 1978.9 * kTera,
          .vector_flops = 66.9 * kTera,
          .matmul_ceiling = 794.5 / 989.4,
          .matmul_sustained = 0.67,
          .fp8_ceiling = fp8_ceiling / 1978.9,
          .fp8_sustained = 0.83 * fp8_ceiling / 1978.9,
          .flash = 628 / 989.4,
          .flash2 = 0.39,
          .flash_backward = 0.85,
          .sms = 132,
          .l2_bytes = 50e6,
          .memory = memory,
          .memory_bandwidth = memory_bandwidth,
          .scale_up_bandwidth = 450 * kGiga,
          .scale_up_effective = 366 * kGiga,
          .power_w = 700,
          .source =
              "NVIDIA H100/H200 SXM data sheet; ml-engineering (MAMF, ring bus bandwidth 365.6 GB/s); "
              "FlashAttention-3"};
}

Accelerator h800() {
  Accelerator gpu = hopper("h800", mebibytes(81559), 3350 * kGiga, 1402.6);
  gpu.scale_up_bandwidth = 200 * kGiga;
  gpu.scale_up_effective = 164.8 * kGiga;
  gpu.source = "as h100 with 8 NVLinks: SimAI calbusbw.h; NCCL topo.h, 8 x 20.6 GB/s";
  return gpu;
}

Accelerator b200() {
  return {
      .name = "b200",
      .matmul_flops = 2250 * kTera,
      .fp8_flops = 4500 * kTera,
      .vector_flops = 80 * kTera,
      .matmul_ceiling = 1745.0 / 2250,
      .matmul_sustained = 0.43,
      .fp8_ceiling = 3432.5 / 4500,
      .fp8_sustained = 0.58,
      .flash = 0.54,
      .flash2 = 0,
      .flash_backward = 0.8,
      .sms = 148,
      .l2_bytes = 126e6,
      .memory = mebibytes(183359),
      .memory_bandwidth = 8000 * kGiga,
      .scale_up_bandwidth = 900 * kGiga,
      .scale_up_effective = 682 * kGiga,
      .power_w = 1000,
      .source =
          "NVIDIA DGX B200 data sheet; ml-engineering (MAMF, ring bus bandwidth 682 GB/s); cuDNN attention "
          "kernels timed by SimuMax"};
}

Accelerator gb200() {
  Accelerator gpu = b200();
  gpu.name = "gb200";
  gpu.matmul_flops = 2500 * kTera;
  gpu.fp8_flops = 5000 * kTera;
  gpu.matmul_ceiling = 1822.0 / 2500;
  gpu.matmul_sustained = 0.54;
  gpu.fp8_ceiling = 3615.6 / 5000;
  gpu.memory = mebibytes(189471);
  gpu.scale_up_effective = 680 * kGiga;
  gpu.power_w = 1200;
  gpu.source =
      "NVIDIA GB200 NVL72 data sheet; ml-engineering (MAMF; ring 680 GB/s on a vendor slide); SMs, attention "
      "as b200";
  return gpu;
}

Accelerator mi300x() {
  return {
      .name = "mi300x",
      .matmul_flops = 1307.4 * kTera,
      .fp8_flops = 2614.9 * kTera,
      .vector_flops = 163.4 * kTera,
      .matmul_ceiling = 668.4 / 1307.4,
      .matmul_sustained = 0.83 * 668.4 / 1307.4,
      .fp8_ceiling = 668.4 / 1307.4,
      .fp8_sustained = 0.83 * 668.4 / 1307.4,
      .flash = 0.35,
      .flash2 = 0.35,
      .flash_backward = 0.8,
      .sms = 304,
      .l2_bytes = 256e6,
      .memory = mebibytes(196592),
      .memory_bandwidth = 5300 * kGiga,
      .scale_up_bandwidth = 448 * kGiga,
      .scale_up_effective = 313 * kGiga,
      .power_w = 750,
      .source =
          "AMD MI300X data sheet (L2 is the Infinity Cache); ml-engineering (MAMF, 8-GPU bus bandwidth 313 "
          "GB/s); fp8 ceiling and attention shares assumed"};
}

}  // namespace

const std::vector<Accelerator>& accelerators() {
  static const std::vector<Accelerator> table = {
      ampere("a100-40gb", mebibytes(40960), 1555 * kGiga),
      ampere("a100-80gb", mebibytes(81920), 2039 * kGiga),
      b200(),
      gb200(),
      hopper("h100", mebibytes(81559), 3350 * kGiga, 1402.6),
      hopper("h200", mebibytes(143771), 4800 * kGiga, 1453.4),
      h800(),
      mi300x(),
      volta("v100-16gb", mebibytes(16384)),
      volta("v100-32gb", mebibytes(32768)),
  };
  return table;
}

const Accelerator& find_accelerator(std::string_view name) {
  const std::vector<Accelerator>& table = accelerators();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Accelerator& gpu) { return gpu.name == name; });
  if (found == table.end()) {
    std::vector<std::string_view> names;
    for (const Accelerator& gpu : table) {
      names.push_back(gpu.name);
    }
    throw InputError({}, {}, "there is no accelerator '" + std::string(name) + "'", suggestion(name, names));
  }
  return *found;
}

}  // namespace makespan
