// Bare schedules against closed forms, published vectors and hand-derived times.
#include "schedules/bare.h"

#include <algorithm>
#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "core/error.h"
#include "core/random.h"
#include "schedules/catalogue.h"
#include "schedules/deadlock.h"
#include "test/schedules/list_oracle.h"
#include "test/schedules/pytorch_files.h"

namespace makespan::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::array<int, 6> kRanks = {1, 2, 3, 4, 8, 16};
constexpr std::array<int, 6> kMicrobatches = {1, 2, 4, 8, 16, 64};
constexpr std::array<Communication, 5> kAll = {Communication::independent, Communication::per_peer,
                                               Communication::per_rank, Communication::blocking,
                                               Communication::fused};

BareCosts costs_of(const Rational& forward, const Rational& backward, const Rational& hop = 0) {
  BareCosts costs;
  costs.forward = forward;
  costs.backward = backward;
  costs.latency = hop;
  return costs;
}

BareResult run(const Schedule& schedule, const BareCosts& costs,
               Communication communication = Communication::independent) {
  return run_bare(schedule, costs, communication).result;
}

TEST(Bare, GpipeAndOneFOneBTakeTheClosedForm) {
  const Rational forward(1);
  const Rational backward(5, 3);
  for (const int p : kRanks) {
    for (const int m : kMicrobatches) {
      for (const char* kind : {"gpipe", "1f1b"}) {
        const BareResult result =
            run(generate(kind, {.ranks = p, .microbatches = m}), costs_of(forward, backward));
        const Rational work = m * (forward + backward);
        const Rational makespan = (m + p - 1) * (forward + backward);
        EXPECT_EQ(result.makespan, makespan) << kind << ' ' << p << ' ' << m;
        EXPECT_EQ(result.work, work);
        EXPECT_EQ(result.max_span, makespan);  // rank 0 starts first and ends last
        EXPECT_DOUBLE_EQ(result.bubble_ratio, (p - 1.0) / (m + p - 1.0));
        EXPECT_DOUBLE_EQ(result.span_bubble_ratio, (p - 1.0) / (m + p - 1.0));
        for (int rank = 0; rank < p; ++rank) {
          EXPECT_EQ(result.peak_activations[static_cast<std::size_t>(rank)],
                    std::string(kind) == "gpipe" ? m : std::min(p - rank, m));
        }
      }
    }
  }
}

TEST(Bare, InterleavedTakesTheClosedForm) {
  const Rational forward(1);
  const Rational backward(2);
  for (const int p : kRanks) {
    for (const int m : kMicrobatches) {
      for (const int v : {2, 3, 4}) {
        if (m % p != 0) {
          continue;
        }
        const BareResult result = run(generate("interleaved", {.ranks = p, .microbatches = m, .chunks = v}),
                                      costs_of(forward, backward));
        EXPECT_EQ(result.makespan, m * (forward + backward) + (p - 1) * (forward + backward) / v);
        EXPECT_EQ(result.work, m * (forward + backward));
        for (int rank = 0; rank < p; ++rank) {
          EXPECT_EQ(result.peak_activations[static_cast<std::size_t>(rank)],
                    std::min((v - 1) * p + 2 * (p - 1 - rank) + 1, m * v));
        }
      }
    }
  }
}

TEST(Bare, LatencyCostsWhatTheClosedFormsSay) {
  const Rational forward(1);
  const Rational backward(2);
  const Rational hop(1, 7);
  for (const int p : kRanks) {
    for (const int m : kMicrobatches) {
      const BareCosts with_hop = costs_of(forward, backward, hop);
      const Rational ideal = (m + p - 1) * (forward + backward);
      EXPECT_EQ(run(generate("gpipe", {.ranks = p, .microbatches = m}), with_hop).makespan,
                ideal + 2 * (p - 1) * hop);
      if (m % p != 0 || m < 2 * p) {
        continue;
      }
      if (p >= 2) {
        EXPECT_EQ(run(generate("1f1b", {.ranks = p, .microbatches = m}), with_hop).makespan,
                  ideal + (2 * (p - 1) * (m / p) + 2 * (p - 2)) * hop);
      }
      for (const int v : {2, 3, 4}) {
        const Rational small(1, 100);  // hidden behind a chunk of any v
        const Schedule schedule = generate("interleaved", {.ranks = p, .microbatches = m, .chunks = v});
        const int hops = p == 1 ? 0 : 2 * (v * p - 1);  // within one rank nothing travels
        EXPECT_EQ(run(schedule, costs_of(forward, backward, small)).makespan,
                  m * (forward + backward) + (p - 1) * (forward + backward) / v + hops * small)
            << p << ' ' << m << ' ' << v;
      }
    }
  }
}

