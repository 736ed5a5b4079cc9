#include "scenarios/scenario_tree.h"

#include <utility>
#include <vector>

#include "core/text.h"
#include "scenarios/library.h"

namespace makespan {

namespace {

const std::string kOverrideSource = "--set";

class TreeEditor {
 public:
  TreeEditor(ScenarioTree& tree, const Field& keys, Problems& problems)
      : tree_(tree), document_(tree.document), keys_(keys), problems_(problems) {}

  void set(const std::string& override_text);

  void expand_all() { tree_.root = expand_tree(tree_.root, keys_, ""); }

  /// Puts the root below a key.
  void wrap(const std::string& key) {
    tree_.root = add_mapping({add_scalar(key, tree_.root), tree_.root}, tree_.root);
  }

 private:
  [[noreturn]] void fail(const std::string& key, const std::string& what, const std::string& hint) {
    problems_.fail({kOverrideSource, 0, 0}, key, what, hint);
  }

  std::uint32_t add(YamlNode node) {
    document_.nodes.push_back(std::move(node));
    return static_cast<std::uint32_t>(document_.nodes.size() - 1);
  }

  /// A scalar with the place of node `like`.
  std::uint32_t add_scalar(std::string text, std::uint32_t like) {
    YamlNode node;
    node.kind = YamlKind::scalar;
    node.source = document_.nodes[like].source;
    node.line = document_.nodes[like].line;
    node.column = document_.nodes[like].column;
    node.text = std::move(text);
    return add(std::move(node));
  }

  std::uint32_t add_mapping(std::vector<std::uint32_t> children, std::uint32_t like) {
    const std::uint32_t mapping = add_scalar({}, like);
    document_.nodes[mapping].kind = YamlKind::mapping;
    document_.nodes[mapping].children = std::move(children);
    return mapping;
  }

  std::uint32_t from_library(std::uint32_t word, const Field& field, const std::string& path);

  /// The mapping that `node` stands for as the value of `field`: itself, the library's, or one made from a
  /// word.
  std::uint32_t expand(std::uint32_t node, const Field& field, const std::string& path);

  /// The same for `node` and all sections below it, as copies, because aliases share nodes.
  std::uint32_t expand_tree(std::uint32_t node, const Field& field, const std::string& path);

  std::uint32_t put(std::uint32_t node, const Field* field, std::string_view path, std::size_t done,
                    std::uint32_t value);

