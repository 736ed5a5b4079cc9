#include "network/import_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace makespan {

namespace {

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

std::string hexadecimal(char letter) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(letter);
  return {kDigits[byte >> 4U], kDigits[byte & 15U]};
}

/// The digits at the start of `text` without leading zeros; moves `text` behind them.
std::string_view take_number(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

}  // namespace

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string result = "'";
  for (const char letter : text.substr(0, kMost)) {
    const bool is_printed = letter == ' ' || is_name_letter(letter);
    result += is_printed ? std::string(1, letter) : "\\x" + hexadecimal(letter);
  }
  return result + (text.size() > kMost ? "...'" : "'");
}

std::string listed(const std::vector<std::string>& names, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < std::min(most, names.size()); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > most ? text + " and " + std::to_string(names.size() - most) + " more" : text;
}

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string gigabytes(double bytes_per_second) {
  const double hundredths = std::round(bytes_per_second / 1e7);
  std::string text = std::to_string(static_cast<std::int64_t>(hundredths));
  text.insert(0, text.size() < 3 ? 3 - text.size() : 0, '0');
  text.insert(text.size() - 2, 1, '.');
  while (text.back() == '0') {
    text.pop_back();
  }
  if (text.back() == '.') {
    text.pop_back();
  }
  return text + " GB/s";
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  const bool is_hexadecimal = text.substr(0, 2) == "0x";
  text.remove_prefix(is_hexadecimal ? 2 : 0);
  if (is_hexadecimal && text.substr(0, 1) == "-") {
    return std::nullopt;
  }
  std::int64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, is_hexadecimal ? 16 : 10);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<double> decimal_number(std::string_view text) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const bool is_all = error == std::errc{} && end == text.data() + text.size() && std::isfinite(number);
  return is_all ? std::optional(number) : std::nullopt;
}

bool natural_less(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a;
  const std::string_view whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view x = take_number(a);
      const std::string_view y = take_number(b);
      if (x != y) {
        return x.size() != y.size() ? x.size() < y.size() : x < y;
      }
    } else if (a.front() != b.front()) {
      return a.front() < b.front();
    } else {
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return a.empty() != b.empty() ? a.empty() : whole_a < whole_b;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  constexpr std::string_view kBlanks = " \t";
  for (std::size_t start = text.find_first_not_of(kBlanks); start != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, start), text.size());
    found.push_back(text.substr(start, end - start));
    start = text.find_first_not_of(kBlanks, end);
  }
  return found;
}

SourceText::SourceText(std::string_view text, std::string file, std::string_view allowed)
    : text_(text), file_(std::move(file)), line_starts_{0} {
  if (text.size() > kMaxTopologyBytes) {
    throw InputError({file_}, {}, "is larger than " + std::to_string(kMaxTopologyBytes >> 20U) + " MiB",
                     "no description of a topology is that large");
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i];
    if (letter == '\n') {
      line_starts_.push_back(i + 1);
    }
    const bool is_control = (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F) && letter != '\t' &&
                            letter != '\n' && letter != '\r';
    if (is_control && allowed.find(letter) == std::string_view::npos) {
      throw InputError(at(i), {}, "the control character 0x" + hexadecimal(letter),
                       "text, with tabs and lines");
    }
  }
}

SourceLocation SourceText::at(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  const auto line = static_cast<std::size_t>(after - line_starts_.begin());
  return {file_, static_cast<int>(line), static_cast<int>(offset - line_starts_[line - 1]) + 1};
}

std::vector<TextLine> SourceText::lines() const {
  std::vector<TextLine> lines;
  for (std::size_t i = 0; i < line_starts_.size(); ++i) {
    const std::size_t start = line_starts_[i];
    std::size_t end = i + 1 < line_starts_.size() ? line_starts_[i + 1] - 1 : text_.size();
    if (i + 1 == line_starts_.size() && start == end) {
      break;
    }
    while (end > start && text_[end - 1] == '\r') {
      --end;
    }
    lines.push_back({text_.substr(start, end - start), start});
  }
  return lines;
}

}  // namespace makespan
