#include "network/collective.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "core/int128.h"
#include "network/collective_cost.h"
#include "network/collective_loads.h"
#include "network/collective_planning.h"

namespace makespan {

namespace {

double seconds_at(Bytes amount, Rate rate) {
  return static_cast<double>(amount.count()) / bytes_per_second(rate);
}

/// The straight line through measured times, piece by piece.
double measured_seconds(const std::vector<MeasuredTime>& measured, Bytes payload) {
  const auto seconds_of = [](const MeasuredTime& m) { return seconds(m.time); };
  if (measured.size() == 1) {
    return seconds_of(measured.front());
  }
  auto above = std::upper_bound(measured.begin(), measured.end(), payload,
                                [](Bytes bytes, const MeasuredTime& m) { return bytes < m.payload; });
  above = std::clamp(above, measured.begin() + 1, measured.end() - 1);
  const MeasuredTime& a = *(above - 1);
  const MeasuredTime& b = *above;
  const double at = static_cast<double>((payload - a.payload).count()) /
                    static_cast<double>((b.payload - a.payload).count());
  return std::max(0.0, seconds_of(a) + (seconds_of(b) - seconds_of(a)) * at);
}

void check_measured(const std::vector<MeasuredTime>& measured) {
  const bool ascends = std::adjacent_find(measured.begin(), measured.end(), [](const auto& a, const auto& b) {
                         return a.payload >= b.payload;
                       }) == measured.end();
  if (!ascends) {
    throw InputError({}, {}, "the measured times are not by ascending payload", "each payload once");
  }
}

/// Lets the transfer take `seconds` alone: the difference is latency; where links alone would take longer,
/// fewer bytes.
TransferWork lasting(double seconds, TransferWork work, Rate rate) {
  const double on_links = seconds_at(work.amount, rate);
  if (seconds >= on_links) {
    return {work.amount, time_from_seconds(seconds - on_links)};
  }
  return {Bytes(static_cast<std::int64_t>(std::floor(seconds * bytes_per_second(rate)))), Time(0)};
}

/// What the transfer takes of each member.
void reserve(Route& route, const NcclOptions& options, double channels, double copies, double sent) {
  const auto ppm = [](double share) { return static_cast<std::uint32_t>(std::min(share, 1.0) * 1e6); };
  route.sm_ppm = options.sms > 0 ? ppm(channels / options.sms) : 0;
  route.memory_ppm = options.memory_bandwidth > 0 ? ppm(copies * sent / options.memory_bandwidth) : 0;
}

}  // namespace

std::string_view to_string(CollectiveKind kind) {
  constexpr std::array<std::string_view, 6> kNames = {"all-reduce", "all-gather", "reduce-scatter",
                                                      "all-to-all", "broadcast",  "reduce"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(Algorithm algorithm) {
  constexpr std::array<std::string_view, 10> kNames = {
      "ring", "tree",   "hierarchical",     "nvls", "nvls-tree", "collnet",
      "pat",  "direct", "halving-doubling", "torus"};
  return kNames[static_cast<std::size_t>(algorithm)];
}

CollectivePlanner::CollectivePlanner(const Topology& topology, const NcclOptions& options)
    : groups_(std::make_unique<CollectiveGroups>(topology)), options_(options) {}

CollectivePlanner::~CollectivePlanner() = default;
CollectivePlanner::CollectivePlanner(CollectivePlanner&&) noexcept = default;
CollectivePlanner& CollectivePlanner::operator=(CollectivePlanner&&) noexcept = default;

Router& CollectivePlanner::router() {
  return groups_->router();
}

TransferPlan CollectivePlanner::send(std::size_t from, std::size_t to, Bytes bytes) {
  if (from == to || bytes == Bytes(0)) {
    return {};
  }
  const Topology& topology = groups_->topology();
  const bool is_across = !topology.nics().empty() && topology.gpus()[from].node != topology.gpus()[to].node;
  Loads loads = send_loads(groups_->router(), from, to);
  const auto payload = static_cast<double>(bytes.count());
  const CollectiveCost cost = send_cost(options_, payload, is_across, loads);
  TransferPlan plan;
  plan.route.uses = std::move(loads.uses);
  plan.route.members = {DeviceId(from), DeviceId(to)};
  const double channels = is_across ? options_.channels_send : send_channels(options_, payload);
  reserve(plan.route, options_, std::ceil(channels), options_.copies_move, bytes_per_second(loads.rate));
  const double waits = std::max(0.0, cost.bytes_s - seconds_at(bytes, loads.rate));
  plan.work = {bytes, time_from_seconds(cost.latency_us * 1e-6 + waits) + cost.link_latency};
  return plan;
}

CollectivePlan CollectivePlanner::plan(CollectiveKind kind, std::span<const std::size_t> gpus, Bytes payload,
                                       const CollectiveChoice& choice) {
  check_measured(choice.measured);
  check_protocol(kind, choice);
  if (gpus.size() < 2 || payload == Bytes(0)) {
    return {};
  }
  CollectiveGroups::Group& group = groups_->group(gpus);
  CollectivePlanning planning(*groups_, group, options_, kind, payload, choice);
  const CollectiveCandidate best = planning.cheapest();
  CollectivePlan plan;
  plan.algorithm = best.algorithm;
  plan.protocol = best.protocol;
  plan.channels = planning.busy_channels(best);
  plan.transfer.route.uses = best.loads->uses;
  for (const std::size_t gpu : gpus) {
    plan.transfer.route.members.emplace_back(gpu);
  }
  reserve(plan.transfer.route, options_, plan.channels,
          kind == CollectiveKind::all_reduce ? options_.copies_reduce : options_.copies_move,
          best.loads->sent * bytes_per_second(best.loads->rate));
  plan.transfer.work = choice.measured.empty()
                           ? best.work
                           : lasting(measured_seconds(choice.measured, payload), best.work, best.loads->rate);
  return plan;
}

CollectivePlan CollectivePlanner::all_to_all(std::span<const std::size_t> gpus, std::span<const Bytes> matrix,
                                             const CollectiveChoice& choice) {
  MAKESPAN_CHECK(matrix.size() == gpus.size() * gpus.size(), "a row for each rank");
  check_protocol(CollectiveKind::all_to_all, choice);
  if (!choice.measured.empty()) {
    throw InputError({}, "measured", "measured times are of equal shares, this all-to-all is uneven",
                     "leave them out");
  }
  const std::size_t ranks = gpus.size();
  bool is_empty = true;
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    is_empty = is_empty && (i / ranks == i % ranks || matrix[i] == Bytes(0));
  }
  if (ranks < 2 || is_empty) {
    return {};
  }
  CollectiveGroups::Group& group = groups_->group(gpus);
  const Loads loads = direct_loads(
      groups_->router(), group.shape,
      [&](std::size_t from, std::size_t to) {
        return static_cast<std::uint64_t>(matrix[from * ranks + to].count());
      },
      1);
  // S is one byte, of which each rank sends as many to another as the matrix says.
  CollectivePlanning planning(*groups_, group, options_, CollectiveKind::all_to_all, Bytes(1), choice);
  if (choice.algorithm && *choice.algorithm != Algorithm::direct) {
    (void)planning.cheapest();  // says why not
  }
  const CollectiveCandidate candidate = planning.candidate(Algorithm::direct, Protocol::simple, loads);
  CollectivePlan plan;
  plan.algorithm = Algorithm::direct;
  plan.channels = planning.channels(Algorithm::direct);
  plan.transfer.route.uses = loads.uses;
  for (const std::size_t gpu : gpus) {
    plan.transfer.route.members.emplace_back(gpu);
  }
  reserve(plan.transfer.route, options_, plan.channels, options_.copies_move,
          loads.sent * bytes_per_second(loads.rate));
  plan.transfer.work = candidate.work;
  return plan;
}

Time CollectivePlanner::alone(const TransferPlan& plan) const {
  if (plan.route.uses.empty() || plan.work.amount == Bytes(0)) {
    return plan.work.latency;
  }
  const auto rate = static_cast<std::uint64_t>(uncontended(groups_->topology(), plan.route.uses).count());
  // Bytes times 10^12 ps/s times 10^3 over the rate in 1/1000 byte per second.
  constexpr std::uint64_t kScale = 1'000'000'000'000'000;
  const Uint128 work = Uint128(static_cast<std::uint64_t>(plan.work.amount.count())) * kScale;
  return plan.work.latency + Time(static_cast<std::int64_t>(ceil_div(work, rate)));
}

}  // namespace makespan
