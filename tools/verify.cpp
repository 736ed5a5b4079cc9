#include "tools/verify.h"

#include <algorithm>
#include <array>
#include <cmath>  // llround
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "tools/intervals.h"
#include "tools/verify_pipeline.h"

namespace makespan {

namespace {

constexpr std::size_t kMaxSentences = 20;
constexpr std::size_t kFingerprintDigits = 16;

/// a + b, or the largest number when that is out of range, for sums of what a hostile trace claims. Requires
/// a, b >= 0.
std::int64_t add_clamped(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::int64_t>::max() : sum;
}

/// "12.345678 us": all six decimals, as in the trace.
std::string time_text(std::int64_t picoseconds) {
  constexpr std::int64_t kMicrosecond = 1'000'000;
  const std::string rest = std::to_string(std::abs(picoseconds % kMicrosecond));
  return (picoseconds < 0 ? "-" : "") + std::to_string(std::abs(picoseconds / kMicrosecond)) + '.' +
         std::string(6 - rest.size(), '0') + rest + " us";
}

/// What the trace says of one rank.
struct RankClaim {
  std::int64_t rank = -1;
  std::int64_t compute = -1;
  std::int64_t bubble = -1;
  std::map<std::string, std::int64_t> exposed;
  std::int64_t peak_memory = -1;
};

bool is_known(const RankClaim& rank) {
  return rank.compute >= 0 && rank.bubble >= 0 &&
         std::all_of(rank.exposed.begin(), rank.exposed.end(),
                     [](const auto& one) { return one.second >= 0; });
}

class Verifier {
 public:
  explicit Verifier(const TraceDocument& trace) : trace_(trace) {}

  Verdict run() && {
    for (const std::string& problem : trace_.problems) {
      violated("The structure is wrong: " + problem + '.');
    }
    read_claims();
    check_events();
    check_threads();
    check_pipeline({.computes = computes_,
                    .transfers = transfers_,
                    .describe = [this](const TraceEvent& slice) { return describe(slice); },
                    .who = [this](std::int64_t pid) { return who(pid); },
                    .violated = [this](std::string sentence) { violated(std::move(sentence)); }});
    check_arrows();
    check_transfers();
    check_links();
    check_memory();
    check_sums();
    return std::move(verdict_);
  }

 private:
  void violated(std::string sentence) {
    ++verdict_.violations;
    if (verdict_.sentences.size() < kMaxSentences) {
      verdict_.sentences.push_back(std::move(sentence));
    }
  }

  [[nodiscard]] std::string who(std::int64_t pid) const {
    const auto found = ranks_.find(pid);
    return found == ranks_.end() ? "process " + std::to_string(pid)
                                 : "rank " + std::to_string(found->second.rank);
  }

  /// "slice 'attention forward' of rank 3 (stage 1, micro-batch 4) at 12.345678 us".
  [[nodiscard]] std::string describe(const TraceEvent& event) const {
    std::string text = "slice '" + std::string(event.name) + "' of " + who(event.pid);
    std::string where;
    for (const auto& [what, number] :
         {std::pair{"stage", event.stage}, std::pair{"micro-batch", event.microbatch},
          std::pair{"layer", event.layer}}) {
      if (number >= 0) {
        where += (where.empty() ? "" : ", ") + std::string(what) + ' ' + std::to_string(number);
      }
    }
    return text + (where.empty() ? "" : " (" + where + ")") + " at " + time_text(event.at.value_or(0));
  }

  std::optional<std::int64_t> claim(const std::string& path) const {
    const auto found = trace_.metadata.find(path);
    return found == trace_.metadata.end() ? std::nullopt : scaled_decimal(found->second, 0);
  }

  std::int64_t required(const std::string& path) {
    const auto value = claim(path);
    if (!value || *value < 0) {
      violated("The metadata lacks " + path + ", or it is not a whole number from 0 up.");
    }
    return value.value_or(-1);
  }

