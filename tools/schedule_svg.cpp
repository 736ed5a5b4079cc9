#include <fmt/format.h>

#include "tools/schedule_figure.h"
#include "tools/svg.h"

namespace makespan {

namespace {

std::string rectangle(const FigureBox& box, std::string_view kind, const FigureFill& fill) {
  return fmt::format(
      "<rect class=\"{} {}\" x=\"{:.3f}\" y=\"{:.3f}\" width=\"{:.3f}\" height=\"{:.3f}\" fill=\"#{}\"", kind,
      fill.name, box.x, box.y, box.width, box.height, fill.colour);
}

std::string boxes(const ScheduleFigure& figure) {
  std::string text = fmt::format("<g stroke=\"#1a1a1a\" stroke-width=\"{:.3f}\">\n", figure.stroke);
  for (const FigureBox& box : figure.boxes) {
    text += fmt::format("{}><title>{}</title></rect>\n", rectangle(box, "compute", figure.fills[box.fill]),
                        xml_escaped(box.title));
  }
  text += "</g>\n";
  if (!figure.pairs.empty()) {
    text += fmt::format("<g fill=\"none\" stroke=\"#000000\" stroke-width=\"{:.3f}\">\n", 2 * figure.stroke);
    for (const FigureBox& box : figure.pairs) {
      text += fmt::format("<path class=\"pair\" d=\"M{:.3f} {:.3f}h{:.3f}v{:.3f}h{:.3f}z\"/>\n", box.x, box.y,
                          box.width, box.height, -box.width);
    }
    text += "</g>\n";
  }
  return text;
}

std::string numbers(const ScheduleFigure& figure) {
  constexpr double kRaise = 0.36;
  std::string text = fmt::format("<g font-size=\"{}\" text-anchor=\"middle\">\n", figure.number_size);
  for (const FigureBox& box : figure.boxes) {
    if (!box.number.empty()) {
      text += fmt::format("<text class=\"number\" x=\"{:.3f}\" y=\"{:.3f}\"{}>{}</text>\n",
                          box.x + box.width / 2, box.y + box.height / 2 + kRaise * figure.number_size,
                          figure.fills[box.fill].has_white_text ? " fill=\"#ffffff\"" : "", box.number);
    }
  }
  return text + "</g>\n";
}

std::string messages(const ScheduleFigure& figure) {
  if (figure.messages.empty()) {
    return "";
  }
  std::string text =
      "<defs><marker id=\"makespan-head\" viewBox=\"0 0 4 4\" refX=\"4\" refY=\"2\" markerWidth=\"3.2\" "
      "markerHeight=\"3.2\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L4 2L0 4z\" "
      "fill=\"#8c2d19\"/></marker></defs>\n"
      "<g stroke=\"#8c2d19\" stroke-width=\"0.5\">\n";
  for (const FigureLine& line : figure.messages) {
    text += fmt::format(
        "<line class=\"message\" x1=\"{:.3f}\" y1=\"{:.3f}\" x2=\"{:.3f}\" y2=\"{:.3f}\" "
        "marker-end=\"url(#makespan-head)\"/>\n",
        line.x1, line.y1, line.x2, line.y2);
  }
  return text + "</g>\n";
}

std::string axis(const ScheduleFigure& figure) {
  std::string text = "<g stroke=\"#1a1a1a\" stroke-width=\"0.5\">\n";
  for (const FigureLine& line : figure.axis) {
    text += fmt::format("<line class=\"axis\" x1=\"{:.3f}\" y1=\"{:.3f}\" x2=\"{:.3f}\" y2=\"{:.3f}\"/>\n",
                        line.x1, line.y1, line.x2, line.y2);
  }
  return text + "</g>\n";
}

std::string legend(const ScheduleFigure& figure) {
  std::string text = "<g stroke=\"#1a1a1a\" stroke-width=\"0.4\">\n";
  for (const FigureBox& box : figure.swatches) {
    text += rectangle(box, "swatch", figure.fills[box.fill]) + "/>\n";
  }
  return text + "</g>\n";
}

}  // namespace

std::string schedule_svg(const ScheduleFigure& figure) {
  return svg_document(figure.title, figure.description, figure.width, figure.height,
                      boxes(figure) + numbers(figure) + messages(figure) + axis(figure) + legend(figure) +
                          svg_texts(figure.texts, figure.text_size));
}

}  // namespace makespan
