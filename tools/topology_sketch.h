#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "network/topology.h"

namespace makespan {

/// A vertex of a topology with a place on the page.
struct PlacedVertex {
  std::size_t vertex = 0;
  double x = 0;  ///< of its middle
  double y = 0;
  double width = 0;  ///< of a vertex that is drawn as a bar, for links to end along it; 0: an icon
};

/// Words on the page.
struct PlacedText {
  enum class Style : std::uint8_t { label, count, tier };

  std::string text;
  double x = 0;
  double y = 0;
  Style style = Style::label;
};

/// A frame around what belongs together.
struct PlacedFrame {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
  bool is_unit = false;  ///< a scalable unit or group; else a node
};

/// Some vertices of a topology that stand for all, placed in rows: the tiers of switches from the top, below
/// them scalable units (or groups) with their leaves and nodes, in which NICs are above PCIe switches,
/// sockets, GPUs and NVSwitches. What is left out is counted in words. A torus is a block of chips instead.
struct TopologySketch {
  double width = 0;
  double height = 0;
  std::vector<PlacedVertex> vertices;
  std::vector<PlacedText> texts;
  std::vector<PlacedFrame> frames;
};

[[nodiscard]] TopologySketch sketch_topology(const Topology& topology);

}  // namespace makespan
