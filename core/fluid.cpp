#include "core/fluid.h"

#include <algorithm>

#include "core/error.h"

namespace makespan {

namespace {

/// A scan costs one look at each open link a round, a heap costs its building: after this many rounds it
/// pays.
constexpr int kScanRounds = 8;

std::int64_t level(Uint128 left, std::uint64_t weight) {
  constexpr auto kHighest = Uint128(std::numeric_limits<std::int64_t>::max());
  const Uint128 exact = weight == Use::kUnitWeight ? left / Use::kUnitWeight : floor_div(left, weight);
  return static_cast<std::int64_t>(std::min(exact, kHighest));
}

Int128 scaled(Rate capacity) {
  return Int128(capacity.count()) * Use::kUnitWeight;
}

Int128 product(std::int64_t rate, std::uint32_t weight) {
  return Int128(rate) * weight;
}

std::uint64_t load(std::int64_t rate, std::uint32_t weight) {
  return static_cast<std::uint64_t>(product(rate, weight) / Use::kUnitWeight);
}

}  // namespace

FluidSystem::FluidSystem(std::span<const Resource> resources, Solver solver)
    : solver_(solver), links_(resources.size()) {
  for (std::size_t i = 0; i < resources.size(); ++i) {
    MAKESPAN_CHECK(resources[i].capacity >= Rate(0), "a negative capacity");
    links_[i].capacity = resources[i].capacity;
    links_[i].left = scaled(resources[i].capacity);
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
  variable.rate = kOpen;
  variable.changed = 0;
  for (const Use& use : uses) {
    Link& used = link(use);
    used.loads.push_back({static_cast<std::uint32_t>(id.index()), use.weight});
    used.weight += use.weight;
    used.has_new = true;
    touch(static_cast<std::uint32_t>(use.resource.index()));
  }
}

void FluidSystem::remove(VariableId id) {
  Variable& variable = variables_[id.index()];
  MAKESPAN_CHECK(!variable.uses.empty(), "the variable is not present");
  const bool has_rate = variable.rate != kOpen;
  for (const Use& use : variable.uses) {
    Link& used = link(use);
    if (used.left < Int128(used.weight)) {  // a slack link would only get slacker
      touch(static_cast<std::uint32_t>(use.resource.index()));
      unchanged_below_ = has_rate ? std::min(unchanged_below_, variable.rate) : unchanged_below_;
    }
    if (has_rate) {
      used.left += product(variable.rate, use.weight);
      used.load -= load(variable.rate, use.weight);
    }
    used.weight -= use.weight;
    auto place = used.loads.begin();
    while (place->variable != id.index()) {
      ++place;
    }
    *place = used.loads.back();
    used.loads.pop_back();
  }
  variable.uses = {};
}

void FluidSystem::set_capacity(ResourceId resource, Rate capacity) {
  MAKESPAN_CHECK(capacity >= Rate(0), "a negative capacity");
  Link& changed = links_[resource.index()];
  changed.left += scaled(capacity) - scaled(changed.capacity);
  changed.capacity = capacity;
  unchanged_below_ = 0;
  touch(static_cast<std::uint32_t>(resource.index()));
}

bool FluidSystem::starved(ResourceId resource) const {
  const Link& asked = links_[resource.index()];
  return scaled(asked.capacity) < Int128(asked.weight);
}

std::span<const VariableId> FluidSystem::solve() {
  changed_.clear();
  ++solves_;
  for (const std::uint32_t index : touched_) {
    Link& touched = links_[index];
    if (touched.loads.empty() || solve_alone(touched.loads.front().variable)) {
      touched.touched = false;
    } else if (touched.has_new) {
      unchanged_below_ = std::min(unchanged_below_, level(Uint128(scaled(touched.capacity)), touched.weight));
    }
    touched.has_new = false;
  }
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

/// When the variable shares no link, gives it what its narrowest link has, and returns true.
bool FluidSystem::solve_alone(std::uint32_t index) {
  const Variable& variable = variables_[index];
  std::int64_t least = kHighestLevel;
  for (const Use& use : variable.uses) {
    if (link(use).loads.size() > 1) {
      return false;
    }
    least = std::min(least, level(Uint128(scaled(link(use).capacity)), use.weight));
  }
  for (const Use& use : variable.uses) {
    link(use).left = scaled(link(use).capacity) - product(least, use.weight);
    link(use).load = load(least, use.weight);
  }
  change_rate(index, least);
  return true;
}

void FluidSystem::change_rate(std::uint32_t index, std::int64_t rate) {
  Variable& variable = variables_[index];
  if (variable.rate == rate) {
    return;
  }
  if (variable.changed != solves_) {
    variable.changed = solves_;
    variable.before = variable.rate;
    changed_.emplace_back(index);
  }
  variable.rate = rate;
  variable.next = rate;
}

/// Two components can share a slack link; when it does not stay slack, the second solve may take a change
/// back.
void FluidSystem::finish_changes() {
  std::erase_if(changed_,
                [&](VariableId id) { return variables_[id.index()].rate == variables_[id.index()].before; });
  for (const VariableId id : changed_) {
    for (const Use& use : variables_[id.index()].uses) {
      link(use).peak = std::max(link(use).peak, Rate(static_cast<std::int64_t>(link(use).load)));
    }
  }
}

/// Solves the component of a touched link, and again with more links when some do not stay slack.
void FluidSystem::solve_around(std::uint32_t index) {
  do {
    collect_component(index);
    solve_rounds();
  } while (!keeps_slack());
  publish();
  for (const std::uint32_t suspect : suspects_) {
    links_[suspect].suspect = false;
  }
  suspects_.clear();
}

/// Adds a link to the component, unless it carries no influence.
void FluidSystem::visit(std::uint32_t index) {
  Link& visited = links_[index];
  const bool slack = visited.left >= Int128(visited.weight) && !visited.touched && !visited.suspect;
  if (visited.epoch != epoch_ && !slack) {
    visited.epoch = epoch_;
    visited.level_is_old = true;
    component_links_.push_back(index);
  }
}

/// What is connected to the link through variables whose rate may change and links that carry influence. The
/// list of links found is its own queue.
void FluidSystem::collect_component(std::uint32_t first) {
  ++epoch_;
  component_links_.clear();
  component_variables_.clear();
  visit(first);
  // NOLINTNEXTLINE(modernize-loop-convert): `visit` appends to what is walked.
  for (std::size_t i = 0; i < component_links_.size(); ++i) {
    Link& found = links_[component_links_[i]];
    Int128 open_left = found.left;
    found.open_weight = 0;
    for (const Load& load : found.loads) {
      Variable& variable = variables_[load.variable];
      const bool is_new = variable.rate == kOpen;
      if (!is_new && variable.rate < unchanged_below_) {
        continue;
      }
      found.open_weight += load.weight;
      open_left += is_new ? 0 : product(variable.rate, load.weight);
      if (variable.epoch != epoch_) {
        variable.epoch = epoch_;
        variable.next = kOpen;
        component_variables_.push_back(load.variable);
        for (const Use& use : variable.uses) {
          visit(static_cast<std::uint32_t>(use.resource.index()));
        }
      }
    }
    found.open_left = Uint128(open_left);
  }
}

void FluidSystem::solve_rounds() {
  open_variables_ = component_variables_.size();
  open_links_ = component_links_;
  int scans = 0;
  while (open_variables_ > 0 && solver_ != Solver::heap && (solver_ == Solver::scan || scans < kScanRounds)) {
    scan_round();
    ++scans;
  }
  if (open_variables_ > 0) {
    start_heap();
    while (open_variables_ > 0) {
      heap_round();
    }
  }
}

std::int64_t FluidSystem::level_of(const Link& link) {
  return level(link.open_left, link.open_weight);
}

void FluidSystem::scan_round() {
  std::int64_t least = kHighestLevel;
  std::size_t kept = 0;
  for (const std::uint32_t index : open_links_) {
    Link& link = links_[index];
    if (link.open_weight == 0) {
      continue;
    }
    open_links_[kept++] = index;
    if (link.level_is_old) {
      link.level = level_of(link);
      link.level_is_old = false;
    }
    if (link.level < least) {
      least = link.level;
      saturated_.clear();
    }
    if (link.level == least) {
      saturated_.push_back(index);
    }
  }
  open_links_.resize(kept);
  for (const std::uint32_t index : saturated_) {
    freeze(links_[index], least);
  }
  saturated_.clear();
}

void FluidSystem::start_heap() {
  heap_.reset();
  for (const std::uint32_t index : open_links_) {
    Link& link = links_[index];
    if (link.open_weight > 0) {
      heap_.push(Rate(level_of(link)), index, 0);
    }
  }
}

/// Levels only rise from round to round, so a stored level that is out of date is too low. The least stored
/// level is that of the round as soon as one link still has it.
void FluidSystem::heap_round() {
  const Rate least = heap_.advance();
  for (const RadixHeap<Rate>::Item& item : heap_.taken()) {
    const Link& link = links_[item.slot];
    if (link.open_weight == 0) {
      continue;
    }
    const std::int64_t now = level_of(link);
    if (now > least.count()) {
      heap_.push(Rate(now), item.slot, 0);
    } else {
      saturated_.push_back(item.slot);
    }
  }
  for (const std::uint32_t index : saturated_) {
    freeze(links_[index], least.count());
  }
  saturated_.clear();
}

void FluidSystem::freeze(const Link& saturated, std::int64_t rate) {
  for (const Load& frozen : saturated.loads) {
    Variable& variable = variables_[frozen.variable];
    if (variable.next != kOpen) {
      continue;
    }
    variable.next = rate;
    --open_variables_;
    for (const Use& use : variable.uses) {
      Link& used = link(use);
      if (used.epoch == epoch_) {
        used.open_left -= Uint128(product(rate, use.weight));
        used.open_weight -= use.weight;
        used.level_is_old = true;
      }
    }
  }
}

/// Moves what is left on each link to the new rates. When a link outside the component does not stay slack,
/// takes that back, makes such links suspect, and returns false.
bool FluidSystem::keeps_slack() {
  moved_.clear();
  std::copy_if(component_variables_.begin(), component_variables_.end(), std::back_inserter(moved_),
               [&](std::uint32_t index) { return variables_[index].next != variables_[index].rate; });
  const auto add_to_left = [&](int sign) {
    for (const std::uint32_t index : moved_) {
      const Variable& variable = variables_[index];
      const Int128 rise = Int128(variable.next) - (variable.rate == kOpen ? 0 : variable.rate);
      for (const Use& use : variable.uses) {
        link(use).left += sign * rise * use.weight;
      }
    }
  };
  add_to_left(-1);
  const std::size_t suspects = suspects_.size();
  for (const std::uint32_t index : moved_) {
    for (const Use& use : variables_[index].uses) {
      Link& used = link(use);
      if (used.epoch != epoch_ && used.left < Int128(used.weight) && !used.suspect) {
        used.suspect = true;
        suspects_.push_back(static_cast<std::uint32_t>(use.resource.index()));
      }
    }
  }
  if (suspects_.size() == suspects) {
    return true;
  }
  add_to_left(+1);
  return false;
}

void FluidSystem::publish() {
  for (const std::uint32_t index : component_links_) {
    links_[index].touched = false;
  }
  for (const std::uint32_t index : moved_) {
    Variable& variable = variables_[index];
    for (const Use& use : variable.uses) {
      link(use).load +=
          load(variable.next, use.weight) - (variable.rate == kOpen ? 0 : load(variable.rate, use.weight));
    }
    change_rate(index, variable.next);
  }
}

}  // namespace makespan
