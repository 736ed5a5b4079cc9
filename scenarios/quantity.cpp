#include "scenarios/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <limits>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "core/int128.h"
#include "core/text.h"
#include "scenarios/problems.h"

namespace makespan {

namespace {

/// `digits` x 10^`exponent`, exactly.
struct Decimal {
  bool is_negative = false;
  std::uint64_t digits = 0;
  int exponent = 0;
};

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

/// Length of the number at the start of `text` by the grammar; 0 when there is none.
std::size_t number_length(std::string_view text) {
  std::size_t at = text.substr(0, 1) == "-" ? 1 : 0;
  const auto digits = [&] {
    const std::size_t first = at;
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    return at - first;
  };
  const std::size_t start = at;
  const std::size_t whole = digits();
  if (whole == 0 || (whole > 1 && text[start] == '0')) {
    return 0;
  }
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) {
      return 0;
    }
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    const std::size_t before = at++;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
      ++at;
    }
    if (digits() == 0) {
      at = before;  // the e belongs to what follows
    }
  }
  return at;
}

/// The exact value of a number of the grammar; empty when it has more than 19 significant digits or an
/// exponent of more than four digits.
std::optional<Decimal> exact_value(std::string_view number) {
  Decimal value;
  value.is_negative = number.front() == '-';
  bool in_fraction = false;
  int pending_zeros = 0;
  std::size_t at = value.is_negative ? 1 : 0;
  for (; at < number.size() && number[at] != 'e' && number[at] != 'E'; ++at) {
    if (number[at] == '.') {
      in_fraction = true;
      continue;
    }
    value.exponent -= in_fraction ? 1 : 0;
    ++pending_zeros;
    if (number[at] == '0') {
      continue;  // trailing zeros become part of the exponent
    }
    for (; pending_zeros > 0; --pending_zeros) {
      if (__builtin_mul_overflow(value.digits, std::uint64_t{10}, &value.digits)) {
        return std::nullopt;
      }
    }
    if (__builtin_add_overflow(value.digits, static_cast<std::uint64_t>(number[at] - '0'), &value.digits)) {
      return std::nullopt;
    }
  }
  value.exponent += pending_zeros;
  if (at < number.size()) {
    ++at;
    at += number[at] == '+' ? 1 : 0;
    int written = 0;
    if (number.size() - at > 5 ||
        std::from_chars(number.data() + at, number.data() + number.size(), written).ec != std::errc()) {
      return std::nullopt;
    }
    value.exponent += written;
  }
  if (value.digits == 0) {
    value.exponent = 0;
    value.is_negative = false;
  }
  return value;
}

/// digits x 10^exponent x numerator / denominator to the nearest whole number, halves up; empty past 63 bits.
std::optional<std::int64_t> scaled(const Decimal& value, std::uint64_t numerator, std::uint64_t denominator) {
  Uint128 over = Uint128(value.digits) * numerator;
  Uint128 under = denominator;
  for (int i = 0; i < value.exponent && over != 0; ++i) {
    if (over >> 120U != 0) {
      return std::nullopt;
    }
    over *= 10;
  }
  for (int i = 0; i > value.exponent; --i) {
    if (under >> 120U != 0) {
      return 0;  // less than 2^104 / 2^120
    }
    under *= 10;
  }
  const Uint128 rest = over % under;
  const Uint128 result = over / under + (rest >= under - rest ? 1 : 0);
  if (result > static_cast<Uint128>(std::numeric_limits<std::int64_t>::max())) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(result);
}

/// Why `text` is not a number, as a hint.
std::string number_hint(std::string_view text) {
  const std::string_view digits = text.substr(0, 1) == "-" ? text.substr(1) : text;
  const auto looks_like = [&](std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
      if (edit_distance(digits, name) == 0) {
        return true;
      }
    }
    return false;
  };
  if (looks_like({".nan", ".inf", "nan", "inf", "infinity"})) {
    return "numbers are finite";
  }
  if (digits.size() > 1 && digits[0] == '0' &&
      (is_digit(digits[1]) || digits[1] == 'x' || digits[1] == 'o')) {
    return "write decimal numbers without leading zeros; octal and hexadecimal forms are not read";
  }
  if (!digits.empty() && digits.find_first_not_of("0123456789_,'") == std::string_view::npos) {
    return "write digits without separators";
  }
  if (!digits.empty() && (digits[0] == '.' || digits[0] == '+')) {
    return "write a digit first";
  }
  return {};
}

struct Unit {
  std::string_view name;
  std::uint64_t numerator = 1;  ///< how many of the counted thing it is
  std::uint64_t denominator = 1;
};

