#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "network/import.h"
#include "network/import_graph.h"
#include "network/import_nccl_devices.h"
#include "network/import_rates.h"
#include "network/import_text.h"

namespace makespan {

namespace {

constexpr std::size_t kNone = ~std::size_t{0};

bool has_gpu(const NcclDevice& device) {
  return device.gpu.has_value();
}

bool has_net(const NcclDevice& device) {
  return !device.nets.empty();
}

/// Makes the graph of a node from its devices.
class NodeBuilder {
 public:
  NodeBuilder(NcclDevices devices, const std::string& file, const NcclXmlOptions& options)
      : devices_(std::move(devices.devices)),
        file_(file),
        options_(options),
        vertex_(devices_.size(), kNone),
        is_dump_(std::any_of(devices_.begin(), devices_.end(), has_gpu)),
        states_nets_(std::any_of(devices_.begin(), devices_.end(), has_net)),
        has_computers_(std::any_of(devices_.begin(), devices_.end(),
                                   [](const NcclDevice& device) { return device.computer > 0; })) {
    graph_.warnings = std::move(devices.warnings);
  }

  GraphSpec build() {
    choose();
    add_vertices();
    add_pcie();
    join_sockets();
    add_nvlinks();
    if (!is_dump_) {
      take_nvlinks_of_node();
    }
    if (!vague_links_.empty()) {
      warn("PCIe link speeds that are not stated are " +
           (options_.node ? "those of " + options_.node->name : std::string("PCIe 3 x16, as NCCL assumes")) +
           " (" + gigabytes(vague_rate()) + "): " + listed(vague_links_));
    }
    leave_out_far_nics(graph_, file_);
    return std::move(graph_);
  }

 private:
  void warn(const std::string& sentence) { graph_.warnings.push_back(file_ + ": " + sentence); }

  /// Devices in the order of their vertices: GPUs, PCIe switches, sockets, NICs.
  void choose() {
    std::vector<std::string> unused;
    for (std::size_t d = 0; d < devices_.size(); ++d) {
      const NcclDevice& device = devices_[d];
      const bool is_unused = (device.kind == VertexKind::gpu && is_dump_ && !device.gpu) ||
                             (device.kind == VertexKind::nic && states_nets_ && device.nets.empty()) ||
                             (device.kind == VertexKind::nic && device.busid.empty() && device.nets.empty());
      if (is_unused) {
        unused.push_back(device.busid.empty() ? "a nic without net" : device.busid);
      } else {
        order_.push_back(d);
      }
    }
    if (!unused.empty()) {
      warn("left out because NCCL does not use them (no gpu or net element): " + listed(unused));
    }
    std::stable_sort(order_.begin(), order_.end(),
                     [this](std::size_t a, std::size_t b) { return key(devices_[a]) < key(devices_[b]); });
    const auto is_gpu = [this](std::size_t d) { return devices_[d].kind == VertexKind::gpu; };
    if (std::none_of(order_.begin(), order_.end(), is_gpu)) {
      throw InputError({file_, 1, 1}, "system", "has no GPU", "pci elements with gpu, or of class 0x03");
    }
  }

  [[nodiscard]] std::tuple<int, std::uint32_t, int, std::uint64_t> key(const NcclDevice& device) const {
    constexpr std::array<int, 5> kRanks = {0, 0, 1, 2, 3};
    const int number = device.gpu             ? device.gpu->dev
                       : !device.nets.empty() ? device.nets.front().dev
                                              : device.numa;
    return {kRanks[static_cast<std::size_t>(device.kind)], device.computer, number, device.address};
  }

  void add_vertices() {
    std::map<std::pair<std::uint32_t, int>, std::size_t> by_dev;
    std::size_t gpus = 0;
    for (const std::size_t d : order_) {
      const NcclDevice& device = devices_[d];
      GraphVertex vertex{.kind = device.kind};
      if (device.kind == VertexKind::gpu) {
        vertex.name = "gpu" + std::to_string(gpus++);
        if (device.gpu && !by_dev.emplace(std::pair(device.computer, device.gpu->dev), d).second) {
          throw InputError(device.gpu->where, "gpu.dev", std::to_string(device.gpu->dev) + " is there twice",
                           "each GPU has a number of its own");
        }
      } else if (device.kind == VertexKind::host) {
        vertex.name = device.numa < 0 ? "cpu" : "cpu" + std::to_string(device.numa);
      } else if (device.kind == VertexKind::pcie_switch) {
        vertex.name = "pcie " + device.busid;
      } else {
        describe_nic(vertex, device);
      }
      vertex.name = unique(vertex.name, device.computer);
      vertex_[d] = graph_.vertices.size();
      graph_.vertices.push_back(std::move(vertex));
    }
    report_nics();
  }

