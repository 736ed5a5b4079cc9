#include "scenarios/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>

#include "core/random.h"

namespace makespan {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kUs = 1'000'000;
constexpr std::int64_t kMs = 1000 * kUs;
constexpr std::int64_t kS = 1000 * kMs;

TEST(Quantity, reads_whole_numbers_by_one_grammar) {
  EXPECT_EQ(parse_integer("0").value, 0);
  EXPECT_EQ(parse_integer("-17").value, -17);
  EXPECT_EQ(parse_integer("1e3").value, 1000);
  EXPECT_EQ(parse_integer("1.5e3").value, 1500);
  EXPECT_EQ(parse_integer("1200e-2").value, 12);
  EXPECT_EQ(parse_integer("12.000").value, 12);
  EXPECT_EQ(parse_integer("9223372036854775807").value, std::numeric_limits<std::int64_t>::max());
  for (const std::string bad : {"",
                                "-",
                                "1.5",
                                "12e-1",
                                "012",
                                "00",
                                "0x1F",
                                "0o17",
                                "1_000",
                                "1,000",
                                "1 2",
                                "+1",
                                ".5",
                                "5.",
                                "1e",
                                "e3",
                                "nan",
                                ".inf",
                                "9223372036854775808",
                                "1e19",
                                "1e99999",
                                "12abc",
                                " 1",
                                "1 ",
                                "١"}) {
    EXPECT_FALSE(parse_integer(bad).value) << bad;
    EXPECT_THAT(parse_integer(bad).what, HasSubstr("must be a whole number")) << bad;
  }
}

TEST(Quantity, reads_finite_reals_by_the_same_grammar) {
  EXPECT_EQ(parse_real("0.1").value, 0.1);
  EXPECT_EQ(parse_real("-2.5e-3").value, -2.5e-3);
  EXPECT_EQ(parse_real("1e308").value, 1e308);
  for (const std::string bad :
       {"1e309", "1e-400", "nan", "inf", "-inf", ".nan", "0x1p3", "01.5", "1.", ".5"}) {
    EXPECT_FALSE(parse_real(bad).value) << bad;
  }
}

TEST(Quantity, reads_times_exactly) {
  EXPECT_EQ(parse_time("18.522 ms").value, Time(18'522 * kUs));
  EXPECT_EQ(parse_time("3.5us").value, Time(35 * kUs / 10));
  EXPECT_EQ(parse_time("1e-3 s").value, Time(kMs));
  EXPECT_EQ(parse_time("2 min").value, Time(120 * kS));
  EXPECT_EQ(parse_time("1 h").value, Time(3600 * kS));
  EXPECT_EQ(parse_time("0 s").value, Time(0));
  EXPECT_EQ(parse_time("0.123456789012 s").value, Time(123'456'789'012)) << "not representable in a double";
}

TEST(Quantity, rounds_times_once_to_the_nearest_picosecond) {
  EXPECT_EQ(parse_time("1.4999 ps").value, Time(1));
  EXPECT_EQ(parse_time("1.5 ps").value, Time(2));
  EXPECT_FALSE(parse_time("0.4 ps").value) << "would silently become 0";
}

TEST(Quantity, tells_bits_from_bytes_and_decimal_from_binary) {
  EXPECT_EQ(parse_size("48 MiB").value, Bytes(48 * 1024 * 1024));
  EXPECT_EQ(parse_size("48 MB").value, Bytes(48'000'000));
  EXPECT_EQ(parse_size("1.5 kB").value, Bytes(1500));
  EXPECT_EQ(parse_size("80 GiB").value, Bytes(std::int64_t{80} << 30));
  EXPECT_EQ(parse_rate("400 Gb/s").value, Rate(400'000'000'000 / 8 * 1000));
  EXPECT_EQ(parse_rate("50 GB/s").value, parse_rate("400 Gb/s").value);
  EXPECT_EQ(parse_rate("1 GiB/s").value, Rate((std::int64_t{1} << 30) * 1000));
  EXPECT_EQ(parse_rate("1 b/s").value, Rate(125));
  EXPECT_EQ(parse_count("40 M parameters", "parameters").value, 40'000'000);
  EXPECT_EQ(parse_count("7 parameters", "parameters").value, 7);
}

TEST(Quantity, wants_a_unit_and_says_which) {
  EXPECT_THAT(parse_time("10").hint, HasSubstr("add a unit"));
  EXPECT_THAT(parse_time("10 MS").hint, HasSubstr("did you mean '10 ms'?"));
  EXPECT_THAT(parse_size("10 mb").hint, HasSubstr("did you mean '10 MB'?"));
  EXPECT_THAT(parse_rate("400 GB").hint, HasSubstr("known units"));
  EXPECT_THAT(parse_time("10 µs").hint, HasSubstr("'us'"));
  EXPECT_THAT(parse_count("40000000", "parameters").hint, HasSubstr("add a unit"));
  EXPECT_THAT(parse_count("40 MB", "parameters").hint, HasSubstr("known units"));
}

TEST(Quantity, refuses_what_does_not_fit) {
  EXPECT_TRUE(parse_time("9223372 s").value);
  EXPECT_FALSE(parse_time("9223373 s").value);
  EXPECT_FALSE(parse_time("1e30 h").value);
  EXPECT_FALSE(parse_time("-1 s").value);
  EXPECT_FALSE(parse_size("1e9999 TiB").value);
  EXPECT_FALSE(parse_size("1.00000000000000000001 B").value) << "more digits than are kept exactly";
}

TEST(Quantity, writes_times_sizes_and_counts_for_people) {
  EXPECT_EQ(time_text(Time(18'522 * kUs)), "18.522 ms");
  EXPECT_EQ(time_text(Time(0)), "0 ps");
  EXPECT_EQ(time_text(Time(90 * kS)), "90 s");
  EXPECT_EQ(time_text(Time(1'000'001)), "1.000001 us");
  EXPECT_EQ(size_text(Bytes(48 << 20)), "48 MiB");
  EXPECT_EQ(size_text(Bytes(1001)), "1001 B");
  EXPECT_EQ(count_text(40'000'000, "parameters"), "40 M parameters");
  EXPECT_EQ(count_text(41'500'000, "parameters"), "41500 k parameters");
  EXPECT_EQ(count_text(7, "parameters"), "7 parameters");
}

TEST(Quantity, reads_back_what_it_writes) {
  Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::int64_t>(random.bits() >> (1 + random.below(63)));
    ASSERT_EQ(parse_time(time_text(Time(value))).value, Time(value)) << time_text(Time(value));
    ASSERT_EQ(parse_size(size_text(Bytes(value))).value, Bytes(value)) << size_text(Bytes(value));
    ASSERT_EQ(parse_count(count_text(value, "parameters"), "parameters").value, value);
    ASSERT_EQ(parse_integer(std::to_string(value)).value, value);
  }
}

}  // namespace
}  // namespace makespan
