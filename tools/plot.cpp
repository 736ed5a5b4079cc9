#include "tools/plot.h"

#include <filesystem>
#include <fmt/format.h>
#include <set>

#include "core/error.h"
#include "tools/svg.h"
#include "tools/tikz.h"

namespace makespan {

namespace {

constexpr std::string_view kInk = "1a1a1a";
constexpr std::string_view kFaint = "d9d9d9";
constexpr double kMark = 2.5;
constexpr double kLine = 9.5;    ///< from one line of text to the next
constexpr double kRaise = 0.36;  ///< of the size: from the middle of a digit to its baseline

std::string svg_path(const PlotPath& path) {
  std::string line;
  for (std::size_t i = 0; i < path.points.size(); ++i) {
    const auto& [x, y] = path.points[i];
    if (i > 0 && path.points[i - 1].second == y) {
      line += fmt::format("H{:.2f}", x);
    } else if (i > 0 && path.points[i - 1].first == x) {
      line += fmt::format("V{:.2f}", y);
    } else {
      line += fmt::format("{}{:.2f} {:.2f}", i == 0 ? 'M' : 'L', x, y);
    }
  }
  const auto paint = [](const std::string& colour) { return colour.empty() ? "none" : "#" + colour; };
  std::string text = fmt::format("<path class=\"{}\" d=\"{}{}\" fill=\"{}\" stroke=\"{}\"", path.kind, line,
                                 path.fill.empty() ? "" : "z", paint(path.fill), paint(path.stroke));
  if (!path.stroke.empty()) {
    text += fmt::format(" stroke-width=\"{}\"", path.line_width);
    text += path.dash == Dash::dashed   ? " stroke-dasharray=\"4 2\""
            : path.dash == Dash::dotted ? " stroke-dasharray=\"1 1.5\""
                                        : "";
  }
  return text +
         (path.title.empty() ? "/>\n" : fmt::format("><title>{}</title></path>\n", xml_escaped(path.title)));
}

std::string tikz_path(const PlotPath& path) {
  std::string text = "\\path[";
  if (!path.fill.empty()) {
    text += fmt::format("fill=makespan{},", path.fill);
  }
  if (!path.stroke.empty()) {
    text += fmt::format("draw=makespan{},line width={}bp,", path.stroke, path.line_width);
    text += path.dash == Dash::dashed   ? "dash pattern=on 4bp off 2bp,"
            : path.dash == Dash::dotted ? "dash pattern=on 1bp off 1.5bp,"
                                        : "";
  }
  text += "line join=round] ";
  constexpr std::size_t kPerLine = 8;  // TeX reads lines into a buffer
  for (std::size_t i = 0; i < path.points.size(); ++i) {
    const auto& [x, y] = path.points[i];
    text += fmt::format("{}({:.2f},{:.2f})", i == 0 ? "" : i % kPerLine == 0 ? "\n -- " : " -- ", x, y);
  }
  return text + (path.fill.empty() ? ";\n" : " -- cycle;\n");
}

double height_of(const PlotAxes& axes, double most, const AxisStep& step, std::int64_t mark) {
  return axes.bottom - (axes.bottom - axes.top) * static_cast<double>(mark) * step.units / most;
}

bool is_tikz(const std::string& path) {
  return std::filesystem::path(path).extension() == ".tex";
}

}  // namespace

std::string plot_svg(const Plot& plot) {
  std::string body;
  for (const PlotPath& path : plot.paths) {
    body += svg_path(path);
  }
  return svg_document(plot.title, plot.description, plot.width, plot.height,
                      body + svg_texts(plot.texts, kFigureTextSize));
}

std::string plot_tikz(const Plot& plot) {
  std::set<std::string> colours;
  std::string body;
  for (const PlotPath& path : plot.paths) {
    body += tikz_path(path);
    colours.insert({path.fill, path.stroke});
  }
  colours.erase("");
  std::string definitions;
  for (const std::string& colour : colours) {
    definitions += tikz_colour("makespan" + colour, colour);
  }
  return tikz_document({.title = plot.title,
                        .description = plot.description,
                        .restyle = "the colours",
                        .styles = "  line cap=round",
                        .definitions = definitions,
                        .body = body + tikz_texts(plot.texts),
                        .width = plot.width,
                        .height = plot.height});
}

void require_plot_name(const std::string& path, const std::string& option) {
  if (!is_tikz(path) && std::filesystem::path(path).extension() != ".svg") {
    throw InputError({}, option, fmt::format("'{}' ends neither in .svg nor in .tex", path),
                     "the extension chooses between SVG and TikZ");
  }
}

std::string plot_text(const Plot& plot, const std::string& path, const std::string& option) {
  require_plot_name(path, option);
  return is_tikz(path) ? plot_tikz(plot) : plot_svg(plot);
}

void add_grid(Plot& plot, const PlotAxes& axes, double most, const AxisStep& step) {
  for (std::int64_t mark = 1; mark <= step.marks; ++mark) {
    const double y = height_of(axes, most, step, mark);
    plot.paths.push_back(
        {.kind = "grid", .stroke = std::string(kFaint), .points = {{axes.left, y}, {axes.right, y}}});
  }
}

void add_vertical_axis(Plot& plot, const PlotAxes& axes, double most, const AxisStep& step,
                       const std::string& unit) {
  for (std::int64_t mark = 0; mark <= step.marks; ++mark) {
    const double y = height_of(axes, most, step, mark);
    plot.paths.push_back(
        {.kind = "axis", .stroke = std::string(kInk), .points = {{axes.left - kMark, y}, {axes.left, y}}});
    plot.texts.push_back(
        {axes.left - kMark - 1.5, y + kRaise * kFigureTextSize, Anchor::end, step.label(mark) + unit});
  }
  plot.paths.push_back(
      {.kind = "axis",
       .stroke = std::string(kInk),
       .points = {{axes.left, axes.top}, {axes.left, axes.bottom}, {axes.right, axes.bottom}}});
}

double add_legend(Plot& plot, const std::vector<LegendEntry>& entries, double left, double right, double y) {
  constexpr double kBetween = 8;
  constexpr double kGap = 2.5;
  double at = left;
  for (const LegendEntry& entry : entries) {
    const double before_text = entry.sign.empty() ? 0 : entry.sign_width + kGap;
    const double needed = before_text + text_width(entry.text, kFigureTextSize);
    if (at > left && at + needed > right) {
      at = left;
      y += kLine;
    }
    for (PlotPath path : entry.sign) {
      for (auto& [sign_x, sign_y] : path.points) {
        sign_x += at;
        sign_y += y - kRaise * kFigureTextSize;
      }
      path.kind = "legend";
      plot.paths.push_back(std::move(path));
    }
    plot.texts.push_back({at + before_text, y, Anchor::start, entry.text});
    at += needed + kBetween;
  }
  return y;
}

}  // namespace makespan
