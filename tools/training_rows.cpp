#include "tools/training_rows.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>  // abs
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "scenarios/resolve.h"
#include "scenarios/workload.h"

namespace makespan {

namespace {

/// Why a row is not predicted.
struct Refusal {
  RowStatus status = RowStatus::unsupported;
  std::string reason;
};

[[noreturn]] void unsupported(std::string reason) {
  throw Refusal{RowStatus::unsupported, std::move(reason)};
}

[[noreturn]] void incomplete(std::string reason) {
  throw Refusal{RowStatus::incomplete, std::move(reason)};
}

/// Makes a scenario of one row.
class RowReader {
 public:
  RowReader(const CsvFile& file, const CsvRow& cells, std::vector<std::string>& assumed)
      : file_(file), cells_(cells), assumed_(assumed) {}

  /// Throws Refusal.
  Scenario read() {
    refuse_what_scenarios_lack();
    scenario_.name = text("row_id");
    read_model();
    read_training();
    read_parallelism();
    read_cluster();
    read_schedule();
    read_layout();
    return std::move(scenario_);
  }

 private:
  [[nodiscard]] std::string text(std::string_view column) const {
    return file_.has(column) ? file_.cell(cells_, column) : std::string();
  }

  [[nodiscard]] std::optional<std::int64_t> whole(std::string_view column) const {
    return text(column).empty() ? std::nullopt : std::optional(file_.whole(cells_, column, 0));
  }

  [[nodiscard]] std::int64_t needed(std::string_view column) const {
    const std::optional<std::int64_t> value = whole(column);
    if (!value || *value == 0) {
      incomplete("the row has no '" + std::string(column) + "'");
    }
    return *value;
  }

  /// Marks a key as given, so that its default does not replace it.
  void give(const std::string& key) { scenario_.locations[key] = file_.location(cells_); }

  void assume(std::string what) { assumed_.push_back(std::move(what)); }

  void refuse_what_scenarios_lack() const {
    struct Feature {
      std::string_view column;
      std::int64_t most;
      std::string_view what;
    };

    constexpr std::array<Feature, 5> kFeatures = {{
        {"n_experts", 0, "mixtures of experts"},
        {"cp", 1, "context parallelism"},
        {"ep", 1, "expert parallelism"},
        {"zero_stage", 0, "sharded optimizer states (ZeRO)"},
        {"etp", 1, "tensor parallelism of experts"},
    }};
    for (const Feature& feature : kFeatures) {
      if (const auto value = whole(feature.column); value && *value > feature.most) {
        unsupported(std::string(feature.what) + ": '" + std::string(feature.column) + "' is " +
                    std::to_string(*value) + ", which is not simulated");
      }
    }
    if (const std::string fsdp = text("fsdp"); !fsdp.empty() && fsdp != "none") {
      unsupported("sharded data parallelism is not simulated: '" + fsdp + "'");
    }
  }

  void read_model() {
    Model& model = scenario_.model;
    model.layers = needed("layers");
    model.hidden = needed("hidden");
    model.heads = needed("heads");
    model.sequence = needed("seq");
    model.vocabulary = needed("vocab");
    model.ffn = whole("ffn").value_or(0);
    model.kv_heads = whole("kv_heads").value_or(0);
    model.head_dim = whole("head_dim").value_or(0);
    if (text("params_b").empty()) {
      assume("the architecture of gpt");
      return;
    }
    const double published = file_.number(cells_, "params_b", 1e-9) * 1e9;
    const double gpt = distance(Architecture::gpt, published);
    const double llama = distance(Architecture::llama, published);
    model.architecture = model.ffn > 0 && llama < gpt ? Architecture::llama : Architecture::gpt;
    assume(std::string("the architecture of ") + (llama < gpt ? "llama" : "gpt") +
           ", whose parameters are nearest to the published number");
  }

  [[nodiscard]] double distance(Architecture architecture, double published) const {
    Scenario scenario = scenario_;
    Model& model = scenario.model;
    model.architecture = architecture;
    model.kv_heads = model.kv_heads == 0 ? model.heads : model.kv_heads;
    model.head_dim =
        model.head_dim == 0 ? std::max<std::int64_t>(1, model.hidden / model.heads) : model.head_dim;
    model.ffn = model.ffn == 0 ? 4 * model.hidden : model.ffn;
    model.tied_embeddings = architecture == Architecture::gpt;
    return std::abs(total_parameters(scenario) - published);
  }

