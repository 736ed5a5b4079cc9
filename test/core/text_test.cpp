#include "core/text.h"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace makespan::test {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"ranks", "microbatches", "chunks", "ms"};

TEST(EditDistance, CountsInsertionsDeletionsAndReplacements) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);  // k/s, e/i, g
  EXPECT_EQ(edit_distance("flaw", "lawn"), 2U);       // f, n
  EXPECT_EQ(edit_distance("GPipe", "gpipe"), 0U);
}

TEST(Nearest, FindsTheCandidateWithFewestChanges) {
  EXPECT_EQ(nearest("rank", kNames), "ranks");
  EXPECT_EQ(nearest("micro-batches", kNames), "microbatches");
  EXPECT_EQ(nearest("mss", kNames), "ms");
  EXPECT_EQ(nearest("ranks", kNames), "ranks");
}

TEST(Nearest, TakesTheFirstOfEquals) {
  constexpr std::array<std::string_view, 2> kEquals = {"cart", "care"};
  EXPECT_EQ(nearest("carx", kEquals), "cart");
}

TEST(Nearest, FindsNothingWhenEverythingIsFar) {
  EXPECT_EQ(nearest("seed", kNames), std::nullopt);
  EXPECT_EQ(nearest("xy", kNames), std::nullopt);
  EXPECT_EQ(nearest("", kNames), std::nullopt);
  EXPECT_EQ(nearest("ranks", {}), std::nullopt);
  EXPECT_EQ(nearest(std::string(10'000'000, 'r'), kNames), std::nullopt);
}

TEST(Suggestion, NamesTheNearestOrElseAll) {
  EXPECT_EQ(suggestion("chunk", kNames), "did you mean 'chunks'?");
  EXPECT_EQ(suggestion("seed", kNames), "known: ranks, microbatches, chunks, ms");
}

}  // namespace
}  // namespace makespan::test
