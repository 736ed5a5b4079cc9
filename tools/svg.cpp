#include "tools/svg.h"

#include <fmt/format.h>

namespace makespan {

std::string xml_escaped(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
    }
  }
  return result;
}

std::string svg_texts(std::span<const FigureText> texts, double size) {
  std::string result = fmt::format("<g font-size=\"{}\">\n", size);
  for (const FigureText& line : texts) {
    result += fmt::format("<text x=\"{:.3f}\" y=\"{:.3f}\"{}>{}</text>\n", line.x, line.y,
                          line.anchor == Anchor::start    ? ""
                          : line.anchor == Anchor::middle ? " text-anchor=\"middle\""
                                                          : " text-anchor=\"end\"",
                          xml_escaped(line.text));
  }
  return result + "</g>\n";
}

std::string svg_document(std::string_view title, std::string_view description, double width, double height,
                         std::string_view body) {
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.3f}pt\" height=\"{1:.3f}pt\" "
      "viewBox=\"0 0 {0:.3f} {1:.3f}\" role=\"img\" aria-labelledby=\"makespan-title "
      "makespan-description\" font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\">\n"
      "<title id=\"makespan-title\">{2}</title>\n"
      "<desc id=\"makespan-description\">{3}</desc>\n"
      "<path d=\"M0 0h{0:.3f}v{1:.3f}h-{0:.3f}z\" fill=\"#ffffff\"/>\n"
      "{4}</svg>\n",
      width, height, xml_escaped(title), xml_escaped(description), body);
}

}  // namespace makespan