  void read_training() {
    Training& training = scenario_.training;
    training.global_batch = needed("global_batch");
    training.micro_batch = needed("micro_batch");
    const std::string dtype = text("dtype");
    if (dtype == "fp16" || dtype == "bf16") {
      training.precision = dtype == "fp16" ? Precision::fp16 : Precision::bf16;
    } else if (dtype.empty()) {
      incomplete("the row has no 'dtype'");
    } else {
      unsupported("the precision '" + dtype + "' is not simulated");
    }
    read_recompute();
    const bool is_early =
        training.precision == Precision::fp16 || training.recompute.kind == RecomputeKind::selective;
    if (training.precision == Precision::fp16) {  // Megatron-LM: --bf16 alone implies FP32 gradients
      scenario_.software.fp32_gradients = false;
      give("software.fp32_gradients");
      assume("gradients accumulate in 16 bits, as Megatron-LM does with FP16");
    }
    scenario_.software.preset = is_early ? "megatron-2022" : "megatron-2024";
    assume(is_early ? "the software preset megatron-2022: FP16 and selective recomputation go with unfused "
                      "attention"
                    : "the software preset megatron-2024");
  }

  void read_recompute() {
    Recompute& recompute = scenario_.training.recompute;
    const std::string kind = text("recompute");
    if (kind == "full") {
      recompute.kind = RecomputeKind::full;
    } else if (kind == "selective") {
      recompute.kind = RecomputeKind::selective;
    } else if (kind.empty()) {
      assume("nothing is recomputed");
    } else if (kind != "none") {
      unsupported("the recomputation '" + kind + "' is not simulated");
    }
  }

  void read_parallelism() {
    Parallelism& parallelism = scenario_.parallelism;
    parallelism.tensor = needed("tp");
    parallelism.pipeline = needed("pp");
    parallelism.sequence_parallel = whole("sequence_parallel").value_or(0) > 0 && parallelism.tensor > 1;
    const std::int64_t model_parallel = parallelism.tensor * parallelism.pipeline;
    const std::int64_t gpus = needed("gpus");
    parallelism.data = whole("dp").value_or(0);
    if (parallelism.data == 0) {
      if (gpus % model_parallel != 0) {
        unsupported(std::to_string(gpus) + " GPUs do not divide into tensor " +
                    std::to_string(parallelism.tensor) + " x pipeline " +
                    std::to_string(parallelism.pipeline));
      }
      parallelism.data = gpus / model_parallel;
    } else if (parallelism.data * model_parallel != gpus) {
      unsupported("tp x pp x dp is " + std::to_string(parallelism.data * model_parallel) +
                  ", and there are " + std::to_string(gpus) + " GPUs");
    }
    give("parallelism.data");
  }

  void read_cluster() {
    const std::string gpu = text("gpu");
    const std::string interconnect = text("interconnect");
    const std::optional<std::string> node = node_of(gpu, interconnect);
    if (!node) {
      unsupported("no node of the catalogue stands for the GPU '" + gpu + "'");
    }
    Cluster& cluster = scenario_.cluster;
    cluster.node = *node;
    const std::int64_t per_node = find_node(*node).gpus;
    const std::int64_t gpus = needed("gpus");
    cluster.nodes = (gpus + per_node - 1) / per_node;
    const std::int64_t used = whole("gpus_per_node").value_or(per_node);
    if (gpus > per_node && used != per_node) {
      unsupported(std::to_string(used) + " GPUs per node, and " + cluster.node + " has " +
                  std::to_string(per_node));
    }
    if (cluster.nodes == 1) {
      cluster.fabric.kind = "none";
      return;
    }
    if (interconnect.find("RoCE") != std::string::npos) {
      cluster.fabric.transport = "roce";
    }
    assume("a rail-optimised fat tree of the " + cluster.node + "'s NICs");
  }

