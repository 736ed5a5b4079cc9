// Collectives message by message against the same as one fluid transfer.

#include "network/messages.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <numeric>

#include "core/error.h"
#include "core/simulator.h"
#include "network/fabrics.h"

namespace makespan {
namespace {

/// A flow that starts at `start` beside the collective.
struct Competitor {
  std::size_t from = 0;
  std::size_t to = 0;
  Bytes bytes;
  Time start;
};

class Bench {
 public:
  Bench(const Topology& topology, CollectivePlanner& planner)
      : planner_(planner), builder_(topology.gpu_count()) {
    for (std::size_t i = 0; i < topology.links().size(); ++i) {
      const Link& link = topology.links()[i];
      builder_.resource(link_name(topology, ResourceId(i)), to_string(link.kind), link.capacity);
    }
  }

  void compete(const Competitor& flow) {
    const Label label{.name = builder_.name("competitor")};
    const TransferPlan plan = planner_.send(flow.from, flow.to, flow.bytes);
    const TaskId wait = builder_.transfer(builder_.route({}), {Bytes(0), flow.start}, label);
    builder_.edge(wait, builder_.transfer(builder_.route(plan.route), {flow.bytes, Time(0)}, label));
  }

  Time fluid(const CollectivePlan& plan) {
    const Label label{.name = builder_.name("fluid")};
    return end_of(builder_.transfer(builder_.route(plan.transfer.route), plan.transfer.work, label));
  }

  Time messages(const Chunks& chunks) {
    return end_of(add(builder_, chunks, {.name = builder_.name("message")}).last);
  }

 private:
  Time end_of(TaskId task) { return simulate(std::move(builder_).build()).end[task.index()]; }

