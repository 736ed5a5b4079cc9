#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/text.h"
#include "network/fabrics.h"

namespace makespan {

namespace {

// Sources of what the rows share:
// - Bandwidth of a NIC and of PCIe as collectives see it: SimAI, calbusbw.h: HDR200 23.5, NDR400 48.5, PCIe 4
//   25.6, PCIe 5 51.2 GB/s. nccl-tests on two DGX A100 (Azure ND A100 v4) reach 8 x 23.6 GB/s.
// - NVLink: measured ring bus bandwidth, ml-engineering, network: A100 235, H100 and H200 366, B200 682 GB/s.
//   One NVLink: NCCL, topo.h: 20.0 GB/s (Volta, Ampere).
// - NVSwitch reductions: fits of all-reduces on 5 to 8 H200 and 6 to 8 B200 (ml-engineering) to
//   2 (n - 1) / (n + 1) x bandwidth.
// - Scalable units and one leaf per rail: NVIDIA DGX SuperPOD reference architectures.
// - Low-latency protocol: NCCL, tuning.cc, llMaxBws for Volta, Ampere (the default), Hopper, Blackwell.
// - Between sockets: NCCL, topo.h.

NodeSpec dgx_a100(std::string name, std::string accelerator) {
  return {
      .name = std::move(name),
      .accelerator = std::move(accelerator),
      .generation = Generation::ampere,
      .nvlink = 235e9,
      .pcie = 25.6e9,
      .nic = 23.5e9,
      .unit = 20,
      .source =
          "NVIDIA DGX A100 (8 HDR200 NICs behind PCIe 4 switches), SuperPOD unit of 20 nodes; NCCL, SimAI, "
          "ml-engineering"};
}

NodeSpec dgx_hopper(std::string name, std::string accelerator) {
  return {.name = std::move(name),
          .accelerator = std::move(accelerator),
          .generation = Generation::hopper,
          .nvlink = 366e9,
          .nvls = 305e9,
          .pcie = 51.2e9,
          .nic = 48.5e9,
          .unit = 32,
          .low_latency = {141e9, 45e9, 35e9},
          .source =
              "NVIDIA DGX H100/H200 (8 NDR400 NICs, PCIe 5), SuperPOD unit of 32 nodes; NCCL, SimAI, "
              "ml-engineering"};
}

NodeSpec dgx_b200() {
  return {
      .name = "dgx-b200",
      .accelerator = "b200",
      .generation = Generation::blackwell,
      .nvlink = 682e9,
      .nvls = 541e9,
      .pcie = 51.2e9,
      .nic = 48.5e9,
      .unit = 32,
      .low_latency = {282e9, 90e9, 70e9},
      .source =
          "NVIDIA DGX B200 (8 NDR400 NICs, PCIe 5), SuperPOD unit of 32 nodes; NCCL, SimAI, ml-engineering"};
}

NodeSpec dgx_1v() {
  return {
      .name = "dgx-1v",
      .accelerator = "v100-16gb",
      .generation = Generation::volta,
      .wiring = Wiring::cube_mesh,
      .nvlink = 20e9,
      .pcie = 12.6e9,
      .gpus_per_switch = 2,
      .host = 6e9,
      .nics = 4,
      .nic = 11.75e9,
      .low_latency = {39e9, 39e9, 20.4e9},
      .source =
          "NVIDIA DGX-1V (4 EDR100 NICs at 0.94 of their rate, one per PCIe 3 switch and pair of GPUs, two "
          "Broadwell sockets joined by QPI); NCCL topo.h"};
}

NodeSpec summit() {
  return {
      .name = "summit",
      .accelerator = "v100-16gb",
      .generation = Generation::volta,
      .gpus = 6,
      .wiring = Wiring::mesh,
      .nvlink = 40e9,
      .island = 3,
      .pcie = 40e9,
      .gpus_per_switch = 3,
      .host = 32e9,
      .nics = 2,
      .nic = 11.75e9,
      .unit = 18,
      .low_latency = {39e9, 39e9, 20.4e9},
      .source =
          "ORNL Summit: two sockets of 3 V100, two NVLinks (40 GB/s by NCCL topo.h) between the GPUs of a "
          "socket and to their POWER9, X bus 32 GB/s, a port of EDR100 per socket; racks of 18 nodes"};
}

NodeSpec hgx_h800() {
  NodeSpec node = dgx_hopper("hgx-h800", "h800");
  node.nvlink = 164.8e9;
  node.nvls = 138e9;
  node.source =
      "as dgx-h100 with 8 NVLinks per GPU: SimAI calbusbw.h; NCCL topo.h, 8 x 20.6 GB/s; reductions in "
      "proportion to SimAI's 215 against 475 GB/s";
  return node;
}

NodeSpec hpn_h800() {
  NodeSpec node = hgx_h800();
  node.name = "hpn-h800";
  node.transport = "roce";
  node.nic_ports = 2;
  node.unit = 128;
  node.source =
      "Alibaba HPN (SIGCOMM 2024): as hgx-h800, NICs of 2 x 200 Gb/s on two planes, segments of 128 nodes";
  return node;
}

NodeSpec grand_teton() {
  NodeSpec node = dgx_hopper("grand-teton", "h100");
  node.transport = "roce";
  node.unit = 2;
  node.source =
      "Meta's 24k cluster (Llama 3, arXiv:2407.21783, 3.3): as dgx-h100, 8 x 400 Gb/s RoCE, racks of two "
      "nodes";
  return node;
}

NodeSpec a3_mega() {
  NodeSpec node = dgx_hopper("a3-mega", "h100");
  node.transport = "gpudirect-tcpxo";
  node.nic = 23.6e9;
  node.source =
      "Google Cloud A3 Mega: as dgx-h100, 8 x 200 Gb/s; its documentation's all-gather of 8 GiB on two nodes "
      "reaches 8 x 23.6 GB/s";
  return node;
}

NodeSpec p6_b200() {
  NodeSpec node = dgx_b200();
  node.name = "p6-b200";
  node.transport = "efa";
  node.source = "AWS p6-b200: as dgx-b200, 8 x 400 Gb/s EFA v4; ml-engineering, 382 GB/s on four nodes";
  return node;
}

NodeSpec hgx_b200() {
  NodeSpec node = dgx_b200();
  node.name = "hgx-b200";
  node.nic = 43e9;
  node.source =
      "acceptance report of a cluster of HGX B200: as dgx-b200, ib_write_bw reaches 45 GB/s per NDR400 NIC "
      "and "
      "an all-to-all on two nodes 43 GB/s";
  return node;
}

NodeSpec dgx_b300() {
  NodeSpec node = dgx_b200();
  node.name = "dgx-b300";
  node.accelerator = "b300";
  node.pcie = 102.4e9;
  node.nic = 97e9;
  node.nic_ports = 2;
  node.unit = 64;
  node.source =
      "NVIDIA DGX B300 (8 NICs of 2 x 400 Gb/s, 0.97 of it as NDR400; PCIe 6 twice PCIe 5), SuperPOD unit of "
      "64 nodes on two planes; NVLink as dgx-b200";
  return node;
}

NodeSpec mi300x() {
  return {
      .name = "mi300x-8",
      .accelerator = "mi300x",
      .generation = Generation::cdna3,
      .wiring = Wiring::mesh,
      .nvlink = 48.8e9,
      .pcie = 51.2e9,
      .nic = 48.5e9,
      .source =
          "AMD MI300X platform (64 GB/s to each of 7 peers; 8 x 400 Gb/s): ml-engineering, all-reduce 47.7 "
          "GB/s on 2 GPUs over one link, 312.9 on 8 over 7 links"};
}

NodeSpec perlmutter() {
  return {
      .name = "perlmutter-gpu",
      .accelerator = "a100-40gb",
      .generation = Generation::ampere,
      .gpus = 4,
      .wiring = Wiring::mesh,
      .nvlink = 76.5e9,
      .pcie = 25.6e9,
      .sockets = 1,
      .nics = 4,
      .nic = 18.1e9,
      .transport = "slingshot-11",
      .unit = 128,
      .source =
          "NERSC Perlmutter: 4 NVLinks between every two A100 (nccl-tests: 230 GB/s on 4 GPUs, three links; "
          "74 on 2), 4 Slingshot-11 NICs that carry 70 to 72 GB/s; groups of 128 nodes"};
}

NodeSpec gb200_nvl72() {
  return {
      .name = "gb200-nvl72",
      .accelerator = "gb200",
      .generation = Generation::blackwell,
      .gpus = 72,
      .nvlink = 680e9,
      .nvls = 437e9,
      .pcie = 51.2e9,
      .sockets = 36,
      .nics = 72,
      .nic = 48.5e9,
      .unit = 8,
      .low_latency = {282e9, 90e9, 70e9},
      .source =
          "NVIDIA GB200 NVL72: a rack of 18 trays is one NVLink domain, a NIC of 400 Gb/s per GPU, units of "
          "8 racks; vendor slide in ml-engineering: ring 680, NVLS 850 GB/s, of 2 (n - 1) / (n + 1)"};
}

NodeSpec tpu(const std::string& name, double link, std::string source) {
  return {.name = name,
          .accelerator = name,
          .generation = Generation::tpu,
          .gpus = 1,
          .wiring = Wiring::pcie,
          .nvlink = link,
          .sockets = 1,
          .nics = 0,
          .transport = "ici",
          .source = std::move(source)};
}

std::vector<NodeSpec> make_table() {
  std::vector<NodeSpec> table = {
      a3_mega(),
      dgx_1v(),
      dgx_a100("dgx-a100-40gb", "a100-40gb"),
      dgx_a100("dgx-a100-80gb", "a100-80gb"),
      dgx_b200(),
      dgx_b300(),
      dgx_hopper("dgx-h100", "h100"),
      dgx_hopper("dgx-h200", "h200"),
      gb200_nvl72(),
      grand_teton(),
      hgx_b200(),
      hgx_h800(),
      hpn_h800(),
      mi300x(),
      p6_b200(),
      perlmutter(),
      summit(),
      tpu("tpu-v4", 45e9,
          "a chip of Google's TPU v4: 6 links of 50 GB/s, of which 45 are reached (How to Scale Your Model)"),
      tpu("tpu-v5p", 90e9, "a chip of Google's TPU v5p: 6 links of 100 GB/s; 0.9 of it as TPU v4")};
  return table;
}

void require(bool holds, const NodeSpec& node, const std::string& what, const std::string& hint) {
  if (!holds) {
    throw InputError({}, {}, "node '" + node.name + "': " + what, hint);
  }
}

bool has_sockets(const NodeSpec& node) {
  return node.host > 0 || (node.wiring == Wiring::pcie && node.gpus > 1);
}

void check(const NodeSpec& node) {
  constexpr int kMost = 1024;
  const auto count = [&](int value, int least, const char* what) {
    require(value >= least && value <= kMost, node, std::to_string(value) + " " + what,
            "from " + std::to_string(least) + " to " + std::to_string(kMost));
  };
  const auto bandwidth = [&](double value, bool is_needed, const char* what) {
    require(std::isfinite(value) && value <= 1e15 && value >= 0 && (value > 0 || !is_needed), node,
            std::string(what) + " has no usable bandwidth",
            is_needed ? "above 0, at most 1e15 B/s" : "0 to 1e15 B/s");
  };
  count(node.gpus, 1, "GPUs");
  count(node.nics, 0, "NICs");
  count(node.sockets, 1, "sockets");
  count(node.gpus_per_switch, 1, "GPUs per PCIe switch");
  require(node.nic_ports >= 1 && node.nic_ports <= 8, node, std::to_string(node.nic_ports) + " ports per NIC",
          "from 1 to 8");
  count(node.unit, 1, "nodes in a scalable unit");
  bandwidth(node.nvlink, node.wiring != Wiring::pcie && node.gpus > 1, "NVLink");
  bandwidth(node.nvls, false, "NVLS");
  bandwidth(node.pcie, node.nics > 0 || (node.wiring == Wiring::pcie && node.gpus > 1), "PCIe");
  bandwidth(node.host, node.wiring == Wiring::pcie && node.sockets > 1 && node.gpus > 1,
            "the link between sockets");
  bandwidth(node.nic, node.nics > 0, "a NIC");
  require(node.nics <= node.gpus, node,
          std::to_string(node.nics) + " NICs for " + std::to_string(node.gpus) + " GPUs",
          "at most one per GPU: give the bandwidth of several as that of one");
  const int switches = node.gpus_per_switch > 1 ? (node.gpus - 1) / node.gpus_per_switch + 1 : 0;
  require(node.nics == 0 || node.nics >= switches || has_sockets(node), node,
          "PCIe switches without a NIC, and nothing joins them",
          "a NIC per PCIe switch, or a bandwidth between sockets");
  require(node.wiring != Wiring::cube_mesh || node.gpus == 8, node,
          "a hybrid cube mesh of " + std::to_string(node.gpus) + " GPUs", "8 GPUs");
  require(node.island >= 0 && (node.island == 0 || node.gpus % node.island == 0), node,
          "meshes of " + std::to_string(node.island) + " of " + std::to_string(node.gpus) + " GPUs",
          "a divisor of the number of GPUs");
}

/// Builds the graph of a node piece by piece.
class NodeBuilder {
 public:
  explicit NodeBuilder(const NodeSpec& node) : node_(node) {}

