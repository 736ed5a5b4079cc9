#include "network/transfer.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <numeric>

namespace makespan {
namespace {

constexpr Time kMicrosecond{1'000'000};
constexpr Bytes kHuge{std::int64_t{1} << 40};  // latency does not matter
constexpr CollectiveKind kAllReduce = CollectiveKind::all_reduce;
constexpr CollectiveKind kAllGather = CollectiveKind::all_gather;
constexpr CollectiveKind kReduceScatter = CollectiveKind::reduce_scatter;

std::vector<std::size_t> first_gpus(std::size_t count) {
  std::vector<std::size_t> gpus(count);
  std::iota(gpus.begin(), gpus.end(), 0);
  return gpus;
}

/// GPU `local` of `count` nodes.
std::vector<std::size_t> one_per_node(std::size_t count, std::size_t local) {
  std::vector<std::size_t> gpus;
  for (std::size_t node = 0; node < count; ++node) {
    gpus.push_back(8 * node + local);
  }
  return gpus;
}

std::uint32_t weight(const Route& route, ResourceId link) {
  const auto use =
      std::find_if(route.uses.begin(), route.uses.end(), [&](const Use& u) { return u.resource == link; });
  return use == route.uses.end() ? 0 : use->weight;
}

double factor(CollectiveKind kind) {
  return kind == kAllReduce ? 2.0 : 1.0;
}

double time_alone(const RingShape& shape, const TransferWork& work) {
  return seconds(work.latency) + static_cast<double>(work.amount.count()) / bytes_per_second(shape.rate);
}

/// As nccl-tests prints it, in bytes per second.
double bus_bandwidth(const Topology& topology, CollectiveKind kind, const std::vector<std::size_t>& gpus,
                     Bytes payload) {
  const NcclOptions options;
  const RingShape shape = ring_shape(topology, options, kind, gpus);
  const double n = static_cast<double>(gpus.size());
  return factor(kind) * (n - 1) / n * static_cast<double>(payload.count()) /
         time_alone(shape, ring_work(options, kind, shape, payload));
}

TEST(Send, LoadsItsRouteWithItsBytesAndPaysOneStep) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 3, {.unit = 2});
  const NcclOptions options;
  for (const auto& [to, step] : {std::pair<std::size_t, Time>{3, Time(3'400'000)},
                                 {8, 14 * kMicrosecond},                      // same leaf
                                 {16, 14 * kMicrosecond + Time(900'000)},     // across the spine
                                 {17, 14 * kMicrosecond + Time(900'000)}}) {  // ... and to another rail
    const TransferPlan plan = plan_send(topology, options, 0, to, Bytes(12345));
    std::vector<ResourceId> links = route(topology, 0, to);
    std::sort(links.begin(), links.end());
    ASSERT_EQ(plan.route.uses.size(), links.size());
    for (std::size_t i = 0; i < links.size(); ++i) {
      EXPECT_EQ(plan.route.uses[i], (Use{links[i], Use::kUnitWeight}));
    }
    EXPECT_EQ(plan.work, (TransferWork{Bytes(12345), Time(8'400'000) + step}));
    EXPECT_EQ(plan.route.members, (std::vector<DeviceId>{DeviceId(0), DeviceId(to)}));
  }
}

TEST(Ring, OfOneMemberOrNoBytesIsNothing) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 1);
  const TransferPlan single = plan_ring(topology, {}, kAllReduce, first_gpus(1), Bytes(1000));
  EXPECT_TRUE(single.route.uses.empty());
  EXPECT_EQ(single.work, TransferWork{});
  EXPECT_EQ(plan_ring(topology, {}, kAllReduce, first_gpus(8), Bytes(0)).work, TransferWork{});
}

TEST(Ring, InANodeEveryMemberSendsAndReceivesOverNvlink) {
  const Topology topology = build_cluster(find_node("dgx-a100-80gb"), 2);
  const std::vector<std::size_t> members = {1, 2, 5, 7};
  const TransferPlan plan = plan_ring(topology, {}, kAllReduce, members, kHuge);
  EXPECT_EQ(plan.route.uses.size(), 2 * members.size());
  for (const std::size_t gpu : members) {
    EXPECT_EQ(weight(plan.route, topology.gpus()[gpu].nvlink.out), Use::kUnitWeight);
    EXPECT_EQ(weight(plan.route, topology.gpus()[gpu].nvlink.in), Use::kUnitWeight);
  }
  EXPECT_EQ(plan.work.amount, Bytes(2 * 3 * kHuge.count() / 4));
}

TEST(Ring, LargeMessagesReachTheNvlinkBandwidthInANode) {
  for (const NodeSpec& node : node_specs()) {
    const Topology topology = build_cluster(node, 1);
    for (const std::size_t n : {2U, 4U, 8U}) {
      for (const CollectiveKind kind : {kAllReduce, kAllGather, kReduceScatter}) {
        EXPECT_NEAR(bus_bandwidth(topology, kind, first_gpus(n), kHuge) / node.nvlink, 1.0, 1e-3);
      }
    }
  }
}

TEST(Ring, LargeMessagesReachTheBandwidthOfAllNicsAcrossNodes) {
  for (const NodeSpec& node : node_specs()) {
    for (const int count : {2, 3, 4, 8, 16}) {
      const Topology topology = build_cluster(node, count);
      const std::vector<std::size_t> gpus = first_gpus(8 * static_cast<std::size_t>(count));
      for (const CollectiveKind kind : {kAllReduce, kAllGather, kReduceScatter}) {
        // NVLink carries 1 - 1/8 of what the NICs of a node carry together.
        const double limit = std::min(8 * node.nic, node.nvlink / (1 - 1.0 / 8));
        EXPECT_NEAR(bus_bandwidth(topology, kind, gpus, kHuge) / limit, 1.0, 2e-3)
            << node.name << ' ' << count;
      }
    }
  }
}

TEST(Ring, WithOneMemberPerNodeReachesTheBandwidthOfOneNic) {
  const NodeSpec& node = find_node("dgx-h100");
  const Topology topology = build_cluster(node, 16);
  for (std::size_t local = 0; local < 8; ++local) {
    EXPECT_NEAR(bus_bandwidth(topology, kAllReduce, one_per_node(16, local), kHuge) / node.nic, 1.0, 1e-3);
  }
}

TEST(Ring, AcrossNodesCarriesTheClosedFormOnEveryNicAndNvlink) {
  const Topology topology = build_cluster(find_node("dgx-a100-80gb"), 4);
  for (const CollectiveKind kind : {kAllReduce, kAllGather, kReduceScatter}) {
    for (const std::size_t per_node : {1U, 2U, 4U, 8U}) {
      std::vector<std::size_t> gpus;
      for (std::size_t node = 0; node < 4; ++node) {
        for (std::size_t local = 0; local < per_node; ++local) {
          gpus.push_back(8 * node + local);
        }
      }
      const std::int64_t n = static_cast<std::int64_t>(gpus.size());
      const std::int64_t rings = static_cast<std::int64_t>(per_node);
      const std::int64_t payload = n * rings * 1024 * 1024 * 1024;
      const TransferPlan plan = plan_ring(topology, {}, kind, gpus, Bytes(payload));
      const std::int64_t per_nic = static_cast<std::int64_t>(factor(kind)) * (n - 1) * payload / n / rings;
      EXPECT_EQ(plan.work.amount, Bytes(per_nic));
      for (const std::size_t gpu : gpus) {
        const Gpu& g = topology.gpus()[gpu];
        for (const ResourceId link :
             {topology.nics()[g.nic].port.out, topology.nics()[g.nic].port.in, g.pcie.out, g.pcie.in}) {
          EXPECT_EQ(weight(plan.route, link), Use::kUnitWeight);
        }
        // S' (1 - 1/g) over NVLink, S' = rings x per_nic: the weight is rings - rings / g = per_node - 1.
        EXPECT_EQ(weight(plan.route, g.nvlink.out), Use::kUnitWeight * (per_node - 1));
        EXPECT_EQ(weight(plan.route, g.nvlink.in), Use::kUnitWeight * (per_node - 1));
      }
      const std::size_t nvlinks = per_node > 1 ? 2 * gpus.size() : 0;
      EXPECT_EQ(plan.route.uses.size(), 4 * gpus.size() + nvlinks);
    }
  }
}

TEST(Ring, WithUnevenMembersHasAsManyRingsAsTheSmallestNode) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 2);
  const std::vector<std::size_t> gpus = {0, 1, 2, 8, 9};
  const RingShape shape = ring_shape(topology, {}, kAllGather, gpus);
  EXPECT_EQ(shape.rings, 2);
  const auto share = [](std::uint32_t members) {  // rings x (1 - 1/g), rounded up to 1/1024
    return (2 * Use::kUnitWeight * (members - 1) + members - 1) / members;
  };
  EXPECT_EQ(weight(shape.route, topology.gpus()[2].nvlink.out), share(3));
  EXPECT_EQ(weight(shape.route, topology.gpus()[8].nvlink.out), share(2));
  EXPECT_EQ(weight(shape.route, topology.nics()[topology.gpus()[2].nic].port.out), 0U);
  const Bytes amount = ring_work({}, kAllGather, shape, kHuge).amount;
  EXPECT_EQ(amount, Bytes((4 * kHuge.count() + 9) / 10));  // (n - 1) / n x S / rings, rounded up
}

TEST(Ring, MembersThatShareANicShareItsRing) {
  NodeSpec node = find_node("dgx-h100");
  node.nics = 2;
  const Topology topology = build_cluster(node, 4);
  const RingShape shape = ring_shape(topology, {}, kAllReduce, first_gpus(32));
  EXPECT_EQ(shape.rings, 2);
  EXPECT_EQ(weight(shape.route, topology.gpus()[0].nvlink.out), Use::kUnitWeight * 2 * 7 / 8);
  EXPECT_NEAR(bus_bandwidth(topology, kAllReduce, first_gpus(32), kHuge) / (2 * node.nic), 1.0, 2e-3);
}

TEST(Ring, BetweenRailsHandsOverThroughNvlink) {
  // Rank 0 is on rail 0 of node 0, rank 1 on rail 5 of node 1.
  const Topology topology = build_cluster(find_node("dgx-h100"), 2);
  const std::vector<std::size_t> gpus = {0, 13};
  const Route uses = ring_shape(topology, {}, kAllGather, gpus).route;
  std::map<ResourceId, std::uint32_t> expected;
  for (const auto& [from, to] : {std::pair<std::size_t, std::size_t>{0, 13}, {13, 0}}) {
    for (const ResourceId link : route(topology, from, to)) {
      expected[link] += Use::kUnitWeight;
    }
  }
  std::map<ResourceId, std::uint32_t> loaded;
  for (const Use& use : uses.uses) {
    loaded[use.resource] = use.weight;
  }
  EXPECT_EQ(loaded, expected);
}

TEST(Ring, LoadsATrunkWithEveryHopThatLeavesItsUnit) {
  const NodeSpec& node = find_node("dgx-a100-80gb");
  const Topology topology =
      build_cluster(node, 40, {.oversubscription = 20.0});  // two units; a trunk is one NIC
  const auto trunk_weight = [&](const std::vector<std::size_t>& gpus, std::size_t leaf) {
    return weight(ring_shape(topology, {}, kAllReduce, gpus).route, topology.leaves()[leaf].uplink.out);
  };
  // In order, each of the eight rings leaves a unit once. In turns, at every node.
  std::vector<std::size_t> in_turns;
  for (std::size_t node_in_unit = 0; node_in_unit < 20; ++node_in_unit) {
    for (const std::size_t unit : {0U, 1U}) {
      for (std::size_t local = 0; local < 8; ++local) {
        in_turns.push_back(8 * (20 * unit + node_in_unit) + local);
      }
    }
  }
  for (std::size_t leaf = 0; leaf < 16; ++leaf) {
    EXPECT_EQ(trunk_weight(first_gpus(320), leaf), Use::kUnitWeight);
    EXPECT_EQ(trunk_weight(in_turns, leaf), 20 * Use::kUnitWeight);
  }
  EXPECT_NEAR(bus_bandwidth(topology, kAllReduce, first_gpus(320), kHuge) / (8 * node.nic), 1.0, 0.01);
  EXPECT_NEAR(bus_bandwidth(topology, kAllReduce, in_turns, kHuge) / (8 * node.nic / 20), 1.0, 0.01);
}

TEST(Ring, ConcurrentGroupsOfOneRankPerNodeUseSeparateLinks) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 64);
  std::map<ResourceId, std::uint32_t> users;
  for (std::size_t local = 0; local < 8; ++local) {
    for (const Use& use : ring_shape(topology, {}, kAllReduce, one_per_node(64, local)).route.uses) {
      EXPECT_EQ(use.weight, Use::kUnitWeight);
      ++users[use.resource];
    }
  }
  EXPECT_TRUE(std::all_of(users.begin(), users.end(), [](const auto& user) { return user.second == 1; }));
}

