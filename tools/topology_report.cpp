#include "tools/topology_report.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "network/analysis.h"
#include "tools/table.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

/// What links of one class carry, one direction.
struct LinkSum {
  double all = 0;    ///< bytes per second
  double least = 0;  ///< of a cable
  double most = 0;
};

/// Where switches are, and what they carry towards the GPUs and away from them.
struct TierSum {
  std::string name;
  std::uint64_t switches = 0;
  double down = 0;  ///< bytes per second, one direction
  double up = 0;
};

std::map<LinkKind, LinkSum> link_sums(const Topology& topology) {
  std::map<LinkKind, LinkSum> sums;
  for (std::size_t i = 0; i < topology.links().size(); i += 2) {
    const Link& link = topology.links()[i];
    const double rate = bytes_per_second(link.capacity);
    const double cable = rate / link.cables;
    const auto [entry, is_first] = sums.try_emplace(link.kind);
    LinkSum& sum = entry->second;
    sum.all += rate;
    sum.least = is_first ? cable : std::min(sum.least, cable);
    sum.most = std::max(sum.most, cable);
  }
  return sums;
}

/// By tier: what leads to NICs or lower tiers, and to higher ones. In dragonflies what leaves the groups
/// comes last, against what comes in from the NICs.
std::vector<TierSum> tier_sums(const Topology& topology, const Inventory& parts) {
  std::map<int, TierSum> tiers;
  TierSum groups{.name = "groups"};
  for (const auto& [tier, count] : parts.switches) {
    tiers[tier] = {.name = tier_name(tier), .switches = count};
  }
  for (std::size_t i = 0; i < topology.links().size(); i += 2) {
    const Link& link = topology.links()[i];
    const double rate = bytes_per_second(link.capacity);
    const Vertex& a = topology.vertex(link.from);
    const Vertex& b = topology.vertex(link.to);
    const bool is_a = a.kind == VertexKind::fabric_switch;
    const bool is_b = b.kind == VertexKind::fabric_switch;
    if (is_a != is_b) {
      tiers[is_a ? a.tier : b.tier].down += rate;
      groups.down += rate;
    } else if (is_a && a.tier != b.tier) {
      tiers[std::min(a.tier, b.tier)].up += rate;
      tiers[std::max(a.tier, b.tier)].down += rate;
    } else if (link.kind == LinkKind::global) {
      groups.up += 2 * rate;  // it leaves two groups
    }
  }
  std::vector<TierSum> sums;
  for (auto& [tier, sum] : tiers) {
    sums.push_back(std::move(sum));
  }
  if (groups.up > 0) {
    sums.push_back(std::move(groups));
  }
  return sums;
}

std::string rate(double bytes_per_s) {
  return bytes_per_s >= 1e12 ? fmt::format("{:.4g} TB/s", bytes_per_s / 1e12)
                             : fmt::format("{:.4g} GB/s", bytes_per_s / 1e9);
}

/// Whether it is a dragonfly whose groups have links of their own.
bool has_groups(const Topology& topology) {
  return std::any_of(topology.links().begin(), topology.links().end(),
                     [](const Link& link) { return link.kind == LinkKind::local; });
}

std::string routing_words(const Topology& topology) {
  const RoutingSpec& routing = topology.routing();
  switch (routing.mode) {
    case RoutingMode::ideal:
      return "ideal: evenly over all shortest paths";
    case RoutingMode::hashed:
      return fmt::format("ECMP: {} sub-flow{} by a hash, seed {}", routing.subflows,
                         routing.subflows == 1 ? "" : "s", routing.seed);
    case RoutingMode::fixed:
      return "static: by the ports";
    case RoutingMode::adaptive:
      return std::string("adaptive: evenly, at 95 % of the rate") +
             (has_groups(topology) ? ", and by detours within a group" : "");
    case RoutingMode::ordered:
      break;
  }
  return "the first of the shortest paths";
}

std::string routing_name(RoutingMode mode) {
  switch (mode) {
    case RoutingMode::ideal:
      return "ideal";
    case RoutingMode::hashed:
      return "ecmp";
    case RoutingMode::fixed:
      return "static";
    case RoutingMode::adaptive:
      return "adaptive";
    case RoutingMode::ordered:
      break;
  }
  return "ordered";
}

std::string switches_words(const Inventory& parts) {
  std::uint64_t all = 0;
  std::string list;
  for (const auto& [tier, count] : parts.switches) {
    all += count;
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", count, tier_name(tier));
  }
  return all == 0 ? "none" : fmt::format("{} ({})", all, list);
}

/// With those of a node by itself, which lead nowhere.
std::size_t nic_count(const Topology& topology) {
  const auto [begin, end] = boost::vertices(topology.graph());
  return static_cast<std::size_t>(
      std::count_if(begin, end, [&](std::size_t v) { return topology.vertex(v).kind == VertexKind::nic; }));
}

/// What the GPUs of half the nodes could send at most: through their NICs, where there are several nodes.
double half_injection(const Topology& topology) {
  double sum = 0;
  for (const Nic& nic : topology.nics()) {
    for (const Port& port : nic.ports) {
      sum += nic.node < topology.node_count() / 2 ? bytes_per_second(topology.link(port.out).capacity) : 0;
    }
  }
  return sum;
}

std::string bisection_words(const Topology& topology) {
  const double bisection = bisection_bandwidth(topology);
  const double half = topology.node_count() > 1 ? half_injection(topology) : 0;
  return rate(bisection) + (half > 0
                                ? fmt::format(" each way, {:.0f} % of what the NICs of half the nodes carry",
                                              100 * bisection / half)
                                : " each way between the halves of the GPUs");
}

