#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/task_graph.h"
#include "devices/accelerator.h"
#include "network/collective.h"
#include "network/messages.h"
#include "scenarios/machine.h"
#include "scenarios/scenario.h"

namespace makespan {

/// What `collectives` pins, by group and kind of collective.
using CollectiveChoices = std::map<std::pair<Group, CollectiveKind>, CollectiveChoice>;

/// Reads the files with measured times. Throws InputError where they are broken.
[[nodiscard]] CollectiveChoices read_collectives(const Scenario& scenario);

/// Plans the communication of a scenario on its machine. All must outlive it.
class GroupPlanner {
 public:
  GroupPlanner(const Scenario& scenario, const Machine& machine, const Accelerator& accelerator,
               const CollectiveChoices& choices);

  /// `gpus` are the members in the order of ranks. Throws InputError at the key of what is pinned and cannot
  /// run on them.
  [[nodiscard]] CollectivePlan collective(Group group, CollectiveKind kind, std::span<const std::size_t> gpus,
                                          Bytes payload);

  /// The messages of a plan, where the scenario asks for them and the algorithm consists of any.
  [[nodiscard]] std::optional<Chunks> messages(CollectiveKind kind, std::span<const std::size_t> gpus,
                                               Bytes payload, const CollectivePlan& plan);

  /// Adds sentences on what the plans of such a collective do otherwise than the scenario says: times
  /// measured on another group, algorithms without messages.
  void add_warnings(Group group, CollectiveKind kind, std::span<const std::size_t> gpus,
                    std::set<std::string>& warnings);

  [[nodiscard]] TransferPlan send(std::size_t from, std::size_t to, Bytes bytes) {
    return planner_.send(from, to, bytes);
  }

 private:
  const Scenario& scenario_;
  const CollectiveChoices& choices_;
  CollectivePlanner planner_;
};

/// Plans what a scenario communicates once for every two stages and group, and throws what that throws: what
/// is pinned and impossible, GPUs that no route joins. Returns the warnings of all of it, each once.
[[nodiscard]] std::vector<std::string> check_communication(const Scenario& scenario, GroupPlanner& planner);

}  // namespace makespan
