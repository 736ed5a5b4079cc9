#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tools/figure.h"

namespace makespan {

/// Fit for the text and the attributes of XML. Control characters become blanks.
[[nodiscard]] std::string xml_escaped(std::string_view text);

[[nodiscard]] std::string svg_texts(std::span<const FigureText> texts, double size);

/// A document of so many points, white, with `body` in it. It names fonts and holds none.
[[nodiscard]] std::string svg_document(std::string_view title, std::string_view description, double width,
                                       double height, std::string_view body);

}  // namespace makespan
