#include "test/core/random_graph.h"

#include <set>

namespace makespan::test {

namespace {

constexpr std::int64_t kGigabyte = 1'000'000'000'000;  ///< per second, as a Rate: a byte takes 1000 ps

struct Generator {
  Random& random;
  std::size_t devices;
  std::size_t resources;
  std::vector<RouteId> routes;
  std::vector<TaskId> last_on_device;

  bool one_in(std::uint64_t n) { return random.below(n) == 0; }

  Rate capacity() {
    return one_in(4) ? Rate(random.between(1, 4 * kGigabyte)) : Rate(kGigabyte * random.between(1, 4));
  }

  Time duration() {
    if (one_in(5)) {
      return Time(0);
    }
    return one_in(4) ? Time(random.between(1, 5000)) : Time(1000 * random.between(1, 5));
  }

  Route route() {
    Route route;
    std::set<std::size_t> used;
    for (std::uint64_t hops = one_in(8) ? 0 : 1 + random.below(3); hops > 0; --hops) {
      used.insert(random.below(resources));
    }
    for (const std::size_t resource : used) {
      route.uses.push_back({ResourceId(resource), one_in(3)
                                                      ? static_cast<std::uint32_t>(random.between(1, 8192))
                                                      : Use::kUnitWeight});
    }
    std::set<std::size_t> members;
    for (std::uint64_t count = random.below(3); count > 0; --count) {
      members.insert(random.below(devices));
    }
    for (const std::size_t member : members) {
      route.members.emplace_back(member);
    }
    route.sm_ppm = one_in(2) ? 0 : static_cast<std::uint32_t>(random.between(0, 600'000));
    route.memory_ppm = one_in(2) ? 0 : static_cast<std::uint32_t>(random.between(0, 600'000));
    return route;
  }

  TaskId task(TaskGraphBuilder& builder) {
    const Label label{builder.name("work")};
    if (one_in(8)) {
      return builder.marker(label);
    }
    if (one_in(2)) {
      const Bytes amount(one_in(6) ? 0 : random.between(1, 20));
      return builder.transfer(routes[random.below(routes.size())], {amount, duration()}, label);
    }
    const std::size_t device = random.below(devices);
    const bool far = one_in(50);  // two of these in a row pass the end of time
    const ComputeWork work{far ? Time(std::int64_t{3} << 61U) : duration(), duration(), duration()};
    const TaskId id = builder.compute(DeviceId(device), work, label);
    if (!one_in(5)) {  // usually a chain, sometimes two kernels at once
      builder.edge(last_on_device[device], id);
    }
    last_on_device[device] = id;
    return id;
  }

  /// Up to three pools, each of tasks in their order; now and then two change places, which may never end
  /// well.
  void add_pools(TaskGraphBuilder& builder) {
    std::vector<Pool> pools(1 + random.below(3));
    for (std::size_t task = 0; task < builder.task_count(); ++task) {
      if (one_in(2)) {
        pools[random.below(pools.size())].tasks.emplace_back(task);
      }
    }
    for (Pool& pool : pools) {
      pool.slots = 1 + random.below(one_in(2) ? 3 : 12);
      if (pool.tasks.size() > 1 && one_in(20)) {
        std::swap(pool.tasks[random.below(pool.tasks.size())], pool.tasks[random.below(pool.tasks.size())]);
      }
      builder.pool(std::move(pool));
    }
  }
};

}  // namespace

TaskGraph random_graph(Random& random) {
  Generator generator{random, 1 + random.below(4), 1 + random.below(5), {}, {}};
  TaskGraphBuilder builder(generator.devices);
  for (std::size_t r = 0; r < generator.resources; ++r) {
    builder.resource("link " + std::to_string(r), "link",
                     generator.one_in(12) ? Rate(random.between(0, 3)) : generator.capacity());
  }
  for (std::uint64_t changes = random.below(4); changes > 0; --changes) {
    const ResourceId resource(random.below(generator.resources));
    const Time at(1000 * random.between(0, 30));
    const bool fails = generator.one_in(2);
    builder.capacity_change({at, resource, fails ? Rate(0) : generator.capacity()});
    if (fails && !generator.one_in(4)) {
      builder.capacity_change({at + generator.duration(), resource, generator.capacity()});
    }
  }
  for (std::uint64_t routes = 1 + random.below(6); routes > 0; --routes) {
    generator.routes.push_back(builder.route(generator.route()));
  }
  for (std::size_t device = 0; device < generator.devices; ++device) {
    generator.last_on_device.push_back(builder.marker({builder.name("begin")}));
  }
  for (std::uint64_t left = 5 + random.below(80); left > 0; --left) {
    const TaskId id = generator.task(builder);
    for (std::uint64_t edges = random.below(3); edges > 0; --edges) {
      const TaskId other(random.below(builder.task_count()));
      if (other < id || (other != id && generator.one_in(400))) {
        builder.edge(other, id);
      }
    }
    if (generator.one_in(800)) {
      builder.edge(id, TaskId(random.below(builder.task_count())));  // often backwards: a cycle
    }
  }
  if (generator.one_in(2)) {
    generator.add_pools(builder);
  }
  return std::move(builder).build();
}

}  // namespace makespan::test
