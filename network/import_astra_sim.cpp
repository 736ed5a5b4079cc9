#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "core/text.h"
#include "network/import.h"
#include "network/import_text.h"

namespace makespan {

namespace {

constexpr std::array<std::string_view, 4> kKeys = {"topology", "npus_count", "bandwidth", "latency"};
constexpr std::array<std::string_view, 3> kKinds = {"Ring", "FullyConnected", "Switch"};
constexpr std::size_t kMaxGpus = 65'536;
constexpr std::size_t kMaxLinks = 1'000'000;
constexpr int kMaxNpus = 1024;
constexpr double kMaxGigabytes = 1e6;

/// Joins the GPUs at `first + i * stride` as one dimension says.
void join(GraphSpec& graph, const AstraSimDimension& dimension, std::size_t first, std::size_t stride,
          const std::string& switch_name) {
  const auto count = static_cast<std::size_t>(dimension.npus);
  const auto link = [&](std::size_t a, std::size_t b, LinkKind kind) {
    graph.links.push_back({.a = a, .b = b, .kind = kind, .bandwidth = dimension.bandwidth * 1e9});
  };
  const auto gpu = [&](std::size_t i) { return first + i * stride; };
  if (dimension.kind == "Switch") {
    graph.vertices.push_back({.name = switch_name, .kind = VertexKind::nvswitch});
    const std::size_t nvswitch = graph.vertices.size() - 1;
    for (std::size_t i = 0; i < count; ++i) {
      link(gpu(i), nvswitch, LinkKind::nvlink);
    }
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (dimension.kind == "Ring") {
      if (i + 1 < count) {
        link(gpu(i), gpu(i + 1), LinkKind::ici);
      } else if (count > 2) {
        link(gpu(i), gpu(0), LinkKind::ici);
      }
    } else {
      for (std::size_t j = i + 1; j < count; ++j) {
        link(gpu(i), gpu(j), LinkKind::nvlink);
      }
    }
  }
}

void check(const AstraSimDimension& dimension, const SourceLocation& where) {
  if (std::find(kKinds.begin(), kKinds.end(), dimension.kind) == kKinds.end()) {
    throw InputError(where, "topology", "there is no kind " + in_quotes(dimension.kind),
                     suggestion(dimension.kind, kKinds));
  }
  if (dimension.npus < 1 || dimension.npus > kMaxNpus) {
    throw InputError(where, "npus_count", std::to_string(dimension.npus) + " NPUs",
                     "from 1 to " + std::to_string(kMaxNpus));
  }
  if (!(dimension.bandwidth > 0 && dimension.bandwidth <= kMaxGigabytes)) {
    throw InputError(where, "bandwidth", "is out of range", "above 0, at most 1e6 GB/s");
  }
  if (!(dimension.latency >= 0 && dimension.latency <= 1e9)) {
    throw InputError(where, "latency", "is out of range", "0 to 1e9 ns");
  }
}

/// The values of one line `key: [ a, b ]`.
using Values = std::vector<std::string_view>;

class AstraSimReader {
 public:
  explicit AstraSimReader(const SourceText& source) : source_(source) {}

  std::vector<AstraSimDimension> read() {
    for (const TextLine& line : source_.lines()) {
      read_line(line.text);
    }
    for (const std::string_view key : kKeys) {
      if (!values_.contains(key)) {
        throw InputError(source_.at(source_.text().size()), std::string(key), "is missing",
                         "topology, npus_count, bandwidth and latency, each with a list");
      }
    }
    const Values& kinds = values_.at("topology");
    std::vector<AstraSimDimension> dimensions;
    for (std::size_t d = 0; d < kinds.size(); ++d) {
      AstraSimDimension dimension;
      dimension.kind = std::string(kinds[d]);
      dimension.npus = static_cast<int>(number("npus_count", d));
      dimension.bandwidth = number("bandwidth", d);
      dimension.latency = number("latency", d);
      if (dimension.npus != number("npus_count", d)) {
        throw InputError(source_.at(values_.at("npus_count")[d]), "npus_count",
                         in_quotes(values_.at("npus_count")[d]) + " NPUs", "whole numbers");
      }
      dimensions.push_back(std::move(dimension));
    }
    return dimensions;
  }

