#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace makespan {

/// What the library holds; the folders of the same names.
enum class LibraryKind { scenarios, models, clusters };

struct LibraryEntry {
  std::string name;
  std::string description;  ///< one line
};

/// All entries of one kind, sorted by name. Throws InputError when there is no library or an entry cannot be
/// read.
[[nodiscard]] std::vector<LibraryEntry> list_library(LibraryKind kind);

/// The path of an entry's file, if there is one.
[[nodiscard]] std::optional<std::string> find_in_library(LibraryKind kind, std::string_view name);

/// The names of one kind, sorted; empty when there is no library.
[[nodiscard]] std::vector<std::string> library_names(LibraryKind kind);

/// Where the library is: $MAKESPAN_LIBRARY if set, else beside the program (PREFIX/bin and PREFIX/share), in
/// the source tree it was built from, or where it was installed; empty when none of these exists.
[[nodiscard]] std::string library_directory();

}  // namespace makespan
