#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <string>

namespace makespan {

/// An exact fraction of any size.
using Rational = boost::multiprecision::cpp_rational;
using BigInteger = boost::multiprecision::cpp_int;

/// The exact value: "27", "26.5", or "80/3" when the decimal expansion does not end.
[[nodiscard]] std::string to_string(const Rational& value);

/// The nearest double, give or take one unit in the last place; the same on every machine.
[[nodiscard]] double to_double(const Rational& value);

}  // namespace makespan