  GraphSpec build() {
    const auto add_all = [&](int count, VertexKind kind) {
      const std::size_t first = graph_.vertices.size();
      for (int i = 0; i < count; ++i) {
        graph_.vertices.push_back({.name = {}, .kind = kind, .node = {}});
      }
      return first;
    };
    nvswitch_ = add_all(node_.wiring == Wiring::nvswitch ? 1 : 0, VertexKind::nvswitch);
    hosts_ = add_all(has_sockets(node_) ? node_.sockets : 0, VertexKind::host);
    switches_ = node_.gpus_per_switch > 1 ? (node_.gpus - 1) / node_.gpus_per_switch + 1 : 0;
    first_switch_ = add_all(switches_, VertexKind::pcie_switch);
    nics_ = add_all(node_.nics, VertexKind::nic);
    gpus_ = add_all(node_.gpus, VertexKind::gpu);
    for (int n = 0; n < node_.nics; ++n) {
      graph_.vertices[nic(n)].bandwidth = node_.nic;
      graph_.vertices[nic(n)].ports = node_.nic_ports;
    }
    join_gpus();
    join_pcie();
    return std::move(graph_);
  }

 private:
  [[nodiscard]] std::size_t gpu(int g) const { return gpus_ + static_cast<std::size_t>(g); }