  void read_claims() {
    if (trace_.metadata.empty()) {
      violated("There is no metadata, which says what the laws are checked against.");
      return;
    }
    const auto fingerprint = trace_.metadata.find("fingerprint");
    if (fingerprint == trace_.metadata.end() || fingerprint->second.size() != kFingerprintDigits ||
        fingerprint->second.find_first_not_of("0123456789abcdef") != std::string::npos) {
      violated("The metadata lacks a fingerprint of 16 hexadecimal digits.");
    }
    iteration_.begin = required("iteration_begin_ps");
    const std::int64_t time = required("iteration_time_ps");
    iteration_.end = iteration_.begin + time;
    iteration_known_ = iteration_.begin >= 0 && time >= 0;
    for (std::size_t i = 0; trace_.metadata.contains("ranks." + std::to_string(i) + ".pid"); ++i) {
      const std::string path = "ranks." + std::to_string(i) + '.';
      RankClaim rank;
      rank.rank = required(path + "rank");
      rank.compute = required(path + "compute_ps");
      rank.bubble = required(path + "bubble_ps");
      rank.peak_memory = claim(path + "peak_memory_bytes").value_or(-1);
      const std::string exposed = path + "exposed_ps.";
      for (auto entry = trace_.metadata.lower_bound(exposed);
           entry != trace_.metadata.end() && entry->first.starts_with(exposed); ++entry) {
        rank.exposed[entry->first.substr(exposed.size())] = required(entry->first);
      }
      if (!ranks_.emplace(required(path + "pid"), std::move(rank)).second) {
        violated("Two ranks of the metadata share a process number.");
      }
    }
    if (ranks_.empty()) {
      violated("The metadata lists no ranks.");
    }
    verdict_.ranks = ranks_.size();
  }

  void check_events() {
    std::int64_t last = 0;
    std::int64_t last_end = -1;
    std::set<std::int64_t> named;
    std::set<std::int64_t> correlations;
    for (const TraceEvent& event : trace_.events) {
      if (event.phase == 'M') {
        if (event.name == "process_name") {
          named.insert(event.pid);
        }
        continue;
      }
      if (!event.at || *event.at < 0) {
        violated("An event of " + who(event.pid) + " has no time, or one before the start.");
        continue;
      }
      if (*event.at < last) {
        violated("Events are not in order of time: " + describe(event) + " comes after " + time_text(last) +
                 '.');
      }
      if (event.phase == 'X' && event.end) {
        if (*event.at == last && last_end >= 0 && *event.end > last_end) {
          violated("Of slices that begin together the longer comes first, but " + describe(event) +
                   " does not.");
        }
        last_end = *event.at == last && last_end >= 0 ? std::min(last_end, *event.end) : *event.end;
      }
      last = std::max(last, *event.at);
      check_event(event);
      if (event.correlation >= 0 && !correlations.insert(event.correlation).second) {
        violated("The correlation of " + describe(event) + " is not unique.");
      }
    }
    for (const auto& [pid, rank] : ranks_) {
      if (!named.contains(pid)) {
        violated("The process of rank " + std::to_string(rank.rank) + " has no name.");
      }
    }
  }

  void check_event(const TraceEvent& event) {
    static constexpr std::string_view kKnown = "XisfC";
    if (kKnown.find(event.phase) == std::string_view::npos) {
      violated("An event of " + who(event.pid) + " is of the unknown kind '" + std::string(1, event.phase) +
               "'.");
    } else if (event.phase == 'C') {
      ++verdict_.samples;
      counters_[{event.pid, event.name}].push_back(&event);
    } else if (event.phase == 's' || event.phase == 'f') {
      arrows_.push_back(&event);
    } else {
      check_slice(event);
    }
  }

  void check_slice(const TraceEvent& event) {
    ++verdict_.slices;
    if (!ranks_.empty() && !ranks_.contains(event.pid) && strangers_.insert(event.pid).second) {
      violated("The metadata lists no rank for " + describe(event) + '.');
    }
    if (event.tid <= 0 || event.name.empty()) {
      violated("A thread number from 1 up and a name are missing in " + describe(event) + '.');
    }
    const std::int64_t duration = event.phase == 'X' ? event.duration.value_or(-1) : 0;
    const bool ordered = event.begin && event.end && 0 <= *event.begin && *event.begin <= *event.end;
    // A duration may be up to a nanosecond short, for viewers that round.
    constexpr std::int64_t kShort = 1000;
    const std::int64_t missing = ordered ? *event.end - *event.begin - duration : -1;
    if (!ordered || *event.begin != *event.at || missing < 0 || missing > (event.phase == 'X' ? kShort : 0)) {
      violated("ts and dur disagree with begin_ps and end_ps in " + describe(event) + '.');
      return;
    }
    if (event.phase == 'X' && duration <= 0) {
      violated("There is no time in " + describe(event) + '.');
    }
    if (iteration_known_ && *event.end > iteration_.end) {
      violated("The iteration ends at " + time_text(iteration_.end) + ", before the end of " +
               describe(event) + '.');
    }
    if (event.phase != 'X') {
      return;
    }
    threads_[{event.pid, event.tid}].push_back(&event);
    if (event.category == "kernel") {
      (event.transfer.empty() ? computes_ : transfers_)[event.pid].push_back(&event);
    }
  }