  std::string unique(const std::string& name, std::uint32_t computer) {
    const bool is_prefixed = has_computers_ && !name.starts_with("gpu");
    std::string full = is_prefixed ? "host" + std::to_string(computer) + " " + name : name;
    for (int i = 2; !names_.insert(full).second; ++i) {
      full = name + " #" + std::to_string(i);
    }
    return full;
  }

  void describe_nic(GraphVertex& vertex, const NcclDevice& device) {
    vertex.name = device.nets.empty() ? device.busid : device.nets.front().name;
    vertex.ports = std::max(1, static_cast<int>(device.nets.size()));
    for (const NcclNet& net : device.nets) {
      vertex.bandwidth += network_rate(1e6 * static_cast<double>(plausible_megabits(net)));
      if (!net.is_direct) {
        staged_nics_.push_back(net.name);
      }
    }
    if (device.nets.empty()) {
      vertex.bandwidth = options_.node ? options_.node->nic : rate_of(device);
      silent_nics_.push_back(device.busid);
    }
  }

  /// Megabits per second; corrects a speed that is written in kilobits.
  std::int64_t plausible_megabits(const NcclNet& net) {
    constexpr std::int64_t kMost = 3'200'000;
    constexpr std::int64_t kLeast = 10;
    if (net.megabits <= 0) {
      speedless_nics_.push_back(net.name);
      return 10'000;
    }
    if (net.megabits >= kLeast && net.megabits <= kMost) {
      return net.megabits;
    }
    if (net.megabits / 1000 < 1000 || net.megabits / 1000 > kMost) {
      throw InputError(net.where, "net.speed", std::to_string(net.megabits) + " Mb/s is the speed of no NIC",
                       std::to_string(kLeast) + " to " + std::to_string(kMost) + " Mb/s");
    }
    overstated_nics_.push_back(net.name + " (" + std::to_string(net.megabits) + " Mb/s, line " +
                               std::to_string(net.where.line) + ")");
    return net.megabits / 1000;
  }

  void report_nics() {
    if (!staged_nics_.empty()) {
      warn("NICs without GPUDirect RDMA, whose copies through host memory are not modelled: " +
           listed(staged_nics_));
    }
    if (!overstated_nics_.empty()) {
      warn("speeds that no NIC has are taken for kb/s: " + listed(overstated_nics_));
    }
    if (!speedless_nics_.empty()) {
      warn("speeds that are not stated are taken for 10 Gb/s, as NCCL does: " + listed(speedless_nics_));
    }
    if (!silent_nics_.empty()) {
      warn("NICs without a speed carry " +
           (options_.node ? "what those of " + options_.node->name + " do, " + gigabytes(options_.node->nic)
                          : std::string("what their PCIe slot does")) +
           ": " + listed(silent_nics_));
    }
  }

  [[nodiscard]] double vague_rate() const { return options_.node ? options_.node->pcie : *pcie_rate(8, 16); }

  [[nodiscard]] double rate_of(const NcclDevice& device) const {
    return device.uplink > 0 ? device.uplink : vague_rate();
  }

  void link(std::size_t a, std::size_t b, LinkKind kind, double bandwidth, int cables = 1) {
    graph_.links.push_back(
        {.a = a, .b = b, .kind = kind, .bandwidth = bandwidth, .cables = static_cast<std::uint32_t>(cables)});
  }

