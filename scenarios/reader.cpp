#include "scenarios/reader.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "core/text.h"
#include "scenarios/keys.h"
#include "scenarios/library.h"
#include "scenarios/problems.h"
#include "scenarios/scenario_tree.h"
#include "scenarios/section_reader.h"
#include "scenarios/yaml.h"

namespace makespan {

namespace {

std::vector<std::string_view> views(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

void check_model_or_profile(const Scenario& scenario, const SourceLocation& where, Problems& problems) {
  const bool has_model = scenario.locations.contains("model");
  const auto workload = scenario.locations.find("workload");
  if (has_model && workload != scenario.locations.end()) {
    problems.add(workload->second, "workload", "cannot be given together with 'model'",
                 "measured stage times replace the model; keep one of them");
  } else if (!has_model && workload == scenario.locations.end()) {
    problems.add(
        where, "model", "is missing",
        "give a mapping or a name from 'makespan list models'; or 'workload' with measured stage times");
  }
}

/// "llama" for "dir/llama.yaml".
std::string stem(const std::string& source) {
  const std::string name = source.substr(source.find_last_of('/') + 1);
  const std::size_t dot = name.find_last_of('.');
  return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

Locations cluster_locations(const Locations& all) {
  Locations locations;
  std::copy_if(all.begin(), all.end(), std::inserter(locations, locations.end()), [](const auto& entry) {
    return entry.first.empty() || entry.first == "cluster" || entry.first.rfind("cluster.", 0) == 0;
  });
  return locations;
}

/// The file that `path_or_name` means: itself, or the first of the library's `kinds` that has the name.
/// `what` is what it is to be.
std::string find_file(const std::string& path_or_name, std::span<const LibraryKind> kinds,
                      const std::string& what) {
  if (path_or_name.find('/') != std::string::npos || path_or_name == "-") {
    return path_or_name;
  }
  for (const LibraryKind kind : kinds) {
    if (const auto file = find_in_library(kind, path_or_name)) {
      return *file;
    }
  }
  if (std::error_code error; !std::filesystem::exists(path_or_name, error)) {
    const std::vector<std::string> names = library_names(kinds.front());
    throw InputError(SourceLocation{}, shown(path_or_name),
                     "is neither a YAML file nor a " + what + " of the library",
                     suggestion(path_or_name, views(names)));
  }
  return path_or_name;
}

/// What a cluster is read from: its mapping, the same below the key `cluster`, or a scenario.
enum class ClusterSource : std::uint8_t { mapping, section, scenario };

ClusterSource cluster_source(std::string_view text, const std::string& source) {
  YamlDocument document;
  Problems problems;
  const std::uint32_t root = read_yaml(document, text, source, problems);
  if (document.nodes[root].kind != YamlKind::mapping || !document.find(root, "cluster")) {
    return ClusterSource::mapping;
  }
  return document.nodes[root].children.size() == 2 ? ClusterSource::section : ClusterSource::scenario;
}

}  // namespace

Scenario parse_scenario(std::string_view text, const std::string& source,
                        std::span<const std::string> overrides) {
  Scenario scenario;
  Profile profile;
  Problems problems;
  const Field keys = scenario_keys(scenario, profile);
  const ScenarioTree tree = build_scenario_tree(text, source, overrides, keys, problems);
  const SourceLocation where{source, 1, 1};
  SectionReader(tree.document, keys, scenario.locations, problems).read_section(keys, tree.root, where, "");
  check_model_or_profile(scenario, where, problems);
  problems.throw_if_any();
  if (scenario.locations.contains("workload")) {
    scenario.profile = std::move(profile);
  }
  if (scenario.name.empty()) {
    scenario.name = stem(source);
  }
  scenario.locations[""] = {source, 0, 0};
  scenario.cluster.locations = cluster_locations(scenario.locations);
  return scenario;
}

Scenario read_scenario(const std::string& path_or_name, std::span<const std::string> overrides) {
  const std::string path = find_file(path_or_name, std::array{LibraryKind::scenarios}, "scenario");
  return parse_scenario(read_text(path), source_name(path), overrides);
}

Cluster parse_cluster(std::string_view text, const std::string& source,
                      std::span<const std::string> overrides) {
  const ClusterSource kind = cluster_source(text, source);
  if (kind == ClusterSource::scenario) {
    return parse_scenario(text, source, overrides).cluster;
  }
  Scenario scenario;
  Profile profile;
  Problems problems;
  Field keys = scenario_keys(scenario, profile);
  std::erase_if(keys.fields, [](const Field& field) { return field.name != "cluster"; });
  const ScenarioTree tree = kind == ClusterSource::section
                                ? build_scenario_tree(text, source, overrides, keys, problems)
                                : build_cluster_tree(text, source, overrides, keys, problems);
  SectionReader(tree.document, keys, scenario.locations, problems)
      .read_section(keys, tree.root, {source, 1, 1}, "");
  problems.throw_if_any();
  scenario.cluster.locations = cluster_locations(scenario.locations);
  scenario.cluster.locations[""] = {source, 0, 0};
  return scenario.cluster;
}

Cluster read_cluster(const std::string& path_or_name, std::span<const std::string> overrides) {
  const std::string path =
      find_file(path_or_name, std::array{LibraryKind::clusters, LibraryKind::scenarios}, "cluster");
  Cluster cluster = parse_cluster(read_text(path), source_name(path), overrides);
  if (cluster.name.empty()) {
    cluster.name = stem(path);
  }
  return cluster;
}

std::string read_named_file(const Locations& locations, const std::string& key, const FilePath& file) {
  const SourceLocation where = find_location(locations, key);
  if (std::error_code error; !std::filesystem::exists(file.path, error)) {
    throw InputError(
        where, key, file.path + ": there is no such file",
        "paths count from where the file is that names them, those of --set from where the program "
        "runs");
  }
  try {
    return read_text(file.path);
  } catch (const InputError& error) {
    throw InputError(where, key, error.what());
  }
}

}  // namespace makespan
