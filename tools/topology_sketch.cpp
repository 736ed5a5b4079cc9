#include "tools/topology_sketch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>

namespace makespan {

namespace {

constexpr double kMargin = 24;
constexpr double kGutter = 84;  // for the names of the tiers
constexpr double kStep = 26;    // between icons of a row
constexpr double kRow = 64;     // between rows of a node
constexpr double kTier = 118;   // between tiers of switches
constexpr double kNodeGap = 26;
constexpr double kPanelGap = 30;
constexpr double kPanelPad = 22;

/// The rows of a node, from the top.
constexpr std::array<VertexKind, 5> kNodeRows = {VertexKind::nic, VertexKind::pcie_switch, VertexKind::host,
                                                 VertexKind::gpu, VertexKind::nvswitch};

std::string plural(std::size_t count, const std::string& what) {
  const std::string ending = what.ends_with("ch") ? "es" : "s";
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : ending);
}

std::string tier_name(int tier) {
  if (tier == 1) {
    return "leaf";
  }
  return tier == 2 ? "spine" : tier == 3 ? "core" : fmt::format("tier {}", tier);
}

using Vertices = std::vector<std::size_t>;

/// A scalable unit, rack or group: the switches of tier 1 of one group, and the nodes on them.
struct Unit {
  Vertices leaves;
  std::vector<std::uint32_t> nodes;
};

/// What there is, sorted into units and tiers.
struct Parts {
  explicit Parts(const Topology& topology) {
    std::map<std::size_t, std::uint32_t> unit_of_leaf;
    std::map<std::uint32_t, Unit> by_group;
    for (std::size_t v = 0; v < boost::num_vertices(topology.graph()); ++v) {
      const Vertex& vertex = topology.vertex(v);
      if (vertex.kind != VertexKind::fabric_switch) {
        insides[vertex.group][vertex.kind].push_back(v);
      } else if (vertex.tier <= 1) {
        by_group[vertex.group].leaves.push_back(v);
      } else {
        tiers[vertex.tier].push_back(v);
      }
    }
    std::set<std::uint32_t> placed;
    for (const Nic& nic : topology.nics()) {
      if (!nic.switches.empty() && placed.insert(nic.node).second) {
        by_group[topology.vertex(nic.switches.front()).group].nodes.push_back(nic.node);
      }
    }
    for (const auto& [node, inside] : insides) {
      if (!placed.contains(node)) {
        by_group[0].nodes.push_back(node);
      }
    }
    for (auto& [group, unit] : by_group) {
      units.push_back(std::move(unit));
    }
  }

  std::vector<Unit> units;
  std::map<int, Vertices> tiers;                                    ///< switches of tier 2 and up
  std::map<std::uint32_t, std::map<VertexKind, Vertices>> insides;  ///< by node
};

class Sketcher {
 public:
  explicit Sketcher(const Topology& topology) : topology_(topology), parts_(topology) {}

  TopologySketch run() && {
    if (!topology_.dimensions().empty()) {
      torus();
      return std::move(sketch_);
    }
    choose_units();
    const double first_tier = kMargin + 66;  // below the title
    const auto upper = static_cast<double>(parts_.tiers.size());
    const bool has_arcs = std::any_of(
        topology_.links().begin(), topology_.links().end(),
        [](const Link& link) { return link.kind == LinkKind::local || link.kind == LinkKind::global; });
    panel_top_ = first_tier + upper * kTier + (has_arcs ? 70 : 0);
    double x = kMargin + (has_fabric() ? kGutter : 0);
    for (std::size_t i = 0; i < shown_units_.size(); ++i) {
      x = panel(x, parts_.units[shown_units_[i]]) + kPanelGap;
      if (i + 2 == shown_units_.size() && hidden_units() > 0) {
        text(fmt::format("… {} more …", hidden_units()), x + 45, panel_top_ + 150, PlacedText::Style::count);
        x += 120;
      }
    }
    sketch_.width = std::max(560.0, x - kPanelGap + kMargin);
    upper_tiers(first_tier);
    sketch_.height = bottom_ + kMargin;
    return std::move(sketch_);
  }