  void add_pcie() {
    std::set<std::pair<std::size_t, std::size_t>> on_chip;
    for (const std::size_t d : order_) {
      const NcclDevice& device = devices_[d];
      if (device.kind == VertexKind::host) {
        continue;
      }
      const double rate = rate_of(device);
      if (device.uplink <= 0) {
        vague_links_.push_back(device.busid);
      }
      const std::size_t socket = socket_of(d);
      if (device.gpu && device.gpu->c2c > rate) {
        link(vertex_[d], vertex_[socket], LinkKind::pcie, device.gpu->c2c);  // NCCL goes there (P2C)
      } else {
        link(vertex_[d], vertex_[device.parent], LinkKind::pcie, rate);
      }
      for (const std::uint64_t address : device.peers) {
        const std::size_t peer = find(device.computer, address);
        if (peer != kNone && peer != d && devices_[peer].kind == VertexKind::pcie_switch &&
            device.kind == VertexKind::pcie_switch && on_chip.insert(std::minmax(d, peer)).second) {
          link(vertex_[d], vertex_[peer], LinkKind::pcie, kOnChipRate);
        }
      }
    }
  }

  [[nodiscard]] std::size_t socket_of(std::size_t device) const {
    while (devices_[device].kind != VertexKind::host) {
      device = devices_[device].parent;
    }
    return device;
  }

  /// The device at a bus address, where there is one.
  std::size_t find(std::uint32_t computer, std::uint64_t address) {
    if (by_address_.empty()) {
      for (const std::size_t d : order_) {
        if (!devices_[d].busid.empty()) {
          by_address_.emplace(std::pair(devices_[d].computer, devices_[d].address), d);
        }
      }
    }
    const auto found = by_address_.find({computer, address});
    return found == by_address_.end() ? kNone : found->second;
  }

  /// NCCL joins the NUMA nodes of a computer with each other.
  void join_sockets() {
    std::vector<std::size_t> sockets;
    for (const std::size_t d : order_) {
      if (devices_[d].kind != VertexKind::host) {
        continue;
      }
      for (const std::size_t other : sockets) {
        if (devices_[other].computer == devices_[d].computer) {
          link(vertex_[other], vertex_[d], LinkKind::host,
               std::min(rate_between_sockets(other), rate_between_sockets(d)));
        }
      }
      sockets.push_back(d);
    }
  }

  [[nodiscard]] double rate_between_sockets(std::size_t d) const {
    const NcclDevice& device = devices_[d];
    return socket_rate({device.architecture, device.vendor, device.family, device.model});
  }

  static double rate_of_one(const NcclGpu& gpu, const NcclLinks& links) {
    if (links.kind == "nvlink") {
      return nvlink_rate(gpu.sm);
    }
    if (gpu.gcn.empty()) {
      throw InputError(gpu.where, "gpu", "has xgmi links but no attribute 'gcn'",
                       "the architecture, such as 942");
    }
    return xgmi_rate(gpu.gcn);
  }

  /// What one GPU says about its links to another.
  struct End {
    int count = 0;
    double rate = 0;
    SourceLocation where;
  };

  void add_nvlinks() {
    std::map<std::size_t, End> to_switch;
    std::map<std::pair<std::size_t, std::size_t>, End> to_gpu;
    std::vector<std::string> to_self;
    std::vector<std::string> to_nowhere;
    for (const std::size_t d : order_) {
      for (const NcclLinks& links : devices_[d].gpu ? devices_[d].gpu->links : std::vector<NcclLinks>()) {
        const End end{links.count, rate_of_one(*devices_[d].gpu, links), links.where};
        const std::size_t target = find(devices_[d].computer, links.target);
        const std::string& name = graph_.vertices[vertex_[d]].name;
        if (links.target_class.starts_with("0x068001")) {
          link(vertex_[d], vertex_[socket_of(d)], LinkKind::pcie, end.count * end.rate, end.count);
        } else if (!is_gpu_class(links.target_class)) {
          add(to_switch[d], end);
        } else if (target == d) {
          to_self.push_back(name);
        } else if (target == kNone || devices_[target].kind != VertexKind::gpu) {
          to_nowhere.push_back(name + " to " + in_quotes(links.target_text));
        } else {
          add(to_gpu[{d, target}], end);
        }
      }
    }
    join_to_switch(to_switch);
    join_gpus(to_gpu);
    if (!to_self.empty()) {
      warn("NVLinks of a GPU to itself are left out: " + listed(to_self));
    }
    if (!to_nowhere.empty()) {
      warn("NVLinks to GPUs that are not in the file are left out: " + listed(to_nowhere));
    }
  }

  static bool is_gpu_class(std::string_view target_class) {
    return target_class.starts_with("0x03") || target_class.starts_with("0x12");
  }

  static void add(End& sum, const End& end) { sum = {sum.count + end.count, end.rate, end.where}; }

