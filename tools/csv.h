#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace makespan {

/// A row of a CSV file: its cells and the line that it starts in.
struct CsvRow {
  int line = 0;
  std::vector<std::string> cells;
};

/// A CSV file with a header. Lines before the header that start with '#' are kept as comments.
struct CsvFile {
  std::string name;  ///< what messages call it
  std::string comment;
  CsvRow header;
  std::vector<CsvRow> rows;  ///< each as long as the header

  [[nodiscard]] SourceLocation location(const CsvRow& row) const { return {name, row.line, 0}; }

  [[nodiscard]] bool has(std::string_view column) const;

  /// The cell of a column that the header has.
  [[nodiscard]] const std::string& cell(const CsvRow& row, std::string_view column) const;

  /// The cell as a finite number of at least `least`; throws InputError naming the column otherwise.
  [[nodiscard]] double number(const CsvRow& row, std::string_view column, double least) const;

  /// The cell as a whole number from `least` on; throws InputError naming the column otherwise.
  [[nodiscard]] std::int64_t whole(const CsvRow& row, std::string_view column, std::int64_t least) const;
};

/// Reads RFC 4180, with LF or CRLF; blank lines are skipped. Throws InputError for an open quote, text behind
/// a closing one, a missing header or a repeated column, and a row of another length than the header.
[[nodiscard]] CsvFile parse_csv(std::string_view text, const std::string& name);

}  // namespace makespan
