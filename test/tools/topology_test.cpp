#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <set>
#include <string>
#include <vector>

#include "network/fabrics.h"
#include "test/tools/cli_fixture.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

std::string topology(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "topology");
  const Outcome outcome = call(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.out;
}

const std::string kSlurm =
    "SwitchName=leaf0 Nodes=node[0-1]\n"
    "SwitchName=leaf1 Nodes=node[2-3]\n"
    "SwitchName=spine Switches=leaf[0-1]\n";

const std::string kSmi =
    "\tGPU0\tGPU1\tNIC0\tCPU Affinity\tNUMA Affinity\n"
    "GPU0\t X \tNV12\tPIX\t0-31\t0\n"
    "GPU1\tNV12\t X \tPIX\t0-31\t0\n"
    "NIC0\tPIX\tPIX\t X \t\t\n"
    "\n"
    "NIC Legend:\n"
    "\n"
    "  NIC0: mlx5_0\n";

const std::string kTopograph =
    "switches:\n"
    "  spine: {switches: [leaf0, leaf1]}\n"
    "blocks:\n"
    "- {switch: leaf0, nodes: ['n[1-2]'], annotations: {example/domain: rack0}}\n"
    "- {switch: leaf1, nodes: ['n[3-4]'], annotations: {example/domain: rack1}}\n";

TEST(TopologyCommand, CountsAndMeasuresASuperPod) {
  // 64 nodes are 2 scalable units of 32: 16 leaves, 8 spines of 64 ports (DGX SuperPOD reference
  // architecture); half of the NICs carry the bisection.
  const json pod = json::parse(
      topology({"dgx-h100", "--nodes", "64", "--set", "cluster.fabric.radix=64", "--format", "json"}));
  EXPECT_EQ(pod["schema"], "makespan.topology/1");
  EXPECT_EQ(pod["gpus"], 512);
  EXPECT_EQ(pod["nodes"], 64);
  EXPECT_EQ(pod["nics"], 512);
  EXPECT_EQ(pod["switches"]["leaf"], 16);
  EXPECT_EQ(pod["switches"]["spine"], 8);
  EXPECT_EQ(pod["cables"]["nic"], 512);
  EXPECT_EQ(pod["cables"]["leaf-spine"], 512);
  const double nic = find_node("dgx-h100").nic;
  EXPECT_NEAR(pod["bisection_bytes_per_s"], 256 * nic, 1e-6 * 256 * nic);
  EXPECT_EQ(pod["diameter"]["switches"], 2);
  EXPECT_EQ(pod["tiers"][0]["name"], "leaf");
  EXPECT_NEAR(pod["tiers"][0]["oversubscription"], 1, 1e-9);
  EXPECT_EQ(pod["vertices"].size(), 64U * (8 + 8 + 1) + 16 + 1);  // the spines are one vertex
  EXPECT_EQ(pod["links"].size(), 2U * (64 * 8 * 3 + 16));
}

TEST(TopologyCommand, ShowsTheOversubscriptionOfEveryTier) {
  const json tree = json::parse(topology(
      {"dgx-h100", "--nodes", "64", "--set", "cluster.fabric.oversubscription=4", "--format", "json"}));
  EXPECT_NEAR(tree["tiers"][0]["oversubscription"], 4, 1e-9);
  const double nic = find_node("dgx-h100").nic;
  EXPECT_NEAR(tree["bisection_bytes_per_s"], 256 * nic / 4, 1e-6 * 256 * nic);
}

TEST(TopologyCommand, PrintsWhatPeopleAskFor) {
  EXPECT_THAT(
      topology({"dgx-h100-64"}),
      AllOf(HasSubstr("8 nodes of dgx-h100 (dgx-h100-64), rail-fat-tree"), HasSubstr("GPUs        64"),
            HasSubstr("switches    8 (8 leaf)"), HasSubstr("bisection"), HasSubstr("diameter"),
            HasSubstr("routing     ideal"), HasSubstr("nvlink"), HasSubstr("oversubscription")));
  EXPECT_THAT(topology({"llama3-8b-64xh100"}), HasSubstr("8 nodes of dgx-h100"));  // a scenario
}

