#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace makespan {

/// Cells of text. The first column holds names and is set flush left, the others hold numbers and are set
/// flush right.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  ///< each as long as the header
};

/// Names for one line of a table, a title or a comment: control characters become blanks.
[[nodiscard]] std::string one_line(std::string_view text);
/// One line that LaTeX shows as it is, in the OT1 encoding too.
[[nodiscard]] std::string tex_escaped(std::string_view text);

/// Aligned for reading, two blanks between columns.
[[nodiscard]] std::string text_table(const Table& table);
/// RFC 4180, with LF. A cell that a spreadsheet would take for a formula gets an apostrophe in front, numbers
/// do not.
[[nodiscard]] std::string csv_table(const Table& table);
/// GitHub's Markdown.
[[nodiscard]] std::string markdown_table(const Table& table);
/// A tabular environment with booktabs rules.
[[nodiscard]] std::string latex_table(const Table& table);

}  // namespace makespan
