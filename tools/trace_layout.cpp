#include "tools/trace_layout.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>

#include "core/int128.h"

namespace makespan {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
/// What viewers tell apart. An arrow leaves or enters a slice this much before its end.
constexpr Time kNanosecond(1000);

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014), a bijection whose every output bit depends on every
/// input bit.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

std::uint64_t hash_label(const TaskGraph& graph, const Label& label) {
  std::uint64_t hash = 0;
  for (const char c : graph.name(label.name)) {
    hash = mix(hash ^ static_cast<unsigned char>(c));
  }
  for (const auto number : {static_cast<std::int32_t>(label.phase), static_cast<std::int32_t>(label.group),
                            label.stage, label.chunk, label.microbatch, label.layer}) {
    hash = mix(hash ^ static_cast<std::uint32_t>(number));
  }
  return hash;
}

Stream stream_of(Group group) {
  static constexpr std::array<Stream, kGroups + 1> kStreamOf = {
      Stream::tp, Stream::cp, Stream::ep, Stream::other, Stream::dp, Stream::other, Stream::other};
  return kStreamOf[static_cast<std::size_t>(group)];
}

char action_letter(Phase phase) {
  switch (phase) {
    case Phase::forward:
      return 'F';
    case Phase::backward:
    case Phase::recompute:
      return 'B';
    case Phase::backward_input:
      return 'I';
    case Phase::backward_weight:
      return 'W';
    case Phase::none:
    case Phase::grad_norm:
    case Phase::optimizer:
      return 0;
  }
  return 0;
}

class Layouter {
 public:
  Layouter(const TaskGraph& graph, const Timeline& timeline, const TraceInfo& info)
      : graph_(graph), timeline_(timeline), info_(info), slot_of_(graph.devices, kNone) {
    for (std::uint32_t slot = 0; slot < info.ranks.size(); ++slot) {
      slot_of_[info.ranks[slot].device.index()] = slot;
    }
  }

  TraceLayout run() && {
    add_slices();
    assign_lanes();
    name_transfers();
    add_flows();
    add_actions();
    result_.transfer_ids.resize(result_.slices.size());
    add_loads();
    return std::move(result_);
  }

 private:
  void add_slices() {
    first_slice_.assign(graph_.tasks.size(), kNone);
    for (std::size_t i = 0; i < graph_.tasks.size(); ++i) {
      const TaskId task(i);
      if (graph_.tasks[i].kind == TaskKind::compute) {
        add_slice(task, graph_.device(task), Stream::compute);
      } else if (graph_.tasks[i].kind == TaskKind::transfer) {
        const std::vector<DeviceId>& members = graph_.route(task).members;
        const Label& label = graph_.label(task);
        if (label.group == Group::pp && label.stage >= 0 && members.size() == 2) {
          add_slice(task, members[0], Stream::pp_send);
          add_slice(task, members[1], Stream::pp_receive);
          continue;
        }
        for (const DeviceId member : members) {
          add_slice(task, member, stream_of(label.group));
        }
      }
    }
  }

  void add_slice(TaskId task, DeviceId device, Stream stream) {
    const std::uint32_t slot = slot_of_[device.index()];
    if (slot == kNone) {
      return;
    }
    std::uint32_t& first = first_slice_[task.index()];
    first = first == kNone ? static_cast<std::uint32_t>(result_.slices.size()) : first;
    result_.slices.push_back(
        {timeline_.begin[task.index()], timeline_.end[task.index()], task, slot, stream, 0, 0});
  }

  /// Orders what begins and ends together by its label, so that task numbers do not show.
  [[nodiscard]] bool label_less(TaskId a, TaskId b) const {
    const auto key = [this](TaskId task) {
      const Label& label = graph_.label(task);
      return std::tuple(label.phase, label.group, label.stage, label.chunk, label.microbatch, label.layer,
                        std::string_view(graph_.name(label.name)), task);
    };
    return key(a) < key(b);
  }

