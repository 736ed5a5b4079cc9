#include "scenarios/value_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include "scenarios/quantity.h"

namespace makespan {

namespace {

/// Whether YAML reads the text back as itself without quotes.
bool is_plain(const std::string& text) {
  const auto is_word = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '_' || letter == '-' || letter == '.' ||
           letter == '/';
  };
  return !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z')) &&
         std::all_of(text.begin(), text.end(), is_word) && text != "null" && text != "Null" && text != "NULL";
}

std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      result += '\\';
      result += letter;
    } else if (letter == '\n') {
      result += "\\n";
    } else if (letter == '\t') {
      result += "\\t";
    } else if (letter == '\r') {
      result += "\\r";
    } else {
      result += letter;
    }
  }
  return result + "\"";
}

struct Text {
  const Field& field;

  using Result = std::optional<std::string>;

  template <class Items, class Write>
  Result list(const Items& items, Write write) const {
    if (items.empty()) {
      return std::nullopt;
    }
    std::string text;
    for (const auto& item : items) {
      text += (text.empty() ? "[" : ", ") + write(item);
    }
    return text + "]";
  }

  Result operator()(const SectionRef& /*section*/) const { return std::nullopt; }

  Result operator()(const SectionsRef& /*sections*/) const { return std::nullopt; }

  Result operator()(const Unsupported& /*unsupported*/) const { return std::nullopt; }

  Result operator()(const std::int64_t* value) const {
    if (*value < field.low) {
      return std::nullopt;
    }
    return field.unit.empty() ? std::to_string(*value) : count_text(*value, field.unit);
  }

  Result operator()(const double* value) const { return real_text(*value); }

  Result operator()(const bool* value) const { return *value ? "true" : "false"; }

  template <class T>
  Result operator()(const std::optional<T>* value) const {
    return value->has_value() ? (*this)(&**value) : std::nullopt;
  }

  Result operator()(const std::string* value) const {
    if (value->empty()) {
      return std::nullopt;
    }
    return is_plain(*value) || !field.names.empty() ? *value : quoted(*value);
  }

  Result operator()(const ChoiceRef& value) const {
    const auto index = value.get();
    return index ? Result(field.names[*index]) : std::nullopt;
  }

  Result operator()(const ChoicesRef& value) const {
    return list(value.get(), [&](std::size_t index) { return field.names[index]; });
  }

  Result operator()(const Time* value) const {
    return value->count() == 0 ? std::nullopt : Result(time_text(*value));
  }

  Result operator()(const Bytes* value) const {
    return value->count() == 0 ? std::nullopt : Result(size_text(*value));
  }

  Result operator()(const Rate* value) const {
    return value->count() == 0 ? std::nullopt : Result(rate_text(*value));
  }

  Result operator()(const FilePath* value) const {
    return value->empty() ? std::nullopt : Result(quoted(std::filesystem::absolute(value->path).string()));
  }

  Result operator()(const std::vector<Time>* value) const {
    return value->size() == 1 ? Result(time_text(value->front())) : list(*value, time_text);
  }

  Result operator()(const std::vector<std::int64_t>* value) const {
    return list(*value, [](std::int64_t item) { return std::to_string(item); });
  }

  Result operator()(const std::vector<std::string>* value) const {
    return list(*value, [](const std::string& item) { return is_plain(item) ? item : quoted(item); });
  }
};

}  // namespace

std::string real_text(double value) {
  std::array<char, 32> buffer{};
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

std::optional<std::string> value_text(const Field& field) {
  return std::visit(Text{field}, field.value);
}

}  // namespace makespan
