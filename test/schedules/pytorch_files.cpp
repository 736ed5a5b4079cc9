#include "test/schedules/pytorch_files.h"

#include <fstream>
#include <iterator>

#include "schedules/schedule_file.h"

namespace makespan::test {

std::vector<Action> parse_actions(const std::string& line) {
  return schedule_from_lists({line}).actions.front();
}

Schedule schedule_from_lists(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line + '\n';
  }
  return read_schedule_csv(text, "lists");
}

std::optional<std::string> read_reference_file(const std::string& name) {
  std::ifstream file(std::string(MAKESPAN_SOURCE_DIR "/../shared/data/torch_schedules/") + name);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

}  // namespace makespan::test
