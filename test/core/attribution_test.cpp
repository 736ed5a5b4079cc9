#include "core/attribution.h"

#include <gtest/gtest.h>

#include "core/simulator.h"

namespace makespan {
namespace {

constexpr Bytes kMessage(1'000'000);
constexpr Time kBlock(1'000'000);

/// Two devices joined by one link each way of 1 GB/s.
class Attribution : public testing::Test {
 protected:
  TaskId compute(std::size_t device, Time duration, Phase phase = Phase::forward) {
    return builder_.compute(DeviceId(device), {.launch = Time(), .sm = duration, .memory = Time()},
                            {.name = builder_.name("work"), .phase = phase});
  }

  TaskId transfer(std::vector<DeviceId> members, Group group, Bytes bytes = kMessage) {
    const RouteId route = builder_.route({.uses = {{link_}}, .members = std::move(members)});
    return builder_.transfer(route, {.amount = bytes, .latency = Time(500)},
                             {.name = builder_.name("message"), .group = group});
  }

  void chain(std::initializer_list<TaskId> tasks) {
    for (auto task = tasks.begin(); task + 1 != tasks.end(); ++task) {
      builder_.edge(*task, *(task + 1));
    }
  }

  std::vector<RankTime> attribute_all() {
    graph_ = std::move(builder_).build();
    timeline_ = simulate(graph_);
    window_ = {.begin = Time(), .end = timeline_.makespan};
    std::vector<RankTime> ranks = attribute(graph_, timeline_, window_);
    for (const RankTime& rank : ranks) {
      EXPECT_EQ(rank.compute + rank.exposed_total() + rank.bubble_total(), window_.length());
    }
    return ranks;
  }

  /// The message alone: latency, then bytes at 1 GB/s, which is 1000 ps a byte.
  static Time alone(Bytes bytes = kMessage) { return Time(500) + Time(1000 * bytes.count()); }

