#include "tools/memory_figure.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <span>

#include "core/error.h"
#include "devices/memory_ledger.h"
#include "tools/schedule_palette.h"

namespace makespan {

namespace {

constexpr double kMargin = 3;
constexpr double kTextSize = kFigureTextSize;
constexpr double kBetween = 8;  ///< rows
constexpr double kGibibyte = 1 << 30;

using Curve = std::vector<std::pair<Time, MemorySplit>>;
using Totals = std::array<double, kMemoryKinds>;  ///< of a kind and those below it, in GiB

Totals stacked(const MemorySplit& split) {
  Totals totals{};
  double sum = 0;
  for (std::size_t i = 0; i < kMemoryKinds; ++i) {
    sum += static_cast<double>(split[i].count()) / kGibibyte;
    totals[i] = sum;
  }
  return totals;
}

/// From dark to light upwards, and dark again on top: neighbours differ in lightness.
std::string colour_of(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::weights:
      return palette_colour("megatron", ActionKind::forward, 0, 1);
    case MemoryKind::gradients:
      return palette_colour("megatron", ActionKind::backward_input, 0, 1);
    case MemoryKind::optimizer:
      return palette_colour("megatron", ActionKind::backward, 0, 1);
    case MemoryKind::activations:
      return palette_colour("megatron", ActionKind::backward_weight, 0, 1);
    case MemoryKind::buffers:
      break;
  }
  return palette_colour("grey", ActionKind::forward, 0, 2);
}

struct TimeUnit {
  const char* name = "ps";
  double seconds = 1e-12;
};

TimeUnit time_unit(double span) {
  constexpr std::array<TimeUnit, 4> kUnits = {{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}, {"ns", 1e-9}}};
  const auto* const found = std::find_if(kUnits.begin(), kUnits.end(),
                                         [span](const TimeUnit& unit) { return span >= unit.seconds; });
  return found == kUnits.end() ? TimeUnit{} : *found;
}

class Drawing {
 public:
  Drawing(const Run& run, const std::vector<int>& ranks, double width, const std::string& option)
      : run_(run), ranks_(ranks), option_(option) {
    plot_.width = width;
  }

  [[nodiscard]] Plot draw() && {
    measure();
    for (std::size_t row = 0; row < ranks_.size(); ++row) {
      add_row(row);
    }
    add_time_axis();
    add_entries();
    plot_.height = y_ + kMargin;
    describe();
    return std::move(plot_);
  }

 private:
  void measure() {
    if (ranks_.size() > kMostMemoryRows) {
      throw InputError(
          {}, option_,
          fmt::format("{} ranks are more than the {} rows of a figure", ranks_.size(), kMostMemoryRows),
          "choose fewer with --trace-ranks");
    }
    span_ = seconds(run_.timeline.makespan);
    double peak = 0;
    for (const int rank : ranks_) {
      peak = std::max(peak, gibibytes(report(rank).memory.peak));
    }
    if (peak <= 0 || span_ <= 0) {
      throw InputError({}, option_, peak <= 0 ? "no rank holds any memory" : "nothing takes time");
    }
    constexpr double kReached = 4;  // a capacity that far above would leave the figure empty
    const double capacity = gibibytes(run_.report.memory_capacity);
    shows_capacity_ = capacity <= kReached * peak;
    most_ = 1.04 * (shows_capacity_ ? std::max(peak, capacity) : peak);
    constexpr double kAll = 200;
    constexpr double kLeast = 22;
    constexpr double kMost = 110;
    row_height_ = std::clamp(kAll / static_cast<double>(ranks_.size()), kLeast, kMost);
    step_ = vertical_axis_step(most_, row_height_);
    left_ = kMargin + text_width(step_.label(step_.marks), kTextSize) + 4.5;
    double words = 0;
    for (const int rank : ranks_) {
      for (const std::string& text : row_words(rank)) {
        words = std::max(words, text_width(text, kTextSize));
      }
    }
    right_ = plot_.width - kMargin - words - 5;
    y_ = kMargin + kTextSize;
    plot_.texts.push_back({kMargin, y_, Anchor::start, "memory (GiB)"});
    y_ += 6;
  }

