#include "scenarios/group_planner.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <tuple>

#include "network/nccl_tests_log.h"
#include "scenarios/layout.h"
#include "scenarios/reader.h"

namespace makespan {

namespace {

NcclOptions options_of(const Machine& machine, const Accelerator& accelerator) {
  NcclOptions options = nccl_options(machine.node);
  options.sms = accelerator.sms;
  options.memory_bandwidth = accelerator.memory_bandwidth;
  return options;
}

std::string key_of(Group group) {
  return "collectives." + std::string(to_string(group));
}

std::string measured_key(Group group, CollectiveKind kind) {
  std::string name(to_string(kind));
  std::replace(name.begin(), name.end(), '-', '_');
  return key_of(group) + ".measured." + name;
}

/// The collectives that the ranks of one dimension's groups take part in, tried out one by one.
class Trial {
 public:
  Trial(const Scenario& scenario, GroupPlanner& planner)
      : scenario_(scenario), planner_(planner), layout_(scenario) {}

  std::vector<std::string> run();

 private:
  void sends();
  void tensor_groups();
  void data_groups();
  void other_groups();
  void collective(Group group, CollectiveKind kind, const std::vector<std::size_t>& gpus);

  [[nodiscard]] std::size_t gpu(int tensor, int data, int pipeline) const {
    return layout_.gpu(layout_.rank({.tensor = tensor, .context = 0, .data = data, .pipeline = pipeline}));
  }

  static constexpr Bytes kPayload{1 << 20};

  const Scenario& scenario_;
  GroupPlanner& planner_;
  Layout layout_;
  std::set<std::string> warnings_;
};

void Trial::collective(Group group, CollectiveKind kind, const std::vector<std::size_t>& gpus) {
  (void)planner_.collective(group, kind, gpus, kPayload);
  planner_.add_warnings(group, kind, gpus, warnings_);
}

std::vector<std::string> Trial::run() {
  sends();
  if (!scenario_.profile) {
    tensor_groups();
    data_groups();
    other_groups();
  }
  return {warnings_.begin(), warnings_.end()};
}

/// Between neighbouring stages; those of interleaved schedules also lead from the last rank to the first.
void Trial::sends() {
  const int ranks = layout_.pipeline();
  const int hops = scenario_.schedule.chunks > 1 ? ranks : ranks - 1;
  for (int hop = 0; hop < hops; ++hop) {
    for (int data = 0; data < layout_.data(); ++data) {
      for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
        const std::size_t from = gpu(tensor, data, hop);
        const std::size_t to = gpu(tensor, data, (hop + 1) % ranks);
        (void)planner_.send(from, to, kPayload);
        (void)planner_.send(to, from, kPayload);
      }
    }
  }
}

void Trial::tensor_groups() {
  for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
    for (int data = 0; data < layout_.data(); ++data) {
      std::vector<std::size_t> gpus;
      for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
        gpus.push_back(gpu(tensor, data, pipeline));
      }
      collective(Group::tp, CollectiveKind::all_reduce, gpus);
      if (scenario_.parallelism.sequence_parallel) {
        collective(Group::tp, CollectiveKind::reduce_scatter, gpus);
      }
      if (scenario_.parallelism.sequence_parallel || scenario_.software.scatter_gather) {
        collective(Group::tp, CollectiveKind::all_gather, gpus);
      }
    }
  }
}

void Trial::data_groups() {
  for (int pipeline = 0; pipeline < layout_.pipeline(); ++pipeline) {
    for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
      std::vector<std::size_t> gpus;
      for (int data = 0; data < layout_.data(); ++data) {
        gpus.push_back(gpu(tensor, data, pipeline));
      }
      collective(Group::dp, CollectiveKind::all_reduce, gpus);
    }
  }
}

/// Tied embeddings and the norm of the gradients.
void Trial::other_groups() {
  const int last = layout_.pipeline() - 1;
  for (int data = 0; data < layout_.data(); ++data) {
    std::vector<std::size_t> gpus;
    for (int pipeline = 0; pipeline <= last; ++pipeline) {
      for (int tensor = 0; tensor < layout_.tensor(); ++tensor) {
        gpus.push_back(gpu(tensor, data, pipeline));
      }
    }
    collective(Group::other, CollectiveKind::all_reduce, gpus);
    for (int tensor = 0; tensor < layout_.tensor() && last > 0 && *scenario_.model.tied_embeddings;
         ++tensor) {
      collective(Group::other, CollectiveKind::all_reduce, {gpu(tensor, data, 0), gpu(tensor, data, last)});
    }
  }
}

}  // namespace

