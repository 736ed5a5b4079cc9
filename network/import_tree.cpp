#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "network/host_list.h"
#include "network/import.h"
#include "network/import_graph.h"
#include "network/import_text.h"

namespace makespan {

namespace {

constexpr std::size_t kNone = ~std::size_t{0};

class TreeBuilder {
 public:
  explicit TreeBuilder(const SwitchTree& tree)
      : tree_(tree), parent_(tree.switches.size(), kNone), height_(tree.switches.size(), 0) {}

  GraphSpec build() {
    name_switches();
    find_parents();
    find_heights();
    add_switches();
    add_hosts();
    add_domains();
    report();
    return std::move(graph_);
  }

 private:
  void name_switches() {
    for (std::size_t s = 0; s < tree_.switches.size(); ++s) {
      const SwitchTree::Switch& entry = tree_.switches[s];
      const auto [first, is_first] = index_.emplace(entry.name, s);
      if (!is_first) {
        throw InputError(entry.where, {}, "the switch " + in_quotes(entry.name) + " is there twice",
                         "first at " + tree_.switches[first->second].where.text());
      }
    }
  }

  void find_parents() {
    std::vector<std::string_view> names;
    for (const auto& [name, index] : index_) {
      names.push_back(name);
    }
    for (std::size_t s = 0; s < tree_.switches.size(); ++s) {
      const SwitchTree::Switch& entry = tree_.switches[s];
      for (const std::string& name : entry.switches) {
        const auto child = index_.find(name);
        if (child == index_.end()) {
          const auto near = nearest(name, names);
          throw InputError(entry.where, {},
                           "there is no switch " + in_quotes(name) + " below " + in_quotes(entry.name),
                           near ? "did you mean '" + std::string(*near) + "'?"
                                : "every switch that is named has a line of its own");
        }
        std::size_t& parent = parent_[child->second];
        if (parent != kNone) {
          throw InputError(entry.where, {},
                           in_quotes(name) + " is below " + in_quotes(tree_.switches[parent].name) + " and " +
                               in_quotes(entry.name),
                           "a tree: each switch is below one other");
        }
        parent = s;
      }
    }
  }

  /// Levels above the hosts: 1 for a switch with hosts, else one more than the highest below.
  void find_heights() {
    std::vector<std::size_t> waiting(tree_.switches.size());
    std::vector<std::size_t> ready;
    for (std::size_t s = 0; s < tree_.switches.size(); ++s) {
      waiting[s] = tree_.switches[s].switches.size();
      if (waiting[s] == 0) {
        height_[s] = 1;
        ready.push_back(s);
      }
    }
    for (std::size_t i = 0; i < ready.size(); ++i) {
      const std::size_t parent = parent_[ready[i]];
      if (parent != kNone) {
        height_[parent] = std::max(height_[parent], height_[ready[i]] + 1);
        if (--waiting[parent] == 0) {
          ready.push_back(parent);
        }
      }
    }
    for (std::size_t s = 0; s < tree_.switches.size(); ++s) {
      if (waiting[s] > 0) {
        throw InputError(tree_.switches[s].where, {}, in_quotes(tree_.switches[s].name) + " is below itself",
                         "a tree: no switch leads back to itself");
      }
    }
  }

  void add_switches() {
    std::vector<std::size_t> order;
    for (std::size_t s = 0; s < tree_.switches.size(); ++s) {
      order.push_back(s);
    }
    std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
      return height_[a] != height_[b] ? height_[a] < height_[b]
                                      : natural_less(tree_.switches[a].name, tree_.switches[b].name);
    });
    std::vector<std::size_t> vertex(tree_.switches.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      vertex[order[i]] = i;
      graph_.vertices.push_back({.name = tree_.switches[order[i]].name,
                                 .kind = VertexKind::fabric_switch,
                                 .tier = height_[order[i]]});
    }
    for (const std::size_t s : order) {
      if (parent_[s] != kNone) {
        graph_.links.push_back({.a = vertex[s],
                                .b = vertex[parent_[s]],
                                .kind = height_[s] == 1 ? LinkKind::leaf_spine : LinkKind::spine_core});
      }
    }
    for (const std::size_t s : order) {
      for (const std::string& host : tree_.switches[s].hosts) {
        place(switch_of_, host, vertex[s], tree_.switches[s].where);
      }
    }
  }

