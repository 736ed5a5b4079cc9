#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace makespan {

/// The most bytes that a description of a topology may have.
inline constexpr std::size_t kMaxTopologyBytes = std::size_t{64} << 20U;

/// Whether names of hosts, switches and devices may have `letter`: what ASCII prints, without the blank.
[[nodiscard]] constexpr bool is_name_letter(char letter) {
  return letter > 0x20 && letter < 0x7F;
}

/// `text` in single quotes for a message: shortened to 40 bytes, all but printable ASCII escaped.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// "a, b and 5 more": the first `most` of `names`.
[[nodiscard]] std::string listed(const std::vector<std::string>& names, std::size_t most = 4);

/// "1 host", "3 hosts".
[[nodiscard]] std::string counted(std::size_t count, const std::string& noun);

/// `bytes_per_second` as "48.5 GB/s".
[[nodiscard]] std::string gigabytes(double bytes_per_second);

/// A decimal whole number (or hexadecimal after 0x) that is all of `text`; empty when it is none or does not
/// fit.
[[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view text);

/// A decimal number without exponent that is all of `text`; empty when it is none.
[[nodiscard]] std::optional<double> decimal_number(std::string_view text);

/// Orders names as people do: mlx5_2 before mlx5_10.
[[nodiscard]] bool natural_less(std::string_view a, std::string_view b);

/// The words of `text` between blanks and tabs.
[[nodiscard]] std::vector<std::string_view> words(std::string_view text);

/// A line of a text without its end.
struct TextLine {
  std::string_view text;
  std::size_t offset = 0;  ///< of its first byte in the whole text
};

/// A text with the name of the file that it is from. The text must outlive it.
class SourceText {
 public:
  /// Throws InputError when the text is larger than kMaxTopologyBytes or has control characters besides tabs,
  /// line ends and those in `allowed`.
  SourceText(std::string_view text, std::string file, std::string_view allowed = {});

  [[nodiscard]] std::string_view text() const { return text_; }

  [[nodiscard]] const std::string& file() const { return file_; }

  /// Line and column of the byte at `offset`; of the end where it is beyond.
  [[nodiscard]] SourceLocation at(std::size_t offset) const;

  /// Where `part` of the text begins.
  [[nodiscard]] SourceLocation at(std::string_view part) const { return at(offset(part)); }

  [[nodiscard]] std::size_t offset(std::string_view part) const {
    return static_cast<std::size_t>(part.data() - text_.data());
  }

  /// All lines; a text that ends in a line end has no empty line after it.
  [[nodiscard]] std::vector<TextLine> lines() const;

 private:
  std::string_view text_;
  std::string file_;
  std::vector<std::size_t> line_starts_;
};

}  // namespace makespan
