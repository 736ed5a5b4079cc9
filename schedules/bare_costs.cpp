#include "schedules/bare_costs.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/text.h"

namespace makespan {

namespace {

enum class Dimension : std::uint8_t { number, time, size, bandwidth };

/// `factor` of these make one base unit (second, byte, byte per second), or one of these is `factor` base
/// units.
struct Unit {
  std::string_view name;
  Dimension dimension;
  std::int64_t factor;
  bool divides = false;
};

constexpr std::array<Unit, 25> kUnits = {{
    {"s", Dimension::time, 1},
    {"ms", Dimension::time, 1'000, true},
    {"us", Dimension::time, 1'000'000, true},
    {"ns", Dimension::time, 1'000'000'000, true},
    {"ps", Dimension::time, 1'000'000'000'000, true},
    {"B", Dimension::size, 1},
    {"kB", Dimension::size, 1'000},
    {"MB", Dimension::size, 1'000'000},
    {"GB", Dimension::size, 1'000'000'000},
    {"TB", Dimension::size, 1'000'000'000'000},
    {"KiB", Dimension::size, 1LL << 10},
    {"MiB", Dimension::size, 1LL << 20},
    {"GiB", Dimension::size, 1LL << 30},
    {"TiB", Dimension::size, 1LL << 40},
    {"B/s", Dimension::bandwidth, 1},
    {"kB/s", Dimension::bandwidth, 1'000},
    {"MB/s", Dimension::bandwidth, 1'000'000},
    {"GB/s", Dimension::bandwidth, 1'000'000'000},
    {"TB/s", Dimension::bandwidth, 1'000'000'000'000},
    {"GiB/s", Dimension::bandwidth, 1LL << 30},
    {"b/s", Dimension::bandwidth, 8, true},
    {"kb/s", Dimension::bandwidth, 125},
    {"Mb/s", Dimension::bandwidth, 125'000},
    {"Gb/s", Dimension::bandwidth, 125'000'000},
    {"Tb/s", Dimension::bandwidth, 125'000'000'000},
}};

/// Longer numbers are refused, so that no text makes the arithmetic slow.
constexpr std::size_t kMaxDigits = 40;

struct Amount {
  Rational value = 0;
  Dimension dimension = Dimension::number;
};

[[noreturn]] void refuse(const std::string& option, const std::string& what, const std::string& hint = {}) {
  throw InputError(SourceLocation{}, option, what, hint);
}

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

/// Reads digits off the front of `text`.
std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) {
    ++count;
  }
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

bool take(std::string_view& text, char letter) {
  if (text.empty() || text.front() != letter) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

BigInteger to_integer(std::string_view digits) {
  BigInteger value = 0;
  for (const char digit : digits) {
    value = value * 10 + (digit - '0');
  }
  return value;
}

/// Reads "12", "1.5" or "2/3" off the front of `text`; empty when there is none.
std::optional<Rational> take_number(std::string_view& text) {
  const std::string_view whole = take_digits(text);
  if (whole.empty() || whole.size() > kMaxDigits) {
    return std::nullopt;
  }
  if (take(text, '.')) {
    const std::string_view fraction = take_digits(text);
    if (fraction.empty() || fraction.size() > kMaxDigits) {
      return std::nullopt;
    }
    const BigInteger scale = pow(BigInteger(10), static_cast<unsigned>(fraction.size()));
    return Rational(to_integer(whole)) + Rational(to_integer(fraction)) / Rational(scale);
  }
  if (take(text, '/')) {
    const std::string_view below = take_digits(text);
    if (below.empty() || below.size() > kMaxDigits || to_integer(below) == 0) {
      return std::nullopt;
    }
    return Rational(to_integer(whole)) / Rational(to_integer(below));
  }
  return Rational(to_integer(whole));
}

Amount read_amount(const std::string& option, const std::string& text) {
  std::string_view rest = text;
  const std::optional<Rational> number = take_number(rest);
  if (!number) {
    refuse(option, "'" + text + "' is not a non-negative number",
           "write 1, 1.5 or 2/3, with a unit where it has one");
  }
  while (take(rest, ' ')) {
  }
  if (rest.empty()) {
    return {*number, Dimension::number};
  }
  const auto* const unit =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& known) { return known.name == rest; });
  if (unit == kUnits.end()) {
    std::vector<std::string_view> names;
    names.reserve(kUnits.size());
    for (const Unit& known : kUnits) {
      names.push_back(known.name);
    }
    refuse(option, "unknown unit '" + std::string(rest) + "'", suggestion(rest, names));
  }
  const Rational factor = unit->divides ? Rational(1) / Rational(unit->factor) : Rational(unit->factor);
  return {*number * factor, unit->dimension};
}

/// Collects times and sees to it that either all have a unit or none has; a bare 0 goes with both.
class Times {
 public:
  /// The time that `text` says, which has been read as `amount`.
  Rational add(const std::string& option, const Amount& amount) {
    if (amount.dimension != Dimension::number && amount.dimension != Dimension::time) {
      refuse(option, "is not a time", "write a bare number, or a unit of time such as ms");
    }
    const bool has_unit = amount.dimension == Dimension::time;
    if (amount.value == 0 && !has_unit) {
      return 0;
    }
    std::string& seen = has_unit ? with_unit_ : without_unit_;
    seen = seen.empty() ? option : seen;
    if (!with_unit_.empty() && !without_unit_.empty()) {
      refuse(without_unit_, "has no unit of time, but '" + with_unit_ + "' has one",
             "give every time a unit, or none");
    }
    return amount.value;
  }

  Rational add(const std::string& option, const std::string& text) {
    return add(option, read_amount(option, text));
  }

  [[nodiscard]] bool in_seconds() const { return !with_unit_.empty(); }

  /// An option whose time has no unit; empty when there is none.
  [[nodiscard]] const std::string& without_unit() const { return without_unit_; }

 private:
  std::string with_unit_;
  std::string without_unit_;
};

/// Forward and backward. The backward and its halves exclude each other.
void read_compute_times(const BareCostTexts& texts, Times& times, BareCosts& costs) {
  if (texts.backward && (texts.backward_input || texts.backward_weight)) {
    refuse("backward", "cannot be given together with backward-input or backward-weight",
           "the backward pass is the sum of its halves");
  }
  if (texts.backward_input.has_value() != texts.backward_weight.has_value()) {
    refuse(texts.backward_input ? "backward-weight" : "backward-input", "is missing",
           "backward-input and backward-weight are given together");
  }
  costs.forward = texts.forward ? times.add("forward", *texts.forward) : Rational(1);
  if (texts.backward_input) {
    costs.backward_input = times.add("backward-input", *texts.backward_input);
    costs.backward_weight = times.add("backward-weight", *texts.backward_weight);
    costs.backward = costs.backward_input + costs.backward_weight;
  } else {
    costs.backward = texts.backward ? times.add("backward", *texts.backward) : Rational(costs.forward * 2);
    costs.backward_input = costs.backward / 2;
    costs.backward_weight = costs.backward / 2;
  }
  if (texts.forward_backward) {
    costs.forward_backward = times.add("forward-backward", *texts.forward_backward);
  }
}

/// Bytes over links of `bandwidth`.
void read_message_size(const BareCostTexts& texts, const Amount& size, Times& times, BareCosts& costs) {
  if (denominator(size.value) != 1 || size.value > std::numeric_limits<std::int64_t>::max()) {
    refuse("communication", "'" + *texts.communication + "' is not a whole number of bytes below 2^63");
  }
  costs.message_bytes = numerator(size.value).convert_to<std::int64_t>();
  if (!texts.bandwidth) {
    refuse("bandwidth", "is missing", "messages of '" + *texts.communication + "' need one, such as 50 GB/s");
  }
  const Amount bandwidth = read_amount("bandwidth", *texts.bandwidth);
  if (bandwidth.dimension != Dimension::bandwidth || bandwidth.value == 0) {
    refuse("bandwidth", "'" + *texts.bandwidth + "' is not a positive bandwidth",
           "write for instance 50 GB/s or 400 Gb/s");
  }
  costs.bandwidth = bandwidth.value;
  costs.latency = texts.latency ? times.add("latency", *texts.latency) : Rational(0);
}

Rational read_number(const std::string& option, const std::string& text) {
  const Amount amount = read_amount(option, text);
  if (amount.dimension != Dimension::number) {
    refuse(option, "'" + text + "' has a unit", "it counts activations of a rank's share of a micro-batch");
  }
  return amount.value;
}

void read_memory(const BareCostTexts& texts, BareCosts& costs) {
  if (texts.memory_limit) {
    costs.memory_limit = read_number("memory-limit", *texts.memory_limit);
  }
  if (texts.weight_activation) {
    costs.weight_activation = read_number("weight-activation", *texts.weight_activation);
    if (costs.weight_activation > 1) {
      refuse("weight-activation", "'" + *texts.weight_activation + "' is more than the whole",
             "a share of the activation, from 0 to 1");
    }
  }
}

/// Whole numbers of a unit, by the name of their option.
class Ticks {
 public:
  explicit Ticks(BigInteger per_unit) : per_unit_(std::move(per_unit)) {}

  /// Rounded up.
  [[nodiscard]] std::int64_t count(const std::string& option, const Rational& amount) const {
    const Rational ticks = amount * per_unit_;
    const BigInteger whole = (numerator(ticks) + denominator(ticks) - 1) / denominator(ticks);
    if (whole > std::numeric_limits<std::int64_t>::max()) {
      refuse(option, to_string(amount) + " is outside the range of a search with these denominators");
    }
    return whole.convert_to<std::int64_t>();
  }

  [[nodiscard]] const BigInteger& per_unit() const { return per_unit_; }

 private:
  BigInteger per_unit_;
};

/// The memory of a rank, in the least unit in which everything is whole.
void set_memory(RankCosts& rank, const BareCosts& costs, int chunks) {
  const Ticks unit(denominator(costs.weight_activation));
  rank.activation = unit.count("weight-activation", 1);
  rank.weight_activation = unit.count("weight-activation", costs.weight_activation);
  if (costs.memory_limit) {
    const Rational limit = *costs.memory_limit * chunks * unit.per_unit();
    const BigInteger whole = numerator(limit) / denominator(limit);
    rank.memory_limit =
        std::min<BigInteger>(whole, std::numeric_limits<std::int64_t>::max()).convert_to<std::int64_t>();
  }
}

}  // namespace

TickCosts search_costs(const BareCosts& costs, int chunks) {
  BigInteger per_unit = costs.in_seconds ? 1'000'000'000'000 : 1;
  const Rational pair = costs.forward_backward.value_or(costs.forward + costs.backward);
  for (const Rational& time :
       {costs.forward, costs.backward, costs.backward_input, costs.backward_weight, pair}) {
    per_unit = lcm(per_unit, denominator(Rational(time / chunks)));
  }
  const Ticks ticks(lcm(per_unit, denominator(costs.latency)));
  const auto chunk = [&](const std::string& option, const Rational& time) {
    return ticks.count(option, time / chunks);
  };
  TickCosts result;
  RankCosts& rank = result.costs.ranks.front();
  rank.forward = chunk("forward", costs.forward);
  rank.backward = chunk("backward", costs.backward);
  rank.backward_input = chunk("backward-input", costs.backward_input);
  rank.backward_weight = chunk("backward-weight", costs.backward_weight);
  if (costs.forward_backward) {
    rank.forward_backward = chunk("forward-backward", *costs.forward_backward);
  }
  set_memory(rank, costs, chunks);
  const Rational sending = costs.message_bytes > 0 ? costs.message_bytes / costs.bandwidth : Rational(0);
  result.costs.hop = ticks.count("communication", costs.latency + sending);
  result.ticks_per_unit = ticks.per_unit();
  return result;
}

BareCosts read_bare_costs(const BareCostTexts& texts) {
  BareCosts costs;
  Times times;
  read_compute_times(texts, times, costs);
  const Amount communication =
      texts.communication ? read_amount("communication", *texts.communication) : Amount{};
  if (communication.dimension == Dimension::size) {
    read_message_size(texts, communication, times, costs);
  } else {
    if (texts.bandwidth || texts.latency) {
      refuse(texts.bandwidth ? "bandwidth" : "latency", "applies only when communication is a size",
             "write for instance --communication 32MiB, or a time per hop alone");
    }
    costs.latency = times.add("communication", communication);
  }
  costs.in_seconds = times.in_seconds();
  read_memory(texts, costs);
  if (costs.in_seconds && !texts.forward) {
    refuse("forward", "is missing", "times with a unit have no default of 1");
  }
  if (costs.message_bytes > 0 && !costs.in_seconds) {
    refuse(times.without_unit().empty() ? "forward" : times.without_unit(),
           "needs a unit of time, such as ms", "messages with a size take seconds");
  }
  return costs;
}

}  // namespace makespan