  [[nodiscard]] static double gibibytes(Bytes bytes) {
    return static_cast<double>(bytes.count()) / kGibibyte;
  }

  [[nodiscard]] const RankReport& report(int rank) const {
    return run_.report.ranks[static_cast<std::size_t>(rank)];
  }

  /// What stands beside a row.
  [[nodiscard]] std::array<std::string, 2> row_words(int rank) const {
    return {fmt::format("rank {}", rank), fmt::format("peak {:.1f}", gibibytes(report(rank).memory.peak))};
  }

  [[nodiscard]] double x(Time time) const { return left_ + (right_ - left_) * seconds(time) / span_; }

  void add_row(std::size_t row) {
    const int rank = ranks_[row];
    const PlotAxes axes{left_, right_, y_, y_ + row_height_};
    const Curve curve = memory_curve(run_.lowered.graph, run_.timeline, run_.lowered.statics,
                                     DeviceId(static_cast<std::size_t>(rank)));
    add_grid(plot_, axes, most_, step_);
    add_areas(rank, thinned(curve), axes);
    add_vertical_axis(plot_, axes, most_, step_);
    if (shows_capacity_) {
      const double y = axes.bottom - row_height_ * gibibytes(run_.report.memory_capacity) / most_;
      plot_.paths.push_back({.kind = "capacity",
                             .stroke = "000000",
                             .line_width = 0.8,
                             .dash = Dash::dashed,
                             .points = {{left_, y}, {right_, y}}});
    }
    const double middle = (axes.top + axes.bottom) / 2;
    const auto words = row_words(rank);
    plot_.texts.push_back({right_ + 3, middle - 1.5, Anchor::start, words[0]});
    plot_.texts.push_back({right_ + 3, middle + kTextSize, Anchor::start, words[1]});
    y_ = axes.bottom + kBetween;
  }

  /// What is shown from x on.
  struct Sample {
    double x = 0;
    Totals totals{};
  };

  /// Of the changes within half a point of width, the largest, and behind it the last.
  [[nodiscard]] std::vector<Sample> thinned(const Curve& curve) const {
    constexpr double kBin = 0.5;
    std::vector<Sample> samples;
    for (std::size_t first = 0, last = 0; first < curve.size(); first = last) {
      const double begin = x(curve[first].first);
      std::size_t largest = first;
      for (last = first; last < curve.size() && x(curve[last].first) < begin + kBin; ++last) {
        largest = total(curve[last].second) > total(curve[largest].second) ? last : largest;
      }
      samples.push_back({begin, stacked(curve[largest].second)});
      if (largest + 1 < last) {
        samples.push_back({std::min(begin + kBin, right_), stacked(curve[last - 1].second)});
      }
    }
    return samples;
  }

  /// Each kind's areas reach down to the axis, where the rank holds any of it; the kinds below are painted
  /// over them.
  void add_areas(int rank, const std::vector<Sample>& samples, const PlotAxes& axes) {
    for (std::size_t i = kMemoryKinds; i-- > 0;) {
      const auto is_held = [&](const Sample& sample) {
        return sample.totals[i] > (i == 0 ? 0 : sample.totals[i - 1]);
      };
      auto first = samples.begin();
      while ((first = std::find_if(first, samples.end(), is_held)) != samples.end()) {
        const auto last = std::find_if_not(first, samples.end(), is_held);
        occurs_[i] = true;
        add_area(rank, i, {first, last}, last == samples.end() ? right_ : last->x, axes);
        first = last;
      }
    }
  }

