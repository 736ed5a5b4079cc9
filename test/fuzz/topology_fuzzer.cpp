// Any bytes given as a topology file end in a graph or in an exception of ours.

#include "test/fuzz/topology_fuzzer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "core/error.h"
#include "network/import.h"

namespace makespan {

namespace {

bool is_printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

bool is_rate(double value) {
  return std::isfinite(value) && value >= 0;
}

void check(const GraphSpec& graph) {
  for (const GraphVertex& vertex : graph.vertices) {
    MAKESPAN_CHECK(is_printable(vertex.name) && is_printable(vertex.node), "names can be shown");
    MAKESPAN_CHECK(is_rate(vertex.bandwidth) && vertex.ports >= 1 && vertex.tier >= 0,
                   "a vertex is in range");
  }
  for (const GraphLink& link : graph.links) {
    MAKESPAN_CHECK(link.a < graph.vertices.size() && link.b < graph.vertices.size() && link.a != link.b,
                   "a link joins two vertices");
    MAKESPAN_CHECK(is_rate(link.bandwidth) && is_rate(link.latency_s) && link.cables >= 1,
                   "a link is in range");
  }
  for (const std::string& warning : graph.warnings) {
    MAKESPAN_CHECK(is_printable(warning), "warnings can be shown");
  }
}

template <class Import>
void attempt(const Import& import) {
  try {
    check(import());
  } catch (const InputError& error) {
    MAKESPAN_CHECK(std::string_view(error.what()).starts_with("fuzz:"), "a fault has a place");
  }
}

}  // namespace

void fuzz_topologies(std::string_view text) {
  const std::string file = "fuzz";
  attempt([&] { return import_nccl_xml(text, file); });
  attempt([&] { return import_nccl_xml(text, file, {.node = find_node("dgx-h100")}); });
  attempt([&] { return import_nvidia_smi(text, file); });
  attempt([&] { return import_ibnetdiscover(text, file); });
  attempt([&] { return import_slurm(text, file); });
  attempt([&] { return import_astra_sim(text, file); });
}

}  // namespace makespan

#ifdef MAKESPAN_LIBFUZZER
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  makespan::fuzz_topologies({reinterpret_cast<const char*>(data), size});
  return 0;
}
#endif
