#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "network/collective.h"
#include "network/collective_loads.h"

namespace makespan {

/// The groups that a planner has seen, with what algorithms put on links.
class CollectiveGroups {
 public:
  struct Group {
    GroupShape shape;
    std::map<std::pair<Algorithm, RingWay>, Loads> loads;
  };

  explicit CollectiveGroups(const Topology& topology) : router_(topology) {}

  [[nodiscard]] Router& router() { return router_; }

  [[nodiscard]] const Topology& topology() const { return router_.topology(); }

  [[nodiscard]] Group& group(std::span<const std::size_t> gpus);

  /// `in_switch`: NVSwitches reduce, for what collnet does within nodes. `way` of rings.
  [[nodiscard]] const Loads& loads(Group& group, Algorithm algorithm, RingWay way, bool in_switch);

 private:
  [[nodiscard]] Loads compute(const GroupShape& shape, Algorithm algorithm, RingWay way, bool in_switch);

  Router router_;
  std::map<std::vector<std::size_t>, Group> groups_;
};

/// One way to carry out a collective, with its time alone.
struct CollectiveCandidate {
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
  const Loads* loads = nullptr;
  TransferWork work;
  double seconds = 0;
};

/// The choice of how to carry out one collective of one group. Refers to its arguments.
class CollectivePlanning {
 public:
  CollectivePlanning(CollectiveGroups& groups, CollectiveGroups::Group& group, const NcclOptions& options,
                     CollectiveKind kind, Bytes payload, const CollectiveChoice& choice);

  /// Of what is pinned, or else considered. Throws InputError when what is pinned cannot run.
  [[nodiscard]] CollectiveCandidate cheapest();

  [[nodiscard]] CollectiveCandidate candidate(Algorithm algorithm, Protocol protocol, const Loads& loads);

  [[nodiscard]] int channels(Algorithm algorithm) const;

  /// Channels that have anything to do: NCCL takes fewer for few bytes (src/enqueue.cc: a channel has 512
  /// threads, a thread at least 64 bytes with Simple, 8 with LL and LL128; a ring with LL as many for each
  /// rank).
  [[nodiscard]] int busy_channels(const CollectiveCandidate& candidate) const;

 private:
  [[nodiscard]] bool is_across() const { return group_.shape.nodes() > 1; }

  [[nodiscard]] bool reduces_in_switch() const;
  [[nodiscard]] std::uint64_t rounds_of(Algorithm algorithm) const;
  [[nodiscard]] double ring_bus();
  [[nodiscard]] std::size_t rounds_across() const;

  /// Why the algorithm cannot run; empty when it can.
  [[nodiscard]] std::string obstacle(Algorithm algorithm) const;
  [[nodiscard]] std::vector<Algorithm> algorithms() const;
  [[nodiscard]] std::vector<Protocol> protocols(Algorithm algorithm) const;

  CollectiveGroups& groups_;
  CollectiveGroups::Group& group_;
  const NcclOptions& options_;
  CollectiveKind kind_;
  Bytes payload_;
  const CollectiveChoice& choice_;
};

/// Throws InputError for a protocol that what is chosen does not have.
void check_protocol(CollectiveKind kind, const CollectiveChoice& choice);

}  // namespace makespan
