#include "scenarios/yaml.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace makespan {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Tree {
  YamlDocument document;
  std::uint32_t root = 0;

  [[nodiscard]] const YamlNode& operator[](std::uint32_t node) const { return document.nodes[node]; }

  /// The value at a key of the root.
  [[nodiscard]] const YamlNode& at(const std::string& key) const {
    return document.nodes[document.nodes[root].children[document.find(root, key).value()]];
  }
};

Tree parse(const std::string& text) {
  Tree tree;
  Problems problems;
  tree.root = read_yaml(tree.document, text, "f.yaml", problems);
  problems.throw_if_any();
  return tree;
}

std::string error_of(const std::string& text) {
  try {
    const Tree tree = parse(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

std::string repeat(const std::string& part, std::size_t times) {
  std::string text;
  text.reserve(part.size() * times);
  for (std::size_t i = 0; i < times; ++i) {
    text += part;
  }
  return text;
}

TEST(Yaml, keeps_kinds_texts_and_quotes) {
  const Tree tree = parse(
      "plain: 1f1b\ndouble: \"1f1b\"\nsingle: '2'\nblock: |\n  text\nlist: [1, 2]\nmap: {a: 1}\nnothing:\n");
  EXPECT_EQ(tree[tree.root].kind, YamlKind::mapping);
  EXPECT_EQ(tree.at("plain").text, "1f1b");
  EXPECT_FALSE(tree.at("plain").quoted);
  EXPECT_TRUE(tree.at("double").quoted);
  EXPECT_TRUE(tree.at("single").quoted);
  EXPECT_TRUE(tree.at("block").quoted);
  EXPECT_EQ(tree.at("block").text, "text\n");
  EXPECT_EQ(tree.at("list").kind, YamlKind::sequence);
  EXPECT_EQ(tree.at("list").children.size(), 2U);
  EXPECT_EQ(tree.at("map").kind, YamlKind::mapping);
  EXPECT_EQ(tree.at("nothing").kind, YamlKind::null);
}

TEST(Yaml, counts_lines_and_columns_from_one) {
  const Tree tree = parse("a:\n  b: 1\nc: xyz\n");
  EXPECT_EQ(tree.at("c").line, 3);
  EXPECT_EQ(tree.at("c").column, 4);
}

TEST(Yaml, places_an_empty_value_at_its_key) {
  const Tree tree = parse("a: 1\nempty:\n\n\nb: 2\n");
  EXPECT_EQ(tree.at("empty").line, 2);
  EXPECT_EQ(tree.at("empty").column, 1);
}

TEST(Yaml, shares_what_an_alias_refers_to) {
  const Tree tree = parse("a: &x [1, 2]\nb: *x\n");
  EXPECT_EQ(&tree.at("a"), &tree.at("b"));
}

TEST(Yaml, accepts_a_byte_order_mark_and_windows_line_ends) {
  EXPECT_EQ(parse("\xEF\xBB\xBF"
                  "a: 1\r\nb: 2\r\n")
                .at("b")
                .text,
            "2");
}

TEST(Yaml, accepts_one_document_with_markers) {
  EXPECT_EQ(parse("---\na: 1\n...\n").at("a").text, "1");
}

TEST(Yaml, accepts_nesting_and_values_up_to_the_limits) {
  EXPECT_NE(error_of("a: " + repeat("[", kMaxYamlDepth - 1) + repeat("]", kMaxYamlDepth - 1)), "");
  EXPECT_EQ(error_of("a: " + repeat("[", kMaxYamlDepth - 1) + repeat("]", kMaxYamlDepth - 1)), "accepted");
  EXPECT_THAT(error_of("a: " + repeat("[", kMaxYamlDepth) + repeat("]", kMaxYamlDepth)),
              HasSubstr("nest more than 64"));
  // Root, key, list: three nodes besides the items.
  EXPECT_EQ(error_of("a: [" + repeat("x,", kMaxYamlNodes - 3) + "]"), "accepted");
  EXPECT_THAT(error_of("a: [" + repeat("x,", kMaxYamlNodes - 2) + "]"), HasSubstr("more than 200000 values"));
  EXPECT_EQ(error_of("a: " + std::string(kMaxYamlScalar, 'x')), "accepted");
  EXPECT_THAT(error_of("a: " + std::string(kMaxYamlScalar + 1, 'x')), HasSubstr("a text of 65537 bytes"));
  EXPECT_EQ(error_of(std::string(kMaxYamlKey, 'k') + ": 1"), "accepted");
  EXPECT_THAT(error_of("? " + std::string(kMaxYamlKey + 1, 'k') + "\n: 1"), HasSubstr("a key of 257 bytes"));
}

TEST(Yaml, counts_an_aliased_subtree_as_often_as_it_is_used) {
  // Three nodes for root, first key and list with n items; each alias adds n + 1, and a list and its key hold
  // them.
  const std::size_t n = 1000;
  const std::string list = "a: &a [" + repeat("x,", n) + "]\n";
  const std::size_t fits = (kMaxYamlNodes - 3 - n - 2) / (n + 1);
  EXPECT_EQ(error_of(list + "b: [" + repeat("*a,", fits) + "]\n"), "accepted");
  EXPECT_THAT(error_of(list + "b: [" + repeat("*a,", fits + 1) + "]\n"), HasSubstr("aliases expanded"));
}

TEST(Yaml, counts_the_depth_of_an_aliased_subtree) {
  const auto chain = [](std::size_t levels) {
    std::string text = "a0: &a0 [x]\n";
    for (std::size_t i = 1; i < levels; ++i) {
      text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
    }
    return text;
  };
  EXPECT_EQ(error_of(chain(kMaxYamlDepth - 1)), "accepted");
  EXPECT_THAT(error_of(chain(kMaxYamlDepth)), HasSubstr("nest more than 64"));
}

TEST(Yaml, names_both_lines_of_a_duplicate_key) {
  EXPECT_EQ(error_of("a: 1\nb: {c: 1}\na: 3\n"),
            "f.yaml:3:1: a: given twice, first in line 1\n  hint: keep one of them");
}

TEST(Yaml, reports_up_to_twenty_problems_and_counts_the_rest) {
  const std::string error = error_of(repeat("a: 1\n", 31));
  EXPECT_THAT(error, HasSubstr("f.yaml:21:1"));
  EXPECT_THAT(error, ::testing::Not(HasSubstr("f.yaml:22:1")));
  EXPECT_THAT(error, ::testing::EndsWith("\n... and 10 more problems"));
}

TEST(Yaml, refuses_every_invalid_utf8_sequence) {
  for (const std::string bad : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80",
                                "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82"}) {
    EXPECT_THAT(error_of("a: x" + bad), StartsWith("f.yaml:1:5: is not UTF-8"))
        << ::testing::PrintToString(bad);
  }
  EXPECT_EQ(error_of("a: \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), "accepted");
}

TEST(Yaml, refuses_control_characters_raw_or_escaped) {
  for (int code = 1; code < 0x20; ++code) {
    if (code == '\t' || code == '\n' || code == '\r') {
      continue;
    }
    EXPECT_THAT(error_of("a: 'x" + std::string(1, static_cast<char>(code)) + "'"),
                HasSubstr("control character"));
  }
  EXPECT_THAT(error_of("a: \"\\e[31m\""), HasSubstr("has control characters"));
  EXPECT_THAT(error_of("a: \"\\x85\""), HasSubstr("has control characters"));
  EXPECT_THAT(error_of("\"\\0\": 1"), HasSubstr("has control characters"));
}

/// Every text must be refused or accepted within a second; returns the error.
std::string timed_error(const std::string& text) {
  const auto start = std::chrono::steady_clock::now();
  std::string error = error_of(text);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << text.substr(0, 20);
  return error;
}

TEST(Yaml, ends_early_on_huge_inputs) {
  const std::size_t million = 1'000'000;
  EXPECT_THAT(timed_error(repeat("[", million)), HasSubstr("more than 64 brackets"));
  EXPECT_THAT(timed_error(repeat("{a: ", million)), HasSubstr("more than 64 brackets"));
  EXPECT_THAT(timed_error(repeat("[ #]\n", million)), HasSubstr("is a bracket not closed?"));
  EXPECT_THAT(timed_error(repeat("- ", million)), HasSubstr("nest more than 64"));
  EXPECT_THAT(timed_error(repeat("? ", million)), HasSubstr("a key is expected, found a mapping"));
  EXPECT_THAT(timed_error("a: [" + repeat("x,", 2 * million) + "]"), HasSubstr("more than 200000 values"));
  EXPECT_THAT(timed_error(repeat("- x\n", million)), HasSubstr("more than 200000 values"));
  EXPECT_THAT(timed_error("a: \"" + std::string(8 * million, 'x') + "\""),
              HasSubstr("a text of 8000000 bytes"));
  EXPECT_THAT(timed_error(std::string(kMaxYamlBytes + 1, '#')), HasSubstr("has more than 8388608 bytes"));
  EXPECT_THAT(timed_error(repeat(",\n", million)), HasSubstr("f.yaml:1:1"));
}

TEST(Yaml, explains_syntax_errors_in_its_own_words) {
  EXPECT_THAT(error_of("a: \"b\nc: 1\n"), StartsWith("f.yaml:1:1: a: text in quotes that starts after this"));
  EXPECT_THAT(error_of("a: [1, 2\nb: 1\n"), HasSubstr("it was opened in line 1, column 4"));
  EXPECT_THAT(error_of("a: b: c\n"), StartsWith("f.yaml:1:5: a ':' is not expected here"));
  EXPECT_THAT(error_of("a: *b\n"), HasSubstr("not defined before it"));
  EXPECT_THAT(error_of("a: \"\\q\"\n"), HasSubstr("an unknown escape"));
  EXPECT_THAT(error_of("a: @b\n"), HasSubstr("a character that cannot start a value"));
}

class ReadText : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }

  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("makespan_read_text_" + std::to_string(::getpid()));
};

TEST_F(ReadText, returns_the_bytes_of_a_file) {
  std::ofstream(folder_ / "f.yaml") << "a: 1\n";
  EXPECT_EQ(read_text(folder_ / "f.yaml"), "a: 1\n");
}

TEST_F(ReadText, refuses_what_is_not_a_regular_file) {
  EXPECT_THROW(std::ignore = read_text(folder_), InputError);
  EXPECT_THROW(std::ignore = read_text(folder_ / "absent.yaml"), InputError);
  EXPECT_THROW(std::ignore = read_text("/dev/zero"), InputError);
  const std::string fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THROW(std::ignore = read_text(fifo), InputError) << "and does not wait for a writer";
}

TEST_F(ReadText, refuses_a_file_past_the_limit) {
  std::ofstream(folder_ / "limit").close();
  std::filesystem::resize_file(folder_ / "limit", kMaxYamlBytes);
  EXPECT_EQ(read_text(folder_ / "limit").size(), kMaxYamlBytes);
  std::filesystem::resize_file(folder_ / "limit", kMaxYamlBytes + 1);
  EXPECT_THROW(std::ignore = read_text(folder_ / "limit"), InputError);
}

}  // namespace
}  // namespace makespan
