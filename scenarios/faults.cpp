#include "scenarios/faults.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "core/text.h"
#include "scenarios/problems.h"
#include "scenarios/quantity.h"

namespace makespan {

namespace {

/// Finds the links that targets mean.
class TargetFinder {
 public:
  TargetFinder(const Scenario& scenario, const Topology& topology)
      : scenario_(scenario), topology_(topology) {}

  /// Of the fault with this index. Throws InputError at its target.
  [[nodiscard]] std::set<ResourceId> find(std::size_t fault);

 private:
  struct Numbers {
    std::size_t group = 0;  ///< node or unit
    std::size_t local = 0;
  };

  using Find = std::set<ResourceId> (TargetFinder::*)(std::string_view) const;

  /// A kind of target by its first word.
  struct Kind {
    std::string_view word;
    Find find;
  };

  static const std::array<Kind, 7> kKinds;

  [[nodiscard]] std::set<ResourceId> nic(std::string_view name) const;
  [[nodiscard]] std::set<ResourceId> node(std::string_view name) const;
  [[nodiscard]] std::set<ResourceId> leaf(std::string_view name) const;
  [[nodiscard]] std::set<ResourceId> link(std::string_view name) const;

  template <LinkKind kind>
  [[nodiscard]] std::set<ResourceId> gpu(std::string_view name) const;

  [[nodiscard]] std::set<ResourceId> around(std::size_t vertex,
                                            const std::function<bool(const Link&)>& counts) const;
  [[nodiscard]] std::vector<const Nic*> nics_of(std::size_t node) const;
  void check_node(std::size_t node) const;
  [[nodiscard]] std::size_t number(std::string_view text) const;
  [[nodiscard]] Numbers numbers(std::string_view text, const std::string& example) const;

  [[noreturn]] void refuse(const std::string& what, const std::string& hint) const {
    throw scenario_error(scenario_, key_, what, hint);
  }

  const Scenario& scenario_;
  const Topology& topology_;
  std::string key_;  ///< of the target that is looked for
};

const std::array<TargetFinder::Kind, 7> TargetFinder::kKinds = {{
    {"nic", &TargetFinder::nic},
    {"node", &TargetFinder::node},
    {"nvlink", &TargetFinder::gpu<LinkKind::nvlink>},
    {"pcie", &TargetFinder::gpu<LinkKind::pcie>},
    {"ici", &TargetFinder::gpu<LinkKind::ici>},
    {"leaf", &TargetFinder::leaf},
    {"link", &TargetFinder::link},
}};

std::set<ResourceId> TargetFinder::find(std::size_t fault) {
  key_ = "faults[" + std::to_string(fault) + "].target";
  const std::string_view text = scenario_.faults[fault].target;
  const std::string_view word = text.substr(0, text.find(' '));
  const auto kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& known) { return known.word == word; });
  if (kind == kKinds.end()) {
    std::vector<std::string_view> words;
    for (const Kind& known : kKinds) {
      words.push_back(known.word);
    }
    const std::string hint = suggestion(word, words);
    refuse("unknown target " + shown(text),
           hint + (hint.back() == '?' ? " " : "; ") + "write it as in 'nic 3.2'");
  }
  const std::size_t at = text.find_first_not_of(' ', word.size());
  return (this->*kind->find)(at == std::string_view::npos ? std::string_view() : text.substr(at));
}

std::size_t TargetFinder::number(std::string_view text) const {
  const Parsed<std::int64_t> parsed = parse_integer(text);
  if (!parsed.value || *parsed.value < 0) {
    refuse("must name a number, found " + shown(text), "count from 0");
  }
  return static_cast<std::size_t>(*parsed.value);
}

TargetFinder::Numbers TargetFinder::numbers(std::string_view text, const std::string& example) const {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) {
    refuse("must name two numbers, found " + shown(text), "write them as in '" + example + "'");
  }
  return {.group = number(text.substr(0, dot)), .local = number(text.substr(dot + 1))};
}

void TargetFinder::check_node(std::size_t node) const {
  if (node >= topology_.node_count()) {
    refuse("there is no node " + std::to_string(node),
           "nodes are numbered from 0 to " + std::to_string(topology_.node_count() - 1));
  }
}

/// The links of a vertex that count, each with the other direction.
std::set<ResourceId> TargetFinder::around(std::size_t vertex,
                                          const std::function<bool(const Link&)>& counts) const {
  std::set<ResourceId> links;
  for (auto [edge, end] = boost::out_edges(vertex, topology_.graph()); edge != end; ++edge) {
    const ResourceId id(topology_.graph()[*edge].link);
    if (counts(topology_.link(id))) {
      links.insert({id, topology_.reverse(id)});
    }
  }
  return links;
}

std::vector<const Nic*> TargetFinder::nics_of(std::size_t node) const {
  check_node(node);
  std::vector<const Nic*> nics;
  for (const Nic& nic : topology_.nics()) {
    if (nic.node == node) {
      nics.push_back(&nic);
    }
  }
  if (nics.empty()) {
    refuse("node " + std::to_string(node) + " has no NICs", "'nvlink', 'pcie' and 'ici' are inside nodes");
  }
  return nics;
}

std::set<ResourceId> TargetFinder::nic(std::string_view name) const {
  const Numbers at = numbers(name, "nic 3.2");
  const std::vector<const Nic*> nics = nics_of(at.group);
  const auto found =
      std::find_if(nics.begin(), nics.end(), [&](const Nic* nic) { return nic->local == at.local; });
  if (found == nics.end()) {
    refuse("node " + std::to_string(at.group) + " has no NIC " + std::to_string(at.local),
           "its NICs are numbered from " + std::to_string(nics.front()->local) + " to " +
               std::to_string(nics.back()->local));
  }
  return around((*found)->vertex, [](const Link& link) { return link.kind == LinkKind::nic; });
}

