#include "scenarios/yaml_bytes.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "scenarios/yaml.h"

namespace makespan {

namespace {

std::string hexadecimal(std::uint32_t value, std::size_t digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(digits, '0');
  for (std::size_t i = digits; i > 0; --i, value >>= 4U) {
    text[i - 1] = kDigits[value & 15U];
  }
  return text;
}

/// The length of the UTF-8 character at the start of `text` and its code point; length 0 when it is not one
/// (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF).
struct Character {
  std::size_t length = 0;
  std::uint32_t code = 0;
};

Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) {
    return {1, lead};
  }
  const std::size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) {
    return {};
  }
  std::uint32_t code = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) {
      return {};
    }
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code < 0xE000;
  return code < kLeast[length] || is_surrogate || code > 0x10FFFF ? Character{} : Character{length, code};
}

bool is_control(std::uint32_t code) {
  return (code < 0x20 && code != '\t' && code != '\n' && code != '\r') || (code >= 0x7F && code < 0xA0);
}

}  // namespace

bool has_control_characters(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Character character = first_character(text.substr(i));
    if (is_control(character.code)) {
      return true;
    }
    i += std::max<std::size_t>(character.length, 1);
  }
  return false;
}

void check_yaml_bytes(std::string_view text, const std::string& source, Problems& problems) {
  SourceLocation where{source, 1, 1};
  std::size_t open = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Character character = first_character(text.substr(i));
    const std::string at = " at byte " + std::to_string(i);
    if (character.length == 0) {
      problems.fail(where, {},
                    "is not UTF-8: byte 0x" + hexadecimal(static_cast<unsigned char>(text[i]), 2) + at,
                    "save the file as UTF-8");
    }
    if (is_control(character.code)) {
      problems.fail(where, {}, "control character U+" + hexadecimal(character.code, 4) + at,
                    character.code == 0 ? "is this a binary or UTF-16 file? Save it as UTF-8 text"
                                        : "remove it; only tab and line ends are allowed");
    }
    if (character.code == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) {
      problems.fail(where, {}, "carriage return without line feed" + at, "save the file with Unix line ends");
    }
    const bool opens = text[i] == '[' || text[i] == '{';
    const bool closes = text[i] == ']' || text[i] == '}';
    open = open + (opens ? 1 : 0) - (closes && open > 0 ? 1 : 0);
    if (open > kMaxYamlDepth) {
      problems.fail(
          where, {}, "more than " + std::to_string(kMaxYamlDepth) + " brackets are open at once",
          "values nest at most " + std::to_string(kMaxYamlDepth) + " deep; is a bracket not closed?");
    }
    where.column = text[i] == '\n' ? 1 : where.column + 1;
    where.line += text[i] == '\n' ? 1 : 0;
    i += character.length;
  }
}

}  // namespace makespan
