#include "devices/accelerator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace makespan {
namespace {

TEST(Accelerators, EveryRowIsCompleteAndPlausible) {
  for (const Accelerator& gpu : accelerators()) {
    SCOPED_TRACE(gpu.name);
    EXPECT_EQ(&find_accelerator(gpu.name), &gpu);
    EXPECT_FALSE(gpu.source.empty());
    EXPECT_GT(gpu.sms, 0);
    EXPECT_GT(gpu.memory, Bytes(0));
    EXPECT_GT(gpu.vector_flops, 0);
    EXPECT_GT(gpu.matmul_flops, gpu.vector_flops);
    EXPECT_GT(gpu.power_w, 0);
    EXPECT_LT(gpu.scale_up_effective, gpu.scale_up_bandwidth);
    EXPECT_LT(gpu.l2_bytes, static_cast<double>(gpu.memory.count()));
    EXPECT_EQ(gpu.flash_backward > 0, gpu.flash > 0);
    EXPECT_LE(gpu.flash2, gpu.flash);
  }
}

TEST(Accelerators, SustainedCeilingsLieBelowTheBenchmarkCeilingsAndThoseBelowThePeak) {
  for (const Accelerator& gpu : accelerators()) {
    SCOPED_TRACE(gpu.name);
    EXPECT_GT(gpu.matmul_sustained, 0.3);
    EXPECT_LT(gpu.matmul_sustained, gpu.matmul_ceiling);
    EXPECT_LT(gpu.matmul_ceiling, 1.0);
    EXPECT_EQ(gpu.fp8_flops > 0, gpu.fp8_ceiling > 0);
    if (gpu.fp8_flops > 0) {
      EXPECT_LT(gpu.fp8_sustained, gpu.fp8_ceiling);
    }
  }
}

TEST(Accelerators, NewerGenerationsAreFasterInEveryRespect) {
  const char* generations[] = {"v100-32gb", "a100-80gb", "h100", "b200"};
  for (std::size_t i = 1; i < std::size(generations); ++i) {
    const Accelerator& older = find_accelerator(generations[i - 1]);
    const Accelerator& newer = find_accelerator(generations[i]);
    EXPECT_GT(newer.matmul_flops * newer.matmul_sustained, older.matmul_flops * older.matmul_sustained);
    EXPECT_GT(newer.memory_bandwidth, older.memory_bandwidth);
    EXPECT_GT(newer.scale_up_effective, older.scale_up_effective);
  }
}

std::string refusal(std::string_view name) {
  try {
    (void)find_accelerator(name);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Accelerators, AnUnknownNameIsRefusedWithTheNearestOrWithAllThereAre) {
  EXPECT_THAT(refusal("a100-80g"), testing::HasSubstr("'a100-80gb'"));
  for (const Accelerator& gpu : accelerators()) {
    EXPECT_THAT(refusal("abacus"), testing::HasSubstr(gpu.name));
  }
}

}  // namespace
}  // namespace makespan
