// Against published kernel timings, where the table of them is at hand.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "devices/kernel.h"
#include "test/support/csv.h"

namespace makespan {
namespace {

using Row = std::map<std::string, std::string>;

std::vector<Row> kernel_rows(const std::function<bool(const Row&)>& wanted) {
  std::vector<Row> rows = test::read_csv(MAKESPAN_SOURCE_DIR "/../shared/data/validation/kernels.csv");
  std::erase_if(rows, [&](const Row& row) { return !wanted(row); });
  return rows;
}

double number(const Row& row, const char* column) {
  return std::stod(row.at(column));
}

struct Errors {
  double median = 0;
  double p90 = 0;
  double bias = 0;
};

/// Of predicted over measured time, minus 1.
Errors errors_of(std::vector<double> ratios, const char* what) {
  std::sort(ratios.begin(), ratios.end());
  Errors errors;
  errors.bias = ratios[ratios.size() / 2] - 1;
  for (double& ratio : ratios) {
    ratio = ratio > 1 ? ratio - 1 : 1 - ratio;
  }
  std::sort(ratios.begin(), ratios.end());
  errors.median = ratios[ratios.size() / 2];
  errors.p90 = ratios[ratios.size() * 9 / 10];
  std::printf("%s: %zu rows, error median %.1f %%, p90 %.1f %%, bias %+.1f %%\n", what, ratios.size(),
              100 * errors.median, 100 * errors.p90, 100 * errors.bias);
  return errors;
}

TEST(KernelConformance, GemmsOnH100WithAllDimensionsAtLeast512) {
  const std::vector<Row> rows = kernel_rows([](const Row& row) {
    return row.at("op") == "gemm" && row.at("gpu") == "H100-80GB-SXM" && row.at("dtype") == "bf16" &&
           !row.at("m").empty() && std::min({number(row, "m"), number(row, "n"), number(row, "k")}) >= 512;
  });
  if (rows.empty()) {
    GTEST_SKIP() << "the table of published kernel timings is not here";
  }
  std::vector<double> ratios;
  for (const Row& row : rows) {
    const Gemm shape{.m = number(row, "m"), .n = number(row, "n"), .k = number(row, "k")};
    const double measured = 2 * shape.m * shape.n * shape.k / (number(row, "tflops") * 1e12);
    ratios.push_back(seconds(gemm(find_accelerator("h100"), {}, shape).nominal()) / measured);
  }
  const Errors errors = errors_of(ratios, "H100 GEMM");
  EXPECT_LE(errors.median, 0.04);
  EXPECT_LE(errors.p90, 0.08);
}

TEST(KernelConformance, LargeGemmsInsideTrainingFrameworks) {
  for (const auto& [gpu_in_table, gpu, limit] :
       {std::tuple{"A100-80GB-PCIe", "a100-80gb", 0.06}, std::tuple{"B200", "b200", 0.25}}) {
    const std::vector<Row> rows = kernel_rows([name = gpu_in_table](const Row& row) {
      return row.at("op") == "gemm" && row.at("gpu") == name && row.at("dtype") == "bf16" &&
             !row.at("m").empty() && row.at("source").find("SimuMax") != std::string::npos;
    });
    if (rows.empty()) {
      GTEST_SKIP() << "the table of published kernel timings is not here";
    }
    std::vector<double> ratios;
    const Accelerator& accelerator = find_accelerator(gpu);
    for (const Row& row : rows) {
      const Gemm shape{.m = number(row, "m"), .n = number(row, "n"), .k = number(row, "k")};
      const double measured = 2 * shape.m * shape.n * shape.k / (number(row, "tflops") * 1e12);
      ratios.push_back(seconds(gemm(accelerator, training_options(accelerator), shape).nominal()) / measured);
    }
    EXPECT_LE(errors_of(ratios, gpu).median, limit);
  }
}

TEST(KernelConformance, FlashAttentionForwardAndBackward) {
  const std::vector<Row> rows = kernel_rows(
      [](const Row& row) { return row.at("kernel").find("FlashAttention") != std::string::npos; });
  if (rows.empty()) {
    GTEST_SKIP() << "the table of published kernel timings is not here";
  }
  std::vector<double> ratios;
  for (const Row& row : rows) {
    const Accelerator& gpu = find_accelerator(row.at("gpu").starts_with("A100") ? "a100-80gb" : "h100");
    const AttentionShape shape{
        .kernel = row.at("kernel") == "FlashAttention-2" ? AttentionKernel::flash2 : AttentionKernel::flash,
        .sequences = std::stoll(row.at("batch")),
        .heads = std::stoll(row.at("heads")),
        .kv_heads = std::stoll(row.at("heads")),
        .queries = std::stoll(row.at("seq")),
        .keys = std::stoll(row.at("seq")),
        .head_dim = std::stoll(row.at("head_dim")),
        .causal = row.at("causal") == "1"};
    const bool both = row.at("direction") == "fwd+bwd";
    ComputeWork work = attention_forward(gpu, {}, shape);
    if (both) {
      work += attention_backward(gpu, {}, shape);
    }
    const double length = number(row, "seq");
    const double flops = 4 * number(row, "batch") * number(row, "heads") * number(row, "head_dim") * length *
                         length * (shape.causal ? 0.5 : 1.0) * (both ? 3.5 : 1.0);
    ratios.push_back(seconds(work.nominal()) / (flops / (number(row, "tflops") * 1e12)));
  }
  const Errors errors = errors_of(ratios, "flash attention");
  EXPECT_LE(errors.median, 0.05);
  EXPECT_LE(errors.p90, 0.13);
}

}  // namespace
}  // namespace makespan
