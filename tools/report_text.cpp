#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "tools/report_writer.h"
#include "tools/table.h"

namespace makespan {

namespace {

constexpr std::size_t kMaxRows = 16;

double mean_seconds(Time total, std::size_t ranks) {
  return ranks == 0 ? 0.0 : seconds(total) / static_cast<double>(ranks);
}

/// Ranks as "0-7, 16": at most a few ranges.
std::string ranks_text(const std::vector<int>& ranks) {
  constexpr int kMaxRanges = 3;
  std::string text;
  int ranges = 0;
  for (std::size_t first = 0, last = 0; first < ranks.size(); first = last) {
    last = first + 1;
    while (last < ranks.size() && ranks[last] == ranks[last - 1] + 1) {
      ++last;
    }
    if (++ranges > kMaxRanges) {
      return text + ", ...";
    }
    text += (text.empty() ? "" : ", ") + std::to_string(ranks[first]);
    text += last - first > 1 ? fmt::format("-{}", ranks[last - 1]) : "";
  }
  return text;
}

std::string headline(const Report& report) {
  std::string text = fmt::format("{}: {}, {} GPUs on {} node{}\n\n", one_line(report.scenario),
                                 report.schedule, report.gpus, report.nodes, report.nodes == 1 ? "" : "s");
  const auto line = [&text](std::string_view what, const std::string& value) {
    text += fmt::format("{:<16} {}\n", what, value);
  };
  line("iteration time", time_text(seconds(report.iteration_time)));
  if (report.tokens_per_s > 0) {  // a profile of measured stage times has neither tokens nor FLOPs
    line("tokens per s", fmt::format("{:.0f}", report.tokens_per_s));
    line("model FLOP/s",
         fmt::format("{:.1f} TFLOP/s per GPU, MFU {:.1f} %", report.model_tflops_per_gpu, 100 * report.mfu));
    line("hardware FLOP/s", fmt::format("{:.1f} TFLOP/s per GPU, HFU {:.1f} %",
                                        report.hardware_tflops_per_gpu, 100 * report.hfu));
  }
  if (report.peak_memory > Bytes(0)) {
    line("peak memory", fmt::format("{} of {}, on rank {}", bytes_text(report.peak_memory),
                                    bytes_text(report.memory_capacity), report.peak_rank));
  }
  return text;
}

std::string comparisons(const Report& report) {
  if (report.comparisons.empty()) {
    return "";
  }
  Table table{{"against what was published", "predicted", "published", "difference"}, {}};
  for (const Comparison& item : report.comparisons) {
    table.rows.push_back({item.quantity, fmt::format("{:.4g}", item.predicted),
                          fmt::format("{:.4g}", item.published),
                          fmt::format("{:+.1f} %", 100 * item.relative_error())});
  }
  return '\n' + text_table(table) + "source: " + report.comparisons.front().source + '\n';
}

std::string where_the_time_goes(const Report& report) {
  Table table{{"where the time goes", "mean over ranks", "share"}, {}};
  const auto row = [&](const std::string& what, Time total) {
    const double mean = mean_seconds(total, report.ranks.size());
    table.rows.push_back({what, time_text(mean), share_text(mean, seconds(report.iteration_time))});
  };
  Time compute;
  std::array<Time, kBubbles> bubble{};
  for (const RankReport& rank : report.ranks) {
    compute += rank.time.compute;
    for (std::size_t i = 0; i < kBubbles; ++i) {
      bubble[i] += rank.time.bubble[i];
    }
  }
  row("compute", compute);
  for (std::size_t group = 0; group < kGroups; ++group) {
    if (report.exposed_total[group] != Time(0)) {
      row(fmt::format("exposed {} communication", to_string(static_cast<Group>(group))),
          report.exposed_total[group]);
    }
  }
  for (std::size_t i = 0; i < kBubbles; ++i) {
    if (bubble[i] != Time(0)) {
      row(fmt::format("bubble: {}", to_string(static_cast<Bubble>(i))), bubble[i]);
    }
  }
  return '\n' + text_table(table);
}

std::string rank_table(const Report& report, bool every_rank) {
  Table table{{"ranks with equal results", "count", "stage rank", "compute", "exposed", "bubble", "memory"},
              {}};
  const auto row = [&](const std::vector<int>& members) {
    const RankReport& rank = report.ranks[static_cast<std::size_t>(members.front())];
    table.rows.push_back({ranks_text(members), std::to_string(members.size()),
                          std::to_string(rank.at.pipeline), time_text(seconds(rank.time.compute)),
                          time_text(seconds(rank.time.exposed_total())),
                          time_text(seconds(rank.time.bubble_total())), bytes_text(rank.memory.peak)});
  };
  if (every_rank) {
    for (const RankReport& rank : report.ranks) {
      row({rank.rank});
    }
    return '\n' + text_table(table);
  }
  for (std::size_t i = 0; i < std::min(report.classes.size(), kMaxRows); ++i) {
    row(report.classes[i].ranks);
  }
  std::string text = '\n' + text_table(table);
  if (report.classes.size() > kMaxRows) {
    text += fmt::format("and {} more kinds of ranks\n", report.classes.size() - kMaxRows);
  }
  return text;
}

std::string link_table(const Report& report) {
  if (report.links.empty()) {
    return "";
  }
  Table table{{"links", "count", "bytes", "mean use", "peak use"}, {}};
  for (const LinkClass& link : report.links) {
    table.rows.push_back({link.kind, std::to_string(link.count), bytes_text(link.bytes),
                          fmt::format("{:.1f} %", 100 * link.mean_utilisation),
                          fmt::format("{:.1f} %", 100 * link.peak_utilisation)});
  }
  return '\n' + text_table(table);
}

std::string path_table(const Report& report) {
  std::vector<std::pair<Time, std::string>> parts;
  const CriticalPath& path = report.critical_path;
  for (std::size_t i = 0; i < path.compute.size(); ++i) {
    const auto phase = static_cast<Phase>(i);
    parts.emplace_back(path.compute[i],
                       phase == Phase::none ? "other compute" : std::string(to_string(phase)));
  }
  for (std::size_t i = 0; i < path.transfer.size(); ++i) {
    parts.emplace_back(path.transfer[i], fmt::format("{} communication", to_string(static_cast<Group>(i))));
  }
  parts.emplace_back(path.idle, "idle");
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  Table table{{"critical path", "time", "share"}, {}};
  for (const auto& [time, what] : parts) {
    if (time != Time(0)) {
      table.rows.push_back(
          {what, time_text(seconds(time)), share_text(seconds(time), seconds(report.iteration_time))});
    }
  }
  return '\n' + text_table(table);
}

}  // namespace

std::string time_text(double seconds) {
  struct Unit {
    double scale;
    const char* name;
  };

  if (seconds < 0) {
    return '-' + time_text(-seconds);
  }
  static constexpr std::array<Unit, 4> kUnits = {{{1.0, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}}};
  for (const Unit& unit : kUnits) {
    const double value = seconds / unit.scale;
    if (value >= 1.0) {
      const int digits = value >= 1000 ? 0 : (value >= 100 ? 1 : (value >= 10 ? 2 : 3));
      return fmt::format("{:.{}f} {}", value, digits, unit.name);
    }
  }
  return seconds == 0.0 ? "0" : fmt::format("{:.3f} ns", seconds * 1e9);
}

std::string share_text(double part, double whole) {
  return whole > 0 ? fmt::format("{:.1f} %", 100 * part / whole) : "-";
}

std::string bytes_text(Bytes bytes) {
  static constexpr std::array<const char*, 6> kNames = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  constexpr double kStep = 1024.0;
  auto value = static_cast<double>(bytes.count());
  std::size_t unit = 0;
  for (; value >= kStep && unit + 1 < kNames.size(); ++unit) {
    value /= kStep;
  }
  return unit == 0 ? fmt::format("{} B", bytes.count()) : fmt::format("{:.2f} {}", value, kNames[unit]);
}

std::string report_text(const Report& report, bool every_rank) {
  return headline(report) + comparisons(report) + where_the_time_goes(report) +
         rank_table(report, every_rank) + link_table(report) + path_table(report) +
         fmt::format("\n{} tasks, {} of {} ranks simulated, fingerprint {:016x}, makespan {}\n", report.tasks,
                     report.simulated_ranks, report.ranks.size(), report.fingerprint, version());
}

}  // namespace makespan