TEST(Latency, OfTheRingCountsStepsInsideAndAcrossNodes) {
  NcclOptions options;
  options.low_latency_cap.fill(Rate(1'000'000'000));  // at 1 MB/s, LL never pays
  const Topology one = build_cluster(find_node("dgx-h100"), 1);
  const Topology four = build_cluster(find_node("dgx-h100"), 4);
  const auto latency = [&](const Topology& topology, CollectiveKind kind, std::size_t n) {
    return ring_work(options, kind, ring_shape(topology, options, kind, first_gpus(n)), kHuge).latency;
  };
  const Time base{8'400'000};
  const Time inside{3'400'000};
  EXPECT_EQ(latency(one, kAllReduce, 8), base + 2 * 7 * inside);
  EXPECT_EQ(latency(one, kAllGather, 8), base + 7 * inside);
  EXPECT_EQ(latency(four, kReduceScatter, 32), base + (31 - 3) * inside + 3 * 14 * kMicrosecond);
  const Time all_reduce = base + (2 * 31 - 2 * 3) * inside + 2 * 3 * 14 * kMicrosecond;
  EXPECT_EQ(10 * latency(four, kAllReduce, 32), 14 * all_reduce);  // NCCL's plateau
}

TEST(Latency, AcrossTheSpineIsPaidOncePerTrunkOnTheWayAround) {
  const Topology joined = build_cluster(find_node("dgx-h100"), 4);
  const Topology split = build_cluster(find_node("dgx-h100"), 4, {.unit = 2});
  const auto latency = [&](const Topology& topology) {
    return plan_ring(topology, {}, kAllGather, first_gpus(32), kHuge).work.latency;
  };
  EXPECT_EQ(latency(split), latency(joined) + 2 * 2 * Time(450'000));
}

TEST(Latency, SmallMessagesUseTheLowLatencyProtocolAndAcrossNodesATree) {
  const NodeSpec& node = find_node("dgx-h100");
  const NcclOptions options = nccl_options(node);
  const Topology topology = build_cluster(node, 32);
  const auto work = [&](CollectiveKind kind, std::size_t n) {
    return ring_work(options, kind, ring_shape(topology, options, kind, first_gpus(n)), Bytes(8));
  };
  EXPECT_EQ(work(kAllReduce, 8).latency, Time(6'600'000) + 14 * Time(600'000));
  // 2 x 7/8 x 8 bytes, as many times more as NVLink is faster than LL (which is more than the flags' twice).
  EXPECT_EQ(work(kAllReduce, 8).amount,
            Bytes(static_cast<std::int64_t>(std::ceil(14 * node.nvlink / 141e9))));
  // Across nodes a step over NVLink takes at least the microsecond that posting to the network takes.
  EXPECT_EQ(work(kAllGather, 64).latency, Time(6'600'000) + (63 - 7) * kMicrosecond + 7 * Time(2'700'000));
  EXPECT_EQ(work(kAllReduce, 256).latency, Time(6'800'000) + 2 * (7 * kMicrosecond + 5 * Time(5'000'000)));
  EXPECT_LT(work(kAllReduce, 256).latency, 100 * kMicrosecond);
}

TEST(Ring, MoreBytesNeverTakeLess) {
  const NcclOptions options;
  const Topology topology = build_cluster(find_node("dgx-a100-80gb"), 16);
  for (const std::size_t n : {2U, 8U, 16U, 128U}) {
    for (const CollectiveKind kind : {kAllReduce, kAllGather}) {
      const RingShape shape = ring_shape(topology, options, kind, first_gpus(n));
      double before = 0;
      // The plateau of the ring is a step up in NCCL's own model; everything else is continuous.
      for (std::int64_t bytes = 1; bytes < std::int64_t{1} << 36; bytes += bytes / 7 + 1) {
        const double time = time_alone(shape, ring_work(options, kind, shape, Bytes(bytes)));
        EXPECT_GE(time * (1 + 1e-6), before) << n << ' ' << bytes;
        before = time;
      }
    }
  }
}

TEST(Reservation, IsChannelsOverSmsAndTrafficOverMemoryBandwidth) {
  const NodeSpec& node = find_node("dgx-a100-80gb");
  const Topology topology = build_cluster(node, 4);
  NcclOptions options;
  options.sms = 108;
  options.memory_bandwidth = 2039e9;
  const auto expect_share = [](std::uint32_t ppm, double share) { EXPECT_NEAR(ppm, 1e6 * share, 1.0); };
  const Route inside = ring_shape(topology, options, kAllReduce, first_gpus(8)).route;
  expect_share(inside.sm_ppm, 24.0 / 108);
  expect_share(inside.memory_ppm, 3 * node.nvlink / 2039e9);
  const Route across = ring_shape(topology, options, kAllGather, first_gpus(32)).route;
  expect_share(across.sm_ppm, 16.0 / 108);
  expect_share(across.memory_ppm, 2 * 8 * node.nic / 2039e9);
  const Route single = ring_shape(topology, options, kAllReduce, one_per_node(4, 3)).route;
  expect_share(single.memory_ppm, 3 * node.nic / 2039e9);
  const Route send = plan_send(topology, options, 0, 8, Bytes(1)).route;
  expect_share(send.sm_ppm, 4.0 / 108);
  expect_share(send.memory_ppm, 2 * node.nic / 2039e9);
  EXPECT_EQ(ring_shape(topology, {}, kAllReduce, first_gpus(8)).route.sm_ppm, 0U);
}

}  // namespace
}  // namespace makespan
