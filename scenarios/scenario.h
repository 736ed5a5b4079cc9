#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/units.h"
#include "network/collective.h"
#include "network/topology.h"
#include "schedules/schedule.h"

namespace makespan {

/// Where each key was given, by path such as "parallelism.tensor"; keys that were not given are absent.
using Locations = std::map<std::string, SourceLocation>;

enum class Architecture : std::uint8_t { gpt, llama };

/// A dense transformer. 0 in an optional field means "derive it"; resolve() leaves none.
struct Model {
  std::string name;         ///< library name, or empty
  std::string description;  ///< one line, for people
  Architecture architecture = Architecture::gpt;
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;  ///< default: heads
  std::int64_t head_dim = 0;  ///< default: hidden / heads
  std::int64_t ffn = 0;       ///< default: 4 x hidden (gpt); required for llama
  std::int64_t vocabulary = 0;
  std::int64_t sequence = 0;
  std::optional<bool> tied_embeddings;  ///< default: gpt yes, llama no
};

enum class Precision : std::uint8_t { fp16, bf16 };
enum class RecomputeKind : std::uint8_t { none, selective, full };

struct Recompute {
  RecomputeKind kind = RecomputeKind::none;
  /// How many of the layers of each chunk are recomputed; -1: all of them.
  std::int64_t layers = -1;
};

/// How FLOPs are counted for TFLOP/s and MFU; see docs/reference/scenario.md.
enum class FlopsConvention : std::uint8_t {
  exact,           ///< every matrix multiplication of the model once, causal attention at half
  sc21_hw,         ///< 96 B s l h^2 (1 + s/6h + V/16lh): hardware FLOPs, with the recomputed forward pass
  korth_model,     ///< 72 B s l h^2 (1 + s/6h + V/12lh)
  nemo_noncausal,  ///< per token 12 l h^2 (1 + k/a + s/h) + 18 or 12 l f h + 6 V h
  nemo_causal,     ///< the same with s/2h
  torchtitan_noncausal,  ///< per token 6 (N without the input embedding) + 12 l h s
  mpt,                   ///< per token 6 N + 12 l h s
};

struct Training {
  std::int64_t global_batch = 0;  ///< sequences
  std::int64_t micro_batch = 1;   ///< sequences
  Precision precision = Precision::bf16;
  Recompute recompute;
  std::string optimizer = "adam";
  FlopsConvention flops_convention = FlopsConvention::exact;
};

/// What replaces the model when per-stage times were measured: one micro-batch through one stage. A list
/// gives each stage its own; a single entry is for all.
struct Profile {
  std::vector<Time> forward;
  std::vector<Time> backward;          ///< both halves, or
  std::vector<Time> backward_input;    ///< ... one list
  std::vector<Time> backward_weight;   ///< ... for each half
  std::vector<Time> forward_backward;  ///< a pair that overlaps, by the stage of its F; default: the sum
  Bytes activation;                    ///< held per micro-batch and stage
  Bytes message;                       ///< sent between stages, or
  Time communication;                  ///< ... a fixed time that occupies nothing
};

/// A file, by its path from where the program runs. A scenario gives it from where the scenario's file is.
struct FilePath {
  std::string path;

  [[nodiscard]] bool empty() const { return path.empty(); }
};

struct Routing {
  RoutingMode mode = RoutingMode::ideal;
  std::int64_t subflows = 1;
  std::int64_t seed = 1;
};

/// As FabricSpec (network/fabrics.h), whose defaults it has.
struct Fabric {
  std::string kind = "rail-fat-tree";
  double oversubscription = 1.0;
  double core_oversubscription = 1.0;
  std::int64_t unit = 0;
  std::int64_t radix = 0;
  std::int64_t tiers = 0;
  std::int64_t pod = 0;
  std::int64_t groups = 0;
  std::int64_t group_nodes = 0;
  std::int64_t group_switches = 0;
  std::int64_t group_spines = 0;
  std::int64_t global_links = 0;
  Rate link;
  std::vector<std::int64_t> dimensions;
  bool wrap = true;
  Routing routing;
  std::string transport;  ///< default: the node's
};

/// A vertex of a graph that a scenario describes; see GraphVertex (network/graph_spec.h).
struct ClusterVertex {
  std::string name;
  VertexKind kind = VertexKind::gpu;
  std::string node;
  std::int64_t tier = 0;
};

struct ClusterLink {
  std::vector<std::string> ends;  ///< the names of two vertices
  LinkKind kind = LinkKind::nvlink;
  Rate bandwidth;
  Time latency;
  std::int64_t cables = 1;
};

struct ClusterGraph {
  std::vector<ClusterVertex> vertices;
  std::vector<ClusterLink> links;
};

/// A topology as a tool or a person wrote it down: the inside of every node, the fabric, or both.
struct GivenTopology {
  FilePath nccl_xml;
  FilePath nvidia_smi;
  FilePath ibnetdiscover;
  FilePath slurm;
  ClusterGraph graph;
};

struct Cluster {
  std::string name;         ///< library name, or empty
  std::string description;  ///< one line, for people
  std::string node;
  std::int64_t nodes = 1;
  Fabric fabric;
  GivenTopology topology;
  Locations locations;  ///< of its keys, as in a scenario: "cluster.nodes"
};

/// What is pinned of the collectives of one kind of group; see CollectiveChoice (network/collective.h).
struct CollectivePin {
  std::optional<Algorithm> algorithm;
  std::optional<Protocol> protocol;
  std::int64_t channels = 0;