 private:
  void read_line(std::string_view line) {
    line = line.substr(0, line.find('#'));
    if (words(line).empty()) {
      return;
    }
    const std::size_t colon = line.find(':');
    const std::string_view key = line.substr(0, colon);
    const auto* const known = std::find(kKeys.begin(), kKeys.end(), key);
    if (known == kKeys.end()) {
      throw InputError(source_.at(line), {}, "there is no key " + in_quotes(key), suggestion(key, kKeys));
    }
    const std::size_t open = line.find_first_not_of(" \t", std::min(colon, line.size() - 1) + 1);
    const std::size_t close = line.find_last_not_of(" \t");
    if (colon == std::string_view::npos || open == std::string_view::npos || line[open] != '[' ||
        line[close] != ']' || close <= open) {
      throw InputError(source_.at(line), std::string(key), "is not a list on one line",
                       "key: [ value, value ]");
    }
    Values values;
    for (std::string_view rest = line.substr(open + 1, close - open - 1);;) {
      const std::size_t comma = rest.find(',');
      const Values parts = words(rest.substr(0, comma));
      if (parts.size() != 1) {
        throw InputError(source_.at(rest), std::string(key),
                         "has " + in_quotes(rest.substr(0, comma)) + " in its list",
                         "one value between commas");
      }
      values.push_back(parts.front());
      if (comma == std::string_view::npos) {
        break;
      }
      rest.remove_prefix(comma + 1);
    }
    if (!values_.emplace(*known, values).second) {
      throw InputError(source_.at(line), std::string(key), "is there twice", "each key once");
    }
  }

  [[nodiscard]] double number(std::string_view key, std::size_t dimension) const {
    const Values& values = values_.at(key);
    const std::size_t dimensions = values_.at("topology").size();
    if (values.size() != dimensions) {
      throw InputError(source_.at(values.front()), std::string(key), "has " + counted(values.size(), "value"),
                       std::to_string(dimensions) + ", as topology has");
    }
    const auto value = decimal_number(values[dimension]);
    if (!value || *value < 0 || *value > 1e9) {
      throw InputError(source_.at(values[dimension]), std::string(key),
                       in_quotes(values[dimension]) + " is no number", "a number from 0 to 1e9");
    }
    return *value;
  }

  const SourceText& source_;
  std::map<std::string_view, Values> values_;
};

}  // namespace

GraphSpec astra_sim_graph(const std::vector<AstraSimDimension>& dimensions, const SourceLocation& where) {
  std::size_t gpus = 1;
  std::size_t links = 0;
  for (const AstraSimDimension& dimension : dimensions) {
    check(dimension, where);
    gpus *= static_cast<std::size_t>(dimension.npus);
    if (gpus > kMaxGpus) {
      break;
    }
  }
  for (const AstraSimDimension& dimension : dimensions) {
    links += gpus * (dimension.kind == "FullyConnected" ? static_cast<std::size_t>(dimension.npus) : 1);
  }
  if (dimensions.empty() || gpus > kMaxGpus || links > kMaxLinks) {
    throw InputError(where, "npus_count", "is out of range",
                     "at least one dimension, at most 65,536 NPUs and 1,000,000 links");
  }
  GraphSpec graph;
  for (std::size_t g = 0; g < gpus; ++g) {
    graph.vertices.push_back({.name = "gpu" + std::to_string(g), .kind = VertexKind::gpu});
  }
  std::size_t stride = 1;
  std::size_t switches = 0;
  bool has_latency = false;
  for (const AstraSimDimension& dimension : dimensions) {
    const std::size_t next = stride * static_cast<std::size_t>(dimension.npus);
    for (std::size_t g = 0; g < gpus; ++g) {
      if (g % next < stride && dimension.npus > 1) {
        join(graph, dimension, g, stride, "switch" + std::to_string(switches++));
      }
    }
    stride = next;
    has_latency = has_latency || dimension.latency > 0;
  }
  graph.warnings.push_back(where.file +
                           ": all NPUs are one node, joined as NVLink and ICI are; 1 GB/s is 1e9 bytes");
  if (has_latency) {
    graph.warnings.push_back(where.file + ": latencies are not used: those of NCCL's steps stand for them");
  }
  return graph;
}

GraphSpec import_astra_sim(std::string_view text, const std::string& file) {
  const SourceText source(text, file);
  return astra_sim_graph(AstraSimReader(source).read(), {file, 1, 1});
}

}  // namespace makespan
