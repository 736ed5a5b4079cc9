#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <queue>

#include "core/random.h"
#include "network/import.h"
#include "network/import_rates.h"
#include "test/network/import_fixture.h"

namespace makespan {
namespace {

using test::count_links;
using test::data;
using test::link;
using test::names;
using test::replaced;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

GraphSpec import(const std::string& text, const NvidiaSmiOptions& options = {}) {
  return import_nvidia_smi(text, "topo.txt", options);
}

std::string error_of(const std::string& text) {
  return test::error_of([&] { return import(text); });
}

TEST(NvidiaSmi, more_links_than_a_gpu_has_mean_an_nvswitch) {
  const GraphSpec graph = import(data("smi_nvswitch.txt"));
  EXPECT_THAT(names(graph, VertexKind::gpu), ElementsAre("gpu0", "gpu1", "gpu2", "gpu3"));
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 4U);
  EXPECT_EQ(link(graph, "gpu3", "nvswitch")->cables, 12U);
  EXPECT_DOUBLE_EQ(link(graph, "gpu3", "nvswitch")->bandwidth, find_node("dgx-a100-80gb").nvlink);
}

TEST(NvidiaSmi, fewer_links_are_direct) {
  const GraphSpec graph = import(data("smi_wrapped.txt"));
  EXPECT_THAT(names(graph, VertexKind::nvswitch), ElementsAre());
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 4U * 3 / 2);
  EXPECT_DOUBLE_EQ(link(graph, "gpu1", "gpu2")->bandwidth, 4 * nvlink_rate(80));
}

TEST(NvidiaSmi, the_hybrid_cube_mesh_has_6_links_at_every_gpu) {
  const GraphSpec graph = import(data("smi_cube_mesh.txt"));
  std::map<std::size_t, std::uint32_t> links;
  for (const GraphLink& l : graph.links) {
    if (l.kind == LinkKind::nvlink) {
      links[l.a] += l.cables;
      links[l.b] += l.cables;
      EXPECT_EQ(l.bandwidth, l.cables * nvlink_rate(70));
    }
  }
  EXPECT_EQ(links.size(), 8U);
  for (const auto& [gpu, count] : links) {
    EXPECT_EQ(count, 6U);
  }
  EXPECT_EQ(names(graph, VertexKind::host).size(), 2U);
}

TEST(NvidiaSmi, nics_carry_the_names_of_the_legend_in_order) {
  const GraphSpec graph = import(data("smi_nvswitch.txt"));
  EXPECT_THAT(names(graph, VertexKind::nic), ElementsAre("mlx5_0", "mlx5_1", "mlx5_2", "mlx5_10"));
  EXPECT_EQ(names(import(replaced(data("smi_nvswitch.txt"), "NIC Legend", "Ende")), VertexKind::nic).size(),
            4U);
}

TEST(NvidiaSmi, nics_far_from_every_gpu_are_left_out_by_name) {
  EXPECT_THAT(
      import(data("smi_nvswitch.txt")).warnings,
      Contains(HasSubstr("every GPU is nearer to another NIC (storage or management?): mlx5_8, mlx5_9")));
}

TEST(NvidiaSmi, devices_share_switches_and_sockets) {
  const GraphSpec graph = import(data("smi_nvswitch.txt"));
  for (const char* device : {"gpu0", "gpu1", "mlx5_0", "mlx5_1"}) {
    EXPECT_TRUE(link(graph, device, "pcie0")) << device;
  }
  for (const char* device : {"gpu2", "gpu3", "mlx5_2", "mlx5_10"}) {
    EXPECT_TRUE(link(graph, device, "pcie1")) << device;
  }
  EXPECT_TRUE(link(graph, "pcie0", "cpu0"));
  EXPECT_TRUE(link(graph, "pcie1", "cpu1"));
  EXPECT_EQ(link(graph, "cpu0", "cpu1")->bandwidth, 16e9);
}

