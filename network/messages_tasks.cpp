#include <optional>

#include "network/messages.h"

namespace makespan {

ChunkTasks add(TaskGraphBuilder& builder, const Chunks& chunks, const Label& label) {
  const RouteId nothing = builder.route({.uses = {}, .members = chunks.members});
  const TaskId first = builder.transfer(nothing, {.amount = Bytes(0), .latency = chunks.base}, label);
  const TaskId last = builder.marker(label);
  if (chunks.sends.empty()) {
    builder.edge(first, last);
    return {first, last};
  }
  std::vector<RouteId> routes;
  std::vector<RouteId> waits;  // the same reservation, no link
  for (const Chunks::Hop& hop : chunks.hops) {
    routes.push_back(builder.route(hop.route));
    Route wait = hop.route;
    wait.uses.clear();
    waits.push_back(builder.route(std::move(wait)));
  }
  std::vector<std::optional<TaskId>> on_wire(chunks.hops.size());  // the last send of each hop
  std::vector<TaskId> moved;
  for (const Chunks::Send& send : chunks.sends) {
    const TaskId wait = builder.transfer(
        waits[send.hop], {.amount = Bytes(0), .latency = chunks.hops[send.hop].latency}, label);
    const TaskId move = builder.transfer(routes[send.hop], {.amount = send.bytes, .latency = Time(0)}, label);
    builder.edge(wait, move);
    if (send.after.empty()) {
      builder.edge(first, wait);
    }
    for (const std::uint32_t before : send.after) {
      builder.edge(moved[before], wait);
    }
    if (on_wire[send.hop]) {
      builder.edge(*on_wire[send.hop], move);
    }
    on_wire[send.hop] = move;
    moved.push_back(move);
  }
  for (const std::optional<TaskId>& at : on_wire) {
    if (at) {
      builder.edge(*at, last);
    }
  }
  return {first, last};
}

}  // namespace makespan