  static void place(std::map<std::string, std::size_t>& where_is, const std::string& host, std::size_t vertex,
                    const SourceLocation& where) {
    if (!where_is.emplace(host, vertex).second) {
      throw InputError(where, {}, "the host " + in_quotes(host) + " is there twice",
                       "each host in one place");
    }
  }

  void add_hosts() {
    for (std::size_t d = 0; d < tree_.domains.size(); ++d) {
      for (const std::string& host : tree_.domains[d].hosts) {
        place(domain_of_, host, d, tree_.domains[d].where);
      }
    }
    std::vector<std::string> hosts;
    for (const auto* const places : {&switch_of_, &domain_of_}) {
      for (const auto& [host, place] : *places) {
        hosts.push_back(host);
      }
    }
    std::sort(hosts.begin(), hosts.end(), natural_less);
    hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
    if (hosts.empty() || hosts.size() > kMaxHosts) {
      throw InputError({tree_.file, 1, 1}, {}, counted(hosts.size(), "host"),
                       "from 1 to " + std::to_string(kMaxHosts) + " hosts");
    }
    for (const std::string& host : hosts) {
      vertex_of_[host] = graph_.vertices.size();
      graph_.vertices.push_back({.name = host, .kind = VertexKind::host, .node = host});
      if (const auto leaf = switch_of_.find(host); leaf != switch_of_.end()) {
        graph_.links.push_back({.a = leaf->second, .b = vertex_of_[host], .kind = LinkKind::nic});
      }
    }
  }

  void add_domains() {
    std::vector<const SwitchTree::Domain*> domains;
    std::set<std::string> names;
    for (const SwitchTree::Domain& domain : tree_.domains) {
      if (!names.insert(domain.name).second) {
        throw InputError(domain.where, {}, in_quotes(domain.name) + " is there twice", "each name once");
      }
      domains.push_back(&domain);
    }
    std::sort(domains.begin(), domains.end(),
              [](const auto* a, const auto* b) { return natural_less(a->name, b->name); });
    for (const SwitchTree::Domain* domain : domains) {
      const std::size_t vertex = graph_.vertices.size();
      graph_.vertices.push_back({.name = domain->name, .kind = VertexKind::nvswitch});
      for (const std::string& host : domain->hosts) {
        graph_.links.push_back({.a = vertex, .b = vertex_of_.at(host), .kind = LinkKind::nvlink});
      }
    }
  }

  void report() {
    const auto warn = [this](const std::string& sentence) {
      graph_.warnings.push_back(tree_.file + ": " + sentence);
    };
    warn("names hosts and who is joined with whom; GPUs, NICs, rates and the number of cables are not in it");
    std::vector<std::string> roots;
    for (std::size_t s = 0; s < tree_.switches.size(); ++s) {
      if (parent_[s] == kNone) {
        roots.push_back(tree_.switches[s].name);
      }
    }
    if (roots.size() > 1) {
      std::sort(roots.begin(), roots.end(), natural_less);
      warn("nothing joins the parts below these switches: " + listed(roots));
    }
    std::vector<std::string> off;
    for (const auto& [host, vertex] : vertex_of_) {
      if (!tree_.switches.empty() && !switch_of_.contains(host)) {
        off.push_back(host);
      }
    }
    if (!off.empty()) {
      warn("hosts that are below no switch: " + listed(off));
    }
    if (tree_.switches.empty()) {
      warn("says nothing about what joins its " + counted(tree_.domains.size(), "NVLink domain"));
    }
  }

