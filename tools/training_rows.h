#pragma once

#include <vector>

#include "tools/csv.h"
#include "tools/measurements.h"

namespace makespan {

/// The measurements of a table of training steps, whose columns say the model, its parallel layout and the
/// hardware. Per row the time of an iteration, and the bubble rate where the notes give one, which is
/// calculated from profiled stage times as theirs (profiled_bubble_rate, scenarios/schedule_source.h).
///
/// A row becomes a scenario by its columns alone. What it asks for and scenarios do not have makes it
/// unsupported; what it lacks incomplete; what had to be chosen is in `assumed`:
///
/// - The architecture is that of gpt and llama whose parameters are nearer to `params_b`.
/// - FP16 and selective recomputation go with the software of the time before FlashAttention (preset
///   megatron-2022), everything else with megatron-2024. With FP16, gradients accumulate in 16 bits.
/// - Layers that lack two to divide evenly are spread so that the first and the last stage hold one less.
/// - `zb_1p` and `zb_2p` are zb-auto with room for p and 2p micro-batches and a post-validated optimizer.
[[nodiscard]] std::vector<Measurement> read_training_steps(const CsvFile& file);

}  // namespace makespan
