#include "scenarios/yaml.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <sys/stat.h>
#include <system_error>
#include <utility>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "scenarios/yaml_bytes.h"

namespace makespan {

namespace {

/// Builds the tree from events. Throws InputError from inside the parser to stop it early.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(YamlDocument& document, std::uint32_t source, bool is_file, Problems& problems)
      : document_(document), source_(source), is_file_(is_file), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (has_root_ && document_.nodes[root_].kind == YamlKind::null) {
      problems_.fail(where(mark), {}, "a value is expected here",
                     "remove what stands before it, such as a ','");
    }
    if (has_root_) {
      problems_.fail(
          where(mark), {}, "text after the end of the document",
          "a file holds one YAML document: no second '---', nothing after '...' or a closing bracket");
    }
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    expect_value(mark, "nothing");
    add(YamlNode{}, mark, anchor);
    // An empty value is reported where the scanner noticed it, on a later line; its key is where a person
    // looks.
    if (!frames_.empty() && frames_.back().is_mapping) {
      document_.nodes.back().line = document_.nodes[frames_.back().key].line;
      document_.nodes.back().column = document_.nodes[frames_.back().key].column;
    }
    attach(last_node());
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    note(mark);
    expect_value(mark, "an alias (*)");
    const auto target = anchors_.at(anchor);
    const Extent extent = extents_[target - first_node_];
    if (extent.nodes == 0) {
      problems_.fail(where(mark), path(), "an alias that refers to a value it is part of",
                     "write the value out; a value cannot contain itself");
    }
    count(extent.nodes, mark);
    check_depth(frames_.size() + extent.depth, mark);
    grow(extent);
    attach(target);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    note(mark);
    refuse_tag(mark, tag);
    if (value.size() > kMaxYamlScalar) {
      problems_.fail(where(mark), path(), "a text of " + std::to_string(value.size()) + " bytes",
                     "at most " + std::to_string(kMaxYamlScalar) + " are allowed; is a quote not closed?");
    }
    if (has_control_characters(value)) {
      problems_.fail(where(mark), path(), shown(value) + " has control characters", "remove their escapes");
    }
    YamlNode node;
    node.kind = YamlKind::scalar;
    node.quoted = tag == "!";
    node.text = value;
    add(std::move(node), mark, anchor);
    if (is_key_next()) {
      set_key(last_node(), mark);
    } else {
      attach(last_node());
    }
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(YamlKind::sequence, mark, tag, anchor);
  }

  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(YamlKind::mapping, mark, tag, anchor);
  }

  void OnMapEnd() override { close(); }

  void OnDocumentEnd() override {}

  [[nodiscard]] bool has_root() const { return has_root_; }

  [[nodiscard]] std::uint32_t root() const { return root_; }

  /// Where the last event was, for errors that the scanner notices late.
  [[nodiscard]] SourceLocation last_place() const { return where(last_mark_); }

  /// Start of the innermost collection that is still open, if any.
  [[nodiscard]] std::optional<SourceLocation> innermost() const {
    return frames_.empty() ? std::nullopt : std::optional(document_.location(frames_.back().node));
  }

  [[nodiscard]] SourceLocation where(const YAML::Mark& mark) const {
    return is_file_ ? SourceLocation{document_.sources[source_], mark.line + 1, mark.column + 1}
                    : SourceLocation{document_.sources[source_], 0, 0};
  }

  /// The keys that lead to the value being read.
  [[nodiscard]] std::string path() const {
    std::string text;
    for (const Frame& frame : frames_) {
      if (frame.has_key) {
        text += (text.empty() ? "" : ".") + shortened(document_.nodes[frame.key].text);
      }
    }
    return text;
  }

 private:
  /// Nodes and levels of a subtree with its aliases expanded; no nodes while it is still open.
  struct Extent {
    std::size_t nodes = 0;
    std::size_t depth = 0;
  };

  struct Frame {
    std::uint32_t node = 0;
    bool is_mapping = false;
    bool has_key = false;
    bool is_duplicate = false;  ///< the value to come is dropped
    std::uint32_t key = 0;
    Extent extent;                              ///< so far
    std::map<std::string, std::uint32_t> keys;  ///< node of each
  };

  static std::string shortened(const std::string& key) {
    const std::string text = shown(key);
    return text.substr(1, text.size() - 2);
  }

  void note(const YAML::Mark& mark) { last_mark_ = mark; }

  [[nodiscard]] std::uint32_t last_node() const {
    return static_cast<std::uint32_t>(document_.nodes.size() - 1);
  }

  [[nodiscard]] bool is_key_next() const {
    return !frames_.empty() && frames_.back().is_mapping && !frames_.back().has_key;
  }

  void expect_value(const YAML::Mark& mark, const std::string& found) {
    if (is_key_next()) {
      problems_.fail(where(mark), path(), "a key is expected, found " + found,
                     "keys are plain words; is a bracket not closed?");
    }
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      problems_.fail(where(mark), path(), "the tag " + shown(tag) + " is not allowed",
                     "remove it; the type of a value follows from its key");
    }
  }

  void count(std::size_t nodes, const YAML::Mark& mark) {
    total_ += nodes;
    if (total_ > kMaxYamlNodes) {
      problems_.fail(where(mark), path(),
                     "more than " + std::to_string(kMaxYamlNodes) + " values, aliases expanded",
                     "a scenario is far smaller; do aliases (*) multiply each other?");
    }
  }

  void check_depth(std::size_t depth, const YAML::Mark& mark) {
    if (depth > kMaxYamlDepth) {
      problems_.fail(where(mark), path(), "values nest more than " + std::to_string(kMaxYamlDepth) + " deep",
                     "a scenario nests at most four deep");
    }
  }

  void add(YamlNode node, const YAML::Mark& mark, YAML::anchor_t anchor) {
    count(1, mark);
    node.source = source_;
    node.line = is_file_ ? mark.line + 1 : 0;
    node.column = is_file_ ? mark.column + 1 : 0;
    const bool is_collection = node.kind == YamlKind::sequence || node.kind == YamlKind::mapping;
    document_.nodes.push_back(std::move(node));
    extents_.push_back(is_collection ? Extent{} : Extent{1, 0});
    if (!is_collection) {
      grow({1, 0});
    }
    if (anchor != 0) {
      anchors_[anchor] = last_node();
    }
  }

  void grow(const Extent& child) {
    if (!frames_.empty()) {
      Extent& extent = frames_.back().extent;
      extent.nodes += child.nodes;
      extent.depth = std::max(extent.depth, child.depth + 1);
    }
  }

  void set_key(std::uint32_t node, const YAML::Mark& mark) {
    Frame& frame = frames_.back();
    const std::string& text = document_.nodes[node].text;
    if (text.size() > kMaxYamlKey) {
      problems_.fail(where(mark), path(), "a key of " + std::to_string(text.size()) + " bytes",
                     "at most " + std::to_string(kMaxYamlKey) + " are allowed");
    }
    if (text == "<<" && !document_.nodes[node].quoted) {
      problems_.fail(where(mark), path(), "merge keys (<<) are not supported", "write the keys out");
    }
    const auto [first, is_new] = frame.keys.emplace(text, node);
    frame.is_duplicate = !is_new;
    frame.key = node;
    frame.has_key = true;
    if (!is_new) {
      const int line = document_.nodes[first->second].line;
      problems_.add(where(mark), path(),
                    line > 0 ? "given twice, first in line " + std::to_string(line) : "given twice",
                    "keep one of them");
    }
  }

  void attach(std::uint32_t node) {
    if (frames_.empty()) {
      root_ = node;
      has_root_ = true;
      return;
    }
    Frame& frame = frames_.back();
    std::vector<std::uint32_t>& children = document_.nodes[frame.node].children;
    if (frame.is_mapping) {
      if (!frame.is_duplicate) {
        children.push_back(frame.key);
        children.push_back(node);
      }
      frame.has_key = false;
    } else {
      children.push_back(node);
    }
  }

  void open(YamlKind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    note(mark);
    refuse_tag(mark, tag);
    expect_value(mark, kind == YamlKind::mapping ? "a mapping" : "a list");
    check_depth(frames_.size() + 1, mark);
    YamlNode node;
    node.kind = kind;
    add(std::move(node), mark, anchor);
    Frame frame;
    frame.node = last_node();
    frame.is_mapping = kind == YamlKind::mapping;
    frames_.push_back(std::move(frame));
  }

  void close() {
    const std::uint32_t node = frames_.back().node;
    const Extent extent = {frames_.back().extent.nodes + 1,
                           std::max<std::size_t>(frames_.back().extent.depth, 1)};
    frames_.pop_back();
    extents_[node - first_node_] = extent;
    grow(extent);
    attach(node);
  }

  YamlDocument& document_;
  std::uint32_t source_;
  bool is_file_;
  Problems& problems_;
  std::size_t first_node_ = document_.nodes.size();
  std::vector<Extent> extents_;  ///< of the nodes from first_node_ on
  std::map<YAML::anchor_t, std::uint32_t> anchors_;
  std::vector<Frame> frames_;
  std::size_t total_ = 0;
  std::uint32_t root_ = 0;
  bool has_root_ = false;
  YAML::Mark last_mark_;
};

