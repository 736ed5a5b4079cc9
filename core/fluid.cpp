#include "core/fluid.h"

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace makespan {

namespace {

constexpr std::int64_t kHighestLevel = std::numeric_limits<std::int64_t>::max();
/// A scan costs one look at each open link a round, a heap costs its building: after this many rounds it
/// pays.
constexpr int kScanRounds = 8;

std::int64_t level(Uint128 left, std::uint64_t weight) {
  const Uint128 exact = floor_div(left, weight);
  return exact > Uint128(kHighestLevel) ? kHighestLevel : static_cast<std::int64_t>(exact);
}

Uint128 scaled(Rate capacity) {
  return Uint128(static_cast<std::uint64_t>(capacity.count())) * Use::kUnitWeight;
}

Uint128 product(std::int64_t rate, std::uint32_t weight) {
  return Uint128(static_cast<std::uint64_t>(rate)) * weight;
}

std::int64_t load(Uint128 rate_times_weight) {
  return static_cast<std::int64_t>(rate_times_weight / Use::kUnitWeight);
}

}  // namespace

FluidSystem::FluidSystem(std::span<const Resource> resources, Solver solver)
    : solver_(solver), links_(resources.size()) {
  for (std::size_t i = 0; i < resources.size(); ++i) {
    MAKESPAN_CHECK(resources[i].capacity >= Rate(0), "a negative capacity");
    links_[i].capacity = resources[i].capacity;
  }
}

void FluidSystem::touch(std::uint32_t link) {
  if (!links_[link].touched) {
    links_[link].touched = true;
    touched_.push_back(link);
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
  variable.rate = Rate(kOpen);
  for (const Use& use : uses) {
    const auto index = static_cast<std::uint32_t>(use.resource.index());
    Link& link = links_[index];
    link.loads.push_back({static_cast<std::uint32_t>(id.index()), use.weight});
    link.weight += use.weight;
    touch(index);
  }
}

void FluidSystem::remove(VariableId id) {
  Variable& variable = variables_[id.index()];
  MAKESPAN_CHECK(!variable.uses.empty(), "the variable is not present");
  for (const Use& use : variable.uses) {
    const auto index = static_cast<std::uint32_t>(use.resource.index());
    Link& link = links_[index];
    auto load = link.loads.begin();
    while (load->variable != id.index()) {
      ++load;
    }
    *load = link.loads.back();
    link.loads.pop_back();
    link.weight -= use.weight;
    touch(index);
  }
  variable.uses = {};
}

void FluidSystem::set_capacity(ResourceId resource, Rate capacity) {
  MAKESPAN_CHECK(capacity >= Rate(0), "a negative capacity");
  links_[resource.index()].capacity = capacity;
  touch(static_cast<std::uint32_t>(resource.index()));
}

bool FluidSystem::starved(ResourceId resource) const {
  const Link& link = links_[resource.index()];
  return scaled(link.capacity) < link.weight;
}

std::span<const VariableId> FluidSystem::solve() {
  changed_.clear();
  ++epoch_;
  for (const std::uint32_t link : touched_) {
    links_[link].touched = false;
    if (links_[link].epoch == epoch_ || links_[link].loads.empty()) {
      continue;
    }
    collect_component(link);
    if (component_variables_.size() == 1) {
      solve_alone(component_variables_.front());
    } else {
      solve_component();
    }
    publish();
  }
  touched_.clear();
  return changed_;
}

void FluidSystem::visit(std::uint32_t index) {
  if (links_[index].epoch != epoch_) {
    links_[index].epoch = epoch_;
    component_links_.push_back(index);
  }
}

/// Everything that is connected to the link through shared links. The list of links found is its own queue.
void FluidSystem::collect_component(std::uint32_t first) {
  component_links_.clear();
  component_variables_.clear();
  visit(first);
  for (std::size_t i = 0; i < component_links_.size(); ++i) {
    for (const Load& load : links_[component_links_[i]].loads) {
      Variable& variable = variables_[load.variable];
      if (variable.epoch == epoch_) {
        continue;
      }
      variable.epoch = epoch_;
      component_variables_.push_back(load.variable);
      for (const Use& use : variable.uses) {
        visit(static_cast<std::uint32_t>(use.resource.index()));
      }
    }
  }
}

/// A variable that shares nothing takes what its narrowest link gives.
void FluidSystem::solve_alone(std::uint32_t index) {
  Variable& variable = variables_[index];
  std::int64_t least = kHighestLevel;
  for (const Use& use : variable.uses) {
    const Rate capacity = links_[use.resource.index()].capacity;
    least = std::min(least,
                     use.weight == Use::kUnitWeight ? capacity.count() : level(scaled(capacity), use.weight));
  }
  variable.next = least;
  for (const Use& use : variable.uses) {
    links_[use.resource.index()].load = load(product(least, use.weight));
  }
}

void FluidSystem::solve_component() {
  for (const std::uint32_t index : component_links_) {
    Link& link = links_[index];
    link.left = scaled(link.capacity);
    link.open_weight = link.weight;
    link.level_is_old = true;
    link.load = 0;
  }
  for (const std::uint32_t variable : component_variables_) {
    variables_[variable].next = kOpen;
  }
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
  return level(link.left, link.open_weight);
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
      Link& link = links_[use.resource.index()];
      const Uint128 taken = product(rate, use.weight);
      link.left -= taken;
      link.open_weight -= use.weight;
      link.load += load(taken);
      link.level_is_old = true;
    }
  }
}

void FluidSystem::publish() {
  for (const std::uint32_t index : component_links_) {
    Link& link = links_[index];
    link.peak = std::max(link.peak, Rate(link.load));
  }
  for (const std::uint32_t index : component_variables_) {
    Variable& variable = variables_[index];
    if (variable.rate.count() != variable.next) {
      variable.rate = Rate(variable.next);
      changed_.emplace_back(index);
    }
  }
}

}  // namespace makespan
