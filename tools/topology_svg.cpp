#include "tools/topology_svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>

#include "tools/svg.h"
#include "tools/topology_sketch.h"

namespace makespan {

namespace {

/// How a class of links is drawn. Colours: Okabe and Ito, "Color universal design" (2008), which readers with
/// any colour vision tell apart.
struct LinkStyle {
  LinkKind kind;
  std::string_view colour;
};

constexpr std::array<LinkStyle, 9> kLinkStyles = {{
    {LinkKind::spine_core, "#7a4b9a"},
    {LinkKind::leaf_spine, "#0072b2"},
    {LinkKind::global, "#d55e00"},
    {LinkKind::local, "#0072b2"},
    {LinkKind::nic, "#e69f00"},
    {LinkKind::pcie, "#8c8c8c"},
    {LinkKind::host, "#56b4e9"},
    {LinkKind::nvlink, "#009e73"},
    {LinkKind::ici, "#009e73"},
}};

std::string_view colour(LinkKind kind) {
  const auto* style = std::find_if(kLinkStyles.begin(), kLinkStyles.end(),
                                   [kind](const LinkStyle& entry) { return entry.kind == kind; });
  return style->colour;
}

struct Icon {
  double width;
  double height;
  double corner;
  std::string_view fill;
  std::string_view letter;
};

Icon icon(VertexKind kind) {
  switch (kind) {
    case VertexKind::gpu:
      return {20, 20, 3, "#1b7f5c", "G"};
    case VertexKind::nvswitch:
      return {64, 14, 7, "#009e73", "NVSwitch"};
    case VertexKind::pcie_switch:
      return {26, 14, 3, "#9aa0a6", "PCIe"};
    case VertexKind::host:
      return {30, 16, 3, "#56b4e9", "CPU"};
    case VertexKind::nic:
      return {18, 14, 2, "#e69f00", "N"};
    case VertexKind::fabric_switch:
      break;
  }
  return {20, 16, 3, "#33475b", ""};
}

/// Pixels for a bandwidth: two at 25 GB/s, one more for each doubling.
double stroke_width(Rate capacity) {
  const double gigabytes = bytes_per_second(capacity) / 1e9;
  return std::clamp(2 + std::log2(std::max(gigabytes, 0.1) / 25), 0.8, 8.0);
}

std::string text_element(double x, double y, int size, std::string_view anchor, std::string_view fill,
                         bool is_bold, const std::string& words) {
  return fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{}\" text-anchor=\"{}\" fill=\"{}\"{}>{}</text>\n", x, y,
      size, anchor, fill, is_bold ? " font-weight=\"600\"" : "", xml_escaped(words));
}

/// What a class of links adds up to.
struct LinkClass {
  std::size_t links = 0;  ///< both directions counted as one
  std::size_t cables = 0;
  double least = 0;  ///< bytes per second of a cable
  double most = 0;
};

std::map<LinkKind, LinkClass> link_classes(const Topology& topology) {
  std::map<LinkKind, LinkClass> classes;
  for (std::size_t i = 0; i < topology.links().size(); i += 2) {
    const Link& link = topology.links()[i];
    LinkClass& entry = classes[link.kind];
    const double cable = bytes_per_second(link.capacity) / link.cables;
    entry.least = entry.links == 0 ? cable : std::min(entry.least, cable);
    entry.most = std::max(entry.most, cable);
    ++entry.links;
    entry.cables += link.cables;
  }
  return classes;
}

std::string class_text(LinkKind kind, const LinkClass& entry, bool has_rates) {
  if (!has_rates) {
    return fmt::format("{}: {}", to_string(kind), entry.cables);
  }
  const auto number = [](double rate) { return fmt::format("{:.4g}", rate / 1e9); };
  const bool is_even = entry.most - entry.least <= 0.001 * entry.most;
  return fmt::format("{}: {} × {} GB/s", to_string(kind), entry.cables,
                     is_even ? number(entry.most) : number(entry.least) + "–" + number(entry.most));
}

class Drawing {
 public:
  Drawing(const DescribedMachine& described, const std::string& title)
      : described_(described),
        topology_(described.machine.topology),
        title_(title),
        sketch_(sketch_topology(topology_)) {
    constexpr double kLetter = 11.5;  // of the title, on average
    sketch_.width = std::max(sketch_.width, 48 + kLetter * static_cast<double>(title.size()));
    for (const PlacedVertex& placed : sketch_.vertices) {
      places_[placed.vertex] = {placed.x, placed.y, placed.width};
    }
  }