std::string diameter_words(const Topology& topology, const std::string& end) {
  const Diameter longest = diameter(topology);
  std::string words =
      fmt::format("{0} link{1} from {2} to {2}", longest.gpus, longest.gpus == 1 ? "" : "s", end);
  if (longest.switches > 0) {
    words += fmt::format(", {} from switch to switch", longest.switches);
  }
  return words + (longest.connected ? "" : "; not all reach each other");
}

ordered_json vertices_json(const Topology& topology, bool has_gpus) {
  ordered_json vertices = ordered_json::array();
  for (std::size_t v = 0; v < boost::num_vertices(topology.graph()); ++v) {
    const Vertex& vertex = topology.vertex(v);
    const bool is_host = vertex.kind == VertexKind::gpu && !has_gpus;
    vertices.push_back({{"name", topology.vertex_name(v)},
                        {"kind", to_string(is_host ? VertexKind::host : vertex.kind)},
                        {"group", vertex.group},
                        {"tier", vertex.tier},
                        {"count", vertex.count}});
  }
  return vertices;
}

ordered_json links_json(const Topology& topology, bool has_rates) {
  ordered_json links = ordered_json::array();
  for (const Link& link : topology.links()) {
    links.push_back(
        {{"from", link.from},
         {"to", link.to},
         {"kind", to_string(link.kind)},
         {"bytes_per_s", has_rates ? ordered_json(bytes_per_second(link.capacity)) : ordered_json(nullptr)},
         {"latency_s", seconds(link.latency)},
         {"cables", link.cables}});
  }
  return links;
}

}  // namespace

std::string topology_text(const DescribedMachine& described, const std::string& title) {
  const Topology& topology = described.machine.topology;
  const Inventory parts = inventory(topology);
  std::string text = title + "\n\n";
  const auto line = [&text](std::string_view what, const std::string& value) {
    text += fmt::format("{:<12}{}\n", what, value);
  };
  line(described.has_gpus ? "GPUs" : "hosts", std::to_string(parts.gpus));
  line(described.has_gpus ? "nodes" : "domains", std::to_string(parts.nodes));
  line("NICs", described.has_rates ? std::to_string(nic_count(topology)) : "unknown");
  line("switches", switches_words(parts));
  line("bisection", described.has_rates ? bisection_words(topology) : "unknown: there are no rates");
  line("diameter", diameter_words(topology, described.has_gpus ? "GPU" : "host"));
  line("routing", routing_words(topology));
  Table links{{"links", "cables", "of each", "all, each way"}, {}};
  for (const auto& [kind, sum] : link_sums(topology)) {
    if (kind == LinkKind::pcie && !described.has_gpus) {
      continue;  // from a host to its own NIC
    }
    const bool is_even = sum.most - sum.least <= 0.001 * sum.most;
    const std::string each = is_even ? rate(sum.most) : rate(sum.least) + " to " + rate(sum.most);
    links.rows.push_back({std::string(to_string(kind)), std::to_string(parts.cables.at(kind)),
                          described.has_rates ? each : "-", described.has_rates ? rate(sum.all) : "-"});
  }
  text += "\n" + text_table(links);
  Table tiers{{"tier", "switches", "down", "up", "oversubscription"}, {}};
  for (const TierSum& tier : tier_sums(topology, parts)) {
    tiers.rows.push_back({tier.name, tier.switches > 0 ? std::to_string(tier.switches) : "-", rate(tier.down),
                          tier.up > 0 ? rate(tier.up) : "-",
                          tier.up > 0 ? fmt::format("{:.2f}", tier.down / tier.up) : "-"});
  }
  return text + (tiers.rows.empty() || !described.has_rates ? "" : "\n" + text_table(tiers));
}

std::string topology_json(const DescribedMachine& described, const std::string& title) {
  const Topology& topology = described.machine.topology;
  const Inventory parts = inventory(topology);
  const Diameter longest = diameter(topology);
  const auto known = [&described](double number) {
    return described.has_rates ? ordered_json(number) : ordered_json(nullptr);
  };
  ordered_json json = {
      {"schema", "makespan.topology/1"},
      {"name", title},
      {described.has_gpus ? "gpus" : "hosts", parts.gpus},
      {"nodes", parts.nodes},
      {"nics", described.has_rates ? ordered_json(nic_count(topology)) : ordered_json(nullptr)},
      {"switches", ordered_json::object()},
      {"cables", ordered_json::object()},
      {"tiers", ordered_json::array()}};
  for (const auto& [tier, count] : parts.switches) {
    json["switches"][tier_name(tier)] = count;
  }
  for (const auto& [kind, count] : parts.cables) {
    json["cables"][std::string(to_string(kind))] = count;
  }
  for (const TierSum& tier : tier_sums(topology, parts)) {
    json["tiers"].push_back(
        {{"name", tier.name},
         {"switches", tier.switches},
         {"down_bytes_per_s", known(tier.down)},
         {"up_bytes_per_s", known(tier.up)},
         {"oversubscription", tier.up > 0 ? known(tier.down / tier.up) : ordered_json(nullptr)}});
  }
  json["bisection_bytes_per_s"] = known(bisection_bandwidth(topology));
  json["diameter"] = {
      {"gpus", longest.gpus}, {"switches", longest.switches}, {"connected", longest.connected}};
  json["routing"] = {{"kind", routing_name(topology.routing().mode)},
                     {"subflows", topology.routing().subflows},
                     {"seed", topology.routing().seed}};
  json["warnings"] = described.machine.warnings;
  json["vertices"] = vertices_json(topology, described.has_gpus);
  json["links"] = links_json(topology, described.has_rates);
  return json.dump(1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace makespan
