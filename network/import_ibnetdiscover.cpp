#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "network/import.h"
#include "network/import_ib_records.h"
#include "network/import_rates.h"
#include "network/import_text.h"

namespace makespan {

namespace {

constexpr std::size_t kNone = ~std::size_t{0};

/// Of an adapter that is described as "HOST HCA".
struct AdapterName {
  std::string host;
  std::string full;
};

/// Empty names where the description does not name a host, as in "MT4129 ConnectX7   Mellanox Technologies".
AdapterName adapter_name(std::string_view description) {
  const std::vector<std::string_view> parts = words(description);
  const bool is_printed = std::all_of(description.begin(), description.end(),
                                      [](char c) { return c == ' ' || is_name_letter(c); });
  const bool is_model = !parts.empty() && parts[0].size() > 2 && parts[0].starts_with("MT") &&
                        parts[0].find_first_not_of("0123456789", 2) == std::string_view::npos;
  const bool is_name = !parts.empty() && parts[0] != "localhost" && parts[0] != "(none)";
  if (!is_printed || is_model || !is_name || parts.size() > 2 || description.size() > 128) {
    return {};
  }
  const std::string host(parts[0]);
  return {host, parts.size() == 2 ? host + " " + std::string(parts[1]) : host};
}

bool is_aggregation_node(const IbRecord& record) {
  return record.kind == 'H' && record.description.find("Aggregation Node") != std::string_view::npos;
}

/// "MF0;A09-P1-IBLEAF-04:MQM9701/U1" to "A09-P1-IBLEAF-04".
std::string_view short_name(std::string_view description) {
  const std::size_t start = description.find(';');
  const std::size_t end = description.find(':', start == std::string_view::npos ? 0 : start);
  return start == std::string_view::npos || end == std::string_view::npos
             ? description
             : description.substr(start + 1, end - start - 1);
}

/// All cables between two records.
struct Bundle {
  LinkKind kind = LinkKind::nic;
  double bandwidth = 0;
  std::uint32_t cables = 0;
};

class FabricBuilder {
 public:
  FabricBuilder(std::vector<IbRecord> records, const SourceText& source)
      : records_(std::move(records)), source_(source), vertex_(records_.size(), kNone) {
    for (std::size_t r = 0; r < records_.size(); ++r) {
      index_.emplace(records_[r].identifier, r);
    }
  }

  GraphSpec build() {
    sort_out();
    find_tiers();
    add_vertices();
    add_links();
    return std::move(graph_);
  }

 private:
  void warn(const std::string& sentence) { graph_.warnings.push_back(source_.file() + ": " + sentence); }

  /// Which records become vertices, and names for them.
  void sort_out() {
    std::vector<std::string> aggregation;
    std::vector<std::string> routers;
    std::vector<std::string> nameless;
    std::vector<std::string> loose;
    for (std::size_t r = 0; r < records_.size(); ++r) {
      const IbRecord& record = records_[r];
      if (record.kind == 'S') {
        switches_.push_back(r);
        continue;
      }
      AdapterName name = adapter_name(record.description);
      if (is_aggregation_node(record)) {
        aggregation.emplace_back(record.identifier);
      } else if (record.kind == 'R') {
        routers.emplace_back(record.identifier);
      } else if (record.ports.empty()) {
        loose.emplace_back(record.identifier);
      } else if (name.host.empty()) {
        nameless.push_back(place_of(record));
        beside_.push_back(r);
      } else {
        nics_.push_back(r);
        names_[r] = std::move(name);
      }
    }
    report("SHARP aggregation nodes are left out; reductions in switches are modelled by the collective",
           aggregation);
    report("routers are left out", routers);
    report("adapters without cables are left out", loose);
    report("adapters whose description does not name a host are left out", nameless);
    leave_out_shared_names();
    report_host_sizes();
    if (nics_.empty()) {
      throw InputError(source_.at(0), {}, "no channel adapter that is described as 'HOST HCA'",
                       "what ibnetdiscover prints, with node descriptions such as \"node01 mlx5_0\"");
    }
    name_switches();
  }

