#include <algorithm>
#include <array>
#include <optional>

#include "core/text.h"
#include "network/host_list.h"
#include "network/import.h"
#include "network/import_text.h"

namespace makespan {

namespace {

constexpr std::size_t kMaxNames = 2 * kMaxHosts;

/// "Nodes=srv[1-8]".
struct Setting {
  std::string_view key;
  std::string_view value;
};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && edit_distance(a, b) == 0;
}

class SlurmReader {
 public:
  explicit SlurmReader(const SourceText& source) : source_(source) { tree_.file = source.file(); }

  SwitchTree read() {
    std::vector<std::string_view> parts;
    for (const TextLine& line : source_.lines()) {
      std::string_view text = line.text.substr(0, line.text.find('#'));
      text = text.substr(0, text.find_last_not_of(" \t") + 1);
      const bool goes_on = text.ends_with('\\');
      text.remove_suffix(goes_on ? 1 : 0);
      for (const std::string_view word : words(text)) {
        parts.push_back(word);
      }
      if (!goes_on) {
        read_settings(parts);
        parts.clear();
      }
    }
    read_settings(parts);
    if (tree_.switches.empty() && tree_.domains.empty()) {
      throw InputError(source_.at(0), {}, "no line with SwitchName= or BlockName=",
                       "the topology.conf of topology/tree or topology/block");
    }
    return std::move(tree_);
  }

  /// In sentences, what the tree does not hold.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  [[noreturn]] void fail(std::string_view at, const std::string& key, const std::string& what,
                         const std::string& hint) const {
    throw InputError(source_.at(at), key, what, hint);
  }

  void read_settings(const std::vector<std::string_view>& parts) {
    constexpr std::array<std::string_view, 6> kKeys = {"SwitchName", "BlockName", "BlockSizes",
                                                       "Nodes",      "Switches",  "LinkSpeed"};
    std::vector<Setting> settings;
    for (const std::string_view part : parts) {
      const std::size_t equals = part.find('=');
      if (equals == std::string_view::npos || equals + 1 == part.size()) {
        fail(part, {}, "found " + in_quotes(part), "KEY=VALUE, as in SwitchName=leaf1 Nodes=node[01-16]");
      }
      const std::string_view key = part.substr(0, equals);
      const auto* const known = std::find_if(kKeys.begin(), kKeys.end(),
                                             [&](std::string_view k) { return equal_ignoring_case(k, key); });
      if (known == kKeys.end()) {
        fail(part, {}, "there is no key " + in_quotes(key), suggestion(key, kKeys));
      }
      if (find(settings, *known)) {
        fail(part, std::string(*known), "is there twice", "each key once on a line");
      }
      settings.push_back({*known, part.substr(equals + 1)});
    }
    if (!settings.empty()) {
      read_line(settings);
    }
  }

  static std::optional<std::string_view> find(const std::vector<Setting>& settings, std::string_view key) {
    const auto found = std::find_if(settings.begin(), settings.end(),
                                    [&](const Setting& setting) { return setting.key == key; });
    return found == settings.end() ? std::nullopt : std::optional(found->value);
  }

  void read_line(const std::vector<Setting>& settings) {
    const Setting& first = settings.front();
    const auto allow = [&](std::initializer_list<std::string_view> keys) {
      for (const Setting& setting : settings) {
        if (setting.key != first.key && std::find(keys.begin(), keys.end(), setting.key) == keys.end()) {
          fail(setting.value, std::string(setting.key), "does not belong to " + std::string(first.key),
               "SwitchName with Nodes or Switches, BlockName with Nodes, BlockSizes alone");
        }
      }
    };
    if (first.key == "SwitchName") {
      allow({"Nodes", "Switches", "LinkSpeed"});
      read_switch(settings);
    } else if (first.key == "BlockName") {
      allow({"Nodes"});
      const auto nodes = find(settings, "Nodes");
      if (!nodes) {
        fail(first.value, "BlockName", "has no Nodes", "BlockName=block1 Nodes=node[01-18]");
      }
      tree_.domains.push_back({name(first), source_.at(first.value), expand(*nodes)});
      check_kind(first.value);
    } else if (first.key == "BlockSizes") {
      allow({});
      warnings_.push_back(
          source_.at(first.value).text() +
          ": BlockSizes says what the scheduler hands out, not how blocks are joined; not used");
    } else {
      fail(first.value, std::string(first.key), "begins a line",
           "lines begin with SwitchName, BlockName, BlockSizes");
    }
  }

  void read_switch(const std::vector<Setting>& settings) {
    const Setting& first = settings.front();
    const auto nodes = find(settings, "Nodes");
    const auto switches = find(settings, "Switches");
    if (nodes.has_value() == switches.has_value()) {
      fail(first.value, "SwitchName", nodes ? "has Nodes and Switches" : "has neither Nodes nor Switches",
           "one of them: a switch has either nodes or switches below it");
    }
    SwitchTree::Switch entry{name(first), source_.at(first.value), {}, {}};
    const std::string_view below = nodes ? *nodes : *switches;
    (nodes ? entry.hosts : entry.switches) = expand(below);
    tree_.switches.push_back(std::move(entry));
    check_kind(first.value);
    if (const auto speed = find(settings, "LinkSpeed"); speed && !has_speed_) {
      has_speed_ = true;
      warnings_.push_back(source_.at(*speed).text() + ": LinkSpeed has no unit and is not used");
    }
  }

  /// A host list; bounds what all lines of the file come to.
  std::vector<std::string> expand(std::string_view list) {
    std::vector<std::string> names = expand_host_list(list, source_.at(list));
    name_count_ += names.size();
    if (name_count_ > kMaxNames) {
      fail(list, {}, "more than " + std::to_string(kMaxNames) + " nodes and switches", "name fewer");
    }
    return names;
  }

  std::string name(const Setting& setting) const {
    const std::vector<std::string> names = expand_host_list(setting.value, source_.at(setting.value));
    if (names.size() != 1) {
      fail(setting.value, std::string(setting.key),
           in_quotes(setting.value) + " is " + counted(names.size(), "name"), "one name");
    }
    return names.front();
  }

  void check_kind(std::string_view at) const {
    if (!tree_.switches.empty() && !tree_.domains.empty()) {
      fail(at, {}, "SwitchName and BlockName in one file", "topology/tree or topology/block");
    }
  }

  const SourceText& source_;
  SwitchTree tree_;
  std::vector<std::string> warnings_;
  bool has_speed_ = false;
  std::size_t name_count_ = 0;  ///< in all lists so far
};

}  // namespace

GraphSpec import_slurm(std::string_view text, const std::string& file) {
  const SourceText source(text, file);
  SlurmReader reader(source);
  const SwitchTree tree = reader.read();
  GraphSpec graph = tree_graph(tree);
  graph.warnings.insert(graph.warnings.end(), reader.warnings().begin(), reader.warnings().end());
  return graph;
}

}  // namespace makespan
