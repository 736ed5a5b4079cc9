#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "network/fabrics.h"

namespace makespan {

// What transfers get of the rates that descriptions of hardware state or imply, in bytes per second and
// direction. Where NCCL only counts with a figure and a measurement is at hand, the measurement is taken, so
// that an imported node equals the same node of the catalogue.

/// Rate of a PCIe link. `gigatransfers` per second and lane is 2.5, 5, 8, 16, 32 or 64; empty for others.
/// NCCL (topo.cc) counts with lanes * {15, 30, 60, 120, 240, 480} * 100 Mb/s, which is 24 GB/s for 16 lanes
/// of PCIe 4; SimAI (calbusbw.h) measured 25.6 and for PCIe 5 51.2 GB/s: 16/15 of that.
[[nodiscard]] std::optional<double> pcie_rate(double gigatransfers, int lanes);

/// Rate of one NVLink of a GPU of compute capability `sm` (70 is 7.0). NCCL (topo.h): 18 GB/s for 6.x, 20 for
/// 7.x, 12 for 8.6. Measured ring bus bandwidth over all links of a GPU (ml-engineering, network): A100 235
/// GB/s over 12, H100 366 over 18, B200 682 over 18, where NCCL counts with 20, 20.6 and 40.1 GB/s a link.
[[nodiscard]] double nvlink_rate(int sm);

/// Rate of one xGMI link of an AMD GPU. RCCL (topo.h) counts with 48 GB/s for gfx94x and gfx95x, 36 for
/// gfx90a and 24 for older ones; all-reduces on MI300X (ml-engineering) reach 47.7 GB/s over one link and
/// 312.9 over 7: their geometric mean, 46.2, is taken for gfx94x and gfx95x. `gcn` is written 942, gfx942 or
/// 910 (gfx90a).
[[nodiscard]] double xgmi_rate(std::string_view gcn);

/// What a NIC or a cable of `bits_per_second` carries: SimAI (calbusbw.h) measured 23.5 of 25 GB/s at 200
/// Gb/s and 48.5 of 50 at 400 Gb/s.
[[nodiscard]] double network_rate(double bits_per_second);

/// Bits per second of an InfiniBand link of `lanes` at "SDR", "DDR", ... "XDR" (InfiniBand architecture
/// specification, after line coding); empty for other names.
[[nodiscard]] std::optional<double> infiniband_bits(int lanes, std::string_view speed);

inline constexpr std::array<std::string_view, 9> kInfinibandSpeeds = {"SDR", "DDR", "QDR", "FDR10", "FDR",
                                                                      "EDR", "HDR", "NDR", "XDR"};

/// A processor as NCCL's XML names it.
struct Processor {
  std::string_view architecture;
  std::string_view vendor;
  std::int64_t family = 0;
  std::int64_t model = 0;
};

/// Between two sockets or NUMA nodes, as NCCL (topo.h, topo.cc) counts with: Intel 6 GB/s, 10 since Skylake,
/// 22 since Sapphire Rapids, 40 since Emerald Rapids; AMD 16; Arm 6; POWER9 32; Zhaoxin 6, YongFeng 9.
[[nodiscard]] double socket_rate(const Processor& processor);

/// What NCCL takes for links within a chip (topo.h, LOC_BW): never a bottleneck.
inline constexpr double kOnChipRate = 5000e9;

/// What GPUs of one generation usually have around them, for descriptions that state no rates.
struct GenerationRates {
  Generation generation = Generation::ampere;
  std::string_view name;
  int nvlinks = 0;  ///< of a GPU
  int sm = 0;
  double pcie = 0;
  double host = 0;
  double nic = 0;
};

/// Volta: DGX-1V (NVLink 2, PCIe 3, Broadwell, EDR). Ampere: DGX A100 (NVLink 3, PCIe 4,
/// AMD Rome, HDR200). Hopper: DGX H100 (NVLink 4, PCIe 5, Sapphire Rapids, NDR400). Blackwell: DGX B200
/// (NVLink 5, PCIe 5, Emerald Rapids, NDR400). Null for generations that are not NVIDIA's.
[[nodiscard]] const GenerationRates* generation_rates(Generation generation);

/// The generation that has GPUs of `links` NVLinks each: Volta up to 6, Ampere up to 12, else Hopper.
[[nodiscard]] Generation generation_with(int links);

}  // namespace makespan
