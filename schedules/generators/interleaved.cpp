#include <algorithm>
#include <cstdint>

#include "schedules/alternation.h"
#include "schedules/catalogue.h"
#include "schedules/placement.h"
#include "schedules/virtual_microbatches.h"

namespace makespan {

namespace {

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
RankOrder fill_rank(Schedule& schedule, int rank, const std::vector<VirtualMicrobatch>& table,
                    std::size_t warm_up) {
  std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
  std::vector<int>& exchanges = schedule.exchanges[static_cast<std::size_t>(rank)];
  RankOrder order;
  const auto run_forward = [&](const VirtualMicrobatch& entry) {
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
void receive_loop_messages_in_step(const ScheduleOptions& options,
                                   const std::vector<VirtualMicrobatch>& table,
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
void fill_arrivals(Schedule& schedule, const ScheduleOptions& options,
                   const std::vector<VirtualMicrobatch>& table, const std::vector<RankOrder>& orders) {
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

/// Stage s on rank s mod p; one chunk is plain 1F1B.
Schedule interleaved(const ScheduleOptions& options) {
  if (options.chunks == 1) {
    return alternating_schedule("1f1b", options, 1);
  }
  Schedule schedule = empty_schedule("interleaved", options);
  const std::vector<VirtualMicrobatch> table = virtual_microbatches(options);
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

/// Megatron-LM's schedule for overlapping the communication of experts: one more forward in the warm-up,
/// which makes the forward and the backward of the steady phase independent of each other, so that they run
/// as one overlapped pair.
Schedule interleaved_overlap(const ScheduleOptions& options) {
  Schedule schedule = empty_schedule("interleaved-overlap", options);
  const std::vector<VirtualMicrobatch> table = virtual_microbatches(options);
  for (int rank = 0; rank < options.ranks; ++rank) {
    std::vector<Action>& actions = schedule.actions[static_cast<std::size_t>(rank)];
    const std::size_t usual = options.chunks == 1 ? static_cast<std::size_t>(options.ranks - 1 - rank)
                                                  : warm_up_forwards(options, rank, table.size());
    const std::size_t warm = std::min(usual + 1, table.size());
    const auto forward = [&](std::size_t i) {
      return Action{ActionKind::forward, table[i].chunk * options.ranks + rank, table[i].microbatch};
    };
    for (std::size_t i = 0; i < warm; ++i) {
      actions.push_back(forward(i));
    }
    for (std::size_t i = 0; i < table.size(); ++i) {
      const Action backward{ActionKind::backward,
                            (options.chunks - 1 - table[i].chunk) * options.ranks + rank,
                            table[i].microbatch};
      if (warm + i < table.size()) {
        push_pair(actions, forward(warm + i), backward);
      } else {
        actions.push_back(backward);
      }
    }
  }
  schedule.exchanges.clear();
  return schedule;
}

}  // namespace

extern const ScheduleKind kInterleaved;
const ScheduleKind kInterleaved = {.name = "interleaved",
                                   .summary = "1F1B over several chunks per rank",
                                   .source = "Narayanan et al. 2021, arXiv 2104.04473",
                                   .most_chunks = kMaxSteps,
                                   .has_group = true,
                                   .generate = interleaved};

extern const ScheduleKind kInterleavedOverlap;
const ScheduleKind kInterleavedOverlap = {
    .name = "interleaved-overlap",
    .summary = "interleaved 1F1B whose forward-backward pairs overlap",
    .source = "Narayanan et al. 2021, arXiv 2104.04473; Megatron-LM, combined_1f1b",
    .most_chunks = kMaxSteps,
    .has_group = true,
    .overlaps = true,
    .generate = interleaved_overlap};

}  // namespace makespan
