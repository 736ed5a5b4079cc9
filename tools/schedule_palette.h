#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schedules/schedule.h"

namespace makespan {

/// The names of the palettes, the default first. Within each, F, B, I and W differ in lightness (by 7 of L*
/// or more where they have the same shade), so that they are told apart in grey print and by readers with any
/// colour vision: megatron has F blue, B green, I teal, W orange; pytorch, dualpipe and grey what they say.
[[nodiscard]] std::vector<std::string> figure_palettes();

/// The colour, as six hexadecimal digits, of a compute in the `slot`-th of the `slots` stages of its rank:
/// from dark to light. Throws InputError for an unknown palette.
[[nodiscard]] std::string palette_colour(std::string_view palette, ActionKind kind, int slot, int slots);

/// Whether white is easier to read on it than black.
[[nodiscard]] bool wants_white_text(std::string_view colour);

}  // namespace makespan
