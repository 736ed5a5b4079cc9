#pragma once

#include "scenarios/machine.h"
#include "scenarios/scenario.h"

namespace makespan {

/// Applies the scenario's faults to its machine. Those that hold for the whole run change the topology, so
/// that routes avoid links that are down where there is another way. The others are capacity changes, which
/// nothing is rerouted around: a transfer over a link that is down waits until it heals.
///
/// Targets: `nic 3.2` (NIC 2 of node 3, all its ports), `node 3` (all NICs of it), `nvlink 3.2`, `pcie 3.2`
/// and `ici 3.2` (all such links of GPU 2 of node 3), `leaf 0.3` (leaf 3 of unit 0, its links to other
/// switches), each both ways; `link n3.nic2->u0.leaf2` (one way, by its name). Faults of one link multiply,
/// added latencies add up.
///
/// Throws one InputError with all targets that are not there.
void apply_faults(const Scenario& scenario, Machine& machine);

}  // namespace makespan
