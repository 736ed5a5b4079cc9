#include "network/import_rates.h"

#include <algorithm>

namespace makespan {

namespace {

constexpr double kPcie3 = 12.8e9;
constexpr double kPcie4 = 25.6e9;
constexpr double kPcie5 = 51.2e9;

}  // namespace

std::optional<double> pcie_rate(double gigatransfers, int lanes) {
  struct Row {
    double gigatransfers;
    double hundred_megabits;
  };

  constexpr std::array<Row, 6> kRows = {{{2.5, 15}, {5, 30}, {8, 60}, {16, 120}, {32, 240}, {64, 480}}};
  const auto* const row = std::find_if(kRows.begin(), kRows.end(),
                                       [&](const Row& r) { return r.gigatransfers == gigatransfers; });
  if (row == kRows.end()) {
    return std::nullopt;
  }
  const double nccl = lanes * row->hundred_megabits * 1e8 / 8;
  return nccl * 16 / 15;
}

double nvlink_rate(int sm) {
  if (sm >= 100) {
    return 682e9 / 18;
  }
  if (sm >= 90) {
    return 366e9 / 18;
  }
  if (sm == 86) {
    return 12e9;
  }
  return sm >= 80 ? 235e9 / 12 : sm >= 70 ? 20e9 : 18e9;
}

double xgmi_rate(std::string_view gcn) {
  gcn.remove_prefix(gcn.starts_with("gfx") ? 3 : 0);
  if (gcn.starts_with("94") || gcn.starts_with("95")) {
    return 46.2e9;
  }
  return gcn == "90a" || gcn == "910" ? 36e9 : 24e9;
}

double network_rate(double bits_per_second) {
  constexpr double kFast = 300e9;
  return bits_per_second / 8 * (bits_per_second > kFast ? 0.97 : 0.94);
}

std::optional<double> infiniband_bits(int lanes, std::string_view speed) {
  // FDR carries 14.0625 Gb/s and FDR10 10.3125 Gb/s in 64b/66b coding.
  constexpr std::array<double, kInfinibandSpeeds.size()> kGigabits = {2,  4,  8,   10, 14.0625 * 64 / 66,
                                                                      25, 50, 100, 200};
  const auto* const found = std::find(kInfinibandSpeeds.begin(), kInfinibandSpeeds.end(), speed);
  if (found == kInfinibandSpeeds.end()) {
    return std::nullopt;
  }
  return lanes * kGigabits[static_cast<std::size_t>(found - kInfinibandSpeeds.begin())] * 1e9;
}

double socket_rate(const Processor& processor) {
  if (processor.architecture == "ppc64") {
    return 32e9;
  }
  if (processor.architecture != "x86_64") {
    return 6e9;
  }
  const std::int64_t model = processor.model;
  if (processor.vendor == "AuthenticAMD") {
    return 16e9;
  }
  if (processor.vendor != "GenuineIntel") {
    return processor.family == 7 && model == 0x5B ? 9e9 : 6e9;
  }
  if (processor.family != 6) {
    return 6e9;
  }
  // Granite Rapids (0xAD, 0xAE) and Sierra Forest (0xAF) are later than Emerald Rapids (0xCF).
  const bool is_late = model >= 0xCF || (model >= 0xAD && model <= 0xAF);
  return is_late ? 40e9 : model >= 0x8F ? 22e9 : model >= 0x55 ? 10e9 : 6e9;
}

const GenerationRates* generation_rates(Generation generation) {
  static const std::array<GenerationRates, 4> kRows = {
      {{Generation::volta, "Volta", 6, 70, kPcie3, 6e9, network_rate(100e9)},
       {Generation::ampere, "Ampere", 12, 80, kPcie4, 16e9, network_rate(200e9)},
       {Generation::hopper, "Hopper", 18, 90, kPcie5, 22e9, network_rate(400e9)},
       {Generation::blackwell, "Blackwell", 18, 100, kPcie5, 40e9, network_rate(400e9)}}};
  const auto* const row = std::find_if(kRows.begin(), kRows.end(),
                                       [&](const GenerationRates& r) { return r.generation == generation; });
  return row == kRows.end() ? nullptr : row;
}

Generation generation_with(int links) {
  return links <= 6 ? Generation::volta : links <= 12 ? Generation::ampere : Generation::hopper;
}

}  // namespace makespan
