// Pairs of passes that overlap, two replicas in one pipeline, pieces of sequences, and iterations that do not
// wait for each other: on a cluster.
#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "scenarios/workload.h"
#include "schedules/catalogue.h"
#include "test/scenarios/examples.h"

namespace makespan {
namespace {

using test::profiled;
using test::run_it;
using test::small_gpt;

constexpr Time kUnit(1'000'000'000);

/// Every half pass takes a unit.
Scenario unit_profile(const std::string& kind, std::int64_t p, std::int64_t m) {
  Scenario scenario = profiled(p, m);
  scenario.profile->forward = {kUnit};
  scenario.profile->backward.clear();
  scenario.profile->backward_input = {kUnit};
  scenario.profile->backward_weight = {kUnit};
  scenario.schedule.kind = kind;
  scenario.schedule.chunks = schedule_kind(kind).least_chunks;
  return scenario;
}

/// A model on two pipeline ranks.
Scenario two_ranks(const std::string& kind) {
  Scenario scenario = small_gpt(8);
  scenario.parallelism.pipeline = 2;
  scenario.schedule.kind = kind;
  scenario.schedule.chunks =
      std::max(schedule_kind(kind).least_chunks, kind.rfind("interleaved", 0) == 0 ? 2 : 1);
  scenario.schedule.pieces = schedule_kind(kind).has_pieces ? 4 : 1;
  return scenario;
}

Time nominal_work(const Run& run) {
  Time sum;
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    if (run.lowered.graph.tasks[i].kind == TaskKind::compute &&
        run.lowered.graph.label(TaskId(i)).phase != Phase::optimizer) {
      sum += run.lowered.graph.compute(TaskId(i)).nominal();
    }
  }
  return sum;
}

/// Transfers of a group, by their label's name.
std::map<std::string, int> transfers(const Run& run, Group group) {
  std::map<std::string, int> counts;
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    const Label& label = run.lowered.graph.label(TaskId(i));
    if (run.lowered.graph.tasks[i].kind == TaskKind::transfer && label.group == group) {
      ++counts[run.lowered.graph.name(label.name)];
    }
  }
  return counts;
}

// The schedule's own closed forms.

TEST(Pairs, take_dualpipes_closed_form_on_a_profile) {
  // 1.5 p F + (p + 1) I + 3 W + (m - p/2 - 2) F&B for W <= F <= I (reference of DualPipe's released code).
  for (const auto& [p, m] : std::vector<std::pair<int, int>>{{4, 8}, {4, 12}, {8, 20}}) {
    for (const std::int64_t pair : {2, 3}) {  // units: overlapped, and one after the other
      Scenario scenario = unit_profile("dualpipe", p, m);
      scenario.profile->forward_backward = {pair * kUnit};
      const std::int64_t units = 3 * p / 2 + (p + 1) + 3 + (m - p / 2 - 2) * pair;
      EXPECT_EQ(run_it(scenario).report.iteration_time, units * kUnit) << p << ' ' << m << ' ' << pair;
    }
  }
}

TEST(Pairs, take_dualpipevs_closed_form_on_a_profile) {
  // DualPipe's with 2p for p and 2m for m.
  Scenario scenario = unit_profile("dualpipev", 4, 10);
  EXPECT_EQ(run_it(scenario).report.iteration_time, (3 * 4 + 9 + 3 + (20 - 4 - 2) * 3) * kUnit);
}

TEST(Pairs, cost_by_default_what_both_passes_cost) {
  Scenario scenario = unit_profile("dualpipe", 4, 8);
  const Time without = run_it(scenario).report.iteration_time;
  scenario.profile->forward_backward = {3 * kUnit};
  EXPECT_EQ(run_it(scenario).report.iteration_time, without);
}

TEST(Replicas, take_chimeras_closed_form_on_a_profile) {
  // One unit of p micro-batches, F = B: 2 p + p - 2 slots for p/2 of each direction's passes.
  for (const std::int64_t p : {4, 8}) {
    Scenario scenario = profiled(p, p);
    scenario.profile->forward = {kUnit};
    scenario.profile->backward = {kUnit};
    scenario.schedule.kind = "chimera";
    EXPECT_EQ(run_it(scenario).report.iteration_time, (2 * p + p - 2) * kUnit) << p;
  }
}

TEST(Pieces, shorten_the_bubble_by_their_number) {
  // m (F + B) + (p - 1)(F + B) / q.
  for (const std::int64_t q : {1, 2, 4}) {
    Scenario scenario = profiled(4, 8);
    scenario.schedule.kind = "seq1f1b";
    scenario.schedule.pieces = q;
    EXPECT_EQ(run_it(scenario).report.iteration_time, Time((8 * 6'000 + 3 * 6'000 / q) * 1'000'000)) << q;
  }
}

TEST(PostValidation, lets_an_iteration_take_the_longest_span) {
  // ZB-H2 has no bubble within a rank's span for m >= 2p - 1 and F = I = W; a barrier costs p - 1 forwards.
  for (const std::int64_t p : {2, 4}) {
    const std::int64_t m = 2 * p;
    Scenario scenario = unit_profile("zb-h2", p, m);
    scenario.simulation.iterations = 3;
    EXPECT_EQ(run_it(scenario).report.iteration_time, (3 * m + p - 1) * kUnit) << p;
    scenario.schedule.optimizer_sync = OptimizerSync::post_validation;
    const Report report = run_it(scenario).report;
    EXPECT_EQ(report.iteration_time, 3 * m * kUnit) << p;
    EXPECT_EQ(report.longest_span, 3 * m * kUnit) << p;
    EXPECT_EQ(report.span_bubble_ratio, 0.0) << p;
  }
}

TEST(PostValidation, steps_after_the_ranks_before_and_checks_during_the_next_iteration) {
  Scenario scenario = small_gpt(8);
  scenario.parallelism.pipeline = 4;
  scenario.model.tied_embeddings = false;
  scenario.training.global_batch = 16;
  scenario.schedule.kind = "zb-h2";
  scenario.simulation.iterations = 3;
  const auto barrier = run_it(scenario);
  scenario.schedule.optimizer_sync = OptimizerSync::post_validation;
  const auto run = run_it(scenario);
  EXPECT_LT(run.report.iteration_time, barrier.report.iteration_time);
  const std::map<std::string, int> counts = transfers(run, Group::other);
  EXPECT_EQ(counts.at("partial grad-norm"), 3 * 3);  // each rank but the last, each iteration
  EXPECT_EQ(counts.at("whole grad-norm"), 2 * 3);    // each rank but the last, where an iteration follows
  EXPECT_EQ(counts.count("grad-norm all-reduce"), 0U);
  for (const RankReport& rank : run.report.ranks) {
    EXPECT_EQ(rank.time.compute + rank.time.exposed_total() + rank.time.bubble_total(),
              run.report.iteration_time);
  }
}

TEST(PostValidation, sums_a_tensor_groups_norm_first) {
  Scenario scenario = two_ranks("zb-h2");
  scenario.parallelism.tensor = 2;
  scenario.simulation.iterations = 2;
  scenario.schedule.optimizer_sync = OptimizerSync::post_validation;
  const std::map<std::string, int> counts = transfers(run_it(scenario), Group::other);
  EXPECT_EQ(counts.at("partial grad-norm"), 2 * (2 + 2));  // a sum per rank, a message per tensor rank
  EXPECT_EQ(counts.at("whole grad-norm"), 2);
}

TEST(WithoutAFlush, a_stream_of_iterations_fills_the_pipeline_once) {
  for (const std::string kind : {"pipedream", "pipedream-2bw"}) {
    for (const std::int64_t p : {2, 4}) {
      Scenario scenario = profiled(p, 8);
      scenario.schedule.kind = kind;
      scenario.simulation.iterations = 3;
      const auto run = run_it(scenario);
      EXPECT_EQ(run.report.iteration_time, 8 * Time(6'000'000'000)) << kind << p;
      EXPECT_EQ(run.timeline.makespan, (3 * 8 + p - 1) * Time(6'000'000'000));
    }
  }
}

TEST(WithoutAFlush, each_rank_sums_and_steps_for_itself) {
  Scenario scenario = small_gpt(8);
  scenario.model.tied_embeddings = false;
  scenario.parallelism.pipeline = 2;
  scenario.parallelism.data = 2;
  scenario.training.global_batch = 16;
  scenario.simulation.iterations = 2;
  const auto steps = [](const auto& run) {
    int count = 0;
    for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
      count += run.lowered.graph.tasks[i].kind == TaskKind::compute &&
                       run.lowered.graph.label(TaskId(i)).phase == Phase::optimizer
                   ? 1
                   : 0;
    }
    return count;
  };
  const auto weights = [](const auto& run, std::size_t rank) {
    return run.lowered.statics[rank][static_cast<std::size_t>(MemoryKind::weights)];
  };
  scenario.schedule.kind = "1f1b";
  const auto flush = run_it(scenario);
  scenario.schedule.kind = "pipedream-2bw";
  const auto twice = run_it(scenario);
  scenario.schedule.kind = "pipedream";
  const auto each = run_it(scenario);
  EXPECT_EQ(steps(flush), 2 * 4);
  EXPECT_EQ(steps(twice), 2 * 4);
  EXPECT_EQ(steps(each), 2 * 4 * 8) << "8 micro-batches of each replica";
  EXPECT_EQ(transfers(each, Group::dp)["all-reduce"], 8 * transfers(flush, Group::dp)["all-reduce"]);
  EXPECT_EQ(transfers(each, Group::other).size(), 0U) << "no norm over ranks";
  for (const std::size_t rank : {0, 2}) {  // of pipeline ranks 0 and 1
    EXPECT_EQ(weights(twice, rank), 2 * weights(flush, rank));
    EXPECT_EQ(weights(each, rank), (rank == 0 ? 2 : 1) * weights(flush, rank)) << "p - r versions";
  }
  EXPECT_LT(twice.report.iteration_time, flush.report.iteration_time);
  for (const RankReport& rank : each.report.ranks) {
    EXPECT_EQ(rank.time.compute + rank.time.exposed_total() + rank.time.bubble_total(),
              each.report.iteration_time);
  }
}

// On a model.

class OnAModel : public testing::TestWithParam<std::string> {};

TEST_P(OnAModel, accounts_for_every_picosecond) {
  for (const std::int64_t tensor : {1, 2}) {
    Scenario scenario = two_ranks(GetParam());
    scenario.parallelism.tensor = tensor;
    scenario.parallelism.sequence_parallel = tensor > 1;
    const auto run = run_it(scenario);
    for (const RankReport& rank : run.report.ranks) {
      EXPECT_EQ(rank.time.compute + rank.time.exposed_total() + rank.time.bubble_total(),
                run.report.iteration_time);
    }
  }
}

TEST_P(OnAModel, gives_back_every_activation) {
  Scenario scenario = two_ranks(GetParam());
  scenario.training.recompute.kind = RecomputeKind::full;
  const auto run = run_it(scenario);
  std::map<std::uint32_t, std::int64_t> left;
  for (const MemoryDelta& delta : run.lowered.graph.memory) {
    left[static_cast<std::uint32_t>(delta.device.index())] += delta.bytes.count();
  }
  for (const auto& [device, bytes] : left) {
    EXPECT_EQ(bytes, 0) << "device " << device;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, OnAModel,
                         testing::Values("interleaved-overlap", "seq1f1b", "chimera", "dualpipe",
                                         "dualpipev"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Pairs, and_replicas_compute_as_much_as_1f1b) {
  const Time work = nominal_work(run_it(two_ranks("1f1b")));
  for (const std::string kind : {"interleaved-overlap", "chimera", "dualpipe", "dualpipev"}) {
    EXPECT_EQ(nominal_work(run_it(two_ranks(kind))), work) << kind;
  }
}

TEST(Pairs, hide_the_collectives_of_one_pass_beside_the_other) {
  for (const bool sequence_parallel : {false, true}) {
    Scenario scenario = two_ranks("dualpipev");
    scenario.parallelism.tensor = 4;
    scenario.parallelism.sequence_parallel = sequence_parallel;
    Prepared paired = prepare(scenario);
    Prepared apart = prepare(scenario);
    for (std::vector<Action>& actions : apart.schedule.actions) {
      for (Action& action : actions) {
        action.overlaps_next = false;
      }
    }
    const auto exposed = [](const Report& report) {
      return report.exposed_total[static_cast<std::size_t>(Group::tp)];
    };
    const Report with = run(std::move(paired)).report;
    const Report without = run(std::move(apart)).report;
    EXPECT_LT(2 * exposed(with), exposed(without));
    EXPECT_LT(with.iteration_time, without.iteration_time);
  }
}

TEST(Replicas, sum_their_gradients_between_mirror_ranks) {
  Scenario scenario = two_ranks("dualpipe");
  scenario.model.tied_embeddings = false;
  const auto run = run_it(scenario);
  const Workload work = build_workload(scenario, find_accelerator("a100-80gb"));
  // Both ranks hold the whole model: 8 layers, the embedding and the head.
  const Bytes parameters =
      Bytes(8 * work.layer_parameters() + work.embedding_parameters + work.head_parameters);
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    if (run.lowered.graph.label(TaskId(i)).group == Group::dp) {
      const Route& route = run.lowered.graph.route(TaskId(i));
      EXPECT_EQ(route.members.size(), 2U);
    }
  }
  EXPECT_GT(transfers(run, Group::dp)["all-reduce"], 1);
  for (const std::size_t rank : {0, 1}) {
    EXPECT_EQ(run.lowered.statics[rank][static_cast<std::size_t>(MemoryKind::weights)], 2 * parameters);
    EXPECT_EQ(run.lowered.statics[rank][static_cast<std::size_t>(MemoryKind::gradients)], 4 * parameters);
  }
}

TEST(Replicas, need_no_sum_of_tied_embeddings_beside_that) {
  const auto run = run_it(two_ranks("chimera"));
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    const Label& label = run.lowered.graph.label(TaskId(i));
    EXPECT_FALSE(label.group == Group::other && label.phase == Phase::backward);
  }
  const Workload work = build_workload(two_ranks("chimera"), find_accelerator("a100-80gb"), true);
  EXPECT_EQ(run.lowered.statics[0][static_cast<std::size_t>(MemoryKind::weights)],
            2 * Bytes(8 * work.layer_parameters() + work.embedding_parameters + work.head_parameters));
}

TEST(Replicas, reduce_an_embedding_after_both_passes_that_add_to_it) {
  // On rank 0 the first stage of one replica and the last of the other share one matrix.
  const auto run = run_it(two_ranks("chimera"));
  const TaskGraph& graph = run.lowered.graph;
  Time last_pass;
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    const std::string& name = graph.name(graph.label(TaskId(i)).name);
    if (graph.tasks[i].kind == TaskKind::compute && (name == "embedding" || name == "head") &&
        graph.label(TaskId(i)).phase == Phase::backward) {
      last_pass = std::max(last_pass, run.timeline.end[i]);
    }
  }
  Time last_reduction;
  for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
    if (graph.label(TaskId(i)).group == Group::dp && graph.label(TaskId(i)).layer == -1) {
      last_reduction = std::max(last_reduction, run.timeline.begin[i]);
    }
  }
  EXPECT_GE(last_reduction, last_pass);
}

TEST(Evictions, move_memory_between_ranks_and_cost_transfers) {
  Scenario scenario = small_gpt(16);
  scenario.parallelism.pipeline = 8;
  scenario.training.global_batch = 16;
  const auto plain = run_it(scenario);
  scenario.schedule.kind = "bpipe";
  const auto bpipe = run_it(scenario);
  const auto activations = [](const auto& run, std::size_t rank) {
    return run.report.ranks[rank].memory.split[static_cast<std::size_t>(MemoryKind::activations)];
  };
  EXPECT_LT(activations(bpipe, 0), activations(plain, 0));
  EXPECT_GT(activations(bpipe, 7), activations(plain, 7));
  // Rank r of the first three holds 8 - r in 1F1B, more than (8 + 2) / 2 = 5: each of its 16 - 4
  // micro-batches behind the first four goes and comes back.
  const std::map<std::string, int> counts = transfers(bpipe, Group::pp);
  EXPECT_EQ(counts.at("evict activation"), 3 * 12);
  EXPECT_EQ(counts.at("load activation"), 3 * 12);
  std::map<std::uint32_t, std::int64_t> left;
  for (const MemoryDelta& delta : bpipe.lowered.graph.memory) {
    left[static_cast<std::uint32_t>(delta.device.index())] += delta.bytes.count();
  }
  for (const auto& [device, bytes] : left) {
    EXPECT_EQ(bytes, 0) << "device " << device;
  }
}

TEST(Pieces, attend_to_those_before_them_and_hold_less) {
  Scenario whole = small_gpt(8);
  whole.parallelism.pipeline = 4;
  whole.training.global_batch = 16;
  Scenario cut = whole;
  cut.schedule.kind = "seq1f1b";
  cut.schedule.pieces = 4;
  const Accelerator& a100 = find_accelerator("a100-80gb");
  Bytes messages;
  Time before;
  for (int piece = 0; piece < 4; ++piece) {
    const Workload work = build_workload(cut, a100, false, {.index = piece, .count = 4});
    EXPECT_GT(work.attention.forward.nominal(), before) << "later pieces have more keys";
    before = work.attention.forward.nominal();
    messages += work.message;
  }
  EXPECT_EQ(messages, build_workload(whole, a100).message);
  const auto peak = [](const Scenario& scenario) {
    return run_it(scenario).report.ranks[0].memory.split[static_cast<std::size_t>(MemoryKind::activations)];
  };
  // (p + q - 1) / q micro-batches on the first rank, in place of p.
  EXPECT_LT(2 * peak(cut), peak(whole));
}

}  // namespace
}  // namespace makespan
