#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <string>

namespace makespan {

/// Exact numbers of any size. Without expression templates, so that every expression has the type that it
/// reads as.
using Rational =
    boost::multiprecision::number<boost::multiprecision::cpp_rational_backend, boost::multiprecision::et_off>;
using BigInteger =
    boost::multiprecision::number<boost::multiprecision::cpp_int_backend<>, boost::multiprecision::et_off>;

/// The exact value: "27", "26.5", or "80/3" when the decimal expansion does not end.
[[nodiscard]] std::string to_string(const Rational& value);

/// The nearest double, give or take one unit in the last place; the same on every machine.
[[nodiscard]] double to_double(const Rational& value);

}  // namespace makespan
