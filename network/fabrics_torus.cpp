#include <algorithm>

#include "network/fabrics_parts.h"

namespace makespan::fabrics {

namespace {

void check(const GraphSpec& node, int count, const FabricSpec& fabric, double bandwidth) {
  const auto gpus = std::count_if(node.vertices.begin(), node.vertices.end(),
                                  [](const GraphVertex& v) { return v.kind == VertexKind::gpu; });
  if (gpus != 1) {
    refuse("a torus of nodes with " + std::to_string(gpus) + " GPUs", "nodes of one chip");
  }
  if (fabric.dimensions.empty() || fabric.dimensions.size() > 3) {
    refuse("a torus of " + std::to_string(fabric.dimensions.size()) + " dimensions", "from 1 to 3");
  }
  std::int64_t chips = 1;
  for (const int length : fabric.dimensions) {
    if (length < 1 || length > count) {
      refuse("an axis of " + std::to_string(length) + " chips", "from 1 to " + std::to_string(count));
    }
    chips *= length;
  }
  if (chips != count) {
    refuse("a torus of " + std::to_string(chips) + " chips on a cluster of " + std::to_string(count),
           "dimensions whose product is the number of nodes");
  }
  if (!(bandwidth > 0)) {
    refuse("a torus without the bandwidth of its links",
           "that of the fabric's link, or of the node's NVLink");
  }
}

}  // namespace

Topology build_torus(const NodeSpec& spec, const GraphSpec& node, int count, const FabricSpec& fabric) {
  // About 1 us from chip to chip ("How to Scale Your Model").
  constexpr Time kHop{1'000'000};
  const double bandwidth = fabric.link > 0 ? fabric.link : spec.nvlink;
  check(node, count, fabric, bandwidth);
  Topology topology;
  topology.set_routing(fabric.routing);
  topology.set_torus(fabric.dimensions, fabric.wrap);
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(count); ++i) {
    topology.add(Gpu{.vertex = topology.add_vertex({VertexKind::gpu, 0, i}), .node = 0, .local = i});
  }
  // Axis by axis, so that the links of every chip are in the order of the axes.
  std::size_t stride = 1;
  for (const int length : fabric.dimensions) {
    const auto chips = static_cast<std::size_t>(length);
    for (std::size_t i = 0; i < topology.gpu_count(); ++i) {
      const bool is_last = i / stride % chips + 1 == chips;
      if (!is_last || (fabric.wrap && chips > 2)) {
        const std::size_t next = is_last ? i - (chips - 1) * stride : i + stride;
        topology.connect(topology.gpus()[i].vertex, topology.gpus()[next].vertex, LinkKind::ici,
                         rate_from_bytes_per_second(bandwidth), kHop);
      }
    }
    stride *= chips;
  }
  topology.finish();
  return topology;
}

}  // namespace makespan::fabrics
