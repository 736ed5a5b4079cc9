// What a full max-min solve costs on a large fabric, and what one flow more or less costs beside many others.
//
// The fabric: 2048 nodes of 8 GPUs in 64 units of 32 nodes, with a leaf for each rail of a unit: 512 leaves
// of 32 NICs, each with 32 uplinks of one NIC's rate to 32 spines (a two-tier, rail-optimised fat tree
// without oversubscription). A message to another rail first goes over NVLink to the GPU of its own node on
// that rail.
//
// - aligned: each GPU sends to its own rail of the next node of a ring whose neighbours lie in different
// units.
//   Every flow crosses NIC, uplink, downlink, NIC, and NIC i of a leaf uses uplink i: no link is shared.
// - random: as many flows between random GPUs of different units, each over a random spine: 4 links on one
//   rail, 6 with NVLink.
//
// A solve starts from an empty system: all flows are added, then solved. The yardstick is measured in the
// same run: as many steps as there are flows on a binary heap (std::priority_queue) of as many 16-byte
// events, each taking the earliest and pushing one later. The same on the engine's radix heap is printed
// beside it.
//
// - beside: a component of 64 flows between 16 hosts in which flows end and start one by one, alone and
// beside
//   many flows in other components like it.
//
// Ratios are what to look at: times depend on the machine and on what else it does. Prints JSON.
//
// Usage: fluid_perf [--quick]

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <queue>
#include <set>
#include <vector>

#include "core/event_queue.h"
#include "core/fluid.h"
#include "core/random.h"

namespace {

using namespace makespan;

constexpr std::size_t kRails = 8;
constexpr std::size_t kNodesInUnit = 32;
constexpr std::size_t kSpines = 32;
constexpr Rate kNic(50'000'000'000'000);      // 50 GB/s
constexpr Rate kNvlink(450'000'000'000'000);  // 450 GB/s

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Numbers the links of the fabric; GPU g of node n on rail r is n * kRails + r.
struct Fabric {
  std::size_t units;

  [[nodiscard]] std::size_t gpus() const { return units * kNodesInUnit * kRails; }

  [[nodiscard]] std::size_t leaf(std::size_t gpu) const {
    return gpu / kRails / kNodesInUnit * kRails + gpu % kRails;
  }

  [[nodiscard]] std::vector<Resource> resources() const {
    std::vector<Resource> result(4 * gpus(), {"", NameId(0), kNic});  // as many trunks each way as NICs
    result.resize(6 * gpus(), {"", NameId(0), kNvlink});
    return result;
  }

  /// The links from one GPU to another that is in another unit.
  [[nodiscard]] std::vector<Use> route(std::size_t from, std::size_t to, std::size_t spine) const {
    const std::size_t count = gpus();
    std::vector<Use> uses;
    std::size_t sender = from;
    if (from % kRails != to % kRails) {
      sender = from / kRails * kRails + to % kRails;
      uses = {{ResourceId(4 * count + from)}, {ResourceId(5 * count + sender)}};
    }
    uses.insert(uses.begin(), {{ResourceId(sender)},
                               {ResourceId(count + to)},
                               {ResourceId(2 * count + leaf(sender) * kSpines + spine)},
                               {ResourceId(3 * count + leaf(to) * kSpines + spine)}});
    return uses;
  }

