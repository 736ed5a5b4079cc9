#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace makespan {

/// What one call of the program did.
struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

/// Calls the program within this process.
[[nodiscard]] Outcome call(const std::vector<std::string>& arguments);

/// A fresh folder that is gone with this object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  TemporaryFolder(TemporaryFolder&&) = delete;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Writes a file into it and returns its path.
  [[nodiscard]] std::string file(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
};

[[nodiscard]] std::string content_of(const std::filesystem::path& path);

}  // namespace makespan
