#include "scenarios/library.h"
#include "core/error.h"
#include "scenarios/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "scenarios/reader.h"
#include "scenarios/resolve.h"
#include "scenarios/writer.h"
#include "test/scenarios/scenario_texts.h"

namespace makespan {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Library, holds_the_scenarios_that_the_documentation_names) {
  const std::vector<std::string> names = library_names(LibraryKind::scenarios);
  EXPECT_GE(names.size(), 10U);
  for (const std::string name :
       {"gpt3-145b-sc21", "llama3-8b-64xh100", "llama3-70b-128xh100", "tiny-8xa100"}) {
    EXPECT_THAT(names, Contains(name));
  }
}

TEST(Library, describes_every_entry_in_one_line) {
  for (const LibraryKind kind : {LibraryKind::scenarios, LibraryKind::models, LibraryKind::clusters}) {
    for (const LibraryEntry& entry : list_library(kind)) {
      EXPECT_FALSE(entry.description.empty()) << entry.name;
      EXPECT_EQ(entry.description.find('\n'), std::string::npos) << entry.name;
    }
  }
}

TEST(Library, scenarios_resolve_without_warnings_and_read_back_the_same) {
  for (const std::string& name : library_names(LibraryKind::scenarios)) {
    SCOPED_TRACE(name);
    Scenario scenario = read_scenario(name);
    std::vector<std::string> warnings;
    resolve(scenario, warnings);
    EXPECT_THAT(warnings, IsEmpty());
    EXPECT_EQ(scenario.name, name);
    EXPECT_FALSE(scenario.description.empty());
    const std::string written = scenario_yaml(scenario);
    Scenario again = parse_scenario(written, name);
    resolve(again, warnings);
    EXPECT_THAT(warnings, IsEmpty());
    EXPECT_EQ(scenario_yaml(again), written);
    if (scenario.reference.tflops_per_gpu || scenario.reference.iteration_time_s) {
      EXPECT_FALSE(scenario.reference.source.empty());
    }
  }
}

TEST(Library, models_and_clusters_can_be_named_in_a_scenario) {
  for (const std::string& name : library_names(LibraryKind::models)) {
    const std::vector<std::string> overrides = {"model=" + name};
    EXPECT_EQ(parse_scenario(kSmallScenario, "small.yaml", overrides).model.name, name);
  }
  for (const std::string& name : library_names(LibraryKind::clusters)) {
    const std::vector<std::string> overrides = {"cluster=" + name};
    Scenario scenario = parse_scenario(kSmallScenario, "small.yaml", overrides);
    EXPECT_EQ(scenario.cluster.name, name);
    scenario.training.global_batch = 1024 * machine_size(scenario.cluster).gpus;
    scenario.training.micro_batch = 1024;
    std::vector<std::string> warnings;
    if (name.starts_with("tpu")) {  // networks without a data sheet of their chips: nothing trains on them
      EXPECT_THROW(resolve(scenario, warnings), InputError) << name;
    } else {
      EXPECT_NO_THROW(resolve(scenario, warnings)) << name;
    }
  }
}

TEST(Library, holds_the_published_dimensions_of_gpt3_145b) {
  Scenario scenario = read_scenario("gpt3-145b-sc21");
  std::vector<std::string> warnings;
  resolve(scenario, warnings);
  EXPECT_EQ(scenario.ranks(), 1536);
  EXPECT_EQ(scenario.microbatches(), 2304 / (2 * 24));
  // 12 l h^2 + V h + s h: 145.6 billion parameters in the paper (it leaves out biases and norms).
  const double hidden = 12288;
  const double parameters = 80 * 12 * hidden * hidden + (51200 + 2048) * hidden;
  EXPECT_NEAR(parameters / 1e9, 145.6, 0.1);
}

TEST(Library, refuses_unknown_names_with_a_suggestion) {
  try {
    std::ignore = read_scenario("tiny-8xa10");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("neither a YAML file nor a scenario of the library"));
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'tiny-8xa100'?"));
  }
  EXPECT_FALSE(find_in_library(LibraryKind::models, "../tiny-8xa100"));
  EXPECT_FALSE(find_in_library(LibraryKind::models, ""));
}

}  // namespace
}  // namespace makespan
