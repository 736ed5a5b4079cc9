#include "network/import_rates.h"

#include <gtest/gtest.h>

namespace makespan {
namespace {

TEST(ImportRates, pcie_carries_what_simai_measured_over_16_lanes) {
  EXPECT_DOUBLE_EQ(*pcie_rate(16, 16), 25.6e9);
  EXPECT_DOUBLE_EQ(*pcie_rate(32, 16), 51.2e9);
  // Others in proportion to what NCCL counts with: lanes * {15, 30, 60, 120, 240, 480} * 100 Mb/s.
  EXPECT_DOUBLE_EQ(*pcie_rate(2.5, 1), 15 * 1e8 / 8 * 16 / 15);
  EXPECT_DOUBLE_EQ(*pcie_rate(5, 4), 4 * 30 * 1e8 / 8 * 16 / 15);
  EXPECT_DOUBLE_EQ(*pcie_rate(8, 8), 8 * 60 * 1e8 / 8 * 16 / 15);
  EXPECT_DOUBLE_EQ(*pcie_rate(64, 16), 2 * *pcie_rate(32, 16));
  EXPECT_EQ(pcie_rate(10, 16), std::nullopt);
}

TEST(ImportRates, nodes_from_files_equal_those_of_the_catalogue) {
  EXPECT_DOUBLE_EQ(12 * nvlink_rate(80), find_node("dgx-a100-80gb").nvlink);
  EXPECT_DOUBLE_EQ(18 * nvlink_rate(90), find_node("dgx-h100").nvlink);
  EXPECT_DOUBLE_EQ(18 * nvlink_rate(100), find_node("dgx-b200").nvlink);
  EXPECT_DOUBLE_EQ(*pcie_rate(16, 16), find_node("dgx-a100-80gb").pcie);
  EXPECT_DOUBLE_EQ(*pcie_rate(32, 16), find_node("dgx-h100").pcie);
  EXPECT_DOUBLE_EQ(network_rate(200e9), find_node("dgx-a100-80gb").nic);
  EXPECT_DOUBLE_EQ(network_rate(400e9), find_node("dgx-h100").nic);
}

TEST(ImportRates, nvlink_is_what_nccl_counts_with_where_nothing_is_measured) {
  EXPECT_EQ(nvlink_rate(60), 18e9);
  EXPECT_EQ(nvlink_rate(70), 20e9);
  EXPECT_EQ(nvlink_rate(86), 12e9);
  EXPECT_EQ(nvlink_rate(120), nvlink_rate(100));
}

TEST(ImportRates, xgmi_goes_by_architecture) {
  EXPECT_EQ(xgmi_rate("942"), xgmi_rate("gfx942"));
  EXPECT_NEAR(xgmi_rate("942") * xgmi_rate("942"), 47.7e9 * 312.9e9 / 7, 5e18);  // their geometric mean, 46.2
  EXPECT_EQ(xgmi_rate("gfx90a"), 36e9);
  EXPECT_EQ(xgmi_rate("910"), 36e9);
  EXPECT_EQ(xgmi_rate("906"), 24e9);
}

TEST(ImportRates, infiniband_counts_lanes_after_coding) {
  EXPECT_EQ(infiniband_bits(4, "NDR"), 400e9);
  EXPECT_EQ(infiniband_bits(2, "HDR"), 100e9);
  EXPECT_EQ(infiniband_bits(4, "QDR"), 32e9);
  EXPECT_NEAR(*infiniband_bits(4, "FDR"), 54.5e9, 0.1e9);
  EXPECT_EQ(infiniband_bits(4, "ndr"), std::nullopt);
}

TEST(ImportRates, sockets_are_joined_as_nccl_counts) {
  EXPECT_EQ(socket_rate({"x86_64", "GenuineIntel", 6, 0x4F}), 6e9);
  EXPECT_EQ(socket_rate({"x86_64", "GenuineIntel", 6, 0x55}), 10e9);
  EXPECT_EQ(socket_rate({"x86_64", "GenuineIntel", 6, 0x8F}), 22e9);
  EXPECT_EQ(socket_rate({"x86_64", "GenuineIntel", 6, 0xCF}), 40e9);
  EXPECT_EQ(socket_rate({"x86_64", "GenuineIntel", 6, 0xAD}), 40e9);
  EXPECT_EQ(socket_rate({"x86_64", "AuthenticAMD", 25, 1}), 16e9);
  EXPECT_EQ(socket_rate({"x86_64", "  Shanghai  ", 7, 0x5B}), 9e9);
  EXPECT_EQ(socket_rate({"arm64", "", 0, 0}), 6e9);
  EXPECT_EQ(socket_rate({"ppc64", "", 0, 0}), 32e9);
}

TEST(ImportRates, generations_are_told_apart_by_their_links) {
  EXPECT_EQ(generation_with(6), Generation::volta);
  EXPECT_EQ(generation_with(7), Generation::ampere);
  EXPECT_EQ(generation_with(12), Generation::ampere);
  EXPECT_EQ(generation_with(18), Generation::hopper);
  EXPECT_EQ(generation_rates(Generation::blackwell)->nvlinks, 18);
  EXPECT_EQ(generation_rates(Generation::tpu), nullptr);
}

}  // namespace
}  // namespace makespan
