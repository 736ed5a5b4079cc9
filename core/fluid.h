#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/event_queue.h"
#include "core/int128.h"
#include "core/task_graph.h"
#include "core/units.h"

namespace makespan {

/// One transfer in flight, numbered by the caller from 0 without wide gaps.
using VariableId = Id<struct VariableTag>;

/// Max-min fair sharing of links among transfers, on integers (Bertsekas and Gallager, "Data
/// Networks", 6.5.2, with weights).
///
/// A transfer whose reference hop moves at rate x puts x * weight / 1024 on each resource it uses. All rates
/// rise together. A round: the level of a resource is floor(what is left of 1024 * capacity / the summed
/// weights of its transfers whose rate is open); every open transfer on a resource of the least level is
/// frozen at that level, all at once, and what it takes is subtracted; rounds go on until no rate is open. A
/// level never exceeds the range of Rate.
///
/// The rates are a pure function of the transfers present and the capacities. What a solve leaves out cannot
/// change them, for two reasons:
/// - Levels only rise from round to round. A link that lost a transfer of rate x was not saturated below x,
/// and a link
///   that gained one is not saturated below floor(1024 * capacity / its weights). Below the least of these
///   bounds, all rounds are as before.
/// - A link on which no less is left than the sum of its weights ("slack") was never the least in any round,
/// so it
///   carries no influence from one of its transfers to another, as long as it is slack under the new rates
///   too.
/// test/oracle/reference_max_min.h, which takes no such short cut, gives the same rates to the last digit.
class FluidSystem {
 public:
  /// How rounds find the least level; the rates do not depend on it. A scan looks at every resource that is
  /// still open, a heap only at those that may be the least. `automatic` scans a few rounds and then builds
  /// the heap.
  enum class Solver : std::uint8_t { automatic, scan, heap };

  explicit FluidSystem(std::span<const Resource> resources, Solver solver = Solver::automatic);

  /// `uses` is not copied and must outlive the variable. Requires at least one use, no resource twice, and a
  /// variable that is not present.
  void add(VariableId variable, std::span<const Use> uses);
  void remove(VariableId variable);
  void set_capacity(ResourceId resource, Rate capacity);

  /// Brings the rates up to date with everything since the last call. Returns the variables whose rate is new
  /// or changed, in an order that depends only on the calls made; valid until the next call.
  std::span<const VariableId> solve();

  /// As of the last `solve`.
  [[nodiscard]] Rate rate(VariableId variable) const { return Rate(variables_[variable.index()].rate); }

  [[nodiscard]] Rate capacity(ResourceId resource) const { return links_[resource.index()].capacity; }

  /// Whether the resource is so small that its transfers get rate 0, which only more capacity changes: none
  /// of them can end and leave.
  [[nodiscard]] bool starved(ResourceId resource) const;

  /// The largest load of any solved state: the sum over variables of floor(rate * weight / 1024).
  [[nodiscard]] Rate peak_load(ResourceId resource) const { return links_[resource.index()].peak; }

 private:
  static constexpr std::int64_t kOpen = -1;  ///< in place of a rate that is not known yet
  static constexpr std::int64_t kHighestLevel = std::numeric_limits<std::int64_t>::max();

  struct Load {
    std::uint32_t variable;
    std::uint32_t weight;
  };

  struct Link {
    std::vector<Load> loads;
    std::uint64_t weight = 0;  ///< of all loads
    Int128 left = 0;           ///< 1024 * capacity less what the variables with a rate take
    std::uint64_t epoch = 0;   ///< the component that this link was collected into last
    bool touched = false;      ///< has changed since the last solve, and not only by getting slacker
    bool has_new = false;      ///< has a variable that the last solve did not know
    bool suspect = false;      ///< was slack, and would not be under new rates that were tried
    bool level_is_old = false;
    // The state of the rounds.
    std::uint64_t open_weight = 0;
    Uint128 open_left = 0;  ///< 1024 * capacity less what frozen variables take
    std::int64_t level = 0;
    // What `solve` does not read.
    Rate capacity;
    std::uint64_t load = 0;  ///< modulo 2^64 while rates change one by one
    Rate peak;
  };

  struct Variable {
    std::span<const Use> uses;
    std::int64_t rate = kOpen;
    std::int64_t next = kOpen;    ///< the rate in the solve that is under way; kOpen only there
    std::int64_t before = kOpen;  ///< the rate before the solve that changed it last
    std::uint64_t epoch = 0;      ///< the component that this variable was collected into last
    std::uint64_t changed = 0;    ///< the solve that changed the rate last
  };

  Link& link(const Use& use) { return links_[use.resource.index()]; }

  void touch(std::uint32_t link);
  bool solve_alone(std::uint32_t variable);
  void change_rate(std::uint32_t variable, std::int64_t rate);
  void finish_changes();
  void solve_around(std::uint32_t link);
  void collect_component(std::uint32_t link);
  void visit(std::uint32_t link);
  void solve_rounds();
  void scan_round();
  void start_heap();
  void heap_round();
  void freeze(const Link& link, std::int64_t level);
  bool keeps_slack();
  void publish();
  [[nodiscard]] static std::int64_t level_of(const Link& link);

  Solver solver_;
  std::vector<Link> links_;
  std::vector<Variable> variables_;
  std::vector<std::uint32_t> touched_;          ///< links that are touched
  std::vector<std::uint32_t> component_links_;  ///< of the component that is being solved
  std::vector<std::uint32_t> component_variables_;
  std::vector<std::uint32_t> moved_;       ///< variables of the component whose rate changes
  std::vector<std::uint32_t> suspects_;    ///< links that are suspect
  std::vector<std::uint32_t> open_links_;  ///< those with an open variable
  std::vector<std::uint32_t> saturated_;   ///< those of the least level in this round
  std::vector<VariableId> changed_;
  RadixHeap<Rate> heap_;  ///< open links by a level that may be too low, never too high
  std::int64_t unchanged_below_ = kHighestLevel;  ///< rates below this level are as before
  std::size_t open_variables_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t solves_ = 0;
};

}  // namespace makespan
