#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace makespan {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a keyed bijection
/// of a 128-bit counter. The same key and counter give the same numbers everywhere.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                                            std::array<std::uint32_t, 2> key) {
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32U) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32U) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9U, key[1] + 0xBB67AE85U};
  }
  return counter;
}

/// A stream of random numbers: (seed, stream) is the key and half of the counter, so that different streams
/// of one seed never overlap. The distributions are ours because those of the standard library differ between
/// vendors.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  /// 64 random bits.
  constexpr std::uint64_t bits() {
    if (half_ == 0) {
      block_ = philox({low(block_index_), high(block_index_), low(stream_), high(stream_)},
                      {low(seed_), high(seed_)});
      ++block_index_;
    }
    const std::uint64_t result = block_[2 * half_] | (std::uint64_t{block_[2 * half_ + 1]} << 32U);
    half_ ^= 1U;
    return result;
  }

  /// Uniform in [0, count), without bias. Requires count > 0.
  constexpr std::uint64_t below(std::uint64_t count) {
    const std::uint64_t excess = (0 - count) % count;  // 2^64 mod count: the first values would be too likely
    std::uint64_t value = bits();
    while (value < excess) {
      value = bits();
    }
    return value % count;
  }

  /// Uniform in [low, high].
  constexpr std::int64_t between(std::int64_t low, std::int64_t high) {
    const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
    const std::uint64_t offset = span == ~std::uint64_t{0} ? bits() : below(span + 1);
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
  }

  /// Uniform in [0, 1), a multiple of 2^-53.
  constexpr double unit() { return static_cast<double>(bits() >> 11U) * 0x1p-53; }

  /// Every order is equally likely (Fisher and Yates).
  template <class T>
  constexpr void shuffle(std::span<T> values) {
    for (std::size_t left = values.size(); left > 1; --left) {
      std::swap(values[left - 1], values[static_cast<std::size_t>(below(left))]);
    }
  }

 private:
  static constexpr std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

  static constexpr std::uint32_t high(std::uint64_t value) {
    return static_cast<std::uint32_t>(value >> 32U);
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t block_index_ = 0;
  std::array<std::uint32_t, 4> block_{};
  std::size_t half_ = 0;  ///< the half of the block that is next; 0 asks for a new block
};

}  // namespace makespan
