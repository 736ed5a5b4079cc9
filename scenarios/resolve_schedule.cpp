#include <numeric>

#include "scenarios/resolver.h"
#include "scenarios/schedule_source.h"
#include "schedules/searches.h"

namespace makespan {

/// The lists say everything but how messages are ordered.
void Resolver::schedule_file() {
  ScheduleSpec& schedule = s_.schedule;
  if (schedule.kind != ScheduleSpec{}.kind) {
    complain("schedule.kind", "cannot be given together with 'file'", "keep one of them");
    return;
  }
  no_effect("schedule.group", "the lists of 'file' have their order");
  no_effect("schedule.pieces", "the lists of 'file' have their order");
  if (schedule.lifo) {
    no_effect("schedule.lifo", "the lists of 'file' have their order");
  }
  const Schedule lists = read_schedule_lists(s_);
  if (const std::string foreign = foreign_to_scenarios(lists, s_); !foreign.empty()) {
    complain("schedule.file", foreign);
  }
  if (given("schedule.chunks") && schedule.chunks != lists.chunks) {
    complain("schedule.chunks", text(schedule.chunks) + " is not what 'file' has: " + text(lists.chunks),
             "remove 'chunks'");
  }
  schedule.chunks = lists.chunks;
  file_microbatches_ = lists.microbatches;
  for (const std::vector<Action>& actions : lists.actions) {
    file_splits_ = file_splits_ || std::any_of(actions.begin(), actions.end(), [](const Action& action) {
                     return action.kind == ActionKind::backward_input;
                   });
  }
  schedule.communication = schedule.communication.value_or(Communication::independent);
}

/// What is for searches, or for one of them.
void Resolver::searched(const ScheduleSearch* search) {
  ScheduleSpec& schedule = s_.schedule;
  if (search == nullptr) {
    no_effect("schedule.activations", "only zb-auto and list have a memory limit");
    no_effect("schedule.memory", "only zb-auto and list have a memory limit");
  } else if (given("schedule.activations") && given("schedule.memory")) {
    complain("schedule.memory", "cannot be given together with 'activations'", "keep one of them");
  }
  if (search != nullptr &&
      schedule.communication.value_or(Communication::independent) != Communication::independent) {
    complain("schedule.communication",
             schedule.kind + " is searched for independent messages, not " +
                 std::string(to_string(*schedule.communication)),
             "remove 'communication', or run lists in 'file'");
  }
  if (search == nullptr || !search->has_placement) {
    no_effect("schedule.placement", "only list has a choice of placements");
    schedule.placement.clear();
  } else if (schedule.placement == "v" && given("schedule.chunks") && schedule.chunks != 2) {
    complain("schedule.chunks", "a V has 2 chunks per rank, not " + text(schedule.chunks),
             "remove 'chunks', or use placement: loop");
  }
}

/// Without a barrier ranks begin the next iteration early, which takes a next iteration.
void Resolver::optimizer_sync() {
  if (s_.schedule.optimizer_sync == OptimizerSync::barrier) {
    return;
  }
  if (s_.parallelism.pipeline == 1) {
    no_effect("schedule.optimizer_sync", "pipeline is 1");
  }
  overlapping_iterations("post-validation");
}

void Resolver::overlapping_iterations(const std::string& what) {
  std::int64_t& iterations = s_.simulation.iterations;
  if (!given("simulation.iterations")) {
    iterations = 2;
  } else if (iterations == 1) {
    complain("simulation.iterations", "1 shows nothing of " + what + ", which lets iterations overlap",
             "give at least 2, or leave it out");
  }
}

/// Each rank steps for itself, and no other rank's step waits for it.
void Resolver::without_flush(const ScheduleKind& kind) {
  if (kind.update == Update::flush) {
    return;
  }
  overlapping_iterations(s_.schedule.kind);
  if (s_.schedule.optimizer_sync != OptimizerSync::barrier) {
    complain("schedule.optimizer_sync", s_.schedule.kind + " synchronises no steps", "remove it");
  }
  if (!s_.profile && s_.model.tied_embeddings.value_or(s_.model.architecture == Architecture::gpt) &&
      s_.parallelism.pipeline > 1) {
    complain("model.tied_embeddings",
             "keeps two ranks' weights equal, which " + s_.schedule.kind + " updates one by one",
             "set 'tied_embeddings' to false, or use a schedule with a flush");
  }
}

void Resolver::pieces(const ScheduleKind& kind) {
  const std::int64_t pieces = s_.schedule.pieces;
  if (!kind.has_pieces) {
    if (pieces != 1) {
      complain("schedule.pieces", s_.schedule.kind + " does not cut sequences", "use kind: seq1f1b");
    }
    return;
  }
  const std::int64_t parts = pieces * (s_.parallelism.sequence_parallel ? s_.parallelism.tensor : 1);
  if (!s_.profile && s_.model.sequence % parts != 0) {
    complain("schedule.pieces",
             text(pieces) + " pieces" +
                 (parts == pieces ? "" : " for " + text(s_.parallelism.tensor) + " sequence-parallel ranks") +
                 " do not divide the " + text(s_.model.sequence) + " tokens of a sequence",
             "pieces are of equal length");
  }
}

void Resolver::schedule() {
  ScheduleSpec& schedule = s_.schedule;
  optimizer_sync();
  if (!schedule.file.empty()) {
    schedule_file();
    return;
  }
  const ScheduleKind& kind = named_schedule(schedule.kind);
  pieces(kind);
  without_flush(kind);
  const ScheduleSearch* search = find_search(schedule.kind);
  searched(search);
  const bool has_chunks = kind.most_chunks > 1;
  if (!given("schedule.chunks")) {
    schedule.chunks = schedule.placement == "v" ? 2 : kind.least_chunks;
  }
  if (!has_chunks && schedule.chunks > 1) {
    complain("schedule.chunks", schedule.kind + " has one chunk per rank, not " + text(schedule.chunks),
             "remove 'chunks', or use kind: interleaved");
  } else if (kind.least_chunks == kind.most_chunks && schedule.chunks != kind.least_chunks) {
    complain(
        "schedule.chunks",
        schedule.kind + " has " + text(kind.least_chunks) + " chunks per rank, not " + text(schedule.chunks),
        "remove 'chunks'");
  }
  if (has_chunks && search == nullptr && schedule.chunks < 2) {
    complain("schedule.chunks", schedule.kind + " needs at least 2 chunks per rank",
             "set 'chunks', or use kind: 1f1b");
  }
  if (has_chunks && search == nullptr && s_.parallelism.pipeline < 2) {
    complain("schedule.kind", schedule.kind + " needs at least 2 pipeline ranks, and pipeline is 1",
             "use kind: 1f1b, or set 'parallelism.pipeline'");
  }
  if (!kind.has_group) {
    no_effect("schedule.group", "only interleaved has micro-batch groups");
  }
  if (!kind.has_lifo && schedule.lifo) {
    no_effect("schedule.lifo", "only gpipe can reverse its backward passes");
  }
  const bool fused = schedule.kind == "1f1b" || schedule.kind == "interleaved";
  const Communication usual = fused ? Communication::fused : Communication::independent;
  if (s_.parallelism.pipeline == 1 && schedule.communication.value_or(usual) != usual) {
    no_effect("schedule.communication", "pipeline is 1, and no messages are sent");
  }
  schedule.communication = schedule.communication.value_or(usual);
}

/// The rules of schedules/catalogue.h, told at the place of the key.
void Resolver::group() {
  ScheduleSpec& schedule = s_.schedule;
  if (!schedule.file.empty()) {
    if (file_microbatches_ != s_.microbatches()) {
      complain("schedule.file",
               "has lists for " + text(file_microbatches_) + " micro-batches, and there are " +
                   text(s_.microbatches()) + " per pipeline",
               "global_batch / (micro_batch x data)");
    }
    return;
  }
  if (!named_schedule(schedule.kind).has_group) {
    return;
  }
  const std::int64_t microbatches = s_.microbatches();
  const std::int64_t pipeline = s_.parallelism.pipeline;
  const std::int64_t usual = microbatches / std::max<std::int64_t>(1, microbatches / pipeline);
  schedule.group = schedule.group == 0 ? usual : schedule.group;
  const std::int64_t rest = microbatches % schedule.group;
  const std::string key = given("schedule.group") ? "schedule.group" : "training.global_batch";
  const std::string each = text(microbatches) + " micro-batches per pipeline";
  if (schedule.group < std::min(pipeline, microbatches) || schedule.group > microbatches) {
    complain(
        key,
        "a group of " + text(schedule.group) + " does not suit " + each + " and " + text(pipeline) + " ranks",
        "accepted: " + text(std::min(pipeline, microbatches)) + " to " + text(microbatches));
  } else if (rest != 0 && rest < pipeline) {
    complain(
        key,
        "groups of " + text(schedule.group) + " leave a last group of " + text(rest) + " of the " + each +
            ", less than the " + text(pipeline) + " ranks",
        "make the micro-batches a multiple of 'parallelism.pipeline', or choose another 'schedule.group'");
  }
}

void Resolver::layers() {
  const std::vector<std::int64_t>& layout = s_.parallelism.layout;
  std::int64_t most = s_.model.layers / stages();
  const std::string shape =
      text(s_.parallelism.pipeline) + " pipeline ranks x " + text(s_.schedule.chunks) + " chunks";
  if (layout.empty() && s_.model.layers % stages() != 0) {
    complain("model.layers", text(s_.model.layers) + " layers do not divide evenly into " + shape,
             "change 'parallelism.pipeline' or 'schedule.chunks', or give the layers of each stage in "
             "'parallelism.layout'");
  } else if (!layout.empty()) {
    const std::int64_t sum = std::accumulate(layout.begin(), layout.end(), std::int64_t{0});
    if (static_cast<std::int64_t>(layout.size()) != stages()) {
      complain("parallelism.layout",
               "lists " + std::to_string(layout.size()) + " stages, and there are " + text(stages()),
               shape + ", first stage first");
    } else if (sum != s_.model.layers) {
      complain("parallelism.layout",
               "adds up to " + text(sum) + " layers, and the model has " + text(s_.model.layers),
               "one number for each stage, first stage first");
    } else if (const auto empty = std::find(layout.begin() + 1, layout.end(), 0);
               layout.size() > 2 && empty < layout.end() - 1) {
      complain("parallelism.layout",
               "stage " + text(empty - layout.begin()) + " has 0 layers and would compute nothing",
               "only the first stage (with the embedding) and the last one (with the output layer) may have "
               "none");
    }
    most = *std::max_element(layout.begin(), layout.end());
  }
  const Recompute& recompute = s_.training.recompute;
  if (recompute.kind == RecomputeKind::none) {
    no_effect("training.recompute.layers", "nothing is recomputed");
  } else if (recompute.layers == 0) {
    no_effect("training.recompute.kind", "'layers' is 0, so nothing is recomputed");
  } else if (recompute.layers > most) {
    complain("training.recompute.layers",
             text(recompute.layers) + " is more than the " + text(most) + " layers of a stage",
             "leave it out to recompute all");
  }
}

/// Every pass takes time: one that takes none has no place in a schedule.
void Resolver::positive_times(const std::string& name, const std::vector<Time>& times) {
  if (std::find(times.begin(), times.end(), Time(0)) != times.end()) {
    complain("workload.profile." + name, "must be longer than 0", "give the measured time of each stage");
  }
}

void Resolver::profile_times(const std::string& name, const std::vector<Time>& times) {
  const auto size = static_cast<std::int64_t>(times.size());
  if (size > 1 && size != stages()) {
    complain("workload.profile." + name, "lists " + text(size) + " times for " + text(stages()) + " stages",
             "give one time, or one for each of pipeline x chunks stages");
  }
}

void Resolver::profile() {
  const Profile& profile = *s_.profile;
  const std::string root = "workload.profile";
  const bool whole = !profile.backward.empty();
  const bool input = !profile.backward_input.empty();
  const bool weight = !profile.backward_weight.empty();
  if (whole && (input || weight)) {
    complain(root + ".backward", "cannot be given together with its halves",
             "keep 'backward', or 'backward_input' and 'backward_weight'");
  } else if (!whole && !(input && weight)) {
    complain(root, "gives no backward pass",
             "give 'backward', or both 'backward_input' and 'backward_weight'");
  }
  const ScheduleKind& kind = named_schedule(s_.schedule.kind);
  if (whole && (file_splits_ || kind.splits || kind.splits_some)) {
    complain(root + ".backward",
             (file_splits_ ? std::string("the schedule") : s_.schedule.kind) +
                 " runs the halves of the backward pass at different times",
             "give 'backward_input' and 'backward_weight' in its place");
  }
  if (given(root + ".message") && given(root + ".communication")) {
    complain(root + ".communication", "cannot be given together with 'message'",
             "a message takes what the network needs; a fixed time replaces it");
  }
  if (s_.schedule.file.empty() && !kind.overlaps) {
    no_effect(root + ".forward_backward", s_.schedule.kind + " overlaps no passes");
  }
  profile_times("forward", profile.forward);
  profile_times("backward", profile.backward);
  profile_times("backward_input", profile.backward_input);
  profile_times("backward_weight", profile.backward_weight);
  profile_times("forward_backward", profile.forward_backward);
  positive_times("forward", profile.forward);
  positive_times("backward", profile.backward);
  positive_times("forward_backward", profile.forward_backward);
  if (input && weight) {
    positive_sums();
  }
}

/// One half of a backward pass may be nothing, not both.
void Resolver::positive_sums() {
  const std::vector<Time>& input = s_.profile->backward_input;
  const std::vector<Time>& weight = s_.profile->backward_weight;
  for (std::size_t i = 0; i < std::max(input.size(), weight.size()); ++i) {
    if (input[std::min(i, input.size() - 1)] + weight[std::min(i, weight.size() - 1)] == Time(0)) {
      complain("workload.profile.backward_input",
               "and 'backward_weight' are both 0 for stage " + std::to_string(i),
               "give the measured time of at least one half");
      return;
    }
  }
}

}  // namespace makespan