 private:
  [[nodiscard]] bool has_fabric() const { return !topology_.nics().empty(); }

  [[nodiscard]] std::size_t hidden_units() const { return parts_.units.size() - shown_units_.size(); }

  void text(std::string words, double x, double y, PlacedText::Style style) {
    sketch_.texts.push_back({std::move(words), x, y, style});
  }

  void place(std::size_t vertex, double x, double y, double width = 0) {
    sketch_.vertices.push_back({vertex, x, y, width});
    drawn_.insert(vertex);
  }

  /// The first two units and the last; all where there are few.
  void choose_units() {
    const std::size_t all = parts_.units.size();
    for (std::size_t i = 0; i < all; ++i) {
      if (all <= 3 || i < 2 || i + 1 == all) {
        shown_units_.push_back(i);
      }
    }
  }

  /// The first nodes of a unit and its last.
  [[nodiscard]] std::vector<std::uint32_t> shown_nodes(const Unit& unit) const {
    const std::size_t most = shown_units_.size() == 1 ? 3 : 2;
    std::vector<std::uint32_t> nodes = unit.nodes;
    if (nodes.size() > most) {
      nodes.resize(most);
      nodes.back() = unit.nodes.back();
    }
    return nodes;
  }

  /// Switches to show: those that are above what is drawn, at most `most`, and others to make it `least`.
  [[nodiscard]] Vertices shown_switches(const Vertices& switches, std::size_t most, std::size_t least) const {
    Vertices chosen;
    for (const bool wanted : {true, false}) {
      for (const std::size_t v : switches) {
        if (chosen.size() < (wanted ? most : least) && is_above_drawn(v) == wanted) {
          chosen.push_back(v);
        }
      }
    }
    std::sort(chosen.begin(), chosen.end());
    return chosen;
  }

  [[nodiscard]] bool is_above_drawn(std::size_t vertex) const {
    const std::uint8_t tier = topology_.vertex(vertex).tier;
    const auto [begin, end] = boost::out_edges(vertex, topology_.graph());
    return std::any_of(begin, end, [&](const auto& edge) {
      const std::size_t other = boost::target(edge, topology_.graph());
      return topology_.vertex(other).tier < tier && drawn_.contains(other);
    });
  }

