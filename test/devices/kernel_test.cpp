#include "devices/kernel.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "core/error.h"

namespace makespan {
namespace {

const KernelOptions kNoLaunch{.launch_s = 0};

double gemm_flops(const Gemm& shape) {
  return 2 * shape.m * shape.n * shape.k * static_cast<double>(shape.batch);
}

double rate(const Gemm& shape, const ComputeWork& work) {
  return gemm_flops(shape) / seconds(work.nominal());
}

TEST(Gemm, LargeShapesReachTheCeilingAndNoShapeExceedsIt) {
  for (const Accelerator& gpu : accelerators()) {
    SCOPED_TRACE(gpu.name);
    const double ceiling = gpu.matmul_flops * gpu.matmul_ceiling;
    const Gemm large{.m = 16384, .n = 16384, .k = 16384};
    EXPECT_NEAR(rate(large, gemm(gpu, kNoLaunch, large)) / ceiling, 1.0, 0.01);
    for (const double size : {256.0, 1000.0, 2048.0, 5120.0, 30000.0}) {
      for (const double depth : {128.0, 4096.0, 65536.0}) {
        const Gemm shape{.m = size, .n = 4096, .k = depth};
        EXPECT_LE(rate(shape, gemm(gpu, kNoLaunch, shape)), ceiling * (1 + 1e-6));
      }
    }
  }
}

TEST(Gemm, TrainingOptionsLowerTheCeilingToWhatStepsSustain) {
  for (const Accelerator& gpu : accelerators()) {
    SCOPED_TRACE(gpu.name);
    const Gemm large{.m = 16384, .n = 16384, .k = 16384};
    const ComputeWork work = gemm(gpu, training_options(gpu, kNoLaunch), large);
    EXPECT_NEAR(rate(large, work) / (gpu.matmul_flops * gpu.matmul_sustained), 1.0, 0.01);
  }
}

TEST(Gemm, Fp8RunsAtItsOwnCeilingAndIsRefusedWhereThereIsNone) {
  const Gemm large{.m = 16384, .n = 16384, .k = 16384, .element_bytes = 1};
  const Accelerator& h100 = find_accelerator("h100");
  EXPECT_NEAR(rate(large, gemm(h100, kNoLaunch, large)) / (h100.fp8_flops * h100.fp8_ceiling), 1.0, 0.01);
  EXPECT_THROW((void)gemm(find_accelerator("a100-80gb"), kNoLaunch, large), InputError);
}

TEST(Gemm, TimeIsAStaircaseOverTheTilesWithOneStepPerWave) {
  // One tile size, and memory that is never the limit: each wave of tiles costs the same again.
  Accelerator gpu = find_accelerator("h100");
  gpu.memory_bandwidth *= 1000;
  KernelOptions options = kNoLaunch;
  options.tiles.fill(Tile{128, 256, 1.0});
  options.issue_headroom = 1.0;
  const auto time = [&](double tiles) {
    return gemm(gpu, options, {.m = 128 * tiles, .n = 256, .k = 8192}).sm.count();
  };
  const double per_sm = gpu.matmul_flops * gpu.matmul_ceiling / gpu.sms;
  const double wave_s = 2.0 * 128 * 256 * (8192 + options.k0) / per_sm;
  for (int waves = 1; waves <= 4; ++waves) {
    const Time expected = time_from_seconds(waves * wave_s);
    EXPECT_EQ(time(gpu.sms * waves), expected.count());
    EXPECT_EQ(time(gpu.sms * waves + 1), time_from_seconds((waves + 1) * wave_s).count());
    EXPECT_EQ(time(gpu.sms * waves + gpu.sms / 2), time(gpu.sms * (waves + 1)));
  }
}

TEST(Gemm, SplittingAlongKFillsTheDeviceWhenThereAreFewTiles) {
  const Accelerator& gpu = find_accelerator("h100");
  KernelOptions options = kNoLaunch;
  options.tiles.fill(Tile{128, 128, 1.0});
  options.issue_headroom = 1.0;
  // 8 tiles of depth 65536 in 8 parts use 64 SMs; unsplit they would use 8.
  const Gemm shape{.m = 256, .n = 512, .k = 65536};
  const double per_sm = gpu.matmul_flops * gpu.matmul_ceiling / gpu.sms;
  const double parts = 2.0 * 128 * 128 * (65536.0 / 8 + options.k0) / per_sm;
  const double sums = 8.0 * 256 * 512 * 8 / (2 * gpu.memory_bandwidth);
  EXPECT_EQ(gemm(gpu, options, shape).sm, time_from_seconds(parts + sums));
}

TEST(Gemm, IsBoundByEitherItsSmsOrMemoryNeverBoth) {
  const Accelerator& gpu = find_accelerator("a100-80gb");
  const ComputeWork deep = gemm(gpu, {}, {.m = 8192, .n = 8192, .k = 8192});
  EXPECT_GT(deep.sm, Time(0));
  EXPECT_EQ(deep.memory, Time(0));
  const Gemm outer{.m = 65536, .n = 65536, .k = 16, .output_bytes = 8};
  const ComputeWork flat = gemm(gpu, {}, outer);
  EXPECT_EQ(flat.sm, Time(0));
  EXPECT_EQ(flat.memory,
            time_from_seconds((2 * 2 * 65536.0 * 16 + 8 * 65536.0 * 65536) / (0.85 * gpu.memory_bandwidth)));
  EXPECT_EQ(flat.launch, time_from_seconds(5e-6));
}

TEST(Gemm, MoreWorkNeverTakesLess) {
  const Accelerator& gpu = find_accelerator("h100");
  const double sizes[] = {64, 100, 256, 500, 1024, 2000, 4096, 8192};
  for (const double m : sizes) {
    for (const double k : sizes) {
      const Time time = gemm(gpu, {}, {.m = m, .n = 2048, .k = k}).nominal();
      EXPECT_LE(time, gemm(gpu, {}, {.m = 2 * m, .n = 2048, .k = k}).nominal()) << m << ' ' << k;
      EXPECT_LE(time, gemm(gpu, {}, {.m = m, .n = 2048, .k = 2 * k}).nominal()) << m << ' ' << k;
      EXPECT_LE(time, gemm(gpu, {}, {.m = m, .n = 2048, .k = k, .batch = 2}).nominal()) << m << ' ' << k;
    }
  }
}

TEST(Gemm, WithoutWorkNothingIsLaunched) {
  EXPECT_EQ(gemm(find_accelerator("h100"), {}, {.m = 0, .n = 128, .k = 128}), ComputeWork{});
  EXPECT_EQ(memory_bound(find_accelerator("h100"), {}, 0), ComputeWork{});
}

TEST(MemoryBound, TakesBytesOverTheEffectiveBandwidthAndOneLaunch) {
  const Accelerator& gpu = find_accelerator("h100");
  const ComputeWork work = memory_bound(gpu, {.launch_s = 1e-6, .memory_efficiency = 0.5}, 1e9);
  EXPECT_EQ(work, (ComputeWork{time_from_seconds(1e-6), Time(0), time_from_seconds(1e9 / (0.5 * 3350e9))}));
}

TEST(AdamStep, MovesThirtyBytesPerParameterWithFp32Gradients) {
  const Accelerator& gpu = find_accelerator("h100");
  EXPECT_EQ(adam_step(gpu, {}, 1e9, 4), memory_bound(gpu, {}, 30e9));
}

AttentionShape attention(std::int64_t length, bool causal) {
  return {.sequences = 16384 / length,
          .heads = 16,
          .kv_heads = 16,
          .queries = length,
          .keys = length,
          .head_dim = 128,
          .causal = causal};
}

double forward_flops(const AttentionShape& shape) {
  const double s = static_cast<double>(shape.queries);
  return 4.0 * static_cast<double>(shape.sequences * shape.heads * shape.head_dim) * s * s /
         (shape.causal ? 2 : 1);
}

struct Point {
  std::int64_t length;
  double tflops;
};

TEST(Attention, FollowsThePublishedFlashAttention3CurveWithin3Percent) {
  // H100, forward, not causal, head dimension 128, 16384 tokens.
  const Point curve[] = {{512, 430}, {1024, 517}, {2048, 566}, {4096, 590}, {8192, 614}, {16384, 621}};
  for (const auto& [length, tflops] : curve) {
    const AttentionShape shape = attention(length, false);
    const ComputeWork work = attention_forward(find_accelerator("h100"), kNoLaunch, shape);
    EXPECT_NEAR(forward_flops(shape) / seconds(work.nominal()) / (tflops * 1e12), 1.0, 0.03) << length;
  }
}

TEST(Attention, FollowsTheFlashAttention2ChartsForwardAndBackwardWithin6Percent) {
  // The repository's charts: forward + backward, 3.5 times the forward FLOPs, head dimension 128, 16384
  // tokens.
  struct Chart {
    const char* gpu;
    bool causal;
    std::vector<Point> points;
  };

  const Chart charts[] = {
      {"a100-80gb", false, {{512, 150}, {1024, 173}, {2048, 187}, {4096, 196}, {8192, 201}, {16384, 203}}},
      {"a100-80gb", true, {{512, 99}, {1024, 133}, {2048, 155}, {4096, 173}, {8192, 182}, {16384, 189}}},
      {"h100", false, {{512, 248}, {1024, 294}, {2048, 320}, {4096, 326}, {8192, 335}, {16384, 338}}},
      {"h100", true, {{512, 163}, {1024, 221}, {2048, 265}, {4096, 294}, {8192, 308}, {16384, 328}}},
  };
  for (const Chart& chart : charts) {
    for (const auto& [length, tflops] : chart.points) {
      AttentionShape shape = attention(length, chart.causal);
      shape.kernel = AttentionKernel::flash2;
      const Accelerator& gpu = find_accelerator(chart.gpu);
      const ComputeWork work =
          attention_forward(gpu, kNoLaunch, shape) + attention_backward(gpu, kNoLaunch, shape);
      EXPECT_NEAR(3.5 * forward_flops(shape) / seconds(work.nominal()) / (tflops * 1e12), 1.0, 0.06)
          << chart.gpu << ' ' << chart.causal << ' ' << length;
    }
  }
}

TEST(Attention, UnfusedScoresGoThroughMemory) {
  const Accelerator& gpu = find_accelerator("a100-80gb");
  AttentionShape shape = attention(2048, true);
  shape.kernel = AttentionKernel::unfused;
  const double scores = 8.0 * 16 * 2048 * 2048;
  const ComputeWork forward = attention_forward(gpu, {}, shape);
  const ComputeWork backward = attention_backward(gpu, {}, shape);
  EXPECT_EQ(forward.memory, time_from_seconds(9.0 * scores / (0.85 * gpu.memory_bandwidth)));
  EXPECT_EQ(backward.memory, time_from_seconds(12.5 * scores / (0.85 * gpu.memory_bandwidth)));
  EXPECT_NEAR(seconds(backward.sm) / seconds(forward.sm), 2.0, 1e-6);
  EXPECT_EQ(forward.launch, 4 * time_from_seconds(5e-6));
  // Masked scores are computed too.
  shape.causal = false;
  EXPECT_EQ(attention_forward(gpu, {}, shape), forward);
}

TEST(Attention, UnfusedHeadDimensionsThatDivideBadlyAreSlower) {
  const Accelerator& gpu = find_accelerator("a100-80gb");
  const auto flop_rate = [&](std::int64_t head_dim) {
    AttentionShape shape = attention(2048, false);
    shape.kernel = AttentionKernel::unfused;
    shape.head_dim = head_dim;
    return forward_flops(shape) / seconds(attention_forward(gpu, {}, shape).sm);
  };
  EXPECT_GT(flop_rate(128), flop_rate(96));
  EXPECT_GT(flop_rate(96), flop_rate(104));
  EXPECT_GT(flop_rate(104), flop_rate(108));
}

TEST(Attention, CausalQueriesAtTheEndOfTheKeysSeeAllBeforeThem) {
  // The last half of the queries does three quarters of a causal square; two halves make the whole.
  const Accelerator& gpu = find_accelerator("h100");
  AttentionShape first = attention(8192, true);
  first.queries = first.keys = 4096;
  AttentionShape second = attention(8192, true);
  second.queries = 4096;
  const double ratio = seconds(attention_forward(gpu, kNoLaunch, second).sm) /
                       seconds(attention_forward(gpu, kNoLaunch, first).sm);
  EXPECT_NEAR(ratio, 3.0, 1e-6);
}

TEST(Attention, IsRefusedWhereThereIsNoSuchKernel) {
  EXPECT_THROW((void)attention_forward(find_accelerator("v100-32gb"), {}, attention(2048, true)), InputError);
  AttentionShape shape = attention(2048, true);
  shape.kernel = AttentionKernel::flash2;
  EXPECT_THROW((void)attention_forward(find_accelerator("b200"), {}, shape), InputError);
}

TEST(ComputeWorkSum, AddsPartByPart) {
  const ComputeWork a{Time(1), Time(2), Time(3)};
  ComputeWork sum = a + ComputeWork{Time(10), Time(20), Time(30)};
  EXPECT_EQ(sum, (ComputeWork{Time(11), Time(22), Time(33)}));
  sum += a;
  EXPECT_EQ(sum, (ComputeWork{Time(12), Time(24), Time(36)}));
  EXPECT_EQ(12 * a, sum);
}

}  // namespace
}  // namespace makespan