TEST(TopologyCommand, TellsWhatIsGivenFromWhatIsUsual) {
  const std::string gpus =
      "node: dgx-h100\n"
      "topology:\n"
      "  graph:\n"
      "    vertices:\n"
      "    - {name: GPU0, kind: gpu, node: a}\n"
      "    - {name: GPU1, kind: gpu, node: b}\n"
      "    - {name: nic0, kind: nic, node: a}\n"
      "    - {name: nic1, kind: nic, node: b}\n"
      "    - {name: leaf, kind: switch}\n"
      "    links:\n"
      "    - {ends: [GPU0, nic0], kind: pcie, bandwidth: 50 GB/s}\n"
      "    - {ends: [GPU1, nic1], kind: pcie, bandwidth: 50 GB/s}\n"
      "    - {ends: [nic0, leaf], kind: nic, bandwidth: 50 GB/s}\n"
      "    - {ends: [nic1, leaf], kind: nic, bandwidth: 50 GB/s}\n";
  const TemporaryFolder folder;
  const std::string file = folder.file("pair.yaml", gpus);
  EXPECT_THAT(topology({file}), HasSubstr("2 nodes of dgx-h100, fabric as given"))
      << "the names of its GPUs do not make it a matrix of nvidia-smi";
  const Outcome table = call({"collective", "all-reduce", "--cluster", file, "--sizes", "1MiB"});
  EXPECT_THAT(table.out, HasSubstr("2 ranks on 2 nodes of dgx-h100 (pair)"));
  EXPECT_THAT(topology({"tpu-v4", "--set", "cluster.fabric={kind: torus, dimensions: [4, 4]}"}),
              HasSubstr("16 nodes of tpu-v4, torus"));
}

TEST(TopologyCommand, NamesKeysThatChangeNothing) {
  const Outcome tree = call({"topology", "dgx-h100", "--nodes", "64", "--set", "cluster.fabric.groups=4"});
  EXPECT_EQ(tree.code, 0);
  EXPECT_THAT(tree.err,
              HasSubstr("cluster.fabric.groups: has no effect: a fabric of kind rail-fat-tree has none"));
  const Outcome table = call({"collective", "all-reduce", "--cluster", "dgx-h100", "--nodes", "64", "--sizes",
                              "1MiB", "--set", "cluster.fabric={kind: dragonfly, oversubscription: 2}"});
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.err, HasSubstr("cluster.fabric.oversubscription: has no effect"));
}

