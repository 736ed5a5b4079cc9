#include "tools/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/report_writer.h"

namespace makespan {
namespace {

TEST(Table, AlignsNamesLeftAndNumbersRight) {
  EXPECT_EQ(text_table({{"name", "n"}, {{"a", "1"}, {"\xc3\xa4\xc3\xb6", "200"}}}),
            "name    n\n"
            "a       1\n"
            "\xc3\xa4\xc3\xb6    200\n")
      << "what counts is characters, not bytes";
}

TEST(Table, QuotesCsvAndDisarmsFormulas) {
  EXPECT_EQ(csv_table({{"a", "b"}, {{"x,y", "say \"z\""}, {"=1+1", "-2.5e3"}, {"@f", "two\nlines"}}}),
            "a,b\n"
            "\"x,y\",\"say \"\"z\"\"\"\n"
            "'=1+1,-2.5e3\n"
            "'@f,\"two\nlines\"\n");
}

TEST(Table, EscapesMarkdownBars) {
  EXPECT_EQ(markdown_table({{"a", "b"}, {{"x|y", "1"}}}), "| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n");
}

TEST(Table, EscapesLatex) {
  EXPECT_EQ(latex_table({{"a_b", "%"}, {{"\\x~{}", "1 & 2"}}}),
            "\\begin{tabular}{lr}\n\\toprule\na\\_b & \\% \\\\\n\\midrule\n"
            "\\textbackslash{}x\\~{}\\{\\} & 1 \\& 2 \\\\\n\\bottomrule\n\\end{tabular}\n");
}

TEST(Tables, KeepARowOnOneLine) {
  const Table table{{"name", "x"}, {{"a\nb\tc\x7f", "1"}}};
  EXPECT_EQ(text_table(table), "name    x\na b c   1\n");
  EXPECT_EQ(markdown_table(table), "| name | x |\n| --- | ---: |\n| a b c  | 1 |\n");
  EXPECT_THAT(latex_table(table), testing::HasSubstr("\na b c  & 1 \\\\\n"));
  EXPECT_EQ(csv_table({{"name"}, {{"a\nb"}}}), "name\n\"a\nb\"\n");
}

TEST(TexEscaped, WritesWhatTexReadsAsItsOwn) {
  EXPECT_EQ(tex_escaped("a^b~\\alpha"), "a\\^{}b\\~{}\\textbackslash{}alpha");
  EXPECT_EQ(tex_escaped("<|>"), "\\textless{}\\textbar{}\\textgreater{}");
  EXPECT_EQ(tex_escaped("5 % of µs"), "5 \\% of \\ensuremath{\\mu}s");
  EXPECT_EQ(tex_escaped("a\nb"), "a b");
}

TEST(TimeText, KeepsFourDigitsInTheUnitThatSuits) {
  EXPECT_EQ(time_text(24.6137), "24.61 s");
  EXPECT_EQ(time_text(1234.5), "1234 s");
  EXPECT_EQ(time_text(0.0012345), "1.234 ms");
  EXPECT_EQ(time_text(123.4e-6), "123.4 us");
  EXPECT_EQ(time_text(5e-9), "5.000 ns");
  EXPECT_EQ(time_text(5e-12), "0.005 ns");
  EXPECT_EQ(time_text(0), "0");
}

TEST(BytesText, UsesBinaryPrefixes) {
  EXPECT_EQ(bytes_text(Bytes(1023)), "1023 B");
  EXPECT_EQ(bytes_text(Bytes(1536)), "1.50 KiB");
  EXPECT_EQ(bytes_text(Bytes(std::int64_t{80} << 30U)), "80.00 GiB");
}

}  // namespace
}  // namespace makespan
