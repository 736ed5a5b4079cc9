#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tools/figure.h"

namespace makespan {

/// A picture that LaTeX compiles by itself and of which \input takes the picture alone. `restyle` says, after
/// "To restyle it, change", what its top has; `styles` are further options of the picture.
struct TikzPicture {
  std::string title;
  std::string description;
  std::string restyle;
  std::string styles;
  std::string definitions;
  std::string body;
  double width = 0;
  double height = 0;
  double text_size = kFigureTextSize;
};

[[nodiscard]] std::string tikz_document(const TikzPicture& picture);

/// Sets the font and the size.
[[nodiscard]] std::string tikz_font(double size);

/// \definecolor, of six hexadecimal digits.
[[nodiscard]] std::string tikz_colour(std::string_view name, std::string_view colour);

[[nodiscard]] std::string tikz_line(const FigureLine& line, std::string_view style);
[[nodiscard]] std::string tikz_texts(std::span<const FigureText> texts);

}  // namespace makespan