/// Our words for what the scanner and the parser complain about.
struct SyntaxError {
  std::string_view theirs;
  const char* what;
  const char* hint;
};

constexpr std::array<SyntaxError, 19> kSyntaxErrors = {{
    {"end of sequence flow not found", "a list in brackets is not closed",
     "close it with ']', or add a comma"},
    {"end of map flow not found", "a mapping in braces is not closed", "close it with '}', or add a comma"},
    {"end of map not found", "this line does not continue the mapping before it",
     "align keys of one mapping"},
    {"end of sequence not found", "this line does not continue the list before it",
     "align the '-' of one list"},
    {"illegal map value", "a ':' is not expected here",
     "align the keys of one mapping; put text that contains ': ' in quotes"},
    {"illegal map key", "a key is not expected here", "check the indentation"},
    {"illegal block entry", "a '-' is not expected here", "start each list item on its own line"},
    {"illegal flow end", "a closing bracket without an opening one", "remove it"},
    {"illegal tab when looking for indentation", "a tab in the indentation", "indent with spaces"},
    {"unknown token", "a character that cannot start a value", "put the text in quotes"},
    {"the referenced anchor is not defined", "an alias (*) to an anchor (&) that is not defined before it",
     "put text that starts with '*' in quotes"},
    {"alias not found after *", "a '*' without the name of an anchor",
     "put text that starts with '*' in quotes"},
    {"anchor not found after &", "a '&' without a name", "put text that starts with '&' in quotes"},
    {"unknown escape character: ", "an unknown escape in double quotes", "write '\\\\' for a backslash"},
    {"bad character found while scanning hex number", "an incomplete escape in double quotes",
     "write \\xNN or \\uNNNN"},
    {"invalid unicode: ", "an escape that is not a character", "write \\uNNNN with a valid code point"},
    {"tag handle with no suffix", "tags (!) are not allowed", "put text that starts with '!' in quotes"},
    {"end of verbatim tag not found", "tags (!) are not allowed", "put text that starts with '!' in quotes"},
    {"illegal character found while scanning tag handle", "tags (!) are not allowed",
     "put text that starts with '!' in quotes"},
}};