TEST(NvidiaSmi, wrapped_lines_blanks_codes_and_old_names_change_nothing) {
  const GraphSpec graph = import(data("smi_wrapped.txt"));
  EXPECT_TRUE(link(graph, "gpu0", "cpu0"));
  EXPECT_TRUE(link(graph, "mlx5_0", "cpu0"));
  EXPECT_TRUE(link(graph, "mlx5_1", "cpu1"));
  EXPECT_EQ(graph.warnings.size(), 1U);
}

TEST(NvidiaSmi, assumptions_are_stated_and_can_be_chosen) {
  EXPECT_THAT(import(data("smi_nvswitch.txt")).warnings,
              Contains("topo.txt: the text states no rates; taken for Ampere GPUs (by their NVLinks): NVLink "
                       "19.58 GB/s a link, PCIe 25.6 GB/s, between sockets 16 GB/s, a NIC 23.5 GB/s"));
  const GraphSpec graph =
      import(data("smi_nvswitch.txt"),
             {.generation = Generation::hopper, .nvlink = 20e9, .host = 30e9, .nic = 10e9});
  EXPECT_EQ(link(graph, "gpu0", "nvswitch")->bandwidth, 12 * 20e9);
  EXPECT_EQ(link(graph, "gpu0", "pcie0")->bandwidth, 51.2e9);
  EXPECT_EQ(link(graph, "cpu0", "cpu1")->bandwidth, 30e9);
  EXPECT_EQ(test::vertex(graph, "mlx5_0").bandwidth, 10e9);
  EXPECT_THAT(graph.warnings, Contains(HasSubstr("Hopper GPUs: NVLink 20 GB/s a link")));
}

TEST(NvidiaSmi, options_come_from_a_node) {
  const NodeSpec& node = find_node("dgx-h100");
  const GraphSpec graph = import(replaced(data("smi_pcie.txt"), "0-63", "0-31"), nvidia_smi_options(node));
  EXPECT_EQ(link(graph, "gpu0", "pcie0")->bandwidth, node.pcie);
  EXPECT_EQ(test::vertex(graph, "mlx5_0").bandwidth, node.nic);
}

TEST(NvidiaSmi, other_gpus_have_no_nvlink) {
  EXPECT_THAT(test::error_of([] { return import(data("smi_pcie.txt"), {.generation = Generation::cdna3}); }),
              StartsWith("topo.txt:1:1: a matrix of nvidia-smi for GPUs that are not NVIDIA's"));
}

TEST(NvidiaSmi, rows_of_nics_may_be_missing) {
  const GraphSpec graph = import(data("smi_pcie.txt"));
  EXPECT_TRUE(link(graph, "gpu1", "pcie1"));
  EXPECT_TRUE(link(graph, "mlx5_0", "pcie1"));
  EXPECT_EQ(names(graph, VertexKind::host).size(), 1U);
}

TEST(NvidiaSmi, one_gpu_is_a_matrix_too) {
  const GraphSpec graph =
      import("\tGPU0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\nGPU0\t X \t0-7\t\tN/A\t\tN/A\n\nLegend:\n");
  EXPECT_THAT(names(graph, VertexKind::gpu), ElementsAre("gpu0"));
  EXPECT_EQ(graph.links.size(), 1U);
}

TEST(NvidiaSmi, text_around_the_matrix_does_not_matter) {
  const std::string text = data("smi_nvswitch.txt");
  EXPECT_EQ(import("$ nvidia-smi topo -m\n```\n" + text + "```\n").vertices.size(),
            import(text).vertices.size());
}

TEST(NvidiaSmi, affinity_joins_gpus_that_nvlink_hides_unless_cells_say_otherwise) {
  const auto sockets = [](const std::string& cell) {
    return names(import("\tGPU0\tGPU1\tCPU Affinity\tNUMA Affinity\nGPU0\t X \t" + cell + "\t0-9\t0\nGPU1\t" +
                        cell + "\t X \t0-9\t0\n"),
                 VertexKind::host)
        .size();
  };
  EXPECT_EQ(sockets("NV2"), 1U);
  EXPECT_EQ(sockets("SYS"), 2U);
  EXPECT_EQ(sockets("NODE"), 1U);
}