  std::string run() && {
    std::map<LinkKind, LinkClass> classes = link_classes(topology_);
    if (!described_.has_gpus) {
      classes.erase(LinkKind::pcie);  // from a host to its own NIC
    }
    frames();
    links();
    icons();
    texts();
    legend(classes);
    const double height = sketch_.height + legend_height(classes);
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
               "height=\"{1:.0f}\" font-family=\"Helvetica, Arial, sans-serif\" role=\"img\">\n"
               "<title>{2}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
               sketch_.width, height, xml_escaped(title_)) +
           headline() + body_ + "</svg>\n";
  }

 private:
  struct Place {
    double x;
    double y;
    double width;
  };

  [[nodiscard]] std::string headline() const {
    const bool is_torus = !topology_.dimensions().empty();
    std::string counts = fmt::format("{} {}", topology_.gpu_count(),
                                     is_torus              ? "chips"
                                     : described_.has_gpus ? "GPUs"
                                                           : "hosts");
    if (!topology_.nics().empty() && described_.has_gpus) {
      counts += fmt::format(", {} nodes", topology_.node_count());
    }
    if (!topology_.nics().empty() && described_.has_rates) {
      counts += fmt::format(", {} NICs", topology_.nics().size());
    }
    return text_element(24, 42, 20, "start", "#1a1a1a", true, title_) +
           text_element(24, 64, 13, "start", "#5f6368", false, counts);
  }