std::set<ResourceId> TargetFinder::node(std::string_view name) const {
  std::set<ResourceId> links;
  for (const Nic* nic : nics_of(number(name))) {
    links.merge(around(nic->vertex, [](const Link& link) { return link.kind == LinkKind::nic; }));
  }
  return links;
}

template <LinkKind kind>
std::set<ResourceId> TargetFinder::gpu(std::string_view name) const {
  const Numbers at = numbers(name, std::string(to_string(kind)) + " 3.2");
  check_node(at.group);
  const std::size_t gpus = topology_.first_gpu(at.group + 1) - topology_.first_gpu(at.group);
  if (at.local >= gpus) {
    refuse("node " + std::to_string(at.group) + " has no GPU " + std::to_string(at.local),
           "its GPUs are numbered from 0 to " + std::to_string(gpus - 1));
  }
  const Gpu& gpu = topology_.gpus()[topology_.first_gpu(at.group) + at.local];
  std::set<ResourceId> links = around(gpu.vertex, [](const Link& link) { return link.kind == kind; });
  if (links.empty()) {
    refuse("GPU " + std::to_string(at.local) + " of node " + std::to_string(at.group) +
               " has no links of kind " + std::string(to_string(kind)),
           "'makespan topology' shows what is there");
  }
  return links;
}

std::set<ResourceId> TargetFinder::leaf(std::string_view name) const {
  const Numbers at = numbers(name, "leaf 0.3");
  const Topology::Graph& graph = topology_.graph();
  std::size_t leaves = 0;
  for (std::size_t v = 0; v < boost::num_vertices(graph); ++v) {
    const Vertex& vertex = topology_.vertex(v);
    const bool is_leaf = vertex.kind == VertexKind::fabric_switch && vertex.tier <= 1;
    leaves += is_leaf ? 1 : 0;
    if (is_leaf && vertex.group == at.group && vertex.local == at.local) {
      std::set<ResourceId> links = around(
          v, [&](const Link& link) { return topology_.vertex(link.to).kind == VertexKind::fabric_switch; });
      if (links.empty()) {
        refuse("leaf " + std::string(name) + " has no links to other switches",
               "all nodes are on the leaves of one unit");
      }
      return links;
    }
  }
  refuse("there is no leaf " + std::string(name),
         leaves == 0
             ? "the fabric has no leaves"
             : "leaf 0.3 is number 3 of unit 0; there are " + std::to_string(leaves) + " leaves in all");
}

std::set<ResourceId> TargetFinder::link(std::string_view name) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < topology_.links().size(); ++i) {
    names.push_back(link_name(topology_, ResourceId(i)));
    if (names.back() == name) {
      return {ResourceId(i)};
    }
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto near = nearest(name, views);
  refuse("there is no link " + shown(name), near ? "did you mean '" + std::string(*near) + "'?"
                                                 : "links are called as in '" + names.front() + "'");
}

/// What is left of a capacity.
Rate scaled(Rate capacity, double factor) {
  if (factor <= 0) {
    return Rate(0);
  }
  const auto left = static_cast<std::int64_t>(static_cast<double>(capacity.count()) * factor);
  return std::max(Rate(1), std::min(Rate(left), capacity));
}

double factor_of(const Fault& fault) {
  return fault.kind == FaultKind::link_down ? 0.0 : fault.factor.value_or(1.0);
}

bool is_permanent(const Fault& fault) {
  return fault.from == Time(0) && fault.until == Time(0);
}

/// Adds what `faults`, each with a beginning or an end, do to the capacity of a link.
void add_changes(std::vector<CapacityChange>& changes, ResourceId link, Rate capacity,
                 const std::vector<const Fault*>& faults) {
  std::set<Time> times;
  for (const Fault* fault : faults) {
    times.insert(fault->from);
    if (fault->until > Time(0)) {
      times.insert(fault->until);
    }
  }
  Rate now = capacity;
  for (const Time time : times) {
    double factor = 1;
    for (const Fault* fault : faults) {
      const bool holds = fault->from <= time && (fault->until == Time(0) || time < fault->until);
      factor *= holds ? factor_of(*fault) : 1.0;
    }
    if (const Rate then = scaled(capacity, factor); then != now) {
      changes.push_back({.at = time, .resource = link, .capacity = then});
      now = then;
    }
  }
}

}  // namespace

void apply_faults(const Scenario& scenario, Machine& machine) {
  TargetFinder targets(scenario, machine.topology);
  std::map<ResourceId, double> permanent;
  std::map<ResourceId, std::vector<const Fault*>> temporary;
  Problems problems;
  for (std::size_t i = 0; i < scenario.faults.size(); ++i) {
    const Fault& fault = scenario.faults[i];
    try {
      for (const ResourceId link : targets.find(i)) {
        if (is_permanent(fault)) {
          permanent.try_emplace(link, 1.0).first->second *= factor_of(fault);
          machine.topology.add_latency(link, fault.latency);
        } else {
          temporary[link].push_back(&fault);
        }
      }
    } catch (const InputError& error) {
      problems.add(error);
    }
  }
  problems.throw_if_any();
  for (const auto& [link, factor] : permanent) {
    machine.topology.set_capacity(link, scaled(machine.topology.link(link).capacity, factor));
  }
  for (const auto& [link, faults] : temporary) {
    add_changes(machine.changes, link, machine.topology.link(link).capacity, faults);
  }
  std::stable_sort(machine.changes.begin(), machine.changes.end(),
                   [](const CapacityChange& a, const CapacityChange& b) { return a.at < b.at; });
}

}  // namespace makespan
