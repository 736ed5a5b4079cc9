#include "scenarios/key_builders.h"
#include "scenarios/machine.h"

namespace makespan::keys {

namespace {

// Names in the order of the enumerators.
const Names kRoutingModes = {"ideal", "ecmp", "static", "adaptive"};
const Names kVertexKinds = {"gpu", "nvswitch", "pcie-switch", "host", "nic", "switch"};
const Names kLinkKinds = {"nvlink",     "pcie",  "host",   "nic", "leaf-spine",
                          "spine-core", "local", "global", "ici"};
const Names kFaultKinds = {"slow-link", "link-down"};

constexpr std::int64_t kMaxNodes = 100'000;
constexpr std::int64_t kMaxPorts = 10'000;  // of a switch, and other counts around it

/// What the enumerators from the first to `last` are called.
template <class Enum>
Names names_up_to(Enum last) {
  Names names;
  for (std::size_t i = 0; i <= static_cast<std::size_t>(last); ++i) {
    names.emplace_back(to_string(static_cast<Enum>(i)));
  }
  return names;
}

Field routing_keys(Routing& routing) {
  return section(
      "routing", "How traffic is spread over equal paths; a word stands for `kind`.",
      {
          choice("kind", routing.mode, kRoutingModes,
                 "ideal: evenly over all shortest paths. ecmp: each sub-flow on one of them by a "
                 "hash. static: by the sender's port. adaptive: ideal at 95 % of the rate, with "
                 "detours inside the groups of a dragonfly."),
          integer("subflows", routing.subflows, 1, 1024, "ecmp: sub-flows that a transfer is divided into."),
          integer("seed", routing.seed, 0, std::numeric_limits<std::int64_t>::max(),
                  "ecmp: seed of the hash."),
      },
      "kind");
}

Field dimensions_keys(std::vector<std::int64_t>& dimensions) {
  Field field = key("dimensions", &dimensions, "torus: nodes along each axis, as in [4, 4, 8].");
  field.low = 1;
  field.high = kMaxNodes;
  return field;
}

Field fabric_keys(Fabric& fabric) {
  const auto count = [](std::string name, std::int64_t& value, std::string usual, std::string doc) {
    return with_default(integer(std::move(name), value, 1, kMaxPorts, std::move(doc)), std::move(usual));
  };
  Names kinds;
  for (const FabricKind& kind : fabric_kinds()) {
    kinds.emplace_back(kind.name);
  }
  return section(
      "fabric", "The network between the nodes; a word stands for `kind`.",
      {
          word(
              "kind", fabric.kind, std::move(kinds), {},
              "rail-fat-tree: one leaf plane per NIC position, spines above. fat-tree: all NICs of a node on "
              "one leaf. star: one switch. torus: nodes joined to their neighbours, no NICs. none: one "
              "node."),
          real("oversubscription", fabric.oversubscription, 1, 64,
               "fat trees: bandwidth of the NICs below a leaf over that of its uplinks; dragonflies: of a "
               "group's NICs over that of its global links."),
          real("core_oversubscription", fabric.core_oversubscription, 1, 64,
               "fat trees of 3 tiers: bandwidth below a spine over that of its uplinks."),
          with_default(integer("unit", fabric.unit, 1, kMaxNodes,
                               "fat trees: nodes of a scalable unit, or of a rack below one leaf."),
                       "the node's; in a fat-tree with a radix, what fits below a leaf"),
          count("radix", fabric.radix, "as two tiers need", "fat trees: ports of a switch."),
          with_default(integer("tiers", fabric.tiers, 1, 3, "fat trees: tiers of switches."),
                       "as few as join all nodes"),
          count("pod", fabric.pod, "radix / 2", "fat trees of 3 tiers: leaves below one set of spines."),
          count("groups", fabric.groups, "as the nodes need", "dragonflies: groups."),
          with_default(
              integer("group_nodes", fabric.group_nodes, 1, kMaxNodes, "dragonflies: nodes of a group."),
              "the node's unit"),
          count("group_switches", fabric.group_switches, "balanced",
                "dragonflies: switches of a group that have nodes."),
          count("group_spines", fabric.group_spines, "as a leaf has uplinks",
                "dragonfly-plus: switches of a group that have none."),
          count("global_links", fabric.global_links, "balanced",
                "dragonflies: cables between every two groups."),
          with_default(
              key("link", &fabric.link, "Bandwidth of one cable between switches, or nodes of a torus."),
              "that of a NIC's port; torus: of the node's links"),
          dimensions_keys(fabric.dimensions),
          key("wrap", &fabric.wrap, "torus: whether the axes are rings."),
          routing_keys(fabric.routing),
          with_default(word("transport", fabric.transport,
                            {"infiniband", "roce", "slingshot-11", "efa", "gpudirect-tcpxo"}, {},
                            "What NCCL's network latencies depend on."),
                       "the node's"),
      },
      "kind");
}

std::vector<Field> vertex_keys(ClusterVertex& vertex) {
  return {
      required(key("name", &vertex.name, "Its name, for links and reports.")),
      required(choice("kind", vertex.kind, kVertexKinds, "What it is; switch: one of the fabric.")),
      key("node", &vertex.node, "The node that it is in; not of a switch of the fabric."),
      with_default(integer("tier", vertex.tier, 1, 3, "Of a switch: 1 leaf, 2 spine, 3 core."),
                   "by the distance from the NICs"),
  };
}

std::vector<Field> link_keys(ClusterLink& link) {
  return {
      required(key("ends", &link.ends, "The names of two vertices, as in [gpu0, switch].")),
      required(choice("kind", link.kind, kLinkKinds, "What it is; reports sum up by it.")),
      required(key("bandwidth", &link.bandwidth, "What transfers get each way, of all cables together.")),
      key("latency", &link.latency, "What it adds to a message's latency."),
      integer("cables", link.cables, 1, kMaxPorts, "Cables that it stands for."),
  };
}

Field topology_keys(GivenTopology& topology) {
  return section(
      "topology",
      "A topology that was measured or written down: of the inside of every node, of the fabric, or of the "
      "cluster. `node` gives what it does not hold.",
      {
          key("nccl_xml", &topology.nccl_xml, "Inside of a node: file that NCCL_TOPO_DUMP_FILE named."),
          key("nvidia_smi", &topology.nvidia_smi, "Inside of a node: output of `nvidia-smi topo -m`."),
          key("ibnetdiscover", &topology.ibnetdiscover, "Fabric: output of `ibnetdiscover`."),
          key("slurm", &topology.slurm, "Fabric: Slurm's topology.conf; link rates are those of the NICs."),
          section("graph", "Fabric, if it has no GPUs; else the cluster.",
                  {
                      list("vertices", "GPUs, NICs and switches.", topology.graph.vertices, vertex_keys),
                      list("links", "Connections, which carry their bandwidth each way.",
                           topology.graph.links, link_keys),
                  }),
      });
}

std::vector<Field> keys_of_fault(Fault& fault) {
  return {
      required(
          choice("kind", fault.kind, kFaultKinds,
                 "slow-link: `factor` of the capacity is left, `latency` is added. link-down: nothing is.",
                 {"slow-gpu", "gpu-down", "node-down", "jitter"})),
      required(
          key("target", &fault.target,
              "Which links: `nic 3.2` (node 3, NIC 2), `nvlink 3.2` and `pcie 3.2` (GPU 2), `node 3` (its "
              "NICs), `leaf 0.3` (uplinks of leaf 3 in unit 0), `link n3.nic2->u0.leaf2` (one way).")),
      real("factor", fault.factor, 1e-6, 1, "Share of the capacity that is left."),
      key("latency", &fault.latency, "Added to messages over the link, for the whole run."),
      with_default(key("from", &fault.from, "When it begins, from the start of the run."), "the start"),
      with_default(key("until", &fault.until, "When it is over."), "never"),
  };
}

Field pin_keys(std::string name, CollectivePin& pin, std::string doc) {
  return section(
      std::move(name), std::move(doc),
      {
          with_default(choice("algorithm", pin.algorithm, names_up_to(Algorithm::torus),
                              "ring, tree, nvls ...: how it is carried out."),
                       "the cheapest"),
          with_default(choice("protocol", pin.protocol, names_up_to(Protocol::ll128),
                              "NCCL's protocol: simple, or with flags beside the data."),
                       "the cheapest"),
          with_default(integer("channels", pin.channels, 1, 64, "Channels, which take one SM each."),
                       "NCCL's"),
          section("measured",
                  "Outputs of nccl-tests, whose times hold for collectives that have their links for "
                  "themselves; a word stands for `all_reduce`.",
                  {
                      key("all_reduce", &pin.measured.all_reduce, "Output of all_reduce_perf."),
                      key("all_gather", &pin.measured.all_gather, "Output of all_gather_perf."),
                      key("reduce_scatter", &pin.measured.reduce_scatter, "Output of reduce_scatter_perf."),
                  },
                  "all_reduce"),
      });
}

}  // namespace

Field collective_keys(Collectives& collectives) {
  return section("collectives", "How collectives are carried out, by the kind of their group.",
                 {
                     pin_keys("tp", collectives.tp, "Those of tensor-parallel groups."),
                     pin_keys("dp", collectives.dp, "Gradient reductions."),
                     pin_keys("other", collectives.other, "Tied embeddings and the norm of the gradients."),
                     unsupported("pp", "{}", "Messages between stages, which are sends."),
                     unsupported("cp", "{}", "Those of context-parallel groups."),
                     unsupported("ep", "{}", "Those of expert-parallel groups."),
                 });
}

Field cluster_keys(Cluster& cluster) {
  return required(
      section("cluster", "The machines: a mapping, or a name from the library.",
              {
                  key("name", &cluster.name, "Name in the library; a label."),
                  key("description", &cluster.description, "One line for people."),
                  required(key("node", &cluster.node, "Kind of node; see `makespan list nodes`.")),
                  with_default(integer("nodes", cluster.nodes, 1, kMaxNodes, "How many nodes."),
                               "1; those of the topology where it has the fabric"),
                  fabric_keys(cluster.fabric),
                  topology_keys(cluster.topology),
              },
              {}, "clusters"));
}

Field fault_keys(std::vector<Fault>& faults) {
  return list("faults", "Slow and broken links; those on one link add up.", faults, keys_of_fault);
}

}  // namespace makespan::keys
