#include "tools/collective_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "core/error.h"

namespace makespan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::vector<std::int64_t> sizes(const std::string& text) {
  std::vector<std::int64_t> result;
  for (const Bytes size : parse_sizes(text, "--sizes")) {
    result.push_back(size.count());
  }
  return result;
}

template <class Parse>
std::string refusal(Parse parse) {
  try {
    (void)parse();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string sizes_refusal(const std::string& text) {
  return refusal([&] { return parse_sizes(text, "--sizes"); });
}

std::string gpus_refusal(const std::string& text) {
  return refusal([&] { return parse_gpus(text, 16, "--ranks-list"); });
}

std::string operation_refusal(const std::string& text) {
  return refusal([&] { return parse_operation(text, 16, "--background"); });
}

TEST(Sizes, AreOneOrAListOrARange) {
  EXPECT_THAT(sizes("4 KiB"), ElementsAre(4096));
  EXPECT_THAT(sizes("1MB,8B,8B"), ElementsAre(8, 1'000'000));
  EXPECT_THAT(sizes("8B:64B:x2"), ElementsAre(8, 16, 32, 64));
  EXPECT_THAT(sizes("8B:64B"), ElementsAre(8, 16, 32, 64));
  EXPECT_THAT(sizes("8B:100B:x4"), ElementsAre(8, 32));
  EXPECT_THAT(sizes("8B:30B:+10B"), ElementsAre(8, 18, 28));
}

TEST(Sizes, MayGoUpToTheEndOfTheRange) {
  EXPECT_EQ(parse_sizes("1B:9223372036854775807B:x2", "--sizes").size(), 63U);
}

TEST(Sizes, AreRefusedWithTheReason) {
  EXPECT_THAT(sizes_refusal("8"), HasSubstr("--sizes: '8' "));
  EXPECT_THAT(sizes_refusal("0 B"), HasSubstr("'0 B' is no size"));
  EXPECT_THAT(sizes_refusal("8B:4B:x2"), HasSubstr("'4B' is less than '8B'"));
  EXPECT_THAT(sizes_refusal("8B:64B:2"), HasSubstr("'2' is neither a factor nor a step"));
  EXPECT_THAT(sizes_refusal("8B:64B:x1"), HasSubstr("a factor of 1 leads nowhere"));
  EXPECT_THAT(sizes_refusal("8B:64B:x"), HasSubstr("'' is not a whole number"));
  EXPECT_THAT(sizes_refusal("8B:1GiB:+1B"), HasSubstr("more than 10000 sizes"));
  EXPECT_THAT(sizes_refusal("8B:16B:x2:x2"), HasSubstr("too many parts"));
}

TEST(Gpus, KeepTheOrderOfTheList) {
  EXPECT_THAT(parse_gpus("9,0,4-6", 16, ""), ElementsAre(9, 0, 4, 5, 6));
  EXPECT_THAT(parse_gpus("0-15/8", 16, ""), ElementsAre(0, 8));
  EXPECT_THAT(parse_gpus("1-7/9223372036854775807", 16, ""), ElementsAre(1));
}

TEST(Gpus, AreRefusedWithTheReason) {
  EXPECT_THAT(gpus_refusal("0,16"), HasSubstr("--ranks-list: there is no GPU 16\n  hint: the last is 15"));
  EXPECT_THAT(gpus_refusal("3,1-4"), HasSubstr("names GPU 3 twice"));
  EXPECT_THAT(gpus_refusal("4-1"), HasSubstr("the range '4-1' is empty"));
  EXPECT_THAT(gpus_refusal("0-8/0"), HasSubstr("the range '0-8/0' is empty"));
  EXPECT_THAT(gpus_refusal("a"), HasSubstr("'a' does not start with a number"));
  EXPECT_THAT(gpus_refusal("1;2"), HasSubstr("'1;2' is not a GPU or a range"));
  EXPECT_THAT(gpus_refusal(""), HasSubstr("does not start with a number"));
}

TEST(Operations, AreKindSizeAndGpus) {
  const Operation reduce = parse_operation("all_reduce:1GiB:0,8", 16, "");
  EXPECT_EQ(reduce.kind, TestKind::all_reduce);
  EXPECT_EQ(reduce.payload, Bytes(std::int64_t{1} << 30U));
  EXPECT_THAT(reduce.groups, ElementsAre(ElementsAre(0, 8)));
  const Operation send = parse_operation("send:8MiB:0-1->8-9", 16, "");
  EXPECT_EQ(send.kind, TestKind::send);
  EXPECT_THAT(send.sends, ElementsAre(Pair(0, 8), Pair(1, 9)));
}

TEST(Operations, AreRefusedWithTheReason) {
  EXPECT_THAT(operation_refusal("send:8MiB"), HasSubstr("--background: 'send:8MiB' is not an operation"));
  EXPECT_THAT(operation_refusal("sent:8MiB:0->1"), HasSubstr("there is no collective 'sent'"));
  EXPECT_THAT(operation_refusal("send:8MiB:0,1"), HasSubstr("does not say from where to where"));
  EXPECT_THAT(operation_refusal("send:8MiB:0,1->2"), HasSubstr("does not pair senders and receivers"));
  EXPECT_THAT(operation_refusal("reduce:8MiB:0->1"), HasSubstr("is for sends"));
  EXPECT_THAT(operation_refusal("send:8MiB:3->3"), HasSubstr("sends from GPU 3 to itself"));
  EXPECT_THAT(operation_refusal("reduce:8MiB:3"), HasSubstr("a group of one GPU"));
}

TEST(Splits, PutRanksIntoGroupsAsNcclTestsDoes) {
  const std::vector<std::size_t> gpus = {10, 11, 12, 13, 14};
  EXPECT_THAT(split_ranks(gpus, "mod 2", ""), ElementsAre(ElementsAre(10, 12, 14), ElementsAre(11, 13)));
  EXPECT_THAT(split_ranks(gpus, "DIV2", ""),
              ElementsAre(ElementsAre(10, 11), ElementsAre(12, 13), ElementsAre(14)));
  EXPECT_THAT(refusal([&] { return split_ranks(gpus, "and 7", "--split"); }),
              HasSubstr("--split: 'and 7' is not a way to split"));
  EXPECT_THAT(refusal([&] { return split_ranks(gpus, "m1o2d", "--split"); }),
              HasSubstr("--split: 'm1o2d' is not a way to split"));
  EXPECT_THAT(refusal([&] { return split_ranks(gpus, "mod 1 2", "--split"); }),
              HasSubstr("'1 2' is not a whole number from 1 on"));
  EXPECT_THAT(refusal([&] { return split_ranks(gpus, "mod", "--split"); }),
              HasSubstr("'' is not a whole number from 1 on"));
  EXPECT_THAT(refusal([&] { return split_ranks(gpus, "mod 0", "--split"); }),
              HasSubstr("'0' is not a whole number from 1 on"));
}

TEST(Matrices, AreReadRowByRow) {
  EXPECT_THAT(parse_matrix("# bytes\n0, 10\r\n20 ,0\n\n", "m.csv", 2),
              ElementsAre(Bytes(0), Bytes(10), Bytes(20), Bytes(0)));
}

TEST(Matrices, AreRefusedWithThePlaceThatIsWrong) {
  const auto matrix_refusal = [](const std::string& text) {
    return refusal([&] { return parse_matrix(text, "m.csv", 2); });
  };
  EXPECT_THAT(matrix_refusal("0,1\n1\n"), HasSubstr("m.csv:2: the row has 1 cells"));
  EXPECT_THAT(matrix_refusal("0,1\n"), HasSubstr("m.csv: has 1 rows"));
  EXPECT_THAT(matrix_refusal("0,1\n1,0\n0,0\n"), HasSubstr("m.csv:3: a row too many"));
  EXPECT_THAT(matrix_refusal("0,1\n1,-2\n"), HasSubstr("m.csv:2:3: '-2' is not a whole number of bytes"));
  EXPECT_THAT(matrix_refusal("0,1\n1,2.5\n"), HasSubstr("m.csv:2:3: '2.5' is not a whole number"));
}

}  // namespace
}  // namespace makespan