TEST(Bare, AgreesWithTheRecursiveOracleOnRandomShapes) {
  Random random(7);
  const auto draw = [&](int low, int high) { return static_cast<int>(random.between(low, high)); };
  for (int i = 0; i < 200; ++i) {
    const int p = draw(1, 7);
    const int v = draw(1, 3);
    const int m = v > 1 ? p * draw(1, 4) : draw(1, 20);
    const ListCosts list{draw(1, 9), draw(1, 9), 0, 0, draw(0, 5)};
    const Schedule schedule = generate(v > 1 ? "interleaved" : (draw(0, 1) == 0 ? "gpipe" : "1f1b"),
                                       {.ranks = p, .microbatches = m, .chunks = v});
    EXPECT_EQ(run(schedule, costs_of(list.forward * v, list.backward * v, list.hop)).makespan,
              list_makespan(schedule, list))
        << p << ' ' << m << ' ' << v;
  }
}

TEST(Bare, GivesThePublishedVectors) {
  EXPECT_EQ(run(generate("1f1b", {.ranks = 4, .microbatches = 8}), costs_of(1, 2)).makespan, 33);
  EXPECT_EQ(
      run(generate("interleaved", {.ranks = 4, .microbatches = 8, .chunks = 2}), costs_of(2, 4)).makespan,
      57);
}

TEST(Bare, RunsSplitBackwards) {
  // ZB-H1 (arXiv 2401.10241) for 4 ranks and 8 micro-batches: rank r runs W r micro-batches late.
  const int p = 4;
  const int m = 8;
  std::vector<std::string> lists;
  for (int r = 0; r < p; ++r) {
    std::string text;
    const auto add = [&](const char* kind, int k) {
      text += std::to_string(r) + kind + std::to_string(k) + ",";
    };
    const int warm_up = std::min(p - 1 - r, m);
    for (int k = 0; k < warm_up; ++k) {
      add("F", k);
    }
    for (int k = 0; k < m; ++k) {
      if (warm_up + k < m) {
        add("F", warm_up + k);
      }
      add("I", k);
      if (k >= r) {
        add("W", k - r);
      }
    }
    for (int k = m - r; k < m; ++k) {
      add("W", k);
    }
    lists.push_back(text);
  }
  const Schedule schedule = schedule_from_lists(lists);
  BareCosts costs;  // F = I = W = 1
  const BareResult result = run(schedule, costs);
  EXPECT_EQ(result.makespan, m * 3 + (p - 1));
  EXPECT_EQ(result.peak_activations, (std::vector<int>{p, p, p, p}));
  EXPECT_EQ(list_makespan(schedule, {}), m * 3 + (p - 1));
}

TEST(Bare, GivesWholeNumbersOfUnitsForThreeChunks) {
  const BareResult result =
      run(generate("interleaved", {.ranks = 4, .microbatches = 8, .chunks = 3}), costs_of(1, 2));
  EXPECT_EQ(to_string(result.makespan), "27");
}

TEST(Bare, GivesExactFractionsOfUnits) {
  const BareResult result =
      run(generate("1f1b", {.ranks = 2, .microbatches = 1}), costs_of(Rational(1, 11), Rational(1, 13)));
  EXPECT_EQ(to_string(result.makespan), "48/143");  // 2 (1/11 + 1/13)
}

TEST(Bare, WritesPyTorchsTokens) {
  const BareResult result = run(generate("1f1b", {.ranks = 2, .microbatches = 1}), BareCosts{});
  EXPECT_EQ(result.actions, (std::vector<std::vector<std::string>>{{"0F0", "0B0"}, {"1F0", "1B0"}}));
}

TEST(Bare, ReportsNoBubbleWhenNothingTakesTime) {
  const BareResult result = run(generate("1f1b", {.ranks = 2, .microbatches = 2}), costs_of(0, 0));
  EXPECT_EQ(result.makespan, 0);
  EXPECT_EQ(result.bubble_ratio, 0.0);
  EXPECT_EQ(result.span_bubble_ratio, 0.0);
}

