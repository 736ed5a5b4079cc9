#include "tools/schedule_input.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"
#include "schedules/schedule_file.h"
#include "schedules/searches.h"
#include "schedules/validate.h"
#include "tools/input_text.h"

namespace makespan {

namespace {

using nlohmann::ordered_json;

constexpr std::string_view kSchema = "makespan.schedule/1";
constexpr std::string_view kActions = "actions";
constexpr std::array<std::string_view, 16> kKeys = {"schema",
                                                    "kind",
                                                    "ranks",
                                                    "stages",
                                                    "microbatches",
                                                    "chunks",
                                                    "replicas",
                                                    "pieces",
                                                    "makespan",
                                                    "max_span",
                                                    "work",
                                                    "bubble_ratio",
                                                    "span_bubble_ratio",
                                                    "peak_activations",
                                                    kActions,
                                                    "evictions"};

bool is_control(char letter) {
  return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
}

/// Where the keys of a JSON object are, and the texts of its `actions`.
struct Places {
  std::map<std::string, SourceLocation, std::less<>> keys;
  std::vector<std::vector<SourceLocation>> cells;
};

/// Goes through what is known to be JSON.
class PlaceFinder {
 public:
  PlaceFinder(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  [[nodiscard]] Places run() && {
    for (at_ = 0; at_ < text_.size(); ++at_) {
      const char letter = text_[at_];
      if (letter == '\n') {
        ++line_;
        line_start_ = at_ + 1;
      } else if (letter == '"') {
        take_text();
      } else if (letter == '[' || letter == '{') {
        if (++depth_ == 3 && is_in_actions_) {
          places_.cells.emplace_back();
        }
      } else if (letter == ']' || letter == '}') {
        --depth_;
      } else if (letter == ',' && depth_ == 1) {
        is_key_next_ = true;
      }
    }
    return std::move(places_);
  }

 private:
  void take_text() {
    const SourceLocation location = {name_, line_, static_cast<int>(at_ - line_start_) + 1};
    const std::size_t begin = ++at_;
    while (text_[at_] != '"') {
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    if (depth_ == 1 && is_key_next_) {
      take_key(text_.substr(begin, at_ - begin), location);
    } else if (depth_ == 3 && is_in_actions_) {
      places_.cells.back().push_back(location);
    }
  }

  void take_key(std::string_view key, const SourceLocation& location) {
    is_key_next_ = false;
    is_in_actions_ = key == kActions;
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
      throw InputError(location, std::string(key), "unknown key", suggestion(key, kKeys));
    }
    const auto [first, is_first] = places_.keys.emplace(key, location);
    if (!is_first) {
      throw InputError(location, std::string(key), "is given twice, first in " + first->second.text());
    }
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::size_t line_start_ = 0;
  int depth_ = 0;
  bool is_key_next_ = true;
  bool is_in_actions_ = false;
  Places places_;
};

/// The object of a schedule, with the places of what it says.
class JsonSchedule {
 public:
  JsonSchedule(std::string_view text, const std::string& name)
      : name_(name), json_(parse_json(std::string(text), name)) {
    if (!json_.is_object()) {
      throw InputError({name, 0, 0}, "", "is not a JSON object",
                       "what makespan schedule --format json prints, or lists of actions as CSV");
    }
    places_ = PlaceFinder(text, name).run();
  }

  [[nodiscard]] Schedule read() const {
    if (text("schema") != kSchema) {
      refuse("schema", fmt::format("is not \"{}\"", kSchema));
    }
    ScheduleFileOptions options;
    if (json_.contains("kind")) {
      options.kind = text("kind");
    }
    options.replicas = number("replicas", kMaxReplicas).value_or(1);
    options.pieces = number("pieces", kMaxSteps).value_or(1);
    Schedule schedule = schedule_of_cells(cells(), options);
    expect("ranks", schedule.ranks);
    expect("stages", schedule.stages());
    expect("chunks", schedule.chunks);
    expect("microbatches", schedule.microbatches / schedule.pieces);
    read_evictions(schedule);
    return schedule;
  }

 private:
  [[noreturn]] void refuse(std::string_view key, const std::string& what) const {
    const auto found = places_.keys.find(key);
    throw InputError(found == places_.keys.end() ? SourceLocation{name_, 0, 0} : found->second,
                     std::string(key), what);
  }

  [[nodiscard]] std::string text(const std::string& key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) {
      refuse(key, "is missing");
    }
    if (!found->is_string()) {
      refuse(key, "is not a text");
    }
    auto value = found->get<std::string>();
    constexpr std::size_t kMost = 64;
    if (value.empty() || value.size() > kMost || std::any_of(value.begin(), value.end(), is_control)) {
      refuse(key, fmt::format("is not a text of 1 to {} bytes without control characters", kMost));
    }
    return value;
  }

  [[nodiscard]] std::optional<int> number(const std::string& key, int most) const {
    const auto found = json_.find(key);
    if (found == json_.end()) {
      return std::nullopt;
    }
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() < 1 ||
        found->get<std::uint64_t>() > static_cast<std::uint64_t>(most)) {
      refuse(key, fmt::format("is not a whole number from 1 to {}", most));
    }
    return found->get<int>();
  }