  TaskGraphBuilder builder_{2};
  ResourceId link_ = builder_.resource("0->1", "link", Rate(1'000'000'000'000));
  TaskGraph graph_;
  Timeline timeline_;
  Window window_;
};

Time bubble(const RankTime& rank, Bubble cause) {
  return rank.bubble[static_cast<std::size_t>(cause)];
}

Time exposed(const RankTime& rank, Group group) {
  return rank.exposed[static_cast<std::size_t>(group)];
}

TEST_F(Attribution, waiting_for_an_own_message_is_exposed_and_for_its_producer_is_a_bubble) {
  chain({compute(0, 3 * kBlock), transfer({DeviceId(0), DeviceId(1)}, Group::pp), compute(1, kBlock)});
  const std::vector<RankTime> ranks = attribute_all();
  EXPECT_EQ(ranks[1].compute, kBlock);
  EXPECT_EQ(exposed(ranks[1], Group::pp), alone());
  EXPECT_EQ(bubble(ranks[1], Bubble::warm_up), 3 * kBlock);
  EXPECT_EQ(ranks[0].compute, 3 * kBlock);
  EXPECT_EQ(bubble(ranks[0], Bubble::optimizer), alone() + kBlock) << "the tail";
}

TEST_F(Attribution, a_message_between_others_is_a_bubble) {
  const TaskId far = transfer({DeviceId(0)}, Group::pp);
  chain({compute(0, kBlock), far, compute(1, kBlock)});
  const std::vector<RankTime> ranks = attribute_all();
  EXPECT_EQ(exposed(ranks[1], Group::pp), Time());
  EXPECT_EQ(bubble(ranks[1], Bubble::warm_up), kBlock + alone());
}

TEST_F(Attribution, a_message_that_waits_for_a_slot_waits_for_the_message_that_holds_it) {
  const TaskId own = transfer({DeviceId(1)}, Group::dp);
  const TaskId remote = transfer({DeviceId(0)}, Group::pp);
  const TaskId last = transfer({DeviceId(1)}, Group::pp);
  chain({last, compute(1, kBlock)});
  builder_.pool({.tasks = {remote, own, last}, .slots = 1});
  const std::vector<RankTime> ranks = attribute_all();
  EXPECT_EQ(exposed(ranks[1], Group::pp), alone());
  EXPECT_EQ(exposed(ranks[1], Group::dp), alone());
  EXPECT_EQ(bubble(ranks[1], Bubble::warm_up), alone()) << "the message between others";
  const CriticalPath path = critical_path(graph_, timeline_, window_);
  EXPECT_EQ(path.transfer[static_cast<std::size_t>(Group::pp)], 2 * alone());
  EXPECT_EQ(path.transfer[static_cast<std::size_t>(Group::dp)], alone());
}

TEST_F(Attribution, a_chain_of_own_messages_is_exposed_to_each_group_even_behind_markers) {
  const TaskId first = transfer({DeviceId(1)}, Group::dp);
  const TaskId second = transfer({DeviceId(1)}, Group::tp);
  const TaskId gate = builder_.marker({.name = builder_.name("gate")});
  chain({compute(1, kBlock), first, gate, second, compute(1, kBlock)});
  const std::vector<RankTime> ranks = attribute_all();
  EXPECT_EQ(exposed(ranks[1], Group::dp), alone());
  EXPECT_EQ(exposed(ranks[1], Group::tp), alone());
  EXPECT_EQ(ranks[1].bubble_total(), Time());
}

TEST_F(Attribution, ties_go_to_own_communication_in_the_order_of_groups) {
  const TaskId tp = transfer({DeviceId(1)}, Group::tp, Bytes(1000));
  const TaskId pp = transfer({DeviceId(1)}, Group::pp, Bytes(1000));
  const TaskId last = compute(1, kBlock);
  const TaskId other =
      compute(0, Time(500) + Time(2 * 1000 * 1000));  // as long as the two that share the link
  chain({pp, last});
  chain({tp, last});
  chain({other, last});
  const std::vector<RankTime> ranks = attribute_all();
  EXPECT_EQ(exposed(ranks[1], Group::tp), timeline_.begin[last.index()]);
  EXPECT_EQ(ranks[1].contention[static_cast<std::size_t>(Group::tp)], Time(1000 * 1000))
      << "half of it is sharing";
}

TEST_F(Attribution, a_gap_after_the_last_forward_is_drain_and_one_before_it_dependency) {
  const TaskId forward_a = compute(1, kBlock);
  const TaskId remote_a = compute(0, 2 * kBlock);
  const TaskId forward_b = compute(1, kBlock);
  const TaskId remote_b = compute(0, 2 * kBlock);
  const TaskId backward = compute(1, kBlock, Phase::backward);
  chain({forward_a, forward_b, backward});
  chain({remote_a, remote_b});
  chain({remote_a, forward_b});
  chain({remote_b, backward});
  const std::vector<RankTime> ranks = attribute_all();
  EXPECT_EQ(bubble(ranks[1], Bubble::dependency), kBlock);
  EXPECT_EQ(bubble(ranks[1], Bubble::drain), kBlock);
}

TEST_F(Attribution, slow_down_by_reservations_is_told_apart) {
  const RouteId route = builder_.route({.uses = {{link_}}, .members = {DeviceId(0)}, .sm_ppm = 500'000});
  builder_.transfer(route, {.amount = Bytes(1'000'000'000), .latency = Time()}, {.name = builder_.name("m")});
  compute(0, kBlock);
  const std::vector<RankTime> ranks = attribute_all();
  EXPECT_EQ(ranks[0].compute, 2 * kBlock);
  EXPECT_EQ(ranks[0].slowdown, kBlock);
}

TEST_F(Attribution, the_critical_path_sums_to_the_window) {
  chain({compute(0, 3 * kBlock), transfer({DeviceId(0), DeviceId(1)}, Group::pp),
         compute(1, 2 * kBlock, Phase::optimizer)});
  compute(1, kBlock);
  attribute_all();
  const CriticalPath path = critical_path(graph_, timeline_, window_);
  EXPECT_EQ(path.compute[static_cast<std::size_t>(Phase::forward)], 3 * kBlock);
  EXPECT_EQ(path.compute[static_cast<std::size_t>(Phase::optimizer)], 2 * kBlock);
  EXPECT_EQ(path.transfer[static_cast<std::size_t>(Group::pp)], alone());
  EXPECT_EQ(path.idle, Time());
}

TEST_F(Attribution, a_window_that_starts_later_counts_only_what_lies_in_it) {
  const TaskId first = compute(0, 3 * kBlock);
  const TaskId second = compute(0, 2 * kBlock);
  chain({first, second});
  graph_ = std::move(builder_).build();
  timeline_ = simulate(graph_);
  const Window window{.begin = kBlock, .end = timeline_.makespan};
  const std::vector<RankTime> ranks = attribute(graph_, timeline_, window);
  EXPECT_EQ(ranks[0].compute, 4 * kBlock);
  EXPECT_EQ(ranks[1].bubble_total(), 4 * kBlock);
}

TEST_F(Attribution, the_fingerprint_ignores_task_numbers_and_sees_every_picosecond) {
  const auto print = [](bool swapped, Time duration) {
    TaskGraphBuilder builder(2);
    const Label label{.name = builder.name("work")};
    for (const std::size_t device : {swapped ? 1U : 0U, swapped ? 0U : 1U}) {
      const Time own = device == 0 ? duration : kBlock;
      builder.compute(DeviceId(device), {.launch = Time(), .sm = own, .memory = Time()}, label);
    }
    const TaskGraph graph = std::move(builder).build();
    return fingerprint(graph, simulate(graph));
  };
  EXPECT_EQ(print(false, 2 * kBlock), print(true, 2 * kBlock));
  EXPECT_NE(print(false, 2 * kBlock), print(false, 2 * kBlock + Time(1)));
}

}  // namespace
}  // namespace makespan
