#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <vector>

#include "core/random.h"
#include "test/fuzz/topology_fuzzer.h"

namespace makespan {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> corpus() {
  std::vector<std::string> texts;
  for (const char* folder : {"test/fuzz/corpus/topology", "test/network/data"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(MAKESPAN_SOURCE_DIR) / folder)) {
      std::ifstream file(entry.path(), std::ios::binary);
      texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

TEST(TopologyFuzz, survives_the_corpus) {
  for (const std::string& text : corpus()) {
    fuzz_topologies(text);
  }
}

TEST(TopologyFuzz, survives_the_corpus_cut_anywhere) {
  Random random(7);
  for (const std::string& text : corpus()) {
    for (int i = 0; i < 40; ++i) {
      fuzz_topologies(std::string_view(text).substr(0, random.below(text.size() + 1)));
    }
  }
}

TEST(TopologyFuzz, survives_mutations_of_the_corpus) {
  const std::vector<std::string> texts = corpus();
  const std::string letters = "<>/=\"' []()#:,-.;&\\\n\r\t 0179xXGNVHSfF\x1b\x01\x7f\xC3\xFF";
  const std::vector<std::string> parts = {"4294967296", "-1",   "99999999999999999999",
                                          "0x",         "NV18", "SYS",
                                          "[1-9999]",   "\"\"", "<pci>",
                                          "</pci>",     "&#0;", "PIX",
                                          "GPU0",       "\\\n", "S-00000000feed0000",
                                          "4xNDR",      "GT/s", "<gpu/>"};
  Random random(2025);
  for (int i = 0; i < 4000; ++i) {
    std::string text = texts[random.below(texts.size())];
    for (std::uint64_t change = 0; change <= random.below(4) && !text.empty(); ++change) {
      const std::size_t at = random.below(text.size());
      switch (random.below(6)) {
        case 0:
          text[at] = letters[random.below(letters.size())];
          break;
        case 1:
          text.insert(at, 1, letters[random.below(letters.size())]);
          break;
        case 2:
          text.erase(at, 1 + random.below(8));
          break;
        case 3:
          text.insert(at, parts[random.below(parts.size())]);
          break;
        case 4: {  // a line elsewhere
          const std::size_t start = text.rfind('\n', at) + 1;
          const std::string line = text.substr(start, text.find('\n', at) - start);
          text.insert(random.below(text.size()), line);
          break;
        }
        default:
          text.insert(at, text.substr(random.below(text.size()), random.below(40)));
      }
    }
    fuzz_topologies(text);
  }
}

}  // namespace
}  // namespace makespan
