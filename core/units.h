#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>  // hash

namespace makespan {

namespace detail {
[[noreturn]] void quantity_overflow();
}  // namespace detail

/// A whole number of one unit. Explicit in and explicit out; sums, differences and multiples are checked and
/// throw InfeasibleError past the range of 64 bits.
template <class Tag>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(std::int64_t count) : count_(count) {}

  [[nodiscard]] constexpr std::int64_t count() const { return count_; }

  constexpr auto operator<=>(const Quantity&) const = default;

  constexpr Quantity& operator+=(Quantity other) {
    if (__builtin_add_overflow(count_, other.count_, &count_)) {
      detail::quantity_overflow();
    }
    return *this;
  }

  constexpr Quantity& operator-=(Quantity other) {
    if (__builtin_sub_overflow(count_, other.count_, &count_)) {
      detail::quantity_overflow();
    }
    return *this;
  }

  constexpr Quantity& operator*=(std::int64_t factor) {
    if (__builtin_mul_overflow(count_, factor, &count_)) {
      detail::quantity_overflow();
    }
    return *this;
  }

  friend constexpr Quantity operator+(Quantity a, Quantity b) { return a += b; }

  friend constexpr Quantity operator-(Quantity a, Quantity b) { return a -= b; }

  friend constexpr Quantity operator*(Quantity a, std::int64_t factor) { return a *= factor; }

  friend constexpr Quantity operator*(std::int64_t factor, Quantity a) { return a *= factor; }

 private:
  std::int64_t count_ = 0;
};

/// Picoseconds: a duration, or an instant counted from the start of the run. The range is 106 days.
using Time = Quantity<struct TimeTag>;
/// Bytes.
using Bytes = Quantity<struct BytesTag>;
/// Transfer rate or link capacity in 1/1000 byte per second; the range is 9.2 PB/s.
using Rate = Quantity<struct RateTag>;

inline constexpr std::int64_t kPicosecondsPerSecond = 1'000'000'000'000;

/// Seconds to picoseconds, to the nearest; throws InfeasibleError when negative, not finite or past the range.
/// The only place where floating-point seconds become simulated time.
[[nodiscard]] Time time_from_seconds(double seconds);

[[nodiscard]] constexpr double seconds(Time time) {
  return static_cast<double>(time.count()) / static_cast<double>(kPicosecondsPerSecond);
}

/// Bytes per second to a rate, to the nearest 1/1000; throws InfeasibleError when negative, not finite or too large.
[[nodiscard]] Rate rate_from_bytes_per_second(double bytes_per_second);

[[nodiscard]] constexpr double bytes_per_second(Rate rate) { return static_cast<double>(rate.count()) / 1000.0; }

/// An index into one kind of table. Different kinds do not mix.
template <class Tag>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(std::size_t value) : value_(static_cast<std::uint32_t>(value)) {}

  [[nodiscard]] constexpr std::size_t index() const { return value_; }

  constexpr auto operator<=>(const Id&) const = default;

 private:
  std::uint32_t value_ = 0;
};

using TaskId = Id<struct TaskTag>;
/// What executes compute tasks: one GPU. Transfers name the devices they occupy in the same numbering.
using DeviceId = Id<struct DeviceTag>;
/// What transfers share: one directed link.
using ResourceId = Id<struct ResourceTag>;
using RouteId = Id<struct RouteTag>;
using LabelId = Id<struct LabelTag>;
using NameId = Id<struct NameTag>;

}  // namespace makespan

template <class Tag>
struct std::hash<makespan::Id<Tag>> {
  std::size_t operator()(makespan::Id<Tag> id) const noexcept { return id.index(); }
};
