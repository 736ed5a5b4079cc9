#include "network/import_smi_matrix.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "core/text.h"

namespace makespan {

namespace {

constexpr std::size_t kMaxDevices = 512;
constexpr int kMaxNvlinks = 72;
constexpr char kEscape = '\x1b';
constexpr std::size_t kEnd = ~std::size_t{0};

constexpr std::array<std::string_view, 8> kDistances = {"PIX", "PXB", "PHB",     "NODE",
                                                        "SYS", "NV#", "unknown", "X"};

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_gpu_name(std::string_view word) {
  return word.starts_with("GPU") && is_number(word.substr(3));
}

/// What the header has after the devices.
bool begins_affinities(std::string_view word) {
  return word == "CPU" || word == "NUMA" || word == "GPU";
}

std::optional<SmiCell> cell_of(std::string_view word) {
  if (word == "X") {
    return SmiCell{SmiDistance::self};
  }
  if (word == "SOC") {  // before driver 384
    return SmiCell{SmiDistance::sys};
  }
  if (word.starts_with("NV") && is_number(word.substr(2))) {
    const auto links = whole_number(word.substr(2));
    return links && *links >= 1 && *links <= kMaxNvlinks
               ? std::optional(SmiCell{SmiDistance::nvlink, static_cast<int>(*links)})
               : std::nullopt;
  }
  const auto* const found = std::find(kDistances.begin(), kDistances.begin() + 5, word);
  return found == kDistances.begin() + 5
             ? std::nullopt
             : std::optional(SmiCell{static_cast<SmiDistance>(found - kDistances.begin())});
}

/// Length of the code for a terminal (ESC [ 4 m) at the start of `text`; at least the escape itself.
std::size_t code_length(std::string_view text) {
  if (text.substr(1, 1) != "[") {
    return 1;
  }
  const std::size_t end = std::min(text.find_first_not_of("0123456789;", 2), text.size());
  return std::min(end + 1, text.size());
}

/// The words of a line; codes that colour or underline for a terminal separate words.
std::vector<std::string_view> printed_words(std::string_view line) {
  std::vector<std::string_view> found;
  for (;;) {
    const std::size_t code = line.find(kEscape);
    for (const std::string_view word : words(line.substr(0, code))) {
      found.push_back(word);
    }
    if (code == std::string_view::npos) {
      return found;
    }
    line.remove_prefix(code);
    line.remove_prefix(code_length(line));
  }
}

class MatrixReader {
 public:
  explicit MatrixReader(const SourceText& source) : source_(source) {
    for (const TextLine& line : source.lines()) {
      lines_.push_back(printed_words(line.text));
    }
  }

  SmiMatrix read() {
    std::size_t line = first_header_line();
    line = read_header(line);
    line = read_rows(line);
    check_rows(line);
    fill_other_half();
    read_nic_legend(line);
    return std::move(matrix_);
  }

 private:
  [[noreturn]] void fail(std::string_view word, const std::string& what, const std::string& hint) const {
    throw InputError(source_.at(word), {}, what, hint);
  }

  [[nodiscard]] bool is_row(const std::vector<std::string_view>& line) const {
    return line.size() > 1 && index_of(line[0]) && cell_of(line[1]);
  }

  [[nodiscard]] std::optional<std::size_t> index_of(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? std::nullopt : std::optional(found->second);
  }

  std::size_t first_header_line() const {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const auto& line = lines_[i];
      if (!line.empty() && is_gpu_name(line[0]) && (line.size() == 1 || !cell_of(line[1]))) {
        return i;
      }
    }
    throw InputError(source_.at(0), {}, "no line has the columns GPU0 GPU1 ...",
                     "what nvidia-smi topo -m prints, with its first line");
  }

  /// Names of devices, over as many lines as a terminal made of them.
  std::size_t read_header(std::size_t line) {
    bool has_ended = false;
    for (; line < lines_.size() && !is_row(lines_[line]); ++line) {
      for (const std::string_view word : lines_[line]) {
        has_ended = has_ended || (begins_affinities(word) && !matrix_.names.empty());
        if (has_ended) {
          prints_numa_ = prints_numa_ || word == "NUMA";
        } else {
          add_device(word);
        }
      }
    }
    matrix_.cells.resize(matrix_.size() * matrix_.size());
    matrix_.affinities.resize(matrix_.size());
    has_row_.resize(matrix_.size());
    return line;
  }

  void add_device(std::string_view word) {
    if (word.size() > 64 || !std::all_of(word.begin(), word.end(), is_name_letter)) {
      fail(word, in_quotes(word) + " is no name of a device", "1 to 64 printable letters");
    }
    if (!index_.emplace(word, matrix_.size()).second) {
      fail(word, "the column " + in_quotes(word) + " is there twice", "each device once");
    }
    if (matrix_.size() >= kMaxDevices) {
      fail(word, "more than " + std::to_string(kMaxDevices) + " devices", "the devices of one node");
    }
    matrix_.names.emplace_back(word);
    matrix_.is_gpu.push_back(is_gpu_name(word));
  }

  std::size_t read_rows(std::size_t line) {
    while (line < lines_.size() && (lines_[line].empty() || is_row(lines_[line]))) {
      line = lines_[line].empty() ? line + 1 : read_row(line);
    }
    return line;
  }

