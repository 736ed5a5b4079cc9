#include "tools/tikz.h"

#include <algorithm>
#include <fmt/format.h>

#include "tools/table.h"

namespace makespan {

namespace {

/// Hexadecimal digits as xcolor wants them.
std::string upper(std::string digits) {
  std::transform(digits.begin(), digits.end(), digits.begin(),
                 [](char digit) { return static_cast<char>(digit >= 'a' ? digit - 'a' + 'A' : digit); });
  return digits;
}

/// Before \begin{document}, LaTeX has \@nodocument complain; behind it that is \relax.
constexpr std::string_view kHead =
    R"(\expandafter\ifx\csname @nodocument\endcsname\relax
  \let\makespanend\relax
\else
  \documentclass[border=1bp]{standalone}
  \usepackage{tikz}
  \def\makespanend{\end{document}}
  \begin{document}
\fi
)";

}  // namespace

std::string tikz_document(const TikzPicture& picture) {
  return fmt::format("% {}\n% {}\n", one_line(picture.title), one_line(picture.description)) +
         "% Compiles as it is. In a document that loads tikz, \\input takes the picture alone.\n" +
         fmt::format("% To restyle it, change {}.\n", picture.restyle) + std::string(kHead) +
         fmt::format(
             "\\begin{{tikzpicture}}[x=1bp,y=-1bp,line width=0.5bp,\n"
             "  every node/.style={{inner sep=0pt,font={}}},\n{}]\n",
             tikz_font(picture.text_size), picture.styles) +
         picture.definitions +
         fmt::format("\\path[use as bounding box] (0,0) rectangle ({:.3f},{:.3f});\n", picture.width,
                     picture.height) +
         picture.body + "\\end{tikzpicture}%\n\\makespanend\n";
}

std::string tikz_font(double size) {
  return fmt::format("\\sffamily\\fontsize{{{}}}{{{}}}\\selectfont", size, size + 1);
}

std::string tikz_colour(std::string_view name, std::string_view colour) {
  return fmt::format("\\definecolor{{{}}}{{HTML}}{{{}}}\n", name, upper(std::string(colour)));
}

std::string tikz_line(const FigureLine& line, std::string_view style) {
  return fmt::format("\\draw[{}] ({:.3f},{:.3f}) -- ({:.3f},{:.3f});\n", style, line.x1, line.y1, line.x2,
                     line.y2);
}

std::string tikz_texts(std::span<const FigureText> texts) {
  std::string result;
  for (const FigureText& words : texts) {
    result += fmt::format("\\node[anchor={}] at ({:.3f},{:.3f}) {{{}}};\n",
                          words.anchor == Anchor::start    ? "base west"
                          : words.anchor == Anchor::middle ? "base"
                                                           : "base east",
                          words.x, words.y, tex_escaped(words.text));
  }
  return result;
}

}  // namespace makespan