constexpr std::uint64_t kKilo = 1000;
constexpr std::uint64_t kMega = kKilo * kKilo;
constexpr std::uint64_t kGiga = kMega * kKilo;
constexpr std::uint64_t kTera = kGiga * kKilo;
constexpr std::uint64_t kKibi = 1024;

constexpr std::array<Unit, 7> kTimes = {{{"ps", 1},
                                         {"ns", kKilo},
                                         {"us", kMega},
                                         {"ms", kGiga},
                                         {"s", kTera},
                                         {"min", 60 * kTera},
                                         {"h", 3600 * kTera}}};

constexpr std::array<Unit, 9> kSizes = {{{"B", 1},
                                         {"kB", kKilo},
                                         {"KiB", kKibi},
                                         {"MB", kMega},
                                         {"MiB", kKibi* kKibi},
                                         {"GB", kGiga},
                                         {"GiB", kKibi* kKibi* kKibi},
                                         {"TB", kTera},
                                         {"TiB", kKibi* kKibi* kKibi* kKibi}}};

/// In 1/1000 byte per second; a bit is an eighth of a byte.
constexpr std::array<Unit, 18> kRates = {{{"b/s", kKilo, 8},
                                          {"kb/s", kMega, 8},
                                          {"Mb/s", kGiga, 8},
                                          {"Gb/s", kTera, 8},
                                          {"Tb/s", kTera* kKilo, 8},
                                          {"Kib/s", kKilo* kKibi, 8},
                                          {"Mib/s", kKilo* kKibi* kKibi, 8},
                                          {"Gib/s", kKilo* kKibi* kKibi* kKibi, 8},
                                          {"Tib/s", kKilo* kKibi* kKibi* kKibi* kKibi, 8},
                                          {"B/s", kKilo},
                                          {"kB/s", kMega},
                                          {"MB/s", kGiga},
                                          {"GB/s", kTera},
                                          {"TB/s", kTera* kKilo},
                                          {"KiB/s", kKilo* kKibi},
                                          {"MiB/s", kKilo* kKibi* kKibi},
                                          {"GiB/s", kKilo* kKibi* kKibi* kKibi},
                                          {"TiB/s", kKilo* kKibi* kKibi* kKibi* kKibi}}};

constexpr std::array<Unit, 5> kPrefixes = {{{"", 1}, {"k", kKilo}, {"M", kMega}, {"G", kGiga}, {"T", kTera}}};

struct Kind {
  std::string_view what;     ///< "a time"
  std::string_view example;  ///< "18.5 ms"
  std::string_view units;    ///< for a hint
  std::span<const Unit> table;
};

const Kind kTimeKind = {"a time", "18.5 ms", "ps, ns, us, ms, s, min, h", kTimes};
const Kind kSizeKind = {"a size", "48 MiB", "B, kB, MB, GB, TB (decimal), KiB, MiB, GiB, TiB (binary)",
                        kSizes};
const Kind kRateKind = {"a bandwidth", "400 Gb/s", "Gb/s (bits), GB/s (bytes), GiB/s (binary) and the like",
                        kRates};

/// What to write instead of the unknown unit `unit`.
std::string unit_hint(const Kind& kind, std::string_view number, std::string_view unit) {
  if (unit.empty()) {
    return "add a unit, as in '" + std::string(kind.example) + "'; known: " + std::string(kind.units);
  }
  for (const Unit& candidate : kind.table) {
    if (edit_distance(unit, candidate.name) == 0) {  // only letter case differs
      return "did you mean '" + std::string(number) + " " + std::string(candidate.name) +
             "'? b is bit, B is byte; k, M, G are decimal, Ki, Mi, Gi binary";
    }
  }
  if (unit == "µs" || unit == "μs") {
    return "write 'us' for microseconds";
  }
  return "known units: " + std::string(kind.units);
}

Parsed<std::int64_t> parse_quantity(std::string_view text, const Kind& kind) {
  const std::size_t length = number_length(text);
  const std::string must_be =
      "must be " + std::string(kind.what) + " such as '" + std::string(kind.example) + "'";
  if (length == 0) {
    return {{}, must_be + ", found " + shown(text), number_hint(text)};
  }
  const std::string_view number = text.substr(0, length);
  std::string_view unit = text.substr(length);
  unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
  const Unit* known = nullptr;
  for (const Unit& candidate : kind.table) {
    known = candidate.name == unit ? &candidate : known;
  }
  if (known == nullptr) {
    const std::string problem = unit.empty() ? " has no unit" : " has an unknown unit";
    return {{}, must_be + "; " + shown(text) + problem, unit_hint(kind, number, unit)};
  }
  const auto value = exact_value(number);
  if (!value) {
    return {{}, must_be + "; " + shown(text) + " has too many digits", "19 significant digits are enough"};
  }
  if (value->is_negative) {
    return {{}, must_be + ", not negative; found " + shown(text), {}};
  }
  const auto count = scaled(*value, known->numerator, known->denominator);
  if (!count) {
    return {{}, must_be + "; " + shown(text) + " is too large", {}};
  }
  if (*count == 0 && value->digits != 0) {
    return {{}, must_be + "; " + shown(text) + " is too small to be told from 0", {}};
  }
  return {count, {}, {}};
}

