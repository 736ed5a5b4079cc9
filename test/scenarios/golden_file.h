#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>

namespace makespan::test {

inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Holds `text` against a file of the repository.
inline void expect_golden(const std::string& text, const std::filesystem::path& path) {
  if (std::getenv("MAKESPAN_UPDATE_GOLDEN") != nullptr) {  // NOLINT(concurrency-mt-unsafe)
    std::ofstream(path, std::ios::binary) << text;
  }
  EXPECT_EQ(text, file_text(path)) << "run the tests with MAKESPAN_UPDATE_GOLDEN=1 to rewrite it";
}

}  // namespace makespan::test
