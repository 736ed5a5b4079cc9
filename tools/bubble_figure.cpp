#include "tools/bubble_figure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <set>

#include "core/error.h"
#include "tools/schedule_palette.h"

namespace makespan {

namespace {

constexpr double kMargin = 3;
constexpr double kTextSize = kFigureTextSize;
constexpr double kHeight = 120;  ///< of the axes
constexpr double kRadius = 2.3;  ///< of a mark

/// How a series is drawn. Four colours, three dashes and seven shapes: none of the first 84 are alike, and
/// shapes tell them apart in grey.
struct Look {
  std::string colour;
  Dash dash = Dash::solid;
  std::size_t shape = 0;
};

constexpr std::size_t kShapes = 7;

Look look_of(std::size_t series) {
  const std::array<std::string, 4> colours = {palette_colour("megatron", ActionKind::forward, 0, 1),
                                              palette_colour("megatron", ActionKind::backward_weight, 0, 2),
                                              palette_colour("megatron", ActionKind::backward, 0, 2),
                                              palette_colour("grey", ActionKind::forward, 0, 2)};
  constexpr std::array<Dash, 3> kDashes = {Dash::solid, Dash::dashed, Dash::dotted};
  return {colours[series % colours.size()], kDashes[series / colours.size() % kDashes.size()],
          series % kShapes};
}

/// A circle, a square, triangles up, down, left and right, a diamond; of about the same area.
std::vector<std::pair<double, double>> outline(std::size_t shape, double x, double y) {
  constexpr std::array<std::pair<int, double>, kShapes> kCorners = {
      {{16, 0}, {4, 45}, {3, 90}, {4, 0}, {3, 270}, {3, 180}, {3, 0}}};  // and degrees of the first
  const auto& [corners, first] = kCorners.at(shape);
  const double radius = kRadius * (corners == 16 ? 0.9 : corners == 4 ? 1.1 : 1.3);
  constexpr double kDegree = 3.14159265358979323846 / 180;
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i < corners; ++i) {
    const double angle = (first + 360.0 * i / corners) * kDegree;
    points.emplace_back(x + radius * std::cos(angle), y - radius * std::sin(angle));
  }
  return points;
}

PlotPath mark(const Look& look, double x, double y, bool is_filled, const std::string& title) {
  return {.kind = "mark",
          .title = title,
          .fill = is_filled ? look.colour : "ffffff",
          .stroke = look.colour,
          .line_width = 0.6,
          .points = outline(look.shape, x, y)};
}

class Drawing {
 public:
  Drawing(std::span<const BubbleSeries> series, double width) : series_(series) { plot_.width = width; }

  [[nodiscard]] Plot draw(const std::string& title) && {
    measure();
    add_axes();
    for (std::size_t i = 0; i < series_.size(); ++i) {
      add_series(series_[i], look_of(i));
    }
    add_entries();
    plot_.height = y_ + kMargin;
    plot_.title = "Bubble against micro-batches of " + title;
    plot_.description =
        fmt::format("Bubble as a share of all ranks' time for {} schedules and {} to {} micro-batches.",
                    series_.size(), *microbatches_.begin(), *microbatches_.rbegin());
    return std::move(plot_);
  }

 private:
  void measure() {
    double most = 0;
    for (const BubbleSeries& series : series_) {
      for (const BubblePoint& point : series.points) {
        microbatches_.insert(point.microbatches);
        most = std::max(most, 100 * point.bubble);
      }
    }
    most_ = std::max(1.06 * most, 1.0);
    step_ = vertical_axis_step(most_, kHeight);
    axes_.left = kMargin + text_width(step_.label(step_.marks) + " %", kTextSize) + 4.5;
    axes_.right = plot_.width - 2 * kMargin;
    axes_.top = kMargin + kTextSize + 5;
    axes_.bottom = axes_.top + kHeight;
  }

