#include "network/collective_group.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "core/error.h"

namespace makespan {

namespace {

Island& island_of(GroupShape& shape, std::map<std::uint32_t, std::size_t>& index, std::uint32_t node) {
  const auto [at, is_new] = index.try_emplace(node, shape.islands.size());
  if (is_new) {
    shape.islands.emplace_back();
  }
  return shape.islands[at->second];
}

/// Whether all are on one NVSwitch by links that work.
bool share_nvswitch(const Topology& topology, std::span<const std::size_t> gpus) {
  const auto is_there = [&](std::size_t gpu) {
    const Gpu& member = topology.gpus()[gpu];
    return member.on_nvswitch && topology.link(member.nvlink.out).capacity > Rate(0) &&
           topology.link(member.nvlink.in).capacity > Rate(0) &&
           topology.link(member.nvlink.out).to == topology.link(topology.gpus()[gpus.front()].nvlink.out).to;
  };
  return std::all_of(gpus.begin(), gpus.end(), is_there);
}

/// The links between every two of some GPUs, numbered densely.
class Ways {
 public:
  Ways(Router& router, std::span<const std::size_t> gpus) : count_(gpus.size()) {
    std::map<ResourceId, std::size_t> number;
    for (const std::size_t from : gpus) {
      for (const std::size_t to : gpus) {
        std::vector<std::pair<std::size_t, double>> way;
        for (const Use& use : router.path(from, to).uses) {
          const auto [at, is_new] = number.try_emplace(use.resource, capacity_.size());
          if (is_new) {
            capacity_.push_back(bytes_per_second(router.topology().link(use.resource).capacity));
          }
          way.emplace_back(at->second, use.weight / 1024.0);
        }
        ways_.push_back(std::move(way));
      }
    }
  }

  [[nodiscard]] std::size_t links() const { return capacity_.size(); }

  /// Adds to `crossings` of each link those of a ring in this order of the GPUs.
  void cross(std::span<const std::size_t> order, std::vector<double>& crossings) const {
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (const auto& [link, share] : ways_[order[i] * count_ + order[(i + 1) % order.size()]]) {
        crossings[link] += share;
      }
    }
  }

  /// The rate of every ring when all are equally fast, in bytes per second.
  [[nodiscard]] double rate_of_each(std::span<const double> crossings) const {
    double rate = std::numeric_limits<double>::infinity();
    for (std::size_t link = 0; link < crossings.size(); ++link) {
      if (crossings[link] > 0) {
        rate = std::min(rate, capacity_[link] / crossings[link]);
      }
    }
    return rate;
  }

  [[nodiscard]] double squared_load(std::span<const double> crossings) const {
    double sum = 0;
    for (std::size_t link = 0; link < crossings.size(); ++link) {
      const double load = crossings[link] / capacity_[link];
      sum += load * load;
    }
    return sum;
  }

 private:
  std::size_t count_;
  std::vector<double> capacity_;
  std::vector<std::vector<std::pair<std::size_t, double>>> ways_;  ///< by from and to
};

/// The ring that goes best with those that already cross the links: by the least sum of squared loads.
std::vector<std::size_t> next_ring(const Ways& ways, std::size_t ranks, std::vector<double>& crossings) {
  std::vector<std::size_t> order(ranks);
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::size_t> best;
  std::vector<double> with_best;
  double least = std::numeric_limits<double>::infinity();
  do {
    std::vector<double> with = crossings;
    ways.cross(order, with);
    const double load = ways.squared_load(with);
    if (load < least * (1 - 1e-9)) {
      least = load;
      best = order;
      with_best = std::move(with);
    }
  } while (std::next_permutation(order.begin() + 1, order.end()));
  crossings = std::move(with_best);
  return best;
}

std::vector<std::vector<std::size_t>> searched_rings(Router& router, std::span<const std::size_t> gpus) {
  constexpr std::size_t kMostRings = 12;
  const Ways ways(router, gpus);
  std::vector<double> crossings(ways.links(), 0.0);
  std::vector<std::vector<std::size_t>> rings;
  std::size_t best = 0;
  double best_rate = 0;
  while (rings.size() < kMostRings) {
    std::vector<std::size_t> ring = next_ring(ways, gpus.size(), crossings);
    for (std::size_t& member : ring) {
      member = gpus[member];
    }
    rings.push_back(std::move(ring));
    const double together = ways.rate_of_each(crossings) * static_cast<double>(rings.size());
    if (together > best_rate * (1 + 1e-9)) {
      best_rate = together;
      best = rings.size();
    }
  }
  rings.resize(best);
  return rings;
}

bool is_complete_mesh(Router& router, std::span<const std::size_t> gpus) {
  std::optional<Rate> capacity;
  for (const std::size_t from : gpus) {
    for (const std::size_t to : gpus) {
      if (from == to) {
        continue;
      }
      const Path path = router.path(from, to);
      if (path.uses.size() != 1) {
        return false;
      }
      const Rate rate = router.topology().link(path.uses.front().resource).capacity;
      if (capacity && *capacity != rate) {
        return false;
      }
      capacity = rate;
    }
  }
  return true;
}

/// Of node `rank` in the in-order tree over `nodes`.
int parent(int rank, int nodes) {
  if (rank == 0) {
    return -1;
  }
  const int bit = rank & -rank;
  const int up = (rank ^ bit) | (bit << 1);
  return up < nodes ? up : rank ^ bit;
}

}  // namespace

