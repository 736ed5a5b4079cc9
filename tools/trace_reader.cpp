#include "tools/trace_reader.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <streambuf>
#include <system_error>
#include <unistd.h>  // dup
#include <zlib.h>

#include "core/error.h"

namespace makespan {

namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxProblems = 100;
constexpr int kMicrosecondDigits = 6;  // to picoseconds
constexpr int kMilliDigits = 3;

using nlohmann::json;

/// A value that is not a container, as text.
struct Scalar {
  bool is_number = false;
  std::string_view text;
};

/// Receives the parser's calls and fills a TraceDocument.
class Handler : public nlohmann::json_sax<json> {
 public:
  Handler(TraceDocument& document, std::string file) : document_(document), file_(std::move(file)) {}

  bool null() override { return scalar({false, "null"}); }

  bool boolean(bool value) override { return scalar({false, value ? "true" : "false"}); }

  bool number_integer(number_integer_t value) override { return scalar({true, std::to_string(value)}); }

  bool number_unsigned(number_unsigned_t value) override { return scalar({true, std::to_string(value)}); }

  bool number_float(number_float_t /*value*/, const string_t& text) override { return scalar({true, text}); }

  bool string(string_t& value) override { return scalar({false, value}); }

  bool binary(binary_t& /*value*/) override { return scalar({}); }

  bool start_object(std::size_t /*size*/) override { return open(false); }

  bool start_array(std::size_t /*size*/) override { return open(true); }

  bool key(string_t& name) override {
    Frame& frame = stack_.back();
    for (const std::string& seen : frame.seen) {
      if (seen == name) {
        problem("key '" + name + "' appears twice");
      }
    }
    frame.seen.push_back(name);
    frame.key = name;
    return true;
  }

  bool end_object() override {
    if (in_event() && stack_.size() == kEventDepth + 1) {
      document_.events.push_back(std::move(event_));
      event_ = {};
    }
    return close();
  }

  bool end_array() override { return close(); }

  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& /*error*/) override {
    throw InputError(
        {file_, 0, 0}, "",
        "not JSON: unexpected '" + token.substr(0, 40) + "' at byte " + std::to_string(position));
  }

 private:
  struct Frame {
    bool is_array = false;
    std::size_t count = 0;  ///< of an array's elements so far
    std::string key;        ///< that is being read
    std::vector<std::string> seen;
  };

  static constexpr std::size_t kEventDepth = 2;  ///< root object, then the array

  [[nodiscard]] bool in_event() const {
    return stack_.size() > kEventDepth && stack_[0].key == "traceEvents" && stack_[1].is_array &&
           !stack_[2].is_array;
  }

  bool open(bool is_array) {
    if (stack_.size() >= kMaxDepth) {
      throw InputError({file_, 0, 0}, "", "nested deeper than " + std::to_string(kMaxDepth));
    }
    if (stack_.empty() && is_array) {
      throw InputError({file_, 0, 0}, "", "the outermost value is not an object");
    }
    if (stack_.size() == 1 && stack_[0].key == "traceEvents") {
      document_.has_events = document_.has_events || is_array;
    } else if (stack_.size() == kEventDepth && stack_[0].key == "traceEvents" && is_array) {
      problem("is not an object");
    }
    Frame frame;
    frame.is_array = is_array;
    stack_.push_back(std::move(frame));
    return true;
  }

  bool close() {
    stack_.pop_back();
    if (!stack_.empty()) {
      ++stack_.back().count;
    }
    return true;
  }

  bool scalar(const Scalar& value) {
    if (stack_.empty()) {
      throw InputError({file_, 0, 0}, "", "the outermost value is not an object");
    }
    if (in_event()) {
      if (stack_.size() == kEventDepth + 1) {
        field(stack_[2].key, value);
      } else if (stack_.size() == kEventDepth + 2 && stack_[2].key == "args") {
        argument(stack_[3].key, value);
      }
    } else if (stack_[0].key == "metadata" && stack_.size() > 1) {
      document_.metadata[metadata_path()] = std::string(value.text);
    } else if (stack_[0].key == "traceEvents") {
      problem("is not an object");
    }
    ++stack_.back().count;
    return true;
  }

  [[nodiscard]] std::string metadata_path() const {
    std::string path;
    for (std::size_t i = 1; i < stack_.size(); ++i) {
      path += (i > 1 ? "." : "") + (stack_[i].is_array ? std::to_string(stack_[i].count) : stack_[i].key);
    }
    return path;
  }

  void field(const std::string& key, const Scalar& value) {
    if (key == "ph") {
      event_.phase = value.text.size() == 1 ? value.text.front() : '?';
    } else if (key == "name") {
      event_.name = keep(value.text);
    } else if (key == "cat") {
      event_.category = keep(value.text);
    } else if (key == "id") {
      event_.id = keep(value.text);
    } else if (key == "ts") {
      event_.at = number(key, value, kMicrosecondDigits);
    } else if (key == "dur") {
      event_.duration = number(key, value, kMicrosecondDigits);
    } else if (key == "pid") {
      event_.pid = number(key, value, 0).value_or(-1);
    } else if (key == "tid") {
      event_.tid = number(key, value, 0).value_or(-1);
    }
  }

