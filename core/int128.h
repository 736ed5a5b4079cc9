#pragma once

#include <cstdint>

namespace makespan {

/// Products of two 64-bit quantities, such as bytes still to move times 10^15 or a rate times picoseconds.
/// Typedefs, because `__extension__` cannot stand before a `using`.
__extension__ typedef __int128 Int128;            // NOLINT(modernize-use-using)
__extension__ typedef unsigned __int128 Uint128;  // NOLINT(modernize-use-using)

/// floor(a / b). Most operands fit 64 bits, where the processor divides several times faster.
[[nodiscard]] constexpr Uint128 floor_div(Uint128 a, std::uint64_t b) {
  return (a >> 64U) == 0 ? Uint128(static_cast<std::uint64_t>(a) / b) : a / b;
}

/// ceil(a / b) for a > 0.
[[nodiscard]] constexpr Uint128 ceil_div(Uint128 a, std::uint64_t b) {
  return floor_div(a - 1, b) + 1;
}

}  // namespace makespan
