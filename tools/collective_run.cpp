#include "tools/collective_run.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "network/messages.h"

namespace makespan {

namespace {

constexpr std::array<TestType, 7> kTypes = {{
    {TestKind::all_reduce, "all-reduce", "sum", -1, false},
    {TestKind::all_gather, "all-gather", "none", -1, true},
    {TestKind::reduce_scatter, "reduce-scatter", "sum", -1, true},
    {TestKind::all_to_all, "all-to-all", "none", -1, true},
    {TestKind::broadcast, "broadcast", "none", 0, false},
    {TestKind::reduce, "reduce", "sum", 0, false},
    {TestKind::send, "send", "none", -1, false},
}};

CollectiveKind collective_kind(TestKind kind) {
  switch (kind) {
    case TestKind::all_reduce:
      return CollectiveKind::all_reduce;
    case TestKind::all_gather:
      return CollectiveKind::all_gather;
    case TestKind::reduce_scatter:
      return CollectiveKind::reduce_scatter;
    case TestKind::broadcast:
      return CollectiveKind::broadcast;
    case TestKind::reduce:
      return CollectiveKind::reduce;
    case TestKind::all_to_all:
    case TestKind::send:
      break;
  }
  return CollectiveKind::all_to_all;
}

/// What an operation consists of; all of it starts at once.
struct Plans {
  std::vector<TransferPlan> transfers;
  std::vector<Chunks> chunks;
  std::optional<CollectivePlan> first;

  /// When all of it has begun to move bytes.
  [[nodiscard]] Time latency() const {
    Time most;
    for (const TransferPlan& transfer : transfers) {
      most = std::max(most, transfer.work.latency);
    }
    for (const Chunks& chunk : chunks) {
      for (const Chunks::Hop& hop : chunk.hops) {
        most = std::max(most, chunk.base + hop.latency);
      }
    }
    return most;
  }
};

Plans plan(CollectivePlanner& planner, const Operation& operation, Fidelity fidelity) {
  Plans plans;
  for (const auto& [from, to] : operation.sends) {
    plans.transfers.push_back(planner.send(from, to, operation.payload));
  }
  for (const std::vector<std::size_t>& gpus : operation.groups) {
    const bool is_even = operation.matrix.empty();
    const CollectiveKind kind = collective_kind(operation.kind);
    CollectivePlan collective = is_even ? planner.plan(kind, gpus, operation.payload, operation.choice)
                                        : planner.all_to_all(gpus, operation.matrix, operation.choice);
    if (is_even && fidelity == Fidelity::message) {
      plans.chunks.push_back(expand(planner, kind, gpus, operation.payload, collective));
    } else {
      plans.transfers.push_back(collective.transfer);
    }
    if (!plans.first) {
      plans.first = std::move(collective);
    }
  }
  return plans;
}

/// A graph of transfers over those links of a topology that they cross.
class Traffic {
 public:
  explicit Traffic(const Topology& topology) : topology_(topology), builder_(topology.gpu_count()) {}

  /// Adds transfers that start together, after `before` if there is one; returns what ends with the last.
  TaskId add(const Plans& plans, const std::optional<TaskId>& before) {
    const TaskId done = builder_.marker(label("done"));
    for (const TransferPlan& transfer : plans.transfers) {
      const TaskId task =
          builder_.transfer(builder_.route(local(transfer.route)), transfer.work, label("transfer"));
      if (before) {
        builder_.edge(*before, task);
      }
      builder_.edge(task, done);
    }
    for (Chunks chunks : plans.chunks) {
      for (Chunks::Hop& hop : chunks.hops) {
        hop.route = local(std::move(hop.route));
      }
      const ChunkTasks tasks = makespan::add(builder_, chunks, label("message"));
      if (before) {
        builder_.edge(*before, tasks.first);
      }
      builder_.edge(tasks.last, done);
    }
    return done;
  }

  /// Something that ends after `time`.
  TaskId wait(Time time) { return builder_.transfer(builder_.route({}), {Bytes(0), time}, label("wait")); }

  [[nodiscard]] Timeline simulate(const SimulationOptions& options) && {
    return makespan::simulate(std::move(builder_).build(), options);
  }

 private:
  Label label(const char* name) { return {builder_.name(name), Phase::none, Group::other, -1, -1, -1, -1}; }

