// Collectives and sends that share links, through the simulator.

#include <gtest/gtest.h>
#include <numeric>
#include <string>

#include "core/simulator.h"
#include "network/collective.h"

namespace makespan {
namespace {

constexpr CollectiveKind kAllReduce = CollectiveKind::all_reduce;

/// When each of the plans ends, all starting at 0.
std::vector<Time> ends(const Topology& topology, const std::vector<TransferPlan>& plans) {
  TaskGraphBuilder builder(topology.gpu_count());
  for (std::size_t i = 0; i < topology.links().size(); ++i) {
    const Link& link = topology.links()[i];
    builder.resource(link_name(topology, ResourceId(i)), to_string(link.kind), link.capacity);
  }
  const Label label{.name = builder.name("transfer")};
  for (const TransferPlan& plan : plans) {
    builder.transfer(builder.route(plan.route), plan.work, label);
  }
  return simulate(std::move(builder).build()).end;
}

std::vector<std::size_t> one_per_node(std::size_t count, std::size_t local) {
  std::vector<std::size_t> gpus;
  for (std::size_t node = 0; node < count; ++node) {
    gpus.push_back(8 * node + local);
  }
  return gpus;
}

CollectiveChoice ring() {
  return {.algorithm = Algorithm::ring, .protocol = Protocol::simple};
}

TEST(SharedLinks, EightGroupsOfOneRankPerNodeRunAtOnceAsFastAsOneAlone) {
  const NodeSpec& node = find_node("dgx-a100-80gb");
  const Topology topology = build_cluster(node, 16);
  CollectivePlanner planner(topology, nccl_options(node));
  std::vector<TransferPlan> plans;
  for (std::size_t local = 0; local < 8; ++local) {
    plans.push_back(planner.plan(kAllReduce, one_per_node(16, local), Bytes(1 << 30), ring()).transfer);
  }
  const std::vector<Time> together = ends(topology, plans);
  for (const Time end : together) {
    EXPECT_EQ(end, ends(topology, {plans.front()}).front());
  }
  EXPECT_NEAR(seconds(together.front()),
              seconds(plans.front().work.latency) + 2.0 * 15 / 16 * (1 << 30) / node.nic, 1e-9);
}

TEST(SharedLinks, WhatIsAloneTakesWhatThePlannerSays) {
  const NodeSpec& node = find_node("dgx-h100");
  const Topology topology = build_cluster(node, 8);
  CollectivePlanner planner(topology, nccl_options(node));
  std::vector<std::size_t> gpus(64);
  std::iota(gpus.begin(), gpus.end(), 0);
  std::vector<TransferPlan> plans = {planner.send(0, 1, Bytes(12345)), planner.send(0, 63, Bytes(1 << 30))};
  for (const Algorithm algorithm :
       {Algorithm::ring, Algorithm::tree, Algorithm::nvls_tree, Algorithm::collnet, Algorithm::hierarchical,
        Algorithm::direct, Algorithm::halving_doubling}) {
    plans.push_back(planner.plan(kAllReduce, gpus, Bytes(100'000'007), {.algorithm = algorithm}).transfer);
  }
  for (const TransferPlan& plan : plans) {
    EXPECT_EQ(ends(topology, {plan}).front(), planner.alone(plan));
  }
}

TEST(SharedLinks, ASendAndARingOnOneNicShareItAsTwoConnections) {
  // The send is shorter and leaves half way through; then the ring has the NIC for itself.
  const NodeSpec& node = find_node("dgx-h100");
  const Topology topology = build_cluster(node, 2);
  CollectivePlanner planner(topology, nccl_options(node));
  const double bytes = 1 << 30;
  TransferPlan send = planner.send(0, 8, Bytes(1 << 30));
  TransferPlan gather =
      planner.plan(CollectiveKind::all_gather, one_per_node(2, 0), Bytes(4LL << 30), ring()).transfer;
  ASSERT_EQ(gather.work.amount, Bytes(2LL << 30));
  send.work.latency = gather.work.latency = Time(0);
  const std::vector<Time> end = ends(topology, {send, gather});
  EXPECT_NEAR(seconds(end[0]), 2 * bytes / node.nic, 1e-9);
  EXPECT_NEAR(seconds(end[1]), 3 * bytes / node.nic, 1e-9);
}

TEST(SharedLinks, AnAllToAllCompetesWithASendAsEightConnections) {
  const NodeSpec& node = find_node("dgx-h100");
  const Topology topology = build_cluster(node, 4);
  CollectivePlanner planner(topology, nccl_options(node));
  std::vector<std::size_t> gpus(32);
  std::iota(gpus.begin(), gpus.end(), 0);
  TransferPlan exchange =
      planner.plan(CollectiveKind::all_to_all, gpus, Bytes(std::int64_t{1} << 36)).transfer;
  TransferPlan send = planner.send(0, 8, Bytes(1 << 30));
  exchange.work.latency = send.work.latency = Time(0);
  EXPECT_NEAR(seconds(ends(topology, {exchange, send})[1]), 9.0 * (1 << 30) / node.nic, 1e-4);
}

TEST(SharedLinks, TwoSendsOnAnOversubscribedTrunkAreSlowerTogether) {
  const NodeSpec& node = find_node("dgx-h100");
  // Two units of two nodes; a trunk carries one NIC. Both use rail 0 and cross the spine.
  const Topology topology = build_cluster(node, 4, {.oversubscription = 2.0, .unit = 2});
  CollectivePlanner planner(topology, nccl_options(node));
  TransferPlan first = planner.send(0, 16, Bytes(1 << 30));
  TransferPlan second = planner.send(8, 24, Bytes(1 << 30));
  first.work.latency = second.work.latency = Time(0);
  const double alone = seconds(ends(topology, {first}).front());
  const std::vector<Time> together = ends(topology, {first, second});
  EXPECT_NEAR(alone, (1 << 30) / node.nic, 1e-9);
  EXPECT_NEAR(seconds(together[0]), 2 * alone, 1e-9);
  EXPECT_EQ(together[0], together[1]);
}

}  // namespace
}  // namespace makespan
