#pragma once

#include <cstdint>
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
/// The rates are a pure function of the transfers present and the capacities. Whatever is skipped or reused
/// here gives the same rates to the last digit, which test/oracle/reference_max_min.h checks.
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

  /// Brings the rates up to date with everything since the last call, looking only at the connected
  /// components that were touched. Returns the variables whose rate is new or changed, in an order that
  /// depends only on the calls made; valid until the next call.
  std::span<const VariableId> solve();

  /// As of the last `solve`.
  [[nodiscard]] Rate rate(VariableId variable) const { return variables_[variable.index()].rate; }

  [[nodiscard]] Rate capacity(ResourceId resource) const { return links_[resource.index()].capacity; }

  /// Whether the resource is so small that its transfers get rate 0, which only more capacity changes: none
  /// of them can end and leave.
  [[nodiscard]] bool starved(ResourceId resource) const;

  /// The largest load of any solved state: the sum over variables of floor(rate * weight / 1024).
  [[nodiscard]] Rate peak_load(ResourceId resource) const { return links_[resource.index()].peak; }

 private:
  static constexpr std::int64_t kOpen = -1;  ///< the rate of a variable that is not frozen yet

  struct Load {
    std::uint32_t variable;
    std::uint32_t weight;
  };

  struct Link {
    std::vector<Load> loads;
    Rate capacity;
    Rate peak;
    std::uint64_t weight = 0;  ///< of all loads
    std::uint64_t epoch = 0;   ///< the solve that visited this link last
    bool touched = false;
    // The state of the solve that is under way.
    bool level_is_old = false;
    std::uint64_t open_weight = 0;
    std::int64_t level = 0;
    std::int64_t load = 0;
    Uint128 left = 0;  ///< 1024 * capacity less what frozen variables take
  };

  struct Variable {
    std::span<const Use> uses;
    Rate rate = Rate(kOpen);
    std::int64_t next = kOpen;  ///< the rate in the solve that is under way
    std::uint64_t epoch = 0;
  };

  void touch(std::uint32_t link);
  void collect_component(std::uint32_t link);
  void visit(std::uint32_t link);
  void solve_alone(std::uint32_t variable);
  void solve_component();
  void scan_round();
  void start_heap();
  void heap_round();
  void freeze(const Link& link, std::int64_t level);
  void publish();
  [[nodiscard]] static std::int64_t level_of(const Link& link);

  Solver solver_;
  std::vector<Link> links_;
  std::vector<Variable> variables_;
  std::vector<std::uint32_t> touched_;  ///< links whose transfers or capacity changed since the last solve
  std::vector<std::uint32_t> component_links_;  ///< of the component that is being solved
  std::vector<std::uint32_t> component_variables_;
  std::vector<std::uint32_t> open_links_;  ///< those with an open variable
  std::vector<std::uint32_t> saturated_;   ///< those of the least level in this round
  std::vector<VariableId> changed_;
  RadixHeap<Rate> heap_;  ///< open links by a level that may be too low, never too high
  std::size_t open_variables_ = 0;
  std::uint64_t epoch_ = 0;
};

}  // namespace makespan
