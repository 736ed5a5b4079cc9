#include <algorithm>
#include <map>
#include <numeric>

#include "network/import.h"
#include "network/import_rates.h"
#include "network/import_smi_matrix.h"
#include "network/import_text.h"

namespace makespan {

namespace {

/// Which devices are together: the number of its cluster for each, by first appearance.
using Partition = std::vector<std::size_t>;

/// Clusters that grow together.
class Clusters {
 public:
  explicit Clusters(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), 0); }

  std::size_t root(std::size_t a) {
    while (parent_[a] != a) {
      a = parent_[a] = parent_[parent_[a]];
    }
    return a;
  }

  /// The lower root stays.
  void join(std::size_t a, std::size_t b) {
    const auto [low, high] = std::minmax({root(a), root(b)});
    parent_[high] = low;
  }

  Partition partition() {
    Partition result;
    std::map<std::size_t, std::size_t> numbers;
    for (std::size_t d = 0; d < parent_.size(); ++d) {
      result.push_back(numbers.try_emplace(root(d), numbers.size()).first->second);
    }
    return result;
  }

 private:
  std::vector<std::size_t> parent_;
};

std::size_t cluster_count(const Partition& partition) {
  return partition.empty() ? 0 : *std::max_element(partition.begin(), partition.end()) + 1;
}

/// The links that the options leave open.
struct Rates {
  int nvlinks = 0;  ///< of a GPU
  double nvlink = 0;
  double pcie = 0;
  double host = 0;
  double nic = 0;
};

class MatrixBuilder {
 public:
  MatrixBuilder(SmiMatrix matrix, const std::string& file, const NvidiaSmiOptions& options)
      : matrix_(std::move(matrix)), file_(file) {
    order_devices();
    choose_rates(options);
  }

  GraphSpec build() {
    find_clusters();
    choose_nics();
    choose_layers();
    report_lone_nics();
    add_vertices();
    add_tree();
    add_nvlinks();
    return std::move(graph_);
  }

 private:
  void warn(const std::string& sentence) { graph_.warnings.push_back(file_ + ": " + sentence); }