  [[nodiscard]] std::size_t unit(std::size_t gpu) const { return gpu / kRails / kNodesInUnit; }
};

using Flows = std::vector<std::vector<Use>>;

Flows aligned(const Fabric& fabric) {
  Flows flows;
  for (std::size_t gpu = 0; gpu < fabric.gpus(); ++gpu) {
    const std::size_t next = (gpu + kNodesInUnit * kRails) % fabric.gpus();
    flows.push_back(fabric.route(gpu, next, gpu / kRails % kNodesInUnit));
  }
  return flows;
}

Flows random_pairs(const Fabric& fabric) {
  Flows flows;
  Random random(7);
  while (flows.size() < fabric.gpus()) {
    const std::size_t from = random.below(fabric.gpus());
    const std::size_t to = random.below(fabric.gpus());
    if (fabric.unit(from) != fabric.unit(to)) {
      flows.push_back(fabric.route(from, to, random.below(kSpines)));
    }
  }
  return flows;
}

/// No capacity is exceeded, and every flow crosses a link on which less is left than there are flows and none
/// is faster.
bool is_max_min(const std::vector<Resource>& resources, const Flows& flows, const FluidSystem& fluid) {
  std::vector<std::int64_t> left;
  for (const Resource& resource : resources) {
    left.push_back(resource.capacity.count());
  }
  std::vector<std::int64_t> count(resources.size());
  std::vector<Rate> fastest(resources.size());
  for (std::size_t flow = 0; flow < flows.size(); ++flow) {
    const Rate rate = fluid.rate(VariableId(flow));
    for (const Use& use : flows[flow]) {
      left[use.resource.index()] -= rate.count();
      ++count[use.resource.index()];
      fastest[use.resource.index()] = std::max(fastest[use.resource.index()], rate);
    }
  }
  for (std::size_t flow = 0; flow < flows.size(); ++flow) {
    const Rate rate = fluid.rate(VariableId(flow));
    if (std::none_of(flows[flow].begin(), flows[flow].end(), [&](const Use& use) {
          const std::size_t link = use.resource.index();
          return left[link] < count[link] && fastest[link] == rate;
        })) {
      return false;
    }
  }
  return std::all_of(left.begin(), left.end(), [](std::int64_t rest) { return rest >= 0; });
}

struct Item {
  Time at;
  std::uint32_t slot;
  std::uint32_t version;

  bool operator>(const Item& other) const { return at > other.at; }
};

static_assert(sizeof(Item) == 16);

std::vector<Time> exponential_delays() {
  std::vector<Time> delays;
  Random random(1);
  for (std::size_t i = 0; i < 65'536; ++i) {
    delays.push_back(time_from_seconds(-std::log(1.0 - random.unit()) * 1e-3));
  }
  return delays;
}

/// Seconds of as many steps on a binary heap as it holds events.
double hold_on_binary_heap(std::uint32_t events, const std::vector<Time>& delays) {
  std::priority_queue<Item, std::vector<Item>, std::greater<>> queue;
  for (std::uint32_t i = 0; i < events; ++i) {
    queue.push({delays[i % delays.size()], i, 0});
  }
  const double start = cpu_seconds();
  for (std::uint32_t step = 0; step < events; ++step) {
    Item item = queue.top();
    queue.pop();
    item.at += delays[(events + step) % delays.size()];
    ++item.version;
    queue.push(item);
  }
  return cpu_seconds() - start;
}

double hold_on_radix_heap(std::uint32_t events, const std::vector<Time>& delays) {
  EventQueue queue;
  for (std::uint32_t i = 0; i < events; ++i) {
    queue.push(delays[i % delays.size()], i, 0);
  }
  const double start = cpu_seconds();
  for (std::uint32_t step = 0; step < events;) {
    const Time now = queue.advance();
    for (const EventQueue::Item& item : queue.taken()) {
      queue.push(now + delays[(events + step) % delays.size()], item.slot, item.version + 1);
      ++step;
    }
  }
  return cpu_seconds() - start;
}

/// A system in which all flows can start at once, again and again.
class FullSolve {
 public:
  FullSolve(const Fabric& fabric, Flows flows)
      : resources_(fabric.resources()), flows_(std::move(flows)), fluid_(resources_) {
    run();  // what grows has grown
    seconds_.clear();
  }

  void run() {
    const double start = cpu_seconds();
    for (std::size_t flow = 0; flow < flows_.size(); ++flow) {
      fluid_.add(VariableId(flow), flows_[flow]);
    }
    fluid_.solve();
    seconds_.push_back(cpu_seconds() - start);
    is_right_ = is_right_ && is_max_min(resources_, flows_, fluid_);
    rates_.clear();
    for (std::size_t flow = 0; flow < flows_.size(); ++flow) {
      rates_.insert(fluid_.rate(VariableId(flow)));
      fluid_.remove(VariableId(flow));
    }
    fluid_.solve();
  }

  [[nodiscard]] bool is_right() const { return is_right_; }

  [[nodiscard]] nlohmann::ordered_json result(double hold_seconds) const {
    std::size_t crossings = 0;
    for (const std::vector<Use>& uses : flows_) {
      crossings += uses.size();
    }
    return {{"flows", flows_.size()},
            {"crossings", crossings},
            {"distinct_rates", rates_.size()},
            {"solve_cpu_s", median(seconds_)},
            {"solve_per_hold", median(seconds_) / hold_seconds}};
  }

