#include "schedules/rational.h"

#include <algorithm>

namespace makespan {

namespace {

/// How often `factor` divides `number`, which is divided by it as often.
std::size_t divide_out(BigInteger& number, int factor) {
  std::size_t times = 0;
  while (number % factor == 0) {
    number /= factor;
    ++times;
  }
  return times;
}

}  // namespace

std::string to_string(const Rational& value) {
  BigInteger rest = denominator(value);
  const std::size_t twos = divide_out(rest, 2);
  const std::size_t fives = divide_out(rest, 5);
  if (rest != 1) {
    return numerator(value).str() + '/' + denominator(value).str();
  }
  const std::size_t places = std::max(twos, fives);
  const BigInteger scaled =
      numerator(value) * pow(BigInteger(10), static_cast<unsigned>(places)) / denominator(value);
  std::string digits = BigInteger(abs(scaled)).str();
  if (places > 0) {
    if (digits.size() <= places) {
      digits.insert(0, places + 1 - digits.size(), '0');
    }
    digits.insert(digits.size() - places, 1, '.');
  }
  return (scaled < 0 ? "-" : "") + digits;
}

double to_double(const Rational& value) {
  return value.convert_to<double>();
}

}  // namespace makespan
