// Searches by name, with the costs of bare schedules.
#include "schedules/searches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "core/random.h"
#include "schedules/bare.h"
#include "schedules/bare_costs.h"
#include "schedules/list_scheduler.h"

namespace makespan::test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Le;

FoundSchedule find(std::string_view name, const SearchOptions& options, const BareCostTexts& texts) {
  const ScheduleSearch& search = *find_search(name);
  const SearchOptions wanted = complete_options(search, options);
  return search_schedule(search, wanted, search_costs(read_bare_costs(texts), wanted.chunks).costs);
}

BareResult bare(const FoundSchedule& found, const BareCostTexts& texts) {
  return run_bare(found.schedule, read_bare_costs(texts), Communication::independent).result;
}

template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

TEST(Searches, AreKnownByNameBesideTheKindsOfTheCatalogue) {
  EXPECT_EQ(named_schedule("zb-auto").name, "zb-auto");
  EXPECT_EQ(named_schedule("list").name, "list");
  EXPECT_EQ(named_schedule("1f1b").name, "1f1b");
  EXPECT_EQ(find_search("1f1b"), nullptr);
  EXPECT_THAT(refusal([] { (void)named_schedule("zb-aut"); }), HasSubstr("zb-auto"));
}

// arXiv 2401.10241, table of bubble rates: the 6.2B model with 24 micro-batches, ZB-1p and ZB-2p.
TEST(Searches, GiveThePapersRatesFromItsProfiledTimesAndMemory) {
  BareCostTexts texts{.forward = "29.718 ms",
                      .backward_input = "29.444 ms",
                      .backward_weight = "19.927 ms",
                      .communication = "0.527 ms",
                      .weight_activation = "0.5"};
  const SearchOptions options{.ranks = 8, .microbatches = 24};
  texts.memory_limit = "8";
  EXPECT_NEAR(bare(find("zb-auto", options, texts), texts).span_bubble_ratio, 0.1323, 0.00005);
  texts.memory_limit = "16";
  EXPECT_NEAR(bare(find("zb-auto", options, texts), texts).span_bubble_ratio, 0.0029, 0.00005);
}

TEST(Searches, HoldNoMoreStagesThanTheMemoryLimitHasMicrobatchesTimesChunks) {
  for (const auto& [name, chunks] : {std::pair("zb-auto", 1), std::pair("list", 1), std::pair("list", 2)}) {
    for (const std::string limit : {"2", "5/2", "4", "1000000000000000000000"}) {
      const FoundSchedule found =
          find(name, {.ranks = 4, .microbatches = 8, .chunks = chunks}, {.memory_limit = limit});
      const int most = limit == "2" ? 2 * chunks : limit == "5/2" ? 5 * chunks / 2 : 4 * chunks;
      EXPECT_THAT(peak_activations(found.schedule), Each(Le(limit.size() > 3 ? 8 * chunks : most))) << name;
    }
  }
}

// In the ticks of the costs, so that what the search minimises is what the simulator tells.
TEST(Searches, CountTheTimeThatTheBareScheduleTakes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed, 1);
    const auto drawn = [&] {
      const std::string above = std::to_string(random.between(1, 9));
      return above + "/" + std::to_string(random.between(1, 7));
    };
    const BareCostTexts texts{.forward = drawn(),
                              .backward_input = drawn(),
                              .backward_weight = drawn(),
                              .communication = "1/" + std::to_string(2 + seed % 3)};
    const int chunks = 1 + static_cast<int>(seed % 3);
    const FoundSchedule found = find("list", {.ranks = 3, .microbatches = 5, .chunks = chunks}, texts);
    const TickCosts costs = search_costs(read_bare_costs(texts), chunks);
    EXPECT_EQ(Rational(found.time) / Rational(costs.ticks_per_unit), bare(found, texts).makespan) << seed;
    EXPECT_LE(found.bound, found.time) << seed;
    if (found.best_fixed) {
      EXPECT_LE(found.time, found.fixed_time) << seed;
    }
  }
}

TEST(Searches, RefuseOptionsThatTheyDoNotHave) {
  const auto complete = [](std::string_view name, const SearchOptions& options) {
    return refusal([&] { (void)complete_options(*find_search(name), options); });
  };
  EXPECT_THAT(complete("zb-auto", {.placement = Placement::snake}),
              AllOf(HasSubstr("placement"), HasSubstr("'list' takes it")));
  EXPECT_THAT(complete("zb-auto", {.chunks = 2}), HasSubstr("zb-auto has 1 chunk per rank"));
  EXPECT_THAT(complete("list", {.chunks = 3, .placement = Placement::snake}), HasSubstr("a V has 2 chunks"));
  EXPECT_EQ(complete_options(*find_search("list"), {.placement = Placement::snake}).chunks, 2);
  EXPECT_THAT(refusal([] { (void)read_bare_costs({.weight_activation = "3/2"}); }),
              HasSubstr("more than the whole"));
  EXPECT_THAT(refusal([] { (void)read_bare_costs({.memory_limit = "3 GiB"}); }), HasSubstr("has a unit"));
  EXPECT_THROW((void)find("list", {.ranks = 2, .microbatches = 2}, {.memory_limit = "1/2"}), InfeasibleError);
}

TEST(Searches, SayHowTheyStandBesideTheFixedSchedules) {
  const auto words = [](std::int64_t time) { return std::to_string(time); };
  FoundSchedule found;
  found.origin = "rule: x";
  found.time = 8;
  found.bound = 7;
  EXPECT_EQ(verdict(found, words),
            "no fixed schedule fits the memory; this one is from rule: x; no schedule is shorter than 7");
  found.best_fixed = "zb-h1";
  found.fixed_time = 9;
  EXPECT_EQ(
      verdict(found, words),
      "beats every fixed schedule that fits the memory: the best, zb-h1, takes 9; this one is from rule: "
      "x; no schedule is shorter than 7");
  found.fixed_time = 8;
  EXPECT_EQ(
      verdict(found, words),
      "is zb-h1, the best fixed schedule that fits the memory: no rule and no local move found a shorter "
      "one; no schedule is shorter than 7");
  found.bound = 8;
  EXPECT_EQ(verdict(found, words),
            "is zb-h1, the best fixed schedule that fits the memory: no schedule can be shorter: the busiest "
            "rank works all the time");
}

}  // namespace
}  // namespace makespan::test
