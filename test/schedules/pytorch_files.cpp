#include "test/schedules/pytorch_files.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <string_view>

namespace makespan::test {

namespace {

constexpr std::array<std::string_view, 8> kTokens = {"F",      "B",      "I",      "W",
                                                     "SEND_F", "RECV_F", "SEND_B", "RECV_B"};

std::optional<Action> parse_action(const std::string& cell) {
  const auto is_digit = [](char letter) { return letter >= '0' && letter <= '9'; };
  const auto kind_begin = std::find_if_not(cell.begin(), cell.end(), is_digit);
  const auto kind_end = std::find_if(kind_begin, cell.end(), is_digit);
  const std::string kind(kind_begin, kind_end);
  if (kind_end == cell.end()) {
    EXPECT_TRUE(kind == "UNSHARD" || kind == "RESHARD" || kind == "REDUCE_GRAD") << cell;
    return std::nullopt;
  }
  const auto* const found = std::find(kTokens.begin(), kTokens.end(), kind);
  EXPECT_NE(found, kTokens.end()) << cell;
  return Action{static_cast<ActionKind>(found - kTokens.begin()),
                std::stoi(std::string(cell.begin(), kind_begin)),
                std::stoi(std::string(kind_end, cell.end()))};
}

}  // namespace

std::vector<Action> parse_actions(const std::string& line) {
  std::vector<Action> actions;
  std::istringstream cells(line);
  std::string cell;
  while (std::getline(cells, cell, ',')) {
    if (cell.empty() || cell == "\r") {
      continue;
    }
    if (const std::optional<Action> action = parse_action(cell)) {
      actions.push_back(*action);
    }
  }
  return actions;
}

Schedule schedule_from_lists(const std::vector<std::string>& lines) {
  Schedule schedule;
  schedule.kind = "file";
  schedule.ranks = static_cast<int>(lines.size());
  for (std::size_t rank = 0; rank < lines.size(); ++rank) {
    schedule.actions.push_back(parse_actions(lines[rank]));
    for (const Action& action : schedule.actions[rank]) {
      schedule.microbatches = std::max(schedule.microbatches, action.microbatch + 1);
      if (action.stage >= schedule.stages()) {
        schedule.rank_of_stage.resize(static_cast<std::size_t>(action.stage) + 1, -1);
      }
      schedule.rank_of_stage[static_cast<std::size_t>(action.stage)] = static_cast<int>(rank);
    }
  }
  schedule.chunks = std::max(1, schedule.stages() / schedule.ranks);
  return schedule;
}

std::optional<Schedule> read_pytorch_file(const std::string& name) {
  std::ifstream file(std::string(MAKESPAN_SOURCE_DIR "/../shared/data/torch_schedules/generated/") + name);
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(file, line)) {
    lines.push_back(line);
  }
  return lines.empty() ? std::nullopt : std::optional(schedule_from_lists(lines));
}

}  // namespace makespan::test
