#include "tools/verify_pipeline.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <tuple>

namespace makespan {

namespace {

class PipelineLaws {
 public:
  explicit PipelineLaws(const PipelineSlices& slices) : in_(slices) {}

  void run() {
    collect();
    check_counts();
    for (const auto& [key, passes] : passes_) {
      check_order(passes.forward, passes.backward, "forward");
    }
    check_messages();
    check_evictions();
  }

 private:
  /// Forward, backward and weight-gradient slices of one stage and micro-batch on one process.
  struct Passes {
    Slices forward;
    Slices backward;
    Slices weight;
  };

  using PassKey = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // process, stage, micro-batch

  void collect() {
    for (const auto& [pid, slices] : in_.computes) {
      for (const TraceEvent* slice : slices) {
        if (slice->stage < 0 || slice->microbatch < 0) {
          continue;
        }
        Passes& passes = passes_[{pid, slice->stage, slice->microbatch}];
        if (slice->work == "forward") {
          passes.forward.push_back(slice);
        } else if (slice->work == "backward" || slice->work == "backward-input") {
          passes.backward.push_back(slice);
        } else if (slice->work == "backward-weight") {
          passes.weight.push_back(slice);
        }
      }
    }
  }

  /// The slices of `before` all end before the first of `after` begins.
  void check_order(const Slices& before, const Slices& after, const char* what) {
    const auto begins_first = [](const TraceEvent* a, const TraceEvent* b) { return *a->begin < *b->begin; };
    const auto first = std::min_element(after.begin(), after.end(), begins_first);
    for (const TraceEvent* slice : before) {
      if (first != after.end() && *slice->end > *(*first)->begin) {
        in_.violated("Its " + std::string(what) + " has not ended when " + in_.describe(**first) +
                     " begins.");
        return;
      }
    }
  }

  /// How a micro-batch runs its backward pass: some schedules halve those of some micro-batches only.
  enum class Way : std::uint8_t { forward, whole, halves };
  using Runs = std::tuple<std::int64_t, std::int64_t, Way>;  // process, stage

  static bool has_input_half(const Passes& passes) {
    return std::any_of(passes.backward.begin(), passes.backward.end(),
                       [](const TraceEvent* slice) { return slice->work == "backward-input"; });
  }

  /// Every operation happens equally often for each micro-batch of its stage that goes the same way.
  void check_counts() {
    std::map<Runs, std::set<std::int64_t>> microbatches;
    using Operation = std::tuple<Runs, std::int64_t, std::string_view, std::string_view>;
    std::map<Operation, std::map<std::int64_t, std::size_t>> operations;
    bool any_backward = false;
    for (const auto& [key, passes] : passes_) {
      const auto& [pid, stage, microbatch] = key;
      const bool is_halved = has_input_half(passes) || !passes.weight.empty();
      any_backward = any_backward || !passes.backward.empty();
      for (const Slices* slices : {&passes.forward, &passes.backward, &passes.weight}) {
        const Way way = slices == &passes.forward ? Way::forward : is_halved ? Way::halves : Way::whole;
        microbatches[{pid, stage, way}].insert(microbatch);
        for (const TraceEvent* slice : *slices) {
          ++operations[{{pid, stage, way}, slice->layer, slice->work, slice->name}][microbatch];
        }
      }
    }
    for (const auto& [operation, counts] : operations) {
      const auto& [runs, layer, work, name] = operation;
      const auto& [pid, stage, way] = runs;
      std::map<std::size_t, std::size_t> frequency;
      for (const std::int64_t microbatch : microbatches[runs]) {
        ++frequency[counts.contains(microbatch) ? counts.at(microbatch) : 0];
      }
      const std::size_t usual =
          std::max_element(frequency.begin(), frequency.end(), [](const auto& a, const auto& b) {
            return a.second < b.second;
          })->first;
      for (const std::int64_t microbatch : microbatches[runs]) {
        const std::size_t count = counts.contains(microbatch) ? counts.at(microbatch) : 0;
        if (count != usual) {
          in_.violated("'" + std::string(name) + "' of stage " + std::to_string(stage) +
                       (layer < 0 ? "" : ", layer " + std::to_string(layer)) + " on " + in_.who(pid) +
                       " happens " + std::to_string(count) + " times for micro-batch " +
                       std::to_string(microbatch) + " and " + std::to_string(usual) + " times for others.");
        }
      }
    }
    for (const auto& [key, passes] : passes_) {
      const auto& [pid, stage, microbatch] = key;
      if (const char* const missing = missing_pass(passes, any_backward)) {
        in_.violated("Stage " + std::to_string(stage) + " on " + in_.who(pid) + " lacks the " + missing +
                     " of micro-batch " + std::to_string(microbatch) + '.');
      }
    }
  }