  /// Under the steps of `samples`, up to `end`.
  void add_area(int rank, std::size_t kind, std::span<const Sample> samples, double end,
                const PlotAxes& axes) {
    PlotPath area{.kind = "area",
                  .title = fmt::format("rank {}: {}", rank, to_string(static_cast<MemoryKind>(kind))),
                  .fill = colour_of(static_cast<MemoryKind>(kind))};
    double y = axes.bottom;
    area.points.emplace_back(samples.front().x, y);
    for (const Sample& sample : samples) {
      const double here = axes.bottom - row_height_ * sample.totals[kind] / most_;
      if (here != y) {
        if (area.points.back() != std::pair(sample.x, y)) {
          area.points.emplace_back(sample.x, y);
        }
        area.points.emplace_back(sample.x, here);
        y = here;
      }
    }
    area.points.emplace_back(end, y);
    area.points.emplace_back(end, axes.bottom);
    plot_.paths.push_back(std::move(area));
  }

  void add_time_axis() {
    constexpr double kMark = 2.5;
    const TimeUnit unit = time_unit(span_);
    const double span = span_ / unit.seconds;
    const AxisStep step = axis_step(span, right_ - left_);
    y_ -= kBetween;
    for (std::int64_t mark = 0; mark <= step.marks; ++mark) {
      const double at = left_ + (right_ - left_) * static_cast<double>(mark) * step.units / span;
      plot_.paths.push_back({.kind = "axis", .stroke = "1a1a1a", .points = {{at, y_}, {at, y_ + kMark}}});
      plot_.texts.push_back({at, y_ + kMark + kTextSize, Anchor::middle, step.label(mark)});
    }
    y_ += kMark + kTextSize + 9.5;
    plot_.texts.push_back({(left_ + right_) / 2, y_, Anchor::middle, fmt::format("time ({})", unit.name)});
  }

  void add_entries() {
    constexpr double kHalf = 3.5;
    std::vector<LegendEntry> entries;
    for (std::size_t i = 0; i < kMemoryKinds; ++i) {
      const auto kind = static_cast<MemoryKind>(i);
      if (occurs_[i]) {
        entries.push_back({{{.fill = colour_of(kind),
                             .points = {{0, -kHalf}, {2 * kHalf, -kHalf}, {2 * kHalf, kHalf}, {0, kHalf}}}},
                           2 * kHalf,
                           std::string(to_string(kind))});
      }
    }
    const std::string capacity = fmt::format("{} with {:.0f} GiB", run_.prepared.accelerator->name,
                                             gibibytes(run_.report.memory_capacity));
    if (shows_capacity_) {
      constexpr double kWidth = 12;
      entries.push_back(
          {{{.stroke = "000000", .line_width = 0.8, .dash = Dash::dashed, .points = {{0, 0}, {kWidth, 0}}}},
           kWidth,
           capacity});
    } else {
      entries.push_back({{}, 0, "capacity above: " + capacity});
    }
    y_ = add_legend(plot_, entries, kMargin, plot_.width - kMargin, y_ + 11.5);
  }

  void describe() {
    const Report& report = run_.report;
    plot_.title = fmt::format("Memory over time of {}, {}", report.scenario, report.schedule);
    plot_.description = fmt::format(
        "What each of {} ranks holds over time, by kind, one on the other, with its peak. The most of all "
        "ranks is {:.2f} GiB, on rank {}.",
        ranks_.size(), gibibytes(report.peak_memory), report.peak_rank);
  }

  const Run& run_;
  const std::vector<int>& ranks_;
  const std::string& option_;
  Plot plot_;
  double span_ = 0;  ///< seconds
  double most_ = 0;  ///< GiB at the top of a row
  bool shows_capacity_ = false;
  double row_height_ = 0;
  AxisStep step_;
  double left_ = 0;
  double right_ = 0;
  double y_ = 0;  ///< what is above is drawn
  std::array<bool, kMemoryKinds> occurs_{};
};

}  // namespace

Plot memory_figure(const Run& run, const std::vector<int>& ranks, double width, const std::string& option) {
  return Drawing(run, ranks, width, option).draw();
}

}  // namespace makespan