  void frames() {
    for (const PlacedFrame& frame : sketch_.frames) {
      body_ += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"8\" fill=\"{}\" "
          "stroke=\"{}\"/>\n",
          frame.x, frame.y, frame.width, frame.height, frame.is_unit ? "#f6f8fa" : "#ffffff",
          frame.is_unit ? "#d0d7de" : "#b8c2cc");
    }
  }

  /// Every connection between two vertices that are drawn, once; parallel ones together.
  void links() {
    std::map<std::pair<std::size_t, std::size_t>, Rate> joined;
    std::map<std::pair<std::size_t, std::size_t>, LinkKind> kinds;
    for (std::size_t i = 0; i < topology_.links().size(); i += 2) {
      const Link& link = topology_.links()[i];
      if (places_.contains(link.from) && places_.contains(link.to)) {
        const std::pair ends = std::minmax(link.from, link.to);
        joined[ends] += link.capacity;
        kinds[ends] = link.kind;
      }
    }
    std::map<LinkKind, std::size_t> lines;
    for (const auto& [ends, kind] : kinds) {
      ++lines[kind];
    }
    for (const auto& [ends, capacity] : joined) {
      const LinkKind kind = kinds.at(ends);
      constexpr std::size_t kMany = 64;
      connect(ends.first, ends.second, kind, capacity, lines.at(kind) > kMany ? 0.3 : 0.6);
    }
  }

  void connect(std::size_t a, std::size_t b, LinkKind kind, Rate capacity, double opacity) {
    Place from = places_.at(a);
    Place to = places_.at(b);
    from.x = std::clamp(to.x, from.x - from.width / 2, from.x + from.width / 2);
    to.x = std::clamp(from.x, to.x - to.width / 2, to.x + to.width / 2);
    const bool is_level = std::abs(from.y - to.y) < 1;
    std::string path = fmt::format("M{:.1f} {:.1f}", from.x, from.y);
    if (is_level && kind != LinkKind::ici) {
      const bool is_above = topology_.vertex(a).kind == VertexKind::fabric_switch;
      const double most = kind == LinkKind::global ? 180 : 88;  // a curve reaches half of it
      const double height = std::min(18 + 0.22 * std::abs(from.x - to.x), most) * (is_above ? -1 : 1);
      path += fmt::format(" Q{:.1f} {:.1f} {:.1f} {:.1f}", (from.x + to.x) / 2, from.y + height, to.x, to.y);
    } else if (is_wrap(a, b)) {
      const double bow = is_level ? -26 : 0;
      const double side = is_level ? 0 : -26;
      path += fmt::format(" Q{:.1f} {:.1f} {:.1f} {:.1f}", (from.x + to.x) / 2 + side,
                          (from.y + to.y) / 2 + bow, to.x, to.y);
    } else {
      path += fmt::format(" L{:.1f} {:.1f}", to.x, to.y);
    }
    body_ += fmt::format(
        "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:.2f}\" stroke-opacity=\"{}\"/>\n", path,
        link_colour(a, b, kind), stroke_width(capacity), opacity);
  }

  /// Whether a link of a torus closes a ring that is drawn whole.
  [[nodiscard]] bool is_wrap(std::size_t a, std::size_t b) const {
    std::size_t stride = 1;
    const std::size_t apart = std::max(a, b) - std::min(a, b);
    for (const int length : topology_.dimensions()) {
      if (length > 2 && apart == stride * static_cast<std::size_t>(length - 1)) {
        return true;
      }
      stride *= static_cast<std::size_t>(length);
    }
    return false;
  }

  /// NICs of one rail have a shade of their own.
  [[nodiscard]] std::string link_colour(std::size_t a, std::size_t b, LinkKind kind) const {
    if (kind != LinkKind::nic || !topology_.rails()) {
      return std::string(colour(kind));
    }
    constexpr std::array<std::string_view, 8> kShades = {"#e69f00", "#d55e00", "#cc79a7", "#7a4b9a",
                                                         "#0072b2", "#56b4e9", "#009e73", "#8a8a00"};
    const std::size_t nic = topology_.vertex(a).kind == VertexKind::nic ? a : b;
    return std::string(kShades[topology_.vertex(nic).local % kShades.size()]);
  }

  void icons() {
    for (const PlacedVertex& placed : sketch_.vertices) {
      const Vertex& vertex = topology_.vertex(placed.vertex);
      Icon shape = icon(vertex.kind);
      shape.width = std::max(shape.width, placed.width);
      body_ += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"{}\" "
          "fill=\"{}\"><title>{}</title></rect>\n",
          placed.x - shape.width / 2, placed.y - shape.height / 2, shape.width, shape.height, shape.corner,
          shape.fill, xml_escaped(topology_.vertex_name(placed.vertex)));
      const bool is_host = vertex.kind == VertexKind::gpu && !described_.has_gpus;
      const std::string letter = is_host                           ? "H"
                                 : !topology_.dimensions().empty() ? "C"
                                 : vertex.kind == VertexKind::fabric_switch
                                     ? (vertex.count > 1 ? fmt::format("× {}", vertex.count) : "")
                                     : std::string(shape.letter);
      if (!letter.empty()) {
        const bool is_wide = vertex.kind == VertexKind::fabric_switch && placed.width > 80;
        body_ += text_element(placed.x, placed.y + (is_wide ? 4.5 : 3.2),
                              is_wide             ? 13
                              : letter.size() > 1 ? 8
                                                  : 9,
                              "middle", "#ffffff", true,
                              (is_wide ? topology_.vertex_name(placed.vertex) + " " : "") + letter);
      }
    }
  }

  void texts() {
    for (const PlacedText& placed : sketch_.texts) {
      const bool is_tier = placed.style == PlacedText::Style::tier;
      const bool is_start = is_tier || placed.x < 30;
      body_ +=
          text_element(placed.x, placed.y, placed.style == PlacedText::Style::label ? 11 : 13,
                       is_start ? "start" : "middle", is_tier ? "#1a1a1a" : "#5f6368", is_tier, placed.text);
    }
  }

  [[nodiscard]] static double legend_height(const std::map<LinkKind, LinkClass>& classes) {
    return 22.0 * static_cast<double>(classes.size()) + 20;
  }

  void legend(const std::map<LinkKind, LinkClass>& classes) {
    double y = sketch_.height + 8;
    for (const LinkStyle& style : kLinkStyles) {
      const auto found = classes.find(style.kind);
      if (found == classes.end()) {
        continue;
      }
      body_ += fmt::format(
          "<line x1=\"24\" y1=\"{0:.1f}\" x2=\"64\" y2=\"{0:.1f}\" stroke=\"{1}\" "
          "stroke-width=\"{2:.2f}\"/>\n",
          y, style.colour, stroke_width(rate_from_bytes_per_second(found->second.most)));
      body_ +=
          text_element(76, y + 4, 12, "start", "#1a1a1a", false,
                       class_text(style.kind, found->second, described_.has_rates) +
                           (style.kind == LinkKind::nic && topology_.rails() ? ", coloured by rail" : ""));
      y += 22;
    }
  }

  const DescribedMachine& described_;
  const Topology& topology_;
  const std::string& title_;
  TopologySketch sketch_;
  std::map<std::size_t, Place> places_;
  std::string body_;
};

}  // namespace

std::string topology_svg(const DescribedMachine& described, const std::string& title) {
  return Drawing(described, title).run();
}

}  // namespace makespan