  /// Slice indices by (slot, stream, begin, end), ties by label.
  [[nodiscard]] std::vector<std::uint32_t> by_thread() const {
    std::vector<std::uint32_t> order(result_.slices.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) {
      order[i] = i;
    }
    std::sort(order.begin(), order.end(), [this](std::uint32_t x, std::uint32_t y) {
      const TraceSlice& a = result_.slices[x];
      const TraceSlice& b = result_.slices[y];
      const auto key = [](const TraceSlice& s) { return std::tuple(s.slot, s.stream, s.begin, s.end); };
      return key(a) != key(b) ? key(a) < key(b) : label_less(a.task, b.task);
    });
    return order;
  }

  /// Each slice goes to the first lane that is free when it begins. What takes no time needs no room.
  void assign_lanes() {
    order_ = by_thread();
    std::vector<std::uint32_t> last_of_lane;
    const TraceSlice* previous = nullptr;
    for (const std::uint32_t index : order_) {
      TraceSlice& slice = result_.slices[index];
      if (previous == nullptr || previous->slot != slice.slot || previous->stream != slice.stream) {
        last_of_lane.clear();
      }
      previous = &slice;
      const auto stream = static_cast<std::size_t>(slice.stream);
      result_.lanes[stream] = std::max(result_.lanes[stream], 1U);
      if (slice.begin == slice.end) {
        continue;
      }
      const auto lane = std::find_if(last_of_lane.begin(), last_of_lane.end(), [&](std::uint32_t last) {
        return result_.slices[last].end <= slice.begin;
      });
      slice.lane = static_cast<std::uint32_t>(lane - last_of_lane.begin());
      if (lane == last_of_lane.end()) {
        last_of_lane.push_back(index);
      } else {
        mark_followed(result_.slices[*lane], slice);
        *lane = index;
      }
      result_.lanes[stream] =
          std::max(result_.lanes[stream], static_cast<std::uint32_t>(last_of_lane.size()));
    }
  }

  static void mark_followed(TraceSlice& slice, const TraceSlice& next) {
    slice.is_followed = next.begin - slice.end < kNanosecond;
  }

  /// A transfer's id comes from its lowest rank that is shown, its label, and how many such came before it.
  void name_transfers() {
    result_.transfer_ids.assign(result_.slices.size(), 0);
    std::vector<std::uint64_t> label_hashes(graph_.labels.size());
    for (std::size_t i = 0; i < graph_.labels.size(); ++i) {
      label_hashes[i] = hash_label(graph_, graph_.labels[i]);
    }

    struct Named {
      std::uint64_t base;
      Time begin;
      Time end;
      TaskId task;
    };

    std::vector<Named> named;
    for (std::size_t i = 0; i < result_.slices.size(); i += slices_of(i)) {
      const TraceSlice& slice = result_.slices[i];
      if (slice.stream != Stream::compute) {
        std::size_t rank = std::numeric_limits<std::size_t>::max();
        for (std::size_t k = i; k < i + slices_of(i); ++k) {
          rank = std::min(rank, info_.ranks[result_.slices[k].slot].rank);
        }
        const std::size_t label = graph_.tasks[slice.task.index()].label.index();
        named.push_back({mix(label_hashes[label] ^ mix(rank)), slice.begin, slice.end, slice.task});
      }
    }
    std::sort(named.begin(), named.end(), [](const Named& a, const Named& b) {
      return std::tie(a.base, a.begin, a.end, a.task) < std::tie(b.base, b.begin, b.end, b.task);
    });
    std::uint64_t occurrence = 0;
    for (std::size_t i = 0; i < named.size(); ++i) {
      occurrence = i > 0 && named[i - 1].base == named[i].base ? occurrence + 1 : 0;
      const std::uint32_t first = first_slice_[named[i].task.index()];
      for (std::size_t k = first; k < first + slices_of(first); ++k) {
        result_.transfer_ids[k] = mix(named[i].base ^ occurrence);
      }
    }
  }

