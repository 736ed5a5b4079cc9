// Makespans, spans and peaks of the generated lists, simulated, against the closed forms of the papers.
#include <algorithm>
#include <gtest/gtest.h>
#include <string>

#include "schedules/bare.h"
#include "schedules/catalogue.h"
#include "schedules/validate.h"

namespace makespan {
namespace {

/// Times of a whole rank's share.
BareCosts costs(int forward, int input, int weight, const Rational& hop = 0) {
  BareCosts costs;
  costs.forward = forward;
  costs.backward = input + weight;
  costs.backward_input = input;
  costs.backward_weight = weight;
  costs.latency = hop;
  return costs;
}

BareResult run(const std::string& kind, const ScheduleOptions& options, const BareCosts& times) {
  return run_bare(generate(kind, options), times, Communication::independent).result;
}

std::vector<int> ranks_up_to(int most) {
  std::vector<int> ranks;
  for (int p = 1; p <= most; ++p) {
    ranks.push_back(p);
  }
  return ranks;
}

TEST(ClosedForms, EagerTakesTheTimeOf1F1BAndHidesTransfers) {
  for (const int p : ranks_up_to(6)) {
    for (const int rounds : {2, 3, 4}) {
      const int m = p * rounds;
      const ScheduleOptions options{.ranks = p, .microbatches = m};
      const BareResult result = run("eager-1f1b", options, costs(2, 2, 1));
      EXPECT_EQ(result.makespan, m * 5 + (p - 1) * 5);
      for (int r = 0; r < p; ++r) {
        EXPECT_EQ(result.peak_activations[static_cast<std::size_t>(r)], std::min(2 * (p - r) - 1, m));
      }
      const Rational hop(1, 10);
      EXPECT_EQ(run("eager-1f1b", options, costs(2, 2, 1, hop)).makespan - result.makespan,
                2 * (p - 1) * hop);
    }
  }
}

TEST(ClosedForms, LoopedBfsPaysOneVthOfTheBubble) {
  for (const int p : ranks_up_to(5)) {
    for (const int v : {1, 2, 3}) {
      for (const int m : {p, 2 * p, 2 * p + 1}) {
        const BareResult result =
            run("looped-bfs", {.ranks = p, .microbatches = m, .chunks = v}, costs(6, 6, 6));
        EXPECT_EQ(result.makespan, m * 18 + Rational((p - 1) * 18, v)) << p << ' ' << v << ' ' << m;
        EXPECT_EQ(result.peak_activations, std::vector<int>(static_cast<std::size_t>(p), m * v));
      }
    }
  }
}

TEST(ClosedForms, LoopedBfsHidesTransfersWhenThereAreTwoMicrobatchesPerRank) {
  const Rational hop(1, 10);
  for (const int p : {2, 3, 4}) {
    for (const int v : {2, 3}) {
      const auto extra = [&](int m) {
        const ScheduleOptions options{.ranks = p, .microbatches = m, .chunks = v};
        const auto whole = 6 * v;
        return run("looped-bfs", options, costs(whole, whole, whole, hop)).makespan -
               run("looped-bfs", options, costs(whole, whole, whole)).makespan;
      };
      EXPECT_EQ(extra(2 * p), 2 * (p - 1) * hop);
      EXPECT_EQ(extra(p), 2 * (v * p - 1) * hop);
    }
  }
}

/// Where W <= F <= I: (p - 1)(F + I - W) of ZB-H1 and, within each rank's span, (p - 1)(F + I - 2 W) of
/// ZB-H2.
TEST(ClosedForms, ZeroBubbleH1AndH2) {
  struct Times {
    int forward, input, weight;
  };

  for (const int p : ranks_up_to(6)) {
    for (const int m : {2 * p - 1, 2 * p, 3 * p + 1}) {
      for (const Times& t : {Times{1, 1, 1}, Times{3, 4, 2}, Times{4, 4, 3}, Times{5, 5, 5}}) {
        const int work = m * (t.forward + t.input + t.weight);
        const ScheduleOptions options{.ranks = p, .microbatches = m};
        const BareResult h1 = run("zb-h1", options, costs(t.forward, t.input, t.weight));
        EXPECT_EQ(h1.makespan, work + (p - 1) * (t.forward + t.input - t.weight)) << p << ' ' << m;
        const BareResult h2 = run("zb-h2", options, costs(t.forward, t.input, t.weight));
        EXPECT_EQ(h2.max_span, work + (p - 1) * (t.forward + t.input - 2 * t.weight)) << p << ' ' << m;
      }
    }
  }
}

TEST(ClosedForms, ZeroBubbleHoldsActivationsUntilTheWeightGradient) {
  for (const int p : {2, 4, 8}) {
    const ScheduleOptions options{.ranks = p, .microbatches = 4 * p};
    // With M_W = M_B: (p - r) + r and 2 (p - r) - 1 + 2 r.
    EXPECT_EQ(peak_activations(generate("zb-h1", options)), std::vector<int>(static_cast<std::size_t>(p), p));
    EXPECT_EQ(peak_activations(generate("zb-h2", options)),
              std::vector<int>(static_cast<std::size_t>(p), 2 * p - 1));
  }
}

TEST(ClosedForms, ZeroBubblePaysForTransfers) {
  const Rational hop(1, 10);
  for (const int p : {2, 3, 4, 8}) {
    const ScheduleOptions options{.ranks = p, .microbatches = 4 * p};
    const auto extra = [&](const std::string& kind, auto field) {
      return run(kind, options, costs(1, 1, 1, hop)).*field - run(kind, options, costs(1, 1, 1)).*field;
    };
    EXPECT_EQ(extra("zb-h1", &BareResult::makespan), 4 * (p - 1) * hop);
    EXPECT_EQ(extra("zb-h2", &BareResult::max_span), 2 * (p - 1) * hop);
  }
}

TEST(ClosedForms, InterleavedZeroBubbleLeavesOneVthOfAForwardPerRank) {
  for (const int p : {1, 2, 4}) {
    for (const int v : {1, 2, 3}) {
      for (const int rounds : {2, 3}) {
        const int m = p * rounds;
        // F = I = W = 1 per whole share; a chunk takes a v-th.
        const BareResult result =
            run("interleaved-zb", {.ranks = p, .microbatches = m, .chunks = v}, costs(1, 1, 1));
        EXPECT_EQ(result.makespan, 3 * m + Rational(p - 1, v)) << p << ' ' << v << ' ' << m;
      }
    }
  }
}

TEST(ClosedForms, ZbVHasNoBubbleWithinASpan) {
  for (const int p : ranks_up_to(6)) {
    for (const int m : {2 * p - 1, 2 * p, 3 * p}) {
      // Chunks of F = I = W = 1.
      const BareResult result = run("zb-v", {.ranks = p, .microbatches = m}, costs(2, 2, 2));
      EXPECT_EQ(result.max_span, 6 * m) << p << ' ' << m;
      EXPECT_EQ(result.makespan, 6 * m + p - 1) << p << ' ' << m;
      EXPECT_EQ(*std::max_element(result.peak_activations.begin(), result.peak_activations.end()),
                std::min(2 * p, 2 * m));
    }
  }
}

TEST(ClosedForms, VHalfAndVMin) {
  for (int p = 3; p <= 12; ++p) {
    for (const int m : {2 * p, 3 * p}) {
      const BareResult half = run("v-half", {.ranks = p, .microbatches = m}, costs(2, 2, 2));
      const BareResult min = run("v-min", {.ranks = p, .microbatches = m}, costs(2, 2, 2));
      const auto most = [](const BareResult& result) {
        return *std::max_element(result.peak_activations.begin(), result.peak_activations.end());
      };
      if (p >= 4 || p % 2 == 1) {
        EXPECT_EQ(half.makespan - 6 * m, p % 2 == 0 ? 3 * p - 7 : 3 * p - 4) << p << ' ' << m;
      }
      EXPECT_EQ(min.makespan - 6 * m, p % 3 == 0 ? 4 * p - 7 : 4 * p - 5) << p << ' ' << m;
      EXPECT_EQ(most(half), 2 * ((p + 2) / 2)) << p << ' ' << m;
      EXPECT_EQ(most(min), 2 * ((p + 4) / 3)) << p << ' ' << m;
    }
  }
}

/// For W <= F <= I: T = 1.5 p F + (p + 1) I + 3 W + (m - p/2 - 2) F&B, and p + 1 activations.
TEST(ClosedForms, DualPipe) {
  struct Times {
    int forward, input, weight, pair;
  };

  for (const int p : {2, 4, 6, 8}) {
    for (const int m : {2 * p, 2 * p + 2, 3 * p}) {
      for (const Times& t : {Times{1, 1, 1, 3}, Times{1, 1, 1, 2}, Times{4, 5, 3, 12}}) {
        BareCosts times = costs(t.forward, t.input, t.weight);
        times.forward_backward = t.pair;
        if ((p / 2 - 1) * (t.input - t.forward) > t.forward) {
          continue;
        }
        const BareResult result = run("dualpipe", {.ranks = p, .microbatches = m}, times);
        EXPECT_EQ(result.makespan, Rational(3 * p, 2) * t.forward + (p + 1) * t.input + 3 * t.weight +
                                       (m - p / 2 - 2) * t.pair)
            << p << ' ' << m;
        EXPECT_EQ(*std::max_element(result.peak_activations.begin(), result.peak_activations.end()), p + 1);
        // DualPipeV on half the ranks: put p -> 2 p, m -> 2 m, chunks of the same times.
        BareCosts halves = costs(2 * t.forward, 2 * t.input, 2 * t.weight);
        halves.forward_backward = 2 * t.pair;
        const BareResult v = run("dualpipev", {.ranks = p / 2, .microbatches = m / 2}, halves);
        if (m / 2 >= p) {
          EXPECT_EQ(v.makespan, result.makespan) << p << ' ' << m;
        }
      }
    }
  }
  BareCosts times = costs(1, 1, 1);
  times.forward_backward = 3;
  const BareResult published = run("dualpipe", {.ranks = 8, .microbatches = 20}, times);
  EXPECT_EQ(published.makespan, 66);
}

/// F = B: p - 2 slots. B = 2 F: (p - 2)(m / p + 1) F, because units that follow each other directly stall.
TEST(ClosedForms, Chimera) {
  for (const int p : {2, 4, 6, 8}) {
    for (const int units : {1, 2, 3}) {
      const int m = p * units;
      const ScheduleOptions options{.ranks = p, .microbatches = m};
      BareCosts equal = costs(1, 1, 0);
      EXPECT_EQ(run("chimera", options, equal).makespan, 2 * m + p - 2) << p << ' ' << m;
      EXPECT_EQ(run("chimera", options, costs(1, 1, 1)).makespan, 3 * m + (p - 2) * (units + 1))
          << p << ' ' << m;
      const std::vector<int> peaks = peak_activations(generate("chimera", options));
      EXPECT_EQ(*std::min_element(peaks.begin(), peaks.end()), p / 2 + 1);
      EXPECT_EQ(*std::max_element(peaks.begin(), peaks.end()), p);
    }
  }
}

TEST(ClosedForms, HanayoWithOneWave) {
  for (const int p : {2, 4, 8}) {
    // Chunks of F = 1, B = 2; two chunks per rank.
    const BareResult result = run("hanayo", {.ranks = p, .microbatches = p}, costs(2, 2, 2));
    EXPECT_EQ(result.makespan, 6 * p + 4 * (p - 1));
    EXPECT_DOUBLE_EQ(result.bubble_ratio, (2.0 * p - 2) / (3 * p + 2 * p - 2));
  }
}

TEST(ClosedForms, Seq1F1BDividesTheBubbleByItsPieces) {
  for (const int p : ranks_up_to(5)) {
    for (const int q : {1, 2, 4}) {
      for (const int m : {p, 2 * p + 1}) {
        const ScheduleOptions options{.ranks = p, .microbatches = m, .pieces = q};
        const BareResult result = run("seq1f1b", options, costs(4, 4, 4));
        EXPECT_EQ(result.makespan, m * 12 + Rational((p - 1) * 12, q)) << p << ' ' << q << ' ' << m;
        for (int r = 0; r < p; ++r) {
          EXPECT_EQ(result.peak_activations[static_cast<std::size_t>(r)], std::min(p - r + q - 1, m * q));
        }
      }
    }
  }
}

TEST(ClosedForms, InterleavedOverlapHoldsOneMoreActivation) {
  for (const int p : {1, 2, 4}) {
    for (const int v : {1, 2}) {
      const ScheduleOptions options{.ranks = p, .microbatches = 2 * p, .chunks = v};
      std::vector<int> plain = peak_activations(generate("interleaved", options));
      for (int r = 0; r < p; ++r) {
        EXPECT_EQ(peak_activations(generate("interleaved-overlap", options))[static_cast<std::size_t>(r)],
                  std::min(plain[static_cast<std::size_t>(r)] + 1, 2 * p * v))
            << p << ' ' << v << ' ' << r;
      }
    }
  }
}

TEST(ClosedForms, TestVectorsWithUnitTimes) {
  const auto makespan = [](const std::string& kind, const ScheduleOptions& options, const BareCosts& times) {
    return run(kind, options, times).makespan;
  };
  const ScheduleOptions four{.ranks = 4, .microbatches = 8};
  EXPECT_EQ(makespan("zb-h1", four, costs(1, 1, 1)), 27);
  EXPECT_EQ(makespan("zb-v", four, costs(2, 2, 2)), 51);
  EXPECT_EQ(makespan("v-half", four, costs(2, 2, 2)), 53);
  EXPECT_EQ(makespan("v-min", four, costs(2, 2, 2)), 59);
  EXPECT_EQ(makespan("chimera", {.ranks = 4, .microbatches = 4}, costs(1, 1, 0)), 10);
  EXPECT_EQ(makespan("chimera", {.ranks = 4, .microbatches = 4}, costs(1, 1, 1)), 16);
}

}  // namespace
}  // namespace makespan
