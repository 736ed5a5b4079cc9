#include "schedules/v_schedule.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include "schedules/placement.h"

namespace makespan {

namespace {

constexpr int kPeriod = 6;  ///< slots of a micro-batch on each rank
constexpr int kPasses = 4;
constexpr int kFree = -1;
constexpr int kWeight = kPasses;  ///< a weight gradient, of either stage

/// What a rank does in a slot.
struct Cell {
  int pass = kFree;  ///< a VPass, kWeight or kFree
  int microbatch = 0;

  [[nodiscard]] bool is_forward() const { return pass == 0 || pass == 1; }

  [[nodiscard]] bool is_input() const { return pass == 2 || pass == 3; }
};

using Row = std::vector<Cell>;  ///< by slot

/// Puts a weight gradient into each free slot behind an input gradient, and appends those that are left.
void fill_weights(Row& row) {
  int pending = 0;
  for (Cell& cell : row) {
    if (cell.is_input()) {
      ++pending;
    } else if (cell.pass == kFree && pending > 0) {
      cell.pass = kWeight;
      --pending;
    }
  }
  row.insert(row.end(), static_cast<std::size_t>(pending), Cell{kWeight, 0});
}

void drop_weights(Row& row) {
  for (Cell& cell : row) {
    if (cell.pass == kWeight) {
      cell = Cell{};
    }
  }
}

/// The most activations that are held in any slot.
int peak(const Row& row) {
  int held = 0;
  int most = 0;
  for (const Cell& cell : row) {
    held += cell.is_forward() ? 1 : 0;
    most = std::max(most, held);
    held -= cell.pass == kWeight ? 1 : 0;
  }
  return most;
}

int peak_when_filled(Row row) {
  drop_weights(row);
  fill_weights(row);
  return peak(row);
}

class Builder {
 public:
  Builder(const ScheduleOptions& options, VBlock (*block)(int, int))
      : ranks_(options.ranks), microbatches_(options.microbatches) {
    for (int rank = 0; rank < ranks_; ++rank) {
      const VBlock slots = block(ranks_, rank);
      Row row(static_cast<std::size_t>(*std::max_element(slots.begin(), slots.end()) +
                                       kPeriod * (microbatches_ - 1) + 1));
      for (int k = 0; k < microbatches_; ++k) {
        for (int pass = 0; pass < kPasses; ++pass) {
          row[static_cast<std::size_t>(slots[static_cast<std::size_t>(pass)] + kPeriod * k)] = {pass, k};
        }
      }
      rows_.push_back(std::move(row));
    }
  }

  /// Per rank, the passes in order, weight gradients included as kWeight.
  [[nodiscard]] std::vector<Row> run() && {
    for_each_row(fill_weights);
    pull_forward(true);
    settle();
    for_each_row(drop_weights);
    pull_forward(false);
    for_each_row(fill_weights);
    settle();
    return std::move(rows_);
  }

 private:
  template <class Change>
  void for_each_row(Change change) {
    for (Row& row : rows_) {
      change(row);
    }
  }

  /// The slot of each pass, by rank, pass and micro-batch.
  class Slots {
   public:
    Slots(int ranks, int microbatches)
        : microbatches_(static_cast<std::size_t>(microbatches)),
          slots_(static_cast<std::size_t>(ranks) * kPasses * microbatches_, kFree) {}

    [[nodiscard]] int& at(std::size_t rank, int pass, int microbatch) {
      return slots_[(rank * kPasses + static_cast<std::size_t>(pass)) * microbatches_ +
                    static_cast<std::size_t>(microbatch)];
    }

   private:
    std::size_t microbatches_;
    std::vector<int> slots_;
  };