  /// Hosts that have an adapter twice are several hosts of one name.
  void leave_out_shared_names() {
    std::set<std::string> seen;
    std::set<std::string> shared;
    for (const std::size_t r : nics_) {
      if (!seen.insert(names_[r].full).second) {
        shared.insert(names_[r].host);
      }
    }
    std::erase_if(nics_, [&](std::size_t r) {
      const bool is_shared = shared.contains(names_[r].host);
      if (is_shared) {
        beside_.push_back(r);
      }
      return is_shared;
    });
    report("host names are left out because several hosts have them", {shared.begin(), shared.end()});
  }

  void report_host_sizes() {
    std::map<std::string, std::size_t> adapters;
    for (const std::size_t r : nics_) {
      ++adapters[names_[r].host];
    }
    std::map<std::size_t, std::size_t> hosts;
    for (const auto& [host, count] : adapters) {
      ++hosts[count];
    }
    if (hosts.size() > 1) {
      std::vector<std::string> parts;
      for (const auto& [count, number] : hosts) {
        parts.push_back(std::to_string(number) + " with " + std::to_string(count));
      }
      warn("hosts differ in their number of adapters: " + listed(parts, 16));
    }
  }

  void report(const std::string& sentence, const std::vector<std::string>& names) {
    if (!names.empty()) {
      warn(sentence + " (" + std::to_string(names.size()) + "): " + listed(names));
    }
  }

  /// "H-e09d... (on A09-P1-IBLEAF-04 port 6)".
  [[nodiscard]] std::string place_of(const IbRecord& record) const {
    const IbPort& port = record.ports.front();
    const IbRecord& peer = records_[index_.at(port.peer)];
    return std::string(record.identifier) + " (on " + printable(short_name(peer.description)) + " port " +
           std::to_string(port.peer_port) + ")";
  }

  static std::string printable(std::string_view text) {
    std::string result(text.substr(0, 128));
    std::replace_if(
        result.begin(), result.end(), [](char c) { return c != ' ' && !is_name_letter(c); }, '?');
    return result;
  }

  /// The short name where no other switch has it, else the description, else the identifier.
  void name_switches() {
    std::map<std::string, int> short_names;
    std::map<std::string, int> descriptions;
    for (const std::size_t r : switches_) {
      ++short_names[printable(short_name(records_[r].description))];
      ++descriptions[printable(records_[r].description)];
    }
    for (const std::size_t r : switches_) {
      const std::string brief = printable(short_name(records_[r].description));
      const std::string whole = printable(records_[r].description);
      names_[r].full = short_names[brief] == 1 && !brief.empty()    ? brief
                       : descriptions[whole] == 1 && !whole.empty() ? whole
                                                                    : std::string(records_[r].identifier);
    }
    const auto by_name = [this](std::size_t a, std::size_t b) {
      const AdapterName& x = names_.at(a);
      const AdapterName& y = names_.at(b);
      if (x.full != y.full) {
        return natural_less(x.full, y.full);
      }
      return records_[a].identifier < records_[b].identifier;
    };
    std::sort(switches_.begin(), switches_.end(), by_name);
    std::sort(nics_.begin(), nics_.end(), by_name);
  }

  /// 1 where adapters are, and one more per hop from there.
  void find_tiers() {
    tier_.assign(records_.size(), 0);
    std::deque<std::size_t> queue;
    for (const std::vector<std::size_t>& adapters : {nics_, beside_}) {
      for (const std::size_t r : adapters) {
        for (const IbPort& port : records_[r].ports) {
          visit(queue, index_.at(port.peer), 1);
        }
      }
    }
    while (!queue.empty()) {
      const std::size_t r = queue.front();
      queue.pop_front();
      for (const IbPort& port : records_[r].ports) {
        visit(queue, index_.at(port.peer), tier_[r] + 1);
      }
    }
    std::vector<std::string> unreached;
    std::erase_if(switches_, [&](std::size_t r) {
      if (tier_[r] == 0) {
        unreached.push_back(names_[r].full);
      }
      return tier_[r] == 0;
    });
    report("switches that lead to no adapter are left out", unreached);
  }

