#include "scenarios/what_if.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test/scenarios/examples.h"

namespace makespan {
namespace {

using test::profiled;
using test::run_it;
using test::small_gpt;

using Finished = makespan::Run;  // testing::Test has a Run of its own

Time makespan_of(const TaskGraph& graph) {
  return simulate(graph).makespan;
}

Time duration(const Timeline& timeline, std::size_t task) {
  return timeline.end[task] - timeline.begin[task];
}

/// Two nodes, so that messages and gradients share NICs, with everything that communicates: tensor, pipeline
/// and data parallelism, tied embeddings, overlapped reductions.
Scenario busy(const std::string& kind, std::int64_t microbatches) {
  Scenario scenario = small_gpt(8);
  scenario.cluster.nodes = 2;
  scenario.parallelism.tensor = 2;
  scenario.parallelism.pipeline = 4;
  scenario.parallelism.data = 2;
  scenario.parallelism.data_parallel.overlap = true;
  scenario.training.global_batch = 2 * microbatches;
  scenario.schedule.kind = kind;
  return scenario;
}

std::vector<Finished> examples() {
  std::vector<Finished> runs;
  for (const char* kind : {"gpipe", "1f1b", "zb-h1"}) {
    for (const std::int64_t microbatches : {4, 8}) {
      runs.push_back(run_it(busy(kind, microbatches)));
    }
  }
  Scenario overlapped = busy("1f1b", 4);
  overlapped.parallelism.sequence_parallel = true;
  overlapped.software.tensor_overlap = true;
  runs.push_back(run_it(overlapped));
  Scenario fused = busy("1f1b", 4);
  fused.schedule.communication = Communication::fused;
  runs.push_back(run_it(fused));
  Scenario messages = busy("1f1b", 4);
  messages.simulation.fidelity = "message";
  runs.push_back(run_it(messages));
  return runs;
}

TEST(WhatIf, without_slowdown_compute_takes_its_nominal_time) {
  const Finished run = run_it(busy("1f1b", 4));
  ASSERT_TRUE(std::any_of(run.report.ranks.begin(), run.report.ranks.end(),
                          [](const RankReport& rank) { return rank.time.slowdown > Time(0); }));
  const Timeline timeline = simulate(without_slowdown(run.lowered.graph));
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    if (run.lowered.graph.tasks[i].kind == TaskKind::compute) {
      EXPECT_EQ(duration(timeline, i), run.lowered.graph.compute(TaskId(i)).nominal());
    }
  }
}

TEST(WhatIf, without_contention_transfers_take_what_they_take_alone) {
  for (const Finished& run : examples()) {
    const TaskGraph& graph = run.lowered.graph;
    const Timeline timeline = simulate(without_contention(graph));
    std::size_t contended = 0;
    for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
      if (graph.tasks[i].kind == TaskKind::transfer) {
        const Time alone = alone_duration(graph, TaskId(i));
        EXPECT_EQ(duration(timeline, i), alone);
        contended += duration(run.timeline, i) > alone ? 1U : 0U;
      }
    }
    EXPECT_GT(contended, 0U);
  }
}

