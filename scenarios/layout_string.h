#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/quantity.h"

namespace makespan {

/// Transformer layers of each stage from Megatron-LM's `--pipeline-model-parallel-layout`, such as
/// "Et*3|(tt|)*29,tt|L": stages in the order of their numbers, divided by `|`; E is the embedding, t a layer,
/// L the loss; `x*n` and `(...)*n` repeat, groups do not nest, commas are passed over. Of ours, E has to
/// begin the first stage and L to end the last, each once. What is wrong is said by the number of its
/// character.
[[nodiscard]] Parsed<std::vector<std::int64_t>> parse_layout(std::string_view text);

/// The string that parse_layout() reads as these layers, with equal neighbours put together. Requires a
/// stage.
[[nodiscard]] std::string layout_text(const std::vector<std::int64_t>& layers);

}  // namespace makespan
