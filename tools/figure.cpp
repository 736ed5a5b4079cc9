#include "tools/figure.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "core/error.h"

namespace makespan {

double read_width(std::string_view text, const std::string& option) {
  constexpr std::array<std::pair<std::string_view, double>, 4> kUnits = {
      {{"in", kPointsPerInch}, {"mm", kPointsPerInch / 25.4}, {"cm", kPointsPerInch / 2.54}, {"pt", 1}}};
  constexpr double kLeast = 2 * kPointsPerInch;
  constexpr double kMost = 100 * kPointsPerInch;
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
  const auto* const found =
      std::find_if(kUnits.begin(), kUnits.end(), [unit](const auto& known) { return known.first == unit; });
  if (error != std::errc() || found == kUnits.end()) {
    throw InputError({}, option, fmt::format("'{}' is no width", text), "write 3.3in, 84mm, 8.4cm or 240pt");
  }
  const double points = number * found->second;
  if (!(points >= kLeast && points <= kMost)) {
    throw InputError({}, option, fmt::format("'{}' is not from 2in to 100in", text));
  }
  return points;
}

double text_width(std::string_view text, double size) {
  constexpr std::string_view kNarrow = " .,:'()fijlrtI";
  constexpr std::string_view kWide = "mw";
  double width = 0;
  for (const char letter : text) {
    const bool is_narrow = kNarrow.find(letter) != std::string_view::npos;
    const bool is_wide = kWide.find(letter) != std::string_view::npos;
    width += is_narrow ? 0.29 : is_wide ? 0.8 : 0.56;
  }
  return width * size;
}

namespace {

/// mantissa * 10^exponent, times `count`.
std::string decimal(std::int64_t count, int mantissa, int exponent) {
  std::string digits = std::to_string(count * mantissa);
  if (count == 0) {
    return "0";
  }
  if (exponent >= 0) {
    return digits + std::string(static_cast<std::size_t>(exponent), '0');
  }
  const auto places = static_cast<std::size_t>(-exponent);
  if (digits.size() <= places) {
    digits.insert(0, places + 1 - digits.size(), '0');
  }
  digits.insert(digits.size() - places, ".");
  return digits;
}

/// The least step of 1, 2 or 5 times a power of ten that `fits`, or that has no mark behind 0.
template <class Fits>
AxisStep least_step(double span, const Fits& fits) {
  constexpr int kMost = 400;
  AxisStep step{1, 0, 1, 0};
  while (step.units * kMost > span) {
    step.units /= 10;
    --step.exponent;
  }
  for (double power = step.units;; power *= 10, ++step.exponent) {
    for (const int mantissa : {1, 2, 5}) {
      step.mantissa = mantissa;
      step.units = power * mantissa;
      step.marks = static_cast<std::int64_t>(span / step.units * (1 + 1e-12));
      if (step.marks == 0 || fits(step)) {
        return step;
      }
    }
  }
}

}  // namespace

std::string AxisStep::label(std::int64_t mark) const {
  return decimal(mark, mantissa, exponent);
}

AxisStep axis_step(double span, double width) {
  return least_step(span, [&](const AxisStep& step) {
    const double needed = text_width(step.label(step.marks), kFigureTextSize) + kFigureTextSize;
    return step.units / span * width >= needed;
  });
}

AxisStep vertical_axis_step(double span, double height) {
  constexpr double kApart = 1.6 * kFigureTextSize;
  return least_step(span, [&](const AxisStep& step) { return step.units / span * height >= kApart; });
}

}  // namespace makespan
