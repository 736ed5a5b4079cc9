// What collectives put on links.

#include <algorithm>
#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <map>

#include "core/error.h"
#include "network/collective_group.h"
#include "test/network/collective_fixture.h"

namespace makespan {
namespace {

using test::bus_bandwidth;
using test::Cluster;
using test::first_gpus;
using test::of_every_node;
using test::pinned;

constexpr std::int64_t kMany = std::int64_t{1} << 36;  // bytes that make latency small
constexpr CollectiveKind kAllReduce = CollectiveKind::all_reduce;
constexpr CollectiveKind kAllGather = CollectiveKind::all_gather;
constexpr CollectiveKind kReduceScatter = CollectiveKind::reduce_scatter;

/// Bytes that cross a link.
double bytes_on(const TransferPlan& plan, ResourceId link) {
  for (const Use& use : plan.route.uses) {
    if (use.resource == link) {
      return static_cast<double>(plan.work.amount.count()) * use.weight / Use::kUnitWeight;
    }
  }
  return 0;
}

double nvlink_out(const Cluster& cluster, const TransferPlan& plan, std::size_t gpu) {
  return bytes_on(plan, cluster.topology.gpus()[gpu].nvlink.out);
}

double nvlink_in(const Cluster& cluster, const TransferPlan& plan, std::size_t gpu) {
  return bytes_on(plan, cluster.topology.gpus()[gpu].nvlink.in);
}

/// Bytes that the NIC next to `gpu` sends and receives.
double nic_out(const Cluster& cluster, const TransferPlan& plan, std::size_t gpu) {
  double sum = 0;
  for (const Port& port : cluster.topology.nics()[cluster.topology.gpus()[gpu].nic].ports) {
    sum += bytes_on(plan, port.out);
  }
  return sum;
}

double nic_in(const Cluster& cluster, const TransferPlan& plan, std::size_t gpu) {
  double sum = 0;
  for (const Port& port : cluster.topology.nics()[cluster.topology.gpus()[gpu].nic].ports) {
    sum += bytes_on(plan, port.in);
  }
  return sum;
}

TEST(Collective, OfOneMemberOrNoBytesIsNothing) {
  Cluster cluster(find_node("dgx-h100"), 1);
  EXPECT_EQ(cluster.planner.plan(kAllReduce, first_gpus(1), Bytes(1000)).transfer.work, TransferWork{});
  EXPECT_EQ(cluster.planner.plan(kAllReduce, first_gpus(8), Bytes(0)).transfer.work, TransferWork{});
  EXPECT_TRUE(cluster.planner.send(3, 3, Bytes(100)).route.uses.empty());
  const std::vector<Bytes> diagonal = {Bytes(5), Bytes(0), Bytes(0), Bytes(7)};
  EXPECT_TRUE(cluster.planner.all_to_all(first_gpus(2), diagonal).transfer.route.uses.empty());
}

// modelling of each algorithm as link loads: bytes per NIC and direction, and per GPU over NVLink, with
// payload S, n ranks, N nodes, g ranks per node, R NICs in use per node.

TEST(Ring, CarriesItsClosedFormOnEveryNicAndNvlink) {
  for (const int nodes : {2, 3, 4, 16}) {
    Cluster cluster(find_node("dgx-h100"), nodes);
    for (const std::size_t g : {1U, 2U, 4U, 8U}) {
      const std::vector<std::size_t> gpus = of_every_node(cluster.topology, g);
      const auto n = static_cast<double>(gpus.size());
      const auto S = static_cast<double>(kMany);
      for (const CollectiveKind kind : {kAllReduce, kAllGather, kReduceScatter}) {
        const double rounds = kind == kAllReduce ? 2 : 1;
        const TransferPlan plan =
            cluster.planner.plan(kind, gpus, Bytes(kMany), pinned(Algorithm::ring)).transfer;
        for (const std::size_t gpu : gpus) {
          const double per_nic = rounds * (n - 1) / n * S / static_cast<double>(g);
          EXPECT_NEAR(nic_out(cluster, plan, gpu) / per_nic, 1, 1e-9);
          EXPECT_NEAR(nic_in(cluster, plan, gpu) / per_nic, 1, 1e-9);
          const double passed_on = rounds * (n - 1) / n * S * (1 - 1 / static_cast<double>(g));
          EXPECT_NEAR(nvlink_out(cluster, plan, gpu), passed_on, 1e-9 * S);
          EXPECT_NEAR(nvlink_in(cluster, plan, gpu), passed_on, 1e-9 * S);
        }
      }
    }
  }
}

TEST(Ring, InANodeEveryMemberSendsAndReceivesOverNvlinkAlone) {
  Cluster cluster(find_node("dgx-a100-80gb"), 2);
  const std::vector<std::size_t> members = {1, 2, 5, 7};
  const TransferPlan plan =
      cluster.planner.plan(kAllReduce, members, Bytes(kMany), pinned(Algorithm::ring)).transfer;
  EXPECT_EQ(plan.route.uses.size(), 2 * members.size());
  for (const std::size_t gpu : members) {
    EXPECT_EQ(nvlink_out(cluster, plan, gpu), 2.0 * 3 / 4 * static_cast<double>(kMany));
    EXPECT_EQ(nvlink_in(cluster, plan, gpu), 2.0 * 3 / 4 * static_cast<double>(kMany));
  }
}

TEST(Ring, OfABroadcastOrReduceLeavesOutTheHopAtTheRoot) {
  Cluster cluster(find_node("dgx-h100"), 3);
  const std::vector<std::size_t> gpus = of_every_node(cluster.topology, 8);
  const auto share = static_cast<double>(kMany) / 8;
  const TransferPlan broadcast = cluster.planner.plan(CollectiveKind::broadcast, gpus, Bytes(kMany)).transfer;
  const TransferPlan reduce = cluster.planner.plan(CollectiveKind::reduce, gpus, Bytes(kMany)).transfer;
  for (std::size_t local = 0; local < 8; ++local) {
    // Node 0 holds the root; the way goes 0, 1, 2 when broadcasting and 1, 2, 0 when reducing.
    EXPECT_EQ(nic_in(cluster, broadcast, local), 0);
    EXPECT_EQ(nic_out(cluster, broadcast, local), share);
    EXPECT_EQ(nic_out(cluster, broadcast, 16 + local), 0);
    EXPECT_EQ(nic_in(cluster, reduce, local), share);
    EXPECT_EQ(nic_out(cluster, reduce, local), 0);
    EXPECT_EQ(nic_in(cluster, reduce, 8 + local), 0);
  }
  const TransferPlan inside =
      cluster.planner.plan(CollectiveKind::broadcast, first_gpus(8), Bytes(kMany)).transfer;
  EXPECT_EQ(nvlink_in(cluster, inside, 0), 0);
  EXPECT_EQ(nvlink_out(cluster, inside, 7), 0);
  EXPECT_EQ(nvlink_out(cluster, inside, 0), static_cast<double>(kMany));
}

TEST(Ring, ReachesTheBandwidthOfItsLinks) {
  for (const char* name : {"dgx-a100-80gb", "dgx-h100", "dgx-b200"}) {
    for (const int nodes : {1, 2, 4, 16}) {
      Cluster cluster(find_node(name), nodes);
      const NodeSpec& node = cluster.node;
      const double limit = nodes == 1 ? node.nvlink : std::min(8 * node.nic, node.nvlink / (1 - 1.0 / 8));
      EXPECT_NEAR(bus_bandwidth(cluster, kAllReduce, of_every_node(cluster.topology, 8),
                                std::int64_t{1} << 42, pinned(Algorithm::ring)) /
                      limit,
                  1.0, 2e-3)
          << name << ' ' << nodes;
    }
  }
}

TEST(Ring, WithUnevenMembersHasAsManyRingsAsTheNodeWithFewest) {
  Cluster cluster(find_node("dgx-h100"), 2);
  const std::vector<std::size_t> gpus = {0, 1, 2, 8, 9};
  const TransferPlan plan =
      cluster.planner.plan(kAllGather, gpus, Bytes(kMany), pinned(Algorithm::ring)).transfer;
  const double ring = 4.0 / 5 * static_cast<double>(kMany) / 2;
  EXPECT_NEAR(nic_out(cluster, plan, 0) / ring, 1, 1e-9);
  EXPECT_EQ(nic_out(cluster, plan, 2), 0);
  EXPECT_NEAR(nvlink_out(cluster, plan, 2) / (2 * ring * 2 / 3), 1, 1e-3);  // weights are 1/1024
  EXPECT_NEAR(nvlink_out(cluster, plan, 8) / (2 * ring * 1 / 2), 1, 1e-9);
}

TEST(Ring, ConcurrentGroupsOfOneRankPerNodeUseSeparateLinks) {
  Cluster cluster(find_node("dgx-h100"), 64);
  std::map<ResourceId, int> users;
  for (std::size_t local = 0; local < 8; ++local) {
    std::vector<std::size_t> gpus;
    for (std::size_t node = 0; node < 64; ++node) {
      gpus.push_back(8 * node + local);
    }
    const TransferPlan plan =
        cluster.planner.plan(kAllReduce, gpus, Bytes(kMany), pinned(Algorithm::ring)).transfer;
    for (const Use& use : plan.route.uses) {
      const LinkKind kind = cluster.topology.link(use.resource).kind;
      if (kind == LinkKind::nic || kind == LinkKind::pcie) {
        EXPECT_EQ(use.weight, Use::kUnitWeight);
        ++users[use.resource];
      }
    }
  }
  EXPECT_TRUE(std::all_of(users.begin(), users.end(), [](const auto& user) { return user.second == 1; }));
}

TEST(Ring, LoadsTrunksWithEveryHopThatLeavesAUnit) {
  Cluster cluster(find_node("dgx-a100-80gb"), 40, {.oversubscription = 20.0, .unit = 20});
  std::vector<std::size_t> in_turns;
  for (std::size_t node = 0; node < 20; ++node) {
    for (const std::size_t unit : {0U, 1U}) {
      for (std::size_t local = 0; local < 8; ++local) {
        in_turns.push_back(8 * (20 * unit + node) + local);
      }
    }
  }
  const std::vector<std::size_t> in_order = of_every_node(cluster.topology, 8);
  const double nics = 8 * cluster.node.nic;
  // In order each ring leaves a unit once, in turns at every node; a trunk carries what one NIC does.
  EXPECT_NEAR(bus_bandwidth(cluster, kAllReduce, in_order, kMany * 64, pinned(Algorithm::ring)) / nics, 1.0,
              0.01);
  EXPECT_NEAR(bus_bandwidth(cluster, kAllReduce, in_turns, kMany * 64, pinned(Algorithm::ring)) / (nics / 20),
              1.0, 0.01);
}

TEST(Mesh, OfMi300xReachesWhatIsPublishedOnTwoAndOnEightGpus) {
  // ml-engineering, network: all-reduce 47.7 GB/s on 2 GPUs, 312.9 GB/s on 8.
  Cluster cluster(find_node("mi300x-8"), 1);
  const std::int64_t large = std::int64_t{16} << 30;
  EXPECT_NEAR(bus_bandwidth(cluster, kAllReduce, first_gpus(2), large) / 47.7e9, 1.0, 0.02);
  EXPECT_NEAR(bus_bandwidth(cluster, kAllReduce, first_gpus(8), large) / 312.9e9, 1.0, 0.02);
}

TEST(Mesh, IsLoadedEvenlyByRings) {
  Cluster cluster(find_node("mi300x-8"), 1);
  const TransferPlan plan =
      cluster.planner.plan(kAllReduce, first_gpus(8), Bytes(kMany), pinned(Algorithm::ring)).transfer;
  ASSERT_EQ(plan.route.uses.size(), 8U * 7U);
  for (const Use& use : plan.route.uses) {
    EXPECT_EQ(bytes_on(plan, use.resource), 2.0 / 8 * static_cast<double>(kMany));  // of 2 (n - 1) / n over 7
  }
}

TEST(Mesh, WithMissingLinksGetsTheRingsThatASearchFinds) {
  // DGX-1V: 6 NVLinks of 20 GB/s per GPU, all of which rings over 8 GPUs can use.
  Cluster cluster(find_node("dgx-1v"), 1);
  const double reached =
      bus_bandwidth(cluster, kAllReduce, first_gpus(8), std::int64_t{1} << 40, pinned(Algorithm::ring));
  EXPECT_NEAR(reached / (6 * cluster.node.nvlink), 1.0, 0.05);
}

TEST(Tree, OfNcclHasEveryNodeInnerInOneAndLeafInTheOtherAtMost) {
  for (std::size_t nodes = 2; nodes < 130; ++nodes) {
    const auto [first, second] = double_binary_tree(nodes);
    for (const std::vector<int>& tree : {first, second}) {
      std::vector<int> children(nodes, 0);
      EXPECT_EQ(std::count(tree.begin(), tree.end(), -1), 1);
      for (std::size_t node = 0; node < nodes; ++node) {
        std::size_t at = node;
        std::size_t depth = 0;
        while (tree[at] >= 0) {
          at = static_cast<std::size_t>(tree[at]);
          ++depth;
          ASSERT_LE(depth, std::bit_width(nodes));
        }
        if (tree[node] >= 0) {
          ++children[static_cast<std::size_t>(tree[node])];
        }
      }
      EXPECT_LE(*std::max_element(children.begin(), children.end()), 2);
    }
    for (std::size_t node = 0; node < nodes; ++node) {
      const auto neighbours = [&](const std::vector<int>& tree) {
        return std::count(tree.begin(), tree.end(), static_cast<int>(node)) + (tree[node] >= 0 ? 1 : 0);
      };
      EXPECT_LE(neighbours(first) + neighbours(second), 4) << nodes << ' ' << node;
    }
  }
}

/// The most that NICs send, in S / R.
double busiest_nic(const Cluster& cluster, const TransferPlan& plan) {
  double most = 0;
  for (std::size_t gpu = 0; gpu < cluster.topology.gpu_count(); ++gpu) {
    most = std::max(most, nic_out(cluster, plan, gpu));
  }
  return most / (static_cast<double>(kMany) / 8);
}

TEST(Tree, SendsTwiceTheBufferThroughTheNicsOfAnInnerNodeAndLessOnFewNodes) {
  for (const auto& [nodes, buffers] : std::map<int, double>{{2, 1}, {3, 1.5}, {4, 2}, {7, 2}, {32, 2}}) {
    Cluster cluster(find_node("dgx-h100"), nodes);
    const std::vector<std::size_t> gpus = of_every_node(cluster.topology, 8);
    for (const Algorithm algorithm : {Algorithm::tree, Algorithm::nvls_tree}) {
      const TransferPlan plan =
          cluster.planner.plan(kAllReduce, gpus, Bytes(kMany), pinned(algorithm)).transfer;
      EXPECT_EQ(busiest_nic(cluster, plan), buffers) << nodes;
      const auto S = static_cast<double>(kMany);
      const double inside = algorithm == Algorithm::tree ? 2 * S * 7 / 8 : S * (1 + 1.0 / 8);
      for (const std::size_t gpu : gpus) {
        EXPECT_EQ(nvlink_out(cluster, plan, gpu), inside);
        EXPECT_EQ(nvlink_in(cluster, plan, gpu), inside);
      }
    }
  }
}

TEST(Tree, ReachesNinetyTwoPercentOfTheBusBandwidth) {
  Cluster cluster(find_node("dgx-h100"), 16);
  const double S = std::ldexp(1.0, 42);
  const TransferPlan plan = cluster.planner
                                .plan(kAllReduce, of_every_node(cluster.topology, 8),
                                      Bytes(std::int64_t{1} << 42), pinned(Algorithm::tree))
                                .transfer;
  // algbw = 0.92 R B / 2, and NCCL's correction of trees ends at 0.9.
  EXPECT_NEAR(S / seconds(cluster.planner.alone(plan)) / (0.92 * 0.9 * 8 * cluster.node.nic / 2), 1.0, 1e-3);
}

TEST(Nvls, MovesTheBufferAndAnNthOfItThroughEveryGpuAndReachesItsPublishedLaw) {
  // 2 (n - 1) / (n + 1) x B: on 5 to 8 H200 305 GB/s, on 6 to 8 B200 541 GB/s.
  for (const char* name : {"dgx-h200", "dgx-b200"}) {
    Cluster cluster(find_node(name), 1);
    for (std::size_t n = 3; n <= 8; ++n) {
      const TransferPlan plan =
          cluster.planner.plan(kAllReduce, first_gpus(n), Bytes(kMany), pinned(Algorithm::nvls)).transfer;
      const double ranks = static_cast<double>(n);
      EXPECT_NEAR(nvlink_out(cluster, plan, n - 1) / (static_cast<double>(kMany) * (1 + 1 / ranks)), 1, 1e-9);
      EXPECT_NEAR(
          bus_bandwidth(cluster, kAllReduce, first_gpus(n), std::int64_t{1} << 40, pinned(Algorithm::nvls)) /
              (2 * (ranks - 1) / (ranks + 1) * cluster.node.nvls),
          1, 1e-3);
    }
  }
}

TEST(Collnet, SendsTheBufferOnceUpAndOnceDownWhateverTheNodes) {
  for (const int nodes : {2, 4, 16}) {
    Cluster cluster(find_node("dgx-h100"), nodes, {.unit = 4});
    const std::vector<std::size_t> gpus = of_every_node(cluster.topology, 8);
    const TransferPlan plan =
        cluster.planner.plan(kAllReduce, gpus, Bytes(kMany), pinned(Algorithm::collnet)).transfer;
    for (const std::size_t gpu : gpus) {
      EXPECT_EQ(nic_out(cluster, plan, gpu), static_cast<double>(kMany) / 8);
      EXPECT_EQ(nic_in(cluster, plan, gpu), static_cast<double>(kMany) / 8);
    }
    // Leaves send one merged stream each: rail by rail, from the units without the root to its, and back.
    double up = 0;
    for (std::size_t i = 0; i < cluster.topology.links().size(); ++i) {
      if (cluster.topology.link(ResourceId(i)).kind == LinkKind::leaf_spine) {
        up += bytes_on(plan, ResourceId(i));
      }
    }
    const double units = std::ceil(nodes / 4.0);
    EXPECT_NEAR(up, units > 1 ? 2 * units * static_cast<double>(kMany) : 0,
                1e-6 * static_cast<double>(kMany));
  }
}

/// Four GPUs, two to an NVSwitch, with a link of `between` bytes per second that joins the switches.
Topology two_nvswitches(double between) {
  GraphSpec graph;
  for (const char* name : {"gpu0", "gpu1", "gpu2", "gpu3"}) {
    graph.vertices.push_back({.name = name, .kind = VertexKind::gpu, .node = "node"});
  }
  for (const std::size_t half : {0U, 1U}) {
    graph.vertices.push_back({.name = "switch", .kind = VertexKind::nvswitch, .node = "node"});
    for (const std::size_t gpu : {2 * half, 2 * half + 1}) {
      graph.links.push_back({.a = gpu, .b = 4 + half, .bandwidth = 100e9});
    }
  }
  graph.links.push_back({.a = 4, .b = 5, .bandwidth = between});
  return build_graph(graph, {});
}

TEST(TwoNvswitches, OfANodeReduceNothingTogetherAndShareTheLinkBetweenThem) {
  const Topology topology = two_nvswitches(10e9);
  NcclOptions options = nccl_options(find_node("dgx-h100"));
  CollectivePlanner planner(topology, options);
  const std::vector<std::size_t> gpus = {0, 1, 2, 3};
  EXPECT_THROW((void)planner.plan(kAllReduce, gpus, Bytes(kMany), pinned(Algorithm::nvls)), InputError);
  // A ring crosses the link once each way.
  const TransferPlan plan = planner.plan(kAllReduce, gpus, Bytes(kMany)).transfer;
  const double least = 2 * 3.0 / 4 * static_cast<double>(kMany) / 10e9;
  EXPECT_NEAR(seconds(planner.alone(plan)) / least, 1, 1e-3);
}

TEST(BrokenNvlink, IsGoneAroundOverPcieInEveryAlgorithm) {
  NodeSpec node = find_node("dgx-a100-80gb");
  node.host = 20e9;  // sockets that are joined
  Topology topology = build_cluster(node, 2);
  const Port port = topology.gpus()[0].nvlink;
  topology.set_capacity(port.out, Rate(0));
  topology.set_capacity(port.in, Rate(0));
  CollectivePlanner planner(topology, nccl_options(node));
  const std::vector<std::size_t> gpus = of_every_node(topology, 8);
  for (const Algorithm algorithm : {Algorithm::ring, Algorithm::tree, Algorithm::hierarchical,
                                    Algorithm::collnet, Algorithm::direct, Algorithm::halving_doubling}) {
    const TransferPlan plan = planner.plan(kAllReduce, gpus, Bytes(1 << 30), pinned(algorithm)).transfer;
    EXPECT_EQ(bytes_on(plan, port.out), 0) << to_string(algorithm);
    EXPECT_GT(planner.alone(plan), Time(0)) << to_string(algorithm);
  }
}

TEST(Hierarchical, SplitsWhatGoesBetweenNodesOverTheRanksOfANode) {
  Cluster cluster(find_node("dgx-b200"), 4);
  const std::vector<std::size_t> gpus = of_every_node(cluster.topology, 8);
  const auto S = static_cast<double>(kMany);
  for (const CollectiveKind kind : {kAllReduce, kAllGather, kReduceScatter}) {
    const double rounds = kind == kAllReduce ? 2 : 1;
    const TransferPlan plan =
        cluster.planner.plan(kind, gpus, Bytes(kMany), pinned(Algorithm::hierarchical)).transfer;
    for (const std::size_t gpu : gpus) {
      EXPECT_NEAR(nic_out(cluster, plan, gpu) / (rounds * 3 / 4 * S / 8), 1, 1e-9);
      EXPECT_NEAR(nvlink_out(cluster, plan, gpu) / (rounds * 7 / 8 * S), 1, 1e-3);  // weights are 1/1024
    }
  }
}

TEST(Pat, SendsEveryShardOnceFromEveryRankMostOfThemToItsNeighbour) {
  for (const int nodes : {2, 3, 8, 13}) {
    Cluster cluster(find_node("dgx-h100"), nodes);
    const std::vector<std::size_t> gpus = of_every_node(cluster.topology, 1);
    const double n = nodes;
    const TransferPlan plan =
        cluster.planner.plan(kAllGather, gpus, Bytes(kMany), pinned(Algorithm::pat)).transfer;
    for (const std::size_t gpu : gpus) {
      EXPECT_NEAR(nic_out(cluster, plan, gpu) / ((n - 1) / n * static_cast<double>(kMany)), 1, 1e-9);
      EXPECT_NEAR(nic_in(cluster, plan, gpu) / ((n - 1) / n * static_cast<double>(kMany)), 1, 1e-9);
    }
  }
}

TEST(AllToAll, SendsToOtherNodesOverTheNicsAndKeepsEightConnectionsInFlight) {
  for (const int nodes : {1, 2, 4}) {
    Cluster cluster(find_node("dgx-h100"), nodes);
    for (const std::size_t g : {1U, 2U, 8U}) {
      const std::vector<std::size_t> gpus = of_every_node(cluster.topology, g);
      if (gpus.size() < 2) {
        continue;
      }
      const auto n = static_cast<double>(gpus.size());
      const auto S = static_cast<double>(kMany);
      const CollectivePlan collective = cluster.planner.plan(CollectiveKind::all_to_all, gpus, Bytes(kMany));
      EXPECT_EQ(collective.algorithm, Algorithm::direct);
      const TransferPlan& plan = collective.transfer;
      const double others = nodes == 1 ? n - 1 : n - static_cast<double>(g);
      const double across = nodes == 1 ? 0 : others * S / n;
      EXPECT_NEAR(static_cast<double>(plan.work.amount.count()) / (others * S / n / std::min(8.0, others)), 1,
                  1e-9);
      for (const std::size_t gpu : gpus) {
        if (nodes > 1) {
          EXPECT_NEAR(nic_out(cluster, plan, gpu) / across, 1, 1e-3);
          EXPECT_NEAR(nic_in(cluster, plan, gpu) / across, 1, 1e-3);
        }
        // With PXN what goes to another rail also crosses NVLink, once in and once out of the GPU in between.
        const double to_rails = across * (1 - 1.0 / static_cast<double>(g));
        EXPECT_NEAR(nvlink_out(cluster, plan, gpu),
                    (static_cast<double>(g) - 1) * S / n + (nodes > 1 ? to_rails : 0), 2e-3 * S);
      }
    }
  }
}

TEST(AllToAll, OfUnequalSharesMovesExactlyTheMatrix) {
  Cluster cluster(find_node("dgx-h100"), 2);
  const std::vector<std::size_t> gpus = of_every_node(cluster.topology, 8);
  const std::size_t n = gpus.size();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::vector<Bytes> matrix;
    for (std::size_t i = 0; i < n * n; ++i) {
      matrix.emplace_back(static_cast<std::int64_t>((i * 2654435761U + seed * 40503U) % 1000) * 1'000'000);
    }
    const TransferPlan plan = cluster.planner.all_to_all(gpus, matrix).transfer;
    double sent = 0;
    double crossing = 0;
    for (std::size_t i = 0; i < n; ++i) {
      sent += nic_out(cluster, plan, gpus[i]);
      for (std::size_t j = 0; j < n; ++j) {
        crossing += i / 8 != j / 8 ? static_cast<double>(matrix[i * n + j].count()) : 0;
      }
    }
    EXPECT_NEAR(sent / crossing, 1, 2e-3);
  }
}

TEST(AllToAll, OfEqualSharesIsTheSameFromAMatrix) {
  Cluster cluster(find_node("dgx-a100-80gb"), 4);
  const std::vector<std::size_t> gpus = of_every_node(cluster.topology, 8);
  const std::vector<Bytes> matrix(gpus.size() * gpus.size(), Bytes(1 << 20));
  const TransferPlan one = cluster.planner.all_to_all(gpus, matrix).transfer;
  const TransferPlan other = cluster.planner.plan(CollectiveKind::all_to_all, gpus, Bytes(32 << 20)).transfer;
  EXPECT_EQ(one.route, other.route);
  EXPECT_EQ(one.work, other.work);
}

TEST(Direct, AllReduceInAMeshSendsTwoNthsOfTheBufferOverEveryLink) {
  Cluster cluster(find_node("mi300x-8"), 1);
  const TransferPlan plan =
      cluster.planner.plan(kAllReduce, first_gpus(8), Bytes(kMany), pinned(Algorithm::direct)).transfer;
  for (const Use& use : plan.route.uses) {
    EXPECT_EQ(bytes_on(plan, use.resource), 2.0 / 8 * static_cast<double>(kMany));
  }
}

TEST(HalvingDoubling, ExchangesTheMostWithTheNearest) {
  Cluster cluster(find_node("dgx-h100"), 4);
  const std::vector<std::size_t> gpus = of_every_node(cluster.topology, 8);
  const TransferPlan plan =
      cluster.planner.plan(kAllReduce, gpus, Bytes(kMany), pinned(Algorithm::halving_doubling)).transfer;
  const auto S = static_cast<double>(kMany);
  for (const std::size_t gpu : gpus) {
    EXPECT_NEAR(nvlink_out(cluster, plan, gpu) / (2 * S * (1.0 / 2 + 1.0 / 4 + 1.0 / 8)), 1, 1e-3);
    EXPECT_NEAR(nic_out(cluster, plan, gpu) / (2 * S * (1.0 / 16 + 1.0 / 32)), 1, 1e-9);
  }
  // One round after the other, over NVLink and over the NICs.
  const double least = 2 * S * 7 / 8 / cluster.node.nvlink + 2 * S * 3 / 32 / cluster.node.nic;
  EXPECT_NEAR(seconds(cluster.planner.alone(plan)) / least, 1, 1e-3);
}

TEST(Torus, KeepsAllLinksOfAllAxesBusy) {
  const NodeSpec& node = find_node("tpu-v5p");
  Cluster cluster(node, 64, {.kind = "torus", .dimensions = {4, 4, 4}});
  const TransferPlan plan =
      cluster.planner.plan(kAllReduce, first_gpus(64), Bytes(kMany), pinned(Algorithm::torus)).transfer;
  EXPECT_EQ(plan.route.uses.size(), 64U * 6U);
  // Each of the 6 links of a chip carries 2 (n - 1) / n x S / 6.
  for (const Use& use : plan.route.uses) {
    EXPECT_NEAR(bytes_on(plan, use.resource) / (2.0 * 63 / 64 * static_cast<double>(kMany) / 6), 1, 1e-9);
  }
  EXPECT_NEAR(bus_bandwidth(cluster, kAllReduce, first_gpus(64), kMany) / (6 * node.nvlink), 1, 0.01);
}

TEST(Torus, OnOneAxisSendsHalfOfTheBufferEachWayAndWithoutWrapAroundAllOfItBothWays) {
  for (const bool wrap : {true, false}) {
    Cluster cluster(find_node("tpu-v4"), 64, {.kind = "torus", .dimensions = {8, 8}, .wrap = wrap});
    const TransferPlan plan =
        cluster.planner.plan(kAllReduce, first_gpus(8), Bytes(kMany), pinned(Algorithm::torus)).transfer;
    EXPECT_EQ(plan.route.uses.size(), wrap ? 16U : 14U);
    for (const Use& use : plan.route.uses) {
      const double ring = 2.0 * 7 / 8 * static_cast<double>(kMany);
      EXPECT_NEAR(bytes_on(plan, use.resource) / (wrap ? ring / 2 : ring), 1, 1e-9);
    }
  }
}

TEST(Send, LoadsItsPathWithItsBytes) {
  Cluster cluster(find_node("dgx-h100"), 3, {.unit = 2});
  for (const std::size_t to : {3U, 8U, 16U, 17U}) {
    const TransferPlan plan = cluster.planner.send(0, to, Bytes(12345));
    std::vector<ResourceId> links = route(cluster.topology, 0, to);
    std::sort(links.begin(), links.end());
    ASSERT_EQ(plan.route.uses.size(), links.size());
    for (std::size_t i = 0; i < links.size(); ++i) {
      EXPECT_EQ(plan.route.uses[i].resource, links[i]);
    }
    EXPECT_EQ(plan.work.amount, Bytes(12345));
    EXPECT_EQ(plan.route.members, (std::vector<DeviceId>{DeviceId(0), DeviceId(to)}));
  }
}

}  // namespace
}  // namespace makespan