  /// Draws a unit from `left` on; returns where it ends.
  double panel(double left, const Unit& unit) {
    const std::vector<std::uint32_t> nodes = shown_nodes(unit);
    const bool has_leaves = !unit.leaves.empty();
    const double node_top = panel_top_ + (has_leaves ? 120 : 0) + 24;
    double x = left + kPanelPad;
    double bottom = node_top;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i + 1 == nodes.size() && unit.nodes.size() > nodes.size()) {
        text(fmt::format("… {} more …", unit.nodes.size() - nodes.size()), x + 34, node_top + 70,
             PlacedText::Style::count);
        x += 68 + kNodeGap;
      }
      x = node(x, node_top, nodes[i], bottom) + kNodeGap;
    }
    const double least = left + 2 * kPanelPad + 8 * kStep;
    const double right = std::max(x - kNodeGap + kPanelPad, has_leaves ? least : 0.0);
    if (has_leaves) {
      row(shown_switches(unit.leaves, 16, 8), left, right, panel_top_ + 34);
      const std::string nodes_text = plural(unit.nodes.size(), "node");
      text(fmt::format("{}, {}", plural(count_of(unit.leaves), "leaf switch"), nodes_text),
           (left + right) / 2, bottom + 34, PlacedText::Style::count);
      sketch_.frames.insert(sketch_.frames.begin(),
                            {left, panel_top_, right - left, bottom + 46 - panel_top_, true});
      bottom += 46;
    }
    bottom_ = std::max(bottom_, bottom);
    return right;
  }

  [[nodiscard]] std::size_t count_of(const Vertices& switches) const {
    std::size_t count = 0;
    for (const std::size_t v : switches) {
      count += topology_.vertex(v).count;
    }
    return count;
  }

  /// Switches that stand for several each: bars above what is drawn below them, where these do not overlap.
  bool bars(const Vertices& switches, double y) {
    std::vector<std::pair<double, double>> spans;
    for (const std::size_t v : switches) {
      double left = sketch_.width;
      double right = 0;
      for (const PlacedVertex& placed : sketch_.vertices) {
        if (boost::edge(v, placed.vertex, topology_.graph()).second &&
            topology_.vertex(placed.vertex).tier < topology_.vertex(v).tier) {
          left = std::min(left, placed.x - placed.width / 2);
          right = std::max(right, placed.x + placed.width / 2);
        }
      }
      if (topology_.vertex(v).count == 1 || left > right || (!spans.empty() && left <= spans.back().second)) {
        return false;
      }
      spans.emplace_back(left, right);
    }
    for (std::size_t i = 0; i < switches.size(); ++i) {
      const auto [left, right] = spans[i];
      place(switches[i], (left + right) / 2, y, std::max(40.0, right - left + 24));
    }
    return true;
  }

  /// Switches side by side. One that stands for several is a bar.
  void row(const Vertices& vertices, double left, double right, double y) {
    const double width = right - left;
    const auto count = static_cast<double>(vertices.size());
    const bool has_bars = std::any_of(vertices.begin(), vertices.end(),
                                      [&](std::size_t v) { return topology_.vertex(v).count > 1; });
    const double step = has_bars ? width / count : std::min(2 * kStep, width / count);
    double x = left + (width - step * (count - 1)) / 2;
    for (const std::size_t v : vertices) {
      place(v, x, y, topology_.vertex(v).count > 1 ? std::max(40.0, step * 0.75) : 0);
      x += step;
    }
  }

  /// Draws a node; returns where it ends. `bottom` grows with it.
  double node(double left, double top, std::uint32_t number, double& bottom) {
    const std::map<VertexKind, Vertices>& inside = parts_.insides.at(number);
    const std::size_t most = shown_units_.size() == 1 ? 16 : 8;
    std::size_t widest = 2;
    for (const auto& [kind, vertices] : inside) {
      widest = std::max(widest, std::min(vertices.size(), most));
    }
    const double scale = widest <= 4 ? 1.6 : parts_.units.front().nodes.size() == 1 ? 1.8 : 1.0;
    const double width = static_cast<double>(widest) * kStep * scale + 16;
    double y = top + 26;
    for (const VertexKind kind : kNodeRows) {
      const auto found = inside.find(kind);
      if (found == inside.end() || (kind == VertexKind::host && inside.size() == 2)) {
        continue;
      }
      Vertices shown = found->second;
      shown.resize(std::min(shown.size(), most));
      row_of_node(shown, left + 8, left + width - 8, y, kStep * scale);
      if (shown.size() < found->second.size()) {
        text(fmt::format("× {}", found->second.size()), left + width - 16, y - 17, PlacedText::Style::label);
      }
      y += kRow;
    }
    const bool has_arcs = !inside.contains(VertexKind::nvswitch);
    y += has_arcs ? 6 : -28;
    text(fmt::format("node {}", number), left + width / 2, y, PlacedText::Style::label);
    sketch_.frames.push_back({left, top, width, y + 10 - top, false});
    bottom = std::max(bottom, y + 10);
    return left + width;
  }

  void row_of_node(const Vertices& vertices, double left, double right, double y, double step) {
    const double width = right - left;
    const auto count = static_cast<double>(vertices.size());
    const double gap = std::max(step, width / count);
    double x = left + (width - gap * (count - 1)) / 2;
    for (const std::size_t v : vertices) {
      place(v, x, y, topology_.vertex(v).kind == VertexKind::nvswitch ? gap - 10 : 0);
      x += gap;
    }
  }

  void upper_tiers(double top) {
    if (!has_fabric()) {
      return;
    }
    const double left = kMargin + kGutter;
    const double right = sketch_.width - kMargin;
    auto rows = static_cast<double>(parts_.tiers.size());
    for (const auto& [tier, switches] : parts_.tiers) {
      const double y = top + (rows - 1) * kTier + 24;
      const Vertices shown = shown_switches(switches, 12, 1);
      if (!bars(shown, y)) {
        row(shown, left, right, y);
      }
      text(tier_name(tier), kMargin, y + 4, PlacedText::Style::tier);
      text(plural(count_of(switches), "switch"), kMargin, y + 20, PlacedText::Style::label);
      if (shown.size() < switches.size()) {
        text(fmt::format("{} shown", count_of(shown)), kMargin, y + 34, PlacedText::Style::label);
      }
      rows -= 1;
    }
    text(parts_.tiers.empty() ? "switch" : "leaf", kMargin, panel_top_ + 38, PlacedText::Style::tier);
    std::size_t leaves = 0;
    for (const Unit& unit : parts_.units) {
      leaves += count_of(unit.leaves);
    }
    text(plural(leaves, "switch"), kMargin, panel_top_ + 54, PlacedText::Style::label);
    text("node", kMargin, panel_top_ + 174, PlacedText::Style::tier);
    text(plural(topology_.node_count(), "node"), kMargin, panel_top_ + 190, PlacedText::Style::label);
  }

  /// Chips of a torus: at most four along each axis, the third axis into the depth.
  void torus() {
    constexpr std::size_t kMost = 4;
    std::vector<int> dimensions = topology_.dimensions();
    const bool is_flat = dimensions.size() < 3;
    dimensions.resize(3, 1);
    std::array<std::size_t, 3> shown{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      shown[axis] = std::min<std::size_t>(static_cast<std::size_t>(dimensions[axis]), is_flat ? 8 : kMost);
    }
    const double step = is_flat ? 70 : 120;
    const double depth_x = 34;
    const double depth_y = 30;
    const double depth = static_cast<double>(shown[2] - 1);
    const double left = kMargin + 60;
    const double top = kMargin + 110 + depth * depth_y;
    for (std::size_t z = shown[2]; z-- > 0;) {  // what is behind first
      for (std::size_t y = 0; y < shown[1]; ++y) {
        for (std::size_t x = 0; x < shown[0]; ++x) {
          const std::size_t chip =
              (z * static_cast<std::size_t>(dimensions[1]) + y) * static_cast<std::size_t>(dimensions[0]) + x;
          const auto behind = static_cast<double>(z);
          place(topology_.gpus()[chip].vertex, left + static_cast<double>(x) * step + behind * depth_x,
                top + static_cast<double>(y) * step - behind * depth_y);
        }
      }
    }
    const double bottom = top + static_cast<double>(shown[1] - 1) * step;
    std::string words;
    for (const int length : topology_.dimensions()) {
      words += fmt::format("{}{}", words.empty() ? "" : " × ", length);
    }
    words += topology_.wraps() ? " chips, every axis a ring" : " chips";
    for (std::size_t axis = 0; axis < 3; ++axis) {
      if (shown[axis] < static_cast<std::size_t>(dimensions[axis])) {
        words += "; the first of them";
        break;
      }
    }
    text(words, left, bottom + 50, PlacedText::Style::tier);
    sketch_.width =
        std::max(560.0, left + static_cast<double>(shown[0] - 1) * step + depth * depth_x + kMargin + 60);
    sketch_.height = bottom + 60 + kMargin;
  }

  const Topology& topology_;
  Parts parts_;
  TopologySketch sketch_;
  std::vector<std::size_t> shown_units_;
  std::set<std::size_t> drawn_;
  double panel_top_ = 0;
  double bottom_ = 0;
};

}  // namespace

TopologySketch sketch_topology(const Topology& topology) {
  return Sketcher(topology).run();
}

}  // namespace makespan
