// Against published measurements of collectives, where the tables of them are at hand. Every row is planned
// and simulated; errors are on times, predicted / measured - 1.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "core/simulator.h"
#include "network/collective.h"
#include "test/support/csv.h"

namespace makespan {
namespace {

using Row = std::map<std::string, std::string>;

const std::string kData = MAKESPAN_SOURCE_DIR "/../shared/data/";

/// Clusters that rows ran on.
class Clusters {
 public:
  struct Cluster {
    Topology topology;
    CollectivePlanner planner;

    Cluster(const NodeSpec& node, Topology built)
        : topology(std::move(built)), planner(topology, nccl_options(node)) {}
  };

  Cluster& get(const std::string& node, int count, const FabricSpec& fabric) {
    auto& entry = clusters_[{node, count}];
    if (!entry) {
      const NodeSpec& spec = find_node(node);
      entry = std::make_unique<Cluster>(spec, build_cluster(spec, count, fabric));
    }
    return *entry;
  }

 private:
  std::map<std::tuple<std::string, int>, std::unique_ptr<Cluster>> clusters_;
};

/// The first `per_node` GPUs of every node.
std::vector<std::size_t> members(const Topology& topology, std::size_t per_node) {
  std::vector<std::size_t> gpus;
  for (std::size_t node = 0; node < topology.node_count(); ++node) {
    for (std::size_t i = 0; i < per_node; ++i) {
      gpus.push_back(topology.first_gpu(node) + i);
    }
  }
  return gpus;
}

/// From the start of all plans to the end of the last.
double simulated_seconds(const Topology& topology, const std::vector<TransferPlan>& plans) {
  TaskGraphBuilder builder(topology.gpu_count());
  std::map<ResourceId, ResourceId> resources;
  for (const TransferPlan& plan : plans) {
    for (const Use& use : plan.route.uses) {
      resources.try_emplace(use.resource);
    }
  }
  for (auto& [link, resource] : resources) {
    const Link& at = topology.link(link);
    resource = builder.resource(link_name(topology, link), to_string(at.kind), at.capacity);
  }
  const Label label{.name = builder.name("transfer")};
  for (const TransferPlan& plan : plans) {
    Route route = plan.route;
    for (Use& use : route.uses) {
      use.resource = resources.at(use.resource);
    }
    builder.transfer(builder.route(route), plan.work, label);
  }
  Time last;
  for (const Time end : simulate(std::move(builder).build()).end) {
    last = std::max(last, end);
  }
  return seconds(last);
}

/// Errors of many rows, by family.
class Errors {
 public:
  void add(const std::string& family, double error) {
    all_.push_back(std::abs(error));
    families_[family].push_back(error);
  }

  [[nodiscard]] double median() const { return at(all_, 0.5); }

  [[nodiscard]] double p90() const { return at(all_, 0.9); }

  void print(const char* table) const {
    std::printf("%s: %zu rows, |error| median %.1f %%, p90 %.1f %%\n", table, all_.size(), 100 * median(),
                100 * p90());
    for (const auto& [family, errors] : families_) {
      std::vector<double> absolute;
      double sum = 0;
      for (const double error : errors) {
        absolute.push_back(std::abs(error));
        sum += error;
      }
      std::printf("  %-28s %3zu rows, median %5.1f %%, p90 %5.1f %%, bias %+5.1f %%", family.c_str(),
                  errors.size(), 100 * at(absolute, 0.5), 100 * at(absolute, 0.9),
                  100 * sum / static_cast<double>(errors.size()));
      if (std::getenv("MAKESPAN_SHOW_ROWS") != nullptr) {
        for (const double error : errors) {
          std::printf(" %+.0f", 100 * error);
        }
      }
      std::printf("\n");
    }
  }

