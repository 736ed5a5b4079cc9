#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace makespan {

// What figures consist of, without a notation. In points from the top left corner, y downwards.

/// Points are 1/72 inch, as in PostScript, SVG and TeX's bp.
inline constexpr double kPointsPerInch = 72;
inline constexpr double kColumnWidth = 3.3 * kPointsPerInch;  ///< of a paper
inline constexpr double kFigureTextSize = 7;

/// "3.3in", "84mm", "8.4cm" or "240pt" in points. Throws InputError naming `option`, also outside 2 to 100
/// inches.
[[nodiscard]] double read_width(std::string_view text, const std::string& option);

/// A line, or an arrow to (x2, y2).
struct FigureLine {
  double x1 = 0;
  double y1 = 0;
  double x2 = 0;
  double y2 = 0;
};

enum class Anchor : std::uint8_t { start, middle, end };

/// A line of text by its baseline.
struct FigureText {
  double x = 0;
  double y = 0;
  Anchor anchor = Anchor::start;
  std::string text;
};

/// About the width that Helvetica needs.
[[nodiscard]] double text_width(std::string_view text, double size);

/// Where the marks of an axis are: every mantissa * 10^exponent units.
struct AxisStep {
  int mantissa = 1;
  int exponent = 0;
  double units = 1;
  std::int64_t marks = 1;  ///< behind the one at 0

  /// What is written at a mark.
  [[nodiscard]] std::string label(std::int64_t mark) const;
};

/// The least step of 1, 2 or 5 times a power of ten whose labels do not touch on a horizontal axis of `span`
/// units over `width` points.
[[nodiscard]] AxisStep axis_step(double span, double width);

/// The same for a vertical axis of `height` points.
[[nodiscard]] AxisStep vertical_axis_step(double span, double height);

}  // namespace makespan