  const SwitchTree& tree_;
  std::map<std::string, std::size_t> index_;  ///< switches by name
  std::vector<std::size_t> parent_;
  std::vector<int> height_;
  std::map<std::string, std::size_t> switch_of_;  ///< vertex of the switch above a host
  std::map<std::string, std::size_t> domain_of_;  ///< index
  std::map<std::string, std::size_t> vertex_of_;  ///< of a host
  GraphSpec graph_;
};

/// NICs below each vertex, over the links that lead down. Requires links from lower switches to higher ones.
std::vector<std::size_t> nics_below(const GraphSpec& graph, std::size_t nics) {
  std::vector<std::size_t> below(graph.vertices.size());
  std::vector<const GraphLink*> upwards;
  for (const GraphLink& link : graph.links) {
    if (link.kind == LinkKind::nic) {
      below[link.a] += nics;
    } else if (link.kind == LinkKind::leaf_spine || link.kind == LinkKind::spine_core) {
      upwards.push_back(&link);
    }
  }
  std::stable_sort(upwards.begin(), upwards.end(), [&](const GraphLink* x, const GraphLink* y) {
    return graph.vertices[x->a].tier < graph.vertices[y->a].tier;
  });
  for (const GraphLink* link : upwards) {
    below[link->b] += below[link->a];
  }
  return below;
}

}  // namespace

GraphSpec tree_graph(const SwitchTree& tree) {
  return TreeBuilder(tree).build();
}

GraphSpec with_nics(const GraphSpec& hosts, const NodeSpec& node, double oversubscription) {
  if (!(oversubscription >= 1.0 && oversubscription <= 1e6)) {
    throw InputError({}, {}, "oversubscription is out of range", "at least 1, at most 1e6");
  }
  const auto is_switch = [](const GraphVertex& v) { return v.kind == VertexKind::fabric_switch; };
  if (std::none_of(hosts.vertices.begin(), hosts.vertices.end(), is_switch)) {
    throw InputError({}, {}, "the topology has NVLink domains and no switches",
                     "describe what joins them by a fabric and a number of nodes");
  }
  const std::vector<std::size_t> below = nics_below(hosts, static_cast<std::size_t>(node.nics));
  GraphSpec fabric;
  fabric.warnings = hosts.warnings;
  std::vector<std::size_t> moved(hosts.vertices.size(), kNone);
  for (std::size_t v = 0; v < hosts.vertices.size(); ++v) {
    if (is_switch(hosts.vertices[v])) {
      moved[v] = fabric.vertices.size();
      fabric.vertices.push_back(hosts.vertices[v]);
    }
  }
  for (const GraphLink& link : hosts.links) {
    if (link.kind == LinkKind::leaf_spine || link.kind == LinkKind::spine_core) {
      const double cables = static_cast<double>(below[link.a]) / oversubscription;
      fabric.links.push_back({.a = moved[link.a],
                              .b = moved[link.b],
                              .kind = link.kind,
                              .bandwidth = cables * node.nic,
                              .latency_s = link.latency_s,
                              .cables = static_cast<std::uint32_t>(std::max(1.0, cables))});
    } else if (link.kind == LinkKind::nic) {
      for (int n = 0; n < node.nics; ++n) {
        const std::string& host = hosts.vertices[link.b].name;
        fabric.links.push_back(
            {.a = moved[link.a], .b = fabric.vertices.size(), .kind = LinkKind::nic, .bandwidth = node.nic});
        fabric.vertices.push_back(
            {.name = host + " nic" + std::to_string(n), .kind = VertexKind::nic, .node = host});
      }
    }
  }
  fabric.warnings.push_back("every host of the topology has the " +
                            counted(static_cast<std::size_t>(node.nics), "NIC") + " of " + node.name +
                            "; switches carry upwards what is below them" +
                            (oversubscription > 1 ? ", less the oversubscription" : ""));
  return fabric;
}

}  // namespace makespan