  /// The route with its links numbered as the graph numbers them.
  Route local(Route route) {
    for (Use& use : route.uses) {
      const auto [entry, is_first] = resources_.try_emplace(use.resource);
      if (is_first) {
        const Link& link = topology_.link(use.resource);
        entry->second =
            builder_.resource(link_name(topology_, use.resource), to_string(link.kind), link.capacity);
      }
      use.resource = entry->second;
    }
    std::sort(route.uses.begin(), route.uses.end());
    return route;
  }

  const Topology& topology_;
  TaskGraphBuilder builder_;
  std::map<ResourceId, ResourceId> resources_;
};

/// Adds the background: each operation `repeats` times in a row. Returns what ends with the last of each.
std::vector<TaskId> add_background(Traffic& traffic, const std::vector<Plans>& background,
                                   std::span<const std::int64_t> repeats) {
  std::vector<TaskId> ends;
  for (std::size_t i = 0; i < background.size(); ++i) {
    std::optional<TaskId> before;
    for (std::int64_t n = 0; n < repeats[i]; ++n) {
      before = traffic.add(background[i], before);
    }
    ends.push_back(*before);
  }
  return ends;
}

}  // namespace

std::string plain_name(std::string_view name) {
  constexpr std::string_view kProgram = "_perf";
  if (name.ends_with(kProgram)) {
    name.remove_suffix(kProgram.size());
  }
  std::string plain;
  for (const char c : name) {
    if (c != '-' && c != '_') {
      plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return plain == "sendrecv" ? "send" : plain;
}

const TestType& test_type(TestKind kind) {
  return kTypes[static_cast<std::size_t>(kind)];
}

const TestType& find_test_type(std::string_view name) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&](const TestType& type) {
    return plain_name(type.name) == plain_name(name);
  });
  if (found == kTypes.end()) {
    std::vector<std::string_view> names;
    for (const TestType& type : kTypes) {
      names.push_back(type.name);
    }
    throw InputError({}, {}, "there is no collective '" + std::string(name) + "'", suggestion(name, names));
  }
  return *found;
}

double bus_factor(TestKind kind, std::size_t ranks) {
  const auto n = static_cast<double>(ranks);
  if (kind == TestKind::all_reduce) {
    return 2 * (n - 1) / n;
  }
  return test_type(kind).is_sharded ? (n - 1) / n : 1;
}

Bytes tested_size(TestKind kind, std::size_t ranks, Bytes size) {
  const std::int64_t unit =
      kElementBytes * (test_type(kind).is_sharded ? static_cast<std::int64_t>(ranks) : 1);
  return Bytes(size.count() / unit * unit);
}

std::vector<std::pair<std::size_t, std::size_t>> send_to_next(
    std::span<const std::vector<std::size_t>> groups) {
  std::vector<std::pair<std::size_t, std::size_t>> sends;
  for (const std::vector<std::size_t>& gpus : groups) {
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      sends.emplace_back(gpus[i], gpus[(i + 1) % gpus.size()]);
    }
  }
  return sends;
}

CollectiveRunner::CollectiveRunner(const Topology& topology, const NcclOptions& options, Fidelity fidelity)
    : topology_(topology), planner_(topology, options), fidelity_(fidelity) {}

OperationResult CollectiveRunner::run(const Operation& operation, std::span<const Operation> background,
                                      const SimulationOptions& options) {
  constexpr std::int64_t kMostRepeats = 1'000'000;
  const Plans measured = plan(planner_, operation, fidelity_);
  std::vector<Plans> others;
  Time start;
  for (const Operation& other : background) {
    others.push_back(plan(planner_, other, fidelity_));
    start = std::max(start, others.back().latency());
  }
  std::vector<std::int64_t> repeats(others.size(), 1);
  while (true) {
    Traffic traffic(topology_);
    const std::vector<TaskId> ends = add_background(traffic, others, repeats);
    const TaskId begin = traffic.wait(start);
    const TaskId end = traffic.add(measured, begin);
    const Timeline timeline = std::move(traffic).simulate(options);
    const Time stop = timeline.end[end.index()];
    bool is_enough = true;
    for (std::size_t i = 0; i < others.size(); ++i) {
      const Time ended = timeline.end[ends[i].index()];
      if (ended >= stop) {
        continue;
      }
      is_enough = false;
      repeats[i] *= 2;
      if (ended == Time(0) || repeats[i] > kMostRepeats) {
        throw InputError({}, "--background",
                         "would repeat more than " + std::to_string(kMostRepeats) + " times",
                         "let it move more bytes");
      }
    }
    if (is_enough) {
      return {stop - start, measured.first};
    }
  }
}

}  // namespace makespan
