#include "scenarios/schema.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>

#include "scenarios/keys.h"
#include "test/scenarios/golden_file.h"

namespace makespan {
namespace {

namespace fs = std::filesystem;

/// Every mapping of a JSON Schema, with the names on the way to it.
void visit_mappings(const nlohmann::json& schema, const std::string& path,
                    const std::function<void(const nlohmann::json&, const std::string&)>& visit) {
  if (schema.contains("properties")) {
    visit(schema, path);
    for (const auto& [name, property] : schema["properties"].items()) {
      visit_mappings(property, path + "." + name, visit);
    }
  }
  for (const auto& alternative : schema.value("oneOf", nlohmann::json::array())) {
    visit_mappings(alternative, path, visit);
  }
}

TEST(Schema, refuses_unknown_keys_and_explains_known_ones_everywhere) {
  int mappings = 0;
  const nlohmann::json schema = nlohmann::json::parse(scenario_json_schema());
  EXPECT_EQ(schema["$schema"], "http://json-schema.org/draft-07/schema#");
  visit_mappings(schema, "", [&](const nlohmann::json& mapping, const std::string& path) {
    ++mappings;
    EXPECT_EQ(mapping["additionalProperties"], false) << path;
    for (const auto& [name, property] : mapping["properties"].items()) {
      EXPECT_FALSE(property.value("description", "").empty()) << path << "." << name;
    }
  });
  EXPECT_GE(mappings, 12);
}

TEST(Schema, agrees_with_the_reader_by_another_validator) {
  if (std::system("python3 -c 'import jsonschema, yaml' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3-jsonschema and python3-yaml are not installed";
  }
  const fs::path folder = fs::temp_directory_path() / ("makespan_schema_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "schema.json") << scenario_json_schema();
  const std::string script = std::string(MAKESPAN_SOURCE_DIR) + "/test/scenarios/validate_library.py";
  const std::string command =
      "python3 " + script + " " + (folder / "schema.json").string() + " " + MAKESPAN_SOURCE_DIR;
  EXPECT_EQ(std::system(command.c_str()), 0);
  fs::remove_all(folder);
}

TEST(Schema, has_a_reference_page_that_is_up_to_date) {
  const fs::path page = fs::path(MAKESPAN_SOURCE_DIR) / "docs" / "reference" / "scenario.md";
  test::expect_golden(scenario_reference_page(), page);
}

TEST(Schema, table_names_each_key_once_and_aliases_point_to_keys) {
  Scenario scenario;
  Profile profile;
  const Field keys = scenario_keys(scenario, profile);
  for (const char* name :
       {"tensor_model_parallel_size", "--num-layers", "n_kv_heads", "overlap_grad_reduce",
        "microbatch_group_size_per_vp_stage", "gradient_accumulation_fusion", "zero_stage"}) {
    const ForeignKey* foreign = find_foreign_key(name);
    ASSERT_NE(foreign, nullptr) << name;
    EXPECT_NE(find_field(keys, foreign->ours), nullptr) << foreign->ours;
  }
  EXPECT_EQ(find_foreign_key("tensor"), nullptr);
  EXPECT_EQ(find_field(keys, "parallelism.nothing"), nullptr);
}

}  // namespace
}  // namespace makespan
