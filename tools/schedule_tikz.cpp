#include <algorithm>
#include <fmt/format.h>

#include "tools/schedule_figure.h"

namespace makespan {

namespace {

/// Texts hold nothing that TeX reads as its own but these.
std::string escaped(std::string_view text) {
  constexpr std::string_view kMicro = "µ";
  std::string result;
  while (!text.empty()) {
    if (text.starts_with(kMicro)) {
      result += "\\ensuremath{\\mu}";
      text.remove_prefix(kMicro.size());
      continue;
    }
    if (std::string_view("%&#_$").find(text.front()) != std::string_view::npos) {
      result += '\\';
    }
    result += text.front();
    text.remove_prefix(1);
  }
  return result;
}

/// Hexadecimal digits as xcolor wants them.
std::string upper(std::string digits) {
  std::transform(digits.begin(), digits.end(), digits.begin(),
                 [](char digit) { return static_cast<char>(digit >= 'a' ? digit - 'a' + 'A' : digit); });
  return digits;
}

/// Before \begin{document}, LaTeX has \@nodocument complain; behind it that is \relax.
constexpr std::string_view kHead =
    R"(% Compiles as it is. In a document that loads tikz, \input takes the picture alone.
% To restyle it, change the colours, the styles and \makespanbox{style}{x}{y}{width}{height}{number}.
\expandafter\ifx\csname @nodocument\endcsname\relax
  \let\makespanend\relax
\else
  \documentclass[border=1bp]{standalone}
  \usepackage{tikz}
  \def\makespanend{\end{document}}
  \begin{document}
\fi
)";

std::string font(double size) {
  return fmt::format("\\sffamily\\fontsize{{{}}}{{{}}}\\selectfont", size, size + 1);
}

std::string styles(const ScheduleFigure& figure) {
  std::string text = fmt::format(
      "\\begin{{tikzpicture}}[x=1bp,y=-1bp,line width=0.5bp,\n"
      "  every node/.style={{inner sep=0pt,font={}}},\n"
      "  makespan number/.style={{font={}}},\n",
      font(figure.text_size), font(figure.number_size));
  for (const FigureFill& fill : figure.fills) {
    text += fmt::format("  makespan {0}/.style={{fill=makespan{0},text={1}}},\n", fill.name,
                        fill.has_white_text ? "white" : "black");
  }
  text += fmt::format(
      "  makespan pair/.style={{line width={:.3f}bp}},\n"
      "  makespan message/.style={{makespanmessage,->,>=stealth}}]\n",
      2 * figure.stroke);
  for (const FigureFill& fill : figure.fills) {
    text += fmt::format("\\definecolor{{makespan{}}}{{HTML}}{{{}}}\n", fill.name, upper(fill.colour));
  }
  return text + "\\definecolor{makespanmessage}{HTML}{8C2D19}\n" +
         fmt::format(
             "\\def\\makespanbox#1#2#3#4#5#6{{\\path[#1,draw,line width={:.3f}bp] (#2,#3) rectangle +(#4,#5) "
             "node[midway,makespan number]{{#6}};}}\n",
             figure.stroke);
}

std::string box(const ScheduleFigure& figure, const FigureBox& box) {
  return fmt::format("\\makespanbox{{makespan {}}}{{{:.3f}}}{{{:.3f}}}{{{:.3f}}}{{{:.3f}}}{{{}}}\n",
                     figure.fills[box.fill].name, box.x, box.y, box.width, box.height, box.number);
}

std::string line(const FigureLine& line, std::string_view style) {
  return fmt::format("\\draw[{}] ({:.3f},{:.3f}) -- ({:.3f},{:.3f});\n", style, line.x1, line.y1, line.x2,
                     line.y2);
}

}  // namespace

std::string schedule_tikz(const ScheduleFigure& figure) {
  std::string text = fmt::format("% {}\n% {}\n", figure.title, figure.description);
  text += kHead;
  text += styles(figure);
  text += fmt::format("\\path[use as bounding box] (0,0) rectangle ({:.3f},{:.3f});\n", figure.width,
                      figure.height);
  for (const FigureBox& compute : figure.boxes) {
    text += box(figure, compute);
  }
  for (const FigureBox& pair : figure.pairs) {
    text += fmt::format("\\draw[makespan pair] ({:.3f},{:.3f}) rectangle +({:.3f},{:.3f});\n", pair.x, pair.y,
                        pair.width, pair.height);
  }
  for (const FigureLine& message : figure.messages) {
    text += line(message, "makespan message");
  }
  for (const FigureLine& mark : figure.axis) {
    text += line(mark, "");
  }
  for (const FigureBox& swatch : figure.swatches) {
    text += box(figure, swatch);
  }
  for (const FigureText& words : figure.texts) {
    text += fmt::format("\\node[anchor={}] at ({:.3f},{:.3f}) {{{}}};\n",
                        words.anchor == Anchor::start    ? "base west"
                        : words.anchor == Anchor::middle ? "base"
                                                         : "base east",
                        words.x, words.y, escaped(words.text));
  }
  return text + "\\end{tikzpicture}%\n\\makespanend\n";
}

}  // namespace makespan