TEST(NvidiaSmi, affinity_of_cpus_stands_in_for_that_of_numa_nodes) {
  const GraphSpec graph = import(
      "\tGPU0\tGPU1\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\nGPU0\t X \tNV2\t0-9\tN/A\t\tN/A\n"
      "GPU1\tNV2\t X \t0-9\tN/A\t\tN/A\n");
  EXPECT_EQ(names(graph, VertexKind::host).size(), 1U);
}

TEST(NvidiaSmi, affinity_joins_no_gpus_of_which_others_of_the_socket_are_far) {
  // GPU0 and GPU1 share a socket; GPU2 is far from GPU1, and hidden from GPU0.
  const GraphSpec graph = import(
      "\tGPU0\tGPU1\tGPU2\tCPU Affinity\nGPU0\t X \tNV2\tNV2\t0-9\nGPU1\tNV2\t X \tSYS\t0-9\n"
      "GPU2\tNV2\tSYS\t X \t0-9\n");
  EXPECT_EQ(names(graph, VertexKind::host).size(), 2U);
  EXPECT_TRUE(link(graph, "gpu1", "cpu0"));
  EXPECT_TRUE(link(graph, "gpu2", "cpu1"));
}

TEST(NvidiaSmi, cells_that_contradict_each_other_are_named) {
  // GPU0 and NIC0 are near, so are NIC0 and GPU1; GPU0 and NIC1 are not.
  const GraphSpec graph = import(
      "\tGPU0\tGPU1\tNIC0\tNIC1\tCPU Affinity\nGPU0\t X \tNV2\tPIX\tSYS\t0-9\nGPU1\tNV2\t X "
      "\tPIX\tPIX\t0-9\n");
  EXPECT_THAT(graph.warnings, Contains(HasSubstr("which put the two nearer together: GPU0-NIC1 SYS")));
}

TEST(NvidiaSmi, faults_are_shown_where_they_are) {
  const std::string text = data("smi_nvswitch.txt");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {replaced(text, "NV12", "NV0"), "topo.txt:2:10: 'NV0' between GPU0 and GPU1"},
      {replaced(text, "PXB", "PXBB"),
       "topo.txt:2:25: 'PXBB' between GPU0 and NIC0\n  hint: did you mean 'PXB'?"},
      {replaced(text, "NV12", "NV11"), "topo.txt:3:6: 'NV12' between GPU1 and GPU0, but something else"},
      {replaced(text, "NV12", "X"), "topo.txt:2:10: 'X' between GPU0 and GPU1"},
      {replaced(text, "PXB", "NV12"), "topo.txt:2:25: NVLink between GPU0 and NIC0"},
      {replaced(text, "GPU1\tNV12", "GPU0\tNV12"), "topo.txt:3:1: the row 'GPU0' is there twice"},
      {replaced(text, "GPU1", "GPU0"), "topo.txt:1:7: the column 'GPU0' is there twice"},
      {replaced(text, "NIC0: mlx5_0", "NIC0: mlx5_2"), "topo.txt:24:9: 'mlx5_2' in the NIC legend"},
      {text.substr(0, text.find("GPU3\tNV12")), "topo.txt:5:1: no row of GPU3"},
      {text.substr(0, text.find("NIC4\t", text.find("NIC3\tPXB"))), "topo.txt:10:1: no row of NIC4, NIC5"},
      {text.substr(0, text.find("PXB")), "topo.txt:2:20: the row of GPU0 ends after 4 cells"},
      {text.substr(0, 60), "topo.txt:"},
      {"", "topo.txt:1:1: no line has the columns GPU0 GPU1"},
      {"GPU0 X\n", "topo.txt:1:1: no line has the columns GPU0 GPU1"},
  };
  for (const auto& [broken, message] : cases) {
    EXPECT_THAT(error_of(broken), StartsWith(message)) << broken;
    EXPECT_THAT(error_of(broken), HasSubstr("\n  hint: "));
  }
}

