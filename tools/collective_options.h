#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/units.h"
#include "tools/collective_run.h"

namespace makespan {

/// Reads "1MiB", "1MiB,64MiB", "8B:8GiB:x2" (from, to, factor) or "1MiB:8MiB:+1MiB" (from, to, step), by
/// ascending size. Throws InputError under the name of `option`.
[[nodiscard]] std::vector<Bytes> parse_sizes(std::string_view text, const std::string& option);

/// Reads a list of GPUs in the order of ranks: "0,8,16", "0-7", "0-56/8" (every eighth). Throws InputError
/// for a GPU that is not there, or is there twice.
[[nodiscard]] std::vector<std::size_t> parse_gpus(std::string_view text, std::size_t gpu_count,
                                                  const std::string& option);

/// Reads one operation, "send:8GiB:0->9" or "all-reduce:1GiB:0,8,16".
[[nodiscard]] Operation parse_operation(std::string_view text, std::size_t gpu_count,
                                        const std::string& option);

/// Cuts ranks into groups that run at once, as NCCL_TESTS_SPLIT does: "mod 8" puts ranks of equal remainder
/// together, "div 8" those of equal quotient.
[[nodiscard]] std::vector<std::vector<std::size_t>> split_ranks(const std::vector<std::size_t>& gpus,
                                                                std::string_view split,
                                                                const std::string& option);

/// Reads an uneven all-to-all: a CSV file without a header, row i what rank i sends to each rank, in whole
/// bytes. Throws InputError with line and column when it is not `ranks` times `ranks`.
[[nodiscard]] std::vector<Bytes> parse_matrix(std::string_view text, const std::string& source,
                                              std::size_t ranks);

}  // namespace makespan
