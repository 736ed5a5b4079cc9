#pragma once

#include <boost/container/small_vector.hpp>
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
/// change them, for three reasons:
/// - A transfer enters at the rate that it would have alone, which is never too low. Where that leaves its
///   links slack, or where it has them to itself, it keeps this rate, and nobody else is concerned.
/// - Levels only rise from round to round. A link that lost a transfer of rate x was not saturated below x,
///   and one that gained a transfer is not saturated below floor(1024 * capacity / its weights). Below the
///   least of these bounds, all rounds are as before.
/// - A link on which no less is left than the sum of its weights ("slack") was never the least in any round,
///   so it carries no influence from one of its transfers to another, as long as it is slack under the new
///   rates too.
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
  [[nodiscard]] Rate peak_load(ResourceId resource) const;

 private:
  static constexpr std::int64_t kOpen = -1;  ///< in place of a rate that is not known yet
  static constexpr std::int64_t kOld = -1;   ///< in place of a level that is out of date
  static constexpr std::int64_t kHighestLevel = std::numeric_limits<std::int64_t>::max();
  static constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

  struct Load {
    std::uint32_t variable;
    std::uint32_t weight;
  };

  /// What most steps need of a link, on one cache line.
  struct alignas(64) Link {
    Int128 left = 0;           ///< 1024 * capacity less what the variables take
    std::uint64_t weight = 0;  ///< of all loads
    Rate capacity;
    std::uint64_t open_weight = 0;    ///< in the component: of the variables whose rate is open
    std::int64_t level = kOld;        ///< in the component: in this round, or kOld
    std::uint32_t only = 0;           ///< the variable, when there is one
    std::uint32_t period = kNever;    ///< in which a load changed last
    std::uint32_t loads = 0;          ///< how many
    bool touched : 1 = false;         ///< has changed since the last solve, and not only by getting slacker
    bool has_new : 1 = false;         ///< touched by a new variable
    bool suspect : 1 = false;         ///< was slack, and would not be under new rates that were tried
    bool in_component : 1 = false;    ///< of those that are being solved
    bool has_remainders : 1 = false;  ///< a weight is, or was, no multiple of 1024
  };

  static_assert(sizeof(Link) == 64);

  /// The loads of a link when there are several.
  using Loads = boost::container::small_vector<Load, 5>;

  struct Variable {
    std::span<const Use> uses;
    std::int64_t rate = 0;
    std::int64_t next = 0;        ///< the rate in the solve that is under way; kOpen only there
    std::int64_t before = 0;      ///< the rate before the solve that is under way, when that has changed it
    std::int64_t bound = 0;       ///< in the solve that is under way, by the links that it has to itself
    bool present = false;         ///< takes part in the loads of its links
    bool has_remainders = false;  ///< a weight is no multiple of 1024
    bool in_component = false;    ///< of those that are being solved
    bool changed = false;         ///< in the solve that is under way
  };

  Link& link(const Use& use) { return links_[use.resource.index()]; }

  void fetch_ahead(const std::vector<std::uint32_t>& variables, std::size_t position) const;
  template <class Visit>
  void for_each_user(std::uint32_t link, const Visit& visit) const;
  [[nodiscard]] Rate load(std::size_t link) const;
  void begin_change(Link& link, std::size_t index);
  void touch(std::uint32_t link);
  void enter_new();
  void enter(std::uint32_t variable);
  void share(Link& link, const Use& use, std::uint32_t variable);
  void leave(Variable& variable, std::uint32_t index);
  void settle_touched();
  bool solve_alone(std::uint32_t variable);
  void change_rate(std::uint32_t variable, std::int64_t rate);
  void change_remainders(const Variable& variable, std::int64_t from, std::int64_t to);
  void finish_changes();
  void solve_around(std::uint32_t link);
  void collect_component(std::uint32_t link);
  void discover(std::uint32_t link);
  void join(std::uint32_t variable);
  bool visit(Link& link, std::uint32_t index);
  void clear_component();
  void solve_rounds();
  void scan_round();
  [[nodiscard]] static std::int64_t level_of(const Link& link);
  [[nodiscard]] std::int64_t scan_links();
  [[nodiscard]] std::int64_t scan_bounds(std::int64_t least);
  void start_heap();
  void heap_round();
  void freeze_found(std::int64_t rate);
  void take(const Variable& variable);
  bool keeps_slack();
  void take_back();
  void publish();

  Solver solver_;
  std::vector<Link> links_;
  std::vector<Rate> peaks_;                ///< by link, of the solved states before its `period`
  std::vector<Loads> loads_;               ///< by link
  std::vector<std::uint64_t> remainders_;  ///< by link: sum over loads of rate * weight modulo 1024
  std::vector<Variable> variables_;
  std::vector<std::uint32_t> new_;              ///< variables that were added since the last solve
  std::vector<std::uint32_t> touched_;          ///< links that are touched
  std::vector<std::uint32_t> component_links_;  ///< of the component that is being solved
  std::vector<std::uint32_t> component_variables_;
  std::vector<std::uint32_t> outside_;        ///< slack links of the component's variables, some repeatedly
  std::vector<std::uint32_t> suspects_;       ///< links that are suspect
  std::vector<std::uint32_t> open_links_;     ///< those with an open variable
  std::vector<std::uint32_t> bounded_;        ///< open variables with a bound
  std::int64_t least_bound_ = kHighestLevel;  ///< no greater than any of theirs
  std::vector<std::uint32_t> saturated_;      ///< links of the least level in this round
  std::vector<std::uint32_t> at_bound_;       ///< variables whose bound is the least level in this round
  std::vector<std::uint32_t> frozen_;         ///< variables frozen in this round
  std::vector<VariableId> changed_;
  /// Open links by a level that may be too low, never too high (version 0), and variables by their bounds
  /// (version 1).
  RadixHeap<Rate> heap_;
  std::int64_t unchanged_below_ = kHighestLevel;  ///< rates below this level are as before
  std::size_t open_variables_ = 0;
  std::uint32_t period_ = 0;  ///< solves so far; wraps around
};

}  // namespace makespan
