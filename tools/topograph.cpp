#include "tools/topograph.h"

#include <map>
#include <optional>
#include <vector>

#include "core/error.h"
#include "network/host_list.h"
#include "scenarios/yaml.h"

namespace makespan {

namespace {

/// A node of the document, with the words that say where it is.
class Reader {
 public:
  Reader(const YamlDocument& document, const std::string& file) : document_(document), file_(file) {}

  SwitchTree read(std::uint32_t root) {
    tree_.file = file_;
    require(root, YamlKind::mapping, "the model");
    if (const auto switches = child(root, "switches")) {
      read_switches(*switches);
    }
    if (const auto blocks = child(root, "blocks")) {
      require(*blocks, YamlKind::sequence, "'blocks'");
      for (const std::uint32_t block : document_.nodes[*blocks].children) {
        read_block(block);
      }
    }
    return std::move(tree_);
  }

 private:
  [[nodiscard]] const YamlNode& node(std::uint32_t index) const { return document_.nodes[index]; }

  void require(std::uint32_t index, YamlKind kind, const std::string& what) const {
    if (node(index).kind != kind) {
      throw InputError(document_.location(index), {},
                       what + " must be " +
                           (kind == YamlKind::mapping    ? "a mapping"
                            : kind == YamlKind::sequence ? "a list"
                                                         : "a name"));
    }
  }

  [[nodiscard]] std::optional<std::uint32_t> child(std::uint32_t mapping, std::string_view key) const {
    const auto at = document_.find(mapping, key);
    return at ? std::optional(node(mapping).children[*at]) : std::nullopt;
  }

  [[nodiscard]] const std::string& name(std::uint32_t index) const {
    require(index, YamlKind::scalar, "an entry");
    return node(index).text;
  }

  SwitchTree::Switch& switch_named(const std::string& name, std::uint32_t where) {
    const auto [entry, is_first] = index_.try_emplace(name, tree_.switches.size());
    if (is_first) {
      tree_.switches.push_back({name, document_.location(where), {}, {}});
    }
    return tree_.switches[entry->second];
  }

  void read_switches(std::uint32_t switches) {
    require(switches, YamlKind::mapping, "'switches'");
    const std::vector<std::uint32_t>& children = node(switches).children;
    for (std::size_t i = 0; i + 1 < children.size(); i += 2) {
      SwitchTree::Switch& entry = switch_named(name(children[i]), children[i]);
      if (node(children[i + 1]).kind == YamlKind::null) {
        continue;
      }
      require(children[i + 1], YamlKind::mapping, "a switch");
      if (const auto below = child(children[i + 1], "switches")) {
        require(*below, YamlKind::sequence, "'switches'");
        for (const std::uint32_t item : node(*below).children) {
          entry.switches.push_back(name(item));
        }
      }
    }
  }

  void read_block(std::uint32_t block) {
    require(block, YamlKind::mapping, "a block");
    std::vector<std::string> hosts;
    if (const auto nodes = child(block, "nodes")) {
      require(*nodes, YamlKind::sequence, "'nodes'");
      for (const std::uint32_t item : node(*nodes).children) {
        const std::vector<std::string> expanded = expand_host_list(name(item), document_.location(item));
        hosts.insert(hosts.end(), expanded.begin(), expanded.end());
      }
    }
    if (const auto above = child(block, "switch")) {
      SwitchTree::Switch& leaf = switch_named(name(*above), *above);
      leaf.hosts.insert(leaf.hosts.end(), hosts.begin(), hosts.end());
    }
    if (const auto annotations = child(block, "annotations")) {
      require(*annotations, YamlKind::mapping, "'annotations'");
      const std::vector<std::uint32_t>& children = node(*annotations).children;
      for (std::size_t i = 0; i + 1 < children.size(); i += 2) {
        if (node(children[i]).text.ends_with("/domain")) {
          tree_.domains.push_back({name(children[i + 1]), document_.location(children[i + 1]), hosts});
        }
      }
    }
  }

  const YamlDocument& document_;
  const std::string& file_;
  SwitchTree tree_;
  std::map<std::string, std::size_t> index_;  ///< of switches
};

}  // namespace

GraphSpec import_topograph(std::string_view text, const std::string& file) {
  YamlDocument document;
  Problems problems;
  const std::uint32_t root = read_yaml(document, text, file, problems);
  problems.throw_if_any();
  return tree_graph(Reader(document, file).read(root));
}

}  // namespace makespan
