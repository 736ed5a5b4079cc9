#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = MAKESPAN_SOURCE_DIR;

/// What each folder may include besides itself: the whole dependency direction of the house.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"core", {}},
    {"devices", {"core"}},
    {"network", {"core"}},
    {"schedules", {"core"}},
    {"scenarios", {"core", "devices", "network", "schedules"}},
    {"tools", {"core", "devices", "network", "schedules", "scenarios"}},
};

struct Include {
  fs::path file;
  int line;
  std::string folder;
  std::string text;
};

std::vector<Include> includes_of(const fs::path& file) {
  static const std::regex kInclude(R"re(^\s*#\s*include\s*"(([a-z_]+)/[^"]*|[^"]*)")re");
  std::vector<Include> result;
  std::ifstream stream(file);
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    std::smatch match;
    if (std::regex_search(line, match, kInclude)) {
      result.push_back({file, number, match[2].str(), match[1].str()});
    }
  }
  return result;
}

std::vector<fs::path> sources(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".h" || extension == ".cpp") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(layers, each_folder_includes_only_what_lies_below_it) {
  std::size_t seen = 0;
  for (const auto& [folder, allowed] : kMayInclude) {
    for (const fs::path& file : sources(folder)) {
      for (const Include& include : includes_of(file)) {
        ++seen;
        EXPECT_TRUE(include.folder == folder || allowed.count(include.folder) == 1)
            << include.file << ":" << include.line << " includes \"" << include.text << "\"";
      }
    }
  }
  EXPECT_GT(seen, 50U) << "the scan found hardly any include: does it look in the right place?";
}

TEST(layers, every_source_is_listed_in_the_build_file_of_its_folder) {
  for (const auto& [folder, allowed] : kMayInclude) {
    std::string lists;
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      if (entry.path().filename() == "CMakeLists.txt") {
        std::ifstream stream(entry.path());
        lists.append(std::istreambuf_iterator<char>(stream), {});
      }
    }
    for (const fs::path& file : sources(folder)) {
      const std::string own_folder = file.parent_path().filename().string();
      if (lists.find(own_folder + "/*" + file.extension().string()) != std::string::npos) {
        continue;  // takes every file of the folder
      }
      EXPECT_NE(lists.find(file.filename().string()), std::string::npos) << file << " is not built";
    }
  }
}

TEST(layers, no_test_is_disabled_and_no_work_is_left_marked) {
  static const std::regex kForbidden(
      "DISABLED"
      "_|TO"
      "DO|FIX"
      "ME|XX"
      "X");
  for (const std::string folder : {"core", "devices", "network", "schedules", "scenarios", "tools", "test"}) {
    for (const fs::path& file : sources(folder)) {
      std::ifstream stream(file);
      const std::string text{std::istreambuf_iterator<char>(stream), {}};
      EXPECT_FALSE(std::regex_search(text, kForbidden)) << file;
    }
  }
}

}  // namespace
