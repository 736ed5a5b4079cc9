#include "tools/schedule_figure.h"

#include <algorithm>
#include <array>
#include <boost/multiprecision/cpp_int.hpp>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <utility>

#include "core/error.h"
#include "tools/schedule_palette.h"

namespace makespan {

namespace {

constexpr double kMargin = 3;
constexpr double kTextSize = kFigureTextSize;
constexpr double kLeastNumberSize = 6;
constexpr double kLeastAir = 0.5;  ///< around a number
constexpr double kLine = 9.5;      ///< from one line of text to the next
constexpr double kSwatch = 7;
constexpr double kRaise = 0.36;  ///< of the size: from the middle of a digit to its baseline

char letter(ActionKind kind) {
  return "FBIW"[static_cast<std::size_t>(kind)];
}

constexpr std::array<std::string_view, 4> kNames = {"forward", "backward", "gradient of the input",
                                                    "gradient of the weights"};

std::string_view name(ActionKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

/// The unit of the axis.
struct AxisUnit {
  std::string title;
  double ticks = 1;  ///< of the timeline
};

AxisUnit axis_unit(const BareModel& model, const BareCosts& costs, double span, double width) {
  const double ticks = to_double(Rational(model.ticks_per_unit));
  if (!costs.in_seconds) {
    const std::string forward = to_string(costs.forward);
    const std::string title = fmt::format("time (a micro-batch's forward on one rank takes {})", forward);
    return {text_width(title, kTextSize) < width ? title : fmt::format("time (forward: {})", forward), ticks};
  }
  constexpr std::array<std::pair<const char*, double>, 4> kUnits = {
      {{"s", 1}, {"ms", 1e3}, {"µs", 1e6}, {"ns", 1e9}}};
  for (const auto& [symbol, per_second] : kUnits) {
    if (span * per_second >= ticks) {
      return {fmt::format("time ({})", symbol), ticks / per_second};
    }
  }
  return {"time (ps)", ticks / 1e12};
}

class Drawing {
 public:
  Drawing(const Schedule& schedule, const BareRun& run, const BareCosts& costs, const FigureOptions& options)
      : schedule_(schedule), run_(run), costs_(costs), options_(options), graph_(run.model.graph) {}

  [[nodiscard]] ScheduleFigure run() && {
    measure();
    add_boxes();
    fit_numbers();
    if (options_.transfers) {
      add_messages();
    }
    add_ranks();
    add_axis();
    add_legend();
    figure_.width = options_.width;
    figure_.height = y_ + kMargin;
    describe();
    return std::move(figure_);
  }

 private:
  struct Group;

  /// The span of the computes, and the sizes of rows and margins.
  void measure() {
    first_ = run_.timeline.makespan;
    Time last;
    for (std::size_t i = 0; i < graph_.tasks.size(); ++i) {
      if (graph_.tasks[i].kind == TaskKind::compute) {
        first_ = std::min(first_, run_.timeline.begin[i]);
        last = std::max(last, run_.timeline.end[i]);
      }
    }
    if (last <= first_) {
      throw InputError({}, "--format", "nothing takes time, so there is nothing to draw");
    }
    span_ = static_cast<double>((last - first_).count());
    for (const std::vector<Action>& actions : schedule_.actions) {
      has_pairs_ = has_pairs_ || std::any_of(actions.begin(), actions.end(),
                                             [](const Action& action) { return action.overlaps_next; });
    }
    box_height_ = has_pairs_ ? 15 : 10;
    pitch_ = box_height_ + (options_.transfers ? 7 : 1.5);
    left_ = kMargin + text_width(fmt::format("rank {}", schedule_.ranks - 1), kTextSize) + 4;
    plot_ = options_.width - left_ - 2 * kMargin;
    std::vector<int> owned(schedule_.actions.size(), 0);
    for (const int rank : schedule_.rank_of_stage) {
      slot_of_stage_.push_back(owned[static_cast<std::size_t>(rank)]++);
    }
    slots_ = *std::max_element(owned.begin(), owned.end());
  }

  [[nodiscard]] double x(Time time) const {
    return left_ + plot_ * static_cast<double>((time - first_).count()) / span_;
  }

  [[nodiscard]] static double row_top(std::size_t rank, double pitch) {
    return kMargin + static_cast<double>(rank) * pitch;
  }

  void add_boxes() {
    number_fills();
    for (std::size_t rank = 0; rank < schedule_.actions.size(); ++rank) {
      const std::vector<Action>& actions = schedule_.actions[rank];
      for (std::size_t i = 0; i < actions.size(); ++i) {
        if (!is_compute(actions[i].kind)) {
          continue;
        }
        const TaskId task = run_.model.tasks[rank][i];
        const Time begin = run_.timeline.begin[task.index()];
        const Time end = run_.timeline.end[task.index()];
        const bool is_first = actions[i].overlaps_next;
        const bool is_second = i > 0 && actions[i - 1].overlaps_next;
        if (begin < end) {
          add_box(rank, actions[i], begin, end, is_first ? 1 : is_second ? 2 : 0);
        }
      }
    }
    constexpr double kMostStroke = 0.4;
    constexpr double kShare = 0.15;
    for (const FigureBox& box : figure_.boxes) {
      figure_.stroke = std::min({figure_.stroke, kMostStroke, kShare * box.width});
    }
  }

  /// A fill for each kind of action and stage of its rank that occurs.
  void number_fills() {
    for (const std::vector<Action>& actions : schedule_.actions) {
      for (const Action& action : actions) {
        if (is_compute(action.kind)) {
          fill_of_[{action.kind, slot_of_stage_[static_cast<std::size_t>(action.stage)]}] = 0;
        }
      }
    }
    for (auto& [key, fill] : fill_of_) {
      const auto& [kind, slot] = key;
      const std::string colour = palette_colour(options_.palette, kind, slot, slots_);
      fill = figure_.fills.size();
      figure_.fills.push_back({fmt::format("{}{}", letter(kind), slot), colour, wants_white_text(colour)});
    }
  }

  /// `half`: 0 of what is not overlapped, 1 and 2 of the upper and the lower of a pair.
  void add_box(std::size_t rank, const Action& action, Time begin, Time end, int half) {
    const double top = row_top(rank, pitch_);
    FigureBox box;
    box.x = x(begin);
    box.width = x(end) - box.x;
    box.height = half == 0 ? box_height_ : box_height_ / 2;
    box.y = half == 2 ? top + box.height : top;
    box.fill = fill_of_.at({action.kind, slot_of_stage_[static_cast<std::size_t>(action.stage)]});
    box.number = number(action);
    box.title = fmt::format("rank {}: {} of stage {}, micro-batch {}, {} to {}", rank, name(action.kind),
                            action.stage, box.number, units(begin), units(end));
    if (half == 1) {
      figure_.pairs.push_back({box.x, box.y, box.width, box_height_, 0, "", ""});
    }
    Group& group = groups_[{action.kind, half != 0}];
    group.narrowest = group.boxes.empty() ? box.width : std::min(group.narrowest, box.width);
    group.longest = std::max(group.longest, text_width(box.number, 1));
    group.boxes.push_back(figure_.boxes.size());
    figure_.boxes.push_back(std::move(box));
  }

  [[nodiscard]] std::string number(const Action& action) const {
    return schedule_.pieces == 1 ? std::to_string(action.microbatch)
                                 : fmt::format("{}.{}", action.microbatch / schedule_.pieces,
                                               action.microbatch % schedule_.pieces);
  }

  [[nodiscard]] std::string units(Time time) const {
    return to_string(Rational((time - first_).count()) / Rational(run_.model.ticks_per_unit)) +
           (costs_.in_seconds ? " s" : "");
  }

  /// The largest size at which all numbers fit; at the least size, kinds whose numbers do not fit have none.
  void fit_numbers() {
    const double largest = has_pairs_ ? kLeastNumberSize : 8;
    const auto fits = [](const Group& group, double size) {
      const double air = size > kLeastNumberSize ? 0.25 * size : kLeastAir;
      return group.longest * size + air <= group.narrowest;
    };
    figure_.number_size = kLeastNumberSize;
    for (double size = largest; size > kLeastNumberSize; size -= 1) {
      if (std::all_of(groups_.begin(), groups_.end(),
                      [&](const auto& group) { return fits(group.second, size); })) {
        figure_.number_size = size;
        return;
      }
    }
    for (const auto& [key, group] : groups_) {
      if (fits(group, kLeastNumberSize)) {
        continue;
      }
      const double growth = (group.longest * kLeastNumberSize + kLeastAir) / group.narrowest;
      figure_.width_for_numbers =
          std::max(figure_.width_for_numbers, options_.width - plot_ + growth * plot_);
      for (const std::size_t box : group.boxes) {
        figure_.boxes[box].number.clear();
      }
    }
  }

  /// From the row of the sender to that of the receiver.
  void add_messages() {
    for (std::size_t i = 0; i < graph_.tasks.size(); ++i) {
      if (graph_.tasks[i].kind != TaskKind::transfer) {
        continue;
      }
      const std::vector<DeviceId>& members = graph_.route(TaskId(i)).members;
      const std::size_t from = members[0].index();
      const std::size_t to = members[1].index();
      const double from_y = row_top(from, pitch_) + (from < to ? box_height_ : 0);
      const double to_y = row_top(to, pitch_) + (from < to ? 0 : box_height_);
      figure_.messages.push_back({x(run_.timeline.begin[i]), from_y, x(run_.timeline.end[i]), to_y});
    }
  }

  void add_ranks() {
    for (std::size_t rank = 0; rank < schedule_.actions.size(); ++rank) {
      figure_.texts.push_back({left_ - 4, row_top(rank, pitch_) + box_height_ / 2 + kRaise * kTextSize,
                               Anchor::end, fmt::format("rank {}", rank)});
    }
    y_ = row_top(schedule_.actions.size() - 1, pitch_) + box_height_;
  }

  void add_axis() {
    constexpr double kGap = 2;
    constexpr double kMark = 2.5;
    const AxisUnit unit = axis_unit(run_.model, costs_, span_, plot_);
    const double span = span_ / unit.ticks;
    const AxisStep step = axis_step(span, plot_);
    y_ += kGap;
    figure_.axis.push_back({left_, y_, left_ + plot_, y_});
    for (std::int64_t mark = 0; mark <= step.marks; ++mark) {
      const double at = left_ + plot_ * (static_cast<double>(mark) * step.units / span);
      figure_.axis.push_back({at, y_, at, y_ + kMark});
      figure_.texts.push_back({at, y_ + kMark + kTextSize, Anchor::middle, step.label(mark)});
    }
    y_ += kMark + kTextSize + kLine;
    figure_.texts.push_back({left_ + plot_ / 2, y_, Anchor::middle, unit.title});
  }

  /// What a colour or a sign means.
  struct Entry {
    std::vector<std::size_t> fills;  ///< side by side
    bool is_pair = false;            ///< or one above the other
    bool is_message = false;
    std::string text;
  };

  [[nodiscard]] std::vector<Entry> entries() const {
    std::vector<Entry> result;
    std::optional<ActionKind> last;
    for (const auto& [key, fill] : fill_of_) {
      if (last != key.first) {
        result.push_back({{}, false, false, std::string(name(key.first))});
        last = key.first;
      }
      result.back().fills.push_back(fill);
    }
    if (has_pairs_) {
      result.push_back({{fill_of_.begin()->second, fill_of_.at({ActionKind::backward, 0})},
                        true,
                        false,
                        "overlapped pair"});
    }
    if (options_.transfers) {
      result.push_back({{}, false, true, "message"});
    }
    if (slots_ > 1) {
      const bool has_chunks = slots_ > schedule_.replicas;
      result.push_back({{},
                        false,
                        false,
                        schedule_.replicas == 1 ? fmt::format("dark to light: chunks 0 to {}", slots_ - 1)
                        : has_chunks
                            ? fmt::format("dark to light: chunks of replicas 0 to {}", schedule_.replicas - 1)
                            : fmt::format("dark to light: replicas 0 to {}", schedule_.replicas - 1)});
    }
    const bool has_numbers = std::any_of(figure_.boxes.begin(), figure_.boxes.end(),
                                         [](const FigureBox& box) { return !box.number.empty(); });
    if (has_numbers) {
      result.push_back({{},
                        false,
                        false,
                        schedule_.pieces == 1 ? "number: micro-batch" : "k.j: piece j of micro-batch k"});
    }
    return result;
  }

  void add_legend() {
    constexpr double kBetween = 8;
    constexpr double kArrow = 12;
    double at = left_;
    y_ += kLine + 2;
    for (const Entry& entry : entries()) {
      const double signs = entry.is_message ? kArrow
                           : entry.is_pair  ? kSwatch
                                            : kSwatch * static_cast<double>(entry.fills.size());
      const double before_text = signs > 0 ? signs + 2.5 : 0;
      const double needed = before_text + text_width(entry.text, kTextSize);
      if (at > left_ && at + needed > options_.width - kMargin) {
        at = left_;
        y_ += kLine;
      }
      const double middle = y_ - kRaise * kTextSize;
      for (std::size_t i = 0; i < entry.fills.size(); ++i) {
        const auto place = static_cast<double>(i);
        const double top = middle - kSwatch / 2;
        figure_.swatches.push_back(
            entry.is_pair
                ? FigureBox{at, top + place * kSwatch / 2, kSwatch, kSwatch / 2, entry.fills[i], "", ""}
                : FigureBox{at + place * kSwatch, top, kSwatch, kSwatch, entry.fills[i], "", ""});
      }
      if (entry.is_message) {
        figure_.messages.push_back({at, middle, at + kArrow, middle});
      }
      figure_.texts.push_back({at + before_text, y_, Anchor::start, entry.text});
      at += needed + kBetween;
    }
  }

  void describe() {
    figure_.title = fmt::format("Schedule {}: {} ranks, {} micro-batches", schedule_.kind, schedule_.ranks,
                                schedule_.microbatches / schedule_.pieces);
    figure_.description = fmt::format(
        "Timeline of a pipeline schedule: one row per rank, time to the right, a box for each computation, "
        "blank where a rank is idle. Makespan {}{}, bubble {:.1f} % of all ranks' time.",
        to_string(run_.result.makespan), costs_.in_seconds ? " s" : "", 100 * run_.result.bubble_ratio);
  }

  /// Boxes of one kind of action, overlapped or not, of which all have numbers or none.
  struct Group {
    double narrowest = 0;
    double longest = 0;  ///< of the numbers, per size
    std::vector<std::size_t> boxes;
  };

  const Schedule& schedule_;
  const BareRun& run_;
  const BareCosts& costs_;
  const FigureOptions& options_;
  const TaskGraph& graph_;
  ScheduleFigure figure_;
  Time first_;
  double span_ = 1;  ///< ticks
  bool has_pairs_ = false;
  double box_height_ = 0;
  double pitch_ = 0;
  double left_ = 0;
  double plot_ = 0;                 ///< width of the rows
  double y_ = 0;                    ///< what is above is drawn
  std::vector<int> slot_of_stage_;  ///< how many lower stages its rank has
  int slots_ = 1;
  std::map<std::pair<ActionKind, int>, std::size_t> fill_of_;  ///< by kind and slot
  std::map<std::pair<ActionKind, bool>, Group> groups_;
};

}  // namespace

ScheduleFigure schedule_figure(const Schedule& schedule, const BareRun& run, const BareCosts& costs,
                               const FigureOptions& options) {
  return Drawing(schedule, run, costs, options).run();
}

}  // namespace makespan