  void argument(const std::string& key, const Scalar& value) {
    if (event_.phase == 'C') {
      if (const auto amount = number(key, value, kMilliDigits)) {
        event_.series.emplace_back(keep(key), *amount);
      }
    } else if (key == "begin_ps") {
      event_.begin = number(key, value, 0);
    } else if (key == "end_ps") {
      event_.end = number(key, value, 0);
    } else if (key == "phase") {
      event_.work = keep(value.text);
    } else if (key == "Process Group Name") {
      event_.group = keep(value.text);
    } else if (key == "role") {
      event_.role = keep(value.text);
    } else if (key == "transfer") {
      event_.transfer = keep(value.text);
    } else if (std::int64_t* place = integer_argument(key)) {
      *place = number(key, value, 0).value_or(-1);
    }
  }

  std::int64_t* integer_argument(std::string_view key) {
    const std::array<std::pair<std::string_view, std::int64_t*>, 6> places = {
        {{"stage", &event_.stage},
         {"chunk", &event_.chunk},
         {"microbatch", &event_.microbatch},
         {"layer", &event_.layer},
         {"bytes", &event_.bytes},
         {"correlation", &event_.correlation}}};
    for (const auto& [name, place] : places) {
      if (name == key) {
        return place;
      }
    }
    return nullptr;
  }

  std::optional<std::int64_t> number(const std::string& key, const Scalar& value, int digits) {
    const auto result = value.is_number ? scaled_decimal(value.text, digits) : std::nullopt;
    if (!result) {
      problem(key + " is not a number with at most " + std::to_string(digits) + " decimals");
    }
    return result;
  }

  std::string_view keep(std::string_view text) { return *document_.strings.emplace(text).first; }

  void problem(const std::string& what) {
    if (document_.problems.size() < kMaxProblems) {
      const bool names_event = stack_.size() >= kEventDepth && stack_[0].key == "traceEvents";
      document_.problems.push_back(
          (names_event ? "event " + std::to_string(document_.events.size()) + " (from 0): " : "") + what);
    }
  }

  TraceDocument& document_;
  std::string file_;
  std::vector<Frame> stack_;
  TraceEvent event_;
};

/// Reads a plain or gzip file through zlib, which tells them apart.
class GzipBuffer : public std::streambuf {
 public:
  /// "-" is the standard input.
  explicit GzipBuffer(const std::string& path)
      : file_(path == "-" ? gzdopen(::dup(STDIN_FILENO), "rb") : gzopen(path.c_str(), "rb")),
        space_(kSpace) {}

  GzipBuffer(const GzipBuffer&) = delete;
  GzipBuffer& operator=(const GzipBuffer&) = delete;

  ~GzipBuffer() override {
    if (file_ != nullptr) {
      gzclose(file_);
    }
  }

  [[nodiscard]] bool is_open() const { return file_ != nullptr; }

  /// What went wrong while reading, or empty.
  [[nodiscard]] std::string error() const { return error_; }

 protected:
  int_type underflow() override {
    const int count = gzread(file_, space_.data(), static_cast<unsigned>(space_.size()));
    int code = Z_OK;
    (void)gzerror(file_, &code);  // its text would name the file again
    if (count < 0 || (count == 0 && code == Z_BUF_ERROR)) {
      error_ = code == Z_BUF_ERROR    ? "the compressed data is cut short"
               : code == Z_DATA_ERROR ? "the compressed data is damaged"
                                      : "reading fails";
      return traits_type::eof();
    }
    setg(space_.data(), space_.data(), space_.data() + count);
    return count == 0 ? traits_type::eof() : traits_type::to_int_type(space_.front());
  }

 private:
  static constexpr std::size_t kSpace = std::size_t{256} * 1024;

  gzFile file_;
  std::vector<char> space_;
  std::string error_;
};

}  // namespace

std::optional<std::int64_t> scaled_decimal(std::string_view text, int digits) {
  const std::size_t point = text.find('.');
  std::string whole(text.substr(0, point));
  std::string_view fraction = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  while (!fraction.empty() && fraction.back() == '0') {
    fraction.remove_suffix(1);
  }
  if (whole.empty() || whole == "-" || fraction.size() > static_cast<std::size_t>(digits)) {
    return std::nullopt;
  }
  whole += fraction;
  whole.append(static_cast<std::size_t>(digits) - fraction.size(), '0');
  std::int64_t result = 0;
  const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), result);
  constexpr std::int64_t kBound = std::int64_t{1} << 62U;  // sums and differences of two still fit
  if (error != std::errc() || end != whole.data() + whole.size() || result <= -kBound || result >= kBound) {
    return std::nullopt;
  }
  return result;
}

TraceDocument read_trace(std::istream& in, const std::string& name) {
  TraceDocument document;
  Handler handler(document, name);
  json::sax_parse(in, &handler);
  if (!document.has_events) {
    throw InputError({name, 0, 0}, "", "is not a trace: it has no list 'traceEvents'",
                     "'makespan run SCENARIO --out DIR' writes DIR/trace.json.gz");
  }
  return document;
}

TraceDocument read_trace_file(const std::string& path) {
  std::error_code error;
  if (path != "-" && std::filesystem::is_directory(path, error)) {
    throw InputError({path, 0, 0}, "", "is a directory");
  }
  GzipBuffer buffer(path);
  if (!buffer.is_open()) {
    throw InputError({path, 0, 0}, "", "cannot be opened");
  }
  std::istream in(&buffer);
  const auto check = [&] {
    if (!buffer.error().empty()) {
      throw InputError({path, 0, 0}, "", "cannot be read to its end: " + buffer.error());
    }
  };
  try {
    TraceDocument document = read_trace(in, path);
    check();
    return document;
  } catch (const InputError&) {
    check();  // a broken file explains the broken text
    throw;
  }
}

}  // namespace makespan
