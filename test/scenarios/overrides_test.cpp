#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "test/scenarios/scenario_texts.h"

namespace makespan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Overrides, replace_and_add_values) {
  const Scenario scenario =
      small_scenario({"parallelism.tensor=4", "parallelism.data=1", "simulation.seed=7"});
  EXPECT_EQ(scenario.parallelism.tensor, 4);
  EXPECT_EQ(scenario.parallelism.data, 1);
  EXPECT_EQ(scenario.simulation.seed, 7);
}

TEST(Overrides, apply_in_order) {
  EXPECT_EQ(small_scenario({"parallelism.tensor=4", "parallelism.tensor=1"}).parallelism.tensor, 1);
}

TEST(Overrides, take_lists_and_mappings) {
  const Scenario scenario =
      small_scenario({"parallelism.layout=[13, 11]", "schedule={kind: gpipe, lifo: true}"});
  EXPECT_THAT(scenario.parallelism.layout, ElementsAre(13, 11));
  EXPECT_TRUE(scenario.schedule.lifo);
}

TEST(Overrides, reach_into_short_forms) {
  const Scenario scenario = small_scenario({"schedule=interleaved", "schedule.chunks=2"});
  EXPECT_EQ(scenario.schedule.kind, "interleaved");
  EXPECT_EQ(scenario.schedule.chunks, 2);
}

TEST(Overrides, reach_into_library_entries) {
  const Scenario scenario = small_scenario({"model=llama3-8b", "model.sequence=1024", "cluster=dgx-h100-64"});
  EXPECT_EQ(scenario.model.name, "llama3-8b");
  EXPECT_EQ(scenario.model.ffn, 14336);
  EXPECT_EQ(scenario.model.sequence, 1024);
  EXPECT_EQ(scenario.cluster.nodes, 8);
}

TEST(Overrides, change_one_of_two_values_that_share_an_anchor) {
  std::string text = kSmallScenario;
  text.replace(text.find("  tensor: 2\n  pipeline: 2"), std::string("  tensor: 2\n  pipeline: 2").size(),
               "  tensor: &two 2\n  pipeline: *two");
  const std::vector<std::string> overrides = {"parallelism.tensor=4"};
  const Scenario scenario = parse_scenario(text, "anchors.yaml", overrides);
  EXPECT_EQ(scenario.parallelism.tensor, 4);
  EXPECT_EQ(scenario.parallelism.pipeline, 2);
}

TEST(Overrides, are_checked_like_the_file) {
  EXPECT_EQ(small_error({"parallelism.tensor=two"}),
            "--set: parallelism.tensor: must be a whole number, found 'two'\n"
            "  hint: Tensor-parallel size; at most `kv_heads`.");
  EXPECT_THAT(small_error({"parallelism.tensr=2"}), StartsWith("--set: parallelism.tensr: unknown key"));
  EXPECT_THAT(small_error({"nothing.of.this=2"}), StartsWith("--set: nothing: unknown key"));
  EXPECT_THAT(small_error({"parallelism.tensor=3"}),
              StartsWith("--set: parallelism.tensor: 3 does not divide heads 16"));
}

TEST(Overrides, say_what_is_wrong_with_their_form) {
  EXPECT_THAT(small_error({"parallelism.tensor"}), HasSubstr("no '=' in 'parallelism.tensor'"));
  EXPECT_THAT(small_error({"=3"}), HasSubstr("is not the path of a key"));
  EXPECT_THAT(small_error({".a=3"}), HasSubstr("is not the path of a key"));
  EXPECT_THAT(small_error({"a..b=3"}), HasSubstr("is not the path of a key"));
  EXPECT_THAT(small_error({"parallelism.tensor="}), HasSubstr("has no value"));
  EXPECT_THAT(small_error({"parallelism.tensor=[1"}), HasSubstr("is a bracket not closed?"));
  EXPECT_THAT(small_error({"parallelism.tensor.size=1"}), HasSubstr("'parallelism.tensor' has no keys"));
  EXPECT_THAT(small_error({"parallelism.tensor=\"2"}), HasSubstr("never closed"));
}

}  // namespace
}  // namespace makespan