  [[nodiscard]] double x(std::int64_t microbatches) const {
    constexpr double kInset = 8;
    const double least = std::log(static_cast<double>(*microbatches_.begin()));
    const double span = std::log(static_cast<double>(*microbatches_.rbegin())) - least;
    const double place = span > 0 ? (std::log(static_cast<double>(microbatches)) - least) / span : 0.5;
    return axes_.left + kInset + place * (axes_.right - axes_.left - 2 * kInset);
  }

  [[nodiscard]] double y(double bubble) const { return axes_.bottom - kHeight * 100 * bubble / most_; }

  void add_axes() {
    plot_.texts.push_back({kMargin, kMargin + kTextSize, Anchor::start, "bubble (share of all ranks' time)"});
    add_grid(plot_, axes_, most_, step_);
    add_vertical_axis(plot_, axes_, most_, step_, " %");
    constexpr double kMark = 2.5;
    y_ = axes_.bottom + kMark + kTextSize;
    double free = axes_.left - kTextSize;  // right end of the last label
    for (const std::int64_t microbatches : microbatches_) {
      const double at = x(microbatches);
      const std::string label = std::to_string(microbatches);
      const double half = text_width(label, kTextSize) / 2;
      plot_.paths.push_back(
          {.kind = "axis", .stroke = "1a1a1a", .points = {{at, axes_.bottom}, {at, axes_.bottom + kMark}}});
      if (at - half > free) {
        plot_.texts.push_back({at, y_, Anchor::middle, label});
        free = at + half + 2;
      }
    }
    y_ += 9.5;
    plot_.texts.push_back(
        {(axes_.left + axes_.right) / 2, y_, Anchor::middle, "micro-batches per iteration"});
  }

  void add_series(const BubbleSeries& series, const Look& look) {
    PlotPath curve{
        .kind = "curve", .title = series.name, .stroke = look.colour, .line_width = 0.9, .dash = look.dash};
    for (const BubblePoint& point : series.points) {
      curve.points.emplace_back(x(point.microbatches), y(point.bubble));
    }
    if (curve.points.size() > 1) {
      plot_.paths.push_back(curve);
    }
    for (const BubblePoint& point : series.points) {
      plot_.paths.push_back(mark(look, x(point.microbatches), y(point.bubble), point.fits_memory,
                                 fmt::format("{}, {} micro-batches: {:.2f} %", series.name,
                                             point.microbatches, 100 * point.bubble)));
      has_misfit_ = has_misfit_ || !point.fits_memory;
    }
  }

  void add_entries() {
    constexpr double kWidth = 16;
    std::vector<LegendEntry> entries;
    for (std::size_t i = 0; i < series_.size(); ++i) {
      const Look look = look_of(i);
      entries.push_back(
          {{{.stroke = look.colour, .line_width = 0.9, .dash = look.dash, .points = {{0, 0}, {kWidth, 0}}},
            mark(look, kWidth / 2, 0, true, "")},
           kWidth,
           series_[i].name});
    }
    if (has_misfit_) {
      entries.push_back({{}, 0, "open: does not fit the memory"});
    }
    y_ = add_legend(plot_, entries, axes_.left, axes_.right, y_ + 11.5);
  }

  std::span<const BubbleSeries> series_;
  Plot plot_;
  std::set<std::int64_t> microbatches_;
  double most_ = 1;  ///< percent at the top
  AxisStep step_;
  PlotAxes axes_;
  double y_ = 0;  ///< what is above is drawn
  bool has_misfit_ = false;
};

}  // namespace

Plot bubble_figure(const std::string& title, std::span<const BubbleSeries> series, double width,
                   const std::string& option) {
  if (series.size() > kMostBubbleSeries) {
    throw InputError(
        {}, option,
        fmt::format("{} lines are more than the {} that are told apart", series.size(), kMostBubbleSeries),
        "choose fewer with --schedules");
  }
  if (std::all_of(series.begin(), series.end(), [](const auto& entry) { return entry.points.empty(); })) {
    throw InputError({}, option, "nothing ran, so there is nothing to draw");
  }
  return Drawing(series, width).draw(title);
}

}  // namespace makespan