/// 1F1B's (m + p - 1)(F + B) with free messages, and 2 (p - 1) latencies more on the way of the first
/// micro-batch through the stages and back: what lies between them hides the others when m = 1.
TEST(WhatIf, without_latency_a_pipeline_takes_its_closed_form) {
  constexpr Time kWork(6'000'000'000);
  constexpr Time kLatency(1'000'000'000);
  for (const std::int64_t p : {2, 4}) {
    Scenario scenario = profiled(p, 1);
    scenario.profile->communication = kLatency;
    const Finished run = run_it(scenario);
    EXPECT_EQ(run.report.iteration_time, p * kWork + 2 * (p - 1) * kLatency);
    EXPECT_EQ(makespan_of(without_latency(run.lowered.graph)), p * kWork);
    EXPECT_EQ(makespan_of(without_bandwidth(run.lowered.graph, Group::pp)), run.report.iteration_time);
  }
}

TEST(WhatIf, without_bandwidth_one_group_moves_nothing_and_keeps_its_latency) {
  const Finished run = run_it(busy("1f1b", 4));
  const TaskGraph& graph = run.lowered.graph;
  const TaskGraph changed = without_bandwidth(graph, Group::dp);
  std::size_t freed = 0;
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    const TaskId task(i);
    if (graph.tasks[i].kind != TaskKind::transfer) {
      continue;
    }
    EXPECT_EQ(changed.transfer(task).latency, graph.transfer(task).latency);
    const bool is_free = graph.label(task).group == Group::dp;
    EXPECT_EQ(changed.transfer(task).amount, is_free ? Bytes(0) : graph.transfer(task).amount);
    freed += is_free ? 1U : 0U;
  }
  EXPECT_GT(freed, 0U);
}

/// Neither transforms nor their combinations look at anything but the graph.
TEST(WhatIf, transforms_commute_where_they_change_different_things) {
  const Finished run = run_it(busy("1f1b", 4));
  const TaskGraph& graph = run.lowered.graph;
  EXPECT_EQ(makespan_of(without_slowdown(without_latency(graph))),
            makespan_of(without_latency(without_slowdown(graph))));
  EXPECT_EQ(makespan_of(without_bandwidth(without_latency(graph), Group::tp)),
            makespan_of(without_latency(without_bandwidth(graph, Group::tp))));
}

/// Every task of the changed graph lasts a fixed time that is no longer than in the run, and starts when its
/// last predecessor ends: nothing is later.
TEST(WhatIf, nothing_is_later_without_contention_and_slowdown) {
  for (const Finished& run : examples()) {
    const Timeline timeline = simulate(without_slowdown(without_contention(run.lowered.graph)));
    for (std::size_t i = 0; i < timeline.end.size(); ++i) {
      ASSERT_LE(timeline.begin[i], run.timeline.begin[i]);
      ASSERT_LE(timeline.end[i], run.timeline.end[i]);
    }
  }
}

TEST(WhatIf, nothing_is_later_without_communication) {
  for (const Finished& run : examples()) {
    const Timeline timeline = simulate(without_communication(run.lowered.graph));
    for (std::size_t i = 0; i < timeline.end.size(); ++i) {
      ASSERT_LE(timeline.begin[i], run.timeline.begin[i]);
      ASSERT_LE(timeline.end[i], run.timeline.end[i]);
    }
  }
}

TEST(WhatIf, less_to_wait_for_is_never_slower_where_transfers_share_nothing) {
  const auto fixed = [](const TaskGraph& graph) {
    return makespan_of(without_slowdown(without_contention(graph)));
  };
  for (const Finished& run : examples()) {
    const TaskGraph& graph = run.lowered.graph;
    const Time whole = fixed(graph);
    const Time nothing = fixed(without_communication(graph));
    EXPECT_LE(fixed(without_latency(graph)), whole);
    EXPECT_LE(nothing, fixed(without_latency(graph)));
    for (const Group group : {Group::tp, Group::pp, Group::dp, Group::other}) {
      EXPECT_LE(fixed(without_bandwidth(graph, group)), whole);
      EXPECT_LE(nothing, fixed(without_bandwidth(graph, group)));
    }
  }
}

/// Without what slows the compute before it, a transfer starts earlier, meets another on its link, and holds
/// up what the end waits for.
TEST(WhatIf, one_cause_less_may_cost_time) {
  constexpr Rate kGigabyte(1'000'000'000'000);  // a byte takes 1000 ps
  TaskGraphBuilder builder(2);
  const Label label{builder.name("work")};
  const ResourceId link = builder.resource("link", "link", kGigabyte);
  const RouteId shared = builder.route({{{link}}, {}, 0, 0});
  const RouteId heavy = builder.route({{}, {DeviceId(0)}, 500'000, 0});  // half of the SMs of device 0
  const auto compute = [&](std::size_t device, std::int64_t nanoseconds) {
    return builder.compute(DeviceId(device), {Time(0), Time(nanoseconds * 1000), Time(0)}, label);
  };
  builder.transfer(heavy, {Bytes(0), Time(1'000'000)}, label);
  const TaskId slowed = compute(0, 20);  // takes 40 ns beside `heavy`
  const TaskId first = builder.transfer(shared, {Bytes(50), Time(0)}, label);
  builder.edge(slowed, first);
  const TaskId other = compute(1, 25);
  const TaskId second = builder.transfer(shared, {Bytes(10), Time(0)}, label);
  const TaskId last = compute(1, 2000);
  builder.edge(other, second);
  builder.edge(second, last);
  const TaskGraph graph = std::move(builder).build();
  EXPECT_EQ(makespan_of(graph), Time((25 + 10 + 2000) * 1000));
  EXPECT_EQ(makespan_of(without_slowdown(graph)), Time((25 + 2 * 10 + 2000) * 1000));
  EXPECT_EQ(makespan_of(without_slowdown(without_contention(graph))), Time((25 + 10 + 2000) * 1000));
}

TEST(WhatIf, has_a_run_for_every_cause_and_group_that_occurs) {
  const Finished run = run_it(busy("1f1b", 4));
  const std::vector<WhatIf> result = what_if(run);
  std::vector<std::pair<Cause, Group>> causes;
  for (const WhatIf& entry : result) {
    causes.emplace_back(entry.cause, entry.group);
  }
  EXPECT_THAT(causes,
              testing::ElementsAre(
                  std::pair(Cause::compute_slowdown, Group::none), std::pair(Cause::contention, Group::none),
                  std::pair(Cause::latency, Group::none), std::pair(Cause::bandwidth, Group::tp),
                  std::pair(Cause::bandwidth, Group::pp), std::pair(Cause::bandwidth, Group::dp),
                  std::pair(Cause::bandwidth, Group::other), std::pair(Cause::communication, Group::none),
                  std::pair(Cause::bubble, Group::none)));
  const TaskGraph& graph = run.lowered.graph;
  EXPECT_EQ(result[0].iteration_time, makespan_of(without_slowdown(graph)));
  EXPECT_EQ(result[1].iteration_time, makespan_of(without_contention(graph)));
  EXPECT_EQ(result[2].iteration_time, makespan_of(without_latency(graph)));
  EXPECT_EQ(result[4].iteration_time, makespan_of(without_bandwidth(graph, Group::pp)));
  EXPECT_EQ(result[7].iteration_time, makespan_of(without_communication(graph)));
  for (const RankReport& rank : run.report.ranks) {
    EXPECT_GE(result[8].iteration_time, run.report.iteration_time - rank.time.bubble_total());
  }
}

TEST(WhatIf, reports_the_last_of_several_iterations) {
  Scenario scenario = profiled(4, 8);
  scenario.simulation.iterations = 2;
  const Finished run = run_it(scenario);
  for (const WhatIf& entry : what_if(run)) {
    if (entry.cause != Cause::bubble) {
      EXPECT_EQ(entry.iteration_time, run.report.iteration_time);
    }
  }
}

/// One rank alone never waits for another.
TEST(WhatIf, a_rank_alone_has_no_bubble_to_lose) {
  const Finished run = run_it(profiled(1, 4));
  EXPECT_EQ(what_if(run).back().cause, Cause::bubble);
  EXPECT_EQ(what_if(run).back().iteration_time, run.report.iteration_time);
}

}  // namespace
}  // namespace makespan
