#include "tools/output_file.h"

#include <array>
#include <cerrno>
#include <cstdio>   // rename
#include <fcntl.h>  // open
#include <streambuf>
#include <sys/stat.h>  // lstat
#include <system_error>
#include <unistd.h>  // write, fsync, rename
#include <utility>
#include <zlib.h>

namespace makespan {

namespace {

constexpr std::size_t kBufferSize = std::size_t{256} * 1024;

std::string error_text(int error) {
  return std::generic_category().message(error);
}

/// Writes all of `bytes`; returns 0 or the error number.
int write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

void refuse_special(const std::filesystem::path& path) {
  struct stat status {};

  if (::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw OutputError(path.string() + ": cannot be replaced: it is not a regular file");
  }
}

}  // namespace

/// Deflate in gzip framing. zlib's default header holds no time and no name, so that bytes depend on content
/// alone.
class OutputFile::Compressor {
 public:
  Compressor() {
    constexpr int kGzip = 15 + 16;
    constexpr int kMemoryLevel = 8;
    const int result =
        deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemoryLevel, Z_DEFAULT_STRATEGY);
    MAKESPAN_CHECK(result != Z_STREAM_ERROR && result != Z_VERSION_ERROR, "zlib does not match its header");
    if (result != Z_OK) {
      throw OutputError("cannot compress: out of memory");
    }
  }

  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  Compressor(Compressor&&) = delete;
  Compressor& operator=(Compressor&&) = delete;

  ~Compressor() { deflateEnd(&stream_); }

  /// Compresses `bytes`, handing the result to `sink` piece by piece; with `last` the stream ends.
  template <class Sink>
  void run(std::string_view bytes, bool last, const Sink& sink) {
    constexpr std::size_t kStep = std::size_t{1} << 30U;  // zlib counts in 32 bits
    do {
      const std::string_view piece = bytes.substr(0, kStep);
      bytes.remove_prefix(piece.size());
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
      stream_.avail_in = static_cast<uInt>(piece.size());
      const int mode = last && bytes.empty() ? Z_FINISH : Z_NO_FLUSH;
      do {
        stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
        stream_.avail_out = static_cast<uInt>(out_.size());
        MAKESPAN_CHECK(deflate(&stream_, mode) != Z_STREAM_ERROR, "the compressor lost its state");
        sink(std::string_view(out_.data(), out_.size() - stream_.avail_out));
      } while (stream_.avail_out == 0);
    } while (!bytes.empty());
  }

 private:
  z_stream stream_{};
  std::array<char, std::size_t{64} * 1024> out_{};
};

OutputFile::OutputFile(std::filesystem::path path) : path_(std::move(path)) {
  if (path_.extension() == ".gz") {
    compressor_ = std::make_unique<Compressor>();
  }
  refuse_special(path_);
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    temporary_ = directory_of(path_) /
                 (".makespan-" + std::to_string(::getpid()) + '-' + std::to_string(attempt) + ".tmp");
    constexpr mode_t kMode = 0666;  // less the umask
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kMode);
    if (descriptor_ < 0 && errno != EEXIST) {
      const int error = errno;
      throw OutputError(path_.string() + ": cannot be created: " + error_text(error));
    }
  }
  buffer_.reserve(kBufferSize);
}

OutputFile::~OutputFile() {
  discard();
}

void OutputFile::discard() noexcept {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    descriptor_ = -1;
    ::unlink(temporary_.c_str());
  }
}

void OutputFile::fail(const char* doing) {
  const int error = errno;
  discard();
  throw OutputError(path_.string() + ": cannot be " + doing + ": " + error_text(error));
}

void OutputFile::flush() {
  const int error = write_all(descriptor_, {buffer_.data(), buffer_.size()});
  buffer_.clear();
  if (error != 0) {
    errno = error;
    fail("written");
  }
}

void OutputFile::put(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kBufferSize - buffer_.size());
    buffer_.insert(buffer_.end(), piece.begin(), piece.end());
    bytes.remove_prefix(piece.size());
    if (buffer_.size() == kBufferSize) {
      flush();
    }
  }
}

void OutputFile::write(std::string_view bytes) {
  MAKESPAN_CHECK(descriptor_ >= 0, "written to after its end");
  if (compressor_) {
    compressor_->run(bytes, false, [this](std::string_view piece) { put(piece); });
  } else {
    put(bytes);
  }
}

void OutputFile::commit() {
  MAKESPAN_CHECK(descriptor_ >= 0, "committed after its end");
  if (compressor_) {
    compressor_->run({}, true, [this](std::string_view piece) { put(piece); });
  }
  flush();
  if (::fsync(descriptor_) != 0 && errno != EINVAL &&
      errno != ENOTSUP) {  // some file systems have nothing to flush
    fail("flushed to the disk");
  }
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    throw OutputError(path_.string() + ": cannot be closed: " + error_text(error));
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    throw OutputError(path_.string() + ": cannot be given its name: " + error_text(error));
  }
  const int directory = ::open(directory_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >=
      0) {  // a directory may be writable but not readable; then the rename is only not yet durable
    ::fsync(directory);
    ::close(directory);
  }
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  OutputFile file(path);
  file.write(content);
  file.commit();
}

class DescriptorStream::Buffer : public std::streambuf {
 public:
  Buffer(int descriptor, std::string name)
      : descriptor_(descriptor), name_(std::move(name)), space_(kBufferSize) {
    setp(space_.data(), space_.data() + space_.size());
  }

 protected:
  int_type overflow(int_type c) override {
    write_out();
    if (!traits_type::eq_int_type(c, traits_type::eof())) {
      *pptr() = traits_type::to_char_type(c);
      pbump(1);
    }
    return traits_type::not_eof(c);
  }

  int sync() override {
    write_out();
    return 0;
  }

 private:
  void write_out() {
    const std::string_view bytes(pbase(), static_cast<std::size_t>(pptr() - pbase()));
    setp(space_.data(), space_.data() + space_.size());
    const int error = write_all(descriptor_, bytes);
    if (error == EPIPE) {
      throw ClosedPipe(name_ + " is closed");
    }
    if (error != 0) {
      throw OutputError(name_ + ": cannot be written: " + error_text(error));
    }
  }

  int descriptor_;
  std::string name_;
  std::vector<char> space_;
};

DescriptorStream::DescriptorStream(int descriptor, std::string name)
    : std::ostream(nullptr), buffer_(std::make_unique<Buffer>(descriptor, std::move(name))) {
  rdbuf(buffer_.get());
  exceptions(std::ios::badbit);  // rethrows what the buffer threw
}

DescriptorStream::~DescriptorStream() = default;

}  // namespace makespan
