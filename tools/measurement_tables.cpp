#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>

#include "core/error.h"
#include "tools/measurements.h"
#include "tools/training_rows.h"

namespace makespan {

namespace {

/// What tables mean by an asymptotic bus bandwidth, without a size.
constexpr std::int64_t kLarge = std::int64_t{16} << 30U;

/// Which node a table means by a GPU, and by words in what it says of the interconnect. The first match
/// counts.
struct Hardware {
  std::string_view gpu;
  std::string_view word;  ///< empty: any interconnect
  std::string_view node;
};

constexpr std::array<Hardware, 9> kHardware = {{
    {"A100-40GB-SXM", "", "dgx-a100-40gb"},
    {"A100-80GB-SXM", "", "dgx-a100-80gb"},
    {"H100-80GB-SXM", "TCPXO", "a3-mega"},
    {"H100-80GB-SXM", "", "dgx-h100"},
    {"H200-141GB-SXM", "", "dgx-h200"},
    {"B200", "EFA", "p6-b200"},
    {"B200", "HGX", "hgx-b200"},
    {"B200", "", "dgx-b200"},
    {"GB200", "", "gb200-nvl72"},
}};

/// How tables call the algorithms.
struct AlgorithmName {
  std::string_view text;
  Algorithm algorithm;
};

constexpr std::array<AlgorithmName, 6> kAlgorithms = {{
    {"Ring", Algorithm::ring},
    {"Ring (NVLS disabled)", Algorithm::ring},
    {"Tree", Algorithm::tree},
    {"NVLS", Algorithm::nvls},
    {"NVLSTree", Algorithm::nvls_tree},
    {"SHARP", Algorithm::collnet},
}};

/// Operations of tables that are no collectives.
struct OtherOperation {
  std::string_view op;
  std::string_view reason;
};

constexpr std::array<OtherOperation, 2> kOtherOperations = {{
    {"latency_64B", "a message between CPUs: no GPU takes part"},
    {"p2p_copy", "a copy by the copy engines (cudaMemcpyPeer), not by NCCL"},
}};

FabricSpec fabric_of(int nodes, std::string kind) {
  FabricSpec fabric;
  fabric.kind = nodes > 1 ? std::move(kind) : "none";
  return fabric;
}

void refuse(Measurement& row, RowStatus status, std::string reason) {
  row.status = status;
  row.reason = std::move(reason);
}

double time_of(const Replay& replay, double bus_bandwidth) {
  const auto ranks =
      static_cast<std::size_t>(replay.is_split_by_rail ? replay.nodes : replay.nodes * replay.ranks_per_node);
  return static_cast<double>(replay.payload.count()) * bus_factor(replay.kind, ranks) / bus_bandwidth;
}

// Tables of collectives with their hardware.

bool set_algorithm(Measurement& row, const std::string& text) {
  if (text.empty()) {
    return true;
  }
  const auto* found = std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                                   [&](const AlgorithmName& name) { return name.text == text; });
  if (found == kAlgorithms.end()) {
    refuse(row, RowStatus::unsupported, "there is no algorithm '" + text + "'");
    return false;
  }
  row.replay->algorithm = found->algorithm;
  return true;
}

/// The operation, its hardware and its ranks; false when there is a reason against it.
bool set_operation(Measurement& row, const CsvFile& file, const CsvRow& cells) {
  const std::string& op = file.cell(cells, "op");
  const auto* other = std::find_if(kOtherOperations.begin(), kOtherOperations.end(),
                                   [&](const OtherOperation& entry) { return entry.op == op; });
  if (other != kOtherOperations.end()) {
    refuse(row, RowStatus::unsupported, std::string(other->reason));
    return false;
  }
  const std::string& gpu = file.cell(cells, "gpu");
  const std::string& interconnect = file.cell(cells, "interconnect");
  const std::optional<std::string> node = node_of(gpu, interconnect);
  if (!node) {
    refuse(row, RowStatus::unsupported, "no node of the catalogue stands for the GPU '" + gpu + "'");
    return false;
  }
  constexpr std::int64_t kMost = 1 << 20;
  const auto nodes = static_cast<int>(std::min(file.whole(cells, "nodes", 1), kMost));
  const auto gpus = static_cast<int>(std::min(file.whole(cells, "gpus", 2), kMost));
  Replay replay;
  replay.node = *node;
  replay.nodes = nodes;
  replay.fabric = fabric_of(nodes, "rail-fat-tree");
  replay.ranks_per_node = gpus / nodes;
  replay.kind = find_test_type(op).kind;
  row.replay = std::move(replay);
  if (gpus % nodes != 0 || gpus / nodes > find_node(*node).gpus) {
    refuse(row, RowStatus::unsupported,
           std::to_string(gpus) + " GPUs on " + std::to_string(nodes) + " nodes of " + row.replay->node +
               ", which have " + std::to_string(find_node(*node).gpus));
    return false;
  }
  return set_algorithm(row, file.cell(cells, "algorithm"));
}

/// The size, and what was measured.
void set_values(Measurement& row, const CsvFile& file, const CsvRow& cells) {
  if (file.cell(cells, "size_bytes").empty()) {
    row.replay->payload = Bytes(kLarge);
    row.assumed.emplace_back("a size of 16 GiB: the table has none for an asymptotic bandwidth");
  } else {
    row.replay->payload = Bytes(file.whole(cells, "size_bytes", 1));
  }
  constexpr double kLeast = 1e-9;
  if (!file.cell(cells, "time_us").empty()) {
    row.measured = file.number(cells, "time_us", kLeast) * 1e-6;
  } else if (!file.cell(cells, "busbw_GBps").empty()) {
    row.measured = time_of(*row.replay, file.number(cells, "busbw_GBps", kLeast) * 1e9);
  } else {
    refuse(row, RowStatus::incomplete, "the row has neither a time nor a bus bandwidth");
  }
}

std::vector<Measurement> read_collectives(const CsvFile& file) {
  std::vector<Measurement> rows;
  for (const CsvRow& cells : file.rows) {
    Measurement row;
    row.row_id = file.cell(cells, "row_id");
    row.line = cells.line;
    row.quantity = "bandwidth_time";
    row.family = file.cell(cells, "group");
    const std::string& notes = file.cell(cells, "notes");
    if (set_operation(row, file, cells)) {
      set_values(row, file, cells);
    }
    if (row.status == RowStatus::ok && notes.find("unusable") != std::string::npos) {
      refuse(row, RowStatus::incomplete, "the table says: " + notes);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// Sweeps of nccl-tests on Perlmutter.

std::vector<Measurement> read_perlmutter(const CsvFile& file) {
  std::vector<Measurement> rows;
  for (const CsvRow& cells : file.rows) {
    Measurement row;
    row.line = cells.line;
    row.quantity = "bandwidth_time";
    row.family = file.cell(cells, "op") + " " + file.cell(cells, "num_nodes") + " x " +
                 file.cell(cells, "gpus_per_node");
    constexpr std::int64_t kMost = 1 << 20;
    Replay replay;
    replay.node = "perlmutter-gpu";
    replay.nodes = static_cast<int>(std::min(file.whole(cells, "num_nodes", 1), kMost));
    replay.fabric = fabric_of(replay.nodes, "dragonfly");
    replay.fabric.group_switches = 32;
    replay.fabric.routing.mode = RoutingMode::adaptive;
    replay.ranks_per_node = static_cast<int>(std::min(file.whole(cells, "gpus_per_node", 1), kMost));
    replay.kind = find_test_type(file.cell(cells, "op")).kind;
    replay.payload = Bytes(file.whole(cells, "bytes", 1));
    if (replay.ranks_per_node > find_node(replay.node).gpus) {
      refuse(row, RowStatus::unsupported, "nodes of Perlmutter have 4 GPUs");
    }
    row.replay = std::move(replay);
    row.measured = file.number(cells, "time_us_oop", 0) * 1e-6;
    if (row.replay->nodes > 1) {
      row.assumed.emplace_back(
          "the nodes are in one group of 128 nodes and 32 switches, with adaptive routing");
    }
    if (!(*row.measured > 0)) {
      refuse(row, RowStatus::incomplete, "the time is 0");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// SimAI's shares of the theoretical bus bandwidth.

constexpr double kSimAiNic = 50e9;  ///< what the shares are of: 8 NICs of 400 Gb/s in a node of 8 GPUs
constexpr int kSimAiGpus = 8;
constexpr std::string_view kSimAiNode = "dgx-h100";

struct SimAiColumn {
  std::string_view name;
  int nodes;
  bool is_split_by_rail;
  std::string_view why_apart;  ///< why it does not count in the summary of the file
};

constexpr std::string_view kExtrapolated =
    "the table calls the column extrapolated: not counted for the file";
// 16 MiB on 16 nodes are to lose 42 us to 15 steps over the network, an order less than with eight ranks per
// node.
constexpr std::string_view kContradicts =
    "the column contradicts those of eight ranks per node at small sizes: not counted for the file";

constexpr std::array<SimAiColumn, 10> kSimAiColumns = {{
    {"n2", 2, false, ""},
    {"n4", 4, false, ""},
    {"n8", 8, false, ""},
    {"n16", 16, false, ""},
    {"n32", 32, false, kExtrapolated},
    {"n64", 64, false, kExtrapolated},
    {"n128", 128, false, kExtrapolated},
    {"one_rank_per_node_16", 16, true, kContradicts},
    {"one_rank_per_node_32", 32, true, kContradicts},
    {"one_rank_per_node_64", 64, true, kContradicts},
}};

Measurement read_simai(const CsvFile& file, const CsvRow& cells, const SimAiColumn& column) {
  Measurement row;
  row.line = cells.line;
  row.row_id = file.cell(cells, "bytes") + "/" + std::string(column.name);
  row.quantity = "bandwidth_time";
  row.family = column.name;
  row.is_counted = column.why_apart.empty();
  Replay replay;
  replay.node = kSimAiNode;
  replay.nodes = column.nodes;
  replay.fabric = fabric_of(column.nodes, "rail-fat-tree");
  replay.ranks_per_node = kSimAiGpus;
  replay.is_split_by_rail = column.is_split_by_rail;
  replay.kind = TestKind::all_gather;
  replay.payload = Bytes(file.whole(cells, "bytes", 1));
  replay.algorithm = Algorithm::ring;
  const double share = file.number(cells, column.name, 1e-9);
  row.measured = time_of(replay, share * kSimAiNic * (column.is_split_by_rail ? 1 : kSimAiGpus));
  row.replay = std::move(replay);
  row.assumed = {"nodes of 8 GPUs with 8 NICs of 400 Gb/s, of which the shares are",
                 "an all-gather: the share of an all-reduce is the same"};
  if (!row.is_counted) {
    row.assumed.emplace_back(column.why_apart);
  }
  return row;
}

std::vector<Measurement> read_simai_table(const CsvFile& file) {
  std::vector<Measurement> rows;
  for (const CsvRow& cells : file.rows) {
    Measurement inside;
    inside.line = cells.line;
    inside.row_id = file.cell(cells, "bytes") + "/n1_nvlink";
    inside.quantity = "bandwidth_time";
    inside.family = "n1_nvlink";
    refuse(inside, RowStatus::unsupported, "the table does not say of which NVLink bandwidth it is a share");
    rows.push_back(std::move(inside));
    for (const SimAiColumn& column : kSimAiColumns) {
      rows.push_back(read_simai(file, cells, column));
    }
  }
  return rows;
}

// All kinds.

struct TableKind {
  std::string_view what;
  std::vector<std::string_view> columns;  ///< that tell it
  std::vector<Measurement> (*read)(const CsvFile& file);
  std::string_view quantity;  ///< of rows that are not replayed
  std::string_view reason;    ///< why they are not
};

const std::vector<TableKind>& table_kinds() {
  static const std::vector<TableKind> kinds = {
      {"collectives",
       {"row_id", "gpu", "nodes", "gpus", "interconnect", "op", "algorithm", "size_bytes", "time_us",
        "busbw_GBps", "group", "notes"},
       read_collectives,
       "",
       ""},
      {"sweeps of nccl-tests",
       {"op", "num_nodes", "gpus_per_node", "bytes", "time_us_oop"},
       read_perlmutter,
       "",
       ""},
      {"shares of the bus bandwidth",
       {"bytes", "n1_nvlink", "n2", "n4", "n8", "n16", "n32", "n64", "n128", "one_rank_per_node_16",
        "one_rank_per_node_32", "one_rank_per_node_64"},
       read_simai_table,
       "",
       ""},
      {"training steps",
       {"row_id", "tp", "pp", "micro_batch", "global_batch"},
       read_training_steps,
       "",
       ""},
      {"kernels",
       {"row_id", "m", "n", "k", "tflops"},
       nullptr,
       "kernel_time",
       "kernels are not replayed from a table"},
      {"layers",
       {"row_id", "forward_ms", "backward_ms"},
       nullptr,
       "kernel_time",
       "layers are not replayed from a table"},
      {"memory",
       {"row_id", "what", "value", "unit"},
       nullptr,
       "memory",
       "memory is not replayed from a table"},
      {"failures",
       {"row_id", "component", "category", "count"},
       nullptr,
       "failures",
       "failures are not simulated"},
  };
  return kinds;
}

std::string known_headers() {
  std::string text = "known:";
  for (const TableKind& kind : table_kinds()) {
    text += "\n    " + std::string(kind.what) + ":";
    for (const std::string_view column : kind.columns) {
      text += " " + std::string(column);
    }
  }
  return text;
}

}  // namespace

std::optional<std::string> node_of(const std::string& gpu, const std::string& interconnect) {
  const auto* found = std::find_if(kHardware.begin(), kHardware.end(), [&](const Hardware& entry) {
    return entry.gpu == gpu && interconnect.find(entry.word) != std::string::npos;
  });
  return found == kHardware.end() ? std::nullopt : std::optional(std::string(found->node));
}

std::vector<Measurement> read_measurements(const CsvFile& file) {
  const auto kind = std::find_if(table_kinds().begin(), table_kinds().end(), [&](const TableKind& candidate) {
    return std::all_of(candidate.columns.begin(), candidate.columns.end(),
                       [&](std::string_view column) { return file.has(column); });
  });
  if (kind == table_kinds().end()) {
    throw InputError(file.location(file.header), {}, "is not the header of a table of measurements",
                     known_headers());
  }
  if (kind->read != nullptr) {
    return kind->read(file);
  }
  std::vector<Measurement> rows;
  for (const CsvRow& cells : file.rows) {
    Measurement row;
    row.row_id = file.cell(cells, "row_id");
    row.line = cells.line;
    row.quantity = kind->quantity;
    row.family = file.has("group") ? file.cell(cells, "group") : std::string(kind->what);
    refuse(row, RowStatus::unsupported, std::string(kind->reason));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace makespan