 private:
  std::vector<Resource> resources_;
  Flows flows_;
  FluidSystem fluid_;
  std::vector<double> seconds_;
  std::set<Rate> rates_;
  bool is_right_ = true;
};

/// A component of a few flows between a few hosts, beside others like it. In the first, flows end and start
/// one by one.
class Beside {
 public:
  explicit Beside(std::size_t others) : fluid_(resources(1 + others / kFlows)) {
    Random random(3);
    flows_.reserve(kFlows + others);
    while (flows_.size() < kFlows + others) {
      const std::size_t component = flows_.size() / kFlows;
      const auto host = [&] { return component * 2 * kHosts + random.below(kHosts); };
      flows_.push_back({{ResourceId(host())}, {ResourceId(host() + kHosts)}});
      fluid_.add(VariableId(flows_.size() - 1), flows_.back());
    }
    fluid_.solve();
  }

  /// Seconds for each of `events` ends and starts.
  double run(std::size_t events) {
    Random random(5);
    std::vector<VariableId> order;
    for (std::size_t i = 0; i < events / 2; ++i) {
      order.emplace_back(random.below(kFlows));
    }
    const double start = cpu_seconds();
    for (const VariableId flow : order) {
      fluid_.remove(flow);
      changes_ += fluid_.solve().size();
      fluid_.add(flow, flows_[flow.index()]);
      changes_ += fluid_.solve().size();
    }
    return (cpu_seconds() - start) / static_cast<double>(2 * order.size());
  }

  /// Rates that have changed.
  [[nodiscard]] std::size_t changes() const { return changes_; }

 private:
  static constexpr std::size_t kFlows = 64;
  static constexpr std::size_t kHosts = 16;

  static std::vector<Resource> resources(std::size_t components) {
    return std::vector<Resource>(components * 2 * kHosts, {"", NameId(0), kNic});
  }

  Flows flows_;
  FluidSystem fluid_;
  std::size_t changes_ = 0;
};

constexpr std::size_t kOthers[] = {0, 1024, 16'384, 65'536};

nlohmann::ordered_json run_beside(int repetitions, std::size_t events) {
  std::vector<Beside> systems;
  for (const std::size_t others : kOthers) {
    systems.emplace_back(others);
  }
  std::vector<std::vector<double>> seconds(systems.size());
  for (int i = 0; i < repetitions; ++i) {
    for (std::size_t k = 0; k < systems.size(); ++k) {
      seconds[k].push_back(systems[k].run(events));
    }
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (std::size_t k = 0; k < systems.size(); ++k) {
    rows.push_back({{"flows_in_other_components", kOthers[k]},
                    {"rate_changes", systems[k].changes()},
                    {"cpu_s_per_event", median(seconds[k])},
                    {"per_event_alone", median(seconds[k]) / median(seconds[0])}});
  }
  return rows;
}

int run(bool quick) {
  const Fabric fabric{64};
  const int repetitions = quick ? 3 : 15;
  FullSolve ring(fabric, aligned(fabric));
  FullSolve pairs(fabric, random_pairs(fabric));
  const auto events = static_cast<std::uint32_t>(fabric.gpus());
  const std::vector<Time> delays = exponential_delays();
  std::vector<double> binary;
  std::vector<double> radix;
  for (int i = 0; i < repetitions; ++i) {
    binary.push_back(hold_on_binary_heap(events, delays));
    radix.push_back(hold_on_radix_heap(events, delays));
    ring.run();
    pairs.run();
  }
  const nlohmann::ordered_json result = {
      {"hold_events", events},
      {"binary_heap_hold_cpu_s", median(binary)},
      {"radix_heap_hold_cpu_s", median(radix)},
      {"aligned", ring.result(median(binary))},
      {"random", pairs.result(median(binary))},
      {"beside", run_beside(quick ? 5 : 15, quick ? 4'000 : 20'000)},
  };
  std::puts(result.dump(2).c_str());
  if (!ring.is_right() || !pairs.is_right()) {
    std::fputs("fluid_perf: the rates are not max-min fair\n", stderr);
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc == 2 && std::strcmp(argv[1], "--quick") == 0;
  if (argc > 1 && !quick) {
    std::fputs("usage: fluid_perf [--quick]\n", stderr);
    return 2;
  }
  return run(quick);
}
