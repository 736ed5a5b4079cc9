#pragma once

#include <span>
#include <vector>

#include "core/task_graph.h"
#include "core/units.h"

namespace makespan::oracle {

/// Max-min fair rates straight from the definition in core/fluid.h, every sum taken afresh in every round.
/// `capacities` is indexed by ResourceId, `variables` holds the uses of each variable (at least one each);
/// the result has one rate for each variable.
[[nodiscard]] std::vector<Rate> max_min(std::span<const Rate> capacities,
                                        std::span<const std::vector<Use>> variables);

}  // namespace makespan::oracle
