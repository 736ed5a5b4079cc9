#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schedules/bare.h"
#include "schedules/bare_costs.h"
#include "schedules/schedule.h"
#include "tools/figure.h"

namespace makespan {

struct FigureOptions {
  std::string palette = "megatron";  ///< one of figure_palettes()
  double width = kColumnWidth;       ///< 2 to 100 inches
  bool transfers = false;            ///< messages between ranks as arrows
};

/// What boxes of one kind and stage of their rank are filled with. Colours are six hexadecimal digits.
struct FigureFill {
  std::string name;  ///< "F0": the action's letter, and which of the stages of its rank
  std::string colour;
  bool has_white_text = false;
};

struct FigureBox {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
  std::size_t fill = 0;
  std::string number;  ///< of the micro-batch, "k.j" with sequence pieces; empty when it does not fit
  std::string title;   ///< in words
};

/// A timeline as papers draw it: one row per rank, time to the right, a box per compute.
struct ScheduleFigure {
  std::string title;
  std::string description;
  double width = 0;
  double height = 0;
  std::vector<FigureFill> fills;
  std::vector<FigureBox> boxes;     ///< by rank and position; what takes no time has none
  std::vector<FigureBox> pairs;     ///< frames around the two boxes, one above the other, that overlap
  std::vector<FigureBox> swatches;  ///< of the legend
  std::vector<FigureLine> axis;
  std::vector<FigureLine> messages;
  std::vector<FigureText> texts;
  double text_size = kFigureTextSize;
  double number_size = 6;
  double stroke = 0.4;  ///< around boxes
  /// The width at which every number fits; 0 when all do.
  double width_for_numbers = 0;
};

inline constexpr std::size_t kMaxSvgBoxes = 200'000;
/// 8192 boxes exceed the memory of TeX, and 2000 take it ten seconds.
inline constexpr std::size_t kMaxTikzBoxes = 2'000;

/// Throws InputError when nothing takes time.
[[nodiscard]] ScheduleFigure schedule_figure(const Schedule& schedule, const BareRun& run,
                                             const BareCosts& costs, const FigureOptions& options);

/// As a document of its own. Equal figures give equal bytes.
[[nodiscard]] std::string schedule_svg(const ScheduleFigure& figure);

/// As a LaTeX document of its own, of which \input takes the picture alone.
[[nodiscard]] std::string schedule_tikz(const ScheduleFigure& figure);

}  // namespace makespan
