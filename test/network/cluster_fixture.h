#pragma once

#include <functional>
#include <string>

#include "core/error.h"
#include "network/fabrics.h"

namespace makespan::test {

/// A node with one GPU and one NIC of 1 GB/s; `unit` of them are on one leaf.
inline NodeSpec host(int unit) {
  return {.name = "host",
          .accelerator = "a100-80gb",
          .gpus = 1,
          .wiring = Wiring::pcie,
          .pcie = 2e9,
          .sockets = 1,
          .nics = 1,
          .nic = 1e9,
          .unit = unit};
}

/// What `build` is refused for.
inline std::string refusal(const std::function<void()>& build) {
  try {
    build();
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace makespan::test