  void join_to_switch(const std::map<std::size_t, End>& ends) {
    if (ends.empty()) {
      return;
    }
    graph_.vertices.push_back({.name = "nvswitch", .kind = VertexKind::nvswitch});
    for (const std::size_t d : order_) {
      if (const auto end = ends.find(d); end != ends.end()) {
        link(vertex_[d], graph_.vertices.size() - 1, LinkKind::nvlink, end->second.count * end->second.rate,
             end->second.count);
      }
    }
  }

  void join_gpus(const std::map<std::pair<std::size_t, std::size_t>, End>& ends) {
    std::map<std::pair<std::size_t, std::size_t>, std::pair<End, End>> pairs;  // by vertices
    for (const auto& [gpus, end] : ends) {
      const std::size_t a = vertex_[gpus.first];
      const std::size_t b = vertex_[gpus.second];
      (a < b ? pairs[{a, b}].first : pairs[{b, a}].second) = end;
    }
    std::vector<std::string> uneven;
    for (auto& [gpus, both] : pairs) {
      auto& [there, back] = both;
      if (there.count != back.count) {
        uneven.push_back(graph_.vertices[gpus.first].name + "-" + graph_.vertices[gpus.second].name);
      }
      if (there.count == 0 || back.count == 0) {
        (there.count == 0 ? there : back) = there.count == 0 ? back : there;
      }
      const int count = std::min(there.count, back.count);
      link(gpus.first, gpus.second, LinkKind::nvlink, count * std::min(there.rate, back.rate), count);
    }
    if (!uneven.empty()) {
      warn("the two ends of these NVLinks state different counts; the lower one that is stated is taken: " +
           listed(uneven));
    }
  }

  void take_nvlinks_of_node() {
    const std::string only = "lists PCI devices and no NVLink (a file of a cloud provider?); ";
    const auto gpus = static_cast<std::size_t>(std::count_if(
        order_.begin(), order_.end(), [this](std::size_t d) { return devices_[d].kind == VertexKind::gpu; }));
    if (!options_.node) {
      warn(only + "GPUs reach each other over PCIe alone unless the node that it describes is named");
      return;
    }
    const NodeSpec& node = *options_.node;
    if (static_cast<std::size_t>(node.gpus) != gpus) {
      warn(only + "it has " + counted(gpus, "GPU") + ", " + node.name + " has " + std::to_string(node.gpus) +
           ", so that GPUs reach each other over PCIe alone");
      return;
    }
    const GraphSpec inside = node_graph(node);
    std::vector<std::size_t> here(inside.vertices.size(), kNone);
    std::size_t next_gpu = 0;  // GPUs come first
    for (std::size_t v = 0; v < inside.vertices.size(); ++v) {
      if (inside.vertices[v].kind == VertexKind::gpu) {
        here[v] = next_gpu++;
      } else if (inside.vertices[v].kind == VertexKind::nvswitch) {
        here[v] = graph_.vertices.size();
        graph_.vertices.push_back({.name = unique("nvswitch", 0), .kind = VertexKind::nvswitch});
      }
    }
    for (const GraphLink& l : inside.links) {
      if (l.kind == LinkKind::nvlink && here[l.a] != kNone && here[l.b] != kNone) {
        link(here[l.a], here[l.b], LinkKind::nvlink, l.bandwidth, static_cast<int>(l.cables));
      }
    }
    warn(only + "NVLink is that of " + node.name);
  }

  std::vector<NcclDevice> devices_;
  const std::string& file_;
  const NcclXmlOptions& options_;
  std::vector<std::size_t> order_;   ///< devices that become vertices
  std::vector<std::size_t> vertex_;  ///< of a device
  bool is_dump_;                     ///< has gpu elements
  bool states_nets_;
  bool has_computers_;  ///< several
  GraphSpec graph_;
  std::set<std::string> names_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::size_t> by_address_;
  std::vector<std::string> vague_links_;
  std::vector<std::string> silent_nics_;
  std::vector<std::string> staged_nics_;
  std::vector<std::string> overstated_nics_;
  std::vector<std::string> speedless_nics_;
};

}  // namespace

GraphSpec import_nccl_xml(std::string_view text, const std::string& file, const NcclXmlOptions& options) {
  const SourceText source(text, file);
  return NodeBuilder(read_nccl_devices(source), file, options).build();
}

}  // namespace makespan
