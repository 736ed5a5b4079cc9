#include "network/nccl_tests_log.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/error.h"

namespace makespan {

namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr const char* kKeepApart =
    "keep NCCL's messages out of the table: NCCL_DEBUG_FILE names a file for them";

struct Token {
  std::string_view text;
  std::size_t column = 0;  ///< from 1
};

std::vector<Token> tokens_of(std::string_view line) {
  std::vector<Token> tokens;
  std::size_t at = line.find_first_not_of(kBlanks);
  while (at != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    tokens.push_back({line.substr(at, end - at), at + 1});
    at = line.find_first_not_of(kBlanks, end);
  }
  return tokens;
}

bool is_whole(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Whether a launcher puts `text` before the lines of a rank.
bool is_prefix(std::string_view text) {
  return (text.size() > 1 && text.ends_with(':') && is_whole(text.substr(0, text.size() - 1))) ||
         (text.starts_with('[') && text.find_first_not_of("[]0123456789,") == std::string_view::npos);
}

/// Takes away what a launcher puts before the lines of a rank, of which blanks may follow or not.
void drop_prefix(std::vector<Token>& tokens) {
  if (tokens.empty()) {
    return;
  }
  Token& first = tokens.front();
  const std::size_t tag = first.text.find("<stdout>:");
  if (first.text.starts_with('[') && tag != std::string_view::npos) {
    const std::size_t length = tag + std::string_view("<stdout>:").size();
    first = {first.text.substr(length), first.column + length};
  }
  if (first.text.empty() || is_prefix(first.text)) {
    tokens.erase(tokens.begin());
  }
}

/// Which columns of the table hold what, counted from the size.
struct Columns {
  std::size_t redop = 0;  ///< 0: there is none
  std::size_t time = 0;
  std::size_t count = 0;  ///< up to the bus bandwidth of the first block
};

/// The columns of a header; nothing when `tokens` are none.
std::optional<Columns> header_of(std::vector<Token> tokens) {
  if (!tokens.empty() && tokens.front().text == "#") {
    tokens.erase(tokens.begin());
  }
  const auto at = [&tokens](std::string_view name) {
    const auto found =
        std::find_if(tokens.begin(), tokens.end(), [&](const Token& token) { return token.text == name; });
    return static_cast<std::size_t>(found - tokens.begin());
  };
  const std::size_t time = std::min(at("time"), at("cputime"));
  if (at("size") != 0 || at("count") != 1 || time == tokens.size() || at("algbw") != time + 1 ||
      at("busbw") != time + 2) {
    return std::nullopt;
  }
  return Columns{at("redop") < time ? at("redop") : 0, time, time + 3};
}

class Log {
 public:
  explicit Log(const std::string& source) : source_(source) {}

  void take(std::string_view line) {
    ++line_;
    std::vector<Token> tokens = tokens_of(line);
    drop_prefix(tokens);
    take_rank(tokens);
    if (const std::optional<Columns> columns = header_of(tokens)) {
      take_header(tokens, *columns);
    } else if (tokens.size() > 1 && is_whole(tokens[0].text) && is_whole(tokens[1].text)) {
      take_row(tokens);
    } else if (columns_ && times_.empty() && !tokens.empty() && tokens.front().text == "#") {
      check_unit(tokens);
    }
  }

  [[nodiscard]] NcclTestsLog result() const {
    if (!columns_) {
      throw InputError({source_, 0, 0}, {}, "holds no table of nccl-tests",
                       "its header names size, count, type, time, algbw and busbw");
    }
    if (times_.empty()) {
      throw InputError({source_, header_line_, 1}, {}, "the table holds no out-of-place time");
    }
    NcclTestsLog result{.ranks = static_cast<int>(ranks_.size()), .nodes = static_cast<int>(hosts_.size())};
    for (const auto& [size, sum] : times_) {
      result.times.push_back({Bytes(size), time_from_seconds(sum.microseconds / sum.rows * 1e-6)});
    }
    return result;
  }

 private:
  struct Sum {
    double microseconds = 0;
    double rows = 0;
  };

  [[noreturn]] void fail(std::size_t column, const std::string& what, const std::string& hint = {}) const {
    throw InputError({source_, line_, static_cast<int>(column)}, {}, what, hint);
  }

  /// "#  Rank  1 Group  0 Pid  4711 on  host-a device  1 [0x41] NVIDIA A100"; early versions know no groups.
  void take_rank(const std::vector<Token>& tokens) {
    if (tokens.size() < 7 || tokens[0].text != "#" || tokens[1].text != "Rank" || columns_) {
      return;
    }
    const auto on =
        std::find_if(tokens.begin(), tokens.end() - 1, [](const Token& t) { return t.text == "on"; });
    const bool is_first = tokens[3].text != "Group" || tokens[4].text == "0";
    if (is_first && on != tokens.end() - 1) {
      ranks_.insert(std::string(tokens[2].text));
      hosts_.insert(std::string((on + 1)->text));
    }
  }

  void take_header(const std::vector<Token>& tokens, const Columns& columns) {
    if (columns_) {
      fail(tokens.front().column,
           "starts another table: the first began in line " + std::to_string(header_line_),
           "give the log of one run");
    }
    for (const Token& token : tokens) {
      if (token.text == "cputime") {
        fail(token.column, "the times are those of the CPU", "run nccl-tests without --report_cputime (-C)");
      }
    }
    columns_ = columns;
    header_line_ = line_;
  }

  /// The line of units below the header.
  void check_unit(const std::vector<Token>& tokens) const {
    const auto is_time = [](const Token& token) {
      return token.text == "(s)" || token.text == "(ms)" || token.text == "(ns)";
    };
    const auto other = std::find_if(tokens.begin(), tokens.end(), is_time);
    if (other != tokens.end()) {
      fail(other->column, "times in " + std::string(other->text) + " are not those of nccl-tests",
           "it prints microseconds, (us)");
    }
  }

  void take_row(const std::vector<Token>& tokens) {
    if (!columns_) {
      if (tokens.size() >= 6) {
        fail(tokens.front().column, "a row of numbers stands before the header of a table",
             "give the whole log: the header names the columns");
      }
      return;
    }
    std::size_t missing = 0;  // columns that are blank: gathers have no operation in early versions
    double number = 0;
    if (columns_->redop != 0 && columns_->redop < tokens.size() &&
        read_number(tokens[columns_->redop].text, number)) {
      missing = 1;
    }
    if (tokens.size() < columns_->count - missing) {
      fail(tokens.back().column, "the row is broken off", kKeepApart);
    }
    take_time(tokens.front(), tokens[columns_->time - missing]);
  }

  void take_time(const Token& size, const Token& time) {
    std::int64_t bytes = 0;
    const auto [end, error] = std::from_chars(size.text.data(), size.text.data() + size.text.size(), bytes);
    if (error != std::errc()) {
      fail(size.column, "the size is too large");
    }
    double microseconds = 0;
    if (bytes == 0 || time.text == "N/A") {
      return;
    }
    if (!read_number(time.text, microseconds)) {
      fail(time.column, "'" + std::string(time.text) + "' is not a time in microseconds", kKeepApart);
    }
    if (std::isnan(microseconds)) {
      return;
    }
    if (!(microseconds > 0 && microseconds < 1e12)) {
      fail(time.column, "a time of " + std::string(time.text) + " us", "above 0 and below 1e12");
    }
    Sum& sum = times_[bytes];
    sum.microseconds += microseconds;
    sum.rows += 1;
  }

  static bool read_number(std::string_view text, double& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
  }

  const std::string& source_;
  int line_ = 0;
  int header_line_ = 0;
  std::optional<Columns> columns_;
  std::map<std::int64_t, Sum> times_;  ///< by size
  std::set<std::string> ranks_;
  std::set<std::string> hosts_;
};

std::string group_text(std::size_t ranks, std::size_t nodes) {
  return std::to_string(ranks) + (ranks == 1 ? " rank on " : " ranks on ") + std::to_string(nodes) +
         (nodes == 1 ? " node" : " nodes");
}

}  // namespace

void take_log(CollectiveChoice& choice, NcclTestsLog log) {
  choice.measured = std::move(log.times);
  choice.measured_ranks = log.ranks;
  choice.measured_nodes = log.nodes;
}

std::string measured_mismatch(const CollectiveChoice& choice, std::size_t ranks, std::size_t nodes) {
  const auto measured_ranks = static_cast<std::size_t>(choice.measured_ranks);
  const auto measured_nodes = static_cast<std::size_t>(choice.measured_nodes);
  if (measured_ranks == 0 || (measured_ranks == ranks && measured_nodes == nodes)) {
    return {};
  }
  return "the times are those of " + group_text(measured_ranks, measured_nodes) + ", and are used for " +
         group_text(ranks, nodes);
}

NcclTestsLog parse_nccl_tests_log(std::string_view text, const std::string& source) {
  Log log(source);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    log.take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return log.result();
}

}  // namespace makespan
