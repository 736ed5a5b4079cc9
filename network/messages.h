#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/task_graph.h"
#include "network/collective.h"
#include "network/collective_group.h"

namespace makespan {

/// A collective carried out message by message: each send of a chunk is a flow of its own that waits for the
/// chunk it passes on. What one fluid transfer says with weights and a latency, these say with dependencies.
///
/// The bytes and the latencies are those of the fluid plan: over each hop of a ring goes what the plan moves
/// over its reference hop, in as many chunks as the ring has steps; a step's latency is NCCL's for its
/// protocol and kind of hop; what the plan's latency holds beyond the longest way through the sends, and
/// beyond rounds that wait for each other, comes before the first send.
///
/// Alone, a few bytes take the same time (up to 2.2 us more on rings across nodes, of which a chunk may meet
/// one network step more than NCCL counts). Of more bytes, rings within a node, PAT, halving and doubling
/// still take the same. Rings across nodes are faster by up to the latencies of their steps, about 30 % where
/// these weigh as much as the bytes: the fluid plan adds them to the bytes of the slowest link, messages
/// overlap both. Trees agree within 7 %; direct sends take up to 4 % longer, for the last leave links idle;
/// chains of a broadcast or reduce up to (n - 1) / c of the bytes' time, with c <= 128 chunks; hierarchical
/// ones up to half of the bytes' time, for their phases overlap in four parts at most.
struct Chunks {
  /// One connection. Its sends go over the wire one after the other, in the order of `sends`; their latencies
  /// overlap.
  struct Hop {
    Route route;
    Time latency;
  };

  struct Send {
    std::uint32_t hop = 0;
    Bytes bytes;
    std::vector<std::uint32_t> after;  ///< earlier sends, whose data it needs
  };

  Time base;                      ///< before the first send
  std::vector<DeviceId> members;  ///< of every hop
  std::vector<Hop> hops;
  std::vector<Send> sends;
};

/// Whether `algorithm` consists of messages between members. The others reduce inside switches, or are the
/// rings of a torus, which are simulated as one transfer.
[[nodiscard]] bool has_messages(Algorithm algorithm);

/// The sends of one, of `plan.algorithm` and `plan.protocol`. Throws InputError for an algorithm without
/// messages, InfeasibleError for more than ten million sends, and for direct ones among more than 645 GPUs.
[[nodiscard]] Chunks expand(CollectivePlanner& planner, CollectiveKind kind,
                            std::span<const std::size_t> gpus, Bytes payload, const CollectivePlan& plan);

/// About how many sends expand() would make (never fewer), without making them.
[[nodiscard]] std::uint64_t count_sends(CollectivePlanner& planner, CollectiveKind kind,
                                        std::span<const std::size_t> gpus, Bytes payload,
                                        Algorithm algorithm);

/// The two ends of what add() put into a graph: predecessors of the whole go before `first`, successors after
/// `last`.
struct ChunkTasks {
  TaskId first;
  TaskId last;
};

/// Adds the sends as transfers, two tasks each: the latency, then the bytes.
ChunkTasks add(TaskGraphBuilder& builder, const Chunks& chunks, const Label& label);

}  // namespace makespan
