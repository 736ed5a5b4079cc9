// Steps and their latencies, by the formulas of NCCL's cost model.

#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

#include "core/error.h"
#include "network/collective.h"

namespace makespan {
namespace {

/// Without what depends on the GPU and the transport.
NcclOptions plain_options() {
  NcclOptions options;
  options.level = {};
  options.nvls_rate = 305e9;
  return options;
}

std::vector<std::size_t> ranks(std::size_t nodes, std::size_t per_node) {
  std::vector<std::size_t> gpus;
  for (std::size_t node = 0; node < nodes; ++node) {
    for (std::size_t i = 0; i < per_node; ++i) {
      gpus.push_back(8 * node + i);
    }
  }
  return gpus;
}

class Latency : public ::testing::Test {
 protected:
  /// Of one byte, in microseconds.
  [[nodiscard]] double of(CollectiveKind kind, std::size_t nodes, std::size_t per_node, Algorithm algorithm,
                          Protocol protocol = Protocol::simple) {
    CollectivePlanner planner(topology_, options_);
    const CollectivePlan plan =
        planner.plan(kind, ranks(nodes, per_node), Bytes(1), {.algorithm = algorithm, .protocol = protocol});
    return seconds(plan.transfer.work.latency) * 1e6;
  }

  Topology topology_ = build_cluster(find_node("dgx-h100"), 16);  // one unit: no hop adds to NCCL's latencies
  NcclOptions options_ = plain_options();
};

constexpr double kClose = 1e-2;  // a byte takes no time to speak of

TEST_F(Latency, OfARingCountsStepsInsideAndBetweenNodes) {
  const auto kAr = CollectiveKind::all_reduce;
  const auto kAg = CollectiveKind::all_gather;
  const auto kRing = Algorithm::ring;
  EXPECT_NEAR(of(kAr, 1, 8, kRing), 8.4 + 14 * 3.4, kClose);
  EXPECT_NEAR(of(kAg, 1, 8, kRing), 8.4 + 7 * 3.4, kClose);
  EXPECT_NEAR(of(kAr, 1, 8, kRing, Protocol::ll), 6.6 + 14 * 0.6, kClose);
  EXPECT_NEAR(of(kAr, 1, 8, kRing, Protocol::ll128), 14.0 + 14 * 1.9, kClose);
  // Across nodes posting takes 1 us a step with LL and LL128, 3 us with Simple, whose all-reduce has a
  // plateau.
  EXPECT_NEAR(of(kAg, 4, 8, kRing), 8.4 + (31 - 3) * 3.4 + 3 * 14.0, kClose);
  EXPECT_NEAR(of(kAr, 4, 8, kRing), 1.4 * (8.4 + (62 - 6) * 3.4 + 6 * 14.0), kClose);
  EXPECT_NEAR(of(kAg, 4, 8, kRing, Protocol::ll), 6.6 + (31 - 3) * 1.0 + 3 * 2.7, kClose);
  EXPECT_NEAR(of(kAg, 4, 8, kRing, Protocol::ll128), 14.0 + (31 - 3) * 1.9 + 3 * 4.0, kClose);
  // With one rank per node the tree's network latency.
  EXPECT_NEAR(of(kAg, 16, 1, kRing, Protocol::ll), 6.6 + 15 * 5.0, kClose);
  EXPECT_NEAR(of(CollectiveKind::broadcast, 4, 8, kRing), 8.4 + (31 - 3) * 3.4 + 3 * 14.0, kClose);
}

TEST_F(Latency, OfATreeGrowsWithTheLogarithmOfTheNodes) {
  const auto kAr = CollectiveKind::all_reduce;
  EXPECT_NEAR(of(kAr, 16, 8, Algorithm::tree), 8.4 + 2 * (7 * 4.0 + 4 * 14.0), kClose);
  EXPECT_NEAR(of(kAr, 9, 8, Algorithm::tree), 8.4 + 2 * (7 * 4.0 + 4 * 14.0), kClose);
  EXPECT_NEAR(of(kAr, 8, 8, Algorithm::tree, Protocol::ll), 6.8 + 2 * (7 * 1.0 + 3 * 5.0), kClose);
  EXPECT_NEAR(of(kAr, 8, 4, Algorithm::tree, Protocol::ll128), 14.0 + 2 * (3 * 1.25 + 3 * 8.5), kClose);
}

TEST_F(Latency, OfReductionsInSwitchesIsThatOfNvlsAndOfTheFabric) {
  const auto kAr = CollectiveKind::all_reduce;
  EXPECT_NEAR(of(kAr, 1, 8, Algorithm::nvls), 25, kClose);
  EXPECT_NEAR(of(kAr, 16, 8, Algorithm::nvls_tree), 25 + 2 * 4 * 20.9, kClose);
  EXPECT_NEAR(of(kAr, 16, 8, Algorithm::collnet), 25 + 18, kClose);
  EXPECT_NEAR(of(kAr, 4, 8, Algorithm::collnet), 25 + 18, kClose);
  options_.nvls_rate = 0;
  EXPECT_NEAR(of(kAr, 4, 8, Algorithm::collnet), 2 * (3.7 + 0.4 * 7) + 31, kClose);
}

TEST_F(Latency, OfTheOthersCountsTheirSteps) {
  const auto kAg = CollectiveKind::all_gather;
  EXPECT_NEAR(of(kAg, 16, 1, Algorithm::pat), 8.0 + 4 * 14.0 / 3.5 + 2.8 * 16, kClose);
  EXPECT_NEAR(of(kAg, 4, 8, Algorithm::hierarchical), 8.4 + 7 * 3.4 + 3 * 14.0, kClose);
  EXPECT_NEAR(of(kAg, 4, 8, Algorithm::halving_doubling), 8.4 + 3 * 3.4 + 2 * 14.0, kClose);
  // 15 messages in two batches of 8; the proxies post each in 1 us.
  EXPECT_NEAR(of(CollectiveKind::all_to_all, 2, 8, Algorithm::direct), 8.4 + 2 * 14.0 + 15, kClose);
  EXPECT_NEAR(of(CollectiveKind::all_to_all, 1, 8, Algorithm::direct), 8.4 + 3.4, kClose);
}

TEST_F(Latency, OfTheTransportComesOnTopOfNetworkStepsTwiceWithSimple) {
  const auto kAg = CollectiveKind::all_gather;
  const double simple = of(kAg, 4, 8, Algorithm::ring);
  const double ll = of(kAg, 4, 8, Algorithm::ring, Protocol::ll);
  options_.transport.nic_latency_us = 30;
  EXPECT_NEAR(of(kAg, 4, 8, Algorithm::ring), simple + 3 * 60, kClose);
  EXPECT_NEAR(of(kAg, 4, 8, Algorithm::ring, Protocol::ll), ll + 3 * 30, kClose);
  EXPECT_NEAR(of(kAg, 1, 8, Algorithm::ring), 8.4 + 7 * 3.4, kClose);
}

TEST_F(Latency, OfTheFabricComesOnTopWhereAWayIsLonger) {
  // Units of 4 nodes: a ring over 16 nodes crosses the spine four times, at twice the latency of a link.
  const double together = of(CollectiveKind::all_gather, 16, 8, Algorithm::ring);
  topology_ = build_cluster(find_node("dgx-h100"), 16, {.unit = 4});
  EXPECT_NEAR(of(CollectiveKind::all_gather, 16, 8, Algorithm::ring), together + 4 * 0.9, kClose);
}

TEST_F(Latency, OfASendIsOneStep) {
  CollectivePlanner planner(topology_, options_);
  EXPECT_NEAR(seconds(planner.send(0, 1, Bytes(1)).work.latency) * 1e6, 8.4 + 3.4, kClose);
  EXPECT_NEAR(seconds(planner.send(0, 8, Bytes(1)).work.latency) * 1e6, 8.4 + 14.0, kClose);
}

TEST(Send, InANodeSpreadsOverMoreChannelsTheMoreItCarries) {
  // nccl-tests on 8 B200: a channel carries 21 GB/s and at most 16 MiB, there are 4 to 32 channels.
  const NodeSpec& node = find_node("dgx-b200");
  const Topology topology = build_cluster(node, 1, {.kind = "none"});
  const NcclOptions options = nccl_options(node);
  CollectivePlanner planner(topology, options);
  const auto rate = [&](double mebibytes) {
    const double bytes = mebibytes * (1 << 20);
    const TransferPlan plan = planner.send(0, 1, Bytes(static_cast<std::int64_t>(bytes)));
    return bytes / (seconds(planner.alone(plan)) - 11.8e-6);
  };
  for (const double mebibytes : {1.0, 16.0, 64.0}) {
    EXPECT_NEAR(rate(mebibytes) / (4 * options.gpu.channel_send), 1, 1e-3);
  }
  EXPECT_NEAR(rate(128) / (8 * options.gpu.channel_send), 1, 1e-3);
  EXPECT_NEAR(rate(256) / (16 * options.gpu.channel_send), 1, 1e-3);
  EXPECT_NEAR(rate(4096) / (options.gpu.send_in_node * node.nvlink), 1, 1e-3);
}

TEST(Protocols, CarryTheirFlagsOnTheWire) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 4);
  CollectivePlanner planner(topology, nccl_options(find_node("dgx-h100")));
  const auto amount = [&](Protocol protocol) {
    return planner
        .plan(CollectiveKind::all_gather, ranks(4, 8), Bytes(32 * 8 * 15 * 1024),
              {.algorithm = Algorithm::ring, .protocol = protocol})
        .transfer.work.amount.count();
  };
  EXPECT_EQ(amount(Protocol::simple), 31 * 15 * 1024);
  EXPECT_EQ(amount(Protocol::ll), 2 * amount(Protocol::simple));
  EXPECT_EQ(15 * amount(Protocol::ll128), 16 * amount(Protocol::simple));
}

TEST(Constants, OfAnUnknownTransportAreAnError) {
  NodeSpec node = find_node("dgx-h100");
  node.transport = "infinband";
  try {
    (void)nccl_options(node);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'infiniband'"), std::string::npos) << error.what();
  }
}

TEST(Constants, CorrectTreesAsNcclDoesAtPowersOfTwoAndStraightBetween) {
  EXPECT_EQ(tree_correction(Protocol::simple, 64), 0.9);
  EXPECT_EQ(tree_correction(Protocol::simple, 1 << 20), 0.6 - 0.1);
  EXPECT_EQ(tree_correction(Protocol::ll, 1 << 19), 0.4);
  EXPECT_NEAR(tree_correction(Protocol::simple, 1.5 * (1 << 21)), (0.6 + 0.7) / 2, 1e-12);
  EXPECT_EQ(tree_correction(Protocol::simple, std::ldexp(1.0, 40)), 0.9);
  EXPECT_EQ(tree_correction(Protocol::ll128, 1), 1.0);
}

}  // namespace
}  // namespace makespan
