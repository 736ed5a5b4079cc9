#include "network/import_ib_records.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "network/import_rates.h"

namespace makespan {

namespace {

constexpr int kMaxPorts = 4096;

/// Reads one line from left to right.
class LineReader {
 public:
  LineReader(const SourceText& source, const TextLine& line) : source_(source), line_(line) {}

  [[noreturn]] void fail(const std::string& expected) const {
    const std::string_view rest = line_.text.substr(at_);
    throw InputError(source_.at(line_.offset + at_), {},
                     rest.empty() ? "the line ends early" : "found " + in_quotes(rest), expected);
  }

  bool take(std::string_view literal) {
    const bool is_next = line_.text.substr(at_).starts_with(literal);
    at_ += is_next ? literal.size() : 0;
    return is_next;
  }

  void expect(std::string_view literal) {
    if (!take(literal)) {
      fail("'" + std::string(literal) + "'");
    }
  }

  void skip_blanks() { at_ = std::min(line_.text.find_first_not_of(" \t", at_), line_.text.size()); }

  int number(int most) {
    const std::size_t end = std::min(line_.text.find_first_not_of("0123456789", at_), line_.text.size());
    const auto value = whole_number(line_.text.substr(at_, end - at_));
    if (!value || *value < 1 || *value > most) {
      fail("a number from 1 to " + std::to_string(most));
    }
    at_ = end;
    return static_cast<int>(*value);
  }

  /// A port such as [35], with what chassis add: [ext 2].
  int port(int most) {
    expect("[");
    const int value = number(most);
    expect("]");
    skip_bracket("[ext ", ']');
    return value;
  }

  void skip_bracket(std::string_view start, char end) {
    if (take(start)) {
      const std::size_t close = line_.text.find(end, at_);
      if (close == std::string_view::npos) {
        fail("a closing bracket");
      }
      at_ = close + 1;
    }
  }

  /// "S-2c5eab0300b87b40" in quotes.
  std::string_view identifier() {
    expect("\"");
    const std::size_t end = line_.text.find('"', at_);
    const std::string_view found = line_.text.substr(at_, end == std::string_view::npos ? 0 : end - at_);
    const bool is_valid = found.size() > 2 && found.size() <= 64 && found[1] == '-' &&
                          std::string_view("SHR").find(found[0]) != std::string_view::npos &&
                          std::all_of(found.begin(), found.end(), is_name_letter);
    if (!is_valid) {
      fail("an identifier such as \"S-2c5eab0300b87b40\": S, H or R, and a GUID");
    }
    at_ = end + 1;
    return found;
  }

  /// What stands between the first and the last quote after the #; moves behind it.
  std::string_view description() {
    skip_blanks();
    expect("#");
    const std::size_t start = line_.text.find('"', at_);
    const std::size_t end = line_.text.rfind('"');
    if (start == std::string_view::npos || end <= start) {
      fail("a description in quotes");
    }
    at_ = end + 1;
    return line_.text.substr(start + 1, end - start - 1);
  }

  [[nodiscard]] std::vector<std::string_view> rest() const { return words(line_.text.substr(at_)); }

 private:
  const SourceText& source_;
  const TextLine& line_;
  std::size_t at_ = 0;
};

/// Of a word such as 4xNDR.
std::optional<double> bits_of(std::string_view word) {
  const std::size_t x = word.find('x');
  const auto lanes = whole_number(word.substr(0, x));
  if (x == std::string_view::npos || !lanes || *lanes < 1 || *lanes > 12) {
    return std::nullopt;
  }
  return infiniband_bits(static_cast<int>(*lanes), word.substr(x + 1));
}

class RecordReader {
 public:
  explicit RecordReader(const SourceText& source) : source_(source) {}

  std::vector<IbRecord> read() {
    for (const TextLine& line : source_.lines()) {
      read_line(line);
    }
    check_cables();
    return std::move(records_);
  }