  CollectivePlanner& planner_;
  TaskGraphBuilder builder_;
};

struct Case {
  const char* node;
  int nodes;
  CollectiveKind kind;
  Algorithm algorithm;
};

std::string case_name(const testing::TestParamInfo<Case>& instance) {
  const Case& c = instance.param;
  std::string name = std::string(to_string(c.kind)) + "_" + std::string(to_string(c.algorithm)) + "_" +
                     c.node + "_" + std::to_string(c.nodes) + "_nodes";
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

/// The latencies on the way through the sends that has most.
Time longest_way(const Chunks& chunks) {
  Time longest;
  std::vector<Time> ends;
  for (const Chunks::Send& send : chunks.sends) {
    Time start;
    for (const std::uint32_t before : send.after) {
      start = std::max(start, ends[before]);
    }
    ends.push_back(start + chunks.hops[send.hop].latency);
    longest = std::max(longest, ends.back());
  }
  return longest;
}

class MessagesAndFluid : public testing::TestWithParam<Case> {
 protected:
  MessagesAndFluid()
      : topology_(build_cluster(find_node(GetParam().node), GetParam().nodes)),
        planner_(topology_, nccl_options(find_node(GetParam().node))),
        gpus_(topology_.gpu_count()) {
    std::iota(gpus_.begin(), gpus_.end(), 0);
    if (GetParam().algorithm == Algorithm::pat) {  // NCCL runs it with one rank per node
      std::erase_if(gpus_, [](std::size_t gpu) { return gpu % 8 != 0; });
    }
  }

  CollectivePlan plan(Bytes payload) {
    return planner_.plan(GetParam().kind, gpus_, payload,
                         {.algorithm = GetParam().algorithm, .protocol = Protocol::simple});
  }

  Time fluid(Bytes payload, const std::vector<Competitor>& competitors = {}) {
    Bench bench(topology_, planner_);
    for (const Competitor& flow : competitors) {
      bench.compete(flow);
    }
    return bench.fluid(plan(payload));
  }

  Time messages(Bytes payload, const std::vector<Competitor>& competitors = {}) {
    Bench bench(topology_, planner_);
    for (const Competitor& flow : competitors) {
      bench.compete(flow);
    }
    return bench.messages(expand(planner_, GetParam().kind, gpus_, payload, plan(payload)));
  }

  /// The latencies of the steps; and where a stream of chunks fills levels one after the other, or phases
  /// follow each other, the part of it that fills them.
  double tolerance(Bytes payload) {
    const CollectivePlan p = plan(payload);
    const double stream = seconds(planner_.alone(p.transfer)) - seconds(p.transfer.work.latency);
    const double steps = seconds(longest_way(expand(planner_, GetParam().kind, gpus_, payload, p)));
    const bool is_chain = p.algorithm == Algorithm::ring && GetParam().kind >= CollectiveKind::broadcast;
    const double chunks = std::clamp(static_cast<double>(payload.count()) / 8 / 32768, 1.0, 128.0);
    if (p.algorithm == Algorithm::tree) {
      return steps + stream * 16 / chunks;
    }
    if (is_chain) {
      return steps + stream * static_cast<double>(gpus_.size()) / chunks;
    }
    if (p.algorithm == Algorithm::hierarchical) {
      return steps + stream * 2 / 4;  // of four parts, the first fills and the last empties the phases
    }
    return steps + (p.algorithm == Algorithm::direct ? stream / 16 : 0);  // the last sends leave links idle
  }

  Topology topology_;
  CollectivePlanner planner_;
  std::vector<std::size_t> gpus_;
};

TEST_P(MessagesAndFluid, AgreeAloneWithinTheLatency) {
  for (int log = 10; log <= 30; log += 4) {
    const std::int64_t size = std::int64_t{1} << log;
    SCOPED_TRACE(size);
    EXPECT_NEAR(seconds(messages(Bytes(size))), seconds(fluid(Bytes(size))), tolerance(Bytes(size)));
  }
}

TEST_P(MessagesAndFluid, TakeTheSameTimeForAFewBytes) {
  const Bytes few(1024);
  const CollectivePlan p = plan(few);
  const Chunks chunks = expand(planner_, GetParam().kind, gpus_, few, p);
  // A ring's longest way may meet one network step more than NCCL counts, and more than there is to wait for.
  const Time beyond = std::max(longest_way(chunks) - p.transfer.work.latency, Time(0));
  EXPECT_NEAR(seconds(messages(few)), seconds(fluid(few) + beyond), 0.005 * seconds(fluid(few)));
  EXPECT_LE(seconds(beyond), 2.3e-6);  // 14 - 3.4 - 8.4 us
}

TEST_P(MessagesAndFluid, AgreeBesideACompetingFlowWithinTheLatency) {
  // On a hop that every algorithm uses: from the second node to the next over NIC 0; over NVLink in one node,
  // and for a tree over two nodes, which waits for NVLink.
  // It starts when a third of the collective is done and stays until after its end.
  const Bytes payload(256 << 20);
  const std::size_t nodes = topology_.node_count();
  const bool over_nic = nodes > (GetParam().algorithm == Algorithm::tree ? 2 : 1);
  const std::size_t from = over_nic ? 8 : 1;
  const std::size_t to = over_nic ? 16 % topology_.gpu_count() : 2;
  const double alone = seconds(fluid(payload));
  const std::vector<Competitor> competitors = {
      {from, to, Bytes(std::int64_t{4} << 30), time_from_seconds(alone / 3)}};
  const double shared = seconds(fluid(payload, competitors));
  EXPECT_GT(shared, 1.01 * alone);
  const double chunked = seconds(messages(payload, competitors));
  if (GetParam().algorithm == Algorithm::ring || GetParam().algorithm == Algorithm::tree) {
    EXPECT_NEAR(chunked, shared, 2 * tolerance(payload));
  } else {
    // One slow link holds up all of a fluid transfer; of messages only those that wait for it. What is left
    // of a link is at least half.
    EXPECT_LT(chunked, 2 * seconds(messages(payload)));
    EXPECT_GE(chunked, seconds(messages(payload)));
  }
}

TEST(Messages, OfADirectAllReduceWaitForAsManyAsAreInFlight) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 4);
  CollectivePlanner planner(topology, nccl_options(find_node("dgx-h100")));
  std::vector<std::size_t> gpus(topology.gpu_count());
  std::iota(gpus.begin(), gpus.end(), 0);
  const Bytes payload(1 << 30);
  const CollectivePlan plan =
      planner.plan(CollectiveKind::all_reduce, gpus, payload, {.algorithm = Algorithm::direct});
  const Chunks chunks = expand(planner, CollectiveKind::all_reduce, gpus, payload, plan);
  const std::size_t ranks = gpus.size();
  EXPECT_EQ(chunks.sends.size(), 2 * ranks * (ranks - 1));
  std::size_t waits = 0;
  for (const Chunks::Send& send : chunks.sends) {
    waits += send.after.size();
  }
  // In the second round each rank's first eight sends wait for all that it received, the others for the
  // eighth before them, as all but the first eight of the first round do.
  EXPECT_EQ(waits, ranks * (8 * (ranks - 1) + 2 * (ranks - 1 - 8)));
}

TEST(Messages, OfMoreGpusThanMemoryHoldsAreRefused) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 128);
  CollectivePlanner planner(topology, nccl_options(find_node("dgx-h100")));
  std::vector<std::size_t> gpus(topology.gpu_count());
  std::iota(gpus.begin(), gpus.end(), 0);
  CollectivePlan plan;
  plan.algorithm = Algorithm::direct;
  EXPECT_THROW((void)expand(planner, CollectiveKind::all_gather, gpus, Bytes(1 << 30), plan),
               InfeasibleError);
}

