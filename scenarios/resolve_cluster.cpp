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

/// Only values that differ from the default, as in vain_keys().
void Resolver::vain_fabric() {
  const Fabric& fabric = s_.cluster.fabric;
  const Fabric usual;
  const bool is_given = has_given_fabric(s_.cluster.topology);
  const auto vain = [&](const std::string& key, bool differs, bool has_use) {
    if (differs && is_given) {
      no_effect("cluster.fabric." + key, "the fabric is that of 'cluster.topology'");
    } else if (differs && !has_use) {
      no_effect("cluster.fabric." + key, "a fabric of kind " + fabric.kind + " has none");
    }
  };
  const bool tree = fabric.kind == "rail-fat-tree" || fabric.kind == "fat-tree";
  const bool dragonfly = fabric.kind == "dragonfly" || fabric.kind == "dragonfly-plus";
  vain("kind", fabric.kind != usual.kind, true);
  if (s_.cluster.topology.slurm.empty()) {
    vain("oversubscription", fabric.oversubscription != 1, tree || dragonfly);
  }
  vain("core_oversubscription", fabric.core_oversubscription != 1, tree);
  vain("unit", fabric.unit != 0, tree);
  vain("radix", fabric.radix != 0, tree);
  vain("tiers", fabric.tiers != 0, tree);
  vain("pod", fabric.pod != 0, tree);
  vain("groups", fabric.groups != 0, dragonfly);
  vain("group_nodes", fabric.group_nodes != 0, dragonfly);
  vain("group_switches", fabric.group_switches != 0, dragonfly);
  vain("group_spines", fabric.group_spines != 0, fabric.kind == "dragonfly-plus");
  vain("global_links", fabric.global_links != 0, dragonfly);
  vain("link", fabric.link != Rate(0), tree || dragonfly || fabric.kind == "torus");
  vain("dimensions", !fabric.dimensions.empty(), fabric.kind == "torus");
  vain("wrap", !fabric.wrap, fabric.kind == "torus");
  if (fabric.routing.mode != usual.routing.mode && !is_given && !tree && !dragonfly) {
    no_effect("cluster.fabric.routing.kind", "a fabric of kind " + fabric.kind + " has one way to go");
  }
  if (fabric.routing.mode != RoutingMode::hashed) {
    for (const auto& [key, differs] :
         {std::pair("subflows", fabric.routing.subflows != usual.routing.subflows),
          std::pair("seed", fabric.routing.seed != usual.routing.seed)}) {
      if (differs) {
        no_effect("cluster.fabric.routing." + std::string(key), "only ecmp hashes");
      }
    }
  }
  vain_oversubscription();
}

/// One scalable unit uses no uplinks.
void Resolver::vain_oversubscription() {
  const Fabric& fabric = s_.cluster.fabric;
  const bool rails = fabric.kind == "rail-fat-tree";
  if ((!rails && (fabric.kind != "fat-tree" || fabric.radix != 0)) || has_given_fabric(s_.cluster.topology)) {
    return;
  }
  const std::int64_t unit = fabric.unit > 0 ? fabric.unit : find_node(s_.cluster.node).unit;
  if (s_.cluster.nodes <= unit && fabric.oversubscription > 1) {
    no_effect("cluster.fabric.oversubscription",
              "up to " + text(unit) +
                  " nodes of this kind share their leaf switches, and no transfer leaves these");
  }
}

}  // namespace makespan