  void check_threads() {
    for (auto& [thread, slices] : threads_) {
      std::sort(slices.begin(), slices.end(),
                [](const TraceEvent* a, const TraceEvent* b) { return *a->begin < *b->begin; });
      for (std::size_t i = 1; i < slices.size(); ++i) {
        if (*slices[i]->begin < *slices[i - 1]->end) {
          violated("On one thread " + describe(*slices[i]) + " begins before the end of " +
                   describe(*slices[i - 1]) + '.');
        } else if (overlaps_when_rounded(*slices[i - 1], *slices[i])) {
          violated("A viewer that rounds sees " + describe(*slices[i]) + " begin before the end of " +
                   describe(*slices[i - 1]) + '.');
        }
      }
    }
  }

  /// Whether the one would end after the next begins for viewers that add in floating point or in
  /// nanoseconds.
  static bool overlaps_when_rounded(const TraceEvent& slice, const TraceEvent& next) {
    const auto microseconds = [](std::int64_t picoseconds) { return static_cast<double>(picoseconds) / 1e6; };
    const auto nanoseconds = [&](std::int64_t picoseconds) {
      return std::llround(microseconds(picoseconds) * 1e3);
    };
    const bool shortest = *slice.duration == 1;  // picosecond: it cannot be made shorter
    return (!shortest && microseconds(*slice.at) + microseconds(*slice.duration) > microseconds(*next.at)) ||
           nanoseconds(*slice.at) + nanoseconds(*slice.duration) > nanoseconds(*next.at);
  }

  void check_arrows() {
    std::map<std::string_view, std::pair<Slices, Slices>> by_id;
    for (const TraceEvent* arrow : arrows_) {
      auto& [starts, ends] = by_id[arrow->id];
      (arrow->phase == 's' ? starts : ends).push_back(arrow);
      if (!lies_on_slice(*arrow)) {
        violated("Arrow " + std::string(arrow->id) + " touches no slice of " + who(arrow->pid) + " at " +
                 time_text(*arrow->at) + '.');
      }
    }
    verdict_.arrows = by_id.size();
    for (const auto& [id, both] : by_id) {
      const auto& [starts, ends] = both;
      if (starts.size() != 1 || ends.size() != 1) {
        violated("Arrow " + std::string(id) + " has " + std::to_string(starts.size()) + " starts and " +
                 std::to_string(ends.size()) + " ends.");
      } else if (*ends.front()->at < *starts.front()->at) {
        violated("Arrow " + std::string(id) + " ends at " + time_text(*ends.front()->at) +
                 ", before it starts.");
      }
    }
  }

  [[nodiscard]] bool lies_on_slice(const TraceEvent& arrow) const {
    const auto thread = threads_.find({arrow.pid, arrow.tid});
    if (thread == threads_.end()) {
      return false;
    }
    const auto after =
        std::upper_bound(thread->second.begin(), thread->second.end(), *arrow.at,
                         [](std::int64_t at, const TraceEvent* slice) { return at < *slice->begin; });
    return after != thread->second.begin() && *arrow.at <= *(*(after - 1))->end;
  }

  void check_transfers() {
    struct Seen {
      const TraceEvent* first = nullptr;
      std::set<std::pair<std::int64_t, std::string_view>> places;
    };

    std::map<std::string_view, Seen> transfers;
    for (const auto& [pid, slices] : transfers_) {
      for (const TraceEvent* slice : slices) {
        Seen& seen = transfers[slice->transfer];
        seen.first = seen.first == nullptr ? slice : seen.first;
        const TraceEvent& first = *seen.first;
        if (slice->begin != first.begin || slice->end != first.end || slice->bytes != first.bytes ||
            slice->group != first.group) {
          violated("One transfer differs between ranks: " + describe(*slice) + " and " + describe(first) +
                   '.');
        }
        if (!seen.places.emplace(pid, slice->role).second) {
          violated("One transfer is twice on one rank: " + describe(*slice) + '.');
        }
        if (slice->bytes < 0) {
          violated("The bytes are missing in " + describe(*slice) + '.');
        }
      }
    }
  }

  void check_links() {
    for (std::size_t i = 0; trace_.metadata.contains("links." + std::to_string(i) + ".name"); ++i) {
      const std::string path = "links." + std::to_string(i) + '.';
      const std::string& name = trace_.metadata.at(path + "name");
      std::map<std::int64_t, std::int64_t> capacity = {{0, required(path + "capacity_millibytes_per_s")}};
      for (std::size_t k = 0; trace_.metadata.contains(path + "capacity_changes." + std::to_string(k) + ".0");
           ++k) {
        const std::string change = path + "capacity_changes." + std::to_string(k);
        capacity[required(change + ".0")] = required(change + ".1");
      }
      if (std::any_of(capacity.begin(), capacity.end(), [](const auto& step) { return step.second < 0; })) {
        continue;  // which has been reported
      }
      std::map<std::int64_t, std::int64_t> load = {{0, 0}};
      for (const auto& [key, samples] : counters_) {
        for (const TraceEvent* sample :
             key.second == name && !ranks_.contains(key.first) ? samples : Slices()) {
          load[*sample->at] = sample->series.empty() ? 0 : sample->series.front().second;
        }
      }
      check_link(name, load, capacity);
    }
  }

