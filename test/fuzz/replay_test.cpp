#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <vector>

#include "core/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace makespan {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> corpus() {
  std::vector<std::string> texts;
  for (const char* folder : {"test/fuzz/corpus/scenario", "test/golden", "scenarios/library"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(MAKESPAN_SOURCE_DIR) / folder)) {
      if (entry.is_regular_file()) {
        std::ifstream file(entry.path(), std::ios::binary);
        texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
      }
    }
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

void feed(const std::string& text) {
  ASSERT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), 0);
}

TEST(ScenarioFuzz, survives_the_corpus) {
  for (const std::string& text : corpus()) {
    feed(text);
  }
}

TEST(ScenarioFuzz, survives_mutations_of_the_corpus) {
  const std::vector<std::string> texts = corpus();
  const std::string letters = "[]{}:,-?&*!|>'\"%@`#~\n\t 0179eE.xGMkib\\\xC3\x80\xFF";
  Random random(2024);
  for (int i = 0; i < 3000; ++i) {
    std::string text = texts[random.below(texts.size())];
    for (std::uint64_t change = 0; change <= random.below(4) && !text.empty(); ++change) {
      const std::size_t at = random.below(text.size());
      switch (random.below(4)) {
        case 0:
          text[at] = letters[random.below(letters.size())];
          break;
        case 1:
          text.insert(at, 1, letters[random.below(letters.size())]);
          break;
        case 2:
          text.erase(at, 1 + random.below(8));
          break;
        default:
          text.insert(at, text.substr(random.below(text.size()), random.below(40)));
      }
    }
    feed(text);
  }
}

}  // namespace
}  // namespace makespan
