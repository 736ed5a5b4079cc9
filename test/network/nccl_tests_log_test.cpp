#include "network/nccl_tests_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace makespan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// Sizes in bytes and times in nanoseconds.
std::vector<std::pair<std::int64_t, std::int64_t>> times(const std::string& text) {
  std::vector<std::pair<std::int64_t, std::int64_t>> result;
  for (const MeasuredTime& measured : parse_nccl_tests_log(text, "run.log").times) {
    result.emplace_back(measured.payload.count(), measured.time.count() / 1000);
  }
  return result;
}

std::string refusal(const std::string& text) {
  try {
    (void)parse_nccl_tests_log(text, "run.log");
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

const std::string kHeader =
    "#                                                    out-of-place                 in-place\n"
    "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   "
    "busbw #wrong\n"
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  "
    "(GB/s)\n";

TEST(NcclTestsLog, IsReadAsItIsPrinted) {
  EXPECT_THAT(times("# nThread 1 nGpus 8 minBytes 1048576 maxBytes 4194304 step: 2(factor) warmup iters: 5\n"
                    "#\n"
                    "# Using devices\n"
                    "#  Rank  0 Group  0 Pid   1234 on    node-1 device  0 [0x10] NVIDIA H100 80GB HBM3\n"
                    "#\n" +
                    kHeader +
                    "     1048576        262144     float     sum      -1    41.25   25.42   44.48      0    "
                    "40.10   26.15   45.76      0\n"
                    "     2097152        524288     float     sum      -1  1.3e+06   25.42   44.48    N/A    "
                    "40.10   26.15   45.76    N/A\n"
                    "# Out of bounds values : 0 OK\n"
                    "# Avg bus bandwidth    : 44.48\n"
                    "#\n"),
              ElementsAre(Pair(1048576, 41250), Pair(2097152, 1300000000)));
}

TEST(NcclTestsLog, MayHaveTheColumnsOfEarlyVersions) {
  const std::string header =
      "#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  "
      "error\n"
      "#        (B)    (elements)                     (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)\n";
  EXPECT_THAT(
      times(header + "     1048576        262144   float     sum    41.25   25.42   44.48  2e-07    40.10   "
                     "26.15   45.76  2e-07\n"),
      ElementsAre(Pair(1048576, 41250)));
  // A gather has no operation: the column is blank.
  EXPECT_THAT(
      times(header + "     1048576        262144   float            41.25   25.42   44.48  0e+00    40.10   "
                     "26.15   45.76  0e+00\n"),
      ElementsAre(Pair(1048576, 41250)));
  EXPECT_THAT(times("# size count type time algbw busbw error time algbw busbw error\n"
                    "1048576 262144 float 41.25 25.42 44.48 0e+00 40.10 26.15 45.76 0e+00\n"),
              ElementsAre(Pair(1048576, 41250)));
}

TEST(NcclTestsLog, MayHaveMoreColumnsBehindTheBandwidths) {
  EXPECT_THAT(times("# size count type redop root time algbw busbw algorithm protocol\n"
                    "# (B) (elements) (us) (GB/s) (GB/s)\n"
                    "4096 1024 float sum -1 12.5 0.33 0.57 ring ll\n"),
              ElementsAre(Pair(4096, 12500)));
}

TEST(NcclTestsLog, PassesOverMessagesAndPrefixes) {
  EXPECT_THAT(
      times("[1,0]<stdout>:#  size  count  type  redop  root  time  algbw  busbw #wrong\n"
            "node-1:77:91 [0] NCCL INFO Channel 00/24 : 0 1 2 3\n"
            "[1,0]<stdout>:        8         2     float     sum      -1    20.00    0.00    0.00      0\n"
            "[1,3]<stdout>:node-1:80:95 [3] NCCL INFO Connected all rings\r\n"
            "[1,0]<stdout>: 16  4  float  sum  -1  30.00  0.00  0.00  0\r\n"),
      ElementsAre(Pair(8, 20000), Pair(16, 30000)));
  EXPECT_THAT(times("0: # size count type redop root time algbw busbw #wrong\n"
                    "0:   8     2  float  sum  -1  20.00  0.00  0.00  0\n"),
              ElementsAre(Pair(8, 20000)));
}

TEST(NcclTestsLog, SkipsRowsWithoutBytesOrTime) {
  EXPECT_THAT(times(kHeader + "0 0 float sum -1 20.00 0.00 0.00 0\n"
                              "8 2 float sum -1 N/A 0.00 0.00 0\n"
                              "16 4 float sum -1 -nan -nan -nan 0\n"
                              "32 8 float sum -1 25.00 0.00 -nan 0\n"),
              ElementsAre(Pair(32, 25000)));
}

TEST(NcclTestsLog, TakesTheMeanOfRowsOfOneSizeAndSortsThem) {
  EXPECT_THAT(times(kHeader + "64 16 float none 0 30.00 0.00 0.00 0\n"
                              "32 8 float none 0 10.00 0.00 0.00 0\n"
                              "32 8 float none 1 13.00 0.00 0.00 0\n"),
              ElementsAre(Pair(32, 11500), Pair(64, 30000)));
}

TEST(NcclTestsLog, IsRefusedWithThePlaceThatIsWrong) {
  EXPECT_THAT(refusal(""), HasSubstr("run.log: holds no table of nccl-tests"));
  EXPECT_THAT(refusal("nothing\nto see\n"), HasSubstr("run.log: holds no table of nccl-tests"));
  EXPECT_THAT(refusal("8 2 float sum -1 20.00 0.00 0.00 0\n"),
              HasSubstr("run.log:1:1: a row of numbers stands before the header"));
  EXPECT_THAT(refusal(kHeader), HasSubstr("run.log:2:1: the table holds no out-of-place time"));
  EXPECT_THAT(refusal(kHeader + "8 2 float sum -1\n"), HasSubstr("run.log:4:15: the row is broken off"));
  EXPECT_THAT(refusal(kHeader + "8 2 float sum -1[0] node-1:77:91 [0] NCCL INFO 8 Bytes -> Algo 0\n"),
              HasSubstr("run.log:4:21: 'node-1:77:91' is not a time"));
  EXPECT_THAT(refusal(kHeader + "8 2 float sum -1 0.00 0.00 0.00 0\n"),
              HasSubstr("run.log:4:18: a time of 0.00 us"));
  EXPECT_THAT(refusal(kHeader + "99999999999999999999 2 float sum -1 1.00 0.00 0.00 0\n"),
              HasSubstr("run.log:4:1: the size is too large"));
  EXPECT_THAT(refusal(kHeader + kHeader),
              HasSubstr("run.log:5:1: starts another table: the first began in line 2"));
  EXPECT_THAT(refusal("# size count type redop root cputime algbw busbw #wrong\n"),
              HasSubstr("run.log:1:30: the times are those of the CPU"));
  EXPECT_THAT(refusal("# size count type redop root time algbw busbw #wrong\n# (B) (elements) (ms)\n"),
              HasSubstr("run.log:2:18: times in (ms)"));
}

}  // namespace
}  // namespace makespan
