#include "schedules/schedule_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "schedules/catalogue.h"

namespace makespan {

namespace {

constexpr std::string_view kOverlap = ")OVERLAP_F_B";
constexpr std::string_view kGrammar =
    "an action is written like 0F1, 2B0, 2I0, 2W0, 1SEND_F0, 2RECV_F0, 1SEND_B0, 0RECV_B0, 0UNSHARD, "
    "0RESHARD or "
    "0REDUCE_GRAD, a pair like (0F7;7B3)OVERLAP_F_B";

/// Kinds by their token; the last is the old dialect's whole backward pass.
constexpr std::array<std::pair<std::string_view, ActionKind>, kActionKinds + 1> kTokens = {{
    {"F", ActionKind::forward},
    {"B", ActionKind::backward},
    {"I", ActionKind::backward_input},
    {"W", ActionKind::backward_weight},
    {"SEND_F", ActionKind::send_forward},
    {"RECV_F", ActionKind::receive_forward},
    {"SEND_B", ActionKind::send_backward},
    {"RECV_B", ActionKind::receive_backward},
    {"UNSHARD", ActionKind::unshard},
    {"RESHARD", ActionKind::reshard},
    {"REDUCE_GRAD", ActionKind::reduce_gradient},
    {"BW", ActionKind::backward},
}};

/// An action as it was written.
struct Token {
  Action action;
  bool is_whole = false;    ///< the old dialect's BW
  bool is_in_pair = false;  ///< whose B is a whole backward pass in either dialect
};

[[noreturn]] void refuse_cell(const ScheduleCell& cell, const std::string& what,
                              const std::string& hint = std::string(kGrammar)) {
  throw InputError(cell.location, {}, "'" + cell.text + "' " + what, hint);
}

/// The digits in front of `rest`, which they are taken from.
int take_number(std::string_view& rest, const ScheduleCell& cell, const char* what) {
  int number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error == std::errc::result_out_of_range || (error == std::errc() && number >= kMaxSteps)) {
    refuse_cell(cell, std::string("has a ") + what + " above " + std::to_string(kMaxSteps - 1),
                "a schedule has at most " + std::to_string(kMaxSteps) + " (stage, micro-batch) pairs");
  }
  if (error != std::errc() || number < 0 || rest.front() == '-') {
    refuse_cell(cell, std::string("is no action: there is no ") + what);
  }
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return number;
}

Token read_action(std::string_view text, const ScheduleCell& cell) {
  std::string_view rest = text;
  Token token;
  token.action.stage = take_number(rest, cell, "stage");
  const auto is_digit = [](char letter) { return letter >= '0' && letter <= '9'; };
  const auto length =
      static_cast<std::size_t>(std::find_if(rest.begin(), rest.end(), is_digit) - rest.begin());
  const std::string_view name = rest.substr(0, length);
  const auto* const found =
      std::find_if(kTokens.begin(), kTokens.end(), [name](const auto& known) { return known.first == name; });
  if (found == kTokens.end()) {
    refuse_cell(cell, name.empty() ? "is no action: there is no kind behind the stage"
                                   : "is no action: '" + std::string(name) + "' is no kind");
  }
  token.action.kind = found->second;
  token.is_whole = found == &kTokens.back();
  rest.remove_prefix(length);
  if (has_microbatch(token.action.kind)) {
    token.action.microbatch = take_number(rest, cell, "micro-batch");
  }
  if (!rest.empty()) {
    refuse_cell(cell, "is no action: '" + std::string(rest) + "' is too much");
  }
  return token;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// None of an empty cell, two of a pair.
void read_cell(const ScheduleCell& cell, std::vector<Token>& tokens) {
  const std::string_view text = trimmed(cell.text);
  if (text.empty()) {
    return;
  }
  if (text.front() != '(') {
    tokens.push_back(read_action(text, cell));
    return;
  }
  const std::size_t semicolon = text.find(';');
  if (!text.ends_with(kOverlap) || semicolon == std::string_view::npos) {
    refuse_cell(cell, "is no pair of actions");
  }
  const std::size_t end = text.size() - kOverlap.size();
  Token forward = read_action(trimmed(text.substr(1, semicolon - 1)), cell);
  Token backward = read_action(trimmed(text.substr(semicolon + 1, end - semicolon - 1)), cell);
  if (forward.action.kind != ActionKind::forward || backward.action.kind != ActionKind::backward) {
    refuse_cell(cell, "does not overlap an F with a B");
  }
  forward.action.overlaps_next = true;
  backward.is_in_pair = true;
  tokens.push_back(forward);
  tokens.push_back(backward);
}

/// Whether a B is the gradient of the input: some backward pass is a BW, or none is an I and every W has its
/// B.
bool is_old_dialect(const std::vector<std::vector<Token>>& ranks) {
  std::vector<std::pair<int, int>> inputs;
  std::vector<std::pair<int, int>> weights;
  for (const std::vector<Token>& tokens : ranks) {
    for (const Token& token : tokens) {
      if (token.is_whole) {
        return true;
      }
      if (token.action.kind == ActionKind::backward_input) {
        return false;
      }
      if (token.action.kind == ActionKind::backward_weight) {
        weights.emplace_back(token.action.stage, token.action.microbatch);
      } else if (token.action.kind == ActionKind::backward) {
        inputs.emplace_back(token.action.stage, token.action.microbatch);
      }
    }
  }
  std::sort(inputs.begin(), inputs.end());
  std::sort(weights.begin(), weights.end());
  return !weights.empty() && inputs == weights;
}

/// Puts the stage of a token on the rank that lists it.
void place_stage(Schedule& schedule, const Action& action, int rank, const SourceLocation& location) {
  const auto stage = static_cast<std::size_t>(action.stage);
  if (stage >= schedule.rank_of_stage.size()) {
    schedule.rank_of_stage.resize(stage + 1, -1);
  }
  int& owner = schedule.rank_of_stage[stage];
  if (owner >= 0 && owner != rank) {
    throw InputError(location, {},
                     to_string(action) + " is on rank " + std::to_string(rank) + ", and stage " +
                         std::to_string(action.stage) + " is on rank " + std::to_string(owner),
                     "each stage is on one rank, which is the number of its line from 0");
  }
  owner = rank;
}

}  // namespace

Schedule schedule_of_cells(const std::vector<std::vector<ScheduleCell>>& ranks,
                           const ScheduleFileOptions& options) {
  std::vector<std::vector<Token>> lists(ranks.size());
  Schedule schedule;
  schedule.kind = options.kind;
  schedule.ranks = static_cast<int>(ranks.size());
  schedule.replicas = options.replicas;
  schedule.pieces = options.pieces;
  int microbatches = 1;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    for (const ScheduleCell& cell : ranks[rank]) {
      const std::size_t before = lists[rank].size();
      read_cell(cell, lists[rank]);
      for (std::size_t i = before; i < lists[rank].size(); ++i) {
        const Action& action = lists[rank][i].action;
        place_stage(schedule, action, static_cast<int>(rank), cell.location);
        microbatches = std::max(microbatches, action.microbatch + 1);
      }
    }
  }
  const bool is_old = is_old_dialect(lists);
  for (const std::vector<Token>& list : lists) {
    std::vector<Action>& actions = schedule.actions.emplace_back();
    for (const Token& token : list) {
      actions.push_back(token.action);
      if (is_old && token.action.kind == ActionKind::backward && !token.is_whole && !token.is_in_pair) {
        actions.back().kind = ActionKind::backward_input;
      }
    }
  }
  schedule.microbatches = microbatches * options.replicas;
  const int copies = std::max(1, schedule.ranks * options.replicas);
  schedule.chunks = std::max(1, (schedule.stages() + copies - 1) / copies);
  return schedule;
}

