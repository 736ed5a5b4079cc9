#include "schedules/catalogue.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "schedules/gpipe.h"
#include "schedules/interleaved.h"
#include "schedules/one_f_one_b.h"

namespace makespan {

namespace {

constexpr std::array<ScheduleKind, 3> kKinds = {{
    {.name = "gpipe",
     .summary = "all forwards, then all backwards",
     .source = "Huang et al. 2019, arXiv 1811.06965",
     .has_lifo = true,
     .generate = gpipe},
    {.name = "1f1b",
     .summary = "forward and backward in turn after a warm-up, with a flush",
     .source = "Narayanan et al. 2021, arXiv 2006.09503 (PipeDream-flush)",
     .generate = one_f_one_b},
    {.name = "interleaved",
     .summary = "1F1B over several chunks per rank",
     .source = "Narayanan et al. 2021, arXiv 2104.04473",
     .has_chunks = true,
     .generate = interleaved},
}};

[[noreturn]] void refuse(const std::string& option, const std::string& what, const std::string& hint = {}) {
  throw InputError(SourceLocation{}, option, what, hint);
}

/// `highest` is what kMaxSteps leaves to this option.
void require_range(const std::string& option, int value, int highest) {
  if (value < 1 || value > highest) {
    const std::string reason =
        ": a schedule has at most " + std::to_string(kMaxSteps) + " (stage, micro-batch) pairs";
    refuse(option, std::to_string(value) + " is outside the accepted range 1 to " + std::to_string(highest) +
                       (value > highest ? reason : ""));
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
    refuse("group", std::to_string(group) + " is outside the accepted range " + std::to_string(lowest) +
                        " to " + std::to_string(options.microbatches) + " for " +
                        std::to_string(options.ranks) + " ranks and " + std::to_string(options.microbatches) +
                        " micro-batches");
  }
  if (!accepts_group(options, group)) {
    refuse("group",
           std::string(is_default ? "the default " : "") + std::to_string(group) +
               " leaves a last group of " + std::to_string(options.microbatches % group) +
               " micro-batches, fewer than the " + std::to_string(options.ranks) + " ranks",
           accepted_groups(options));
  }
  return group;
}

void check_options(const ScheduleKind& kind, const ScheduleOptions& options) {
  require_range("ranks", options.ranks, kMaxSteps);
  require_range("chunks", options.chunks, kMaxSteps / options.ranks);
  require_range("microbatches", options.microbatches, kMaxSteps / options.ranks / options.chunks);
  if (!kind.has_chunks && options.chunks != 1) {
    refuse("chunks",
           std::to_string(options.chunks) + " is not accepted: " + std::string(kind.name) +
               " has one chunk per rank",
           "'interleaved' takes chunks");
  }
  if (!kind.has_chunks && options.group != 0) {
    refuse("group", "is not an option of " + std::string(kind.name), "'interleaved' takes a group");
  }
  if (!kind.has_lifo && options.lifo) {
    refuse("lifo", "is not an option of " + std::string(kind.name), "'gpipe' takes it");
  }
}

}  // namespace

std::span<const ScheduleKind> schedule_kinds() {
  return kKinds;
}

const ScheduleKind& schedule_kind(std::string_view name) {
  const auto* const found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const ScheduleKind& kind) { return kind.name == name; });
  if (found == kKinds.end()) {
    std::vector<std::string_view> names;
    names.reserve(kKinds.size());
    for (const ScheduleKind& kind : kKinds) {
      names.push_back(kind.name);
    }
    refuse("schedule", "unknown kind '" + std::string(name) + "'", suggestion(name, names));
  }
  return *found;
}

Schedule generate(std::string_view kind, const ScheduleOptions& options) {
  const ScheduleKind& entry = schedule_kind(kind);
  check_options(entry, options);
  ScheduleOptions checked = options;
  if (entry.has_chunks && options.chunks > 1) {
    checked.group = checked_group(options);
  }
  return entry.generate(checked);
}

}  // namespace makespan
