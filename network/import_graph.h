#pragma once

#include <string>
#include <vector>

#include "network/graph_spec.h"

namespace makespan {

/// Leaves out the NICs of a node that no GPU is nearest to over PCIe and the sockets, with a warning that
/// names them, and then the PCIe switches and sockets that lead nowhere. Does nothing where no GPU reaches a
/// NIC.
void leave_out_far_nics(GraphSpec& graph, const std::string& file);

/// Removes the vertices that `drop` marks, with their links.
void remove_vertices(GraphSpec& graph, const std::vector<bool>& drop);

}  // namespace makespan
