#include "tools/run_trace.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <set>

#include "core/error.h"

namespace makespan {

namespace {

InputError bad_ranks(const std::string& what) {
  return {SourceLocation{}, "--trace-ranks", what, "write 'all' or a list such as 0,8,16-23"};
}

/// The number at the front of `text`, which it takes away.
int take_rank(std::string_view& text, int ranks) {
  int rank = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rank);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (error == std::errc::invalid_argument || text.front() == '-') {
    throw bad_ranks(fmt::format("'{}' does not start with a rank", text));
  }
  if (error == std::errc::result_out_of_range || rank >= ranks) {
    throw bad_ranks(fmt::format("there is no rank {}: the last is {}", text.substr(0, digits), ranks - 1));
  }
  text.remove_prefix(digits);
  return rank;
}

std::set<int> parse_ranks(std::string_view text, int ranks) {
  std::set<int> result;
  while (true) {
    const int first = take_rank(text, ranks);
    int last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      last = take_rank(text, ranks);
    }
    for (int rank = first; rank <= last; ++rank) {
      result.insert(rank);
    }
    if (last < first) {
      throw bad_ranks(fmt::format("the range {}-{} is empty", first, last));
    }
    if (text.empty()) {
      return result;
    }
    if (!text.starts_with(',')) {
      throw bad_ranks(fmt::format("'{}' is not a comma and another rank", text));
    }
    text.remove_prefix(1);
  }
}

TraceRank trace_rank(const Run& run, int number) {
  const RankReport& report = run.report.ranks[static_cast<std::size_t>(number)];
  TraceRank rank;
  rank.rank = static_cast<std::size_t>(number);
  rank.device = DeviceId(rank.rank);
  rank.name = fmt::format("rank {} (pp {}, dp {}, tp {}) node {}", number, report.at.pipeline, report.at.data,
                          report.at.tensor, report.node);
  rank.time = report.time;
  for (const auto& [at, held] :
       memory_curve(run.lowered.graph, run.timeline, run.lowered.statics, rank.device)) {
    rank.memory.push_back({at, held});
  }
  rank.peak_memory = report.memory.peak;
  return rank;
}

/// The ports of the ranks' NICs, and the trunks of the leaves behind them: not the many single cables of a
/// fabric whose switches are told apart.
std::vector<ResourceId> shown_links(const Run& run, const std::vector<int>& ranks) {
  constexpr std::size_t kMostTrunks = 4;  // both directions
  const Topology& topology = run.prepared.machine.topology;
  std::set<ResourceId> links;
  for (const int rank : ranks) {
    const Gpu& gpu = topology.gpus()[run.report.ranks[static_cast<std::size_t>(rank)].gpu];
    if (gpu.nic == kNoIndex) {
      continue;
    }
    const Nic& nic = topology.nics()[gpu.nic];
    for (const Port& port : nic.ports) {
      links.insert({port.out, port.in});
    }
    for (const std::size_t leaf : nic.switches) {
      std::set<ResourceId> trunks;
      for (auto [edge, end] = boost::out_edges(leaf, topology.graph()); edge != end; ++edge) {
        const ResourceId out(topology.graph()[*edge].link);
        if (topology.link(out).kind == LinkKind::leaf_spine) {
          trunks.insert({out, topology.reverse(out)});
        }
      }
      if (trunks.size() <= kMostTrunks) {
        links.insert(trunks.begin(), trunks.end());
      }
    }
  }
  return {links.begin(), links.end()};
}

}  // namespace

std::vector<int> select_ranks(const std::string& text, const Scenario& scenario) {
  const Layout layout(scenario);
  std::vector<int> ranks;
  if (!text.empty() && text != "all") {
    const std::set<int> chosen = parse_ranks(text, layout.ranks());
    return {chosen.begin(), chosen.end()};
  }
  for (int rank = 0; rank < layout.ranks(); ++rank) {
    const Coordinates at = layout.coordinates(rank);
    if (text == "all" || (at.tensor == 0 && at.context == 0 && at.data == 0)) {
      ranks.push_back(rank);
    }
  }
  return ranks;
}

TraceInfo trace_info(const Run& run, const std::vector<int>& ranks) {
  TraceInfo info;
  info.title = run.report.scenario;
  info.version = version();
  info.fingerprint = run.report.fingerprint;
  info.world_size = run.report.ranks.size();
  info.window = run.report.window;
  for (const int rank : ranks) {
    info.ranks.push_back(trace_rank(run, rank));
  }
  info.links = shown_links(run, ranks);
  info.metadata = {{"schedule", run.report.schedule}};
  return info;
}

}  // namespace makespan
