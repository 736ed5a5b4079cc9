#include <algorithm>
#include <chrono>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "scenarios/reader.h"
#include "scenarios/resolve.h"
#include "scenarios/run.h"
#include "test/scenarios/golden_file.h"

namespace makespan {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> bad_files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(fs::path(MAKESPAN_SOURCE_DIR) / "test" / "golden")) {
    const std::string name = entry.path().stem().string();
    if (name.rfind("fail_", 0) == 0 && entry.path().extension() == ".yaml") {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// "exit 2" for bad input or "exit 1" for a run that cannot be made, as the command line ends, and the
/// message.
std::string outcome(const std::string& path) {
  try {
    Scenario scenario = read_scenario(path);
    std::vector<std::string> warnings;
    resolve(scenario, warnings);
    const Prepared prepared = prepare(std::move(scenario));
  } catch (const InputError& error) {
    return std::string("exit 2\n") + error.what() + "\n";
  } catch (const InfeasibleError& error) {
    return std::string("exit 1\n") + error.what() + "\n";
  }
  return "accepted\n";
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t times = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++times;
  }
  return times;
}

class BadInput : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { fs::current_path(MAKESPAN_SOURCE_DIR); }  // messages show relative paths
};

TEST_P(BadInput, is_refused_at_once_with_the_expected_message) {
  const std::string path = "test/golden/" + GetParam() + ".yaml";
  const fs::path golden = "test/golden/" + GetParam() + ".error";
  const auto start = std::chrono::steady_clock::now();
  const std::string result = outcome(path);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  test::expect_golden(result, golden);
  EXPECT_EQ(count(result, path + ":"), count(result, "\n  hint: ")) << "every problem has a place and a hint";
  EXPECT_THAT(result, ::testing::HasSubstr(path + ":"));
  EXPECT_EQ(result.rfind("exit 1\n", 0) == 0, GetParam().rfind("fail_infeasible_", 0) == 0);
}

INSTANTIATE_TEST_SUITE_P(Golden, BadInput, ::testing::ValuesIn(bad_files()),
                         [](const auto& param) { return param.param; });

TEST(BadInput, is_covered_by_at_least_forty_files) {
  EXPECT_GE(bad_files().size(), 40U);
}

}  // namespace
}  // namespace makespan
