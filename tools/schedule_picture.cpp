#include "tools/schedule_picture.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace makespan {

namespace {

constexpr std::int64_t kMaxWidth = 200;
constexpr int kMaxRanks = 32;

char letter(Phase phase) {
  switch (phase) {
    case Phase::forward:
      return 'F';
    case Phase::backward_input:
      return 'I';
    case Phase::backward_weight:
      return 'W';
    default:
      return 'B';
  }
}

std::string token(const Schedule& schedule, const Label& label) {
  const char pass = letter(label.phase);
  const bool is_small = schedule.chunks == 2 && label.chunk == 1;
  return (schedule.chunks > 2 ? std::to_string(label.stage) : "") +
         (is_small ? static_cast<char>(pass - 'A' + 'a') : pass) + std::to_string(label.microbatch);
}

}  // namespace

std::string schedule_picture(const Schedule& schedule, const BareRun& run) {
  const TaskGraph& graph = run.model.graph;
  const Timeline& timeline = run.timeline;
  std::int64_t step = 0;      // ticks of a column: everything begins and ends on one
  std::int64_t shortest = 0;  // steps
  std::size_t longest_token = 0;
  const auto each_compute = [&](const auto& use) {
    for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
      if (graph.tasks[i].kind == TaskKind::compute && timeline.begin[i] != timeline.end[i]) {
        use(TaskId(i), timeline.begin[i].count(), timeline.end[i].count());
      }
    }
  };
  each_compute([&](TaskId task, std::int64_t begin, std::int64_t end) {
    step = std::gcd(step, std::gcd(begin, end));
    shortest = shortest == 0 ? end - begin : std::min(shortest, end - begin);
    longest_token = std::max(longest_token, token(schedule, graph.label(task)).size());
  });
  if (step == 0 || schedule.ranks > kMaxRanks) {
    return "";
  }
  // A step is as many characters as make the shortest task hold its token and a blank.
  const auto needed = static_cast<std::int64_t>(longest_token) + 1;
  const std::int64_t characters = std::max<std::int64_t>(1, (needed * step + shortest - 1) / shortest);
  const std::int64_t steps = timeline.makespan.count() / step;
  if (steps > kMaxWidth / characters) {
    return "";
  }
  std::vector<std::string> lines(static_cast<std::size_t>(schedule.ranks),
                                 std::string(static_cast<std::size_t>(steps * characters), '.'));
  each_compute([&](TaskId task, std::int64_t begin, std::int64_t end) {
    const auto width = static_cast<std::size_t>((end - begin) / step * characters);
    std::string box = token(schedule, graph.label(task));
    box.resize(width - 1, '-');
    lines[graph.device(task).index()].replace(static_cast<std::size_t>(begin / step * characters), width,
                                              box + ' ');
  });
  std::string picture;
  for (std::size_t rank = 0; rank < lines.size(); ++rank) {
    picture += fmt::format("rank {:<2} {}\n", rank, lines[rank]);
  }
  return picture;
}

}  // namespace makespan
