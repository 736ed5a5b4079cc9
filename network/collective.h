#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/task_graph.h"
#include "network/nccl.h"
#include "network/routing.h"

namespace makespan {

enum class CollectiveKind : std::uint8_t {
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  broadcast,
  reduce,
};

/// How a collective is carried out.
enum class Algorithm : std::uint8_t {
  ring,
  tree,              ///< double binary tree (all-reduce)
  hierarchical,      ///< within nodes, then across nodes rail by rail, then within nodes
  nvls,              ///< reductions inside NVSwitch
  nvls_tree,         ///< ... and a tree across nodes
  collnet,           ///< reductions inside the switches of the fabric (SHARP)
  pat,               ///< parallel aggregated trees (all-gather, reduce-scatter)
  direct,            ///< every member to every other
  halving_doubling,  ///< recursive halving and doubling
  torus,             ///< rings along the axes of a torus
};

[[nodiscard]] std::string_view to_string(CollectiveKind kind);  ///< "all-reduce", ...
[[nodiscard]] std::string_view to_string(Algorithm algorithm);  ///< "halving-doubling", ...

/// A measured time of a collective, as nccl-tests prints it.
struct MeasuredTime {
  Bytes payload;
  Time time;
};

/// What is pinned; what is not is chosen as the cheapest.
struct CollectiveChoice {
  std::optional<Algorithm> algorithm = {};
  std::optional<Protocol> protocol = {};
  int channels = 0;  ///< SMs that it takes, each with its share of bandwidth; 0: NCCL's number
  /// By ascending payload: alone, the collective takes these times (between them and beyond them by their
  /// straight line), whatever the model says; loads on links are those of the algorithm.
  std::vector<MeasuredTime> measured = {};
  int measured_ranks = 0;  ///< of the group that they are of; 0: not known
  int measured_nodes = 0;
};

/// What a communication operation loads and how much it moves: a transfer of the task graph.
struct TransferPlan {
  Route route;
  TransferWork work;
};

struct CollectivePlan {
  TransferPlan transfer;
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
  int channels = 0;
};

class CollectiveGroups;

/// Plans communication on one topology: what each algorithm puts on links (collective_loads.h), how long the
/// protocol takes beyond that (collective_cost.h), which is the cheapest. A protocol that cannot fill its
/// links pays the difference as latency: bytes on links are those of the algorithm (LL's and LL128's flags
/// included), and what it leaves of a link is there for others. Keeps the shapes of groups that it has seen;
/// not for use by several threads at once.
class CollectivePlanner {
 public:
  /// The topology must outlive the planner and not change.
  CollectivePlanner(const Topology& topology, const NcclOptions& options);
  ~CollectivePlanner();
  CollectivePlanner(CollectivePlanner&&) noexcept;
  CollectivePlanner& operator=(CollectivePlanner&&) noexcept;

  /// `bytes` from one GPU to another: Simple protocol, one step. The receiver is ready when the transfer
  /// starts. From a GPU to itself nothing.
  [[nodiscard]] TransferPlan send(std::size_t from, std::size_t to, Bytes bytes);

  /// `gpus` in the order of ranks, each once. `payload` is the full buffer S, as nccl-tests counts it: for
  /// all-gather and reduce-scatter ranks x shard, for all-to-all what one rank holds. The first rank is the
  /// root of a broadcast or reduce. A single member or no bytes needs nothing: an empty route.
  ///
  /// What is not pinned is the cheapest, alone, of what NCCL considers there: ring with Simple or LL; for an
  /// all-reduce also the double binary tree across nodes, and where NVSwitches reduce NVLS in a node and
  /// NVLSTree across; all-to-all is direct; on a torus its rings. LL128 and PAT as NcclOptions says. Throws
  /// InputError when what is pinned cannot run on these GPUs, with the reason and what can.
  [[nodiscard]] CollectivePlan plan(CollectiveKind kind, std::span<const std::size_t> gpus, Bytes payload,
                                    const CollectiveChoice& choice = {});

  /// All-to-all where rank i sends matrix[i * ranks + j] bytes to rank j. Without measured times.
  [[nodiscard]] CollectivePlan all_to_all(std::span<const std::size_t> gpus, std::span<const Bytes> matrix,
                                          const CollectiveChoice& choice = {});

  /// How long a transfer takes that has its links for itself.
  [[nodiscard]] Time alone(const TransferPlan& plan) const;

  [[nodiscard]] Router& router();

  [[nodiscard]] const NcclOptions& options() const { return options_; }

 private:
  std::unique_ptr<CollectiveGroups> groups_;
  NcclOptions options_;
};

}  // namespace makespan