  void check_link(const std::string& name, const std::map<std::int64_t, std::int64_t>& load,
                  const std::map<std::int64_t, std::int64_t>& capacity) {
    std::set<std::int64_t> instants;
    for (const auto* steps : {&load, &capacity}) {
      for (const auto& [at, value] : *steps) {
        instants.insert(at);
      }
    }
    for (const std::int64_t at : instants) {
      const std::int64_t carried = std::prev(load.upper_bound(at))->second;
      const std::int64_t possible = std::prev(capacity.upper_bound(at))->second;
      if (carried < 0 || carried > possible) {
        violated("Link '" + name + "' carries " + std::to_string(carried) + " millibytes/s at " +
                 time_text(at) + " and can carry " + std::to_string(possible) + '.');
      }
    }
  }

  void check_memory() {
    for (const auto& [pid, rank] : ranks_) {
      const auto samples = counters_.find({pid, "memory"});
      if (samples == counters_.end()) {
        if (rank.peak_memory >= 0) {
          violated("The memory of " + who(pid) + " has a peak and no curve.");
        }
        continue;
      }
      constexpr std::int64_t kThousandths = 1000;
      std::int64_t peak = 0;
      for (const TraceEvent* sample : samples->second) {
        std::int64_t sum = 0;
        for (const auto& [kind, amount] : sample->series) {
          sum = add_clamped(sum, std::max<std::int64_t>(amount, 0));
          if (amount < 0) {
            violated("The memory of " + who(pid) + " for " + std::string(kind) + " is negative at " +
                     time_text(*sample->at) + '.');
          }
        }
        peak = std::max(peak, sum / kThousandths);
      }
      if (peak != rank.peak_memory) {
        violated("The memory of " + who(pid) + " peaks at " + std::to_string(peak) +
                 " bytes and not at the reported " + std::to_string(rank.peak_memory) + '.');
      }
    }
  }

  void check_sums() {
    for (const auto& [pid, rank] : ranks_) {
      if (!iteration_known_ || !is_known(rank)) {
        continue;  // which has been reported
      }
      const std::vector<Interval> compute = united(computes_[pid], "");
      if (total(compute) != rank.compute) {
        violated("The compute slices of " + who(pid) + " cover " + time_text(total(compute)) +
                 " and not the reported " + time_text(rank.compute) + '.');
      }
      std::int64_t sum = add_clamped(rank.compute, rank.bubble);
      for (const auto& [group, exposed] : rank.exposed) {
        sum = add_clamped(sum, exposed);
        const std::vector<Interval> own = united(transfers_[pid], group);
        const std::int64_t most = total(own) - common(own, compute);
        if (exposed > most) {
          violated("The exposed " + group + " communication of " + who(pid) + " is reported as " +
                   time_text(exposed) + ", more than the " + time_text(most) +
                   " in which it runs beside no compute.");
        }
      }
      if (sum != iteration_.end - iteration_.begin) {
        violated("Compute, exposed communication and bubble of " + who(pid) + " sum to " + time_text(sum) +
                 " and not to the iteration time of " + time_text(iteration_.end - iteration_.begin) + '.');
      }
    }
  }

  /// The time within the iteration that slices of `group` (all when empty) cover.
  [[nodiscard]] std::vector<Interval> united(const Slices& slices, std::string_view group) const {
    std::vector<Interval> intervals;
    for (const TraceEvent* slice : slices) {
      const Interval inside = {std::max(*slice->begin, iteration_.begin),
                               std::min(*slice->end, iteration_.end)};
      if ((group.empty() || slice->group == group) && inside.begin < inside.end) {
        intervals.push_back(inside);
      }
    }
    return unite(std::move(intervals));
  }

  const TraceDocument& trace_;
  Verdict verdict_;
  Interval iteration_;
  bool iteration_known_ = false;             ///< whether the metadata says when it begins and ends
  std::map<std::int64_t, RankClaim> ranks_;  ///< by process
  std::set<std::int64_t> strangers_;         ///< processes with slices that the metadata does not list
  std::map<std::pair<std::int64_t, std::int64_t>, Slices> threads_;
  std::map<std::int64_t, Slices> computes_;                               ///< by process
  std::map<std::int64_t, Slices> transfers_;                              ///< by process
  std::map<std::pair<std::int64_t, std::string_view>, Slices> counters_;  ///< by process and name
  Slices arrows_;
};

}  // namespace

Verdict verify_trace(const TraceDocument& trace) {
  return Verifier(trace).run();
}

}  // namespace makespan
