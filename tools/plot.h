#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tools/figure.h"

namespace makespan {

enum class Dash : std::uint8_t { solid, dashed, dotted };

/// A line through points, or an area. Colours are six hexadecimal digits; an empty one paints nothing.
struct PlotPath {
  std::string kind = {};   ///< "area", "curve", "mark", "axis" ...: a class of the SVG
  std::string title = {};  ///< in words; may be empty
  std::string fill = {};
  std::string stroke = {};
  double line_width = 0.5;
  Dash dash = Dash::solid;
  std::vector<std::pair<double, double>> points = {};
};

/// A diagram without a notation; later paths lie on earlier ones. Areas are closed.
struct Plot {
  std::string title;
  std::string description;
  double width = 0;
  double height = 0;
  std::vector<PlotPath> paths;
  std::vector<FigureText> texts;
};

/// A document of its own. Equal plots give equal bytes.
[[nodiscard]] std::string plot_svg(const Plot& plot);

/// A LaTeX document of its own, of which \input takes the picture alone.
[[nodiscard]] std::string plot_tikz(const Plot& plot);

/// The one that the extension of `path` asks for: ".svg", or ".tex" for TikZ. Throws InputError naming
/// `option` for another.
[[nodiscard]] std::string plot_text(const Plot& plot, const std::string& path, const std::string& option);

/// Throws as plot_text() does, before there is a plot.
void require_plot_name(const std::string& path, const std::string& option);

/// A plot's frame: what its parts have in common.
struct PlotAxes {
  double left = 0;
  double right = 0;
  double top = 0;
  double bottom = 0;
};

/// Faint lines across `axes` at the marks of a vertical axis from 0 to `most`.
void add_grid(Plot& plot, const PlotAxes& axes, double most, const AxisStep& step);

/// That axis at the left, with its labels, and the line of the horizontal one.
void add_vertical_axis(Plot& plot, const PlotAxes& axes, double most, const AxisStep& step,
                       const std::string& unit = "");

/// An entry of a legend: paths around (0, 0), which is the middle of the sign's left end, and words behind.
struct LegendEntry {
  std::vector<PlotPath> sign;
  double sign_width = 7;
  std::string text;
};

/// Entries from left to right in lines from `y` downwards, between `left` and `right`. Returns the last
/// baseline.
double add_legend(Plot& plot, const std::vector<LegendEntry>& entries, double left, double right, double y);

}  // namespace makespan