TEST(TopologyCommand, DrawsEveryKindOfFabric) {
  const std::vector<std::vector<std::string>> all = {
      {"dgx-h100"},
      {"dgx-1v"},
      {"mi300x-8"},
      {"gb200-nvl72", "--nodes", "4"},
      {"dgx-h100", "--nodes", "100"},
      {"dgx-h100", "--nodes", "1024", "--set", "cluster.fabric.radix=64"},
      {"dgx-h100", "--nodes", "40", "--set", "cluster.fabric.routing=ecmp"},
      {"dgx-a100-80gb", "--nodes", "40", "--set", "cluster.fabric.kind=fat-tree"},
      {"hpn-h800", "--nodes", "256"},
      {"perlmutter-gpu", "--nodes", "512", "--set", "cluster.fabric.kind=dragonfly"},
      {"perlmutter-gpu", "--nodes", "512", "--set", "cluster.fabric.kind=dragonfly-plus"},
      {"dgx-h100", "--nodes", "8", "--set", "cluster.fabric.kind=star"},
      {"tpu-v4", "--set", "cluster.fabric={kind: torus, dimensions: [4, 4, 4]}"},
  };
  for (std::vector<std::string> arguments : all) {
    const std::string what = testing::PrintToString(arguments);
    arguments.insert(arguments.end(), {"--format", "svg"});
    const std::string svg = topology(arguments);
    pugi::xml_document document;
    EXPECT_TRUE(document.load_string(svg.c_str())) << what;
    const pugi::xml_node root = document.child("svg");
    const double width = root.attribute("width").as_double();
    const double height = root.attribute("height").as_double();
    std::size_t lines = 0;
    for (const pugi::xml_node& node : root.children()) {
      lines += std::string(node.name()) == "path" ? 1U : 0U;
      if (std::string(node.name()) == "rect" && !node.attribute("x").empty()) {  // all within the page
        EXPECT_GE(node.attribute("x").as_double(), 0) << what;
        EXPECT_LE(node.attribute("x").as_double() + node.attribute("width").as_double(), width) << what;
        EXPECT_LE(node.attribute("y").as_double() + node.attribute("height").as_double(), height) << what;
      }
    }
    EXPECT_GT(lines, 0U) << what;
    EXPECT_LT(svg.size(), std::size_t{200'000}) << what;  // a drawing, however large the cluster
  }
}

TEST(TopologyCommand, SaysThatAdaptiveRoutingTakesDetoursInADragonflysGroup) {
  EXPECT_THAT(topology({"perlmutter"}), HasSubstr("95 % of the rate, and by detours within a group\n"));
  EXPECT_THAT(topology({"dgx-h100", "--nodes", "64", "--set", "cluster.fabric.routing=adaptive"}),
              HasSubstr("95 % of the rate\n"));
}

TEST(TopologyCommand, ReadsAClusterBelowItsKey) {
  const TemporaryFolder folder;
  const std::string file = folder.file("c.yaml", "cluster:\n  node: dgx-h100\n  nodes: 2\n");
  EXPECT_THAT(topology({file}), HasSubstr("2 nodes of dgx-h100"));
  EXPECT_THAT(topology({file, "--set", "cluster.nodes=3"}), HasSubstr("3 nodes of dgx-h100"));
}

TEST(TopologyCommand, DrawsEveryClassOfLinksInItsLegend) {
  for (const char* name : {"perlmutter", "meta-24k-roce", "alibaba-hpn", "superpod-h100"}) {
    const std::string svg = topology({name, "--format", "svg"});
    pugi::xml_document document;
    ASSERT_TRUE(document.load_string(svg.c_str()));
    std::set<std::string> drawn;
    std::set<std::string> named;
    for (const pugi::xml_node& node : document.child("svg").children()) {
      (std::string(node.name()) == "path" ? drawn : named).insert(node.attribute("stroke").value());
    }
    for (const std::string colour : {"#7a4b9a", "#0072b2", "#d55e00", "#8c8c8c", "#009e73"}) {
      EXPECT_TRUE(!named.contains(colour) || drawn.contains(colour)) << name << ' ' << colour;
    }
  }
}

TEST(TopologyCommand, JoinsAllSwitchesThatItDraws) {
  const std::string svg = topology({"meta-24k-roce", "--format", "svg"});
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(svg.c_str()));
  std::vector<std::string> ends;
  for (const pugi::xml_node& path : document.child("svg").children("path")) {
    ends.emplace_back(path.attribute("d").value());
  }
  std::map<double, std::size_t> switches;  // by height
  for (const pugi::xml_node& rect : document.child("svg").children("rect")) {
    if (std::string(rect.attribute("fill").value()) != "#33475b") {
      continue;
    }
    const double x = rect.attribute("x").as_double() + rect.attribute("width").as_double() / 2;
    const double y = rect.attribute("y").as_double() + rect.attribute("height").as_double() / 2;
    const std::string at = fmt::format("{:.1f} {:.1f}", x, y);
    const auto links = std::count_if(ends.begin(), ends.end(), [&](const std::string& d) {
      return d.starts_with("M" + at + " ") || d.ends_with("L" + at);
    });
    ++switches[y];
    EXPECT_GE(links, y < 200 ? 1 : 2) << at;  // spines and leaves have uplinks too
  }
  EXPECT_EQ(switches.size(), 3U);
}

TEST(TopologyCommand, CountsWhatItLeavesOutOfADrawing) {
  EXPECT_THAT(topology({"perlmutter", "--format", "svg"}),
              HasSubstr("32 leaf switches (8 shown), 128 nodes"));
  const std::string rack = topology({"gb200-nvl72-pod", "--format", "svg"});
  EXPECT_THAT(rack, HasSubstr("72 leaf switches (16 shown)"));
  EXPECT_THAT(rack, HasSubstr("node 0: 16 of 72 NICs, 16 of 72 GPUs"));
  const std::string torus = topology({"tpu-v4-8x8x8", "--format", "svg"});
  EXPECT_THAT(torus, HasSubstr("drawn are 4 × 4 × 4 at one corner, without the links that close longer rings"));
  EXPECT_THAT(torus, HasSubstr("512 chips<"));
}

TEST(TopologyCommand, EscapesNamesInDrawings) {
  const TemporaryFolder folder;
  const std::string svg = topology({folder.file("a<b>&\".txt", kSmi), "--format", "svg"});
  pugi::xml_document document;
  EXPECT_TRUE(document.load_string(svg.c_str()));
  EXPECT_THAT(std::string(document.child("svg").child_value("title")), HasSubstr("a<b>&\".txt"));
}

TEST(TopologyCommand, WritesGraphsForGraphviz) {
  const std::string dot = topology({"dgx-h100", "--nodes", "2", "--format", "dot"});
  EXPECT_THAT(dot, AllOf(HasSubstr("graph"), HasSubstr("n0.gpu0"), HasSubstr("u0.leaf0")));
  // Of many GPUs, what is alike becomes one vertex.
  EXPECT_LT(topology({"dgx-h100", "--nodes", "512", "--format", "dot"}).size(), std::size_t{200'000});
}

TEST(TopologyCommand, RecognisesDumpsByWhatIsInThem) {
  const TemporaryFolder folder;
  EXPECT_THAT(topology({folder.file("topo.txt", kSmi)}),
              AllOf(HasSubstr("(nvidia-smi)"), HasSubstr("GPUs        2"), HasSubstr("NICs        1")));
  EXPECT_THAT(topology({folder.file("topology.conf", kSlurm), "--node", "dgx-h100"}),
              AllOf(HasSubstr("(slurm) with nodes of dgx-h100"), HasSubstr("GPUs        32"),
                    HasSubstr("switches    3 (2 leaf, 1 spine)")));
  EXPECT_THAT(topology({folder.file("topology.conf", kSlurm)}),
              AllOf(HasSubstr("hosts       4"), HasSubstr("switches    3 (2 leaf, 1 spine)"),
                    HasSubstr("bisection   unknown: there are no rates"),
                    HasSubstr("diameter    6 links from host to host, 2 from switch to switch")));
  EXPECT_THAT(topology({folder.file("model.yaml", kTopograph)}),
              AllOf(HasSubstr("(topograph)"), HasSubstr("hosts       4"), HasSubstr("domains     2"),
                    HasSubstr("switches    3 (2 leaf, 1 spine)")));
  EXPECT_THAT(topology({folder.file("net.yml",
                                    "topology: [ Ring ]\nnpus_count: [ 8 ]\nbandwidth: [ 50 ]\n"
                                    "latency: [ 500 ]\n")}),
              AllOf(HasSubstr("(astra-sim)"), HasSubstr("GPUs        8")));
  EXPECT_THAT(topology({folder.file("cluster.yaml", "node: dgx-h100\nnodes: 2\n")}),
              HasSubstr("GPUs        16"));
}

TEST(TopologyCommand, BuildsClustersOfADumpedNode) {
  const TemporaryFolder folder;
  const std::string file = folder.file("topo.txt", kSmi);
  EXPECT_THAT(topology({file, "--node", "dgx-a100-80gb", "--nodes", "4"}), HasSubstr("GPUs        8"));
}

TEST(TopologyCommand, IsRefusedWithTheReason) {
  const TemporaryFolder folder;
  const std::string smi = folder.file("topo.txt", kSmi);

  struct Refusal {
    std::vector<std::string> arguments;
    std::string reason;
  };

  const std::vector<Refusal> refusals = {
      {{"dgx-h10"}, "dgx-h10"},
      {{"dgx-h100", "--node", "dgx-h100"}, "--node: is for files"},
      {{"dgx-h100", "--kind", "slurm"}, "--kind: is for files"},
      {{folder.file("t.conf", kSlurm), "--nodes", "2"}, "--set: changes nothing"},
      {{folder.file("t.conf", kSlurm), "--node", "dgx-h10"}, "dgx-h10"},
      {{smi, "--nodes", "4"}, "--set: changes nothing"},
      {{smi, "--kind", "nccl-xml"}, "topo.txt"},
      {{folder.file("c.yaml", "node: dgx-h100\n"), "--node", "dgx-h100"}, "YAML names its node itself"},
      {{folder.file("c.yaml", "node: dgx-h100\nnods: 3\n")}, "c.yaml:2:1: cluster.nods"},
      {{"dgx-h100", "--format", "png"}, "unknown value 'png'"},
  };
  for (Refusal refusal : refusals) {
    refusal.arguments.insert(refusal.arguments.begin(), "topology");
    const Outcome outcome = call(refusal.arguments);
    EXPECT_EQ(outcome.code, 2) << refusal.reason;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr(refusal.reason));
  }
}

TEST(TopologyCommand, LoadsEveryPublishedSample) {
  const std::filesystem::path folder = MAKESPAN_SOURCE_DIR "/../shared/data/topologies";
  if (!std::filesystem::exists(folder)) {
    GTEST_SKIP() << "the published samples are not here";
  }
  std::size_t loaded = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_regular_file() || name == "README.md") {
      continue;
    }
    for (const std::string format : {"text", "json", "dot", "svg"}) {
      const Outcome outcome = call({"topology", entry.path().string(), "--format", format});
      EXPECT_EQ(outcome.code, 0) << entry.path() << ' ' << format << '\n' << outcome.err;
    }
    const Outcome outcome = call({"topology", entry.path().string()});
    loaded += outcome.code == 0 ? 1 : 0;
  }
  EXPECT_GT(loaded, 10U);
}

}  // namespace
}  // namespace makespan
