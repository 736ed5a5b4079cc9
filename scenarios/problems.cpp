#include "scenarios/problems.h"

namespace makespan {

namespace {

constexpr std::size_t kMaxProblems = 20;
constexpr std::size_t kMaxShown = 40;

bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

}  // namespace

std::string shown(std::string_view text) {
  std::size_t size = text.size();
  if (size > kMaxShown) {
    size = kMaxShown;
    while (size > 0 && continues_character(text[size])) {
      --size;
    }
  }
  std::string result = "'";
  for (const char letter : text.substr(0, size)) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      result += std::string("\\x") + kDigits[byte >> 4U] + kDigits[byte & 15U];
    } else {
      result += letter;
    }
  }
  return result + (size < text.size() ? "...'" : "'");
}

void Problems::add(const SourceLocation& where, const std::string& key, const std::string& what,
                   const std::string& hint) {
  add(InputError(where, key, what, hint));
}

void Problems::add(const InputError& error) {
  ++count_;
  if (messages_.size() < kMaxProblems) {
    messages_.emplace_back(error.what());
  }
}

void Problems::fail(const SourceLocation& where, const std::string& key, const std::string& what,
                    const std::string& hint) {
  add(where, key, what, hint);
  if (count_ > kMaxProblems) {  // the one that stops everything must be seen
    messages_.back() = InputError(where, key, what, hint).what();
  }
  throw_if_any();
  std::abort();
}

void Problems::throw_if_any() const {
  if (count_ == 0) {
    return;
  }
  std::string text;
  for (const std::string& message : messages_) {
    text += (text.empty() ? "" : "\n") + message;
  }
  if (count_ > messages_.size()) {
    text += "\n... and " + std::to_string(count_ - messages_.size()) + " more problems";
  }
  throw InputError(text);
}

}  // namespace makespan