  /// What nccl-tests printed, by the kind of collective.
  struct Measured {
    FilePath all_reduce;
    FilePath all_gather;
    FilePath reduce_scatter;
  } measured;
};

/// By Group.
struct Collectives {
  CollectivePin tp;
  CollectivePin dp;
  CollectivePin other;
};

enum class FaultKind : std::uint8_t { slow_link, link_down };

/// Something that is wrong with links; see scenarios/faults.h.
struct Fault {
  FaultKind kind = FaultKind::slow_link;
  std::string target = {};
  std::optional<double> factor = {};  ///< of the capacity that is left
  Time latency = {};                  ///< added
  Time from = {};
  Time until = {};  ///< 0: for ever
};

enum class Dimension : std::uint8_t { tensor, context, data, pipeline };

struct DataParallel {
  bool overlap = true;      ///< reduce a bucket as soon as its last gradient is there
  std::int64_t bucket = 0;  ///< parameters; default: max(40 M, 1 M x data), as Megatron-LM
};

struct Parallelism {
  std::int64_t tensor = 1;
  bool sequence_parallel = false;
  std::int64_t context = 1;  ///< only 1 is supported
  std::int64_t pipeline = 1;
  std::int64_t data = 0;  ///< default: GPUs / (tensor x context x pipeline)
  std::int64_t zero = 0;  ///< only 0 is supported
  std::vector<Dimension> order = {Dimension::tensor, Dimension::context, Dimension::data,
                                  Dimension::pipeline};
  DataParallel data_parallel;
  std::vector<std::int64_t> layout;     ///< layers per stage; default: even
  std::vector<std::int64_t> placement;  ///< GPU of each rank; default: rank r on GPU r
};

/// When a rank may take its optimizer step and begin the next iteration (Qi et al. 2024, arXiv 2401.10241).
enum class OptimizerSync : std::uint8_t {
  barrier,          ///< once the gradient norm of the whole pipeline is known
  post_validation,  ///< once that of the ranks before it is; the whole is checked before the step after
};

struct ScheduleSpec {
  std::string kind = "1f1b";
  std::int64_t chunks = 1;
  std::int64_t group = 0;      ///< interleaved: micro-batch group; default: m div max(1, m div pipeline)
  std::int64_t pieces = 1;     ///< seq1f1b: parts into which each sequence is cut
  bool lifo = false;           ///< gpipe: newest micro-batch first in the backward pass
  FilePath file = {};          ///< PyTorch's lists, in place of a kind
  std::string placement = {};  ///< list: "loop", the default, or "v"
  /// Searches: activations that a rank can hold, of its whole share of one micro-batch; or their bytes.
  /// Default: what the GPU has left.
  std::int64_t activations = 0;
  Bytes memory = {};
  /// Default: fused for 1f1b and interleaved (as Megatron-LM without overlap), independent otherwise.
  std::optional<Communication> communication;
  OptimizerSync optimizer_sync = OptimizerSync::barrier;
};

struct SimulationSpec {
  std::string fidelity = "fluid";
  std::string fold = "auto";
  std::int64_t iterations = 1;  ///< default: 2 without a barrier between iterations
  std::int64_t seed = 1;
};

enum class Attention : std::uint8_t { flash, unfused };
enum class Launch : std::uint8_t { eager, graph };

/// Properties of the training software that move step times. The defaults are those of the preset
/// `megatron-2024`.
struct Software {
  std::string preset = "megatron-2024";  ///< megatron-2021 | megatron-2022 | megatron-2024
  Attention attention = Attention::flash;
  bool wgrad_fusion = true;     ///< weight gradients accumulate into the main gradients inside the GEMM
  bool tensor_overlap = false;  ///< the tensor-parallel reduction of dgrad runs beside wgrad
  Launch launch = Launch::eager;
  bool scatter_gather =
      false;  ///< pipeline messages are split over the tensor group and gathered behind (SC21)
  bool fused_kernels = true;   ///< bias, dropout, residual and norm run as fused kernels
  bool fp32_gradients = true;  ///< gradients accumulate and are reduced in FP32; otherwise in 16 bits
};

/// A published measurement to hold the prediction against.
struct Reference {
  std::optional<double> tflops_per_gpu;
  std::optional<double> iteration_time_s;
  std::optional<FlopsConvention> flops_convention;
  std::string source;
};

/// Everything a scenario file says, resolved: derived values filled in.
struct Scenario {
  std::string schema = "makespan.scenario/1";
  std::string name;
  std::string description;
  std::optional<Profile> profile;  ///< if set, `model` is not
  Model model;
  Training training;
  Cluster cluster;
  Parallelism parallelism;
  ScheduleSpec schedule;
  SimulationSpec simulation;
  Software software;
  Reference reference;
  Collectives collectives;
  std::vector<Fault> faults;

  Locations locations;

  /// Micro-batches per pipeline and iteration.
  [[nodiscard]] std::int64_t microbatches() const {
    return training.global_batch / (training.micro_batch * parallelism.data);
  }

  [[nodiscard]] std::int64_t ranks() const {
    return parallelism.tensor * parallelism.context * parallelism.pipeline * parallelism.data;
  }
};

/// Where `key` was given; when it was not, the section that it belongs to, or the file.
[[nodiscard]] SourceLocation find_location(const Locations& locations, const std::string& key);

/// An InputError at the place where `key` was given (or at the file when it was not).
[[nodiscard]] InputError scenario_error(const Scenario& scenario, const std::string& key,
                                        const std::string& what, const std::string& hint = {});

}  // namespace makespan