template <class T>
Parsed<T> as(Parsed<std::int64_t> parsed) {
  return {parsed.value ? std::optional<T>(T(*parsed.value)) : std::nullopt, std::move(parsed.what),
          std::move(parsed.hint)};
}

/// The largest unit of `table` that divides `count`, or the first.
const Unit& dividing_unit(std::span<const Unit> table, std::int64_t count) {
  const Unit* best = &table.front();
  for (const Unit& unit : table) {
    best = count != 0 && static_cast<std::uint64_t>(count) % unit.numerator == 0 ? &unit : best;
  }
  return *best;
}

/// `count` in the largest of `units`, which are decimal and ascending, that is not larger than it.
std::string decimal_text(std::int64_t count, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    best = static_cast<std::uint64_t>(count) >= unit.numerator ? &unit : best;
  }
  const auto unit = static_cast<std::int64_t>(best->numerator);
  std::string text = std::to_string(count / unit);
  if (const std::int64_t rest = count % unit; rest != 0) {
    const std::string fraction = std::to_string(unit + rest).substr(1);
    text += "." + fraction.substr(0, fraction.find_last_not_of('0') + 1);
  }
  return text + " " + std::string(best->name);
}

}  // namespace

Parsed<std::int64_t> parse_integer(std::string_view text) {
  const std::string what = "must be a whole number, found " + shown(text);
  if (text.empty() || number_length(text) != text.size()) {
    return {{}, what, number_hint(text)};
  }
  const auto value = exact_value(text);
  if (!value || value->exponent < 0) {
    return {{}, what, {}};
  }
  const auto count = scaled(*value, 1, 1);
  if (!count) {
    return {{}, what + ", which is out of range", {}};
  }
  return {value->is_negative ? -*count : *count, {}, {}};
}

Parsed<double> parse_real(std::string_view text) {
  const std::string what = "must be a number, found " + shown(text);
  if (text.empty() || number_length(text) != text.size()) {
    return {{}, what, number_hint(text)};
  }
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc()) {
    return {{}, what + ", which is out of range", "numbers are finite and not so small that they vanish"};
  }
  return {value, {}, {}};
}

Parsed<Time> parse_time(std::string_view text) {
  return as<Time>(parse_quantity(text, kTimeKind));
}

Parsed<Bytes> parse_size(std::string_view text) {
  return as<Bytes>(parse_quantity(text, kSizeKind));
}

Parsed<Rate> parse_rate(std::string_view text) {
  return as<Rate>(parse_quantity(text, kRateKind));
}

Parsed<std::int64_t> parse_count(std::string_view text, std::string_view unit) {
  const std::string noun(unit);
  std::vector<std::string> names;
  names.reserve(kPrefixes.size());
  for (const Unit& prefix : kPrefixes) {
    names.push_back(std::string(prefix.name) + (prefix.name.empty() ? "" : " ") + noun);
  }
  std::array<Unit, kPrefixes.size()> table = kPrefixes;
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i].name = names[i];
  }
  const std::string what = "a number of " + noun;
  const std::string example = "40 M " + noun;
  const std::string units = noun + ", k " + noun + ", M " + noun + ", G " + noun;
  return parse_quantity(text, {what, example, units, table});
}

std::string time_text(Time time) {
  return decimal_text(time.count(), std::span(kTimes).first(5));  // larger units are not decimal
}

std::string rate_text(Rate rate) {
  return decimal_text(rate.count(), std::span(kRates).subspan(9, 5));
}

std::string size_text(Bytes size) {
  const Unit& unit = dividing_unit(kSizes, size.count());
  return std::to_string(static_cast<std::uint64_t>(size.count()) / unit.numerator) + " " +
         std::string(unit.name);
}

std::string count_text(std::int64_t count, std::string_view unit) {
  const Unit& prefix = dividing_unit(kPrefixes, count);
  return std::to_string(static_cast<std::uint64_t>(count) / prefix.numerator) + " " +
         std::string(prefix.name) + (prefix.name.empty() ? "" : " ") + std::string(unit);
}

}  // namespace makespan
