#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "network/import_text.h"

namespace makespan {

/// What lies between two devices, nearest first.
enum class SmiDistance : std::uint8_t {
  pix,      ///< at most one PCIe bridge
  pxb,      ///< several PCIe bridges
  phb,      ///< a PCIe host bridge
  node,     ///< host bridges of one NUMA node
  sys,      ///< NUMA nodes
  nvlink,   ///< NVLinks, which hide the distance over PCIe
  unknown,  ///< not printed
  self,
};

/// "PIX", ..., "NV#", "unknown", "X".
[[nodiscard]] std::string_view to_string(SmiDistance distance);

struct SmiCell {
  SmiDistance distance = SmiDistance::unknown;
  int nvlinks = 0;
};

/// The matrix of `nvidia-smi topo -m`: symmetric, devices in the order of the columns.
struct SmiMatrix {
  std::vector<std::string> names;  ///< NIC names as the NIC legend translates them
  std::vector<bool> is_gpu;
  std::vector<SmiCell> cells;           ///< row by row
  std::vector<std::string> affinities;  ///< of NUMA nodes, else of CPUs; empty where there is none

  [[nodiscard]] std::size_t size() const { return names.size(); }

  [[nodiscard]] const SmiCell& at(std::size_t a, std::size_t b) const { return cells[a * size() + b]; }
};

/// Reads the matrix out of text that may have other lines around it. Throws InputError where there is no
/// header, a cell is none of the known ones, the two halves contradict each other, a name is there twice, or
/// rows are missing: of a GPU, or of some NICs and not of others.
[[nodiscard]] SmiMatrix read_smi_matrix(const SourceText& source);

}  // namespace makespan
