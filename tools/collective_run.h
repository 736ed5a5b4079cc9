#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/simulator.h"
#include "network/collective.h"

namespace makespan {

/// What nccl-tests has programs for. `send` is its sendrecv: every rank sends to the next, the last to the
/// first.
enum class TestKind : std::uint8_t {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  broadcast,
  reduce,
  send,
};

/// What nccl-tests prints of a kind, and how it counts.
struct TestType {
  TestKind kind = TestKind::all_reduce;
  std::string_view name;    ///< ours: "all-reduce"
  std::string_view redop;   ///< "sum" or "none"
  int root = -1;            ///< 0 where there is one
  bool is_sharded = false;  ///< whether the buffer is cut into one equal part for each rank
};

[[nodiscard]] const TestType& test_type(TestKind kind);

/// A name without what people write differently: "all_reduce_perf", "AllReduce" and "all-reduce" are one.
[[nodiscard]] std::string plain_name(std::string_view name);

/// By our name or nccl-tests': "all-reduce", "all_reduce", "allreduce", "all_reduce_perf", "sendrecv". Throws
/// InputError with the nearest name or all there are.
[[nodiscard]] const TestType& find_test_type(std::string_view name);

/// Bus bandwidth over algorithm bandwidth (nccl-tests, doc/PERFORMANCE.md): all-reduce 2 (n - 1) / n;
/// all-gather, reduce-scatter and all-to-all (n - 1) / n; the others 1.
[[nodiscard]] double bus_factor(TestKind kind, std::size_t ranks);

/// Bytes of an element: nccl-tests' default type, float.
inline constexpr std::int64_t kElementBytes = 4;

/// `size` in whole elements, and where the buffer is cut in equally many elements for each rank, as
/// nccl-tests does it: rounded down.
[[nodiscard]] Bytes tested_size(TestKind kind, std::size_t ranks, Bytes size);

/// One operation, run by one or several groups of GPUs at once.
struct Operation {
  TestKind kind = TestKind::all_reduce;
  std::vector<std::vector<std::size_t>> groups = {};  ///< each in the order of its ranks; not of sends
  std::vector<std::pair<std::size_t, std::size_t>> sends = {};  ///< from and to, all at once; of sends alone
  Bytes payload = {};                                           ///< the full buffer, as nccl-tests counts it
  CollectiveChoice choice = {};
  std::vector<Bytes> matrix = {};  ///< of an uneven all-to-all: what rank i sends to rank j, row by row
};

struct OperationResult {
  Time time;  ///< from the start of all groups to the end of the last
  /// Of the first group; none for sends.
  std::optional<CollectivePlan> plan;
};

/// Every rank of each group to the next, the last to the first.
[[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> send_to_next(
    std::span<const std::vector<std::size_t>> groups);

enum class Fidelity : std::uint8_t {
  fluid,    ///< a collective is one transfer
  message,  ///< ... the sends that it consists of (network/messages.h), but for an uneven all-to-all
};

/// Simulates operations on one topology, each in a graph of tasks of its own.
class CollectiveRunner {
 public:
  /// The topology must outlive the runner.
  CollectiveRunner(const Topology& topology, const NcclOptions& options, Fidelity fidelity = Fidelity::fluid);

  /// How long `operation` takes while each operation of `background` runs over and over: the operation starts
  /// when all of the background have begun to move bytes, and the background repeats until it has ended.
  /// Throws InputError when what is pinned cannot run or has no messages, and for a background that would
  /// repeat more than a million times.
  [[nodiscard]] OperationResult run(const Operation& operation, std::span<const Operation> background = {},
                                    const SimulationOptions& options = {});

 private:
  const Topology& topology_;
  CollectivePlanner planner_;
  Fidelity fidelity_;
};

}  // namespace makespan