/// Whether the indentation of line `line`, counted from 1, has a tab.
bool is_indented_by_tab(std::string_view text, int line) {
  for (; line > 1 && !text.empty(); --line) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return text.substr(0, text.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

[[noreturn]] void fail_syntax(const YAML::Exception& error, std::string_view text, const TreeBuilder& tree,
                              Problems& problems) {
  const std::string_view theirs = error.msg;
  if (theirs == "illegal document indicator in scalar" || theirs == "illegal EOF in scalar") {
    problems.fail(tree.last_place(), tree.path(), "text in quotes that starts after this is never closed",
                  "add the closing quote");
  }
  const SourceLocation where = error.mark.line < 0 ? tree.last_place() : tree.where(error.mark);
  const auto* known =
      std::find_if(kSyntaxErrors.begin(), kSyntaxErrors.end(), [&](const SyntaxError& candidate) {
        return theirs.substr(0, candidate.theirs.size()) == candidate.theirs;
      });
  if (is_indented_by_tab(text, error.mark.line + 1)) {
    problems.fail(where, tree.path(), "a tab in the indentation", "indent with spaces");
  }
  std::string hint = known == kSyntaxErrors.end() ? "check indentation, quotes and brackets" : known->hint;
  const auto opened = tree.innermost();
  if (theirs.find("flow not found") != std::string_view::npos && opened && opened->line > 0) {
    hint += "; it was opened in line " + std::to_string(opened->line) + ", column " +
            std::to_string(opened->column);
  }
  problems.fail(where, tree.path(), known == kSyntaxErrors.end() ? "is not valid YAML" : known->what, hint);
}

}  // namespace

SourceLocation YamlDocument::location(std::uint32_t node) const {
  return {sources[nodes[node].source], nodes[node].line, nodes[node].column};
}

std::optional<std::size_t> YamlDocument::find(std::uint32_t mapping, std::string_view key) const {
  const std::vector<std::uint32_t>& children = nodes[mapping].children;
  if (nodes[mapping].kind == YamlKind::mapping) {
    for (std::size_t i = 0; i < children.size(); i += 2) {
      if (nodes[children[i]].text == key) {
        return i + 1;
      }
    }
  }
  return std::nullopt;
}

std::uint32_t read_yaml(YamlDocument& document, std::string_view text, const std::string& source,
                        Problems& problems, bool is_file) {
  if (text.size() > kMaxYamlBytes) {
    problems.fail({source, 0, 0}, {}, "has more than " + std::to_string(kMaxYamlBytes) + " bytes",
                  "a scenario is a few kilobytes; is this the right file?");
  }
  check_yaml_bytes(text, source, problems);
  document.sources.push_back(source);
  // The document end marker turns a quote that is never closed, which yaml-cpp would accept, into an error.
  std::istringstream stream(std::string(text) + "\n...\n");
  TreeBuilder tree(document, static_cast<std::uint32_t>(document.sources.size() - 1), is_file, problems);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(tree)) {
    }
  } catch (const YAML::Exception& error) {
    fail_syntax(error, text, tree, problems);
  }
  if (!tree.has_root()) {
    problems.fail({source, is_file ? 1 : 0, is_file ? 1 : 0}, {}, "is empty",
                  "see 'makespan list scenarios'");
  }
  return tree.root();
}

