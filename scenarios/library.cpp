#include "scenarios/library.h"

#include <algorithm>
#include <cstdlib>  // getenv
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "scenarios/yaml.h"

namespace makespan {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kExtension = ".yaml";

fs::path folder(LibraryKind kind) {
  fs::path root = library_directory();
  switch (kind) {
    case LibraryKind::models:
      return root / "models";
    case LibraryKind::clusters:
      return root / "clusters";
    case LibraryKind::scenarios:
      break;
  }
  return root;
}

/// Names are plain words, so that none leads out of the folder.
bool is_name(std::string_view name) {
  return !name.empty() && name.front() != '.' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             std::string_view::npos;
}

std::string description_of(const std::string& path) {
  YamlDocument document;
  Problems problems;
  const std::uint32_t root = read_yaml(document, read_text(path), path, problems);
  problems.throw_if_any();
  const auto at = document.find(root, "description");
  return at ? document.nodes[document.nodes[root].children[*at]].text : "";
}

}  // namespace

std::string library_directory() {
  std::vector<fs::path> candidates;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets environment variables
  if (const char* chosen = std::getenv("MAKESPAN_LIBRARY"); chosen != nullptr && *chosen != '\0') {
    candidates.emplace_back(chosen);
  } else {
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    candidates.push_back(program.parent_path().parent_path() / "share" / "makespan" / "library");
    candidates.emplace_back(MAKESPAN_SOURCE_LIBRARY_DIR);
    candidates.emplace_back(MAKESPAN_LIBRARY_DIR);
  }
  for (const fs::path& candidate : candidates) {
    std::error_code error;
    if (fs::is_directory(candidate, error)) {
      return candidate.string();
    }
  }
  return {};
}

std::vector<std::string> library_names(LibraryKind kind) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder(kind), error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == kExtension && is_name(path.stem().string())) {
      names.push_back(path.stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::string> find_in_library(LibraryKind kind, std::string_view name) {
  const std::vector<std::string> names = library_names(kind);
  if (!std::binary_search(names.begin(), names.end(), name)) {
    return std::nullopt;
  }
  return (folder(kind) / (std::string(name) + std::string(kExtension))).string();
}

std::vector<LibraryEntry> list_library(LibraryKind kind) {
  if (library_directory().empty()) {
    throw InputError(SourceLocation{}, "library", "not found",
                     "set MAKESPAN_LIBRARY to the folder with the library's scenarios");
  }
  std::vector<LibraryEntry> entries;
  for (const std::string& name : library_names(kind)) {
    entries.push_back({name, description_of((folder(kind) / (name + std::string(kExtension))).string())});
  }
  return entries;
}

}  // namespace makespan
