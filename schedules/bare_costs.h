#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "schedules/pass_costs.h"
#include "schedules/rational.h"

namespace makespan {

/// What things cost in a bare schedule: one without a model, a cluster or a network. Times are in abstract
/// units, or in seconds when `in_seconds`; all values are exact. Computing times are those of one micro-batch
/// through a rank's whole share, so that with v chunks one chunk takes a v-th.
struct BareCosts {
  Rational forward = 1;
  Rational backward = 2;  ///< of B, both halves
  Rational backward_input = 1;
  Rational backward_weight = 1;
  /// Of an F and a B that overlap; default: one after the other.
  std::optional<Rational> forward_backward = std::nullopt;
  Rational latency = 0;  ///< per hop between ranks; occupies neither ranks nor links
  bool in_seconds = false;
  /// When positive, each message also crosses the one directed link between its two ranks. Only in seconds.
  std::int64_t message_bytes = 0;
  Rational bandwidth = 0;  ///< bytes per second of each link
  /// What I leaves of the activation that F keeps, until W. For searches alone, as the next one.
  Rational weight_activation = 1;
  /// Per rank, in activations of its whole share of one micro-batch; default: none.
  std::optional<Rational> memory_limit = std::nullopt;
};

/// The options of the `schedule` command, as written: exact decimals ("1.5"), fractions ("2/3"), or either
/// with a unit
/// ("1 ms", "32 MiB", "50 GB/s", "400 Gb/s").
struct BareCostTexts {
  std::optional<std::string> forward = std::nullopt;  ///< default 1
  std::optional<std::string> backward =
      std::nullopt;  ///< default: the sum of its halves, or twice the forward
  std::optional<std::string> backward_input = std::nullopt;     ///< default: half of the backward
  std::optional<std::string> backward_weight = std::nullopt;    ///< default: half of the backward
  std::optional<std::string> forward_backward = std::nullopt;   ///< default: forward + backward
  std::optional<std::string> communication = std::nullopt;      ///< a time per hop, or bytes per message
  std::optional<std::string> bandwidth = std::nullopt;          ///< with bytes only
  std::optional<std::string> latency = std::nullopt;            ///< with bytes only; default 0
  std::optional<std::string> weight_activation = std::nullopt;  ///< a share of the activation; default 1
  std::optional<std::string> memory_limit = std::nullopt;       ///< a number; default: none
};

/// Reads the options. Throws InputError that names the option and what it accepts: for text that is no
/// number, unknown units, times with and without a unit side by side, or options that exclude or need each
/// other.
[[nodiscard]] BareCosts read_bare_costs(const BareCostTexts& texts);

/// Costs in whole ticks, for searches.
struct TickCosts {
  PassCosts costs;
  BigInteger ticks_per_unit = 1;  ///< of BareCosts
};

/// `chunks`: stages per rank. A message of bytes counts as a hop of its latency and its time on a free link,
/// rounded up to a tick. Throws InputError naming the option whose cost does not fit the range of ticks.
[[nodiscard]] TickCosts search_costs(const BareCosts& costs, int chunks);

}  // namespace makespan
