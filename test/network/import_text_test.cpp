#include "network/import_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace makespan {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

TEST(ImportText, finds_lines_and_columns) {
  const SourceText source("ab\ncd\r\n\nlast", "f");
  EXPECT_EQ(source.at(std::size_t{0}).text(), "f:1:1");
  EXPECT_EQ(source.at(std::size_t{2}).text(), "f:1:3");  // the line end itself
  EXPECT_EQ(source.at(std::size_t{4}).text(), "f:2:2");
  EXPECT_EQ(source.at(source.text().substr(8)).text(), "f:4:1");
  EXPECT_EQ(source.at(std::size_t{999}).text(), "f:4:5");
}

TEST(ImportText, splits_lines_with_any_end) {
  const auto texts = [](std::string_view text) {
    std::vector<std::string> found;
    for (const TextLine& line : SourceText(text, "f").lines()) {
      found.emplace_back(line.text);
    }
    return found;
  };
  EXPECT_THAT(texts("a\nb"), ElementsAre("a", "b"));
  EXPECT_THAT(texts("a\r\n\r\nb\n"), ElementsAre("a", "", "b"));
  EXPECT_THAT(texts(""), ElementsAre());
  EXPECT_THAT(texts("\n"), ElementsAre(""));
}

TEST(ImportText, refuses_control_characters_and_huge_texts) {
  const auto error = [](const std::string& text, std::string_view allowed = {}) -> std::string {
    try {
      const SourceText source(text, "f", allowed);
    } catch (const InputError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_EQ(error("tab\tand\r\nline, h\xC3\xA9"), "accepted");
  EXPECT_THAT(error(std::string("a\nb\0c", 5)), StartsWith("f:2:2: the control character 0x00"));
  EXPECT_THAT(error("\x1b[4m"), StartsWith("f:1:1: the control character 0x1b"));
  EXPECT_EQ(error("\x1b[4m", "\x1b"), "accepted");
  EXPECT_THAT(error("\x7f"), StartsWith("f:1:1: the control character 0x7f"));
  EXPECT_THAT(error(std::string(kMaxTopologyBytes + 1, ' ')), StartsWith("f: is larger than 64 MiB"));
}

TEST(ImportText, quotes_what_it_shows) {
  EXPECT_EQ(in_quotes("a b"), "'a b'");
  EXPECT_EQ(in_quotes("\x1b[31m\n"), "'\\x1b[31m\\x0a'");
  EXPECT_EQ(in_quotes(std::string(41, 'x')), "'" + std::string(40, 'x') + "...'");
}

TEST(ImportText, lists_names) {
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed({"a", "b"}), "a, b");
  EXPECT_EQ(listed({"a", "b", "c"}, 2), "a, b and 1 more");
  EXPECT_EQ(counted(1, "host"), "1 host");
  EXPECT_EQ(counted(0, "host"), "0 hosts");
}

TEST(ImportText, writes_rates) {
  EXPECT_EQ(gigabytes(48.5e9), "48.5 GB/s");
  EXPECT_EQ(gigabytes(366e9 / 18), "20.33 GB/s");
  EXPECT_EQ(gigabytes(100e9), "100 GB/s");
  EXPECT_EQ(gigabytes(50e6), "0.05 GB/s");
  EXPECT_EQ(gigabytes(0), "0 GB/s");
}

TEST(ImportText, reads_numbers_that_are_all_of_a_text) {
  EXPECT_EQ(whole_number("42"), 42);
  EXPECT_EQ(whole_number("-1"), -1);
  EXPECT_EQ(whole_number("0x2a"), 42);
  for (const char* text : {"", "0x", "0x-1", "4 ", "4x", "1.5", "99999999999999999999", "+1"}) {
    EXPECT_EQ(whole_number(text), std::nullopt) << text;
  }
  EXPECT_EQ(decimal_number("2.5"), 2.5);
  for (const char* text : {"", "1e3", "inf", "nan", "2,5", "1 ", "0x10"}) {
    EXPECT_EQ(decimal_number(text), std::nullopt) << text;
  }
}

TEST(ImportText, orders_names_by_their_numbers) {
  const std::vector<std::string> sorted = {"a",       "mlx5_0",   "mlx5_2", "mlx5_02",
                                           "mlx5_10", "mlx5_10a", "n1x2",   "n10x1"};
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      const bool expected = sorted[i] == "mlx5_2" && sorted[j] == "mlx5_02"   ? false
                            : sorted[i] == "mlx5_02" && sorted[j] == "mlx5_2" ? true
                                                                              : i < j;
      EXPECT_EQ(natural_less(sorted[i], sorted[j]), expected) << sorted[i] << " " << sorted[j];
    }
  }
}

}  // namespace
}  // namespace makespan