  void visit(std::deque<std::size_t>& queue, std::size_t record, int tier) {
    if (records_[record].kind == 'S' && tier_[record] == 0) {
      tier_[record] = tier;
      queue.push_back(record);
    }
  }

  void add_vertices() {
    for (const std::size_t r : switches_) {
      vertex_[r] = graph_.vertices.size();
      graph_.vertices.push_back(
          {.name = names_[r].full, .kind = VertexKind::fabric_switch, .tier = tier_[r]});
    }
    for (const std::size_t r : nics_) {
      vertex_[r] = graph_.vertices.size();
      graph_.vertices.push_back({.name = names_[r].full, .kind = VertexKind::nic, .node = names_[r].host});
    }
  }

  void add_links() {
    std::map<std::pair<std::size_t, std::size_t>, Bundle> bundles;  // by vertices
    std::vector<std::string> odd;
    for (std::size_t r = 0; r < records_.size(); ++r) {
      for (const IbPort& port : records_[r].ports) {
        const std::size_t peer = index_.at(port.peer);
        if (vertex_[r] == kNone || vertex_[peer] == kNone || vertex_[r] > vertex_[peer]) {
          continue;  // each cable once
        }
        if (r == peer || (records_[r].kind == 'H' && records_[peer].kind == 'H')) {
          odd.push_back(names_[r].full + " port " + std::to_string(port.number));
          continue;
        }
        Bundle& bundle = bundles[{vertex_[r], vertex_[peer]}];
        bundle.kind = kind_of(r, peer);
        bundle.bandwidth += network_rate(port.bits_per_second);
        ++bundle.cables;
        speeds_[bundle.kind][port.bits_per_second].push_back(
            names_[r].full + " port " + std::to_string(port.number) + " at " + std::string(port.speed));
      }
    }
    for (const auto& [ends, bundle] : bundles) {
      graph_.links.push_back({.a = ends.first,
                              .b = ends.second,
                              .kind = bundle.kind,
                              .bandwidth = bundle.bandwidth,
                              .cables = bundle.cables});
    }
    report("cable ends are left out that lead back to the same switch or from adapter to adapter", odd);
    report_slow_cables();
  }

  [[nodiscard]] LinkKind kind_of(std::size_t a, std::size_t b) const {
    if (records_[a].kind != 'S' || records_[b].kind != 'S') {
      return LinkKind::nic;
    }
    if (tier_[a] == tier_[b]) {
      return LinkKind::local;
    }
    return std::min(tier_[a], tier_[b]) == 1 ? LinkKind::leaf_spine : LinkKind::spine_core;
  }

  /// Cables that are slower than most of their kind: a bad cable trains down.
  void report_slow_cables() {
    for (const auto& [kind, by_speed] : speeds_) {
      const auto most = std::max_element(by_speed.begin(), by_speed.end(), [](const auto& a, const auto& b) {
        return a.second.size() < b.second.size();
      });
      std::vector<std::string> slow;
      for (auto at = by_speed.begin(); at != most; ++at) {
        slow.insert(slow.end(), at->second.begin(), at->second.end());
      }
      report(std::string(to_string(kind)) + " cables are slower than most", slow);
    }
  }

  std::vector<IbRecord> records_;
  const SourceText& source_;
  std::map<std::string_view, std::size_t> index_;  ///< records by identifier
  std::vector<std::size_t> switches_;              ///< records, by name
  std::vector<std::size_t> nics_;
  std::vector<std::size_t> beside_;  ///< adapters that are left out but show which switches are leaves
  std::map<std::size_t, AdapterName> names_;
  std::vector<int> tier_;
  std::vector<std::size_t> vertex_;  ///< of a record
  GraphSpec graph_;
  std::map<LinkKind, std::map<double, std::vector<std::string>>> speeds_;
};

}  // namespace

GraphSpec import_ibnetdiscover(std::string_view text, const std::string& file) {
  const SourceText source(text, file);
  return FabricBuilder(read_ib_records(source), source).build();
}

}  // namespace makespan
