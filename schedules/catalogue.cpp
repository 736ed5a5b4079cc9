#include "schedules/catalogue.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/text.h"

/// All schedules: each is a constant of its own file in schedules/generators. In the order in which they are
/// listed to people.
#define MAKESPAN_SCHEDULES(SCHEDULE) \
  SCHEDULE(kGpipe)                   \
  SCHEDULE(kOneFOneB)                \
  SCHEDULE(kEager)                   \
  SCHEDULE(kInterleaved)             \
  SCHEDULE(kInterleavedOverlap)      \
  SCHEDULE(kLoopedBfs)               \
  SCHEDULE(kPipedream)               \
  SCHEDULE(kPipedream2bw)            \
  SCHEDULE(kBpipe)                   \
  SCHEDULE(kSeq1f1b)                 \
  SCHEDULE(kChimera)                 \
  SCHEDULE(kHanayo)                  \
  SCHEDULE(kZbH1)                    \
  SCHEDULE(kZbH2)                    \
  SCHEDULE(kInterleavedZb)           \
  SCHEDULE(kZbV)                     \
  SCHEDULE(kVHalf)                   \
  SCHEDULE(kVMin)                    \
  SCHEDULE(kDualpipe)                \
  SCHEDULE(kDualpipev)

namespace makespan {

#define MAKESPAN_DECLARE(schedule) extern const ScheduleKind schedule;
MAKESPAN_SCHEDULES(MAKESPAN_DECLARE)
#undef MAKESPAN_DECLARE

namespace {

/// `highest` is what kMaxSteps leaves to this option.
void require_range(const std::string& option, int value, int highest) {
  if (value < 1 || value > highest) {
    const std::string reason =
        ": a schedule has at most " + std::to_string(kMaxSteps) + " (stage, micro-batch) pairs";
    refuse_option(option, std::to_string(value) + " is outside the accepted range 1 to " +
                              std::to_string(highest) + (value > highest ? reason : ""));
  }
}

bool accepts_group(const ScheduleOptions& options, int group) {
  const int rest = options.microbatches % group;
  return rest == 0 || rest >= options.ranks;
}

/// The groups that `options` accept, for people: at most the first eight.
std::string accepted_groups(const ScheduleOptions& options) {
  constexpr int kShown = 8;
  std::string text = "accepted here:";
  int shown = 0;
  for (int group = std::min(options.ranks, options.microbatches); group <= options.microbatches; ++group) {
    if (accepts_group(options, group)) {
      if (shown == kShown) {
        return text + ", ... up to " + std::to_string(options.microbatches);
      }
      text += (shown == 0 ? " " : ", ") + std::to_string(group);
      ++shown;
    }
  }
  return text;
}

/// The group to use; refuses one that would stall the pipeline, as Megatron-LM does.
int checked_group(const ScheduleOptions& options) {
  const bool is_default = options.group == 0;
  const int rounds = std::max(1, options.microbatches / options.ranks);
  const int group = is_default ? options.microbatches / rounds : options.group;
  const int lowest = std::min(options.ranks, options.microbatches);
  if (group < lowest || group > options.microbatches) {
    refuse_option("group", std::to_string(group) + " is outside the accepted range " +
                               std::to_string(lowest) + " to " + std::to_string(options.microbatches) +
                               " for " + std::to_string(options.ranks) + " ranks and " +
                               std::to_string(options.microbatches) + " micro-batches");
  }
  if (!accepts_group(options, group)) {
    refuse_option("group",
                  std::string(is_default ? "the default " : "") + std::to_string(group) +
                      " leaves a last group of " + std::to_string(options.microbatches % group) +
                      " micro-batches, fewer than the " + std::to_string(options.ranks) + " ranks",
                  accepted_groups(options));
  }
  return group;
}

/// The kinds for which `takes` holds: "'a', 'b' take it".
template <class Takes>
std::string who_takes_it(Takes takes) {
  std::string text;
  int count = 0;
  for (const ScheduleKind& kind : schedule_kinds()) {
    if (takes(kind)) {
      text += (text.empty() ? "'" : ", '") + std::string(kind.name) + "'";
      ++count;
    }
  }
  return text + (count == 1 ? " takes it" : " take it");
}

void refuse_foreign_options(const ScheduleKind& kind, const ScheduleOptions& options) {
  const auto refuse = [&kind](const std::string& option, const auto& takes) {
    refuse_option(option, "is not an option of " + std::string(kind.name), who_takes_it(takes));
  };
  if (options.group != 0 && !kind.has_group) {
    refuse("group", [](const ScheduleKind& other) { return other.has_group; });
  }
  if (options.lifo && !kind.has_lifo) {
    refuse("lifo", [](const ScheduleKind& other) { return other.has_lifo; });
  }
  if (options.pieces != 1 && !kind.has_pieces) {
    refuse("pieces", [](const ScheduleKind& other) { return other.has_pieces; });
  }
}

void check_chunks(const ScheduleKind& kind, int chunks) {
  if (chunks >= kind.least_chunks && chunks <= kind.most_chunks) {
    return;
  }
  const std::string least = std::to_string(kind.least_chunks);
  const std::string accepted = kind.least_chunks == kind.most_chunks
                                   ? least + (kind.least_chunks == 1 ? " chunk" : " chunks")
                                   : "at least " + least + " chunks";
  refuse_option("chunks",
                std::to_string(chunks) + " is not accepted: " + std::string(kind.name) + " has " + accepted +
                    " per rank",
                who_takes_it([chunks](const ScheduleKind& other) {
                  return other.least_chunks <= chunks && chunks <= other.most_chunks;
                }));
}

/// The options with what is not given filled in.
ScheduleOptions check_options(const ScheduleKind& kind, ScheduleOptions options) {
  refuse_foreign_options(kind, options);
  options.chunks = options.chunks == 0 ? kind.least_chunks : options.chunks;
  require_range("ranks", options.ranks, kMaxSteps);
  require_range("chunks", options.chunks, kMaxSteps / options.ranks);
  require_range("pieces", options.pieces, kMaxSteps / options.ranks / options.chunks);
  require_range("microbatches", options.microbatches,
                kMaxSteps / options.ranks / options.chunks / options.pieces);
  check_chunks(kind, options.chunks);
  if (kind.has_group && options.chunks > 1) {
    options.group = checked_group(options);
  }
  return options;
}

}  // namespace

std::span<const ScheduleKind> schedule_kinds() {
#define MAKESPAN_LIST(schedule) schedule,
  static const std::array kKinds = {MAKESPAN_SCHEDULES(MAKESPAN_LIST)};
#undef MAKESPAN_LIST
  return kKinds;
}

const ScheduleKind& schedule_kind(std::string_view name) {
  const std::span<const ScheduleKind> kinds = schedule_kinds();
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const ScheduleKind& kind) { return kind.name == name; });
  if (found == kinds.end()) {
    std::vector<std::string_view> names;
    names.reserve(kinds.size());
    for (const ScheduleKind& kind : kinds) {
      names.push_back(kind.name);
    }
    refuse_option("schedule", "unknown kind '" + std::string(name) + "'", suggestion(name, names));
  }
  return *found;
}

Schedule generate(std::string_view kind, const ScheduleOptions& options) {
  const ScheduleKind& entry = schedule_kind(kind);
  return entry.generate(check_options(entry, options));
}

}  // namespace makespan
