#pragma once

#include <string>

#include "tools/topology_dump.h"

namespace makespan {

/// What people want to know of a topology: counts, links, tiers with their oversubscription, bisection,
/// diameter, routing, as far as they are known. `title` is its name.
[[nodiscard]] std::string topology_text(const DescribedMachine& described, const std::string& title);

/// The same as JSON (makespan.topology/1), with every vertex and every link. What is not known is null.
[[nodiscard]] std::string topology_json(const DescribedMachine& described, const std::string& title);

}  // namespace makespan