  /// GPUs, then NICs, by name.
  void order_devices() {
    std::vector<std::size_t> order(matrix_.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
      return matrix_.is_gpu[a] != matrix_.is_gpu[b] ? matrix_.is_gpu[a]
                                                    : natural_less(matrix_.names[a], matrix_.names[b]);
    });
    SmiMatrix sorted;
    for (const std::size_t a : order) {
      sorted.names.push_back(matrix_.names[a]);
      sorted.is_gpu.push_back(matrix_.is_gpu[a]);
      sorted.affinities.push_back(matrix_.affinities[a]);
      for (const std::size_t b : order) {
        sorted.cells.push_back(matrix_.at(a, b));
      }
    }
    matrix_ = std::move(sorted);
    gpus_ = static_cast<std::size_t>(std::count(matrix_.is_gpu.begin(), matrix_.is_gpu.end(), true));
  }

  [[nodiscard]] int links_of(std::size_t gpu) const {
    int sum = 0;
    for (std::size_t other = 0; other < gpus_; ++other) {
      sum += matrix_.at(gpu, other).nvlinks;
    }
    return sum;
  }

  void choose_rates(const NvidiaSmiOptions& options) {
    int most_links = 0;  // of a GPU, were all of them direct
    int most_cell = 0;
    for (std::size_t gpu = 0; gpu < gpus_; ++gpu) {
      most_links = std::max(most_links, links_of(gpu));
      for (std::size_t other = 0; other < gpus_; ++other) {
        most_cell = std::max(most_cell, matrix_.at(gpu, other).nvlinks);
      }
    }
    constexpr int kMostDirect = 18;
    const Generation guess = most_links == 0
                                 ? Generation::ampere
                                 : generation_with(most_links <= kMostDirect ? most_links : most_cell);
    const GenerationRates* const known = generation_rates(options.generation.value_or(guess));
    if (known == nullptr) {
      throw InputError({file_, 1, 1}, {}, "a matrix of nvidia-smi for GPUs that are not NVIDIA's",
                       "a node with Volta, Ampere, Hopper or Blackwell GPUs");
    }
    const GenerationRates& usual = *known;
    const auto chosen = [](double stated, double otherwise) { return stated > 0 ? stated : otherwise; };
    rates_ = {usual.nvlinks, chosen(options.nvlink, nvlink_rate(usual.sm)), chosen(options.pcie, usual.pcie),
              chosen(options.host, usual.host), chosen(options.nic, usual.nic)};
    std::string text = "the text states no rates; taken for " + std::string(usual.name) + " GPUs" +
                       (options.generation ? "" : " (by their NVLinks)") + ": ";
    text += most_links > 0 ? "NVLink " + gigabytes(rates_.nvlink) + " a link, " : "";
    warn(text + "PCIe " + gigabytes(rates_.pcie) + ", between sockets " + gigabytes(rates_.host) +
         (gpus_ < matrix_.size() ? ", a NIC " + gigabytes(rates_.nic) : ""));
  }

  /// Which devices are no farther from each other than PIX, PXB, PHB and NODE; cells that put two devices
  /// farther apart than others put them together are reported.
  void find_clusters() {
    Clusters clusters(matrix_.size());
    std::vector<std::string> contradictions;
    for (const SmiDistance most : {SmiDistance::pix, SmiDistance::pxb, SmiDistance::phb, SmiDistance::node}) {
      for_each_pair([&](std::size_t a, std::size_t b, SmiDistance distance) {
        if (distance <= most) {
          clusters.join(a, b);
        }
      });
      for_each_pair([&](std::size_t a, std::size_t b, SmiDistance distance) {
        if (distance > most && distance <= SmiDistance::sys && clusters.root(a) == clusters.root(b)) {
          contradictions.push_back(cell_text(a, b));
        }
      });
      layers_.push_back(clusters.partition());
    }
    layers_.pop_back();
    join_by_affinity(clusters);
    sockets_ = clusters.partition();
    std::sort(contradictions.begin(), contradictions.end(), natural_less);
    contradictions.erase(std::unique(contradictions.begin(), contradictions.end()), contradictions.end());
    if (!contradictions.empty()) {
      warn("cells that others contradict, which put the two nearer together: " + listed(contradictions));
    }
  }

  template <class Visit>
  void for_each_pair(const Visit& visit) const {
    for (std::size_t b = 0; b < matrix_.size(); ++b) {
      for (std::size_t a = 0; a < b; ++a) {
        visit(a, b, matrix_.at(a, b).distance);
      }
    }
  }

  /// Joins clusters whose GPUs have the same affinity, unless the matrix says of any two devices in them that
  /// NUMA nodes are between them.
  void join_by_affinity(Clusters& clusters) const {
    std::vector<std::vector<bool>> apart(matrix_.size(), std::vector<bool>(matrix_.size()));  // by roots
    for_each_pair([&](std::size_t a, std::size_t b, SmiDistance distance) {
      if (distance == SmiDistance::sys) {
        apart[clusters.root(a)][clusters.root(b)] = apart[clusters.root(b)][clusters.root(a)] = true;
      }
    });
    for (std::size_t b = 0; b < gpus_; ++b) {
      for (std::size_t a = 0; a < b; ++a) {
        const auto [low, high] = std::minmax({clusters.root(a), clusters.root(b)});
        const std::string& affinity = matrix_.affinities[a];
        if (low == high || affinity.empty() || affinity != matrix_.affinities[b] || apart[low][high]) {
          continue;
        }
        clusters.join(a, b);
        for (std::size_t d = 0; d < matrix_.size(); ++d) {
          apart[low][d] = apart[low][d] || apart[high][d];
          apart[d][low] = apart[low][d];
        }
      }
    }
  }

  /// Keeps the NICs that are nearest to some GPU.
  void choose_nics() {
    std::vector<bool> is_near(matrix_.size());
    for (std::size_t gpu = 0; gpu < gpus_; ++gpu) {
      SmiDistance least = SmiDistance::unknown;
      for (std::size_t nic = gpus_; nic < matrix_.size(); ++nic) {
        least = std::min(least, matrix_.at(gpu, nic).distance);
      }
      for (std::size_t nic = gpus_; nic < matrix_.size(); ++nic) {
        is_near[nic] = is_near[nic] || matrix_.at(gpu, nic).distance == least;
      }
    }
    std::vector<std::string> far;
    for (std::size_t d = 0; d < matrix_.size(); ++d) {
      if (d < gpus_ || is_near[d]) {
        kept_.push_back(d);
      } else {
        far.push_back(matrix_.names[d]);
      }
    }
    if (!far.empty()) {
      warn("left out because every GPU is nearer to another NIC (storage or management?): " + listed(far, 8));
    }
  }

  /// `partition` of the devices that are kept, in their order.
  [[nodiscard]] Partition of_kept(const Partition& partition) const {
    Partition result;
    std::map<std::size_t, std::size_t> numbers;
    for (const std::size_t d : kept_) {
      result.push_back(numbers.try_emplace(partition[d], numbers.size()).first->second);
    }
    return result;
  }

  /// Drops layers that bring no device nearer to a GPU, and host bridges that are all there is to a socket.
  void choose_layers() {
    sockets_ = of_kept(sockets_);
    Partition finer(kept_.size());
    std::iota(finer.begin(), finer.end(), 0);
    std::vector<Partition> needed;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      Partition partition = of_kept(layers_[l]);
      const bool is_bridge = l + 1 == layers_.size();
      if (brings_nearer(finer, partition) && !(is_bridge && partition == sockets_)) {
        needed.push_back(partition);
        finer = std::move(partition);
      }
    }
    layers_ = std::move(needed);
  }

  [[nodiscard]] bool brings_nearer(const Partition& finer, const Partition& coarser) const {
    for (std::size_t gpu = 0; gpu < gpus_; ++gpu) {
      for (std::size_t d = 0; d < kept_.size(); ++d) {
        if (coarser[gpu] == coarser[d] && finer[gpu] != finer[d]) {
          return true;
        }
      }
    }
    return false;
  }

  /// NICs in sockets of their own may be where the matrix does not say.
  void report_lone_nics() {
    std::vector<std::string> lone;
    for (std::size_t d = gpus_; d < kept_.size(); ++d) {
      if (std::find(sockets_.begin(), sockets_.begin() + static_cast<std::ptrdiff_t>(gpus_), sockets_[d]) ==
          sockets_.begin() + static_cast<std::ptrdiff_t>(gpus_)) {
        lone.push_back(matrix_.names[kept_[d]]);
      }
    }
    if (!lone.empty()) {
      warn("NICs that share a NUMA node with no GPU have sockets of their own, with " +
           gigabytes(rates_.host) + " to the others: " + listed(lone));
    }
  }

  void add_vertices() {
    for (const std::size_t d : kept_) {
      const bool is_gpu = d < gpus_;
      graph_.vertices.push_back({.name = is_gpu ? "gpu" + std::to_string(d) : matrix_.names[d],
                                 .kind = is_gpu ? VertexKind::gpu : VertexKind::nic,
                                 .bandwidth = is_gpu ? 0 : rates_.nic});
    }
  }

  std::size_t add(VertexKind kind, const std::string& name) {
    graph_.vertices.push_back({.name = name, .kind = kind});
    return graph_.vertices.size() - 1;
  }

  void link(std::size_t a, std::size_t b, LinkKind kind, double bandwidth, int cables = 1) {
    graph_.links.push_back(
        {.a = a, .b = b, .kind = kind, .bandwidth = bandwidth, .cables = static_cast<std::uint32_t>(cables)});
  }

  /// Devices below switches, layer by layer, below sockets that are joined with each other. All devices are
  /// below equally many, so that a shorter distance is a shorter way.
  void add_tree() {
    std::vector<std::size_t> top(kept_.size());
    std::iota(top.begin(), top.end(), 0);
    std::size_t switches = 0;
    for (const Partition& layer : layers_) {
      climb(top, layer, [&] { return add(VertexKind::pcie_switch, "pcie" + std::to_string(switches++)); });
    }
    const std::size_t first_socket = graph_.vertices.size();
    std::size_t sockets = 0;
    climb(top, sockets_, [&] { return add(VertexKind::host, "cpu" + std::to_string(sockets++)); });
    for (std::size_t s = 0; s < sockets; ++s) {
      for (std::size_t other = 0; other < s; ++other) {
        link(first_socket + other, first_socket + s, LinkKind::host, rates_.host);
      }
    }
  }

  /// Moves `top`, the highest vertex above each device, up to one of a cluster's own.
  template <class AddVertex>
  void climb(std::vector<std::size_t>& top, const Partition& clusters, const AddVertex& add_vertex) {
    std::vector<std::size_t> above;
    for (std::size_t c = 0; c < cluster_count(clusters); ++c) {
      above.push_back(add_vertex());
    }
    std::vector<bool> is_linked(graph_.vertices.size());
    for (std::size_t d = 0; d < kept_.size(); ++d) {
      const std::size_t to = above[clusters[d]];
      if (!is_linked[top[d]]) {
        link(top[d], to, LinkKind::pcie, rates_.pcie);
        is_linked[top[d]] = true;
      }
      top[d] = to;
    }
  }

  void add_nvlinks() {
    Clusters clusters(gpus_);
    for (std::size_t a = 0; a < gpus_; ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        if (matrix_.at(a, b).nvlinks > 0) {
          clusters.join(a, b);
        }
      }
    }
    const Partition islands = clusters.partition();
    for (std::size_t island = 0; island < cluster_count(islands); ++island) {
      std::vector<std::size_t> members;
      for (std::size_t gpu = 0; gpu < gpus_; ++gpu) {
        if (islands[gpu] == island) {
          members.push_back(gpu);
        }
      }
      const bool is_direct = std::all_of(members.begin(), members.end(),
                                         [this](std::size_t gpu) { return links_of(gpu) <= rates_.nvlinks; });
      if (is_direct) {
        join_directly(members);
      } else {
        join_by_switch(members);
      }
    }
  }

  void join_directly(const std::vector<std::size_t>& members) {
    for (const std::size_t a : members) {
      for (const std::size_t b : members) {
        const int links = matrix_.at(a, b).nvlinks;
        if (a < b && links > 0) {
          link(a, b, LinkKind::nvlink, links * rates_.nvlink, links);
        }
      }
    }
  }

  /// Every GPU with the most links that it has to another: what it has to the switch.
  void join_by_switch(const std::vector<std::size_t>& members) {
    const std::size_t nvswitch = add(VertexKind::nvswitch, "nvswitch");
    for (const std::size_t a : members) {
      int links = 0;
      for (const std::size_t b : members) {
        links = std::max(links, matrix_.at(a, b).nvlinks);
      }
      link(a, nvswitch, LinkKind::nvlink, links * rates_.nvlink, links);
      const auto missing = std::find_if(members.begin(), members.end(), [&](std::size_t b) {
        return a != b && matrix_.at(a, b).nvlinks == 0;
      });
      if (missing != members.end()) {
        warn("no NVLink between " + cell_text(a, *missing) + ", although both are on one NVSwitch");
      }
    }
  }

  [[nodiscard]] std::string cell_text(std::size_t a, std::size_t b) const {
    return matrix_.names[a] + "-" + matrix_.names[b] + " " +
           std::string(to_string(matrix_.at(a, b).distance));
  }

  SmiMatrix matrix_;
  const std::string& file_;
  std::size_t gpus_ = 0;  ///< the first devices
  Rates rates_;
  std::vector<Partition> layers_;  ///< PCIe switches, finest first
  Partition sockets_;
  std::vector<std::size_t> kept_;  ///< devices that become vertices: all GPUs, and NICs
  GraphSpec graph_;
};

}  // namespace

NvidiaSmiOptions nvidia_smi_options(const NodeSpec& node) {
  return {.generation = node.generation, .pcie = node.pcie, .host = node.host, .nic = node.nic};
}

GraphSpec import_nvidia_smi(std::string_view text, const std::string& file, const NvidiaSmiOptions& options) {
  const SourceText source(text, file, "\x1b");
  return MatrixBuilder(read_smi_matrix(source), file, options).build();
}

}  // namespace makespan
