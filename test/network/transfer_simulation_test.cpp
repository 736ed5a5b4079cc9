// Collectives and sends that share links, through the simulator.

#include <gtest/gtest.h>
#include <numeric>
#include <string>

#include "core/simulator.h"
#include "network/transfer.h"

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

double transfer_seconds(double bytes, double bytes_per_second) {
  return bytes / bytes_per_second;
}

TEST(SharedLinks, EightGroupsOfOneRankPerNodeRunAtOnceAsFastAsOneAlone) {
  const NodeSpec& node = find_node("dgx-a100-80gb");
  const Topology topology = build_cluster(node, 16);
  std::vector<TransferPlan> plans;
  for (std::size_t local = 0; local < 8; ++local) {
    plans.push_back(plan_ring(topology, {}, kAllReduce, one_per_node(16, local), Bytes(1 << 30)));
  }
  const std::vector<Time> together = ends(topology, plans);
  const Time alone = ends(topology, {plans.front()}).front();
  for (const Time end : together) {
    EXPECT_EQ(end, alone);
  }
  EXPECT_NEAR(seconds(alone),
              seconds(plans.front().work.latency) + transfer_seconds(2.0 * 15 / 16 * (1 << 30), node.nic),
              1e-9);
}

TEST(SharedLinks, ARingOverAllGpusRunsAtTheRateThatItsShapeStates) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 8);
  std::vector<std::size_t> gpus(64);
  std::iota(gpus.begin(), gpus.end(), 0);
  const RingShape shape = ring_shape(topology, {}, kAllReduce, gpus);
  const TransferWork work = ring_work({}, kAllReduce, shape, Bytes(1 << 30));
  const Time end = ends(topology, {{shape.route, work}}).front();
  EXPECT_NEAR(seconds(end - work.latency),
              static_cast<double>(work.amount.count()) / bytes_per_second(shape.rate), 1e-9);
}

TEST(SharedLinks, ASendAndARingOnOneNicShareItAsTwoConnections) {
  // The send is shorter and leaves half way through; then the ring has the NIC for itself.
  const NodeSpec& node = find_node("dgx-h100");
  const Topology topology = build_cluster(node, 2);
  const double bytes = 1 << 30;
  TransferPlan send = plan_send(topology, {}, 0, 8, Bytes(1 << 30));
  TransferPlan ring =
      plan_ring(topology, {}, CollectiveKind::all_gather, one_per_node(2, 0), Bytes(4LL << 30));
  ASSERT_EQ(ring.work.amount, Bytes(2LL << 30));
  send.work.latency = ring.work.latency = Time(0);
  const std::vector<Time> end = ends(topology, {send, ring});
  EXPECT_NEAR(seconds(end[0]), transfer_seconds(2 * bytes, node.nic), 1e-9);
  EXPECT_NEAR(seconds(end[1]), transfer_seconds(3 * bytes, node.nic), 1e-9);
}

TEST(SharedLinks, TwoGroupsOnAnOversubscribedTrunkAreSlowerTogether) {
  const NodeSpec& node = find_node("dgx-h100");
  // Two units of two nodes; a trunk carries one NIC. Both groups use rail 0 and cross the spine.
  const Topology topology = build_cluster(node, 4, {.oversubscription = 2.0, .unit = 2});
  TransferPlan first = plan_send(topology, {}, 0, 16, Bytes(1 << 30));
  TransferPlan second = plan_send(topology, {}, 8, 24, Bytes(1 << 30));
  first.work.latency = second.work.latency = Time(0);
  const double alone = seconds(ends(topology, {first}).front());
  const std::vector<Time> together = ends(topology, {first, second});
  EXPECT_NEAR(alone, transfer_seconds(1 << 30, node.nic), 1e-9);
  EXPECT_NEAR(seconds(together[0]), 2 * alone, 1e-9);
  EXPECT_EQ(together[0], together[1]);
}

}  // namespace
}  // namespace makespan
