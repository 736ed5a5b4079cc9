#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/attribution.h"
#include "core/task_graph.h"
#include "core/timeline.h"

namespace makespan {

/// From `at` on, a device holds these bytes.
struct MemorySample {
  Time at;
  std::array<Bytes, kMemoryKinds> held;
};

/// One rank that a trace shows.
struct TraceRank {
  std::size_t rank = 0;
  DeviceId device;
  std::string name;  ///< such as "rank 3 (pp 1, dp 0, tp 0) node 0"
  RankTime time;     ///< of TraceInfo::window
  /// By ascending time; empty when memory is not modelled.
  std::vector<MemorySample> memory;
  Bytes peak_memory;
};

/// What a trace shows, and what it says about itself.
struct TraceInfo {
  std::string title;
  std::string version;
  std::uint64_t fingerprint = 0;
  std::size_t world_size = 0;  ///< ranks of the run, shown or not
  Window window;               ///< the iteration that the ranks' times are of
  std::vector<TraceRank> ranks;
  std::vector<ResourceId> links;  ///< whose load is shown, if the timeline holds rates
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// What a thread of the trace stands for. A transfer of a pipeline group with two members is a message: its
/// route names the sender first, the receiver second.
enum class Stream : std::uint8_t { compute, actions, tp, cp, ep, pp_send, pp_receive, dp, other };
inline constexpr std::size_t kStreams = 9;

/// A rectangle of the picture. `actions` slices span the compute of one pipeline action, and `task` is its
/// first compute task; all others show their task.
struct TraceSlice {
  Time begin;
  Time end;
  TaskId task;
  std::uint32_t slot = 0;  ///< index into TraceInfo::ranks
  Stream stream = Stream::compute;
  std::uint32_t lane = 0;    ///< slices of one slot, stream and lane never overlap
  char action = 0;           ///< F, B, I or W
  bool is_followed = false;  ///< the next slice of its lane begins less than a nanosecond after its end
};

/// An arrow between two slices, given by their indices, from an instant within the first to one within the
/// second.
struct TraceFlow {
  std::uint64_t id = 0;
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  Time from_at;
  Time to_at;
};

/// From `at` on, the link TraceInfo::links[link] carries `load`.
struct LinkLoad {
  std::uint32_t link = 0;
  Time at;
  Rate load;
};

/// A trace without its notation. Nothing in it depends on task numbers, except the order of what is equal in
/// all else.
struct TraceLayout {
  std::vector<TraceSlice> slices;
  std::vector<std::uint64_t>
      transfer_ids;  ///< by slice; the same for all slices of one transfer; 0 for compute
  std::vector<TraceFlow> flows;
  std::vector<LinkLoad> loads;                  ///< by link, then time
  std::array<std::uint32_t, kStreams> lanes{};  ///< lanes that each stream needs on the busiest rank
};

[[nodiscard]] TraceLayout lay_out_trace(const TaskGraph& graph, const Timeline& timeline,
                                        const TraceInfo& info);

}  // namespace makespan