  void expect(const std::string& key, int value) const {
    const std::optional<int> said = number(key, std::numeric_limits<int>::max());
    if (said && *said != value) {
      refuse(key, fmt::format("is {}, and the actions make it {}", *said, value));
    }
  }

  void read_evictions(Schedule& schedule) const {
    const std::string key = "evictions";
    const auto list = json_.find(key);
    if (list == json_.end()) {
      return;
    }
    if (!list->is_array()) {
      refuse(key, "is not a list");
    }
    std::vector<std::map<std::string, int>> positions(schedule.actions.size());  // by rank and token
    for (std::size_t rank = 0; rank < positions.size(); ++rank) {
      for (std::size_t i = 0; i < schedule.actions[rank].size(); ++i) {
        positions[rank].try_emplace(to_string(schedule.actions[rank][i]), static_cast<int>(i));
      }
    }
    for (const ordered_json& entry : *list) {
      const std::string what = fmt::format("entry {}", schedule.evictions.size());
      constexpr std::string_view kShape = R"({"rank": 0, "to": 3, "out_after": "0F2", "back_after": "0B0"})";
      if (!entry.is_object() || entry.size() != 4 || !is_rank(entry, "rank", schedule.ranks) ||
          !is_rank(entry, "to", schedule.ranks)) {
        refuse(key, fmt::format("{} is not like {}, with ranks below {}", what, kShape, schedule.ranks));
      }
      Eviction eviction{.rank = entry["rank"].get<int>(), .to = entry["to"].get<int>()};
      eviction.out_after =
          position(positions[static_cast<std::size_t>(eviction.rank)], entry, "out_after", what);
      eviction.back_after =
          position(positions[static_cast<std::size_t>(eviction.rank)], entry, "back_after", what);
      const Action& forward =
          schedule
              .actions[static_cast<std::size_t>(eviction.rank)][static_cast<std::size_t>(eviction.out_after)];
      eviction.stage = forward.stage;
      eviction.microbatch = forward.microbatch;
      schedule.evictions.push_back(eviction);
    }
  }

  [[nodiscard]] static bool is_rank(const ordered_json& entry, const char* key, int ranks) {
    const auto found = entry.find(key);
    return found != entry.end() && found->is_number_unsigned() &&
           found->get<std::uint64_t>() < static_cast<std::uint64_t>(ranks);
  }

  [[nodiscard]] int position(const std::map<std::string, int>& positions, const ordered_json& entry,
                             const char* key, const std::string& what) const {
    const auto token = entry.find(key);
    const auto found = token != entry.end() && token->is_string() ? positions.find(token->get<std::string>())
                                                                  : positions.end();
    if (found == positions.end()) {
      refuse("evictions",
             fmt::format("{}: '{}' is no action of rank {}", what, key, entry["rank"].get<int>()));
    }
    return found->second;
  }