  [[nodiscard]] std::size_t nic(int n) const { return nics_ + static_cast<std::size_t>(n); }

  [[nodiscard]] std::size_t pcie_switch(int s) const { return first_switch_ + static_cast<std::size_t>(s); }

  /// Of thing `i` of `count` that are divided evenly among the sockets.
  [[nodiscard]] std::size_t socket(int i, int count) const {
    return hosts_ + static_cast<std::size_t>(i * node_.sockets / count);
  }

  void join(std::size_t a, std::size_t b, LinkKind kind, double bandwidth, std::uint32_t cables = 1) {
    graph_.links.push_back({.a = a, .b = b, .kind = kind, .bandwidth = bandwidth, .cables = cables});
  }

  void join_gpus() {
    // NVLinks between the GPUs of a DGX-1V, as nvidia-smi prints them.
    constexpr std::array<std::array<std::uint32_t, 8>, 8> kCubeMesh = {{{0, 1, 1, 2, 2, 0, 0, 0},
                                                                        {1, 0, 2, 1, 0, 2, 0, 0},
                                                                        {1, 2, 0, 2, 0, 0, 1, 0},
                                                                        {2, 1, 2, 0, 0, 0, 0, 1},
                                                                        {2, 0, 0, 0, 0, 1, 1, 2},
                                                                        {0, 2, 0, 0, 1, 0, 2, 1},
                                                                        {0, 0, 1, 0, 1, 2, 0, 2},
                                                                        {0, 0, 0, 1, 2, 1, 2, 0}}};
    const int island = node_.island > 0 ? node_.island : node_.gpus;
    for (int a = 0; a < node_.gpus; ++a) {
      if (node_.wiring == Wiring::nvswitch) {
        join(gpu(a), nvswitch_, LinkKind::nvlink, node_.nvlink);
      }
      for (int b = a + 1; b < node_.gpus; ++b) {
        if (node_.wiring == Wiring::mesh && a / island == b / island) {
          join(gpu(a), gpu(b), LinkKind::nvlink, node_.nvlink);
        } else if (node_.wiring == Wiring::cube_mesh) {
          const std::uint32_t links = kCubeMesh[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)];
          if (links > 0) {
            join(gpu(a), gpu(b), LinkKind::nvlink, links * node_.nvlink, links);
          }
        }
      }
    }
  }