std::string source_name(const std::string& path) {
  return path == "-" ? "standard input" : path;
}

std::string read_text(const std::string& path) {
  const SourceLocation where{source_name(path), 0, 0};
  std::ifstream file;
  if (path != "-") {
    struct stat status {};

    if (::stat(path.c_str(), &status) != 0) {
      throw InputError(where, {}, "cannot be read: " + std::system_category().message(errno));
    }
    if (!S_ISREG(status.st_mode)) {
      throw InputError(where, {}, S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file",
                       "give a YAML file, a name from 'makespan list scenarios', or '-' for standard input");
    }
    file.open(path, std::ios::binary);
    if (!file) {
      throw InputError(where, {}, "cannot be read: " + std::system_category().message(errno));
    }
  }
  std::istream& input = path == "-" ? std::cin : file;
  std::string text;
  std::array<char, 1U << 16U> block;
  while (text.size() <= kMaxYamlBytes && input) {
    input.read(block.data(), block.size());
    text.append(block.data(), static_cast<std::size_t>(input.gcount()));
  }
  if (input.bad()) {
    throw InputError(where, {}, "cannot be read to its end");
  }
  if (text.size() > kMaxYamlBytes) {
    throw InputError(where, {}, "has more than " + std::to_string(kMaxYamlBytes) + " bytes",
                     "a scenario is a few kilobytes; is this the right file?");
  }
  return text;
}

}  // namespace makespan