  [[nodiscard]] std::vector<std::vector<ScheduleCell>> cells() const {
    const std::string key(kActions);
    const auto lists = json_.find(key);
    if (lists == json_.end() || !lists->is_array() || lists->empty()) {
      refuse(kActions, lists == json_.end() ? "is missing" : "is not a list of lists, one for each rank");
    }
    std::vector<std::vector<ScheduleCell>> ranks;
    for (const ordered_json& list : *lists) {
      const std::size_t rank = ranks.size();
      if (!list.is_array()) {
        refuse(kActions, fmt::format("the entry of rank {} is not a list", rank));
      }
      std::vector<ScheduleCell>& row = ranks.emplace_back();
      for (const ordered_json& cell : list) {
        if (!cell.is_string()) {
          refuse(kActions, fmt::format("entry {} of rank {} is not a text", row.size(), rank));
        }
        row.push_back({cell.get<std::string>(), places_.cells[rank][row.size()]});
        if (std::any_of(row.back().text.begin(), row.back().text.end(), is_control)) {
          throw InputError(row.back().location, "", "control characters are no part of an action");
        }
      }
    }
    return ranks;
  }

  const std::string& name_;
  ordered_json json_;
  Places places_;
};

/// Refuses bytes that lists never have, and more lines than there can be ranks.
void check_lists(std::string_view text, const std::string& name) {
  const auto is_strange = [](char letter) {
    return (is_control(letter) && letter != '\n' && letter != '\r' && letter != '\t') ||
           static_cast<unsigned char>(letter) >= 0x80;
  };
  const auto strange =
      static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_strange) - text.begin());
  if (strange < text.size()) {
    const std::string_view read = text.substr(0, strange);
    const auto line = std::count(read.begin(), read.end(), '\n') + 1;
    const std::size_t column = strange - (read.rfind('\n') + 1) + 1;  // npos + 1 is 0
    throw InputError({name, static_cast<int>(line), static_cast<int>(column)}, "",
                     fmt::format("byte 0x{:02x} is no part of a list of actions",
                                 static_cast<unsigned>(static_cast<unsigned char>(text[strange]))));
  }
  if (std::count(text.begin(), text.end(), '\n') > kMaxSteps) {
    throw InputError({name, 0, 0}, "", fmt::format("has more than {} lines, one for each rank", kMaxSteps));
  }
}

void check_validity(const Schedule& schedule, const std::string& name) {
  const std::vector<std::string> problems = find_problems(schedule);
  if (!problems.empty()) {
    throw InputError({name, 0, 0}, "", fmt::format("{}", fmt::join(problems, "\n  ")));
  }
  const std::string deadlock = find_deadlock(schedule);
  if (!deadlock.empty()) {
    throw InfeasibleError(name + ": " + deadlock);
  }
}

}  // namespace

bool is_schedule_file(const std::string& name) {
  const std::span<const ScheduleKind> kinds = schedule_kinds();
  if (find_search(name) != nullptr ||
      std::any_of(kinds.begin(), kinds.end(), [&](const ScheduleKind& kind) { return kind.name == name; })) {
    return false;
  }
  std::error_code error;
  return name == "-" || name.ends_with(".csv") || name.ends_with(".json") ||
         std::filesystem::exists(name, error);
}

Schedule parse_schedule(std::string_view text, const std::string& name, const ScheduleInputOptions& options) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    throw InputError({name, 0, 0}, "", "is empty", "a line per rank, its actions separated by commas");
  }
  Schedule schedule;
  if (text[first] == '{' || text[first] == '[') {
    schedule = JsonSchedule(text, name).read();
    if (options.replicas || options.pieces) {
      throw InputError({}, options.replicas ? "--replicas" : "--pieces",
                       "is for lists of actions as CSV; JSON says it itself");
    }
  } else {
    check_lists(text, name);
    schedule = read_schedule_csv(
        text, name, {.replicas = options.replicas.value_or(1), .pieces = options.pieces.value_or(1)});
  }
  check_validity(schedule, name);
  return schedule;
}

Schedule read_schedule(const std::string& path, const ScheduleInputOptions& options) {
  return parse_schedule(read_input(path), path == "-" ? "standard input" : path, options);
}

}  // namespace makespan
