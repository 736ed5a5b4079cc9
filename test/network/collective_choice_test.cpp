// Which way to carry out a collective is chosen, and what it takes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "test/network/collective_fixture.h"

namespace makespan {
namespace {

using test::bus_bandwidth;
using test::Cluster;
using test::first_gpus;
using test::of_every_node;
using test::pinned;
using ::testing::HasSubstr;

constexpr std::int64_t kMany = std::int64_t{1} << 36;  // bytes that make latency small
constexpr CollectiveKind kAllReduce = CollectiveKind::all_reduce;
constexpr CollectiveKind kAllGather = CollectiveKind::all_gather;
constexpr CollectiveKind kReduceScatter = CollectiveKind::reduce_scatter;

TEST(Choice, IsTheCheapestOfWhatNcclConsiders) {
  Cluster one(find_node("dgx-h200"), 1);
  Cluster many(find_node("dgx-h100"), 32);
  Cluster old(find_node("dgx-a100-80gb"), 32);
  const auto algorithm = [](Cluster& cluster, CollectiveKind kind, std::size_t per_node, std::int64_t bytes) {
    return cluster.planner.plan(kind, of_every_node(cluster.topology, per_node), Bytes(bytes)).algorithm;
  };
  // On H200 NCCL takes the ring up to 4 GPUs and NVLS above.
  EXPECT_EQ(algorithm(one, kAllReduce, 4, kMany), Algorithm::ring);
  EXPECT_EQ(algorithm(one, kAllReduce, 5, kMany), Algorithm::nvls);
  EXPECT_EQ(algorithm(one, kAllReduce, 8, kMany), Algorithm::nvls);
  EXPECT_EQ(algorithm(one, kAllGather, 8, kMany), Algorithm::ring);
  EXPECT_EQ(algorithm(many, kAllReduce, 8, std::int64_t{1} << 30), Algorithm::nvls_tree);
  EXPECT_EQ(algorithm(many, kAllReduce, 2, std::int64_t{1} << 30), Algorithm::ring);
  EXPECT_EQ(algorithm(old, kAllReduce, 8, 1 << 20), Algorithm::tree);
  EXPECT_EQ(algorithm(old, kAllReduce, 8, kMany), Algorithm::ring);
  for (const std::int64_t bytes : {std::int64_t{1} << 10, std::int64_t{1} << 20, kMany}) {
    for (Cluster* cluster : {&one, &many, &old}) {
      const std::vector<std::size_t> gpus = of_every_node(cluster->topology, 8);
      const Time best =
          cluster->planner.alone(cluster->planner.plan(kAllReduce, gpus, Bytes(bytes)).transfer);
      for (const Protocol protocol : {Protocol::simple, Protocol::ll}) {
        const Time ring = cluster->planner.alone(
            cluster->planner.plan(kAllReduce, gpus, Bytes(bytes), pinned(Algorithm::ring, protocol))
                .transfer);
        EXPECT_LE(best, ring + Time(1'000));  // the last picoseconds are rounded
      }
    }
  }
}

TEST(Choice, OfWhatCannotRunIsAnErrorThatSaysWhyAndWhatCan) {
  Cluster cluster(find_node("dgx-a100-80gb"), 2);
  const auto message = [&](CollectiveKind kind, std::size_t per_node, const CollectiveChoice& choice) {
    try {
      (void)cluster.planner.plan(kind, of_every_node(cluster.topology, per_node), Bytes(1000), choice);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("it ran");
  };
  EXPECT_THAT(message(kAllReduce, 8, pinned(Algorithm::nvls_tree)), HasSubstr("NVSwitches that reduce"));
  EXPECT_THAT(message(kAllGather, 8, pinned(Algorithm::tree)), HasSubstr("does not do all-gather"));
  EXPECT_THAT(message(kAllGather, 8, pinned(Algorithm::pat)), HasSubstr("one GPU per node"));
  EXPECT_THAT(message(kAllReduce, 3, pinned(Algorithm::halving_doubling)), HasSubstr("power of two"));
  EXPECT_THAT(message(kAllReduce, 8, pinned(Algorithm::torus)), HasSubstr("box of a torus"));
  EXPECT_THAT(message(CollectiveKind::all_to_all, 8, pinned(Algorithm::ring)),
              HasSubstr("hint: one of direct"));
  EXPECT_THAT(message(kAllGather, 8, pinned(Algorithm::ring, Protocol::ll128)), HasSubstr("it ran"));
  EXPECT_THAT(message(kAllReduce, 8, pinned(Algorithm::hierarchical, Protocol::ll)), HasSubstr("no ll of"));
  EXPECT_THAT(message(CollectiveKind::all_to_all, 8, {.protocol = Protocol::ll}), HasSubstr("no ll of"));
  const std::vector<Bytes> matrix(4, Bytes(1));
  EXPECT_THROW((void)cluster.planner.all_to_all(first_gpus(2), matrix, {.measured = {{Bytes(1), Time(1)}}}),
               InputError);
  Cluster pod(find_node("tpu-v4"), 16, {.kind = "torus", .dimensions = {4, 4}});
  EXPECT_EQ(pod.planner.plan(kAllReduce, first_gpus(16), Bytes(1000)).algorithm, Algorithm::torus);
  EXPECT_THROW((void)pod.planner.plan(kAllReduce, first_gpus(16), Bytes(1000), {.protocol = Protocol::ll}),
               InputError);
  Cluster roce(find_node("grand-teton"), 4);
  EXPECT_THROW((void)roce.planner.plan(kAllReduce, of_every_node(roce.topology, 8), Bytes(1000),
                                       pinned(Algorithm::collnet)),
               InputError);
}

TEST(Choice, OfAMeasuredTimeTakesThatTimeWithTheLoadsOfTheAlgorithm) {
  Cluster cluster(find_node("dgx-h100"), 4);
  const std::vector<std::size_t> gpus = of_every_node(cluster.topology, 8);
  CollectiveChoice choice = pinned(Algorithm::ring);
  const TransferPlan model = cluster.planner.plan(kAllGather, gpus, Bytes(3 << 20), choice).transfer;
  constexpr Time kMillisecond{1'000'000'000};
  choice.measured = {{Bytes(1 << 20), kMillisecond}, {Bytes(2 << 20), 3 * kMillisecond}};
  const auto alone = [&](std::int64_t bytes) {
    const TransferPlan plan = cluster.planner.plan(kAllGather, gpus, Bytes(bytes), choice).transfer;
    return seconds(cluster.planner.alone(plan));
  };
  EXPECT_NEAR(alone(1 << 20), 1e-3, 1e-9);
  EXPECT_NEAR(alone(3 << 19), 2e-3, 1e-9);
  EXPECT_NEAR(alone(3 << 20), 5e-3, 1e-9);
  const TransferPlan plan = cluster.planner.plan(kAllGather, gpus, Bytes(3 << 20), choice).transfer;
  EXPECT_EQ(plan.route, model.route);
  EXPECT_EQ(plan.work.amount, model.work.amount);
  // Faster than the links are: fewer bytes.
  choice.measured = {{Bytes(1 << 20), Time(1'000'000)}};
  EXPECT_NEAR(alone(1 << 30), 1e-6, 1e-9);
  choice.measured = {{Bytes(2), Time(1)}, {Bytes(2), Time(2)}};
  EXPECT_THROW((void)cluster.planner.plan(kAllGather, gpus, Bytes(1), choice), InputError);
}

TEST(Choice, OfFewerChannelsTakesFewerSmsAndIsSlower) {
  Cluster cluster(find_node("dgx-h100"), 1);
  CollectiveChoice choice = pinned(Algorithm::ring);
  choice.channels = 4;
  const CollectivePlan few = cluster.planner.plan(kAllGather, first_gpus(8), Bytes(kMany), choice);
  EXPECT_EQ(few.channels, 4);
  EXPECT_NEAR(bus_bandwidth(cluster, kAllGather, first_gpus(8), kMany, choice) /
                  (4 * nccl_options(cluster.node).gpu.channel),
              1.0, 0.02);  // less the copy of the own shard
}

TEST(Reservation, IsChannelsOverSmsAndTrafficOverMemoryBandwidth) {
  const NodeSpec& node = find_node("dgx-a100-80gb");
  const Topology topology = build_cluster(node, 4);
  NcclOptions options = nccl_options(node);
  options.sms = 108;
  options.memory_bandwidth = 2039e9;
  CollectivePlanner planner(topology, options);
  const auto expect_share = [](std::uint32_t ppm, double share) { EXPECT_NEAR(ppm, 1e6 * share, 1.0); };
  const auto ring = [&](CollectiveKind kind, const std::vector<std::size_t>& gpus, std::int64_t bytes) {
    return planner.plan(kind, gpus, Bytes(bytes), pinned(Algorithm::ring)).transfer.route;
  };
  const Route inside = ring(kAllReduce, first_gpus(8), kMany);
  expect_share(inside.sm_ppm, 24.0 / 108);
  expect_share(inside.memory_ppm, 3 * node.nvlink / 2039e9);
  const Route across = ring(kAllGather, of_every_node(topology, 8), kMany);
  expect_share(across.sm_ppm, 16.0 / 108);
  expect_share(across.memory_ppm, 2 * 8 * node.nic / 2039e9);
  // 64 bytes for each of 512 threads: what fits one channel takes one.
  expect_share(ring(kAllReduce, first_gpus(8), 512 * 64).sm_ppm, 1.0 / 108);
  expect_share(ring(kAllReduce, first_gpus(8), 5 * 512 * 64).sm_ppm, 5.0 / 108);
  const Route send = planner.send(0, 8, Bytes(1)).route;
  expect_share(send.sm_ppm, 4.0 / 108);
  expect_share(send.memory_ppm, 2 * node.nic / 2039e9);
}

TEST(Collective, TakesLongerWithMoreBytesAndWithMoreRanks) {
  for (const char* name : {"dgx-a100-80gb", "dgx-h100", "p6-b200"}) {
    Cluster cluster(find_node(name), 16);
    for (const CollectiveKind kind :
         {kAllReduce, kAllGather, kReduceScatter, CollectiveKind::all_to_all, CollectiveKind::broadcast}) {
      for (const std::size_t n : {2U, 8U, 16U, 128U}) {
        Time before;
        for (std::int64_t bytes = 1; bytes < std::int64_t{1} << 36; bytes += bytes / 5 + 1) {
          const Time time =
              cluster.planner.alone(cluster.planner.plan(kind, first_gpus(n), Bytes(bytes)).transfer);
          EXPECT_GE(time + Time(1'000), before) << name << ' ' << to_string(kind) << ' ' << n << ' ' << bytes;
          before = time;
        }
      }
    }
  }
}

}  // namespace
}  // namespace makespan
