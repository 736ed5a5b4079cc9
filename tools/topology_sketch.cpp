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
constexpr double kArcs = 46;     // above leaves that are joined to each other
constexpr double kWidth = 1200;  // of a page, for drawings to be of one scale

/// The rows of a node, from the top.
constexpr std::array<VertexKind, 5> kNodeRows = {VertexKind::nic, VertexKind::pcie_switch, VertexKind::host,
                                                 VertexKind::gpu, VertexKind::nvswitch};

std::string plural(std::size_t count, const std::string& what) {
  const std::string ending = what.ends_with("ch") ? "es" : "s";
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : ending);
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
    choose_cables();
    const double first_tier = kMargin + 66;  // below the title
    const auto upper = static_cast<double>(parts_.tiers.size());
    const bool has_arcs = std::any_of(
        topology_.links().begin(), topology_.links().end(),
        [](const Link& link) { return link.kind == LinkKind::local || link.kind == LinkKind::global; });
    arcs_ = has_arcs ? kArcs : 0;
    panel_top_ = first_tier + upper * kTier + arcs_;
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

  /// Of the cables between every two of the shown groups, one, whose ends are to be drawn.
  void choose_cables() {
    std::set<std::uint32_t> shown;
    for (const std::size_t unit : shown_units_) {
      for (const std::size_t leaf : parts_.units[unit].leaves) {
        shown.insert(topology_.vertex(leaf).group);
      }
    }
    std::set<std::pair<std::uint32_t, std::uint32_t>> joined;
    for (const Link& link : topology_.links()) {
      const std::uint32_t a = topology_.vertex(link.from).group;
      const std::uint32_t b = topology_.vertex(link.to).group;
      if (link.kind == LinkKind::global && a < b && shown.contains(a) && shown.contains(b) &&
          joined.insert({a, b}).second) {
        cable_ends_.insert({link.from, link.to});
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

  /// Switches to show: the ends of cables, then in turns one above each of what is drawn, at most `most`, and
  /// others to make it `least`.
  [[nodiscard]] Vertices shown_switches(const Vertices& switches, std::size_t most, std::size_t least) const {
    std::set<std::size_t> chosen;
    std::map<std::size_t, Vertices> above;  // by what is drawn below
    for (const std::size_t v : switches) {
      if (cable_ends_.contains(v)) {
        chosen.insert(v);
      }
      const auto [begin, end] = boost::out_edges(v, topology_.graph());
      for (auto edge = begin; edge != end; ++edge) {
        const std::size_t other = boost::target(*edge, topology_.graph());
        if (topology_.vertex(other).tier < topology_.vertex(v).tier && drawn_.contains(other)) {
          above[other].push_back(v);
        }
      }
    }
    bool is_done = false;
    for (std::size_t turn = 0; !is_done; ++turn) {
      is_done = true;
      for (const auto& [below, candidates] : above) {
        if (turn < candidates.size() && chosen.size() < most) {
          chosen.insert(candidates[turn]);
          is_done = false;
        }
      }
    }
    for (std::size_t i = 0; i < switches.size() && chosen.size() < least; ++i) {
      chosen.insert(switches[i]);
    }
    return {chosen.begin(), chosen.end()};
  }

  /// Draws a unit from `left` on; returns where it ends.
  double panel(double left, const Unit& unit) {
    const std::vector<std::uint32_t> nodes = shown_nodes(unit);
    const bool has_leaves = !unit.leaves.empty();
    const double node_top = panel_top_ + (has_leaves ? 120 + arcs_ : 0) + 24;
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
      const Vertices shown = shown_switches(unit.leaves, 16, 8);
      row(shown, left, right, panel_top_ + 34 + arcs_);
      text(fmt::format("{}{}, {}", plural(count_of(unit.leaves), "leaf switch"),
                       shown.size() < unit.leaves.size() ? fmt::format(" ({} shown)", count_of(shown)) : "",
                       plural(unit.nodes.size(), "node")),
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

  /// Switches side by side. One that stands for several is a bar; two such bars, of two planes, are one above
  /// the other, each above all that is below it.
  void row(const Vertices& vertices, double left, double right, double y) {
    const double width = right - left;
    if (vertices.size() == 2 && topology_.vertex(vertices[0]).count > 1 &&
        topology_.vertex(vertices[1]).count > 1) {
      place(vertices[0], (left + right) / 2, y - 26, width);
      place(vertices[1], (left + right) / 2, y, width);
      return;
    }
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
    std::string hidden;
    for (const VertexKind kind : kNodeRows) {
      const auto found = inside.find(kind);
      if (found == inside.end() || (kind == VertexKind::host && inside.size() == 2)) {
        continue;
      }
      Vertices shown = found->second;
      shown.resize(std::min(shown.size(), most));
      row_of_node(shown, left + 8, left + width - 8, y, kStep * scale);
      if (shown.size() < found->second.size()) {
        const std::string_view name = kind == VertexKind::gpu   ? "GPUs"
                                      : kind == VertexKind::nic ? "NICs"
                                                                : to_string(kind);
        hidden += fmt::format("{}{} of {} {}", hidden.empty() ? ": " : ", ", shown.size(),
                              found->second.size(), name);
      }
      y += kRow;
    }
    const bool has_arcs = !inside.contains(VertexKind::nvswitch);
    y += has_arcs ? 6 : -28;
    text(fmt::format("node {}{}", number, hidden), left + width / 2, y, PlacedText::Style::label);
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
    const double leaf_y = panel_top_ + arcs_;
    text(parts_.tiers.empty() ? "switch" : "leaf", kMargin, leaf_y + 38, PlacedText::Style::tier);
    std::size_t leaves = 0;
    for (const Unit& unit : parts_.units) {
      leaves += count_of(unit.leaves);
    }
    text(plural(leaves, "switch"), kMargin, leaf_y + 54, PlacedText::Style::label);
    text("node", kMargin, leaf_y + 174, PlacedText::Style::tier);
    text(plural(topology_.node_count(), "node"), kMargin, leaf_y + 190, PlacedText::Style::label);
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
    const double extent = static_cast<double>(shown[0] - 1) * step + depth * depth_x;
    const double left = std::max(kMargin + 60, (kWidth - extent) / 2);
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
        words += fmt::format("; drawn are {} × {} × {} at one corner{}", shown[0], shown[1], shown[2],
                             topology_.wraps() ? ", without the links that close longer rings" : "");
        break;
      }
    }
    text(words, left, bottom + 50, PlacedText::Style::tier);
    sketch_.width = std::max(kWidth, left + extent + kMargin + 60);
    sketch_.height = bottom + 60 + kMargin;
  }

  const Topology& topology_;
  Parts parts_;
  TopologySketch sketch_;
  std::vector<std::size_t> shown_units_;
  std::set<std::size_t> drawn_;
  std::set<std::size_t> cable_ends_;  ///< switches, of the cables between groups that are drawn
  double arcs_ = 0;                   ///< room above the leaves
  double panel_top_ = 0;
  double bottom_ = 0;
};

}  // namespace

TopologySketch sketch_topology(const Topology& topology) {
  return Sketcher(topology).run();
}

}  // namespace makespan
