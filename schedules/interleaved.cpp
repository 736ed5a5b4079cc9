#include "schedules/interleaved.h"

#include <algorithm>
#include <cstdint>

#include "schedules/one_f_one_b.h"
#include "schedules/placement.h"

namespace makespan {

namespace {

/// One entry of the table of virtual micro-batches, in forward order.
struct Entry {
  int microbatch = 0;
  int chunk = 0;
};

/// For each group of micro-batches, for each chunk, for each micro-batch of the group; the last group may be
/// shorter.
std::vector<Entry> virtual_microbatches(const ScheduleOptions& options) {
  std::vector<Entry> table;
  table.reserve(static_cast<std::size_t>(options.microbatches) * static_cast<std::size_t>(options.chunks));
  for (int first = 0; first < options.microbatches; first += options.group) {
    const int end = std::min(options.microbatches, first + options.group);
    for (int chunk = 0; chunk < options.chunks; ++chunk) {
      for (int k = first; k < end; ++k) {
        table.push_back({k, chunk});
      }
    }
  }
  return table;
}

/// Forwards on `rank` before its first backward: the group's other chunks, and two per rank downstream.
std::size_t warm_up_forwards(const ScheduleOptions& options, int rank, std::size_t entries) {
  const auto wanted = static_cast<std::int64_t>(options.chunks - 1) * options.group +
                      2 * static_cast<std::int64_t>(options.ranks - 1 - rank);
  return std::min(static_cast<std::size_t>(wanted), entries);
}

/// Where the forwards and the backwards of one rank stand in its list, by their number in table order.
struct RankOrder {
  std::vector<int> forwards;
  std::vector<int> backwards;
};

/// The actions and exchanges of one rank: Megatron-LM exchanges once after each warm-up forward, each
/// forward-backward pair and each cool-down backward.
RankOrder fill_rank(Schedule& schedule, int rank, const std::vector<Entry>& table, std::size_t warm_up) {
  std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
  std::vector<int>& exchanges = schedule.exchanges[static_cast<std::size_t>(rank)];
  RankOrder order;
  const auto run_forward = [&](const Entry& entry) {
    order.forwards.push_back(static_cast<int>(actions.size()));
    actions.push_back({ActionKind::forward, entry.chunk * schedule.ranks + rank, entry.microbatch});
  };
  const auto exchange = [&] { exchanges.push_back(static_cast<int>(actions.size()) - 1); };

  exchange();
  for (std::size_t i = 0; i < warm_up; ++i) {
    run_forward(table[i]);
    exchange();
  }
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (warm_up + i < table.size()) {
      run_forward(table[warm_up + i]);
    }
    const int chunk = schedule.chunks - 1 - table[i].chunk;
    order.backwards.push_back(static_cast<int>(actions.size()));
    actions.push_back({ActionKind::backward, chunk * schedule.ranks + rank, table[i].microbatch});
    exchange();
  }
  return order;
}

/// Sets when the messages that close the loop reach `rank`: the output of the last rank's n-th forward on
/// rank 0, and the gradient of rank 0's n-th backward on the last rank. `steps` are the positions of the
/// forwards or backwards that use them. The receiver is p - 1 steps ahead of the sender, so the two meet in
/// the exchange after the receiver's (n + p - 1)-th step, even when larger groups use the tensor only later.
void receive_loop_messages_in_step(const ScheduleOptions& options, const std::vector<Entry>& table,
                                   const std::vector<int>& exchanges, const std::vector<int>& steps,
                                   std::vector<int>& arrivals) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].chunk == 0) {
      continue;  // comes from outside the loop
    }
    const int group_begin = table[i].microbatch / options.group * options.group;
    const int group_size = std::min(options.group, options.microbatches - group_begin);
    const std::size_t sent =
        i - static_cast<std::size_t>(group_size);  // the same micro-batch, one chunk earlier
    const std::size_t step = std::min(sent + static_cast<std::size_t>(options.ranks - 1), i);
    int& arrival = arrivals[static_cast<std::size_t>(steps[i])];
    arrival = std::min(arrival, *std::lower_bound(exchanges.begin(), exchanges.end(), steps[step]));
  }
}

/// Everything arrives in the last exchange before it is used, except for the messages that close the loop.
void fill_arrivals(Schedule& schedule, const ScheduleOptions& options, const std::vector<Entry>& table,
                   const std::vector<RankOrder>& orders) {
  schedule.arrivals.resize(schedule.actions.size());
  for (std::size_t rank = 0; rank < schedule.actions.size(); ++rank) {
    const std::vector<int>& exchanges = schedule.exchanges[rank];
    std::vector<int>& arrivals = schedule.arrivals[rank];
    for (int position = 0; position < static_cast<int>(schedule.actions[rank].size()); ++position) {
      arrivals.push_back(*std::prev(std::lower_bound(exchanges.begin(), exchanges.end(), position)));
    }
  }
  receive_loop_messages_in_step(options, table, schedule.exchanges.front(), orders.front().forwards,
                                schedule.arrivals.front());
  receive_loop_messages_in_step(options, table, schedule.exchanges.back(), orders.back().backwards,
                                schedule.arrivals.back());
}

}  // namespace

Schedule interleaved(const ScheduleOptions& options) {
  if (options.chunks == 1) {
    return one_f_one_b(options);
  }
  Schedule schedule = empty_schedule("interleaved", options);
  const std::vector<Entry> table = virtual_microbatches(options);
  std::vector<RankOrder> orders;
  orders.reserve(schedule.actions.size());
  for (int rank = 0; rank < options.ranks; ++rank) {
    orders.push_back(fill_rank(schedule, rank, table, warm_up_forwards(options, rank, table.size())));
  }
  if (options.group > options.ranks) {
    fill_arrivals(schedule, options, table, orders);
  }
  return schedule;
}

}  // namespace makespan
