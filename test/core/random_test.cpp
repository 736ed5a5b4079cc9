#include "core/random.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <numeric>
#include <vector>

namespace makespan {
namespace {

using testing::ElementsAre;

// Known answers: Random123, tests/kat_vectors.
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_THAT(philox({0, 0, 0, 0}, {0, 0}), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(Random, ReadsTheBlocksOfItsKeyInOrder) {
  Random random(0x0000000200000001, 0x0000000400000003);
  for (std::uint32_t block = 0; block < 3; ++block) {
    const auto words = philox({block, 0, 3, 4}, {1, 2});
    EXPECT_EQ(random.bits(), words[0] | (std::uint64_t{words[1]} << 32U));
    EXPECT_EQ(random.bits(), words[2] | (std::uint64_t{words[3]} << 32U));
  }
}

TEST(Random, StaysBelowItsBoundAndReachesEveryValue) {
  Random random(1);
  std::vector<int> seen(7);
  for (int i = 0; i < 7000; ++i) {
    ++seen.at(static_cast<std::size_t>(random.below(7)));
  }
  // Each count is binomial: mean 1000, standard deviation 29.
  EXPECT_THAT(seen, testing::Each(testing::AllOf(testing::Gt(1000 - 6 * 29), testing::Lt(1000 + 6 * 29))));
}

TEST(Random, DrawsFromTheWholeRangeOfSignedNumbers) {
  Random random(2);
  bool negative = false;
  bool positive = false;
  for (int i = 0; i < 64; ++i) {
    const std::int64_t value = random.between(INT64_MIN, INT64_MAX);
    negative = negative || value < 0;
    positive = positive || value > 0;
    EXPECT_THAT(random.between(-3, 5), testing::AllOf(testing::Ge(-3), testing::Le(5)));
    EXPECT_EQ(random.between(INT64_MAX, INT64_MAX), INT64_MAX);
  }
  EXPECT_TRUE(negative && positive);
}

TEST(Random, UnitNumbersHaveTheMeanOfTheUniformDistribution) {
  Random random(3);
  double sum = 0;
  for (int i = 0; i < 10000; ++i) {
    const double value = random.unit();
    ASSERT_TRUE(value >= 0 && value < 1);
    sum += value;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 6 * 0.0029);  // six standard deviations: sqrt(1 / 12 / 10000) each
}

TEST(Random, ShufflesIntoEveryOrderAboutEquallyOften) {
  Random random(4);
  std::vector<int> seen(6);
  for (int i = 0; i < 6000; ++i) {
    std::vector<std::size_t> order = {0, 1, 2};
    random.shuffle(std::span(order));
    ++seen.at(order[0] * 2 + (order[1] > order[2] ? 1 : 0));
    std::sort(order.begin(), order.end());
    ASSERT_THAT(order, ElementsAre(0, 1, 2));
  }
  EXPECT_THAT(seen, testing::Each(testing::AllOf(testing::Gt(1000 - 6 * 29), testing::Lt(1000 + 6 * 29))));
}

TEST(Random, DifferentStreamsAndSeedsDiffer) {
  EXPECT_NE(Random(1, 0).bits(), Random(1, 1).bits());
  EXPECT_NE(Random(1, 0).bits(), Random(2, 0).bits());
}

}  // namespace
}  // namespace makespan