  void join_pcie() {
    const bool has_switches = switches_ > 0;
    const bool sockets = has_sockets(node_);
    for (int g = 0; g < node_.gpus; ++g) {
      if (has_switches) {
        join(gpu(g), pcie_switch(g / node_.gpus_per_switch), LinkKind::pcie, node_.pcie);
      } else if (node_.nics > 0) {
        join(gpu(g), nic(g * node_.nics / node_.gpus), LinkKind::pcie, node_.pcie);
      }
      if (!has_switches && sockets) {
        join(gpu(g), socket(g, node_.gpus), LinkKind::pcie, node_.pcie);
      }
    }
    for (int n = 0; n < node_.nics && has_switches; ++n) {
      join(nic(n), pcie_switch(n * switches_ / node_.nics), LinkKind::pcie, node_.pcie);
    }
    for (int s = 0; s < switches_ && sockets; ++s) {
      join(pcie_switch(s), socket(s, switches_), LinkKind::pcie, node_.pcie);
    }
    for (int a = 0; a < node_.sockets && sockets; ++a) {
      for (int b = a + 1; b < node_.sockets; ++b) {
        join(hosts_ + static_cast<std::size_t>(a), hosts_ + static_cast<std::size_t>(b), LinkKind::host,
             node_.host);
      }
    }
  }

  const NodeSpec& node_;
  GraphSpec graph_;
  // The first vertex of each kind.
  std::size_t nvswitch_ = 0;
  std::size_t hosts_ = 0;
  std::size_t first_switch_ = 0;
  std::size_t nics_ = 0;
  std::size_t gpus_ = 0;
  int switches_ = 0;
};

}  // namespace

const std::vector<NodeSpec>& node_specs() {
  static const std::vector<NodeSpec> kTable = make_table();
  return kTable;
}

const NodeSpec& find_node(std::string_view name) {
  const std::vector<NodeSpec>& table = node_specs();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const NodeSpec& node) { return node.name == name; });
  if (found == table.end()) {
    std::vector<std::string_view> names;
    for (const NodeSpec& node : table) {
      names.push_back(node.name);
    }
    throw InputError({}, {}, "there is no node '" + std::string(name) + "'", suggestion(name, names));
  }
  return *found;
}

GraphSpec node_graph(const NodeSpec& node) {
  check(node);
  return NodeBuilder(node).build();
}

}  // namespace makespan
