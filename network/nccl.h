#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "network/fabrics.h"

namespace makespan {

/// NCCL's protocols: `simple` moves chunks and synchronises by flags behind memory fences; LL sends a flag
/// with every 4 bytes; LL128 sends 8 bytes of flags with every 120.
enum class Protocol : std::uint8_t { simple, ll, ll128 };
inline constexpr std::size_t kProtocols = 3;

[[nodiscard]] std::string_view to_string(Protocol protocol);  ///< "simple", "ll", "ll128"

/// Microseconds of one algorithm and protocol in NCCL's cost model (src/graph/tuning.cc, baseLatencies and
/// hwLatencies): before the first step, and per step over NVLink and over the network.
struct StepLatency {
  double base = 0;
  double nvlink = 0;
  double net = 0;
};

/// A start-up that grows with the payload S and saturates: most x S / (S + half). Buffers and the levels of a
/// tree fill before the full rate is reached.
struct Ramp {
  double most_us = 0;
  double half = 1;  ///< bytes at which half of it has come about

  [[nodiscard]] double microseconds(double payload) const { return most_us * payload / (payload + half); }
};

/// What NCCL's time depends on beyond bandwidths and hops, by the network's kind.
struct TransportConstants {
  std::string_view name = "infiniband";
  /// Added to a network step, once (LL, LL128) or twice (Simple, which flushes): latencyInter of tuning.cc.
  double nic_latency_us = 0;
  /// Least time of a step over NVLink while the network is in use: its proxy posts for every step
  /// (getNetOverhead of tuning.cc: 1 us, three times that with Simple). By Protocol.
  std::array<double, kProtocols> post_us = {3, 1, 1};
  /// Shares that LL reaches across nodes at most: of the bus bandwidth (half of what it sends is flags), and
  /// of NcclOptions::ll_most.
  double ll_share = 0.5;
  double ll_most_share = 0.25;
  /// Share of the NICs' rate that a group gets that uses one or two NICs of each node; 1 with more.
  std::array<double, 2> few_nics = {1, 1};
};

/// What NCCL's time depends on beyond bandwidths and hops, by the GPU's generation.
struct GpuConstants {
  Ramp ramp_in_node = {};  ///< of the Simple protocol in rings and trees
  Ramp ramp_across = {};
  Ramp ramp_nvls = {};
  /// Out of place, a rank copies its own shard of S / n at this many times the bus bandwidth, while nothing
  /// else moves; 0: no such copy.
  double copy_all_gather = 0;
  double copy_reduce_scatter = 0;
  /// ... and an all-reduce passes over its S at this many bytes per second; 0: no such pass.
  double reduce_pass = 0;
  /// Bytes per second that one channel carries at most, in collectives and in sends.
  double channel = 0;
  double channel_send = 0;
  bool has_low_latency = true;  ///< LL and LL128
  /// Share of NVLink's and of a NIC's rate that sends and all-to-alls reach.
  double send_in_node = 1;
  double send_across = 1;
};

/// How NCCL runs on certain nodes. The defaults are NCCL's own constants (src/graph/tuning.cc), unless said;
/// docs/explanation/network.md lists the sources of the others and how well they do.
struct NcclOptions {
  /// Channels, each of which takes one SM while the operation runs: collectives within a node, collectives
  /// across nodes (the usual totals on DGX A100 and H100), reductions inside NVSwitch, and a send.
  int channels_in_node = 24;
  int channels_across = 16;
  int channels_nvls = 16;
  int channels_send = 4;
  /// A send within a node spreads over more channels so that none carries more than this, up to the most
  /// (addP2pToPlan of src/enqueue.cc: 32 chunks of 512 KiB), which is also what all-to-all takes.
  int channels_send_most = 32;
  double bytes_per_send_channel = 16.0 * (1 << 20);
  /// The GPU: SMs, and memory bandwidth in bytes per second. With 0 nothing is reserved.
  int sms = 0;
  double memory_bandwidth = 0;
  /// Bytes of memory traffic on a GPU per byte that it sends: of an all-reduce, about three (its reducing
  /// steps read their own and the received data and write the sum, its copying steps read and write); of
  /// everything else, about two.
  double copies_reduce = 3;
  double copies_move = 2;

  /// By Protocol. With one rank per node a ring takes the tree's network latency.
  std::array<StepLatency, kProtocols> ring = {{{8.4, 3.4, 14.0}, {6.6, 0.6, 2.7}, {14.0, 1.9, 4.0}}};
  std::array<StepLatency, kProtocols> tree = {{{8.4, 4.0, 14.0}, {6.8, 0.6, 5.0}, {14.0, 1.25, 8.5}}};
  StepLatency nvls = {0, 25, 18};
  StepLatency nvls_tree = {0, 25, 20.9};
  StepLatency collnet = {0, 3.7, 31};
  double collnet_per_rank_us = 0.4;
  StepLatency pat = {8.0, 4.0, 14.0};
  double pat_per_rank_us = 2.8;
  /// NCCL charges a ring's Simple all-reduce across nodes this many times its latency ("plateau"; from
  /// 64 bytes per channel and rank on, where Simple is not the cheapest).
  double plateau = 1.4;
  /// Share of a ring's bus bandwidth that a tree reaches, LL128 reaches, PAT reaches.
  double tree_share = 0.92;
  double ll128_share = 0.92;
  double pat_share = 0.75;
  /// A tree's LL reaches its Simple bandwidth over this.
  double tree_ll_divisor = 3.8;
  /// Filling one level of a tree, per direction.
  Ramp level = {27, 4.0 * (1 << 20)};
  /// Share of the slower of NVSwitch and NICs that a tree of NVSwitches reaches.
  double nvls_tree_share = 0.92;
  /// llMax of tuning.cc: what LL carries of a bus bandwidth at most, in bytes per second, on 1, 2 and more
  /// nodes; and the share of it that is seen within a node.
  std::array<double, 3> ll_most = {87.7e9, 22.5e9, 19.0e9};
  double ll_most_share = 0.5;
  /// Of one GPU in reductions inside NVSwitch, in bytes per second; 0: it does not reduce.
  double nvls_rate = 0;
  /// Whether LL128 and PAT are among what is chosen from where nothing is pinned.
  bool automatic_ll128 = false;
  bool automatic_pat = false;

  TransportConstants transport;
  GpuConstants gpu;
};

/// The constants of the node's GPU generation and transport. `sms` and `memory_bandwidth` are left to the
/// caller. Throws InputError for an unknown transport.
[[nodiscard]] NcclOptions nccl_options(const NodeSpec& node);

/// Names of the transports that are known.
[[nodiscard]] const std::vector<std::string_view>& transport_names();

/// NCCL's empirical efficiency of trees (treeCorrectionFactor), a table by powers of two from 64 B to
/// 256 MiB; between them linear in the payload: with steps, more bytes would take less time.
[[nodiscard]] double tree_correction(Protocol protocol, double payload);

}  // namespace makespan
