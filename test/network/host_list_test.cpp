#include "network/host_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace makespan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<std::string> expand(std::string_view text) {
  return expand_host_list(text, {"f.conf", 3, 10});
}

std::string error_of(const std::string& text) {
  try {
    const auto hosts = expand(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(HostList, names_stand_for_themselves) {
  EXPECT_THAT(expand("login"), ElementsAre("login"));
  EXPECT_THAT(expand("a,b.c-d_e,switch.1.2"), ElementsAre("a", "b.c-d_e", "switch.1.2"));
}

TEST(HostList, ranges_and_lists_expand_in_order) {
  EXPECT_THAT(expand("gpu[8-10,12],login"), ElementsAre("gpu8", "gpu9", "gpu10", "gpu12", "login"));
  EXPECT_THAT(expand("s[1]x"), ElementsAre("s1x"));
  EXPECT_THAT(expand("[1-2]"), ElementsAre("1", "2"));
}

TEST(HostList, a_leading_zero_fixes_the_width) {
  EXPECT_THAT(expand("n[08-10]"), ElementsAre("n08", "n09", "n10"));
  EXPECT_THAT(expand("n[099-101]"), ElementsAre("n099", "n100", "n101"));
  EXPECT_THAT(expand("n[0-2]"), ElementsAre("n0", "n1", "n2"));
  EXPECT_THAT(expand("n[8-011]"), ElementsAre("n8", "n9", "n10", "n11"));
}

TEST(HostList, of_several_brackets_the_last_varies_fastest) {
  EXPECT_THAT(expand("r[1-2]n[1,3]"), ElementsAre("r1n1", "r1n3", "r2n1", "r2n3"));
}

TEST(HostList, faults_are_shown_where_they_are) {
  // The text begins in column 10.
  EXPECT_THAT(error_of("n[1-2"), StartsWith("f.conf:3:11: a bracket that is not closed"));
  EXPECT_THAT(error_of("n1-2]"), StartsWith("f.conf:3:14: ']' in a host name"));
  EXPECT_THAT(error_of("n[1;2]"), StartsWith("f.conf:3:13: ';' between brackets"));
  EXPECT_THAT(error_of("n[]"), StartsWith("f.conf:3:12: a number is missing"));
  EXPECT_THAT(error_of("n[1-]"), StartsWith("f.conf:3:14: a number is missing"));
  EXPECT_THAT(error_of("n[x]"), StartsWith("f.conf:3:12: a number is missing"));
  EXPECT_THAT(error_of("n[[1]]"), StartsWith("f.conf:3:12: a number is missing"));
  EXPECT_THAT(error_of("n[5-3]"), StartsWith("f.conf:3:12: the range '5-3' runs backwards"));
  EXPECT_THAT(error_of("n[1234567890]"), StartsWith("f.conf:3:12: a number of too many digits"));
  EXPECT_THAT(error_of(""), StartsWith("f.conf:3:10: a host without a name"));
  EXPECT_THAT(error_of("a,,b"), StartsWith("f.conf:3:12: a host without a name"));
  EXPECT_THAT(error_of("a,"), StartsWith("f.conf:3:12: a host without a name"));
  EXPECT_THAT(error_of("a b"), StartsWith("f.conf:3:11: ' ' in a host name"));
  EXPECT_THAT(error_of("h\xC3\xA9"), HasSubstr("'\\xc3' in a host name"));
  EXPECT_THAT(error_of(std::string(256, 'h')), HasSubstr("a host name of 256 letters"));
}

TEST(HostList, is_bounded) {
  EXPECT_EQ(expand("n[1-100000]").size(), kMaxHosts);
  EXPECT_THAT(error_of("n[1-100001]"), HasSubstr("a range of 100001 hosts"));
  EXPECT_THAT(error_of("n[0-999999999]"), HasSubstr("a range of 1000000000 hosts"));
  EXPECT_THAT(error_of("n[1-1000]x[1-1000]"), HasSubstr("more than 100000 hosts"));
  EXPECT_THAT(error_of("n[1-60000],m[1-60000]"), HasSubstr("more than 100000 hosts"));
  EXPECT_THAT(error_of("n[1-60000,1-60000]"), HasSubstr("more than 100000 hosts"));
}

}  // namespace
}  // namespace makespan
