#include "tools/input_text.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "core/error.h"

namespace makespan {

namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} << 20U;
constexpr int kMaxDepth = 64;

std::string read_all(std::istream& in, const std::string& path) {
  std::string text;
  std::array<char, std::size_t{64} * 1024> piece{};
  while (in.read(piece.data(), piece.size()) || in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxBytes) {
      throw InputError({path, 0, 0}, "", "holds more than 256 MiB");
    }
  }
  if (in.bad()) {
    throw InputError({path, 0, 0}, "", "cannot be read to its end");
  }
  return text;
}

}  // namespace

std::string read_input(const std::string& path) {
  if (path == "-") {
    return read_all(std::cin, "standard input");
  }
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    throw InputError({path, 0, 0}, "", "there is no such file");
  }
  if (std::filesystem::is_directory(status)) {
    throw InputError({path, 0, 0}, "", "is a directory");
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw InputError({path, 0, 0}, "", "cannot be opened");
  }
  return read_all(in, path);
}

nlohmann::ordered_json parse_json(const std::string& text, const std::string& name) {
  const auto bounded = [&name](int depth, nlohmann::ordered_json::parse_event_t, nlohmann::ordered_json&) {
    if (depth > kMaxDepth) {
      throw InputError({name, 0, 0}, "", "nested deeper than " + std::to_string(kMaxDepth));
    }
    return true;
  };
  try {
    return nlohmann::ordered_json::parse(text, bounded);
  } catch (const nlohmann::json::parse_error& error) {
    const std::string_view read(text.data(), std::min(text.size(), error.byte == 0 ? 0 : error.byte - 1));
    const auto line = std::count(read.begin(), read.end(), '\n') + 1;
    const std::size_t column = read.size() - (read.rfind('\n') + 1) + 1;  // npos + 1 is 0
    throw InputError({name, static_cast<int>(line), static_cast<int>(column)}, "", "not JSON");
  } catch (const nlohmann::json::exception&) {
    throw InputError({name, 0, 0}, "", "holds a number out of range");
  }
}

}  // namespace makespan
