#include "tools/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <set>

namespace makespan {

namespace {

class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& name) : text_(text), name_(name) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.starts_with(kByteOrderMark)) {
      text_.remove_prefix(kByteOrderMark.size());
    }
  }

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }

  /// The whole line if it starts with '#'.
  bool take_comment(std::string& comment) {
    if (at_end() || text_[at_] != '#') {
      return false;
    }
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    comment += (comment.empty() ? "" : "\n") + std::string(text_.substr(at_ + 1, end - at_ - 1));
    at_ = std::min(end + 1, text_.size());
    ++line_;
    return true;
  }

  CsvRow take_row() {
    CsvRow row{line_, {}};
    do {
      row.cells.push_back(take_cell());
    } while (take(','));
    take('\r');
    if (!at_end() && !take('\n')) {
      fail("text behind a closing quote");
    }
    ++line_;
    return row;
  }

  [[noreturn]] void fail(const std::string& what) const { throw InputError({name_, line_, 0}, {}, what); }

 private:
  bool take(char c) {
    const bool is_next = !at_end() && text_[at_] == c;
    at_ += is_next ? 1 : 0;
    return is_next;
  }

  std::string take_cell() {
    if (take('"')) {
      return take_quoted();
    }
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string cell(text_.substr(at_, end - at_));
    at_ = end;
    return cell;
  }

  std::string take_quoted() {
    const int first_line = line_;
    std::string cell;
    while (!at_end()) {
      const char c = text_[at_++];
      if (c == '"' && !take('"')) {
        return cell;
      }
      line_ += c == '\n' ? 1 : 0;
      cell += c;
    }
    line_ = first_line;
    fail("the quote is never closed");
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  int line_ = 1;
};

bool is_blank(const CsvRow& row) {
  return row.cells.size() == 1 && row.cells.front().find_first_not_of(" \t") == std::string::npos;
}

}  // namespace

bool CsvFile::has(std::string_view column) const {
  return std::find(header.cells.begin(), header.cells.end(), column) != header.cells.end();
}

const std::string& CsvFile::cell(const CsvRow& row, std::string_view column) const {
  const auto found = std::find(header.cells.begin(), header.cells.end(), column);
  MAKESPAN_CHECK(found != header.cells.end(), "the kind of the table was told by its columns");
  return row.cells[static_cast<std::size_t>(found - header.cells.begin())];
}

double CsvFile::number(const CsvRow& row, std::string_view column, double least) const {
  const std::string& text = cell(row, column);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < least) {
    throw InputError(location(row), std::string(column), "'" + text + "' is not a number in range",
                     "a finite number from " + std::to_string(least) + " on");
  }
  return value;
}

std::int64_t CsvFile::whole(const CsvRow& row, std::string_view column, std::int64_t least) const {
  const std::string& text = cell(row, column);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least) {
    throw InputError(location(row), std::string(column), "'" + text + "' is not a whole number in range",
                     "from " + std::to_string(least) + " on");
  }
  return value;
}

CsvFile parse_csv(std::string_view text, const std::string& name) {
  CsvFile file;
  file.name = name;
  CsvReader reader(text, name);
  while (reader.take_comment(file.comment)) {
  }
  while (!reader.at_end()) {
    CsvRow row = reader.take_row();
    if (is_blank(row)) {
      continue;
    }
    if (file.header.cells.empty()) {
      file.header = std::move(row);
      std::set<std::string> names;
      for (const std::string& column : file.header.cells) {
        if (!names.insert(column).second) {
          throw InputError(file.location(file.header), {}, "the column '" + column + "' is there twice");
        }
      }
    } else if (row.cells.size() != file.header.cells.size()) {
      throw InputError(file.location(row), {},
                       "the row has " + std::to_string(row.cells.size()) + " cells, the header " +
                           std::to_string(file.header.cells.size()));
    } else {
      file.rows.push_back(std::move(row));
    }
  }
  if (file.header.cells.empty()) {
    throw InputError({name, 0, 0}, {}, "is empty: a table starts with its header");
  }
  return file;
}

}  // namespace makespan
