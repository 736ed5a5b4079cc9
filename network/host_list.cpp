#include "network/host_list.h"

#include <charconv>

#include "network/import_text.h"

namespace makespan {

namespace {

constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxDigits = 9;

/// Reads an expression from left to right.
class HostListReader {
 public:
  HostListReader(std::string_view text, const SourceLocation& where) : text_(text), where_(where) {}

  std::vector<std::string> read() {
    std::vector<std::string> hosts;
    do {
      append(hosts, one_item());
    } while (take(','));
    return hosts;
  }

 private:
  [[noreturn]] void fail(std::size_t at, const std::string& what, const std::string& hint) const {
    SourceLocation where = where_;
    where.column += where.column > 0 ? static_cast<int>(at) : 0;
    throw InputError(where, {}, what, hint);
  }

  [[nodiscard]] bool ends() const { return at_ >= text_.size(); }

  bool take(char letter) {
    const bool is_next = !ends() && text_[at_] == letter;
    at_ += is_next ? 1 : 0;
    return is_next;
  }

  void append(std::vector<std::string>& hosts, std::vector<std::string> more) const {
    if (hosts.size() + more.size() > kMaxHosts) {
      fail(0, "more than " + std::to_string(kMaxHosts) + " hosts in " + in_quotes(text_), "name fewer hosts");
    }
    for (std::string& host : more) {
      hosts.push_back(std::move(host));
    }
  }

  /// Up to the next comma outside brackets: letters and brackets by turns.
  std::vector<std::string> one_item() {
    const std::size_t start = at_;
    std::vector<std::string> names = {""};
    while (!ends() && text_[at_] != ',') {
      const std::vector<std::string> parts = take('[') ? bracket() : std::vector<std::string>{letters()};
      if (names.size() * parts.size() > kMaxHosts) {
        fail(start, "more than " + std::to_string(kMaxHosts) + " hosts in " + in_quotes(text_),
             "name fewer hosts");
      }
      std::vector<std::string> longer;
      for (const std::string& name : names) {
        for (const std::string& part : parts) {
          longer.push_back(name + part);
        }
      }
      names = std::move(longer);
    }
    if (names.front().empty()) {
      fail(start, "a host without a name in " + in_quotes(text_), "a list such as node[01-16,20],login1");
    }
    if (names.back().size() > kMaxName) {
      fail(start, "a host name of " + std::to_string(names.back().size()) + " letters",
           "at most " + std::to_string(kMaxName));
    }
    return names;
  }

  std::string letters() {
    const std::size_t start = at_;
    while (!ends() && text_[at_] != ',' && text_[at_] != '[') {
      const char letter = text_[at_];
      if (!is_name_letter(letter) || letter == ']') {
        fail(at_, in_quotes(text_.substr(at_, 1)) + " in a host name",
             "a list such as node[01-16,20],login1");
      }
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  /// After '[': ranges up to ']'.
  std::vector<std::string> bracket() {
    const std::size_t start = at_ - 1;
    std::vector<std::string> numbers;
    do {
      append(numbers, range());
    } while (take(','));
    if (!take(']')) {
      fail(ends() ? start : at_,
           ends() ? "a bracket that is not closed in " + in_quotes(text_)
                  : in_quotes(text_.substr(at_, 1)) + " between brackets",
           "numbers and ranges such as [1-8,12]");
    }
    return numbers;
  }

  std::vector<std::string> range() {
    const std::size_t start = at_;
    const std::string_view first = digits();
    const std::string_view last = take('-') ? digits() : first;
    const std::uint32_t low = value(first);
    const std::uint32_t high = value(last);
    if (high < low) {
      fail(start, "the range " + in_quotes(text_.substr(start, at_ - start)) + " runs backwards",
           "the lower number first");
    }
    if (high - low >= kMaxHosts) {
      fail(start, "a range of " + std::to_string(std::uint64_t{high} - low + 1) + " hosts",
           "at most " + std::to_string(kMaxHosts));
    }
    const std::size_t width = first.size();  // only zeros in front make a number shorter than it
    std::vector<std::string> numbers;
    for (std::uint32_t number = low; number <= high; ++number) {
      const std::string plain = std::to_string(number);
      numbers.push_back(std::string(width > plain.size() ? width - plain.size() : 0, '0') + plain);
    }
    return numbers;
  }

  std::string_view digits() {
    const std::size_t start = at_;
    while (!ends() && text_[at_] >= '0' && text_[at_] <= '9') {
      ++at_;
    }
    const std::string_view found = text_.substr(start, at_ - start);
    if (found.empty() || found.size() > kMaxDigits) {
      fail(start,
           found.empty() ? "a number is missing in " + in_quotes(text_) : "a number of too many digits",
           "numbers of at most " + std::to_string(kMaxDigits) + " digits and ranges such as [1-8,12]");
    }
    return found;
  }

  static std::uint32_t value(std::string_view text) {
    std::uint32_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }

  std::string_view text_;
  const SourceLocation& where_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::string> expand_host_list(std::string_view text, const SourceLocation& where) {
  return HostListReader(text, where).read();
}

}  // namespace makespan
