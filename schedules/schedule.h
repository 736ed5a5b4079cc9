#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace makespan {

/// One step of a rank's program. Sends and receives, and what becomes of sharded weights, appear only in
/// lists that spell out their communication.
enum class ActionKind : std::uint8_t {
  forward,           ///< F
  backward,          ///< B: both halves
  backward_input,    ///< I: gradient of the input
  backward_weight,   ///< W: gradient of the weights
  send_forward,      ///< output of this stage to the next
  receive_forward,   ///< input of this stage from the one before
  send_backward,     ///< gradient of this stage's input to the one before
  receive_backward,  ///< gradient of this stage's output from the next
  unshard,           ///< gather the weights of the stage
  reshard,           ///< free what was gathered
  reduce_gradient,   ///< reduce the gradients of the stage over its data-parallel ranks
};

inline constexpr std::size_t kActionKinds = 11;

struct Action {
  ActionKind kind = ActionKind::forward;
  std::int32_t stage = 0;
  std::int32_t microbatch = 0;  ///< 0 where the kind has none (has_microbatch)
  /// Of an F: it and the B behind it in the list are one overlapped pair, which starts when both have their
  /// inputs and ends with both outputs.
  bool overlaps_next = false;

  auto operator<=>(const Action&) const = default;
};

[[nodiscard]] constexpr bool is_compute(ActionKind kind) {
  return kind <= ActionKind::backward_weight;
}

/// A compute that takes what a neighbouring stage gives and gives it on: F, B and I.
[[nodiscard]] constexpr bool is_pass(ActionKind kind) {
  return kind <= ActionKind::backward_input;
}

[[nodiscard]] constexpr bool is_message(ActionKind kind) {
  return kind >= ActionKind::send_forward && kind <= ActionKind::receive_backward;
}

[[nodiscard]] constexpr bool has_microbatch(ActionKind kind) {
  return kind < ActionKind::unshard;
}

/// PyTorch's token: "0F1", "3I2", "2SEND_F0", "1UNSHARD". Of a pair, that of the one action.
[[nodiscard]] std::string to_string(const Action& action);

/// PyTorch's cells of a list: a token per action, one for both of a pair: "(0F7;7B3)OVERLAP_F_B".
[[nodiscard]] std::vector<std::string> cells(const std::vector<Action>& actions);

/// A stored activation that spends the time until its backward pass in the memory of another rank.
struct Eviction {
  int rank = 0;  ///< whose it is
  int to = 0;    ///< which holds it meanwhile
  int stage = 0;
  int microbatch = 0;
  int out_after = 0;   ///< position in the list of `rank` of its F, behind which it leaves
  int back_after = 0;  ///< position of the compute behind which it comes back

  auto operator<=>(const Eviction&) const = default;
};

/// A pipeline schedule: what each rank does, in order. It holds no times and no sizes.
struct Schedule {
  std::string kind;
  int ranks = 1;
  /// Those of one iteration, through all replicas. With sequence pieces, piece j of micro-batch k counts as
  /// micro-batch k * pieces + j.
  int microbatches = 1;
  int chunks = 1;  ///< stages per rank, of one replica
  /// Copies of the model, each with its own stages and its own share of the micro-batches. Stage s of replica
  /// c is stage c * model_stages() + s, and its micro-batches are numbered from 0.
  int replicas = 1;
  int pieces = 1;  ///< into which each sequence is cut
  /// Per rank, the versions of the weights that are kept while micro-batches are under way; empty: one each.
  std::vector<int> weight_versions;
  /// In the order of their departures, rank by rank. Lists with sends and receives have none.
  std::vector<Eviction> evictions;
  /// The rank that owns each stage; of each replica the first stage takes the input, the last computes the
  /// loss.
  std::vector<int> rank_of_stage;
  /// Per rank, in program order.
  std::vector<std::vector<Action>> actions;
  /// Per rank, ascending positions in `actions` after which a batched exchange happens when communication is
  /// `fused`; -1 is before the first action. Megatron exchanges once after each forward-backward pair of the
  /// steady phase of interleaved 1F1B, and after every action elsewhere.
  std::vector<std::vector<int>> exchanges;
  /// Per rank and action, the exchange (one of `exchanges`) in which a `fused` message for that action
  /// arrives. Empty: in the last exchange before the action, for every action. Interleaving with micro-batch
  /// groups larger than the number of ranks has to receive earlier and keep the tensor, or it would deadlock.
  std::vector<std::vector<int>> arrivals;

  [[nodiscard]] int stages() const { return static_cast<int>(rank_of_stage.size()); }

  [[nodiscard]] int model_stages() const { return stages() / replicas; }

  [[nodiscard]] int stage_microbatches() const { return microbatches / replicas; }

  [[nodiscard]] int rank_of(int stage) const { return rank_of_stage[static_cast<std::size_t>(stage)]; }

  /// The stage that uses the output of the compute `action`: the next one after F, the one before after B and
  /// I. -1 when none does.
  [[nodiscard]] int consumer_of(const Action& action) const;

  /// The stage whose output the compute `action` needs: the one before for F, the next one for B and I. -1
  /// when there is none.
  [[nodiscard]] int producer_of(const Action& action) const;

 private:
  [[nodiscard]] int neighbour(int stage, int step) const;
};

/// How messages between ranks are ordered; see docs/reference/schedules.md.
enum class Communication : std::uint8_t {
  independent,  ///< a message waits only for its producer
  per_peer,     ///< in order per pair of ranks, as posted in the list
  per_rank,     ///< in order per rank, as posted in the list
  blocking,     ///< each message holds up the compute of both ends
  fused,        ///< all messages between two exchange points hold up the compute of both ends together
};

/// "independent", "per-peer", "per-rank", "blocking", "fused".
[[nodiscard]] std::string_view to_string(Communication communication);

/// The inverse of to_string; throws InputError for an unknown name.
[[nodiscard]] Communication communication_named(std::string_view name);

/// A compute action by its rank and its position in Schedule::actions[rank].
struct ActionRef {
  int rank = 0;
  int position = 0;

  auto operator<=>(const ActionRef&) const = default;
};

/// A message from the rank of one stage to the rank of a neighbouring one, with everything that orders it.
struct Message {
  bool forward = true;  ///< an activation to stage + 1; otherwise a gradient to stage - 1
  int from_stage = 0;
  int to_stage = 0;
  int microbatch = 0;
  ActionRef producer;  ///< it starts after this compute, always
  ActionRef consumer;  ///< this compute starts after it, always
  /// Further computes that must end before it starts.
  std::vector<ActionRef> after;
  /// Further computes that start only after it ended.
  std::vector<ActionRef> before;
  /// Earlier messages (indices into the same list) that must end before it starts.
  std::vector<int> after_messages;
};

/// The messages of `schedule` with the ordering that `communication` adds. Lists without sends and receives
/// are first completed as PyTorch does (insert_communication) for per_peer, per_rank and blocking. Requires a
/// valid schedule.
[[nodiscard]] std::vector<Message> plan_messages(const Schedule& schedule, Communication communication);

}  // namespace makespan
