#include <algorithm>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <set>

#include "core/error.h"
#include "network/fabrics.h"
#include "network/routing.h"

namespace makespan {
namespace {

using testing::HasSubstr;

/// One node whose NICs are on a switch, where it has any.
Topology single(const NodeSpec& node) {
  return build_cluster(node, 1, {.kind = node.nics > 0 ? "star" : "none"});
}

std::vector<std::string> names(const Topology& topology, const Path& path) {
  std::vector<std::string> result;
  for (const Use& use : path.uses) {
    result.push_back(link_name(topology, use.resource));
  }
  return result;
}

double rate(const Topology& topology, const Path& path) {
  double least = std::numeric_limits<double>::infinity();
  for (const Use& use : path.uses) {
    least = std::min(least, bytes_per_second(topology.link(use.resource).capacity));
  }
  return least;
}

TEST(Nodes, AreListedByNameWithASource) {
  const std::vector<NodeSpec>& nodes = node_specs();
  EXPECT_TRUE(std::is_sorted(nodes.begin(), nodes.end(),
                             [](const NodeSpec& a, const NodeSpec& b) { return a.name < b.name; }));
  for (const NodeSpec& node : nodes) {
    SCOPED_TRACE(node.name);
    EXPECT_EQ(&find_node(node.name), &node);
    EXPECT_FALSE(node.accelerator.empty());
    EXPECT_FALSE(node.source.empty());
  }
}

TEST(Nodes, ReachEveryGpuOfTheirsAndANic) {
  for (const NodeSpec& node : node_specs()) {
    SCOPED_TRACE(node.name);
    const Topology topology = single(node);
    ASSERT_EQ(topology.gpu_count(), static_cast<std::size_t>(node.gpus));
    ASSERT_EQ(topology.nics().size(), static_cast<std::size_t>(node.nics));
    Router router(topology);
    std::map<std::uint32_t, int> users;
    for (std::size_t a = 0; a < topology.gpu_count(); ++a) {
      for (std::size_t b = 0; b < topology.gpu_count(); ++b) {
        EXPECT_EQ(router.path(a, b).uses.empty(), a == b);
      }
      if (node.nics > 0) {
        ASSERT_NE(topology.gpus()[a].nic, kNoIndex);
        ++users[topology.gpus()[a].nic];
      }
    }
    // Every NIC serves as many GPUs as every other, in their order.
    for (const auto& [nic, count] : users) {
      EXPECT_EQ(count, node.gpus / node.nics);
      EXPECT_EQ(topology.gpus()[nic * static_cast<std::size_t>(count)].nic, nic);
    }
  }
}

TEST(Nodes, LeaveByTheNicAndNotByPcieAtTheSpeedOfTheNic) {
  for (const NodeSpec& node : node_specs()) {
    if (node.nics == 0) {
      continue;
    }
    SCOPED_TRACE(node.name);
    const Topology topology = build_cluster(node, 2, {.kind = "rail-fat-tree"});
    Router router(topology);
    for (std::size_t g = 0; g < static_cast<std::size_t>(node.gpus); ++g) {
      const std::size_t peer = g + static_cast<std::size_t>(node.gpus);
      EXPECT_DOUBLE_EQ(rate(topology, router.path(g, peer)), node.nic / node.nic_ports);
      EXPECT_EQ(router.exit_gpu(g, peer), g);
    }
  }
}

TEST(Mesh, JoinsEveryTwoGpusByALinkOfTheirOwn) {
  const NodeSpec& node = find_node("mi300x-8");
  const Topology topology = single(node);
  Router router(topology);
  std::set<ResourceId> seen;
  for (std::size_t a = 0; a < 8; ++a) {
    for (std::size_t b = 0; b < 8; ++b) {
      if (a != b) {
        const Path path = router.path(a, b);
        ASSERT_EQ(path.uses.size(), 1U);
        EXPECT_TRUE(seen.insert(path.uses[0].resource).second);
        EXPECT_DOUBLE_EQ(rate(topology, path), node.nvlink);
      }
    }
  }
}

TEST(Mesh, OfIslandsCrossesTheSockets) {
  const Topology topology = single(find_node("summit"));
  Router router(topology);
  EXPECT_EQ(names(topology, router.path(0, 2)), (std::vector<std::string>{"n0.gpu0->n0.gpu2"}));
  EXPECT_EQ(names(topology, router.path(1, 4)),
            (std::vector<std::string>{"n0.gpu1->n0.pcie0", "n0.pcie0->n0.cpu0", "n0.cpu0->n0.cpu1",
                                      "n0.cpu1->n0.pcie1", "n0.pcie1->n0.gpu4"}));
  EXPECT_DOUBLE_EQ(rate(topology, router.path(1, 4)), 32e9);  // the X bus
}

TEST(CubeMesh, HasTheLinksThatNvidiaSmiPrintsForADgx1) {
  // Bonded NVLinks between GPUs 0 to 7: NV1, NV2, and SYS where there is none.
  const std::vector<std::string> rows = {"x1122...", "1x21.2..", "12x2..1.", "212x...1",
                                         "2...x112", ".2..1x21", "..1.12x2", "...1212x"};
  const NodeSpec& node = find_node("dgx-1v");
  const Topology topology = single(node);
  Router router(topology);
  for (std::size_t a = 0; a < 8; ++a) {
    double total = 0;
    for (std::size_t b = 0; b < 8; ++b) {
      SCOPED_TRACE(std::to_string(a) + " to " + std::to_string(b));
      const char cell = rows[a][b];
      const Path path = router.path(a, b);
      if (cell == '1' || cell == '2') {
        EXPECT_EQ(path.uses.size(), 1U);
        EXPECT_DOUBLE_EQ(rate(topology, path), (cell - '0') * node.nvlink);
        EXPECT_EQ(topology.link(path.uses[0].resource).cables, static_cast<unsigned>(cell - '0'));
        total += rate(topology, path);
      } else if (cell == '.') {
        // Over a neighbour of both, and over the wider way where one is: 0 to 7 by 4, not by 3.
        EXPECT_EQ(path.uses.size(), 2U);
      }
    }
    EXPECT_DOUBLE_EQ(total, 6 * node.nvlink);
  }
  EXPECT_EQ(names(topology, router.path(0, 7)),
            (std::vector<std::string>{"n0.gpu0->n0.gpu4", "n0.gpu4->n0.gpu7"}));
}

TEST(CubeMesh, HasANicBelowTheSwitchOfEveryTwoGpus) {
  const Topology topology = build_cluster(find_node("dgx-1v"), 2);
  EXPECT_EQ(names(topology, Router(topology).path(5, 8 + 4)),
            (std::vector<std::string>{"n0.gpu5->n0.pcie2", "n0.pcie2->n0.nic2", "n0.nic2->u0.leaf2",
                                      "u0.leaf2->n1.nic2", "n1.nic2->n1.pcie2", "n1.pcie2->n1.gpu4"}));
}

NodeSpec pcie_server() {
  return {.name = "server",
          .accelerator = "a100-80gb",
          .gpus = 8,
          .wiring = Wiring::pcie,
          .pcie = 25e9,
          .gpus_per_switch = 2,
          .sockets = 2,
          .host = 16e9,
          .nics = 2,
          .nic = 23e9};
}

TEST(PcieTree, LeadsFromGpuToGpuByTheLeastCommonSwitchOrSocket) {
  const Topology topology = single(pcie_server());
  Router router(topology);
  EXPECT_EQ(names(topology, router.path(0, 1)),
            (std::vector<std::string>{"n0.gpu0->n0.pcie0", "n0.pcie0->n0.gpu1"}));
  EXPECT_EQ(names(topology, router.path(0, 2)),
            (std::vector<std::string>{"n0.gpu0->n0.pcie0", "n0.pcie0->n0.cpu0", "n0.cpu0->n0.pcie1",
                                      "n0.pcie1->n0.gpu2"}));
  EXPECT_EQ(router.path(0, 7).uses.size(), 5U);
  EXPECT_DOUBLE_EQ(rate(topology, router.path(0, 7)), 16e9);
}

TEST(PcieTree, GivesEveryGpuItsNearestNic) {
  const Topology topology = single(pcie_server());
  // NIC 0 is below switch 0 (GPUs 0 and 1), NIC 1 below switch 2 (GPUs 4 and 5); the others cross their
  // socket.
  std::vector<std::uint32_t> nics;
  for (const Gpu& gpu : topology.gpus()) {
    nics.push_back(gpu.nic);
  }
  EXPECT_EQ(nics, (std::vector<std::uint32_t>{0, 0, 0, 0, 1, 1, 1, 1}));
}

TEST(PcieTree, HandsOverToTheGpuOfTheReceiversRailOnlyWhereRailsAre) {
  const NodeSpec node = pcie_server();
  const Topology rails = build_cluster(node, 2);
  EXPECT_EQ(Router(rails).exit_gpu(0, 8 + 5), 5U);
  EXPECT_EQ(Router(rails).exit_gpu(0, 8 + 3), 0U);
  const Topology classic = build_cluster(node, 2, {.kind = "fat-tree"});
  EXPECT_EQ(Router(classic).exit_gpu(0, 8 + 5), 0U);
}

TEST(Nvl72, IsOneDomainOf72GpusWithANicEach) {
  const NodeSpec& node = find_node("gb200-nvl72");
  const Topology topology = build_cluster(node, 2);
  EXPECT_EQ(topology.node_count(), 2U);
  EXPECT_EQ(topology.gpu_count(), 144U);
  Router router(topology);
  EXPECT_EQ(router.path(0, 71).uses.size(), 2U);
  EXPECT_DOUBLE_EQ(rate(topology, router.path(0, 71)), node.nvlink);
  EXPECT_EQ(router.exit_gpu(3, 72 + 40), 40U);
}

std::string refusal(NodeSpec node, const std::function<void(NodeSpec&)>& change) {
  change(node);
  try {
    (void)node_graph(node);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Nodes, OutOfRangeAreRefused) {
  const NodeSpec& dgx = find_node("dgx-h100");
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(refusal(dgx, [](NodeSpec& n) { n.gpus = 0; }), HasSubstr("from 1 to 1024"));
  EXPECT_THAT(refusal(dgx, [](NodeSpec& n) { n.nics = 9; }), HasSubstr("at most one per GPU"));
  EXPECT_THAT(refusal(dgx, [](NodeSpec& n) { n.nic_ports = 0; }), HasSubstr("from 1 to 8"));
  EXPECT_THAT(refusal(dgx, [](NodeSpec& n) { n.nvlink = 0; }), HasSubstr("NVLink has no usable bandwidth"));
  EXPECT_THAT(refusal(dgx, [](NodeSpec& n) { n.nic = kNan; }), HasSubstr("a NIC has no usable bandwidth"));
  EXPECT_THAT(refusal(dgx, [](NodeSpec& n) { n.pcie = -1; }), HasSubstr("PCIe has no usable bandwidth"));
  EXPECT_THAT(refusal(pcie_server(), [](NodeSpec& n) { n.host = 0; }), HasSubstr("between sockets"));
  EXPECT_THAT(refusal(find_node("dgx-1v"), [](NodeSpec& n) { n.gpus = 6; }), HasSubstr("8 GPUs"));
  EXPECT_THAT(refusal(find_node("summit"), [](NodeSpec& n) { n.island = 4; }), HasSubstr("a divisor"));
  EXPECT_THAT(refusal(dgx,
                      [](NodeSpec& n) {
                        n.gpus_per_switch = 2;
                        n.nics = 2;
                      }),
              HasSubstr("a NIC per PCIe switch"));
}

}  // namespace
}  // namespace makespan