Schedule read_schedule_csv(std::string_view text, const std::string& file,
                           const ScheduleFileOptions& options) {
  std::vector<std::vector<ScheduleCell>> ranks;
  int line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::vector<ScheduleCell>& cells = ranks.emplace_back();
    for (int column = 1;;) {
      const std::size_t comma = std::min(line.find(','), line.size());
      cells.push_back({std::string(trimmed(line.substr(0, comma))), {file, line_number, column}});
      if (comma == line.size()) {
        break;
      }
      column += static_cast<int>(comma) + 1;
      line.remove_prefix(comma + 1);
    }
  }
  if (ranks.empty()) {
    throw InputError({file, 0, 0}, {}, "is empty", "a line per rank, its actions separated by commas");
  }
  return schedule_of_cells(ranks, options);
}

std::string write_schedule_csv(const Schedule& schedule) {
  if (!schedule.evictions.empty()) {
    throw InputError(
        {}, "csv",
        "lists cannot say that activations move to other ranks, as those of " + schedule.kind + " do",
        "JSON can");
  }
  std::string text;
  for (const std::vector<Action>& actions : schedule.actions) {
    const char* separator = "";
    for (const std::string& cell : cells(actions)) {
      text += separator + cell;
      separator = ",";
    }
    text += '\n';
  }
  return text;
}

}  // namespace makespan