  ScenarioTree& tree_;
  YamlDocument& document_;
  const Field& keys_;
  Problems& problems_;
};

std::string joined(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

std::uint32_t TreeEditor::from_library(std::uint32_t word, const Field& field, const std::string& path) {
  const LibraryKind kind = field.library == "models" ? LibraryKind::models : LibraryKind::clusters;
  const std::string name = document_.nodes[word].text;
  const auto file = find_in_library(kind, name);
  if (!file) {
    const std::vector<std::string> names = library_names(kind);
    const std::vector<std::string_view> views(names.begin(), names.end());
    problems_.fail(document_.location(word), path, "the library has no " + field.name + " " + shown(name),
                   suggestion(name, views));
  }
  const std::uint32_t root = read_yaml(document_, read_text(*file), *file, problems_);
  std::vector<std::uint32_t> children = document_.nodes[root].children;
  if (document_.nodes[root].kind != YamlKind::mapping) {
    problems_.fail(document_.location(root), {}, "must be a mapping with the keys of '" + field.name + "'");
  }
  if (!document_.find(root, "name")) {
    children.push_back(add_scalar("name", word));
    children.push_back(add_scalar(name, word));
  }
  return add_mapping(std::move(children), root);
}

std::uint32_t TreeEditor::expand(std::uint32_t node, const Field& field, const std::string& path) {
  if (document_.nodes[node].kind != YamlKind::scalar || !std::holds_alternative<SectionRef>(field.value)) {
    return node;
  }
  if (!field.library.empty()) {
    return from_library(node, field, path);
  }
  if (!field.short_key.empty()) {
    return add_mapping({add_scalar(field.short_key, node), node}, node);
  }
  return node;
}

std::uint32_t TreeEditor::expand_tree(std::uint32_t node, const Field& field, const std::string& path) {
  const std::uint32_t expanded = expand(node, field, path);
  if (document_.nodes[expanded].kind != YamlKind::mapping ||
      !std::holds_alternative<SectionRef>(field.value)) {
    return expanded;
  }
  std::vector<std::uint32_t> children = document_.nodes[expanded].children;
  for (std::size_t i = 0; i < children.size(); i += 2) {
    const std::string name = document_.nodes[children[i]].text;
    if (const Field* child = find_child(field, name)) {
      children[i + 1] = expand_tree(children[i + 1], *child, joined(path, name));
    }
  }
  return add_mapping(std::move(children), expanded);
}

/// Puts `value` at the rest of `path` behind its first `done` bytes, below `node`; returns the changed copy
/// of `node`. `field` describes `node`, if anything does.
std::uint32_t TreeEditor::put(std::uint32_t node, const Field* field, std::string_view path, std::size_t done,
                              std::uint32_t value) {
  if (done > path.size()) {
    return value;
  }
  const std::string here(path.substr(0, done == 0 ? 0 : done - 1));
  const std::uint32_t base = field == nullptr ? node : expand(node, *field, here);
  const YamlKind kind = document_.nodes[base].kind;
  if (kind != YamlKind::mapping && kind != YamlKind::null) {
    fail(std::string(path), "'" + here + "' has no keys", "it is a plain value or a list; set it as a whole");
  }
  std::vector<std::uint32_t> children = document_.nodes[base].children;
  const std::string name(path.substr(done, path.find('.', done) - done));
  const std::size_t next = done + name.size() + 1;
  const Field* child = field == nullptr ? nullptr : find_child(*field, name);
  if (const auto at = document_.find(base, name)) {
    children[*at] = put(children[*at], child, path, next, value);
  } else {
    const std::uint32_t key = add_scalar(name, value);
    const std::uint32_t nothing = add(YamlNode{});
    children.push_back(key);
    children.push_back(put(nothing, child, path, next, value));
  }
  return add_mapping(std::move(children), base);
}

void TreeEditor::set(const std::string& override_text) {
  const std::size_t equals = override_text.find('=');
  const std::string path = override_text.substr(0, equals);
  const std::string hint = "write --set key.path=value, as in --set parallelism.tensor=4";
  if (equals == std::string::npos) {
    fail({}, "no '=' in " + shown(override_text), hint);
  }
  if (path.empty() || path.front() == '.' || path.back() == '.' || path.find("..") != std::string::npos ||
      path.size() > kMaxYamlKey) {
    fail({}, shown(path) + " is not the path of a key", hint);
  }
  const std::string text = override_text.substr(equals + 1);
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) {
    fail(path, "has no value", hint);
  }
  const std::uint32_t value = read_yaml(document_, text, kOverrideSource, problems_, false);
  tree_.root = put(tree_.root, &keys_, path, 0, value);
}

ScenarioTree read_tree(std::string_view text, const std::string& source, Problems& problems,
                       const std::string& example, const std::string& start) {
  ScenarioTree tree;
  tree.root = read_yaml(tree.document, text, source, problems);
  if (tree.document.nodes[tree.root].kind == YamlKind::null) {
    problems.fail({source, 1, 1}, {}, "is empty", example);
  }
  if (tree.document.nodes[tree.root].kind != YamlKind::mapping) {
    problems.fail(tree.document.location(tree.root), {}, "must be a mapping of keys to values", start);
  }
  return tree;
}

}  // namespace

ScenarioTree build_scenario_tree(std::string_view text, const std::string& source,
                                 std::span<const std::string> overrides, const Field& keys,
                                 Problems& problems) {
  ScenarioTree tree = read_tree(text, source, problems, "'makespan list scenarios' names examples",
                                "start with 'schema: makespan.scenario/1'");
  TreeEditor editor(tree, keys, problems);
  for (const std::string& override_text : overrides) {
    editor.set(override_text);
  }
  editor.expand_all();
  return tree;
}

ScenarioTree build_cluster_tree(std::string_view text, const std::string& source,
                                std::span<const std::string> overrides, const Field& keys,
                                Problems& problems) {
  ScenarioTree tree = read_tree(text, source, problems, "'makespan list clusters' names examples",
                                "start with 'node: dgx-h100'");
  TreeEditor editor(tree, keys, problems);
  editor.wrap("cluster");
  for (const std::string& override_text : overrides) {
    editor.set(override_text);
  }
  editor.expand_all();
  return tree;
}

}  // namespace makespan
