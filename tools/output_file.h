#pragma once

#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace makespan {

/// A file that appears under its name whole or not at all.
///
/// Bytes go to a temporary file in the same directory, which `commit` flushes to the disk and renames.
/// Without a commit, or after an error, the temporary file is removed and what had the name before is
/// untouched. A name that ends in
/// ".gz" is compressed; equal content gives equal bytes. Every failure is an OutputError that names the file.
///
/// Only regular files are replaced: a device, a directory or a symbolic link under the name is refused.
class OutputFile {
 public:
  explicit OutputFile(std::filesystem::path path);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  OutputFile(OutputFile&&) = delete;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  void write(std::string_view bytes);

  /// Makes the file appear. Nothing may be written afterwards.
  void commit();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  class Compressor;

  void put(std::string_view bytes);
  void flush();
  [[noreturn]] void fail(const char* doing);
  void discard() noexcept;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::vector<char> buffer_;
  std::unique_ptr<Compressor> compressor_;
  int descriptor_ = -1;
};

/// Writes `content` as the whole of the file `path`.
void write_file(const std::filesystem::path& path, std::string_view content);

/// The reader of a pipe has gone: end without a word.
class ClosedPipe : public OutputError {
 public:
  using OutputError::OutputError;
};

/// A stream on a file descriptor whose every write is checked: failures throw OutputError (ClosedPipe for
/// EPIPE) from the operation that met them. `flush` before the end: the destructor does not write.
class DescriptorStream : public std::ostream {
 public:
  /// `name` is what messages call it, such as "standard output".
  DescriptorStream(int descriptor, std::string name);
  DescriptorStream(const DescriptorStream&) = delete;
  DescriptorStream& operator=(const DescriptorStream&) = delete;
  ~DescriptorStream() override;

 private:
  class Buffer;
  std::unique_ptr<Buffer> buffer_;
};

}  // namespace makespan