CollectiveChoices read_collectives(const Scenario& scenario) {
  CollectiveChoices choices;
  const Collectives& given = scenario.collectives;
  const std::array<std::pair<Group, const CollectivePin*>, 3> groups = {
      {{Group::tp, &given.tp}, {Group::dp, &given.dp}, {Group::other, &given.other}}};
  for (const auto& [group, pin] : groups) {
    const std::array<std::pair<CollectiveKind, const FilePath*>, 3> kinds = {
        {{CollectiveKind::all_reduce, &pin->measured.all_reduce},
         {CollectiveKind::all_gather, &pin->measured.all_gather},
         {CollectiveKind::reduce_scatter, &pin->measured.reduce_scatter}}};
    for (const auto& [kind, file] : kinds) {
      CollectiveChoice choice{.algorithm = pin->algorithm,
                              .protocol = pin->protocol,
                              .channels = static_cast<int>(pin->channels)};
      if (!file->empty()) {
        const std::string text = read_named_file(scenario.locations, measured_key(group, kind), *file);
        take_log(choice, parse_nccl_tests_log(text, file->path));
      }
      choices[{group, kind}] = std::move(choice);
    }
  }
  return choices;
}

GroupPlanner::GroupPlanner(const Scenario& scenario, const Machine& machine, const Accelerator& accelerator,
                           const CollectiveChoices& choices)
    : scenario_(scenario), choices_(choices), planner_(machine.topology, options_of(machine, accelerator)) {}

CollectivePlan GroupPlanner::collective(Group group, CollectiveKind kind, std::span<const std::size_t> gpus,
                                        Bytes payload) {
  const auto choice = choices_.find({group, kind});
  if (choice == choices_.end()) {
    return planner_.plan(kind, gpus, payload);
  }
  try {
    return planner_.plan(kind, gpus, payload, choice->second);
  } catch (const InputError& error) {
    // The planner names what it cannot do, as in "algorithm: ...".
    const std::string what = error.what();
    for (const std::string name : {"algorithm", "protocol", "channels"}) {
      if (what.rfind(name + ": ", 0) == 0) {
        throw scenario_error(scenario_, key_of(group) + "." + name, what.substr(name.size() + 2));
      }
    }
    throw scenario_error(scenario_, key_of(group), what);
  }
}

std::optional<Chunks> GroupPlanner::messages(CollectiveKind kind, std::span<const std::size_t> gpus,
                                             Bytes payload, const CollectivePlan& plan) {
  const bool wanted = scenario_.simulation.fidelity == "message";
  if (!wanted || plan.transfer.route.uses.empty() || !has_messages(plan.algorithm)) {
    return std::nullopt;
  }
  return expand(planner_, kind, gpus, payload, plan);
}

void GroupPlanner::add_warnings(Group group, CollectiveKind kind, std::span<const std::size_t> gpus,
                                std::set<std::string>& warnings) {
  if (gpus.size() < 2) {
    return;
  }
  std::set<std::uint32_t> nodes;
  for (const std::size_t gpu : gpus) {
    nodes.insert(planner_.router().topology().gpus()[gpu].node);
  }
  if (const auto choice = choices_.find({group, kind}); choice != choices_.end()) {
    const std::string mismatch = measured_mismatch(choice->second, gpus.size(), nodes.size());
    if (!mismatch.empty()) {
      warnings.insert(scenario_error(scenario_, measured_key(group, kind), mismatch).what());
    }
  }
  // What is cheapest depends on how much there is to send.
  for (int log = 10; log <= 34 && scenario_.simulation.fidelity == "message"; log += 2) {
    const Algorithm algorithm = collective(group, kind, gpus, Bytes(std::int64_t{1} << log)).algorithm;
    if (!has_messages(algorithm)) {
      const std::string what = "where " + std::string(to_string(kind)) + " runs as " +
                               std::string(to_string(algorithm)) +
                               ", it stays one transfer: it has no messages";
      warnings.insert(scenario_error(scenario_, "simulation.fidelity", what).what());
    }
  }
}

std::vector<std::string> check_communication(const Scenario& scenario, GroupPlanner& planner) {
  return Trial(scenario, planner).run();
}

}  // namespace makespan