 private:
  void read_line(const TextLine& line) {
    constexpr std::array<std::string_view, 9> kSkipped = {
        "vendid=", "devid=",   "sysimgguid=", "switchguid=",      "caguid=",
        "rtguid=", "Chassis ", "Hostname:",   "Non-Chassis Nodes"};
    const auto starts = [&](std::string_view prefix) { return line.text.starts_with(prefix); };
    if (words(line.text).empty() || starts("#") || std::any_of(kSkipped.begin(), kSkipped.end(), starts)) {
      return;
    }
    if (starts("[")) {
      read_port(line);
    } else {
      read_record(line);
    }
  }

  void read_record(const TextLine& line) {
    LineReader reader(source_, line);
    IbRecord record;
    record.kind = reader.take("Switch") ? 'S' : reader.take("Ca") ? 'H' : reader.take("Rt") ? 'R' : ' ';
    if (record.kind == ' ') {
      reader.fail("what ibnetdiscover prints: Switch, Ca, Rt, [port], vendid=, ...");
    }
    reader.skip_blanks();
    record.port_count = reader.number(kMaxPorts);
    reader.skip_blanks();
    record.identifier = reader.identifier();
    record.description = reader.description();
    record.line = line;
    const auto [first, is_first] = index_.emplace(record.identifier, records_.size());
    if (!is_first || record.identifier.front() != record.kind) {
      throw InputError(source_.at(record.identifier), {},
                       in_quotes(record.identifier) + (is_first ? " for this kind" : " is there twice"),
                       is_first ? "S for a Switch, H for a Ca, R for an Rt"
                                : "first at " + source_.at(records_[first->second].line.offset).text());
    }
    records_.push_back(std::move(record));
  }

  void read_port(const TextLine& line) {
    LineReader reader(source_, line);
    if (records_.empty()) {
      reader.fail("a Switch or Ca before its ports");
    }
    IbRecord& record = records_.back();
    IbPort port;
    port.number = reader.port(record.port_count);
    reader.skip_bracket("(", ')');
    reader.skip_blanks();
    port.peer = reader.identifier();
    port.peer_port = reader.port(kMaxPorts);
    reader.skip_blanks();
    reader.skip_bracket("(", ')');
    reader.description();
    port.line = line;
    for (const std::string_view word : reader.rest()) {
      if (const auto bits = bits_of(word)) {
        port.bits_per_second = *bits;
        port.speed = word;
        break;
      }
    }
    if (port.bits_per_second == 0) {
      reader.fail("a width and speed such as 4xNDR: 1 to 12 lanes, SDR to XDR");
    }
    if (!ports_.emplace(std::pair(records_.size() - 1, port.number), record.ports.size()).second) {
      throw InputError(
          source_.at(line.offset), {},
          "port " + std::to_string(port.number) + " of " + in_quotes(record.identifier) + " is there twice",
          "each port once");
    }
    record.ports.push_back(port);
  }

  void check_cables() const {
    for (const IbRecord& record : records_) {
      for (const IbPort& port : record.ports) {
        const auto peer = index_.find(port.peer);
        if (peer == index_.end()) {
          throw InputError(source_.at(port.peer), {}, "nothing in the file describes " + in_quotes(port.peer),
                           "a record for everything that is named; is the file cut off?");
        }
        const auto back = ports_.find({peer->second, port.peer_port});
        if (back == ports_.end() || records_[peer->second].ports[back->second].peer != record.identifier ||
            records_[peer->second].ports[back->second].peer_port != port.number) {
          throw InputError(source_.at(port.line.offset), {},
                           "port " + std::to_string(port.peer_port) + " of " + in_quotes(port.peer) +
                               " does not lead back here",
                           "every cable at both of its ends; is the file cut off?");
        }
      }
    }
  }

  const SourceText& source_;
  std::vector<IbRecord> records_;
  std::map<std::string_view, std::size_t> index_;
  std::map<std::pair<std::size_t, int>, std::size_t> ports_;  ///< by record and number: index into its ports
};

}  // namespace

std::vector<IbRecord> read_ib_records(const SourceText& source) {
  return RecordReader(source).read();
}

}  // namespace makespan
