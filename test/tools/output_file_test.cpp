#include "tools/output_file.h"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/error.h"
#include "test/tools/cli_fixture.h"

namespace makespan {
namespace {

class OutputFileTest : public testing::Test {
 protected:
  [[nodiscard]] std::size_t entries() const {
    const std::filesystem::directory_iterator begin(directory_);
    return static_cast<std::size_t>(std::distance(begin, std::filesystem::directory_iterator()));
  }

  TemporaryFolder folder_;
  std::filesystem::path directory_ = folder_.path();
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const OutputError& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST_F(OutputFileTest, AppearsWholeOnCommit) {
  const auto path = directory_ / "a.json";
  {
    OutputFile file(path);
    file.write("one ");
    EXPECT_FALSE(std::filesystem::exists(path));
    file.write("two");
    file.commit();
  }
  EXPECT_EQ(content_of(path), "one two");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(OutputFileTest, WithoutCommitTheOldFileStaysAndNothingElseIsLeft) {
  const auto path = directory_ / "a.json";
  write_file(path, "old");
  {
    OutputFile file(path);
    file.write(std::string(1 << 20, 'x'));
  }
  EXPECT_EQ(content_of(path), "old");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(OutputFileTest, KeepsWhatIsLongerThanItsBuffer) {
  std::string text;
  for (int i = 0; i < 200000; ++i) {
    text += std::to_string(i) + '\n';
  }
  write_file(directory_ / "long", text);
  EXPECT_EQ(content_of(directory_ / "long"), text);
}

TEST_F(OutputFileTest, CompressesDeterministicallyWhenTheNameEndsInGz) {
  std::string text;
  for (int i = 0; i < 100000; ++i) {
    text += std::to_string(i * 7919 % 10007) + ',';
  }
  write_file(directory_ / "a.gz", text);
  write_file(directory_ / "b.gz", text);
  EXPECT_EQ(content_of(directory_ / "a.gz"), content_of(directory_ / "b.gz"));
  EXPECT_LT(content_of(directory_ / "a.gz").size(), text.size());
  gzFile in = gzopen((directory_ / "a.gz").c_str(), "rb");
  std::string read(text.size() + 1, '\0');
  const int count = gzread(in, read.data(), static_cast<unsigned>(read.size()));
  gzclose(in);
  ASSERT_EQ(static_cast<std::size_t>(count), text.size());
  EXPECT_EQ(read.substr(0, text.size()), text);
}

TEST_F(OutputFileTest, NamesTheFileAndTheReasonWhenItCannotBeCreated) {
  const auto path = directory_ / "missing" / "a.json";
  EXPECT_EQ(message_of([&] { OutputFile file(path); }),
            path.string() + ": cannot be created: No such file or directory");
}

TEST_F(OutputFileTest, RefusesToReplaceWhatIsNotARegularFile) {
  std::filesystem::create_directory(directory_ / "folder");
  std::filesystem::create_symlink("elsewhere", directory_ / "link");
  for (const char* name : {"folder", "link"}) {
    EXPECT_EQ(message_of([&] { OutputFile file(directory_ / name); }),
              (directory_ / name).string() + ": cannot be replaced: it is not a regular file");
  }
  EXPECT_EQ(message_of([] { OutputFile file("/dev/null"); }),
            "/dev/null: cannot be replaced: it is not a regular file");
}

TEST_F(OutputFileTest, ReportsAFileSizeLimitAndLeavesNothing) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{64 * 1024, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = message_of([&] { write_file(directory_ / "big", std::string(1 << 20, 'x')); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_EQ(message, (directory_ / "big").string() + ": cannot be written: File too large");
  EXPECT_EQ(entries(), 0U);
}

TEST(DescriptorStream, ThrowsWhenTheDeviceIsFull) {
  const int full = ::open("/dev/full", O_WRONLY);
  if (full < 0) {
    GTEST_SKIP() << "there is no /dev/full";
  }
  DescriptorStream out(full, "standard output");
  out << "text";
  EXPECT_EQ(message_of([&] { out.flush(); }), "standard output: cannot be written: No space left on device");
  ::close(full);
}

TEST(DescriptorStream, ThrowsClosedPipeWhenTheReaderHasGone) {
  std::signal(SIGPIPE, SIG_IGN);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  DescriptorStream out(ends[1], "standard output");
  EXPECT_THROW(out << std::string(1 << 20, 'x'), ClosedPipe);
  ::close(ends[1]);
}

TEST(DescriptorStream, WritesEverythingInOrder) {
  const std::string path = testing::TempDir() + "makespan-stream-" + std::to_string(::getpid());
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  ASSERT_GE(file, 0);
  {
    DescriptorStream out(file, "file");
    for (int i = 0; i < 100000; ++i) {
      out << i << '\n';
    }
    out.flush();
  }
  std::ifstream in(path);
  int count = 0;
  for (int value = 0; in >> value; ++count) {
    ASSERT_EQ(value, count);
  }
  EXPECT_EQ(count, 100000);
  ::close(file);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace makespan
