#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "network/fabrics.h"
#include "scenarios/scenario.h"
#include "tools/collective_run.h"
#include "tools/csv.h"

namespace makespan {

/// A measured collective, and the hardware that it ran on.
struct Replay {
  std::string node;  ///< of the catalogue
  FabricSpec fabric;
  int nodes = 1;
  int ranks_per_node = 1;  ///< on the first GPUs of every node
  /// GPUs of equal number within their nodes form a group each, and all groups run at once: NCCL_TESTS_SPLIT.
  bool is_split_by_rail = false;
  TestKind kind = TestKind::all_reduce;
  Bytes payload;
  std::optional<Algorithm> algorithm;  ///< where the table names one
};

enum class RowStatus : std::uint8_t {
  ok,
  unsupported,  ///< there is something to predict that the program does not predict
  incomplete,   ///< the row lacks what a prediction needs, or calls itself unusable
};

[[nodiscard]] std::string_view to_string(RowStatus status);

/// One published value.
struct Measurement {
  std::string file;    ///< the table or scenario that it is from
  std::string row_id;  ///< of the table, or the scenario's name; empty where the table has none
  int line = 0;
  std::string quantity;          ///< "bandwidth_time", "iteration_time", ...
  std::string family;            ///< the rows of a table that belong together
  std::optional<Replay> replay;  ///< how to predict it, of a collective
  /// Likewise, of a training step: resolved, and the same for all quantities of a row.
  std::shared_ptr<const Scenario> step;
  std::optional<double> measured;   ///< seconds; a bubble rate is a share of 1
  std::optional<double> predicted;  ///< likewise
  RowStatus status = RowStatus::ok;
  std::string reason;                ///< why not, where the status is not ok
  std::vector<std::string> assumed;  ///< what the table does not say
  bool is_counted = true;            ///< in the summary of its file

  /// Predicted over measured, minus one.
  [[nodiscard]] std::optional<double> relative_error() const;
};

/// The measurements of a table, row by row. The kind of table is told by its columns: collectives with their
/// hardware (`op`, `size_bytes`, `busbw_GBps`, ...), sweeps of nccl-tests on Perlmutter (`num_nodes`,
/// `time_us_oop`, ...), SimAI's shares of the bus bandwidth (`n2`, `n4`, ...), training steps
/// (tools/training_rows.h). Tables of kernels, layers, memory and failures are known too: all their rows are
/// unsupported. Throws InputError for any other table, naming these, and for cells that are not what their
/// column holds.
[[nodiscard]] std::vector<Measurement> read_measurements(const CsvFile& file);

/// Predicts measurements by simulation; keeps the machines that it has built.
class Replayer {
 public:
  Replayer();
  Replayer(const Replayer&) = delete;
  Replayer& operator=(const Replayer&) = delete;
  Replayer(Replayer&&) = delete;
  Replayer& operator=(Replayer&&) = delete;
  ~Replayer();

  /// Fills in what is predicted. What cannot run makes the measurement unsupported, with the reason.
  void predict(Measurement& measurement, const SimulationOptions& options);

 private:
  struct Bench;

  [[nodiscard]] Bench& bench(const Replay& replay);
  [[nodiscard]] double collective_time(const Replay& replay, const SimulationOptions& options);

  std::vector<std::unique_ptr<Bench>> benches_;
};

/// The node of the catalogue that a table means by a GPU and what it says of the interconnect, if there is
/// one.
[[nodiscard]] std::optional<std::string> node_of(const std::string& gpu, const std::string& interconnect);

/// How far predictions are off, in shares of what was measured.
struct ErrorSummary {
  std::size_t rows = 0;
  double median = 0;  ///< of the absolute errors; so are the next three
  double mean = 0;
  double p90 = 0;  ///< by nearest rank
  double max = 0;
  double bias = 0;  ///< mean of the signed errors
};

/// Of signed errors, in any order; all 0 without rows.
[[nodiscard]] ErrorSummary summarize_errors(std::vector<double> errors);

}  // namespace makespan
