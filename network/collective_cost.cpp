#include "network/collective_cost.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.h"

namespace makespan {

namespace {

std::size_t index(Protocol protocol) {
  return static_cast<std::size_t>(protocol);
}

double ceil_log2(double value) {
  return static_cast<double>(std::bit_width(static_cast<std::uint64_t>(value) - 1));
}

std::int64_t whole(double value) {
  return static_cast<std::int64_t>(value);
}

/// Rules that several algorithms share.
class CostModel {
 public:
  CostModel(const NcclOptions& options, const CollectiveQuestion& question, Protocol protocol,
            const Loads& loads)
      : options_(options), question_(question), protocol_(protocol), loads_(loads) {}

  [[nodiscard]] CollectiveCost ring() const;
  [[nodiscard]] CollectiveCost tree() const;
  [[nodiscard]] CollectiveCost nvls() const;
  [[nodiscard]] CollectiveCost nvls_tree() const;
  [[nodiscard]] CollectiveCost collnet() const;
  [[nodiscard]] CollectiveCost hierarchical() const;
  [[nodiscard]] CollectiveCost pat() const;
  [[nodiscard]] CollectiveCost direct() const;
  [[nodiscard]] CollectiveCost halving_doubling() const;
  [[nodiscard]] CollectiveCost torus() const;

 private:
  [[nodiscard]] bool is_across() const { return question_.nodes > 1; }

  [[nodiscard]] bool is_simple() const { return protocol_ == Protocol::simple; }

  /// Bytes of data on the reference hop.
  [[nodiscard]] double data() const {
    return question_.rounds * question_.payload * static_cast<double>(loads_.numerator) /
           static_cast<double>(loads_.denominator);
  }

  /// Seconds that the links take for them.
  [[nodiscard]] double link_seconds() const { return data() / bytes_per_second(loads_.rate); }

  /// A step over NVLink, while the proxies post for every step when the network is in use.
  [[nodiscard]] double nvlink_step(double nvlink) const {
    return is_across() ? std::max(nvlink, options_.transport.post_us[index(protocol_)]) : nvlink;
  }

  [[nodiscard]] double net_step(double net) const {
    return net + (is_simple() ? 2 : 1) * options_.transport.nic_latency_us;
  }

  [[nodiscard]] double ring_net() const {
    const bool is_single = question_.ranks == question_.nodes;
    return net_step((is_single ? options_.tree : options_.ring)[index(protocol_)].net);
  }

  /// Share of the NICs' rate that a group gets which uses few of them.
  [[nodiscard]] double nic_share() const {
    const auto& few = options_.transport.few_nics;
    return is_across() && question_.nics <= few.size() ? few[question_.nics - 1] : 1.0;
  }

  /// What the channels carry at most, and the NICs with them.
  [[nodiscard]] double bus() const {
    const double channels = options_.gpu.channel * question_.channels;
    const double nics = question_.bus * nic_share();
    return channels > 0 ? std::min(nics, channels) : nics;
  }

  [[nodiscard]] double low_latency_most() const {
    const std::size_t row = static_cast<std::size_t>(std::min(question_.nodes, 3.0) - 1);
    return options_.ll_most[row] * (is_across() ? options_.transport.ll_most_share : options_.ll_most_share);
  }

  [[nodiscard]] double ramp_us() const {
    const Ramp& ramp = is_across() ? options_.gpu.ramp_across : options_.gpu.ramp_in_node;
    return is_simple() ? ramp.microseconds(question_.payload) : 0;
  }

  [[nodiscard]] double copy_seconds() const;
  void set_wire(CollectiveCost& cost) const;
  [[nodiscard]] double switch_seconds() const;