  /// How many slices the task of slice `first`, its first, has.
  [[nodiscard]] std::size_t slices_of(std::size_t first) const {
    std::size_t last = first;
    while (last < result_.slices.size() && result_.slices[last].task == result_.slices[first].task) {
      ++last;
    }
    return last - first;
  }

  void add_flows() {
    for (std::uint32_t i = 0; i < result_.slices.size(); ++i) {
      const TraceSlice& slice = result_.slices[i];
      if (slice.begin == slice.end || slice.stream != Stream::pp_send) {
        continue;
      }
      if (const std::optional<std::uint32_t> from = producer(i)) {
        const TraceSlice& source = result_.slices[*from];
        result_.flows.push_back({mix(result_.transfer_ids[i] ^ 1U), *from, i,
                                 std::max(source.begin, source.end - kNanosecond), slice.begin});
      }
      if (i + 1 < result_.slices.size() && result_.slices[i + 1].task == slice.task &&
          result_.slices[i + 1].stream == Stream::pp_receive) {
        result_.flows.push_back({mix(result_.transfer_ids[i] ^ 2U), i, i + 1, slice.begin,
                                 std::max(slice.begin, slice.end - kNanosecond)});
      }
    }
  }

  /// The slice, on the sender, of the work whose result the message in slice `message` carries: among its
  /// predecessors the one of the same stage and micro-batch that ends last.
  [[nodiscard]] std::optional<std::uint32_t> producer(std::uint32_t message) const {
    const Label& label = graph_.label(result_.slices[message].task);
    std::optional<std::uint32_t> best;
    std::vector<TaskId> open = {result_.slices[message].task};
    while (!open.empty()) {
      const TaskId task = open.back();
      open.pop_back();
      for (auto [edge, last] = graph_.incoming(task); edge != last; ++edge) {
        const TaskId before(boost::source(*edge, graph_.adjacency));
        const Label& other = graph_.label(before);
        if (graph_.tasks[before.index()].kind == TaskKind::marker) {
          open.push_back(before);
        } else if (other.group != Group::pp && other.stage == label.stage &&
                   other.microbatch == label.microbatch) {
          best = later(best, slice_on(before, result_.slices[message].slot));
        }
      }
    }
    return best;
  }

  /// The later-ending of two slices, ties by label; the first may be missing, the second empty of time.
  [[nodiscard]] std::optional<std::uint32_t> later(std::optional<std::uint32_t> a,
                                                   std::optional<std::uint32_t> b) const {
    if (!b || result_.slices[*b].begin == result_.slices[*b].end) {
      return a;
    }
    if (!a) {
      return b;
    }
    const TraceSlice& x = result_.slices[*a];
    const TraceSlice& y = result_.slices[*b];
    return x.end != y.end ? (x.end < y.end ? b : a) : (label_less(x.task, y.task) ? a : b);
  }

  [[nodiscard]] std::optional<std::uint32_t> slice_on(TaskId task, std::uint32_t slot) const {
    const std::uint32_t first = first_slice_[task.index()];
    for (std::uint32_t i = first; i < result_.slices.size() && result_.slices[i].task == task; ++i) {
      if (result_.slices[i].slot == slot) {
        return i;
      }
    }
    return std::nullopt;
  }

  /// One slice for each run of compute tasks that belong to one action of the pipeline schedule.
  void add_actions() {
    std::optional<TraceSlice> open;
    const auto close = [&] {
      if (open) {
        result_.slices.push_back(*open);
        result_.lanes[static_cast<std::size_t>(Stream::actions)] = 1;
        open.reset();
      }
    };
    for (const std::uint32_t index : order_) {
      const TraceSlice slice = result_.slices[index];
      if (slice.stream != Stream::compute || slice.lane != 0 || slice.begin == slice.end) {
        continue;
      }
      const Label& label = graph_.label(slice.task);
      const char action = label.stage >= 0 && label.microbatch >= 0 ? action_letter(label.phase) : char{0};
      if (open && (open->slot != slice.slot || !extends(*open, label, action))) {
        close();
      }
      if (open) {
        open->end = slice.end;
        open->action = label.phase == Phase::recompute ? open->action : action;
      } else if (action != 0) {
        const bool follows = !result_.slices.empty() && result_.slices.back().stream == Stream::actions &&
                             result_.slices.back().slot == slice.slot;
        if (follows) {
          mark_followed(result_.slices.back(), slice);
        }
        open = slice;
        open->is_followed = false;
        open->stream = Stream::actions;
        open->action = action;
      }
    }
    close();
  }

