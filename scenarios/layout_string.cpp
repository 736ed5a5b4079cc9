#include "scenarios/layout_string.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace makespan {

namespace {

constexpr std::int64_t kMostCopies = 10'000;
constexpr std::size_t kMostLetters = 1'000'000;
constexpr const char* kGrammar = "stages divided by |, E embedding, t layer, L loss, such as Et*3|(tt|)*4,tL";

struct Letter {
  char letter = 0;
  std::size_t at = 0;  ///< position in the text, from 1
};

/// What is wrong, and where.
struct Fault {
  std::size_t at = 0;
  std::string what;
};

/// Unrolls what is repeated.
class Unrolling {
 public:
  explicit Unrolling(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != ',') {
        input_.push_back({text[i], i + 1});
      }
    }
  }

  std::vector<Letter> run() {
    while (next_ < input_.size() && !fault_) {
      if (input_[next_].letter == '(') {
        group();
      } else {
        result_.push_back(letter());
        repeat(1);
      }
    }
    return std::move(result_);
  }

  [[nodiscard]] const std::optional<Fault>& fault() const { return fault_; }

 private:
  [[nodiscard]] bool is_next(char wanted) const {
    return next_ < input_.size() && input_[next_].letter == wanted;
  }

  void fail(std::size_t at, const std::string& what) {
    if (!fault_) {
      fault_ = {at, what};
    }
  }

  Letter letter() {
    const Letter found = input_[next_++];
    if (found.letter == 'm') {
      fail(found.at, "is a layer of multi-token prediction, which this version does not support");
    } else if (std::string_view("EtL|").find(found.letter) == std::string_view::npos) {
      fail(found.at, "is none of E, t, L and |");
    }
    return found;
  }

  void group() {
    const std::size_t open = input_[next_++].at;
    const std::size_t before = result_.size();
    while (next_ < input_.size() && !is_next(')') && !fault_) {
      if (is_next('(')) {
        fail(input_[next_].at, "opens a group inside a group");
      } else {
        result_.push_back(letter());
        repeat(1);
      }
    }
    if (next_ == input_.size()) {
      fail(open, "opens a group that nothing closes");
      return;
    }
    ++next_;
    if (result_.size() == before || !is_next('*')) {
      fail(open, result_.size() == before ? "opens a group with nothing in it"
                                          : "opens a group without '*n' behind it");
    }
    repeat(result_.size() - before);
  }

  /// Reads "*n", if it is there, for the last `length` letters.
  void repeat(std::size_t length) {
    if (!is_next('*') || fault_) {
      return;
    }
    const std::size_t star = input_[next_++].at;
    std::int64_t copies = 0;
    while (next_ < input_.size() && input_[next_].letter >= '0' && input_[next_].letter <= '9' &&
           copies <= kMostCopies) {
      copies = 10 * copies + (input_[next_++].letter - '0');
    }
    if (copies < 1 || copies > kMostCopies) {
      fail(star, "needs a number from 1 to " + std::to_string(kMostCopies) + " behind it");
      return;
    }
    if (is_next('*')) {
      fail(input_[next_].at, "repeats what is repeated already");
    }
    if (result_.size() + length * static_cast<std::size_t>(copies - 1) > kMostLetters) {
      fail(star, "makes more than " + std::to_string(kMostLetters) + " layers and stages");
      return;
    }
    const std::vector<Letter> part(result_.end() - static_cast<std::ptrdiff_t>(length), result_.end());
    for (std::int64_t copy = 1; copy < copies; ++copy) {
      result_.insert(result_.end(), part.begin(), part.end());
    }
  }

  std::vector<Letter> input_;
  std::size_t next_ = 0;
  std::vector<Letter> result_;
  std::optional<Fault> fault_;
};

/// Where E or L is that has another place, or is missing.
std::optional<Fault> misplaced(const std::vector<Letter>& letters) {
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (letters[i].letter == 'E' && i > 0) {
      return Fault{letters[i].at, "is an embedding, which only begins the first stage"};
    }
    if (letters[i].letter == 'L' && i + 1 < letters.size()) {
      return Fault{letters[i].at, "is the loss, which only ends the last stage"};
    }
  }
  if (letters.front().letter != 'E') {
    return Fault{letters.front().at, "must be the embedding, E"};
  }
  if (letters.back().letter != 'L') {
    return Fault{letters.back().at, "must be the loss, L, at the end"};
  }
  return std::nullopt;
}

/// The character that UTF-8 text begins with, in quotes; of what is none, the byte.
std::string character(std::string_view text) {
  const auto byte = static_cast<unsigned char>(text.front());
  const std::size_t size = byte < 0x80   ? 1
                           : byte < 0xC2 ? 0
                           : byte < 0xE0 ? 2
                           : byte < 0xF0 ? 3
                           : byte < 0xF5 ? 4
                                         : 0;
  const std::string_view whole = text.substr(0, size);
  const bool is_whole = size > 0 && whole.size() == size &&
                        std::all_of(whole.begin() + 1, whole.end(),
                                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; });
  if (!is_whole || byte < 0x20 || byte == 0x7F) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    return std::string("byte 0x") + kDigits[byte / 16] + kDigits[byte % 16];
  }
  return "'" + std::string(whole) + "'";
}

std::string layers_text(std::int64_t layers) {
  return layers > 2 ? "t*" + std::to_string(layers) : std::string(static_cast<std::size_t>(layers), 't');
}

}  // namespace

Parsed<std::vector<std::int64_t>> parse_layout(std::string_view text) {
  Unrolling unrolling(text);
  const std::vector<Letter> letters = unrolling.run();
  std::optional<Fault> fault = unrolling.fault();
  if (!fault && letters.empty()) {
    return {std::nullopt, "has no stages", kGrammar};
  }
  if (!fault) {
    fault = misplaced(letters);
  }
  if (fault) {
    const std::string place =
        "character " + std::to_string(fault->at) + ", " + character(text.substr(fault->at - 1)) + ", ";
    return {std::nullopt, place + fault->what, kGrammar};
  }
  std::vector<std::int64_t> layers(1);
  for (const Letter& letter : letters) {
    if (letter.letter == '|') {
      layers.push_back(0);
    } else if (letter.letter == 't') {
      ++layers.back();
    }
  }
  return {std::move(layers), "", ""};
}

std::string layout_text(const std::vector<std::int64_t>& layers) {
  if (layers.size() == 1) {
    return "E" + layers_text(layers.front()) + "L";
  }
  std::string text = "E" + layers_text(layers.front()) + "|";
  const auto end = layers.end() - 1;
  for (auto first = layers.begin() + 1; first != end;) {
    const auto last = std::find_if(first, end, [&](std::int64_t count) { return count != *first; });
    const std::string stage = layers_text(*first) + "|";
    text += last - first == 1 ? stage : "(" + stage + ")*" + std::to_string(last - first);
    first = last;
  }
  // A letter that follows a number needs no comma, but is read more easily behind one.
  return text + (text.back() == '|' ? "" : ",") + layers_text(layers.back()) + "L";
}

}  // namespace makespan
