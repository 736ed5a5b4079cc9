#include "tools/table.h"

#include <algorithm>
#include <array>
#include <functional>
#include <string_view>
#include <utility>

namespace makespan {

namespace {

/// Code points: the cells are UTF-8, and what columns count is characters.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::vector<std::size_t> widths(const Table& table) {
  std::vector<std::size_t> result(table.header.size(), 0);
  const auto grow = [&result](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      result[i] = std::max(result[i], characters(row[i]));
    }
  };
  grow(table.header);
  std::for_each(table.rows.begin(), table.rows.end(), grow);
  return result;
}

/// The row with its cells padded to `widths` (none when empty), changed by `escape` and joined by
/// `separator`.
std::string join(const std::vector<std::string>& row, const std::vector<std::size_t>& widths,
                 std::string_view separator, const std::function<std::string(const std::string&)>& escape) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::size_t width = widths.empty() ? 0 : widths[i];
    const std::string padding(width > characters(row[i]) ? width - characters(row[i]) : 0, ' ');
    line += i == 0 ? "" : separator;
    line += i == 0 ? escape(row[i]) + padding : padding + escape(row[i]);
  }
  return line;
}

bool is_number(const std::string& cell) {
  return !cell.empty() && cell.find_first_not_of("0123456789+-.eE") == std::string::npos;
}

std::string csv_cell(const std::string& cell) {
  static constexpr std::string_view kFormula = "=+-@\t\r";
  std::string text = cell;
  if (!text.empty() && kFormula.find(text.front()) != std::string_view::npos && !is_number(text)) {
    text.insert(0, 1, '\'');
  }
  if (text.find_first_of(",\"\n\r") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c == '"' ? "\"\"" : std::string(1, c);
  }
  return quoted + '"';
}

std::string markdown_cell(const std::string& cell) {
  std::string text;
  for (const char c : one_line(cell)) {
    text += c == '|' ? "\\|" : std::string(1, c);
  }
  return text;
}

}  // namespace

std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(),
      [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7F;
      },
      ' ');
  return line;
}

std::string tex_escaped(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kWritten = {
      {{"%", "\\%"},
       {"&", "\\&"},
       {"#", "\\#"},
       {"_", "\\_"},
       {"$", "\\$"},
       {"{", "\\{"},
       {"}", "\\}"},
       {"\\", "\\textbackslash{}"},
       {"^", "\\^{}"},
       {"~", "\\~{}"},
       {"<", "\\textless{}"},
       {">", "\\textgreater{}"},
       {"|", "\\textbar{}"},
       {"µ", "\\ensuremath{\\mu}"}}};
  const std::string line = one_line(text);
  std::string result;
  for (std::string_view rest = line; !rest.empty();) {
    const auto* const found = std::find_if(kWritten.begin(), kWritten.end(), [&](const auto& written) {
      return rest.starts_with(written.first);
    });
    result += found == kWritten.end() ? rest.substr(0, 1) : found->second;
    rest.remove_prefix(found == kWritten.end() ? 1 : found->first.size());
  }
  return result;
}

std::string text_table(const Table& table) {
  const std::vector<std::size_t> columns = widths(table);
  std::string text = join(table.header, columns, "  ", one_line) + '\n';
  for (const auto& row : table.rows) {
    text += join(row, columns, "  ", one_line) + '\n';
  }
  return text;
}

std::string csv_table(const Table& table) {
  std::string text = join(table.header, {}, ",", csv_cell) + '\n';
  for (const auto& row : table.rows) {
    text += join(row, {}, ",", csv_cell) + '\n';
  }
  return text;
}

std::string markdown_table(const Table& table) {
  std::string text = "| " + join(table.header, {}, " | ", markdown_cell) + " |\n|";
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    text += i == 0 ? " --- |" : " ---: |";
  }
  text += '\n';
  for (const auto& row : table.rows) {
    text += "| " + join(row, {}, " | ", markdown_cell) + " |\n";
  }
  return text;
}

std::string latex_table(const Table& table) {
  const std::string columns = "l" + std::string(table.header.empty() ? 0 : table.header.size() - 1, 'r');
  std::string text = "\\begin{tabular}{" + columns + "}\n\\toprule\n";
  text += join(table.header, {}, " & ", tex_escaped) + " \\\\\n\\midrule\n";
  for (const auto& row : table.rows) {
    text += join(row, {}, " & ", tex_escaped) + " \\\\\n";
  }
  return text + "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace makespan