  void read_schedule() {
    ScheduleSpec& schedule = scenario_.schedule;
    const std::int64_t chunks = whole("vpp").value_or(1);
    const std::int64_t pipeline = scenario_.parallelism.pipeline;
    std::string name = text("schedule");
    if (pipeline == 1) {
      name = "1f1b";
    } else if (name.empty() || name == "none") {
      name = chunks > 1 ? "interleaved_1f1b" : "1f1b";
      assume("the schedule " + name);
    }
    const auto warm = name.size() == 5 && name.starts_with("zb_") && name.ends_with('p') ? name[3] - '0' : 0;
    if (name == "1f1b" || name == "gpipe") {
      schedule.kind = name;
    } else if (name == "interleaved_1f1b" || name == "interleaved") {
      schedule.kind = "interleaved";
      schedule.chunks = chunks;
      if (chunks < 2) {
        incomplete("the row has no 'vpp', the chunks of its interleaved schedule");
      }
      give("schedule.chunks");
    } else if (warm >= 1 && warm <= 9) {
      schedule.kind = "zb-auto";
      schedule.activations = warm * pipeline;
      schedule.optimizer_sync = OptimizerSync::post_validation;
      give("schedule.activations");
      give("schedule.optimizer_sync");
    } else {
      unsupported("the schedule '" + name + "' is not known");
    }
  }

  /// Embedding and output layer count as a layer each where the stages are even then (Megatron-LM's account
  /// options).
  void read_layout() {
    Parallelism& parallelism = scenario_.parallelism;
    const std::int64_t stages = parallelism.pipeline * scenario_.schedule.chunks;
    const std::int64_t layers = scenario_.model.layers;
    if (layers % stages == 0) {
      return;
    }
    if ((layers + 2) % stages != 0 || stages < 2) {
      unsupported(std::to_string(layers) + " layers do not divide into " + std::to_string(stages) +
                  " stages, and the row does not say how they lie");
    }
    parallelism.layout.assign(static_cast<std::size_t>(stages), (layers + 2) / stages);
    --parallelism.layout.front();
    --parallelism.layout.back();
    give("parallelism.layout");
    assume("the first and the last stage hold one layer less");
  }

  const CsvFile& file_;
  const CsvRow& cells_;
  std::vector<std::string>& assumed_;
  Scenario scenario_;
};

/// "bubble rate computed ...: 0.2431" in notes.
std::optional<double> bubble_rate_of(const std::string& notes) {
  const std::size_t named = notes.find("bubble rate");
  const std::size_t colon = named == std::string::npos ? named : notes.find(": ", named);
  if (colon == std::string::npos) {
    return std::nullopt;
  }
  double rate = 0;
  const char* const end = notes.data() + notes.size();
  const auto [stopped, error] = std::from_chars(notes.data() + colon + 2, end, rate);
  return error == std::errc() && rate > 0 && rate < 1 ? std::optional(rate) : std::nullopt;
}

/// Resolved, or nothing and why.
void set_scenario(Measurement& row, const CsvFile& file, const CsvRow& cells) {
  try {
    Scenario scenario = RowReader(file, cells, row.assumed).read();
    std::vector<std::string> warnings;
    resolve(scenario, warnings);
    row.step = std::make_shared<const Scenario>(std::move(scenario));
  } catch (const Refusal& refusal) {
    row.status = refusal.status;
    row.reason = refusal.reason;
  } catch (const Error& error) {
    row.status = RowStatus::unsupported;
    row.reason = error.what();
  }
}

}  // namespace

std::vector<Measurement> read_training_steps(const CsvFile& file) {
  std::vector<Measurement> rows;
  for (const CsvRow& cells : file.rows) {
    Measurement row;
    row.row_id = file.cell(cells, "row_id");
    row.line = cells.line;
    row.quantity = "iteration_time";
    row.family = file.has("group") ? file.cell(cells, "group") : "training steps";
    const std::string column = file.has("target_iteration_s") ? "target_iteration_s" : "measured_iteration_s";
    if (!file.has(column) || file.cell(cells, column).empty()) {
      row.status = RowStatus::incomplete;
      row.reason = "the row has no time of an iteration";
    } else {
      row.measured = file.number(cells, column, 1e-9);
      set_scenario(row, file, cells);
    }
    const std::optional<double> rate =
        file.has("notes") ? bubble_rate_of(file.cell(cells, "notes")) : std::nullopt;
    rows.push_back(row);
    if (rate) {
      row.quantity = "bubble_rate";
      row.family += ", bubble rate";
      row.measured = rate;
      row.is_counted = false;
      row.assumed.emplace_back(
          "every stage takes the mean of the profiled times, as the published rate says");
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace makespan
