// Reading costs, exact numbers, and the tick.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>

#include "core/error.h"
#include "schedules/bare.h"
#include "schedules/bare_costs.h"
#include "schedules/catalogue.h"

namespace makespan::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const BareCostTexts& texts) {
  try {
    static_cast<void>(read_bare_costs(texts));
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

TEST(ReadBareCosts, KeepsDecimalsAndFractionsExact) {
  const BareCosts costs = read_bare_costs({.forward = "0.1", .backward = "2/3", .communication = "1.25"});
  EXPECT_EQ(costs.forward, Rational(1, 10));
  EXPECT_EQ(costs.backward, Rational(2, 3));
  EXPECT_EQ(costs.latency, Rational(5, 4));
  EXPECT_FALSE(costs.in_seconds);
}

TEST(ReadBareCosts, DerivesWhatIsLeftOut) {
  const BareCosts unit = read_bare_costs({});
  EXPECT_EQ(unit.forward, 1);
  EXPECT_EQ(unit.backward, 2 * unit.forward);
  EXPECT_EQ(unit.backward_input, unit.backward / 2);
  EXPECT_EQ(unit.latency, 0);
  const BareCosts whole = read_bare_costs({.backward = "5"});
  EXPECT_EQ(whole.backward_weight, Rational(5, 2));
  const BareCosts split = read_bare_costs({.forward = "3", .backward_input = "4", .backward_weight = "2"});
  EXPECT_EQ(split.backward, 4 + 2);
  EXPECT_EQ(read_bare_costs({.forward = "3 ms"}).backward, Rational(2 * 3, 1000));
}

TEST(ReadBareCosts, ConvertsUnitsExactly) {
  const BareCosts costs = read_bare_costs({.forward = "1.5 ms",
                                           .backward = "1/3us",
                                           .communication = "32 MiB",
                                           .bandwidth = "400 Gb/s",
                                           .latency = "3 ns"});
  EXPECT_TRUE(costs.in_seconds);
  EXPECT_EQ(costs.forward, Rational(15, 10'000));
  EXPECT_EQ(costs.backward, Rational(1, 3'000'000));
  EXPECT_EQ(costs.message_bytes, 32 << 20);
  EXPECT_EQ(costs.bandwidth, Rational(50'000'000'000));
  EXPECT_EQ(costs.latency, Rational(3, 1'000'000'000));
}

TEST(ReadBareCosts, RefusesWhatIsNoNumber) {
  for (const char* text :
       {"", "x", "-1", "+1", "1.", ".5", "1/0", "1/", "1e3", "nan", "inf", " 1", "1 2", "0x10"}) {
    EXPECT_THAT(refusal({.forward = text}), HasSubstr("forward")) << text;
  }
  EXPECT_THAT(refusal({.forward = std::string(1000, '9')}), HasSubstr("forward"));
}

TEST(ReadBareCosts, RefusesUnitsThatDoNotFit) {
  EXPECT_THAT(refusal({.forward = "1 mss"}),
              AllOf(HasSubstr("unknown unit 'mss'"), HasSubstr("did you mean 'ms'?")));
  EXPECT_THAT(refusal({.forward = "1 MB"}), HasSubstr("forward: is not a time"));
  EXPECT_THAT(refusal({.forward = "1 ms", .backward = "2"}),
              HasSubstr("backward: has no unit of time, but 'forward' has one"));
  EXPECT_THAT(refusal({.backward = "2 ms"}), HasSubstr("forward: is missing"));
  EXPECT_EQ(refusal({.forward = "1 ms", .communication = "0"}), "");
}

TEST(ReadBareCosts, RefusesOptionsThatExcludeOrNeedEachOther) {
  EXPECT_THAT(refusal({.backward = "2", .backward_input = "1", .backward_weight = "1"}),
              HasSubstr("backward"));
  EXPECT_THAT(refusal({.backward_input = "1"}), HasSubstr("backward-weight: is missing"));
  EXPECT_THAT(refusal({.backward_weight = "1"}), HasSubstr("backward-input: is missing"));
  EXPECT_THAT(refusal({.communication = "1", .bandwidth = "1 GB/s"}), HasSubstr("bandwidth: applies only"));
  EXPECT_THAT(refusal({.latency = "1"}), HasSubstr("latency: applies only"));
  EXPECT_THAT(refusal({.forward = "1 ms", .communication = "1 MB"}), HasSubstr("bandwidth: is missing"));
  EXPECT_THAT(refusal({.forward = "1", .communication = "1 MB", .bandwidth = "1 GB/s"}),
              HasSubstr("forward: needs a unit of time"));
  EXPECT_THAT(refusal({.forward = "1 ms", .communication = "1 MB", .bandwidth = "0 B/s"}),
              HasSubstr("is not a positive bandwidth"));
  EXPECT_THAT(refusal({.forward = "1 ms", .communication = "1.5 B", .bandwidth = "1 B/s"}),
              HasSubstr("communication: '1.5 B' is not a whole number of bytes"));
}

TEST(Tick, ThatWouldNotFitIsRefusedWithTheNameOfTheOption) {
  const Schedule schedule = generate("1f1b", {.ranks = 2, .microbatches = 1});
  BareCosts costs;
  costs.backward = Rational(std::numeric_limits<std::int64_t>::max());
  try {
    static_cast<void>(run_bare(schedule, costs, Communication::independent));
    FAIL() << "ran out of range";
  } catch (const InputError& error) {
    EXPECT_THAT(std::string(error.what()), HasSubstr("backward: "));
  }
  // Denominators whose common multiple leaves 64 bits.
  costs.forward = Rational(1, 4'294'967'291);
  costs.backward = Rational(1, 4'294'967'279);
  costs.backward_input = Rational(1, 4'294'967'231);
  EXPECT_THROW(static_cast<void>(run_bare(schedule, costs, Communication::independent)), InputError);
}

TEST(Tick, ThatMakesTheRunTooLongIsInfeasible) {
  BareCosts costs;
  costs.forward = Rational(1'000'000'000'000'000);
  EXPECT_THROW(static_cast<void>(run_bare(generate("1f1b", {.ranks = 2, .microbatches = 2}), costs,
                                          Communication::independent)),
               InfeasibleError);
}

TEST(Tick, IsAtLeast5040PerUnitAndAPicosecond) {
  const Schedule schedule = generate("interleaved", {.ranks = 2, .microbatches = 2, .chunks = 4});
  EXPECT_EQ(lower_bare(schedule, BareCosts{}, Communication::independent).ticks_per_unit, 5040);
  const BareCosts seconds = read_bare_costs({.forward = "1 ms"});
  EXPECT_EQ(lower_bare(schedule, seconds, Communication::independent).ticks_per_unit,
            BigInteger(1'000'000'000'000));
  const BareCosts eleventh = read_bare_costs({.forward = "1/11"});
  EXPECT_EQ(lower_bare(schedule, eleventh, Communication::independent).ticks_per_unit, 5040 * 11);
}

TEST(RationalText, IsDecimalWhenTheExpansionEnds) {
  EXPECT_EQ(to_string(Rational(27)), "27");
  EXPECT_EQ(to_string(Rational(53, 2)), "26.5");
  EXPECT_EQ(to_string(Rational(1, 80)), "0.0125");
  EXPECT_EQ(to_string(Rational(-1, 4)), "-0.25");
  EXPECT_EQ(to_string(Rational(0)), "0");
  EXPECT_EQ(to_string(Rational(100)), "100");
  EXPECT_EQ(to_string(Rational(80, 3)), "80/3");
}

TEST(RationalText, IsTheNearestDouble) {
  EXPECT_EQ(to_double(Rational(1, 3)), 1.0 / 3.0);
  EXPECT_EQ(to_double(Rational(1, 10)), 0.1);
}

}  // namespace
}  // namespace makespan::test
