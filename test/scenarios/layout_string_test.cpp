#include "scenarios/layout_string.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "core/random.h"
#include "scenarios/reader.h"
#include "scenarios/resolve.h"
#include "scenarios/writer.h"

namespace makespan {
namespace {

using testing::HasSubstr;

using Layers = std::vector<std::int64_t>;

Layers layers_of(const std::string& text) {
  const Parsed<Layers> parsed = parse_layout(text);
  EXPECT_TRUE(parsed.value) << text << ": " << parsed.what;
  return parsed.value.value_or(Layers{});
}

/// The examples of Megatron-LM's parse_str_to_list, where it has no m.
TEST(LayoutString, unrolls_as_megatron_does) {
  Layers many = {3};
  many.insert(many.end(), 29, 2);
  many.insert(many.end(), {1, 0});
  EXPECT_EQ(layers_of("Ettt|(tt|)*29,t|L"), many);
  EXPECT_EQ(layers_of("Et*3|(tt|)*29,t|L"), many);
  EXPECT_EQ(layers_of("Et*2|(t*2|)*2t*2L"), (Layers{2, 2, 2, 2}));
  EXPECT_EQ(layers_of("E(|tt)*2,tL"), (Layers{0, 2, 3}));            // (|ab)*2,cd is |ab|abcd
  EXPECT_EQ(layers_of("Et(t|tt|t)*2,tL"), (Layers{2, 2, 2, 2, 2}));  // xy(ab|cd|ef)*2,pq: neighbours join
  EXPECT_EQ(layers_of("E|*3t,*1,0L"), (Layers{0, 0, 0, 10}));        // commas go first, wherever they are
  EXPECT_EQ(layers_of("EL"), (Layers{0}));
}

TEST(LayoutString, says_which_character_is_wrong) {
  const auto fault = [](const std::string& text) {
    const Parsed<Layers> parsed = parse_layout(text);
    EXPECT_FALSE(parsed.value) << text;
    EXPECT_THAT(parsed.hint, HasSubstr("E embedding"));
    return parsed.what;
  };
  EXPECT_EQ(fault(""), "has no stages");
  EXPECT_EQ(fault("Et|m|L"),
            "character 4, 'm', is a layer of multi-token prediction, which this version does not support");
  EXPECT_EQ(fault("Ett tL"), "character 4, ' ', is none of E, t, L and |");
  EXPECT_EQ(fault("Ed|L"), "character 2, 'd', is none of E, t, L and |");
  EXPECT_EQ(fault("tt|L"), "character 1, 't', must be the embedding, E");
  EXPECT_EQ(fault("Et|t"), "character 4, 't', must be the loss, L, at the end");
  EXPECT_EQ(fault("Et|EtL"), "character 4, 'E', is an embedding, which only begins the first stage");
  EXPECT_EQ(fault("EtL|t|L"), "character 3, 'L', is the loss, which only ends the last stage");
  EXPECT_EQ(fault("|EtL"), "character 2, 'E', is an embedding, which only begins the first stage");
  EXPECT_EQ(fault("E(t|L"), "character 2, '(', opens a group that nothing closes");
  EXPECT_EQ(fault("E(t|)L"), "character 2, '(', opens a group without '*n' behind it");
  EXPECT_EQ(fault("E()*2L"), "character 2, '(', opens a group with nothing in it");
  EXPECT_EQ(fault("E(t(t)*2|)*2L"), "character 4, '(', opens a group inside a group");
  EXPECT_EQ(fault("Et)*2L"), "character 3, ')', is none of E, t, L and |");
  EXPECT_EQ(fault("Et*|L"), "character 3, '*', needs a number from 1 to 10000 behind it");
  EXPECT_EQ(fault("Et*0|L"), "character 3, '*', needs a number from 1 to 10000 behind it");
  EXPECT_EQ(fault("Et*99999999999999999999L"), "character 3, '*', needs a number from 1 to 10000 behind it");
  EXPECT_EQ(fault("Et*2*3L"), "character 5, '*', repeats what is repeated already");
  EXPECT_EQ(fault("E(t*10000|)*10000L"), "character 12, '*', makes more than 1000000 layers and stages");
  EXPECT_EQ(fault("E\u00e9L"), "character 2, '\u00e9', is none of E, t, L and |");
  EXPECT_EQ(fault("E\U0001F600"), "character 2, '\U0001F600', is none of E, t, L and |");
  EXPECT_EQ(fault("E\xE9L"), "character 2, byte 0xE9, is none of E, t, L and |");
  EXPECT_EQ(fault("E\xE2\x82"), "character 2, byte 0xE2, is none of E, t, L and |");
  EXPECT_EQ(fault("E\nL"), "character 2, byte 0x0A, is none of E, t, L and |");
  EXPECT_EQ(fault("*"), "character 1, '*', is none of E, t, L and |");
}

TEST(LayoutString, is_written_short) {
  EXPECT_EQ(layout_text({4}), "Et*4L");
  EXPECT_EQ(layout_text({0, 2, 0}), "E|tt|L");
  EXPECT_EQ(layout_text({3, 2, 2, 2, 1, 0}), "Et*3|(tt|)*3t|L");
  EXPECT_EQ(layout_text({3, 4, 4, 2}), "Et*3|(t*4|)*2,ttL");
}

TEST(LayoutString, reads_back_what_it_writes) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random random(seed);
    Layers layers(1 + random.below(12));
    for (std::int64_t& count : layers) {
      count = static_cast<std::int64_t>(random.below(random.below(2) == 0 ? 2 : 5));
    }
    EXPECT_EQ(layers_of(layout_text(layers)), layers) << layout_text(layers);
  }
}

/// No text of these letters makes it do anything but answer.
TEST(LayoutString, answers_any_text) {
  constexpr std::string_view kLetters = "EtLm|()*,0129 x";
  std::size_t good = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    Random random(seed);
    std::string text = "E";
    for (std::uint64_t i = random.below(8); i > 0; --i) {
      text += kLetters[random.below(kLetters.size())];
    }
    text += "L";
    const Parsed<Layers> parsed = parse_layout(text);
    EXPECT_NE(parsed.value.has_value(), !parsed.what.empty()) << text;
    if (parsed.value) {
      ++good;
      EXPECT_EQ(layers_of(layout_text(*parsed.value)), *parsed.value) << text;
    }
  }
  EXPECT_GT(good, 100U);
}

/// The key takes both forms, and the resolved scenario writes the list.
TEST(LayoutString, is_a_form_of_the_scenario_key) {
  const auto read = [](const std::string& layout) {
    return read_scenario("tiny-8xa100", std::vector<std::string>{"parallelism.layout=" + layout});
  };
  EXPECT_EQ(read("Et*11|t*13L").parallelism.layout, (Layers{11, 13}));
  EXPECT_EQ(read("'Et*11|t*13L'").parallelism.layout, (Layers{11, 13}));
  Scenario scenario = read("Et*11|t*13L");
  std::vector<std::string> warnings;
  resolve(scenario, warnings);
  EXPECT_THAT(scenario_yaml(scenario), HasSubstr("layout: [11, 13]"));
  try {
    (void)read("Et*5|x*7L");
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_THAT(std::string(error.what()), HasSubstr("parallelism.layout: character 6, 'x', is none of"));
  }
}

}  // namespace
}  // namespace makespan