  /// A stage without layers has weight gradients alone.
  static const char* missing_pass(const Passes& passes, bool any_backward) {
    if (passes.forward.empty()) {
      return "forward";
    }
    if (any_backward && passes.backward.empty() && passes.weight.empty()) {
      return "backward";
    }
    const bool is_whole = has_input_half(passes) == !passes.weight.empty() || passes.backward.empty();
    return is_whole ? nullptr : "rest of the backward";
  }

  /// What a stage receives has arrived before it computes, and every micro-batch of a stage that receives is
  /// received.
  void check_messages() {
    std::map<std::pair<PassKey, bool>, Slices> received;  // by consumer, and whether forward
    for (const auto& [pid, slices] : in_.transfers) {
      for (const TraceEvent* slice : slices) {
        if (slice->role == "receive" && slice->name == "ncclDevKernel_SendRecv") {
          const bool forward = slice->work == "forward";
          received[{{pid, slice->stage + (forward ? 1 : -1), slice->microbatch}, forward}].push_back(slice);
        }
      }
    }
    std::set<std::tuple<std::int64_t, std::int64_t, bool>> receivers;
    for (const auto& [key, messages] : received) {
      const auto& [consumer, forward] = key;
      receivers.emplace(std::get<0>(consumer), std::get<1>(consumer), forward);
      const auto passes = passes_.find(consumer);
      if (passes == passes_.end()) {
        in_.violated("Nothing consumes " + in_.describe(*messages.front()) + '.');
        continue;
      }
      check_order(messages, forward ? passes->second.forward : passes->second.backward, "message");
    }
    for (const auto& [key, passes] : passes_) {
      for (const bool forward : {true, false}) {
        const Slices& slices = forward ? passes.forward : passes.backward;
        if (!slices.empty() && receivers.contains({std::get<0>(key), std::get<1>(key), forward}) &&
            !received.contains({key, forward})) {
          in_.violated("There is no message for " + in_.describe(*slices.front()) + '.');
        }
      }
    }
  }

  /// There and back, of an activation that waits on another rank.
  void check_evictions() {
    struct Moves {
      Slices out;
      Slices back;
    };

    std::map<PassKey, Moves> moves;
    for (const auto& [pid, slices] : in_.transfers) {
      for (const TraceEvent* slice : slices) {
        Moves& at = moves[{pid, slice->stage, slice->microbatch}];
        if (slice->name == "ncclDevKernel_EvictActivation") {
          at.out.push_back(slice);
        } else if (slice->name == "ncclDevKernel_LoadActivation") {
          at.back.push_back(slice);
        }
      }
    }
    for (const auto& [key, at] : moves) {
      if (at.out.empty() != at.back.empty()) {
        const TraceEvent& slice = at.out.empty() ? *at.back.front() : *at.out.front();
        in_.violated(
            "An activation " +
            std::string(at.out.empty() ? "comes back without having left: " : "does not come back: ") +
            in_.describe(slice) + '.');
        continue;
      }
      check_order(at.out, at.back, "eviction");
      if (const auto passes = passes_.find(key); passes != passes_.end() && !at.out.empty()) {
        check_order(passes->second.forward, at.out, "forward");
        check_order(at.back, passes->second.backward, "return of the activation");
      }
    }
  }

  const PipelineSlices& in_;
  std::map<PassKey, Passes> passes_;
};

}  // namespace

void check_pipeline(const PipelineSlices& slices) {
  PipelineLaws(slices).run();
}

}  // namespace makespan