 private:
  /// By nearest rank.
  static double at(std::vector<double> errors, double share) {
    std::sort(errors.begin(), errors.end());
    const double rank = std::ceil(share * static_cast<double>(errors.size()));
    return errors[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
  }

  std::vector<double> all_;
  std::map<std::string, std::vector<double>> families_;
};

CollectiveKind kind_of(const std::string& op) {
  static const std::map<std::string, CollectiveKind> kinds = {
      {"all_reduce", CollectiveKind::all_reduce},        {"allreduce", CollectiveKind::all_reduce},
      {"all_gather", CollectiveKind::all_gather},        {"allgather", CollectiveKind::all_gather},
      {"alltoall", CollectiveKind::all_to_all},          {"reducescatter", CollectiveKind::reduce_scatter},
      {"reduce_scatter", CollectiveKind::reduce_scatter}};
  return kinds.at(op);
}

TEST(CollectiveConformance, PerlmutterWithOneTwoAndFourGpusPerNode) {
  const std::vector<Row> rows = test::read_csv(kData + "perlmutter_nccl_tests.csv");
  if (rows.empty()) {
    GTEST_SKIP() << "the table of Perlmutter's nccl-tests is not here";
  }
  Clusters clusters;
  Errors all;
  Errors large;
  for (const Row& row : rows) {
    auto& cluster = clusters.get("perlmutter-gpu", std::stoi(row.at("num_nodes")),
                                 {.kind = row.at("num_nodes") == "1" ? "none" : "dragonfly",
                                  .routing = {.mode = RoutingMode::adaptive}});
    const std::vector<std::size_t> gpus = members(cluster.topology, std::stoul(row.at("gpus_per_node")));
    const Bytes bytes(std::stoll(row.at("bytes")));
    const TransferPlan plan = cluster.planner.plan(kind_of(row.at("op")), gpus, bytes).transfer;
    const double error =
        simulated_seconds(cluster.topology, {plan}) / (1e-6 * std::stod(row.at("time_us_oop"))) - 1;
    const std::string family = row.at("op") + ' ' + row.at("num_nodes") + 'x' + row.at("gpus_per_node");
    all.add(family, error);
    if (bytes >= Bytes(16 << 20)) {
      large.add(family, error);
    }
  }
  all.print("Perlmutter");
  large.print("Perlmutter, from 16 MiB");
  EXPECT_LE(all.median(), 0.08);
  EXPECT_LE(large.median(), 0.05);
}

TEST(CollectiveConformance, SimAiTwoToSixteenNodes) {
  const std::vector<Row> rows = test::read_csv(kData + "simai_busbw_ratio.csv");
  if (rows.empty()) {
    GTEST_SKIP() << "SimAI's table of measured ratios is not here";
  }
  // The ratios are of what 8 NICs of 50 GB/s carry together. H800 NVLinks could not feed them (165 GB/s over
  // 1 - 1/8 is 188 GB/s); a node of H100 can.
  constexpr double kNics = 8 * 50e9;
  Clusters clusters;
  Errors errors;
  for (const Row& row : rows) {
    for (const int nodes : {2, 4, 8, 16}) {
      auto& cluster = clusters.get("dgx-h100", nodes, {});
      const std::vector<std::size_t> gpus = members(cluster.topology, 8);
      const std::string column = 'n' + std::to_string(nodes);
      const Bytes bytes(std::stoll(row.at("bytes")));
      const double n = static_cast<double>(gpus.size());
      const double measured =
          (n - 1) / n * static_cast<double>(bytes.count()) / (std::stod(row.at(column)) * kNics);
      const TransferPlan plan = cluster.planner.plan(CollectiveKind::all_gather, gpus, bytes).transfer;
      errors.add(column, simulated_seconds(cluster.topology, {plan}) / measured - 1);
    }
  }
  errors.print("SimAI");
  EXPECT_LE(errors.median(), 0.04);
  EXPECT_LE(errors.p90(), 0.12);
}

std::string node_of(const Row& row) {
  const std::string& gpu = row.at("gpu");
  const std::string& wires = row.at("interconnect");
  if (gpu.starts_with("A100")) {
    return "dgx-a100-80gb";
  }
  if (gpu.starts_with("B200")) {
    return wires.find("EFA") != std::string::npos ? "p6-b200" : "hgx-b200";
  }
  return wires.find("TCPXO") != std::string::npos ? "a3-mega"
                                                  : (gpu.starts_with("H200") ? "dgx-h200" : "dgx-h100");
}

std::optional<Algorithm> algorithm_of(const Row& row) {
  const std::string& name = row.at("algorithm");
  if (name.empty()) {
    return std::nullopt;
  }
  return name.starts_with("Ring")   ? Algorithm::ring
         : name == "NVLSTree"       ? Algorithm::nvls_tree
         : name.starts_with("NVLS") ? Algorithm::nvls
                                    : Algorithm::collnet;
}

double predicted_seconds(Clusters::Cluster& cluster, const Row& row, Bytes bytes) {
  const auto per_node = std::stoul(row.at("gpus")) / std::stoul(row.at("nodes"));
  const std::vector<std::size_t> gpus = members(cluster.topology, per_node);
  std::vector<TransferPlan> plans;
  if (row.at("op") == "sendrecv") {
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      plans.push_back(cluster.planner.send(gpus[i], gpus[(i + 1) % gpus.size()], bytes));
    }
  } else {
    plans.push_back(
        cluster.planner.plan(kind_of(row.at("op")), gpus, bytes, {.algorithm = algorithm_of(row)}).transfer);
  }
  return simulated_seconds(cluster.topology, plans);
}

double bus_factor(const std::string& op, double ranks) {
  return (op == "all_reduce" ? 2 : 1) * (ranks - 1) / ranks;
}

TEST(CollectiveConformance, PublishedNcclTestsFromOneMebibyte) {
  const std::vector<Row> rows = test::read_csv(kData + "validation/collectives.csv");
  if (rows.empty()) {
    GTEST_SKIP() << "the table of published collectives is not here";
  }
  Clusters clusters;
  Errors timed;
  Errors asymptotic;
  for (const Row& row : rows) {
    const std::string& op = row.at("op");
    if (op == "p2p_copy" || op == "latency_64B") {
      continue;  // copies by a copy engine, and of the CPU: not NCCL's
    }
    const int nodes = std::stoi(row.at("nodes"));
    auto& cluster = clusters.get(node_of(row), nodes, {.kind = nodes == 1 ? "none" : "rail-fat-tree"});
    if (row.at("size_bytes").empty()) {
      const Bytes bytes(std::int64_t{16} << 30);
      const double measured = bus_factor(op, std::stod(row.at("gpus"))) * static_cast<double>(bytes.count()) /
                              (1e9 * std::stod(row.at("busbw_GBps")));
      asymptotic.add(row.at("group") + ' ' + op + ' ' + row.at("algorithm"),
                     predicted_seconds(cluster, row, bytes) / measured - 1);
    } else if (std::stoll(row.at("size_bytes")) >= 1 << 20) {
      timed.add(row.at("group"), predicted_seconds(cluster, row, Bytes(std::stoll(row.at("size_bytes")))) /
                                         (1e-6 * std::stod(row.at("time_us"))) -
                                     1);
    }
  }
  timed.print("published collectives from 1 MiB");
  asymptotic.print("asymptotic bus bandwidths, at 16 GiB");
  EXPECT_LE(timed.median(), 0.10);
  EXPECT_LE(timed.p90(), 0.25);
}

}  // namespace
}  // namespace makespan