  const NcclOptions& options_;
  const CollectiveQuestion& question_;
  Protocol protocol_;
  const Loads& loads_;
};

void CostModel::set_wire(CollectiveCost& cost) const {
  if (protocol_ == Protocol::ll) {
    cost.wire = 2;  // 4 bytes of flags with every 4
  } else if (protocol_ == Protocol::ll128) {
    cost.wire = 16;  // 8 bytes of flags with every 120
    cost.data = 15;
  }
}

double CostModel::copy_seconds() const {
  double times = 0;
  if (question_.kind == CollectiveKind::all_gather) {
    times = options_.gpu.copy_all_gather;
  } else if (question_.kind == CollectiveKind::reduce_scatter) {
    times = options_.gpu.copy_reduce_scatter;
  }
  const double own = times > 0 ? question_.payload / question_.ranks / (times * bus()) : 0;
  const bool passes = question_.kind == CollectiveKind::all_reduce && options_.gpu.reduce_pass > 0;
  return own + (passes ? question_.payload / options_.gpu.reduce_pass : 0);
}

/// What each member moves in and out of NVSwitch: its S and its share of the sum.
double CostModel::switch_seconds() const {
  return question_.payload * (1 + 1 / question_.per_node) / options_.nvls_rate;
}

CollectiveCost CostModel::ring() const {
  const StepLatency& step = options_.ring[index(protocol_)];
  const double steps = question_.rounds * (question_.ranks - 1);
  const double across = is_across() ? question_.rounds * (question_.nodes - 1) : 0;
  CollectiveCost cost;
  cost.latency_us = step.base + (steps - across) * nvlink_step(step.nvlink) + across * ring_net();
  if (is_simple() && is_across() && question_.kind == CollectiveKind::all_reduce) {
    cost.latency_us *= options_.plateau;
  }
  cost.link_latency = loads_.path_latency * whole(question_.rounds);
  const double at_bus = link_seconds() * question_.bus;  // bytes
  switch (protocol_) {
    case Protocol::simple:
      cost.bytes_s = at_bus / bus() + copy_seconds() + ramp_us() * 1e-6;
      break;
    case Protocol::ll:
      cost.bytes_s =
          at_bus / std::min((is_across() ? options_.transport.ll_share : 0.5) * bus(), low_latency_most());
      break;
    case Protocol::ll128:
      cost.bytes_s = at_bus / (options_.ll128_share * bus());
      break;
  }
  set_wire(cost);
  return cost;
}

CollectiveCost CostModel::tree() const {
  const StepLatency& step = options_.tree[index(protocol_)];
  const double levels = ceil_log2(question_.nodes);
  const double fill = is_simple() ? options_.level.microseconds(question_.payload) : 0;
  CollectiveCost cost;
  cost.latency_us = step.base + 2 * ((question_.per_node - 1) * nvlink_step(step.nvlink) +
                                     levels * (net_step(step.net) + fill));
  cost.link_latency = loads_.hop_latency * (2 * whole(levels));
  double bus_of_tree = options_.tree_share * bus() * tree_correction(protocol_, question_.payload);
  if (protocol_ == Protocol::ll) {
    bus_of_tree = std::min(bus_of_tree / options_.tree_ll_divisor, low_latency_most());
  } else if (protocol_ == Protocol::ll128) {
    bus_of_tree *= 120.0 / 128;
  }
  cost.bytes_s = 2 * question_.payload / bus_of_tree + ramp_us() * 1e-6;
  set_wire(cost);
  return cost;
}

CollectiveCost CostModel::nvls() const {
  CollectiveCost cost;
  cost.latency_us = options_.nvls.nvlink + options_.gpu.ramp_nvls.microseconds(question_.payload);
  cost.bytes_s = switch_seconds();
  return cost;
}

CollectiveCost CostModel::nvls_tree() const {
  const double levels = ceil_log2(question_.nodes);
  CollectiveCost cost;
  cost.latency_us =
      options_.nvls_tree.nvlink +
      2 * levels * (net_step(options_.nvls_tree.net) + options_.level.microseconds(question_.payload));
  cost.link_latency = loads_.hop_latency * (2 * whole(levels));
  cost.bytes_s = std::max(link_seconds() / nic_share(), switch_seconds()) / options_.nvls_tree_share;
  return cost;
}

CollectiveCost CostModel::collnet() const {
  const double others = question_.per_node - 1;
  const bool in_switch = options_.nvls_rate > 0;
  CollectiveCost cost;
  if (in_switch) {
    cost.latency_us = options_.nvls.nvlink + net_step(options_.nvls.net);
    cost.bytes_s = switch_seconds();
  } else {
    cost.latency_us =
        2 * (std::min(1.0, others) * options_.collnet.nvlink + options_.collnet_per_rank_us * others) +
        net_step(options_.collnet.net);
  }
  cost.link_latency = loads_.hop_latency;
  cost.bytes_s = std::max(link_seconds() / nic_share(), cost.bytes_s) / options_.nvls_tree_share;
  return cost;
}

CollectiveCost CostModel::hierarchical() const {
  const StepLatency& step = options_.ring[index(protocol_)];
  CollectiveCost cost;
  cost.latency_us = step.base + question_.rounds * ((question_.per_node - 1) * nvlink_step(step.nvlink) +
                                                    (question_.nodes - 1) * net_step(step.net));
  cost.link_latency = loads_.path_latency * whole(question_.rounds);
  cost.bytes_s = link_seconds() / nic_share() + ramp_us() * 1e-6;
  return cost;
}

CollectiveCost CostModel::pat() const {
  CollectiveCost cost;
  cost.latency_us = options_.pat.base + ceil_log2(question_.nodes) * net_step(options_.pat.net) / 3.5 +
                    options_.pat_per_rank_us * question_.ranks;
  cost.link_latency = loads_.hop_latency * whole(ceil_log2(question_.nodes));
  cost.bytes_s = link_seconds() / (options_.pat_share * nic_share());
  return cost;
}

/// Messages go out in batches; the proxies post each.
CollectiveCost CostModel::direct() const {
  constexpr double kBatch = 8;
  const StepLatency& step = options_.ring[index(protocol_)];
  const double messages = question_.ranks - 1;
  CollectiveCost cost;
  const double one = is_across() ? net_step(step.net) : step.nvlink;
  const double post = is_across() ? options_.transport.post_us[index(Protocol::ll)] : 0;
  cost.latency_us = step.base + question_.rounds * (std::ceil(messages / kBatch) * one + messages * post);
  cost.link_latency = loads_.hop_latency * whole(question_.rounds);
  const double share = is_across() ? options_.gpu.send_across * nic_share() : options_.gpu.send_in_node;
  cost.bytes_s = link_seconds() / share;
  const double channels = options_.gpu.channel_send * question_.channels;
  cost.bytes_s = channels > 0 ? std::max(cost.bytes_s, data() * loads_.sent / channels) : cost.bytes_s;
  return cost;
}

CollectiveCost CostModel::halving_doubling() const {
  const StepLatency& step = options_.ring[index(protocol_)];
  const double all = ceil_log2(question_.ranks);
  const auto across = static_cast<double>(question_.hops_across);
  CollectiveCost cost;
  cost.latency_us = step.base + question_.rounds *
                                    ((all - across) * nvlink_step(step.nvlink) + across * net_step(step.net));
  cost.link_latency = loads_.hop_latency * whole(question_.rounds * across);
  cost.bytes_s = question_.rounds * question_.payload * loads_.serial / nic_share();
  return cost;
}

CollectiveCost CostModel::torus() const {
  const StepLatency& step = options_.ring[index(protocol_)];
  CollectiveCost cost;
  cost.latency_us = step.base + question_.rounds * question_.torus_steps * step.nvlink;
  cost.link_latency = loads_.path_latency * whole(question_.rounds);
  cost.bytes_s = link_seconds();
  return cost;
}

}  // namespace

CollectiveCost collective_cost(const NcclOptions& options, const CollectiveQuestion& question,
                               Algorithm algorithm, Protocol protocol, const Loads& loads) {
  const CostModel model(options, question, protocol, loads);
  switch (algorithm) {
    case Algorithm::ring:
      return model.ring();
    case Algorithm::tree:
      return model.tree();
    case Algorithm::hierarchical:
      return model.hierarchical();
    case Algorithm::nvls:
      return model.nvls();
    case Algorithm::nvls_tree:
      return model.nvls_tree();
    case Algorithm::collnet:
      return model.collnet();
    case Algorithm::pat:
      return model.pat();
    case Algorithm::direct:
      return model.direct();
    case Algorithm::halving_doubling:
      return model.halving_doubling();
    case Algorithm::torus:
      break;
  }
  return model.torus();
}

double send_channels(const NcclOptions& options, double bytes) {
  return std::clamp(bytes / options.bytes_per_send_channel, static_cast<double>(options.channels_send),
                    static_cast<double>(options.channels_send_most));
}

CollectiveCost send_cost(const NcclOptions& options, double bytes, bool is_across, const Loads& loads) {
  const StepLatency& step = options.ring[index(Protocol::simple)];
  const double link = bytes / bytes_per_second(loads.rate);
  CollectiveCost cost;
  cost.link_latency = loads.path_latency;
  if (is_across) {
    cost.latency_us = step.base + step.net + 2 * options.transport.nic_latency_us;
    cost.bytes_s = link / options.gpu.send_across;
  } else {
    const double channels = options.gpu.channel_send * send_channels(options, bytes);
    cost.latency_us = step.base + step.nvlink;
    cost.bytes_s = link / options.gpu.send_in_node;
    cost.bytes_s = channels > 0 ? std::max(cost.bytes_s, bytes / channels) : cost.bytes_s;
  }
  return cost;
}

}  // namespace makespan
