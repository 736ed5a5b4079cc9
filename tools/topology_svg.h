#pragma once

#include <string>

#include "tools/topology_dump.h"

namespace makespan {

/// A drawing of a topology: tiers of switches as rows above units, nodes and what is inside them, links as
/// wide as their bandwidth, one colour for each class of links. Large clusters are drawn by representatives
/// with counts.
[[nodiscard]] std::string topology_svg(const DescribedMachine& described, const std::string& title);

}  // namespace makespan
