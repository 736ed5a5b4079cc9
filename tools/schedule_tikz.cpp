#include <fmt/format.h>

#include "tools/schedule_figure.h"
#include "tools/tikz.h"

namespace makespan {

namespace {

std::string styles(const ScheduleFigure& figure) {
  std::string text = fmt::format("  makespan number/.style={{font={}}},\n", tikz_font(figure.number_size));
  for (const FigureFill& fill : figure.fills) {
    text += fmt::format("  makespan {0}/.style={{fill=makespan{0},text={1}}},\n", fill.name,
                        fill.has_white_text ? "white" : "black");
  }
  return text + fmt::format(
                    "  makespan pair/.style={{line width={:.3f}bp}},\n"
                    "  makespan message/.style={{makespanmessage,->,>=stealth}}",
                    2 * figure.stroke);
}

std::string definitions(const ScheduleFigure& figure) {
  std::string text;
  for (const FigureFill& fill : figure.fills) {
    text += tikz_colour("makespan" + fill.name, fill.colour);
  }
  return text + tikz_colour("makespanmessage", "8c2d19") +
         fmt::format(
             "\\def\\makespanbox#1#2#3#4#5#6{{\\path[#1,draw,line width={:.3f}bp] (#2,#3) rectangle +(#4,#5) "
             "node[midway,makespan number]{{#6}};}}\n",
             figure.stroke);
}

std::string box(const ScheduleFigure& figure, const FigureBox& box) {
  return fmt::format("\\makespanbox{{makespan {}}}{{{:.3f}}}{{{:.3f}}}{{{:.3f}}}{{{:.3f}}}{{{}}}\n",
                     figure.fills[box.fill].name, box.x, box.y, box.width, box.height, box.number);
}

std::string body(const ScheduleFigure& figure) {
  std::string text;
  for (const FigureBox& compute : figure.boxes) {
    text += box(figure, compute);
  }
  for (const FigureBox& pair : figure.pairs) {
    text += fmt::format("\\draw[makespan pair] ({:.3f},{:.3f}) rectangle +({:.3f},{:.3f});\n", pair.x, pair.y,
                        pair.width, pair.height);
  }
  for (const FigureLine& message : figure.messages) {
    text += tikz_line(message, "makespan message");
  }
  for (const FigureLine& mark : figure.axis) {
    text += tikz_line(mark, "");
  }
  for (const FigureBox& swatch : figure.swatches) {
    text += box(figure, swatch);
  }
  return text + tikz_texts(figure.texts);
}

}  // namespace

std::string schedule_tikz(const ScheduleFigure& figure) {
  return tikz_document(
      {.title = figure.title,
       .description = figure.description,
       .restyle = "the colours, the styles and \\makespanbox{style}{x}{y}{width}{height}{number}",
       .styles = styles(figure),
       .definitions = definitions(figure),
       .body = body(figure),
       .width = figure.width,
       .height = figure.height,
       .text_size = figure.text_size});
}

}  // namespace makespan
