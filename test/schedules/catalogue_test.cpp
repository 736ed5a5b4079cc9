#include "schedules/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"

namespace makespan::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The message of the InputError that generating throws; empty when it does not.
std::string refusal(const std::string& kind, const ScheduleOptions& options) {
  try {
    static_cast<void>(generate(kind, options));
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

TEST(Catalogue, ListsEveryKindWithSummaryAndSource) {
  for (const ScheduleKind& kind : schedule_kinds()) {
    EXPECT_FALSE(kind.summary.empty());
    EXPECT_THAT(std::string(kind.source), testing::AnyOf(HasSubstr("arXiv"), HasSubstr("ICML")));
    const int microbatches = kind.name == "hanayo" ? 2 : 4;
    EXPECT_EQ(generate(kind.name,
                       {.ranks = 2, .microbatches = microbatches, .chunks = std::min(2, kind.most_chunks)})
                  .kind,
              kind.name);
  }
}

TEST(Catalogue, SuggestsTheNearestKindForAMisspeltOne) {
  EXPECT_THAT(refusal("interleavd", {}),
              AllOf(HasSubstr("interleavd"), HasSubstr("did you mean 'interleaved'?")));
  EXPECT_THAT(refusal("1F1B", {}), HasSubstr("did you mean '1f1b'?"));
  EXPECT_THAT(refusal("no-such-schedule", {}), HasSubstr("known: gpipe, 1f1b, eager-1f1b, interleaved"));
}

TEST(Catalogue, NamesTheOptionThatIsOutOfRangeAndTheRange) {
  EXPECT_THAT(refusal("1f1b", {.ranks = 0}), AllOf(HasSubstr("ranks: 0"), HasSubstr("1 to")));
  EXPECT_THAT(refusal("1f1b", {.ranks = 2, .microbatches = -1}),
              AllOf(HasSubstr("microbatches: -1"), HasSubstr("1 to")));
  EXPECT_THAT(refusal("1f1b", {.ranks = 4, .microbatches = 1'000'000'000}),
              HasSubstr("microbatches: 1000000000 is outside the accepted range 1 to " +
                        std::to_string(kMaxSteps / 4) + ": a schedule has at most " +
                        std::to_string(kMaxSteps) + " (stage, micro-batch) pairs"));
  EXPECT_THAT(refusal("interleaved", {.ranks = 2, .microbatches = 2, .chunks = -1}), HasSubstr("chunks: -1"));
  EXPECT_THAT(refusal("gpipe", {.ranks = 2, .microbatches = 2, .chunks = 2}),
              AllOf(HasSubstr("chunks: 2"), HasSubstr("gpipe has 1 chunk per rank")));
  EXPECT_THAT(refusal("1f1b", {.ranks = 2, .microbatches = 2, .group = 2}), HasSubstr("group"));
  EXPECT_THAT(refusal("1f1b", {.ranks = 2, .microbatches = 2, .lifo = true}), HasSubstr("lifo"));
}

TEST(Catalogue, RefusesGroupsThatMegatronRefuses) {
  const ScheduleOptions base{.ranks = 4, .microbatches = 11, .chunks = 2};
  const auto with_group = [&](int group) {
    ScheduleOptions options = base;
    options.group = group;
    return refusal("interleaved", options);
  };
  EXPECT_THAT(with_group(3), HasSubstr("group: 3 is outside the accepted range 4 to 11"));
  EXPECT_THAT(with_group(12), HasSubstr("group: 12 is outside"));
  EXPECT_THAT(with_group(-1), HasSubstr("group: -1 is outside"));
  EXPECT_THAT(with_group(5), AllOf(HasSubstr("last group of 1"), HasSubstr("accepted here: 6, 7, 11")));
  EXPECT_THAT(with_group(0), HasSubstr("the default 5 leaves a last group of 1"));
  EXPECT_EQ(with_group(7), "");
  EXPECT_EQ(with_group(11), "");
}

TEST(Catalogue, DefaultsTheGroupToPyTorchsRounds) {
  const auto options = [](int group) {
    return ScheduleOptions{.ranks = 4, .microbatches = 10, .chunks = 2, .group = group};
  };
  const int rounds = 10 / 4;
  EXPECT_EQ(generate("interleaved", options(0)).actions,
            generate("interleaved", options(10 / rounds)).actions);
}

TEST(Catalogue, IgnoresTheGroupWhenThereIsOneChunk) {
  EXPECT_EQ(refusal("interleaved", {.ranks = 4, .microbatches = 11, .chunks = 1}), "");
}

}  // namespace
}  // namespace makespan::test