/// Hops between two vertices over PCIe and the sockets.
std::size_t hops(const GraphSpec& graph, std::size_t from, std::size_t to) {
  std::map<std::size_t, std::size_t> distance = {{from, 0}};
  std::queue<std::size_t> queue({from});
  for (; !queue.empty(); queue.pop()) {
    for (const GraphLink& l : graph.links) {
      for (const auto& [a, b] : {std::pair(l.a, l.b), std::pair(l.b, l.a)}) {
        if (l.kind != LinkKind::nvlink && a == queue.front() &&
            distance.try_emplace(b, distance[a] + 1).second) {
          queue.push(b);
        }
      }
    }
  }
  return distance.at(to);
}

/// A random tree of sockets, host bridges and switches with devices at its leaves, as a matrix.
struct RandomMachine {
  std::vector<std::string> names;
  std::vector<std::array<std::uint64_t, 4>> places;  ///< socket, host bridge, upper and lower switch

  explicit RandomMachine(std::uint64_t seed) {
    Random random(seed);
    const std::uint64_t gpus = 1 + random.below(6);
    const std::uint64_t nics = random.below(6);
    for (std::uint64_t d = 0; d < gpus + nics; ++d) {
      names.push_back(d < gpus ? "GPU" + std::to_string(d) : "mlx5_" + std::to_string(d - gpus));
      places.push_back({random.below(2), random.below(2), random.below(2), random.below(2)});
    }
  }

  /// 0 PIX to 4 SYS.
  [[nodiscard]] std::size_t distance(std::size_t a, std::size_t b) const {
    for (std::size_t level = 0; level < 4; ++level) {
      if (places[a][level] != places[b][level]) {
        return 4 - level;
      }
    }
    return 0;
  }

  [[nodiscard]] std::string text() const {
    std::string result;
    for (const std::string& name : names) {
      result += "\t" + name;
    }
    for (std::size_t a = 0; a < names.size(); ++a) {
      result += "\n" + names[a];
      for (std::size_t b = 0; b < names.size(); ++b) {
        const char* const kCells[] = {"PIX", "PXB", "PHB", "NODE", "SYS"};
        result += std::string("\t") + (a == b ? " X " : kCells[distance(a, b)]);
      }
    }
    return result + "\n";
  }
};

TEST(NvidiaSmi, a_shorter_distance_is_a_shorter_way_in_any_tree) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const RandomMachine machine(seed);
    const GraphSpec graph = import(machine.text());
    EXPECT_THAT(graph.warnings, Each(Not(HasSubstr("contradict")))) << machine.text();
    std::map<std::string, std::size_t> device;
    for (std::size_t d = 0; d < machine.names.size(); ++d) {
      const std::string& name = machine.names[d];
      device[name.starts_with("GPU") ? "gpu" + name.substr(3) : name] = d;
    }
    for (std::size_t gpu = 0; gpu < graph.vertices.size(); ++gpu) {
      if (graph.vertices[gpu].kind != VertexKind::gpu) {
        continue;
      }
      std::map<std::size_t, std::size_t> hops_at;  // by distance
      for (std::size_t nic = 0; nic < graph.vertices.size(); ++nic) {
        if (graph.vertices[nic].kind == VertexKind::nic) {
          const std::size_t far =
              machine.distance(device[graph.vertices[gpu].name], device[graph.vertices[nic].name]);
          const auto [known, added] = hops_at.try_emplace(far, hops(graph, gpu, nic));
          EXPECT_EQ(known->second, hops(graph, gpu, nic)) << machine.text();
        }
      }
      for (auto at = hops_at.begin(); at != hops_at.end() && std::next(at) != hops_at.end(); ++at) {
        EXPECT_LT(at->second, std::next(at)->second) << machine.text();
      }
    }
  }
}

}  // namespace
}  // namespace makespan
