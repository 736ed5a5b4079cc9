#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text.h"
#include "devices/accelerator.h"
#include "scenarios/machine.h"
#include "scenarios/resolver.h"

namespace makespan {

/// Every part of the cluster that can be refused without building it.
void Resolver::cluster() {
  Cluster& cluster = s_.cluster;
  std::vector<std::string_view> names;
  for (const NodeSpec& spec : node_specs()) {
    names.push_back(spec.name);
  }
  if (std::find(names.begin(), names.end(), cluster.node) == names.end()) {
    complain("cluster.node", "unknown node " + shown(cluster.node), suggestion(cluster.node, names));
    return;
  }
  accelerator();
  try {
    const MachineSize size = machine_size(cluster);
    cluster.nodes = size.nodes;
    gpus_ = size.gpus;
  } catch (const InputError& error) {
    problems_.add(error);
    return;
  }
  if (gpus_ > kMaxClusterGpus) {
    complain("cluster.nodes",
             text(gpus_) + " GPUs are more than the " + text(kMaxClusterGpus) + " that can be simulated");
  }
}

/// A topology can have GPUs of any kind, a run only those with a data sheet.
void Resolver::accelerator() {
  const std::string& name = find_node(s_.cluster.node).accelerator;
  const std::vector<Accelerator>& known = accelerators();
  if (std::none_of(known.begin(), known.end(), [&](const Accelerator& a) { return a.name == name; })) {
    complain(
        "cluster.node",
        s_.cluster.node + " has the accelerator " + shown(name) + ", of which this version has no data sheet",
        "'makespan topology' and 'makespan collective' need none; for runs see 'makespan list "
        "accelerators'");
  }
}

/// What a fault says about itself; its target is looked for in the cluster (scenarios/faults.h).
void Resolver::faults() {
  for (std::size_t i = 0; i < s_.faults.size(); ++i) {
    const Fault& fault = s_.faults[i];
    const std::string root = "faults[" + std::to_string(i) + "]";
    const bool is_down = fault.kind == FaultKind::link_down;
    const bool is_slower = fault.factor.has_value() || fault.latency > Time(0);
    if (is_down && is_slower) {
      complain(root + (fault.factor ? ".factor" : ".latency"), "means nothing for a link that is down",
               "remove it, or write kind: slow-link");
    } else if (!is_down && !is_slower) {
      complain(root, "changes nothing", "give 'factor' or 'latency'");
    }
    if (fault.until > Time(0) && fault.until <= fault.from) {
      complain(root + ".until", "is not after 'from'", "both count from the start of the run");
    }
    if (fault.latency > Time(0) && (fault.from > Time(0) || fault.until > Time(0))) {
      complain(root + ".latency", "can be added for the whole run only", "remove 'from' and 'until'");
    }
  }
}

}  // namespace makespan
