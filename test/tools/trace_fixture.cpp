#include "test/tools/trace_fixture.h"

#include "tools/chrome_trace.h"

namespace makespan {

namespace {

constexpr std::int64_t kMicrosecond = 1'000'000;
constexpr std::int64_t kLinkRate = 50'000'000'000'000;  // 50 GB/s in millibytes per second

/// Builds the graph and, task by task, the timeline that belongs to it.
class Composer {
 public:
  HandMadeRun compose() {
    link_ = builder_.resource("nic \"0\"", "nic", Rate(kLinkRate));
    up_ = builder_.route({.uses = {{link_}}, .members = {DeviceId(0), DeviceId(1)}});
    down_ = builder_.route({.uses = {{link_}}, .members = {DeviceId(1), DeviceId(0)}});
    const RouteId both = builder_.route({.uses = {{link_, 512}}, .members = {DeviceId(0), DeviceId(1)}});
    // rank 0: F0 [0,10) F1 [10,20) .. B0 [42,62) B1 [62,82)   exposed dp [82,86)
    // rank 1:        F0 [11,21) B0 [21,41) F1 [41,51)  B1 [51,71)
    const TaskId f00 = compute(0, Phase::forward, 0, 0, 0, 10);
    const TaskId f01 = compute(0, Phase::forward, 0, 1, 10, 20);
    const TaskId f10 = compute(1, Phase::forward, 1, 0, 11, 21);
    const TaskId b10 = compute(1, Phase::backward, 1, 0, 21, 41);
    const TaskId f11 = compute(1, Phase::forward, 1, 1, 41, 51);
    const TaskId b11 = compute(1, Phase::backward, 1, 1, 51, 71);
    const TaskId b00 = compute(0, Phase::backward, 0, 0, 42, 62);
    const TaskId b01 = compute(0, Phase::backward, 0, 1, 72, 92);
    message(up_, Phase::forward, 0, 0, f00, f10, 10);
    message(up_, Phase::forward, 0, 1, f01, f11, 20);
    message(down_, Phase::backward, 1, 0, b10, b00, 41);
    message(down_, Phase::backward, 1, 1, b11, b01, 71);
    const Label reduce{builder_.name("all-reduce"), Phase::backward, Group::dp, 0, -1, -1, -1};
    const TaskId all_reduce = record(builder_.transfer(both, {Bytes(200'000), Time(0)}, reduce), 92, 96);
    builder_.edge(b01, all_reduce);
    builder_.edge(b11, all_reduce);
    rate(92, all_reduce, kLinkRate);
    record(builder_.marker({builder_.name("end")}), 96, 96);
    return finish();
  }

 private:
  TaskId record(TaskId task, std::int64_t begin, std::int64_t end) {
    timeline_.begin.emplace_back(begin * kMicrosecond);
    timeline_.end.emplace_back(end * kMicrosecond);
    return task;
  }

  TaskId compute(std::size_t rank, Phase phase, int stage, int microbatch, std::int64_t begin,
                 std::int64_t end) {
    const Label label{builder_.name("layer"), phase, Group::none, stage, 0, microbatch, stage};
    const TaskId task =
        builder_.compute(DeviceId(rank), {Time(0), Time((end - begin) * kMicrosecond), Time(0)}, label);
    return record(task, begin, end);
  }

  void message(RouteId route, Phase phase, int stage, int microbatch, TaskId from, TaskId to,
               std::int64_t begin) {
    const Label label{builder_.name("send activation"), phase, Group::pp, stage, 0, microbatch, -1};
    const TaskId task = record(builder_.transfer(route, {Bytes(50'000), Time(0)}, label), begin, begin + 1);
    builder_.edge(from, task);
    builder_.edge(task, to);
    rate(begin, task, kLinkRate);
  }

  void rate(std::int64_t at, TaskId task, std::int64_t value) {
    timeline_.rates.push_back({Time(at * kMicrosecond), task, Rate(value)});
  }

  HandMadeRun finish() {
    timeline_.makespan = Time(96 * kMicrosecond);
    std::stable_sort(timeline_.rates.begin(), timeline_.rates.end(),
                     [](const RateChange& a, const RateChange& b) { return a.at < b.at; });
    HandMadeRun run;
    run.graph = std::move(builder_).build();
    run.timeline = std::move(timeline_);
    run.info.title = "hand-made";
    run.info.version = "1.2.3";
    run.info.fingerprint = 0xab54a98ceb1f0ad2U;
    run.info.world_size = 8;
    run.info.window = {Time(0), Time(96 * kMicrosecond)};
    run.info.links = {link_};
    run.info.metadata = {{"schedule", "1f1b"}};
    for (std::size_t rank = 0; rank < 2; ++rank) {
      run.info.ranks.push_back(this->rank(rank));
    }
    return run;
  }

  static TraceRank rank(std::size_t number) {
    TraceRank rank;
    rank.rank = 4 * number;
    rank.device = DeviceId(number);
    rank.name = "rank " + std::to_string(4 * number) + " (pp " + std::to_string(number) + ") node 0";
    rank.time.compute = Time(60 * kMicrosecond);
    rank.time.exposed[static_cast<std::size_t>(Group::dp)] = Time(4 * kMicrosecond);
    rank.time.bubble[static_cast<std::size_t>(Bubble::dependency)] = Time(32 * kMicrosecond);
    const Bytes weights(1'000);
    const Bytes none(0);
    rank.memory = {{Time(0), {weights, none, none, none, none}},
                   {Time(20 * kMicrosecond), {weights, none, none, Bytes(500), none}},
                   {Time(92 * kMicrosecond), {weights, none, none, none, none}}};
    rank.peak_memory = Bytes(1'500);
    return rank;
  }

  TaskGraphBuilder builder_{2};
  Timeline timeline_;
  ResourceId link_;
  RouteId up_;
  RouteId down_;
};

}  // namespace

HandMadeRun hand_made_run() {
  return Composer().compose();
}

std::string trace_text(const HandMadeRun& run) {
  std::string text;
  write_chrome_trace([&text](std::string_view piece) { text += piece; }, run.graph, run.timeline, run.info);
  return text;
}

}  // namespace makespan