INSTANTIATE_TEST_SUITE_P(
    Rings, MessagesAndFluid,
    testing::Values(Case{"dgx-a100-80gb", 1, CollectiveKind::all_reduce, Algorithm::ring},
                    Case{"dgx-a100-80gb", 1, CollectiveKind::all_gather, Algorithm::ring},
                    Case{"dgx-a100-80gb", 2, CollectiveKind::all_reduce, Algorithm::ring},
                    Case{"dgx-h100", 2, CollectiveKind::all_reduce, Algorithm::ring},
                    Case{"dgx-h100", 4, CollectiveKind::all_gather, Algorithm::ring},
                    Case{"dgx-h100", 8, CollectiveKind::all_reduce, Algorithm::ring},
                    Case{"dgx-h100", 8, CollectiveKind::reduce_scatter, Algorithm::ring}),
    case_name);

INSTANTIATE_TEST_SUITE_P(Trees, MessagesAndFluid,
                         testing::Values(Case{"dgx-a100-80gb", 4, CollectiveKind::all_reduce,
                                              Algorithm::tree},
                                         Case{"dgx-h100", 2, CollectiveKind::all_reduce, Algorithm::tree},
                                         Case{"dgx-h100", 8, CollectiveKind::all_reduce, Algorithm::tree}),
                         case_name);

INSTANTIATE_TEST_SUITE_P(
    Others, MessagesAndFluid,
    testing::Values(Case{"dgx-h100", 4, CollectiveKind::all_reduce, Algorithm::hierarchical},
                    Case{"dgx-h100", 4, CollectiveKind::all_gather, Algorithm::hierarchical},
                    Case{"dgx-h100", 4, CollectiveKind::reduce_scatter, Algorithm::hierarchical},
                    Case{"dgx-h100", 1, CollectiveKind::all_reduce, Algorithm::halving_doubling},
                    Case{"dgx-h100", 4, CollectiveKind::all_reduce, Algorithm::halving_doubling},
                    Case{"dgx-h100", 4, CollectiveKind::all_gather, Algorithm::pat},
                    Case{"dgx-h100", 1, CollectiveKind::all_to_all, Algorithm::direct},
                    Case{"dgx-h100", 4, CollectiveKind::all_to_all, Algorithm::direct},
                    Case{"dgx-h100", 1, CollectiveKind::broadcast, Algorithm::ring},
                    Case{"dgx-h100", 4, CollectiveKind::broadcast, Algorithm::ring},
                    Case{"dgx-h100", 4, CollectiveKind::reduce, Algorithm::ring}),
    case_name);

}  // namespace
}  // namespace makespan
