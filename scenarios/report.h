#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/attribution.h"
#include "devices/memory_ledger.h"
#include "scenarios/layout.h"
#include "scenarios/scenario.h"

namespace makespan {

/// One rank's share of the iteration.
struct RankReport {
  int rank = 0;
  Coordinates at;
  int node = 0;
  std::size_t gpu = 0;  ///< index in the cluster
  RankTime time;
  MemoryPeak memory;
};

/// Ranks with equal results: the same pipeline coordinate, times and memory. Classes are sorted by their
/// first rank.
struct RankClass {
  std::vector<int> ranks;
};

/// All links of one kind.
struct LinkClass {
  std::string kind;
  std::size_t count = 0;
  Bytes bytes;                  ///< over all of them, from the transfers' amounts
  double mean_utilisation = 0;  ///< bytes / (capacity x run)
  double peak_utilisation = 0;  ///< of the busiest link at its busiest instant
};

/// A published figure beside ours.
struct Comparison {
  std::string quantity;  ///< "iteration_time_s" or "tflops_per_gpu"
  double predicted = 0;
  double published = 0;
  std::string source;

  [[nodiscard]] double relative_error() const { return predicted / published - 1.0; }
};

/// What a run says. Everything is derived from the timeline; nothing here feeds back.
struct Report {
  std::string scenario;
  std::string schedule;  ///< "interleaved, 2 chunks"
  Window window;         ///< the reported iteration
  Time iteration_time;
  double tokens_per_s = 0;
  double model_tflops_per_gpu = 0;     ///< exact count, see FlopsConvention
  double hardware_tflops_per_gpu = 0;  ///< with what is recomputed
  double mfu = 0;
  double hfu = 0;
  Time bubble_total;  ///< over all ranks
  double bubble_fraction = 0;
  /// The longest time of a rank from its first pass to its last, optimizer and gradient norm left out: what
  /// an iteration takes in a sequence whose optimizer steps are not synchronised (Qi et al. 2024, arXiv
  /// 2401.10241).
  Time longest_span;
  Time span_work;                           ///< the longest compute time of a rank's passes
  double span_bubble_ratio = 0;             ///< (longest_span - span_work) / longest_span: their bubble rate
  std::array<Time, kGroups> exposed_total;  ///< over all ranks
  Bytes peak_memory;
  Bytes memory_capacity;
  int peak_rank = 0;  ///< the first rank with the peak
  std::vector<RankReport> ranks;
  std::vector<RankClass> classes;
  std::vector<LinkClass> links;
  CriticalPath critical_path;
  int gpus = 0;
  int nodes = 0;
  std::size_t simulated_ranks = 0;
  std::size_t tasks = 0;
  std::size_t events = 0;
  std::uint64_t fingerprint = 0;
  std::vector<Comparison> comparisons;
  std::vector<std::string> warnings;
  /// Why the scenario cannot run on this hardware, in words; empty when it can.
  std::optional<std::string> out_of_memory;
};

[[nodiscard]] std::string_view version();

}  // namespace makespan
