#include "network/nccl.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/text.h"

namespace makespan {

namespace {

constexpr double kMiB = 1 << 20;

// Sources: docs/explanation/network.md.
constexpr std::array<TransportConstants, 6> kTransports = {{
    {.name = "infiniband"},
    // 64 bytes take 0.8 us more than on InfiniBand (Zhao et al., "Insights into DeepSeek-V3", ISCA 2025).
    {.name = "roce", .nic_latency_us = 0.8},
    {.name = "slingshot-11",
     .nic_latency_us = 1.65,
     .post_us = {10.0, 1.3, 1.3},
     .ll_share = 0.11,
     .ll_most_share = 1,
     .few_nics = {0.81, 0.96}},
    {.name = "efa", .nic_latency_us = 30.0},
    {.name = "gpudirect-tcpxo", .nic_latency_us = 20.0},
    {.name = "ici"},
}};

GpuConstants gpu_constants(Generation generation) {
  const GpuConstants ampere = {.ramp_in_node = {130, 32 * kMiB},
                               .ramp_across = {130, 32 * kMiB},
                               .copy_all_gather = 3.5,
                               .copy_reduce_scatter = 9,
                               .channel = 20e9,
                               .channel_send = 20e9,
                               .send_in_node = 0.89};
  switch (generation) {
    case Generation::volta:
    case Generation::ampere:
      return ampere;
    case Generation::hopper:
      return {.ramp_nvls = {70, 4 * kMiB},
              .copy_all_gather = 11,
              .channel = 36.7e9,
              .channel_send = 21.2e9,
              .send_in_node = 0.87,
              .send_across = 0.77};
    case Generation::blackwell:
      return {.ramp_across = {140, 8 * kMiB},
              .ramp_nvls = {110, 16 * kMiB},
              .copy_all_gather = 10,
              .channel = 40e9,
              .channel_send = 21.2e9,
              .send_in_node = 0.97,
              .send_across = 0.5};
    case Generation::cdna3:
      return {.reduce_pass = 2.1e12};
    case Generation::tpu:
      break;
  }
  return {.has_low_latency = false};
}

const TransportConstants& find_transport(std::string_view name) {
  const auto* const found = std::find_if(kTransports.begin(), kTransports.end(),
                                         [&](const TransportConstants& t) { return t.name == name; });
  if (found == kTransports.end()) {
    throw InputError({}, {}, "there is no transport '" + std::string(name) + "'",
                     suggestion(name, transport_names()));
  }
  return *found;
}

}  // namespace

std::string_view to_string(Protocol protocol) {
  constexpr std::array<std::string_view, kProtocols> kNames = {"simple", "ll", "ll128"};
  return kNames[static_cast<std::size_t>(protocol)];
}

const std::vector<std::string_view>& transport_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> result;
    for (const TransportConstants& transport : kTransports) {
      result.push_back(transport.name);
    }
    return result;
  }();
  return names;
}

NcclOptions nccl_options(const NodeSpec& node) {
  NcclOptions options;
  options.ll_most = node.low_latency;
  options.nvls_rate = node.nvls;
  options.transport = find_transport(node.transport);
  options.gpu = gpu_constants(node.generation);
  if (node.generation == Generation::tpu) {
    options.ring[0].nvlink = 1;  // a hop of ICI
  }
  return options;
}

double tree_correction(Protocol protocol, double payload) {
  constexpr std::array<std::array<double, 24>, kProtocols> kTables = {
      {{.9, .9, .9, .9, .9, .9, .9, .8, .7, .6, .6, .5, .5, .5, .5, .6, .7, .8, .7, .7, .8, .9, .9, .9},
       {1, 1, 1, 1, .9, .8, .7, .7, .7, .7, .6, .5, .4, .4, .5, .6, .7, .8, .9, 1, 1, 1, 1, 1},
       {1, 1, 1, 1, 1, .9, .8, .8, .8, .7, .6, .6, .6, .6, .6, .6, .8, .9, .9, .9, .9, 1, 1, 1}}};
  const auto& table = kTables[static_cast<std::size_t>(protocol)];
  int power = 0;
  std::frexp(std::max(payload, 64.0), &power);
  power -= 1;  // 2^power <= payload
  const std::size_t row = std::min<std::size_t>(static_cast<std::size_t>(power - 6), table.size() - 1);
  const std::size_t next = std::min(row + 1, table.size() - 1);
  const double beyond = std::ldexp(std::max(payload, 64.0), -power) - 1;
  return row == next ? table[row] : table[row] + (table[next] - table[row]) * beyond;
}

}  // namespace makespan