  /// Whether a compute task goes on with the action: the same stage, micro-batch and kind, or backward after
  /// recompute.
  [[nodiscard]] bool extends(const TraceSlice& open, const Label& label, char action) const {
    const Label& first = graph_.label(open.task);
    const bool after_recompute = first.phase == Phase::recompute && open.action == 'B' && action == 'I';
    return first.stage == label.stage && first.microbatch == label.microbatch &&
           (open.action == action || after_recompute ||
            (open.action == 'I' && label.phase == Phase::recompute));
  }

  /// Sums what each transfer puts on each shown link: floor(rate * weight / 1024), as the simulator counts
  /// it.
  void add_loads() {
    if (timeline_.rates.empty() || info_.links.empty()) {
      return;
    }
    std::vector<std::uint32_t> link_of(graph_.resources.size(), kNone);
    for (std::uint32_t i = 0; i < info_.links.size(); ++i) {
      link_of[info_.links[i].index()] = i;
    }
    std::vector<LinkLoad> steps;
    std::vector<Rate> current(graph_.tasks.size());
    const auto set_rate = [&](TaskId task, Time at, Rate rate) {
      for (const Use& use : graph_.route(task).uses) {
        const std::uint32_t link = link_of[use.resource.index()];
        const auto load = [&](Rate r) {
          return Rate(
              static_cast<std::int64_t>(static_cast<Uint128>(r.count()) * use.weight / Use::kUnitWeight));
        };
        if (link != kNone && rate != current[task.index()]) {
          steps.push_back({link, at, load(rate) - load(current[task.index()])});
        }
      }
      current[task.index()] = rate;
    };
    for (const RateChange& change : timeline_.rates) {
      set_rate(change.task, change.at, change.rate);
    }
    for (std::size_t i = 0; i < current.size(); ++i) {
      if (current[i] != Rate(0)) {
        set_rate(TaskId(i), timeline_.end[i], Rate(0));
      }
    }
    sum_steps(std::move(steps));
  }

  void sum_steps(std::vector<LinkLoad> steps) {
    std::sort(steps.begin(), steps.end(), [](const LinkLoad& a, const LinkLoad& b) {
      return std::tie(a.link, a.at, a.load) < std::tie(b.link, b.at, b.load);
    });
    Rate load;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const bool new_link = i == 0 || steps[i - 1].link != steps[i].link;
      load = new_link ? steps[i].load : load + steps[i].load;
      if (new_link && steps[i].at > Time(0)) {
        result_.loads.push_back({steps[i].link, Time(0), Rate(0)});
      }
      const bool last_of_instant =
          i + 1 == steps.size() || steps[i + 1].link != steps[i].link || steps[i + 1].at != steps[i].at;
      const bool known = !result_.loads.empty() && result_.loads.back().link == steps[i].link;
      if (last_of_instant && (!known || result_.loads.back().load != load)) {
        result_.loads.push_back({steps[i].link, steps[i].at, load});
      }
    }
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  const TraceInfo& info_;
  std::vector<std::uint32_t> slot_of_;      ///< by device
  std::vector<std::uint32_t> first_slice_;  ///< by task
  std::vector<std::uint32_t> order_;        ///< slice indices by thread and time
  TraceLayout result_;
};

}  // namespace

TraceLayout lay_out_trace(const TaskGraph& graph, const Timeline& timeline, const TraceInfo& info) {
  return Layouter(graph, timeline, info).run();
}

}  // namespace makespan
