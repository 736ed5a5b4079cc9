#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "network/import_text.h"
#include "network/topology.h"

namespace makespan {

/// What NCCL's XML says about links of a GPU to one place.
struct NcclLinks {
  SourceLocation where;
  std::string kind;          ///< the element: nvlink or xgmi
  std::uint64_t target = 0;  ///< bus address; of an NVSwitch it names nothing else in the file
  std::string target_text;
  std::string target_class;
  int count = 1;
};

struct NcclGpu {
  SourceLocation where;
  int dev = 0;
  int sm = 0;
  std::string gcn;  ///< architecture of an AMD GPU
  std::vector<NcclLinks> links;
  double c2c = 0;  ///< to its processor, bytes per second
};

struct NcclNet {
  SourceLocation where;
  std::string name;
  int dev = 0;
  std::int64_t megabits = 0;  ///< as stated; 0 or less: unknown
  bool is_direct = true;      ///< GPUDirect RDMA
};

/// A `cpu` or `pci` element of NCCL's XML, or a `nic` that has no PCI device.
struct NcclDevice {
  VertexKind kind = VertexKind::host;  ///< host, pcie_switch, gpu or nic
  SourceLocation where;
  std::size_t parent = 0;      ///< index; of a `cpu` itself
  std::uint32_t computer = 0;  ///< by host_hash
  std::string busid;
  std::uint64_t address = 0;  ///< `busid` as a number
  double uplink = 0;          ///< rate of the PCIe link to the parent; 0: not stated
  std::optional<NcclGpu> gpu;
  bool has_nic = false;  ///< there is a `nic` element
  std::vector<NcclNet> nets;
  std::vector<std::uint64_t> peers;  ///< addresses of bridges on the same chip (`pcilink`)
  // Of a processor.
  int numa = 0;
  std::string architecture;
  std::string vendor;
  std::int64_t family = 0;
  std::int64_t model = 0;
};

struct NcclDevices {
  std::vector<NcclDevice> devices;  ///< parents before children
  std::vector<std::string> warnings;
};

/// Reads the elements that NCCL reads. Throws InputError for XML that is not well-formed, attributes that are
/// missing, there twice or out of range, bus addresses that two devices have, and more than 4096 devices, 256
/// processors or 32 levels.
[[nodiscard]] NcclDevices read_nccl_devices(const SourceText& source);

}  // namespace makespan