std::size_t GroupShape::ranks_per_node() const {
  std::size_t most = 0;
  for (const Island& island : islands) {
    most = std::max(most, island.gpus.size());
  }
  return most;
}

std::size_t GroupShape::least_per_node() const {
  std::size_t least = ranks();
  for (const Island& island : islands) {
    least = std::min(least, island.gpus.size());
  }
  return least;
}

GroupShape group_shape(Router& router, std::span<const std::size_t> gpus) {
  const Topology& topology = router.topology();
  MAKESPAN_CHECK(std::set(gpus.begin(), gpus.end()).size() == gpus.size(), "each member once");
  GroupShape shape;
  shape.gpus.assign(gpus.begin(), gpus.end());
  std::map<std::uint32_t, std::size_t> index;
  for (const std::size_t gpu : gpus) {
    const std::uint32_t node = topology.nics().empty() ? 0 : topology.gpus()[gpu].node;
    island_of(shape, index, node).gpus.push_back(gpu);
  }
  for (Island& island : shape.islands) {
    std::map<std::uint32_t, std::size_t> first_at_nic;
    for (const std::size_t gpu : island.gpus) {
      first_at_nic.try_emplace(topology.gpus()[gpu].nic, gpu);
    }
    for (const auto& [nic, gpu] : first_at_nic) {
      island.exits.push_back(gpu);
    }
    island.inner = inner_rings(router, island.gpus);
    shape.on_nvswitch = shape.on_nvswitch && island.inner.is_switch;
    shape.is_even = shape.is_even && island.gpus.size() == shape.islands.front().gpus.size();
  }
  if (shape.islands.size() > 1) {
    shape.rings = shape.islands.front().exits.size();
    for (const Island& island : shape.islands) {
      shape.rings = std::min(shape.rings, island.exits.size());
    }
  }
  return shape;
}

InnerRings inner_rings(Router& router, std::span<const std::size_t> gpus) {
  constexpr std::size_t kMostSearched = 8;
  constexpr std::size_t kMostMesh = 64;
  InnerRings rings;
  rings.is_switch = share_nvswitch(router.topology(), gpus);
  if (rings.is_switch || gpus.size() < 2) {
    return rings;
  }
  rings.is_mesh = gpus.size() <= kMostMesh && is_complete_mesh(router, gpus);
  if (!rings.is_mesh) {
    rings.orders = gpus.size() <= kMostSearched
                       ? searched_rings(router, gpus)
                       : std::vector<std::vector<std::size_t>>{{gpus.begin(), gpus.end()}};
  }
  return rings;
}

std::pair<std::vector<int>, std::vector<int>> double_binary_tree(std::size_t nodes) {
  const int count = static_cast<int>(nodes);
  std::vector<int> first(nodes);
  std::vector<int> second(nodes);
  for (int rank = 0; rank < count; ++rank) {
    const auto at = static_cast<std::size_t>(rank);
    first[at] = parent(rank, count);
    if (count % 2 == 0) {
      const int up = parent(count - 1 - rank, count);
      second[at] = up < 0 ? -1 : count - 1 - up;
    } else {
      const int up = parent((rank - 1 + count) % count, count);
      second[at] = up < 0 ? -1 : (up + 1) % count;
    }
  }
  return {std::move(first), std::move(second)};
}

}  // namespace makespan