  /// One row, over as many lines as a terminal made of it.
  std::size_t read_row(std::size_t line) {
    const std::size_t row = *index_of(lines_[line][0]);
    if (has_row_[row]) {
      fail(lines_[line][0], "the row " + in_quotes(lines_[line][0]) + " is there twice", "each device once");
    }
    has_row_[row] = true;
    std::vector<std::string_view> found(lines_[line].begin() + 1, lines_[line].end());
    for (++line; line < lines_.size() && !lines_[line].empty() && !is_row(lines_[line]) &&
                 !ends_table(lines_[line], found.size());
         ++line) {
      found.insert(found.end(), lines_[line].begin(), lines_[line].end());
    }
    if (found.size() < matrix_.size()) {
      fail(found.back(), "the row of " + matrix_.names[row] + " ends after " + counted(found.size(), "cell"),
           std::to_string(matrix_.size()) + " cells, one for each column");
    }
    for (std::size_t column = 0; column < matrix_.size(); ++column) {
      set(row, column, found[column]);
    }
    read_affinity(row, {found.begin() + static_cast<std::ptrdiff_t>(matrix_.size()), found.end()});
    return line;
  }

  /// Whether a line that is no row belongs to what follows the table rather than to a row of `cells` words.
  [[nodiscard]] bool ends_table(const std::vector<std::string_view>& line, std::size_t cells) const {
    const auto is_affinity = [](std::string_view word) {
      return word == "N/A" || word.find_first_not_of("0123456789,-") == std::string_view::npos;
    };
    return cells >= matrix_.size() && !std::all_of(line.begin(), line.end(), is_affinity);
  }

  void set(std::size_t row, std::size_t column, std::string_view word) {
    const auto cell = cell_of(word);
    if (!cell) {
      constexpr std::array<std::string_view, 8> kKnown = {"X",   "NV1 to NV72", "PIX", "PXB",
                                                          "PHB", "NODE",        "SYS", "SOC"};
      fail(word, in_quotes(word) + " between " + matrix_.names[row] + " and " + matrix_.names[column],
           suggestion(word, kKnown));
    }
    if ((cell->distance == SmiDistance::self) != (row == column)) {
      fail(word, in_quotes(word) + " between " + matrix_.names[row] + " and " + matrix_.names[column],
           "X for a device and itself, and only there");
    }
    if (cell->distance == SmiDistance::nvlink && !(matrix_.is_gpu[row] && matrix_.is_gpu[column])) {
      fail(word, "NVLink between " + matrix_.names[row] + " and " + matrix_.names[column],
           "NVLink joins GPUs");
    }
    const SmiCell& other = matrix_.at(column, row);
    if (row != column && has_row_[column] &&
        (other.distance != cell->distance || other.nvlinks != cell->nvlinks)) {
      fail(word,
           in_quotes(word) + " between " + matrix_.names[row] + " and " + matrix_.names[column] +
               ", but something else in the row of the other",
           "the same in both");
    }
    matrix_.cells[row * matrix_.size() + column] = *cell;
  }

  /// "0-31,64-95  0  N/A": CPUs, then the NUMA node.
  void read_affinity(std::size_t row, const std::vector<std::string_view>& rest) {
    const std::size_t position = prints_numa_ && rest.size() > 1 && rest[1] != "N/A" ? 1 : 0;
    if (position < rest.size() && rest[position] != "N/A") {
      matrix_.affinities[row] = (position == 1 ? "NUMA " : "CPUs ") + std::string(rest[position]);
    }
  }

  /// `line` is the one after the table.
  void check_rows(std::size_t line) const {
    const auto rows_of = [this](bool gpus, bool present) {
      std::vector<std::string> names;
      for (std::size_t d = 0; d < matrix_.size(); ++d) {
        if (matrix_.is_gpu[d] == gpus && has_row_[d] == present) {
          names.push_back(matrix_.names[d]);
        }
      }
      return names;
    };
    const bool has_all_nics = rows_of(false, false).empty() || rows_of(false, true).empty();
    const std::vector<std::string> missing = has_all_nics ? rows_of(true, false) : rows_of(false, false);
    if (!missing.empty()) {
      throw InputError(line < lines_.size() ? source_.at(lines_[line].front()) : source_.at(kEnd), {},
                       "no row of " + listed(missing), "a row for each column; is the text cut off?");
    }
  }

  void fill_other_half() {
    for (std::size_t a = 0; a < matrix_.size(); ++a) {
      for (std::size_t b = 0; has_row_[a] && b < matrix_.size(); ++b) {
        if (!has_row_[b]) {
          matrix_.cells[b * matrix_.size() + a] = matrix_.at(a, b);
        }
      }
      matrix_.cells[a * matrix_.size() + a] = {SmiDistance::self};
    }
  }

  /// Lines such as "NIC0: mlx5_0" anywhere after the table.
  void read_nic_legend(std::size_t line) {
    for (; line < lines_.size(); ++line) {
      const auto& found = lines_[line];
      if (found.size() != 2 || !found[0].ends_with(':')) {
        continue;
      }
      const auto device = index_of(found[0].substr(0, found[0].size() - 1));
      if (!device || matrix_.is_gpu[*device]) {
        continue;
      }
      const bool is_name =
          found[1].size() <= 64 && std::all_of(found[1].begin(), found[1].end(), is_name_letter);
      if (!is_name || std::count(matrix_.names.begin(), matrix_.names.end(), found[1]) > 0) {
        fail(found[1], in_quotes(found[1]) + " in the NIC legend", "a name of its own for each NIC");
      }
      matrix_.names[*device] = std::string(found[1]);
    }
  }

  const SourceText& source_;
  std::vector<std::vector<std::string_view>> lines_;
  SmiMatrix matrix_;
  std::map<std::string_view, std::size_t> index_;
  std::vector<bool> has_row_;
  bool prints_numa_ = false;
};

}  // namespace

std::string_view to_string(SmiDistance distance) {
  return kDistances[static_cast<std::size_t>(distance)];
}

SmiMatrix read_smi_matrix(const SourceText& source) {
  return MatrixReader(source).read();
}

}  // namespace makespan
