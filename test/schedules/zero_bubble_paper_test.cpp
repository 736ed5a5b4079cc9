// The bubble rates that "Zero Bubble Pipeline Parallelism" calculates from its own profiles.
#include <array>
#include <gtest/gtest.h>
#include <string>

#include "schedules/bare.h"
#include "schedules/catalogue.h"

namespace makespan {
namespace {

/// Qi et al. 2024 (arXiv 2401.10241): times of a stage and micro-batch in microseconds, and bubble rates.
struct Row {
  const char* model;
  int ranks;
  int microbatches;
  int forward, input, weight, communication;
  double one_f_one_b, zb_h1, zb_h2;
};

constexpr std::array<Row, 12> kRows = {{
    {"1.5B", 8, 24, 18522, 18086, 9337, 601, 0.2431, 0.1585, 0.1083},
    {"1.5B", 8, 32, 18513, 18086, 9331, 626, 0.1985, 0.1242, 0.0837},
    {"1.5B", 8, 64, 18546, 18097, 9321, 762, 0.1240, 0.0674, 0.0444},
    {"6.2B", 8, 24, 29718, 29444, 19927, 527, 0.2347, 0.1323, 0.0698},
    {"6.2B", 8, 32, 29802, 29428, 19530, 577, 0.1898, 0.1045, 0.0559},
    {"6.2B", 8, 64, 29935, 29621, 19388, 535, 0.1091, 0.0554, 0.0294},
    {"14.6B", 16, 48, 11347, 11248, 8132, 377, 0.2552, 0.1397, 0.0672},
    {"14.6B", 16, 64, 11307, 11254, 8101, 379, 0.2082, 0.1088, 0.0516},
    {"14.6B", 16, 128, 11325, 11308, 8109, 378, 0.1251, 0.0576, 0.0266},
    {"28.3B", 32, 96, 10419, 10207, 7715, 408, 0.2646, 0.1421, 0.0641},
    {"28.3B", 32, 128, 10408, 10204, 7703, 408, 0.2168, 0.1106, 0.0490},
    {"28.3B", 32, 256, 10402, 10248, 7698, 460, 0.1352, 0.0594, 0.0257},
}};

/// (cost - work) / cost with the longest time of a rank from its first F to its last W.
double rate(const std::string& kind, const Row& row) {
  BareCosts costs;
  costs.forward = row.forward;
  costs.backward = row.input + row.weight;
  costs.backward_input = row.input;
  costs.backward_weight = row.weight;
  costs.latency = row.communication;
  return run_bare(generate(kind, {.ranks = row.ranks, .microbatches = row.microbatches}), costs,
                  Communication::independent)
      .result.span_bubble_ratio;
}

TEST(ZeroBubblePaper, RatesComeOutToFourDigits) {
  constexpr double kHalfDigit = 0.5e-4;
  for (const Row& row : kRows) {
    const std::string name = std::string(row.model) + ", m = " + std::to_string(row.microbatches);
    EXPECT_NEAR(rate("1f1b", row), row.one_f_one_b, kHalfDigit) << name;
    EXPECT_NEAR(rate("zb-h1", row), row.zb_h1, kHalfDigit) << name;
    EXPECT_NEAR(rate("zb-h2", row), row.zb_h2, kHalfDigit) << name;
  }
}

}  // namespace
}  // namespace makespan