TEST(Bare, SpansLeaveOutTheTimeBeforeARankStarts) {
  // Rank 1 runs one micro-batch, rank 0 waits for it in the middle.
  const BareResult result = run(generate("1f1b", {.ranks = 2, .microbatches = 1}), costs_of(1, 2));
  EXPECT_EQ(result.max_span, (1 + 1) * (1 + 2));
  EXPECT_EQ(result.work, 1 + 2);
  EXPECT_DOUBLE_EQ(result.span_bubble_ratio, 0.5);
}

TEST(BareMessages, CrossTheOneLinkOfTheirPairOfRanks) {
  // 1F1B over 64 ranks, 512 micro-batches, F = 1 ms, B = 2 ms, 32 MiB at 50 GB/s after 1 us: a hop is
  // exclusive on its link here, so the closed form for latency holds with c = 1 us + bytes / bandwidth.
  BareCosts costs = read_bare_costs({.forward = "1 ms",
                                     .backward = "2 ms",
                                     .communication = "33554432 B",
                                     .bandwidth = "50 GB/s",
                                     .latency = "1 us"});
  const int p = 64;
  const int m = 512;
  const Rational hop = Rational(1, 1'000'000) + Rational(33'554'432, 50'000'000'000);
  const Rational expected = (m + p - 1) * Rational(3, 1000) + (2 * (p - 1) * (m / p) + 2 * (p - 2)) * hop;
  const BareRun outcome =
      run_bare(generate("1f1b", {.ranks = p, .microbatches = m}), costs, Communication::independent);
  EXPECT_NEAR(to_double(outcome.result.makespan), to_double(expected), 1e-9);
  EXPECT_NEAR(to_double(outcome.result.makespan), 2.485804340, 1e-9);
  EXPECT_EQ(outcome.model.graph.resources.size(), static_cast<std::size_t>(2 * (p - 1)));
}

TEST(BareMessages, ShareALinkWhenTheyOverlap) {
  // GPipe, two ranks, two micro-batches, F = 1 s; a message of 3 B at 1 B/s. 0F0 ends at 1, 0F1 at 2. The
  // first message runs alone for 1 s, then both share: it ends at 1 + 1 + 4 = 6, the second at 6 + 1 = 7. B =
  // 0 and gradients back.
  const BareCosts costs =
      read_bare_costs({.forward = "1 s", .backward = "0", .communication = "3 B", .bandwidth = "1 B/s"});
  const BareRun outcome =
      run_bare(generate("gpipe", {.ranks = 2, .microbatches = 2}), costs, Communication::independent);
  std::vector<Rational> ends;
  for (std::size_t i = 0; i < outcome.model.graph.tasks.size(); ++i) {
    if (outcome.model.graph.tasks[i].kind == TaskKind::transfer &&
        outcome.model.graph.label(TaskId(i)).phase == Phase::forward) {
      ends.emplace_back(BigInteger(outcome.timeline.end[i].count()), outcome.model.ticks_per_unit);
    }
  }
  EXPECT_EQ(ends, (std::vector<Rational>{1 + 1 + 4, 6 + 1}));
}

TEST(BareMessages, KeepTheirBandwidthWhenATickIsNotAPicosecond) {
  // A third of a second needs ticks of a third of a picosecond. One hop there, one back.
  const BareCosts costs = read_bare_costs(
      {.forward = "1/3 s", .backward = "2/3 s", .communication = "1 GB", .bandwidth = "1 GB/s"});
  const BareResult result = run(generate("1f1b", {.ranks = 2, .microbatches = 1}), costs);
  EXPECT_NEAR(to_double(result.makespan), 2 * (1.0 / 3 + 2.0 / 3) + 2 * 1.0, 1e-11);
}

/// The comparison that keeps real systems honest: each discipline only adds constraints to the one before.
TEST(BareCommunication, IsNeverFasterWhenItIsStricter) {
  Random random(11);
  const auto draw = [&](int low, int high) { return static_cast<int>(random.between(low, high)); };
  for (int i = 0; i < 100; ++i) {
    const int p = draw(1, 6);
    const int v = draw(1, 3);
    const int m = v > 1 ? p * draw(1, 3) : draw(1, 12);
    const Schedule schedule = generate(v > 1 ? "interleaved" : (draw(0, 1) == 0 ? "gpipe" : "1f1b"),
                                       {.ranks = p, .microbatches = m, .chunks = v});
    const BareCosts costs = costs_of(draw(1, 9), draw(1, 9), Rational(draw(0, 8), 4));
    const auto makespan = [&](Communication communication) {
      return run(schedule, costs, communication).makespan;
    };
    EXPECT_LE(makespan(Communication::independent), makespan(Communication::per_peer));
    EXPECT_LE(makespan(Communication::per_peer), makespan(Communication::per_rank));
    EXPECT_LE(makespan(Communication::per_rank), makespan(Communication::blocking));
    EXPECT_LE(makespan(Communication::independent), makespan(Communication::fused));
  }
}

/// PyTorch's early receives with transfers that take no time: only a stream per rank holds anything up.
TEST(BareCommunication, InOrderStreamsHoldUpInterleaving) {
  struct Row {
    int ranks;
    int microbatches;
    int independent;
    int per_peer;
    int per_rank;
  };

  for (const Row& row : {Row{4, 8, 57, 57, 70}, Row{8, 16, 117, 117, 172}}) {
    const Schedule schedule =
        generate("interleaved", {.ranks = row.ranks, .microbatches = row.microbatches, .chunks = 2});
    const BareCosts costs = costs_of(2, 4);
    EXPECT_EQ(run(schedule, costs, Communication::independent).makespan, row.independent);
    EXPECT_EQ(run(schedule, costs, Communication::per_peer).makespan, row.per_peer);
    EXPECT_EQ(run(schedule, costs, Communication::per_rank).makespan, row.per_rank);
  }
}

TEST(BareCommunication, NoneDeadlocksTheGeneratedSchedules) {
  for (const int p : kRanks) {
    for (const int m : {1, 2, 4, 8, 16}) {
      for (const Communication communication : kAll) {
        for (const char* kind : {"gpipe", "1f1b"}) {
          EXPECT_NO_THROW(static_cast<void>(
              run(generate(kind, {.ranks = p, .microbatches = m}), costs_of(1, 2, 1), communication)))
              << kind << ' ' << p << ' ' << m << ' ' << to_string(communication);
        }
        for (const int v : {2, 3}) {
          if (m % p == 0 || m < p) {
            EXPECT_NO_THROW(
                static_cast<void>(run(generate("interleaved", {.ranks = p, .microbatches = m, .chunks = v}),
                                      costs_of(1, 2, 1), communication)))
                << p << ' ' << m << ' ' << v << ' ' << to_string(communication);
          }
        }
      }
    }
  }
}

TEST(BareCommunication, FusedExchangesRunEveryGroupThatIsAcceptedAtTheIdealTime) {
  for (const int p : {1, 2, 3, 4, 5}) {
    for (const int v : {2, 3}) {
      for (int m = p; m <= 12; ++m) {
        for (int group = p; group <= m; ++group) {
          if (m % group != 0 && m % group < p) {
            continue;
          }
          const Schedule schedule =
              generate("interleaved", {.ranks = p, .microbatches = m, .chunks = v, .group = group});
          EXPECT_EQ(run(schedule, costs_of(1, 2), Communication::fused).makespan,
                    m * 3 + Rational((p - 1) * 3, v))
              << p << ' ' << m << ' ' << v << ' ' << group;
        }
      }
    }
  }
}

TEST(BareCommunication, AFusedExchangeDelaysTwoRanksByOneHopPerMicrobatch) {
  // 1F1B, two ranks. Rank 1 runs F and B of a micro-batch, then one exchange swaps the gradient for the next
  // activation, and rank 0 fits its own B and F into the same time: a micro-batch takes F + B + c. Before the
  // first, F + c; after the last, c + B.
  const Rational forward(2);
  const Rational backward(3);
  const Rational hop(5, 4);
  for (const int m : kMicrobatches) {
    EXPECT_EQ(run(generate("1f1b", {.ranks = 2, .microbatches = m}), costs_of(forward, backward, hop),
                  Communication::fused)
                  .makespan,
              (forward + hop) + m * (forward + backward) + (m - 1) * hop + (hop + backward));
  }
}

TEST(BareCommunication, FusedExchangesCostMiddleRanksTwoHopsPerMicrobatch) {
  // A middle rank exchanges after its F and after its B, so that the steady state of 1F1B takes F + B + 2 c
  // per micro-batch; interleaving exchanges once per pair, which is v (F/v + B/v + c).
  const Rational forward(2);
  const Rational backward(3);
  const Rational hop(1, 4);
  const auto makespan = [&](const char* kind, int p, int m, int v) {
    return run(generate(kind, {.ranks = p, .microbatches = m, .chunks = v}), costs_of(forward, backward, hop),
               Communication::fused)
        .makespan;
  };
  EXPECT_EQ(makespan("1f1b", 4, 21, 1) - makespan("1f1b", 4, 20, 1), forward + backward + 2 * hop);
  const int v = 2;
  EXPECT_EQ(makespan("interleaved", 4, 24, v) - makespan("interleaved", 4, 20, v),
            4 * v * (forward / v + backward / v + hop));
}

TEST(BareCommunication, BlockingMessagesStopTheSender) {
  // GPipe, two ranks, m micro-batches: every activation stops rank 0 for a hop, every gradient rank 1. F = B
  // = c = 1. Rank 0 is through with F at 2 m; rank 1 has its last activation then, and runs F, B, gradient;
  // the gradients follow each other every B + c, and rank 0 ends a B after the last.
  const int m = 6;
  EXPECT_EQ(
      run(generate("gpipe", {.ranks = 2, .microbatches = m}), costs_of(1, 1, 1), Communication::blocking)
          .makespan,
      2 * m + 1 + 2 * m + 1);
}

TEST(BareDeadlock, IsToldAsWhoWaitsForWhom) {
  const Schedule schedule = schedule_from_lists({"0F0,0B0,0F1,0B1", "1F0,1F1,1B0,1B1"});
  try {
    static_cast<void>(run(schedule, BareCosts{}));
    FAIL() << "ran a deadlock";
  } catch (const InfeasibleError& error) {
    EXPECT_THAT(std::string(error.what()),
                AllOf(HasSubstr("rank 0 waits at 0B0"), HasSubstr("rank 1 waits at 1F1")));
  }
}

TEST(BareDeadlock, OfMessagesThatBlockIsToldAsWell) {
  // Each rank sends first and receives after: fine with independent messages, a deadlock when sends block.
  const Schedule schedule = schedule_from_lists({"0F0,0SEND_F0,0RECV_B0,0F1,0SEND_F1,0B0,0RECV_B1,0B1",
                                                 "1RECV_F0,1F0,1RECV_F1,1B0,1SEND_B0,1F1,1B1,1SEND_B1"});
  EXPECT_NO_THROW(static_cast<void>(run(schedule, BareCosts{}, Communication::independent)));
  EXPECT_EQ(find_deadlock(schedule, Communication::independent), "");
  EXPECT_EQ(find_deadlock(schedule, Communication::blocking),
            "deadlock with blocking communication: rank 0 waits at 0F1 for the gradient of 1B0 from rank 1 "
            "to rank 0; "
            "rank 1 waits at 1B0 for the activation of 0F1 from rank 0 to rank 1");
  EXPECT_THROW(static_cast<void>(run(schedule, BareCosts{}, Communication::blocking)), InfeasibleError);
}

TEST(BareInvalid, ListsAreRefused) {
  EXPECT_THROW(static_cast<void>(run(schedule_from_lists({"0B0,0F0"}), BareCosts{})), InputError);
}

TEST(Bare, StopsWhenToldToInTheMiddleOfAShortRun) {
  // One instant per pass, and far fewer tasks than a run on a cluster ends between two reports.
  const Schedule schedule = generate("gpipe", {.ranks = 1, .microbatches = 3000});
  SimulationOptions options;
  std::size_t reported = 0;
  options.progress = [&reported](std::size_t done, std::size_t total, Time /*now*/) {
    EXPECT_EQ(total, std::size_t{2 * 3000});
    reported = done;
    return done < 1000;
  };
  EXPECT_THROW(static_cast<void>(run_bare(schedule, costs_of(1, 2), Communication::independent, options)),
               Interrupted);
  EXPECT_GE(reported, std::size_t{1000});
  EXPECT_LT(reported, std::size_t{2 * 3000});
}

TEST(Bare, AsksWhetherToGoOnBeforeItStarts) {
  SimulationOptions options;
  options.progress = [](std::size_t, std::size_t, Time) { return false; };
  EXPECT_THROW(
      static_cast<void>(run_bare(generate("gpipe", {}), costs_of(1, 2), Communication::independent, options)),
      Interrupted);
}

}  // namespace
}  // namespace makespan::test
