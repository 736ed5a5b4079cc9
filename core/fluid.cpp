#include "core/fluid.h"

#include <algorithm>

#include "core/error.h"

namespace makespan {

namespace {

/// A scan costs one look at each open link and bound a round, a heap costs its building: after so many rounds
/// it pays, unless less than so much is open.
constexpr int kScanRounds = 4;
constexpr std::size_t kSmall = 64;
/// So many variables before one is looked at, its links are fetched from memory.
constexpr std::size_t kAhead = 6;

std::int64_t level(Uint128 left, std::uint64_t weight) {
  constexpr auto kHighest = Uint128(std::numeric_limits<std::int64_t>::max());
  const Uint128 exact = weight == Use::kUnitWeight ? left / Use::kUnitWeight : floor_div(left, weight);
  return static_cast<std::int64_t>(std::min(exact, kHighest));
}

Int128 scaled(Rate capacity) {
  return Int128(capacity.count()) * Use::kUnitWeight;
}

/// What a link gives to a variable that has it to itself.
std::int64_t alone_level(Rate capacity, std::uint32_t weight) {
  return weight == Use::kUnitWeight ? capacity.count() : level(Uint128(scaled(capacity)), weight);
}

Int128 product(std::int64_t rate, std::uint32_t weight) {
  return Int128(rate) * weight;
}

/// What a load leaves over when it is rounded down to a Rate, in 1/1024.
std::uint64_t remainder(std::int64_t rate, std::uint32_t weight) {
  return static_cast<std::uint64_t>(product(rate, weight)) % Use::kUnitWeight;
}

}  // namespace

FluidSystem::FluidSystem(std::span<const Resource> resources, Solver solver)
    : solver_(solver),
      links_(resources.size()),
      peaks_(resources.size()),
      loads_(resources.size()),
      remainders_(resources.size()) {
  for (std::size_t i = 0; i < resources.size(); ++i) {
    MAKESPAN_CHECK(resources[i].capacity >= Rate(0), "a negative capacity");
    links_[i].capacity = resources[i].capacity;
    links_[i].left = scaled(resources[i].capacity);
  }
}

template <class Visit>
void FluidSystem::for_each_user(std::uint32_t index, const Visit& visit) const {
  const Link& used = links_[index];
  if (used.loads == 1) {
    visit(used.only);
    return;
  }
  for (const Load& load : loads_[index]) {
    visit(load.variable);
  }
}

/// The sum of floor(rate * weight / 1024) is the sum of rate * weight, less what each leaves over, / 1024.
Rate FluidSystem::load(std::size_t index) const {
  const Link& loaded = links_[index];
  Int128 taken = scaled(loaded.capacity) - loaded.left;
  if (loaded.has_remainders) {
    taken -= Int128(remainders_[index]);
  }
  return Rate(static_cast<std::int64_t>(Uint128(taken) / Use::kUnitWeight));
}

Rate FluidSystem::peak_load(ResourceId resource) const {
  const Rate peak = peaks_[resource.index()];
  return links_[resource.index()].period == period_ ? peak : std::max(peak, load(resource.index()));
}

/// Before the variable at `position` of a long list is looked at, lets the processor fetch from memory what
/// those after it will need. Systems outgrow its caches, and most of the time would go into waiting.
/// Compilers may take a call that only fetches for one without effect, hence the attribute.
[[gnu::always_inline]] inline void FluidSystem::fetch_ahead(const std::vector<std::uint32_t>& variables,
                                                            std::size_t position) const {
  if (position + 2 * kAhead < variables.size()) {
    __builtin_prefetch(variables_[variables[position + 2 * kAhead]].uses.data());
    for (const Use& use : variables_[variables[position + kAhead]].uses) {
      __builtin_prefetch(&links_[use.resource.index()]);
    }
  }
}

/// Before the first change since the last solve, the load is that of a solved state, and counts for the peak.
inline void FluidSystem::begin_change(Link& changed, std::size_t index) {
  if (changed.period != period_) {
    changed.period = period_;
    if (changed.loads > 0) {
      peaks_[index] = std::max(peaks_[index], load(index));
    }
  }
}

void FluidSystem::touch(std::uint32_t index) {
  if (!links_[index].touched) {
    links_[index].touched = true;
    touched_.push_back(index);
  }
}

void FluidSystem::add(VariableId id, std::span<const Use> uses) {
  MAKESPAN_CHECK(!uses.empty(), "nothing bounds the rate of a transfer that uses no link");
  if (id.index() >= variables_.size()) {
    variables_.resize(id.index() + 1);
  }
  Variable& variable = variables_[id.index()];
  MAKESPAN_CHECK(variable.uses.empty(), "the variable is already present");
  variable.uses = uses;
  new_.push_back(static_cast<std::uint32_t>(id.index()));
}

void FluidSystem::remove(VariableId id) {
  Variable& variable = variables_[id.index()];
  MAKESPAN_CHECK(!variable.uses.empty(), "the variable is not present");
  if (variable.present) {
    leave(variable, static_cast<std::uint32_t>(id.index()));
  }
  variable.uses = {};
}

void FluidSystem::leave(Variable& variable, std::uint32_t index) {
  variable.present = false;
  for (const Use& use : variable.uses) {
    __builtin_prefetch(&link(use));
  }
  for (const Use& use : variable.uses) {
    const auto place = static_cast<std::uint32_t>(use.resource.index());
    Link& used = links_[place];
    begin_change(used, place);
    if (used.loads > 1 && used.left < Int128(used.weight)) {  // a slack link would only get slacker
      touch(place);
      unchanged_below_ = std::min(unchanged_below_, variable.rate);
    }
    used.left += product(variable.rate, use.weight);
    used.weight -= use.weight;
    if (used.loads > 1) {
      Loads& loads = loads_[place];
      auto load = loads.begin();
      while (load->variable != index) {
        ++load;
      }
      *load = loads.back();
      loads.pop_back();
      used.only = loads.front().variable;
    }
    --used.loads;
  }
  if (variable.has_remainders) {
    change_remainders(variable, variable.rate, 0);
  }
}

void FluidSystem::set_capacity(ResourceId resource, Rate capacity) {
  MAKESPAN_CHECK(capacity >= Rate(0), "a negative capacity");
  const auto index = static_cast<std::uint32_t>(resource.index());
  Link& changed = links_[index];
  begin_change(changed, index);
  changed.left += scaled(capacity) - scaled(changed.capacity);
  changed.capacity = capacity;
  unchanged_below_ = 0;
  touch(index);
}

bool FluidSystem::starved(ResourceId resource) const {
  const Link& asked = links_[resource.index()];
  return scaled(asked.capacity) < Int128(asked.weight);
}

std::span<const VariableId> FluidSystem::solve() {
  changed_.clear();
  enter_new();
  settle_touched();
  for (const std::uint32_t index : touched_) {
    if (links_[index].touched) {
      solve_around(index);
    }
  }
  touched_.clear();
  unchanged_below_ = kHighestLevel;
  finish_changes();
  return changed_;
}

/// Lets new variables take part. The links of those that come next are fetched from memory ahead.
void FluidSystem::enter_new() {
  for (std::size_t i = 0; i < new_.size(); ++i) {
    fetch_ahead(new_, i);
    const Variable& variable = variables_[new_[i]];
    if (!variable.uses.empty() && !variable.present) {  // neither removed again nor listed twice
      enter(new_[i]);
    }
  }
  new_.clear();
}

void FluidSystem::enter(std::uint32_t index) {
  Variable& variable = variables_[index];
  const std::span<const Use> uses = variable.uses;
  std::int64_t rate = kHighestLevel;
  bool has_remainders = false;
  for (const Use& use : uses) {
    rate = std::min(rate, alone_level(link(use).capacity, use.weight));
    has_remainders |= use.weight % Use::kUnitWeight != 0;
  }
  for (const Use& use : uses) {
    Link& used = link(use);
    if (used.loads > 0) {
      share(used, use, index);
    }
    used.left -= product(rate, use.weight);
    used.weight += use.weight;
    used.only = index;
    used.period = period_;
    ++used.loads;
    if (used.loads > 1 && used.left < Int128(used.weight)) {
      used.has_new = true;
      touch(static_cast<std::uint32_t>(use.resource.index()));
    }
  }
  variable.rate = rate;
  variable.next = rate;
  variable.before = kOpen;
  variable.present = true;
  variable.has_remainders = has_remainders;
  variable.changed = true;
  changed_.emplace_back(index);
  if (has_remainders) {
    change_remainders(variable, 0, rate);
  }
}

/// Notes the load of a variable on a link that has others.
void FluidSystem::share(Link& used, const Use& use, std::uint32_t index) {
  begin_change(used, use.resource.index());
  Loads& loads = loads_[use.resource.index()];
  if (used.loads == 1) {
    loads.assign(1, {used.only, static_cast<std::uint32_t>(used.weight)});
  }
  loads.push_back({index, use.weight});
}

/// Leaves as touched only links that variables share.
void FluidSystem::settle_touched() {
  for (const std::uint32_t index : touched_) {
    Link& touched = links_[index];
    if (touched.loads == 0 || (touched.loads == 1 && solve_alone(touched.only))) {
      touched.touched = false;
    } else if (touched.has_new) {
      unchanged_below_ = std::min(unchanged_below_, level(Uint128(scaled(touched.capacity)), touched.weight));
    }
    touched.has_new = false;
  }
}

/// When the variable shares no link, gives it what its narrowest link has, and returns true.
bool FluidSystem::solve_alone(std::uint32_t index) {
  const Variable& variable = variables_[index];
  std::int64_t least = kHighestLevel;
  for (const Use& use : variable.uses) {
    const Link& used = link(use);
    if (used.loads > 1) {
      return false;
    }
    least = std::min(least, alone_level(used.capacity, use.weight));
  }
  for (const Use& use : variable.uses) {
    begin_change(link(use), use.resource.index());
    link(use).left = scaled(link(use).capacity) - product(least, use.weight);
  }
  change_rate(index, least);
  return true;
}

void FluidSystem::change_rate(std::uint32_t index, std::int64_t rate) {
  Variable& variable = variables_[index];
  if (variable.rate == rate) {
    return;
  }
  if (!variable.changed) {
    variable.changed = true;
    variable.before = variable.rate;
    changed_.emplace_back(index);
  }
  if (variable.has_remainders) {
    change_remainders(variable, variable.rate, rate);
  }
  variable.rate = rate;
  variable.next = rate;
}

void FluidSystem::change_remainders(const Variable& variable, std::int64_t from, std::int64_t to) {
  for (const Use& use : variable.uses) {
    link(use).has_remainders = true;
    remainders_[use.resource.index()] += remainder(to, use.weight) - remainder(from, use.weight);
  }
}

/// Two components can share a slack link; when it does not stay slack, the second solve may take a change
/// back.
void FluidSystem::finish_changes() {
  std::erase_if(changed_, [&](VariableId id) {
    Variable& variable = variables_[id.index()];
    variable.changed = false;
    return variable.rate == variable.before;
  });
  if (++period_ == kNever) {
    period_ = 0;
    for (Link& link : links_) {
      link.period = kNever;
    }
  }
}

/// Solves the component of a touched link, and again with more links when some do not stay slack.
void FluidSystem::solve_around(std::uint32_t index) {
  collect_component(index);
  solve_rounds();
  while (!keeps_slack()) {
    take_back();
    clear_component();
    collect_component(index);
    solve_rounds();
  }
  publish();
  clear_component();
  for (const std::uint32_t suspect : suspects_) {
    links_[suspect].suspect = false;
  }
  suspects_.clear();
}

/// Adds a link to the component and returns true, unless it carries no influence.
inline bool FluidSystem::visit(Link& visited, std::uint32_t index) {
  if (visited.left >= Int128(visited.weight) && !visited.touched && !visited.suspect) {
    return false;
  }
  visited.in_component = true;
  visited.open_weight = 0;
  visited.level = kOld;
  component_links_.push_back(index);
  return true;
}

/// Adds the links of a variable of the component. What it took of them is left again, which does not make a
/// link slack that was not: a link is visited before. Links that it has to itself only bound its rate.
void FluidSystem::join(std::uint32_t index) {
  Variable& variable = variables_[index];
  variable.next = kOpen;
  variable.bound = kHighestLevel;
  for (const Use& use : variable.uses) {
    const auto place = static_cast<std::uint32_t>(use.resource.index());
    Link& used = links_[place];
    if (!used.in_component) {
      begin_change(used, place);
      if (used.loads == 1 && !used.touched) {
        variable.bound = std::min(variable.bound, alone_level(used.capacity, use.weight));
      } else if (!visit(used, place)) {
        outside_.push_back(place);
      }
    }
    used.left += product(variable.rate, use.weight);
    used.open_weight += use.weight;
  }
  if (variable.bound < kHighestLevel) {
    bounded_.push_back(index);
    least_bound_ = std::min(least_bound_, variable.bound);
  }
}

/// Adds the variables of a link whose rate may change; `join` comes later.
void FluidSystem::discover(std::uint32_t link) {
  for_each_user(link, [&](std::uint32_t index) {
    Variable& variable = variables_[index];
    if (variable.rate >= unchanged_below_ && !variable.in_component) {
      variable.in_component = true;
      component_variables_.push_back(index);
    }
  });
}

/// What is connected to the link through variables whose rate may change and links that carry influence. The
/// lists of what is found are their own queues, worked off in turn: so most of what comes next is known, and
/// can be fetched from memory ahead.
void FluidSystem::collect_component(std::uint32_t first) {
  visit(links_[first], first);
  std::size_t links = 0;
  std::size_t joined = 0;
  while (links < component_links_.size()) {
    for (; links < component_links_.size(); ++links) {
      if (links + kAhead < component_links_.size()) {
        __builtin_prefetch(&loads_[component_links_[links + kAhead]]);
      }
      discover(component_links_[links]);
    }
    for (; joined < component_variables_.size(); ++joined) {
      fetch_ahead(component_variables_, joined);
      join(component_variables_[joined]);
    }
  }
}

void FluidSystem::clear_component() {
  for (const std::uint32_t index : component_links_) {
    links_[index].in_component = false;
  }
  for (const std::uint32_t index : component_variables_) {
    variables_[index].in_component = false;
  }
  component_links_.clear();
  component_variables_.clear();
  outside_.clear();
  bounded_.clear();
  least_bound_ = kHighestLevel;
}

void FluidSystem::solve_rounds() {
  open_variables_ = component_variables_.size();
  open_links_ = component_links_;
  int scans = 0;
  const auto scan_again = [&] {
    const bool is_small = open_links_.size() + bounded_.size() < kSmall;
    return solver_ == Solver::scan || (solver_ == Solver::automatic && (is_small || scans < kScanRounds));
  };
  for (; open_variables_ > 0 && scan_again(); ++scans) {
    scan_round();
  }
  if (open_variables_ > 0) {
    start_heap();
    while (open_variables_ > 0) {
      heap_round();
    }
  }
}

void FluidSystem::scan_round() {
  std::int64_t least = scan_links();
  if (least_bound_ <= least) {
    least = scan_bounds(least);
  }
  freeze_found(least);
}

std::int64_t FluidSystem::level_of(const Link& link) {
  return level(Uint128(link.left), link.open_weight);
}

/// The least level of an open link, and these links.
std::int64_t FluidSystem::scan_links() {
  std::int64_t least = kHighestLevel;
  std::size_t kept = 0;
  for (const std::uint32_t index : open_links_) {
    Link& open = links_[index];
    if (open.open_weight == 0) {
      continue;
    }
    open_links_[kept++] = index;
    if (open.level == kOld) {
      open.level = level_of(open);
    }
    if (open.level < least) {
      least = open.level;
      saturated_.clear();
    }
    if (open.level == least) {
      saturated_.push_back(index);
    }
  }
  open_links_.resize(kept);
  return least;
}

/// The least of the bounds of open variables and `least`, and those that have it.
std::int64_t FluidSystem::scan_bounds(std::int64_t least) {
  std::erase_if(bounded_, [&](std::uint32_t index) { return variables_[index].next != kOpen; });
  least_bound_ = kHighestLevel;
  for (const std::uint32_t index : bounded_) {
    const std::int64_t bound = variables_[index].bound;
    least_bound_ = std::min(least_bound_, bound);
    if (bound < least) {
      least = bound;
      saturated_.clear();
      at_bound_.clear();
    }
    if (bound == least) {
      at_bound_.push_back(index);
    }
  }
  return least;
}

void FluidSystem::start_heap() {
  heap_.reset();
  for (const std::uint32_t index : open_links_) {
    if (links_[index].open_weight > 0) {
      heap_.push(Rate(level_of(links_[index])), index, 0);
    }
  }
  for (const std::uint32_t index : bounded_) {
    heap_.push(Rate(variables_[index].bound), index, 1);
  }
}

/// Levels only rise from round to round, so a stored level that is out of date is too low. The least stored
/// level is that of the round as soon as one link still has it.
void FluidSystem::heap_round() {
  const Rate least = heap_.advance();
  for (const RadixHeap<Rate>::Item& item : heap_.taken()) {
    if (item.version == 1) {
      at_bound_.push_back(item.slot);
      continue;
    }
    const Link& open = links_[item.slot];
    if (open.open_weight == 0) {
      continue;
    }
    const std::int64_t now = level_of(open);
    if (now > least.count()) {
      heap_.push(Rate(now), item.slot, 0);
    } else {
      saturated_.push_back(item.slot);
    }
  }
  freeze_found(least.count());
}

/// Freezes what is open on the links and at the bounds found.
void FluidSystem::freeze_found(std::int64_t rate) {
  const auto freeze = [&](std::uint32_t index) {
    Variable& variable = variables_[index];
    if (variable.next == kOpen) {
      variable.next = rate;
      frozen_.push_back(index);
    }
  };
  for (const std::uint32_t index : saturated_) {
    for_each_user(index, freeze);
  }
  std::for_each(at_bound_.begin(), at_bound_.end(), freeze);
  for (std::size_t i = 0; i < frozen_.size(); ++i) {
    fetch_ahead(frozen_, i);
    take(variables_[frozen_[i]]);
  }
  open_variables_ -= frozen_.size();
  frozen_.clear();
  saturated_.clear();
  at_bound_.clear();
}

/// A frozen variable takes its share of all its links, slack ones included.
inline void FluidSystem::take(const Variable& variable) {
  for (const Use& use : variable.uses) {
    Link& used = link(use);
    used.left -= product(variable.next, use.weight);
    used.open_weight -= use.weight;
    used.level = kOld;
  }
}

/// Makes links suspect that are outside the component and not slack under the new rates; false when there are
/// such links.
bool FluidSystem::keeps_slack() {
  const std::size_t suspects = suspects_.size();
  for (const std::uint32_t index : outside_) {
    Link& used = links_[index];
    if (used.left < Int128(used.weight) && !used.suspect) {
      used.suspect = true;
      suspects_.push_back(index);
    }
  }
  return suspects_.size() == suspects;
}

/// Restores what is left on all links under the rates before the rounds.
void FluidSystem::take_back() {
  for (const std::uint32_t index : component_variables_) {
    Variable& variable = variables_[index];
    for (const Use& use : variable.uses) {
      link(use).left += product(variable.next, use.weight) - product(variable.rate, use.weight);
    }
    variable.next = variable.rate;
  }
}

void FluidSystem::publish() {
  for (const std::uint32_t index : component_variables_) {
    if (variables_[index].next != variables_[index].rate) {
      change_rate(index, variables_[index].next);
    }
  }
  for (const std::uint32_t index : component_links_) {
    links_[index].touched = false;
  }
}

}  // namespace makespan
