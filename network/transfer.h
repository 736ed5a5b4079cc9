#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/task_graph.h"
#include "network/fabrics.h"
#include "network/topology.h"

namespace makespan {

/// What a communication operation loads and how much it moves: a transfer of the task graph.
struct TransferPlan {
  Route route;
  TransferWork work;
};

/// Latencies of one algorithm and protocol of NCCL: before the first step, and per step of a ring or a tree
/// over NVLink, over the network, and over the network in a ring with one GPU per node.
struct NcclLatency {
  Time base;
  Time nvlink;
  Time net;
  Time net_single;
};

/// How NCCL runs. Constants from NCCL's own cost model (src/graph/tuning.cc: base and hardware latencies,
/// bandwidth of the low-latency (LL) protocol, corrections of the tree), unless said.
///
/// LL128 is left out: with it the model comes out too fast for 1-64 MiB on the published A100 and H100
/// sweeps.
struct NcclOptions {
  /// Channels, each of which takes one SM while the operation runs: collectives within a node, collectives
  /// across nodes (the usual totals on DGX A100 and H100), and a send (2 to 8).
  int channels_in_node = 24;
  int channels_across = 16;
  int channels_send = 4;
  /// The GPU: SMs, and memory bandwidth in bytes per second. With 0 nothing is reserved.
  int sms = 0;
  double memory_bandwidth = 0;
  /// Bytes of memory traffic on a GPU per byte that it sends: of an all-reduce, about three (its reducing
  /// steps read their own and the received data and write the sum, its copying steps read and write); of
  /// everything else, about two.
  double copies_reduce = 3;
  double copies_move = 2;
  /// The most that LL carries of a collective's bus bandwidth, on 1, 2 and more nodes. Half of what it sends
  /// is flags.
  std::array<Rate, 3> low_latency_cap = {Rate(87'700'000'000'000), Rate(22'500'000'000'000),
                                         Rate(19'000'000'000'000)};
  NcclLatency ring_simple = {Time(8'400'000), Time(3'400'000), Time(14'000'000), Time(14'000'000)};
  NcclLatency ring_ll = {Time(6'600'000), Time(600'000), Time(2'700'000), Time(5'000'000)};
  NcclLatency tree_simple = {Time(8'400'000), Time(4'000'000), Time(14'000'000), Time(14'000'000)};
  NcclLatency tree_ll = {Time(6'800'000), Time(600'000), Time(5'000'000), Time(5'000'000)};
};

/// The constants of the node's GPU generation. `sms` and `memory_bandwidth` are left to the caller.
[[nodiscard]] NcclOptions nccl_options(const NodeSpec& node);

enum class CollectiveKind : std::uint8_t { all_reduce, all_gather, reduce_scatter };

/// `bytes` from one GPU to another: Simple protocol, one step. The receiver is ready when the transfer
/// starts.
[[nodiscard]] TransferPlan plan_send(const Topology& topology, const NcclOptions& options, std::size_t from,
                                     std::size_t to, Bytes bytes);

/// What a ring over certain GPUs looks like, whatever it carries. One fluid variable stands for all of it.
///
/// Within a node every member sends to the next over NVLink, and the reference hop is NVLink. Across nodes
/// there are as many rings as every node has NICs next to members; ring i leaves and enters a node by its
/// i-th such NIC, nodes follow each other as they first appear among the members, and the reference hop is
/// one NIC: a NIC carries one ring, a trunk as many as cross it, and each of the g members on a node passes
/// on every ring but where it leaves the node, rings x (1 - 1/g) over NVLink.
struct RingShape {
  Route route;
  std::int64_t ranks = 1;
  std::int64_t nodes = 1;
  std::int64_t rings = 1;
  Rate rate;          ///< of the reference hop, when nothing else runs
  Time path_latency;  ///< what the links add once around the slowest ring
  Time hop_latency;   ///< what they add on the slowest hop
};

/// `gpus` in the order of ranks, each once. `kind` decides the memory traffic on the members. A single member
/// needs nothing: the route is empty.
[[nodiscard]] RingShape ring_shape(const Topology& topology, const NcclOptions& options, CollectiveKind kind,
                                   std::span<const std::size_t> gpus);

/// What a collective of `payload` bytes (the full buffer S, as nccl-tests counts it: for all-gather and
/// reduce-scatter ranks x shard) moves over the reference hop, and its latency. The cheapest, alone, of: ring
/// with the Simple or LL protocol; all-reduce across nodes also by double binary tree, which loads the same
/// links with 2 S / rings, over its efficiency, in logarithmic time.
///
/// Ring: factor x (n - 1) / n x S / rings, factor 2 for all-reduce; factor x (n - 1) steps, factor x (nodes -
/// 1) of them over the network. Nothing for a single member or no bytes.
[[nodiscard]] TransferWork ring_work(const NcclOptions& options, CollectiveKind kind, const RingShape& shape,
                                     Bytes payload);

/// ring_shape() and ring_work() in one.
[[nodiscard]] TransferPlan plan_ring(const Topology& topology, const NcclOptions& options,
                                     CollectiveKind kind, std::span<const std::size_t> gpus, Bytes payload);

}  // namespace makespan