  /// The first slot behind everything that the pass needs.
  int ready(Slots& slots, std::size_t rank, const Cell& cell) const {
    const bool from_before = cell.pass == 0 || cell.pass == 2;  // the neighbour that hands it its input
    const bool has_neighbour = from_before ? rank > 0 : rank + 1 < rows_.size();
    int after = kFree;
    if (has_neighbour) {
      after = std::max(after, slots.at(from_before ? rank - 1 : rank + 1, cell.pass, cell.microbatch));
    }
    if (cell.pass > 0) {
      after = std::max(after, slots.at(rank, cell.pass - 1, cell.microbatch));
    }
    if (cell.microbatch > 0) {
      after = std::max(after, slots.at(rank, cell.pass, cell.microbatch - 1));
    }
    return after + 1;
  }

  [[nodiscard]] std::size_t longest() const {
    std::size_t slots = 0;
    for (const Row& row : rows_) {
      slots = std::max(slots, row.size());
    }
    return slots;
  }

  /// Step 2, and with `both` false step 4: only the cool-down, and weight gradients wherever a slot is free.
  void pull_forward(bool both) {
    int limit = 0;
    for (const Row& row : rows_) {
      limit = std::max(limit, both ? peak(row) : peak_when_filled(row));
    }
    const Row& first = rows_.front();
    const auto is_pass = [](VPass pass) {
      return [pass](const Cell& cell) { return cell.pass == static_cast<int>(pass); };
    };
    const auto warm_end = static_cast<std::size_t>(
        std::find_if(first.begin(), first.end(), is_pass(VPass::input0)) - first.begin());
    const auto last_forward = static_cast<std::size_t>(
        first.rend() - std::find_if(first.rbegin(), first.rend(), is_pass(VPass::forward0)) - 1);
    Slots slots(ranks_, microbatches_);
    std::vector<std::vector<int>> inputs(rows_.size());  // by rank, slots of the input gradients
    std::vector<std::size_t> weights(rows_.size(), 0);   // by rank, weight gradients so far
    const std::size_t end = longest();
    for (std::size_t slot = 0; slot < end; ++slot) {
      for (std::size_t rank = 0; rank < rows_.size(); ++rank) {
        Row& row = rows_[rank];
        if (slot >= row.size() || row[slot].pass == kFree) {
          continue;
        }
        const Cell cell = row[slot];
        std::size_t to = slot;
        // Passes are visited slot by slot, rank by rank: rank 0's last forward comes first in its slot.
        const bool cools = slot > last_forward || (slot == last_forward && rank > 0);
        if ((both && slot < warm_end) || cools) {
          const int earliest =
              cell.pass == kWeight ? inputs[rank][weights[rank]] + 1 : ready(slots, rank, cell);
          to = both ? earliest_slot(row, slot, static_cast<std::size_t>(earliest), limit)
                    : earliest_slot_when_filled(row, slot, static_cast<std::size_t>(earliest), limit);
          std::swap(row[slot], row[to]);
        }
        if (cell.pass == kWeight) {
          ++weights[rank];
          continue;
        }
        slots.at(rank, cell.pass, cell.microbatch) = static_cast<int>(to);
        if (cell.is_input()) {
          inputs[rank].push_back(static_cast<int>(to));
        }
      }
    }
  }

  /// The earliest free slot from `earliest` on, or `slot`, where no more than `limit` activations are held.
  static std::size_t earliest_slot(const Row& row, std::size_t slot, std::size_t earliest, int limit) {
    int held = 0;  // in each slot, when the pass is where it is
    std::vector<int> during;
    for (std::size_t i = 0; i < slot; ++i) {
      held += row[i].is_forward() ? 1 : 0;
      during.push_back(held);
      held -= row[i].pass == kWeight ? 1 : 0;
    }
    const int added = row[slot].is_forward() ? 1 : 0;
    std::size_t best = slot;
    for (std::size_t to = slot; to-- > earliest && during[to] + added <= limit;) {
      best = row[to].pass == kFree ? to : best;
    }
    return best;
  }

  static std::size_t earliest_slot_when_filled(const Row& row, std::size_t slot, std::size_t earliest,
                                               int limit) {
    for (std::size_t to = earliest; to < slot; ++to) {
      if (row[to].pass != kFree) {
        continue;
      }
      Row moved = row;
      std::swap(moved[slot], moved[to]);
      if (peak_when_filled(std::move(moved)) <= limit) {
        return to;
      }
    }
    return slot;
  }

