// Against published nccl-tests results, where the table of them is at hand.

#include <algorithm>
#include <cstdio>
#include <gtest/gtest.h>
#include <map>
#include <numeric>
#include <optional>
#include <string>

#include "network/transfer.h"
#include "test/support/csv.h"

namespace makespan {
namespace {

using Row = std::map<std::string, std::string>;

std::optional<CollectiveKind> kind_of(const Row& row) {
  const std::map<std::string, CollectiveKind> kinds = {{"all_reduce", CollectiveKind::all_reduce},
                                                       {"all_gather", CollectiveKind::all_gather},
                                                       {"reduce_scatter", CollectiveKind::reduce_scatter}};
  const auto found = kinds.find(row.at("op"));
  return found == kinds.end() ? std::nullopt : std::optional(found->second);
}

/// Rows that a ring or tree of ours stands for: a DGX-like node on InfiniBand, and no in-switch reduction
/// (NVLS runs all-reduces within a node since Hopper).
bool modelled(const Row& row) {
  const std::string& gpu = row.at("gpu");
  const bool known = gpu.starts_with("A100") || gpu.starts_with("H100") || gpu.starts_with("H200");
  const bool nvls = (row.at("algorithm").find("NVLS") == 0 || row.at("algorithm") == "SHARP") ||
                    (row.at("algorithm").empty() && row.at("nodes") == "1" && !gpu.starts_with("A100") &&
                     row.at("op") == "all_reduce");
  return known && kind_of(row) && !nvls && !row.at("time_us").empty() && !row.at("size_bytes").empty() &&
         row.at("source").find("Google") == std::string::npos;
}

double predicted_seconds(const Row& row) {
  const std::string& gpu = row.at("gpu");
  const NodeSpec& node = find_node(gpu.starts_with("A100") ? "dgx-a100-80gb" : "dgx-h100");
  const int count = std::stoi(row.at("nodes"));
  const std::size_t total = std::stoul(row.at("gpus"));
  const Topology topology = build_cluster(node, count);
  std::vector<std::size_t> gpus(total);
  std::iota(gpus.begin(), gpus.end(), 0);
  const NcclOptions options = nccl_options(node);
  const RingShape shape = ring_shape(topology, options, *kind_of(row), gpus);
  const TransferWork work = ring_work(options, *kind_of(row), shape, Bytes(std::stoll(row.at("size_bytes"))));
  return seconds(work.latency) + static_cast<double>(work.amount.count()) / bytes_per_second(shape.rate);
}

void expect_errors(std::vector<double> errors, const char* what, double median, double p90) {
  std::sort(errors.begin(), errors.end());
  const double at_median = errors[errors.size() / 2];
  const double at_p90 = errors[errors.size() * 9 / 10];
  std::printf("%s: %zu rows, error median %.1f %%, p90 %.1f %%\n", what, errors.size(), 100 * at_median,
              100 * at_p90);
  EXPECT_LE(at_median, median);
  EXPECT_LE(at_p90, p90);
}

TEST(CollectiveConformance, AgainstPublishedNcclTests) {
  const std::vector<Row> rows =
      test::read_csv(MAKESPAN_SOURCE_DIR "/../shared/data/validation/collectives.csv");
  if (rows.empty()) {
    GTEST_SKIP() << "the table of published collectives is not here";
  }
  std::vector<double> from_1_mib;
  std::vector<double> from_64_mib;
  for (const Row& row : rows) {
    const std::int64_t size = modelled(row) ? std::stoll(row.at("size_bytes")) : 0;
    if (size < 1 << 20) {
      continue;
    }
    const double error = predicted_seconds(row) / (1e-6 * std::stod(row.at("time_us"))) - 1;
    from_1_mib.push_back(error < 0 ? -error : error);
    if (size >= 64 << 20) {
      from_64_mib.push_back(from_1_mib.back());
    }
  }
  expect_errors(from_1_mib, "collectives from 1 MiB", 0.15, 0.50);
  expect_errors(from_64_mib, "collectives from 64 MiB", 0.10, 0.30);
}

}  // namespace
}  // namespace makespan
