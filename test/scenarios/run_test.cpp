#include "scenarios/run.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "scenarios/workload.h"
#include "test/scenarios/examples.h"

namespace makespan {
namespace {

using test::profiled;
using test::run_it;
using test::small_gpt;

using Finished = makespan::Run;  // testing::Test has a Run of its own

constexpr Time kForward(2'000'000'000);
constexpr Time kBackward(4'000'000'000);

void expect_exact_attribution(const Finished& run) {
  for (const RankReport& rank : run.report.ranks) {
    EXPECT_EQ((rank.time.compute + rank.time.exposed_total() + rank.time.bubble_total()).count(),
              run.report.iteration_time.count())
        << "rank " << rank.rank;
  }
}

/// Tasks of one group, or compute tasks for Group::none.
std::vector<TaskId> tasks_of(const Finished& run, Group group) {
  std::vector<TaskId> tasks;
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    const bool compute = run.lowered.graph.tasks[i].kind == TaskKind::compute;
    if (run.lowered.graph.label(TaskId(i)).group == group && compute == (group == Group::none)) {
      tasks.emplace_back(i);
    }
  }
  return tasks;
}

Time duration(const Finished& run, TaskId task) {
  return run.timeline.end[task.index()] - run.timeline.begin[task.index()];
}

TEST(Run, a_profiled_pipeline_takes_its_closed_form) {
  for (const std::int64_t p : {1, 2, 4}) {
    for (const std::int64_t m : {1, 4, 8}) {
      for (const char* kind : {"gpipe", "1f1b"}) {
        Scenario scenario = profiled(p, m);
        scenario.schedule.kind = kind;
        const Finished run = run_it(scenario);
        EXPECT_EQ(run.report.iteration_time, (m + p - 1) * (kForward + kBackward))
            << kind << ' ' << p << ' ' << m;
        expect_exact_attribution(run);
      }
    }
  }
}

TEST(Run, a_fixed_communication_time_is_paid_once_a_hop) {
  Scenario scenario = profiled(4, 8);
  scenario.schedule.kind = "gpipe";
  scenario.profile->communication = Time(1'000'000);
  EXPECT_EQ(run_it(scenario).report.iteration_time,
            (8 + 4 - 1) * (kForward + kBackward) + 2 * (4 - 1) * Time(1'000'000));
}

TEST(Run, stages_with_their_own_times_are_paced_by_the_slowest) {
  Scenario scenario = profiled(2, 16);
  scenario.profile->forward = {kForward, 2 * kForward};
  scenario.profile->backward = {kBackward, 2 * kBackward};
  const Time slow = 2 * (kForward + kBackward);
  EXPECT_EQ(run_it(scenario).report.iteration_time, kForward + 16 * slow + kBackward);
}

TEST(Run, several_iterations_repeat_and_the_last_is_reported) {
  Scenario scenario = small_gpt(4);
  scenario.parallelism.pipeline = 2;
  const Finished once = run_it(scenario);
  scenario.simulation.iterations = 3;
  const Finished thrice = run_it(scenario);
  EXPECT_EQ(thrice.report.tasks, 3 * once.report.tasks);
  EXPECT_EQ(thrice.report.window.end, thrice.timeline.makespan);
  EXPECT_LE(thrice.report.iteration_time, once.report.iteration_time);
  expect_exact_attribution(thrice);
}

TEST(Run, no_message_is_received_before_the_optimizer_of_the_iteration_before) {
  Scenario scenario = small_gpt(8);
  scenario.model.tied_embeddings = false;
  scenario.parallelism.pipeline = 2;
  scenario.parallelism.layout = {1, 7};
  scenario.schedule.communication = Communication::fused;
  scenario.simulation.iterations = 2;
  const Finished run = run_it(scenario);
  Time optimizer_end;
  for (const TaskId task : tasks_of(run, Group::none)) {
    if (run.lowered.graph.label(task).phase == Phase::optimizer &&
        run.lowered.graph.device(task) == DeviceId(1) &&
        run.timeline.end[task.index()] <= run.report.window.begin) {
      optimizer_end = std::max(optimizer_end, run.timeline.end[task.index()]);
    }
  }
  ASSERT_GT(optimizer_end, Time(0));
  for (const TaskId task : tasks_of(run, Group::pp)) {
    if (run.lowered.graph.label(task).microbatch >= 8) {
      EXPECT_GE(run.timeline.begin[task.index()], optimizer_end) << run.lowered.graph.describe(task);
    }
  }
}

TEST(Run, sizes_past_the_range_are_refused) {
  Scenario scenario = small_gpt(1);
  scenario.model.hidden = 1'000'000'000;
  scenario.model.ffn = 1'000'000'000;
  EXPECT_THROW((void)run_it(scenario), InfeasibleError);
}

TEST(Run, one_gpu_computes_all_the_time) {
  const Finished run = run_it(small_gpt(4));
  EXPECT_EQ(run.report.ranks[0].time.compute, run.report.iteration_time);
  EXPECT_EQ(run.report.bubble_fraction, 0.0);
}

TEST(Run, tensor_parallel_collectives_are_exposed_in_full) {
  Scenario scenario = small_gpt(4);
  scenario.parallelism.tensor = 8;
  const Finished run = run_it(scenario);
  Time alone;
  for (const TaskId task : tasks_of(run, Group::tp)) {
    EXPECT_EQ(duration(run, task), alone_duration(run.lowered.graph, task));
    alone += duration(run, task);
  }
  // Per micro-batch: one after the embedding; two a layer each way; three for the loss; one before the head.
  EXPECT_EQ(tasks_of(run, Group::tp).size(), 8U * (1 + 4 * 2 * 2 + 3 + 1));
  for (const RankReport& rank : run.report.ranks) {
    EXPECT_EQ(rank.time.exposed[static_cast<std::size_t>(Group::tp)], alone);
  }
  expect_exact_attribution(run);
}

TEST(Run, sequence_parallelism_trades_each_all_reduce_for_two_halves) {
  Scenario scenario = small_gpt(4);
  scenario.parallelism.tensor = 8;
  const Finished whole = run_it(scenario);
  scenario.parallelism.sequence_parallel = true;
  const Finished halves = run_it(scenario);
  expect_exact_attribution(halves);
  EXPECT_LT(halves.report.peak_memory, whole.report.peak_memory);
  std::map<std::string, std::size_t> collectives;
  for (const TaskId task : tasks_of(halves, Group::tp)) {
    ++collectives[halves.lowered.graph.name(halves.lowered.graph.label(task).name)];
  }
  // Per micro-batch. Forward: a gather and a scatter per half layer, a scatter behind the embedding, a gather
  // before the head. Backward: the same two per half layer and the gather of its input again; likewise for
  // the head; a gather before the embedding.
  const std::size_t halves_of_layers = 4 * 2;
  EXPECT_EQ(collectives["all-gather"], 8 * (halves_of_layers + 1 + 2 * halves_of_layers + 1 + 1));
  EXPECT_EQ(collectives["reduce-scatter"], 8 * (halves_of_layers + 1 + halves_of_layers + 1));
  EXPECT_EQ(collectives["loss all-reduce"], 8U * 3);
  EXPECT_EQ(collectives.count("all-reduce"), 0U);
}

TEST(Run, a_reduction_beside_the_weight_gradient_is_faster_and_slows_kernels) {
  Scenario scenario = small_gpt(4);
  scenario.parallelism.tensor = 8;
  const Finished behind = run_it(scenario);
  scenario.software.tensor_overlap = true;
  const Finished beside = run_it(scenario);
  EXPECT_LT(beside.report.iteration_time, behind.report.iteration_time);
  EXPECT_EQ(behind.report.ranks[0].time.slowdown, Time(0));
  EXPECT_GT(beside.report.ranks[0].time.slowdown, Time(0));
  expect_exact_attribution(beside);
}

TEST(Run, full_recompute_repeats_the_forward_pass_and_saves_activations) {
  Scenario scenario = small_gpt(8);
  const Finished none = run_it(scenario);
  scenario.training.recompute.kind = RecomputeKind::full;
  const Finished full = run_it(scenario);
  Time forward;
  Time again;
  for (const TaskId task : tasks_of(full, Group::none)) {
    const Label& label = full.lowered.graph.label(task);
    (label.phase == Phase::recompute ? again : forward) +=
        label.phase == Phase::recompute || (label.phase == Phase::forward && label.layer >= 0)
            ? duration(full, task)
            : Time();
  }
  EXPECT_EQ(again, forward);
  EXPECT_EQ(full.report.iteration_time, none.report.iteration_time + again);
  EXPECT_LT(full.report.peak_memory, none.report.peak_memory);
}

TEST(Run, weights_gradients_and_optimizer_take_18_bytes_a_parameter) {
  Scenario scenario = small_gpt(4);
  const Finished run = run_it(scenario);
  const auto parameters = static_cast<std::int64_t>(total_parameters(scenario));
  const MemorySplit& split = run.report.ranks[0].memory.split;
  EXPECT_EQ(split[static_cast<std::size_t>(MemoryKind::weights)], Bytes(2 * parameters));
  EXPECT_EQ(split[static_cast<std::size_t>(MemoryKind::gradients)], Bytes(4 * parameters));
  EXPECT_EQ(split[static_cast<std::size_t>(MemoryKind::optimizer)], Bytes(12 * parameters));
}

TEST(Run, the_first_stage_of_1f1b_holds_one_micro_batch_per_stage) {
  Scenario scenario = profiled(4, 8);
  scenario.profile->activation = Bytes(1'000'000);
  const Finished run = run_it(scenario);
  for (int rank = 0; rank < 4; ++rank) {
    const MemorySplit& split = run.report.ranks[static_cast<std::size_t>(rank)].memory.split;
    EXPECT_EQ(split[static_cast<std::size_t>(MemoryKind::activations)], Bytes((4 - rank) * 1'000'000));
  }
}

TEST(Run, memory_beyond_the_device_is_told_with_when_where_and_why) {
  Scenario scenario = small_gpt(96);
  const Finished run = run_it(scenario);
  ASSERT_TRUE(run.report.out_of_memory.has_value());
  EXPECT_NE(run.report.out_of_memory->find("out of memory: rank 0 (node 0, GPU 0) needs "), std::string::npos)
      << *run.report.out_of_memory;
  EXPECT_NE(run.report.out_of_memory->find("a100-80gb"), std::string::npos) << *run.report.out_of_memory;
}

/// Two data-parallel pipelines of two stages, one rank a node, all on rail 0; the stages lie in different
/// scalable units, so that both pipelines cross the same uplink. Oversubscribed by the 20 nodes of a unit, it
/// carries one NIC's rate.
Scenario two_pipelines(std::int64_t data) {
  Scenario scenario = profiled(2, 4 * data);
  scenario.parallelism.data = data;
  scenario.cluster.nodes = 40;
  scenario.cluster.fabric.oversubscription = 20;
  scenario.profile->message = Bytes(100'000'000);
  // Ranks: data varies faster than pipeline. Node n has GPUs 8 n to 8 n + 7.
  scenario.parallelism.placement =
      data == 1 ? std::vector<std::int64_t>{0, 160} : std::vector<std::int64_t>{0, 8, 160, 168};
  return scenario;
}

TEST(Run, two_pipelines_on_one_uplink_share_it_max_min_fairly) {
  const Finished alone = run_it(two_pipelines(1));
  const Finished together = run_it(two_pipelines(2));
  EXPECT_GT(together.report.iteration_time, alone.report.iteration_time);
  // In step, each gets half: as if it were alone with messages twice as large.
  Scenario doubled = two_pipelines(1);
  doubled.profile->message = Bytes(200'000'000);
  EXPECT_EQ(together.report.iteration_time, run_it(doubled).report.iteration_time);
  for (const RankReport& rank : together.report.ranks) {
    EXPECT_LE(rank.time.contention[static_cast<std::size_t>(Group::pp)],
              rank.time.exposed[static_cast<std::size_t>(Group::pp)]);
  }
  const Time contended = together.report.ranks[2].time.contention[static_cast<std::size_t>(Group::pp)];
  EXPECT_GT(contended, Time(0));
  expect_exact_attribution(together);
}

/// Interleaved, two stages on two nodes, two replicas on two more: the reduction of the second chunk runs
/// beside the backward passes and gradient messages of the first.
Scenario overlapping_replicas(bool overlap) {
  Scenario scenario = small_gpt(16);
  scenario.training.global_batch = 16;
  scenario.parallelism.pipeline = 2;
  scenario.parallelism.data = 2;
  scenario.parallelism.data_parallel.overlap = overlap;
  scenario.cluster.nodes = 4;
  scenario.parallelism.placement = {0, 8, 16, 24};
  scenario.schedule = {.kind = "interleaved", .chunks = 2, .communication = Communication::independent};
  return scenario;
}

TEST(Run, a_reduction_that_overlaps_backward_slows_sends_and_kernels) {
  const Finished run = run_it(overlapping_replicas(true));
  const TaskGraph& graph = run.lowered.graph;
  const auto overlaps_reduction = [&](TaskId task, DeviceId device) {
    for (const TaskId reduction : tasks_of(run, Group::dp)) {
      const std::vector<DeviceId>& members = graph.route(reduction).members;
      const bool member = std::find(members.begin(), members.end(), device) != members.end();
      if (member && run.timeline.begin[task.index()] < run.timeline.end[reduction.index()] &&
          run.timeline.begin[reduction.index()] < run.timeline.end[task.index()]) {
        return true;
      }
    }
    return false;
  };
  std::size_t slowed_sends = 0;
  for (const TaskId send : tasks_of(run, Group::pp)) {
    if (overlaps_reduction(send, graph.route(send).members[0])) {
      slowed_sends += duration(run, send) > alone_duration(graph, send) ? 1U : 0U;
    }
  }
  EXPECT_GT(slowed_sends, 0U) << "messages and reductions leave through the same NIC";
  std::size_t slowed_kernels = 0;
  for (const TaskId kernel : tasks_of(run, Group::none)) {
    const bool slower = duration(run, kernel) > graph.compute(kernel).nominal();
    slowed_kernels += slower ? 1U : 0U;
    if (slower) {
      bool beside_transfer = overlaps_reduction(kernel, graph.device(kernel));
      for (const TaskId send : tasks_of(run, Group::pp)) {
        const std::vector<DeviceId>& members = graph.route(send).members;
        const bool member = std::find(members.begin(), members.end(), graph.device(kernel)) != members.end();
        beside_transfer |= member && run.timeline.begin[kernel.index()] < run.timeline.end[send.index()] &&
                           run.timeline.begin[send.index()] < run.timeline.end[kernel.index()];
      }
      EXPECT_TRUE(beside_transfer) << graph.describe(kernel);
    }
  }
  EXPECT_GT(slowed_kernels, 0U) << "reductions take SMs from the kernels of their members";
  expect_exact_attribution(run);
}

TEST(Run, overlapping_the_reduction_pays) {
  const Finished beside = run_it(overlapping_replicas(true));
  const Finished behind = run_it(overlapping_replicas(false));
  EXPECT_LT(beside.report.iteration_time, behind.report.iteration_time);
  const auto dp = static_cast<std::size_t>(Group::dp);
  EXPECT_LT(beside.report.exposed_total[dp], behind.report.exposed_total[dp]);
}

TEST(Run, every_communication_semantics_runs_a_pipeline) {
  for (const Communication communication :
       {Communication::independent, Communication::per_peer, Communication::per_rank, Communication::blocking,
        Communication::fused}) {
    Scenario scenario = profiled(4, 8);
    scenario.profile->message = Bytes(10'000'000);
    scenario.schedule.communication = communication;
    const Finished run = run_it(scenario);
    EXPECT_GT(run.report.iteration_time, (8 + 4 - 1) * (kForward + kBackward)) << to_string(communication);
    expect_exact_attribution(run);
  }
}

TEST(Run, tensor_groups_belong_inside_a_node) {
  Scenario scenario = small_gpt(4);
  scenario.parallelism.tensor = 4;
  scenario.parallelism.pipeline = 4;
  scenario.cluster.nodes = 4;
  const Finished inside = run_it(scenario);
  scenario.parallelism.placement = {0, 8, 16, 24, 1, 9, 17, 25, 2, 10, 18, 26, 3, 11, 19, 27};
  const Finished across = run_it(scenario);
  EXPECT_GT(across.report.iteration_time, inside.report.iteration_time);
}

TEST(Run, bytes_on_links_come_from_the_workload) {
  Scenario scenario = profiled(2, 4);
  scenario.cluster.nodes = 2;
  scenario.parallelism.placement = {0, 8};
  scenario.profile->message = Bytes(1'000'000);
  const Finished run = run_it(scenario);
  const auto nic = std::find_if(run.report.links.begin(), run.report.links.end(),
                                [](const LinkClass& links) { return links.kind == "nic"; });
  ASSERT_NE(nic, run.report.links.end());
  EXPECT_EQ(nic->bytes, Bytes(2 * 2 * 4 * 1'000'000)) << "out of one node and into the other, once each way";
}

TEST(Run, the_critical_path_sums_to_the_iteration) {
  const Finished run = run_it(overlapping_replicas(true));
  const CriticalPath& path = run.report.critical_path;
  Time sum = path.idle;
  for (const Time time : path.compute) {
    sum += time;
  }
  for (const Time time : path.transfer) {
    sum += time;
  }
  EXPECT_EQ(sum, run.report.iteration_time);
}

TEST(Run, shuffling_simultaneous_events_changes_nothing) {
  const Prepared prepared = prepare(overlapping_replicas(true));
  const std::uint64_t expected = run(prepared).report.fingerprint;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_EQ(run(prepared, {.record_rates = false, .tie_seed = seed, .progress = {}}).report.fingerprint,
              expected);
  }
}

}  // namespace
}  // namespace makespan