  /// Step 3: the earliest slots that keep every rank's order.
  void settle() {
    std::vector<Row> settled(rows_.size());
    std::vector<std::size_t> next(rows_.size(), 0);
    Slots slots(ranks_, microbatches_);
    std::vector<std::vector<int>> inputs(rows_.size());
    std::vector<std::size_t> weights(rows_.size(), 0);
    const auto is_ready = [&](std::size_t rank, const Cell& cell) {
      if (cell.pass == kWeight) {
        return weights[rank] < inputs[rank].size();
      }
      const bool from_before = cell.pass == 0 || cell.pass == 2;
      const bool has_neighbour = from_before ? rank > 0 : rank + 1 < rows_.size();
      return !has_neighbour ||
             slots.at(from_before ? rank - 1 : rank + 1, cell.pass, cell.microbatch) != kFree;
    };
    bool more = true;
    for (int slot = 0; more; ++slot) {
      more = false;
      std::vector<std::pair<std::size_t, Cell>> done;
      for (std::size_t rank = 0; rank < rows_.size(); ++rank) {
        const Row& row = rows_[rank];
        while (next[rank] < row.size() && row[next[rank]].pass == kFree) {
          ++next[rank];
        }
        if (next[rank] == row.size()) {
          continue;
        }
        more = true;
        const Cell cell = row[next[rank]];
        settled[rank].resize(static_cast<std::size_t>(slot) + 1);
        if (is_ready(rank, cell)) {
          settled[rank].back() = cell;
          done.emplace_back(rank, cell);
          ++next[rank];
        }
      }
      for (const auto& [rank, cell] : done) {
        if (cell.pass == kWeight) {
          ++weights[rank];
          continue;
        }
        slots.at(rank, cell.pass, cell.microbatch) = slot;
        if (cell.is_input()) {
          inputs[rank].push_back(slot);
        }
      }
    }
    rows_ = std::move(settled);
  }

  int ranks_;
  int microbatches_;
  std::vector<Row> rows_;
};

/// Step 5: the list of a rank.
std::vector<Action> list_of(Row row, int first_stage, int second_stage) {
  std::vector<Action> actions;
  std::array<std::deque<Action>, 2> pending;  // the second stage's before the first one's
  const auto take_weight = [&] {
    std::deque<Action>& queue = pending[0].empty() ? pending[1] : pending[0];
    if (!queue.empty()) {
      actions.push_back(queue.front());
      queue.pop_front();
    }
  };
  drop_weights(row);
  for (const Cell& cell : row) {
    if (cell.pass == kFree) {
      take_weight();
      continue;
    }
    const bool second = cell.pass == 1 || cell.pass == 2;
    const int stage = second ? second_stage : first_stage;
    actions.push_back(
        {cell.is_input() ? ActionKind::backward_input : ActionKind::forward, stage, cell.microbatch});
    if (cell.is_input()) {
      pending[second ? 0 : 1].push_back({ActionKind::backward_weight, stage, cell.microbatch});
    }
  }
  while (!pending[0].empty() || !pending[1].empty()) {
    take_weight();
  }
  return actions;
}

}  // namespace

Schedule v_schedule(std::string_view kind, const ScheduleOptions& options,
                    VBlock (*block)(int ranks, int rank)) {
  Schedule schedule = empty_schedule(kind, options, Placement::snake);
  std::vector<Row> rows = Builder(options, block).run();
  for (int rank = 0; rank < options.ranks; ++rank) {
    schedule.actions[static_cast<std::size_t>(rank)] =
        list_of(std::move(rows[static_cast<std::size_t>(rank)]), rank, 2 * options.ranks - 1 - rank);
  }
  exchange_after_every_action(schedule);
  return schedule;
}

}  // namespace makespan
