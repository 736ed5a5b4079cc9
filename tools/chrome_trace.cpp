#include "tools/chrome_trace.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>  // llround
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>
#include <vector>

namespace makespan {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t kFlushAt = std::size_t{64} * 1024;
constexpr std::int64_t kPicosecondsPerMicrosecond = 1'000'000;

/// JSON that is pure ASCII, so that no reader can trip over it.
std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
}

std::string json_text(std::string_view text) {
  return dump(ordered_json(text));
}

std::string hexadecimal(std::uint64_t number) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  const std::string text(digits.data(), end);
  return std::string(16 - text.size(), '0') + text;
}

/// "all-reduce" as NCCL spells it in the names of its kernels: "AllReduce".
std::string camel_case(std::string_view words) {
  std::string result;
  bool start = true;
  for (const char c : words) {
    const bool separates = c == '-' || c == '_' || c == ' ';
    if (!separates) {
      result += start && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    start = separates;
  }
  return result;
}

std::string snake_case(std::string_view words) {
  std::string result(words);
  std::replace(result.begin(), result.end(), '-', '_');
  return result;
}

double to_microseconds(std::int64_t picoseconds) {
  return static_cast<double>(picoseconds) / static_cast<double>(kPicosecondsPerMicrosecond);
}

std::int64_t to_nanoseconds(std::int64_t picoseconds) {
  return std::llround(to_microseconds(picoseconds) * 1000.0);
}

/// The duration to write for a slice. Viewers subtract and add times in floating point (speedscope,
/// DevTools), or round begin and duration to nanoseconds first (Perfetto), and what then ends a trifle late
/// overlaps the slice that follows at once. There the duration is 1 ps less than the exact one, and up to a
/// nanosecond less where rounding asks for it; the exact end is among the arguments.
Time shown_duration(const TraceSlice& slice) {
  std::int64_t duration = (slice.end - slice.begin).count();
  if (!slice.is_followed) {
    return Time(duration);
  }
  const double end = to_microseconds(slice.end.count());
  const double error = 4 * (std::nextafter(end, 2 * end) - end);  // of a few operations
  duration -= 1 + static_cast<std::int64_t>(error * static_cast<double>(kPicosecondsPerMicrosecond));
  const std::int64_t nanoseconds = to_nanoseconds(slice.end.count()) - to_nanoseconds(slice.begin.count());
  if (to_nanoseconds(duration) > nanoseconds) {
    constexpr std::int64_t kRoundedAway = 499;  // picoseconds
    duration = nanoseconds * 1000 + kRoundedAway;
  }
  return Time(std::max<std::int64_t>(duration, 1));
}

std::string_view thread_name(Stream stream) {
  static constexpr std::array<std::string_view, kStreams> kNames = {
      "compute", "micro-batches", "tp communication", "cp communication",   "ep communication",
      "pp send", "pp receive",    "dp communication", "other communication"};
  return kNames[static_cast<std::size_t>(stream)];
}

/// What happens at one instant, in the order in which it is written: slices before the arrows that touch
/// them.
struct Event {
  enum class Kind : std::uint8_t { slice, flow_start, flow_end, memory, load };

  Time at;
  Kind kind = Kind::slice;
  std::uint32_t slot = 0;
  std::uint32_t index = 0;  ///< into what the kind says
};

class Writer {
 public:
  Writer(const ByteSink& sink, const TaskGraph& graph, const TraceInfo& info, TraceLayout layout)
      : sink_(sink), graph_(graph), info_(info), layout_(std::move(layout)) {
    int tid = 1;
    for (std::size_t stream = 0; stream < kStreams; ++stream) {
      first_tid_[stream] = tid;
      tid += static_cast<int>(layout_.lanes[stream]);
    }
    label_cache_.resize(graph.labels.size());
    route_cache_.resize(graph.routes.size());
  }

  TraceSize run() {
    buffer_.reserve(kFlushAt + 4096);
    write_header();
    name_threads();
    for (const Event& event : events()) {
      write(event);
      if (buffer_.size() >= kFlushAt) {
        flush();
      }
    }
    text("\n]}\n");
    flush();
    return size_;
  }

 private:
  /// The fragments that all slices of one label share, made when first needed.
  struct LabelText {
    std::string kernel;    ///< from "ph" up to the process
    std::string transfer;  ///< the same for a transfer
    std::string numbers;   ///< arguments: phase, stage, ...
  };

  void text(std::string_view piece) { buffer_ += piece; }

  void number(std::int64_t value) {
    std::array<char, 20> digits{};
    buffer_.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  }

  /// Requires a time that is not negative.
  void microseconds(Time time) { decimal(time.count(), kPicosecondsPerMicrosecond); }

  /// value / unit, unit a power of ten, with all its decimals.
  void decimal(std::int64_t value, std::int64_t unit) {
    number(value / unit);
    buffer_ += '.';
    std::int64_t rest = value % unit;
    for (std::int64_t place = unit / 10; place > 0; place /= 10) {
      buffer_ += static_cast<char>('0' + rest / place);
      rest %= place;
    }
  }

  void flush() {
    size_.bytes += buffer_.size();
    sink_(buffer_);
    buffer_.clear();
  }

  void begin_event() {
    text(first_event_ ? "\n" : ",\n");
    first_event_ = false;
  }

  [[nodiscard]] int tid(const TraceSlice& slice) const {
    return first_tid_[static_cast<std::size_t>(slice.stream)] + static_cast<int>(slice.lane);
  }

  [[nodiscard]] std::int64_t pid(std::uint32_t slot) const {
    return static_cast<std::int64_t>(info_.ranks[slot].rank) + 1;
  }

  [[nodiscard]] std::int64_t links_pid() const { return static_cast<std::int64_t>(info_.world_size) + 1; }

  [[nodiscard]] ordered_json rank_metadata(const TraceRank& rank) const {
    ordered_json exposed = ordered_json::object();
    for (std::size_t group = 0; group < kGroups; ++group) {
      exposed[std::string(to_string(static_cast<Group>(group)))] = rank.time.exposed[group].count();
    }
    ordered_json entry = {{"rank", rank.rank},
                          {"pid", rank.rank + 1},
                          {"compute_ps", rank.time.compute.count()},
                          {"exposed_ps", std::move(exposed)},
                          {"bubble_ps", rank.time.bubble_total().count()}};
    if (!rank.memory.empty()) {
      entry["peak_memory_bytes"] = rank.peak_memory.count();
    }
    return entry;
  }

  [[nodiscard]] ordered_json link_metadata(ResourceId link) const {
    const Resource& resource = graph_.resources[link.index()];
    ordered_json changes = ordered_json::array();
    for (const CapacityChange& change : graph_.capacity_changes) {
      if (change.resource == link) {
        changes.push_back({change.at.count(), change.capacity.count()});
      }
    }
    ordered_json entry = {{"name", resource.name},
                          {"kind", graph_.name(resource.kind)},
                          {"capacity_millibytes_per_s", resource.capacity.count()}};
    if (!changes.empty()) {
      entry["capacity_changes"] = std::move(changes);  // pairs of picoseconds and millibytes per second
    }
    return entry;
  }

  void write_header() {
    ordered_json summary = {{"generator", "makespan " + info_.version},
                            {"version", info_.version},
                            {"scenario", info_.title},
                            {"fingerprint", hexadecimal(info_.fingerprint)},
                            {"iteration_time_ps", info_.window.length().count()},
                            {"iteration_begin_ps", info_.window.begin.count()}};
    for (const auto& [key, value] : info_.metadata) {
      summary[key] = value;
    }
    ordered_json metadata = summary;
    metadata["ranks"] = ordered_json::array();
    for (const TraceRank& rank : info_.ranks) {
      metadata["ranks"].push_back(rank_metadata(rank));
    }
    metadata["links"] = ordered_json::array();
    for (const ResourceId link : info_.links) {
      metadata["links"].push_back(link_metadata(link));
    }
    // Holistic Trace Analysis looks for the first `"rank": ` with this blank to tell whose file it is.
    text("{\"schemaVersion\":1,\n\"distributedInfo\":{\"backend\":\"nccl\",\"rank\": ");
    number(info_.ranks.empty() ? 0 : static_cast<std::int64_t>(info_.ranks.front().rank));
    text(",\"world_size\":");
    number(static_cast<std::int64_t>(info_.world_size));
    text("},\n\"displayTimeUnit\":\"ns\",\n\"otherData\":");
    text(dump(summary));
    text(",\n\"metadata\":");
    text(dump(metadata));
    text(",\n\"traceEvents\":[");
  }

  void name(const char* what, std::int64_t pid, std::int64_t tid, std::string_view name) {
    begin_event();
    text(R"({"ph":"M","name":")");
    text(what);
    text(R"(","pid":)");
    number(pid);
    text(",\"tid\":");
    number(tid);
    text(",\"args\":{");
    text(name);
    text("}}");
  }

  void name_process(std::int64_t pid, std::string_view process, std::int64_t position) {
    name("process_name", pid, 1, "\"name\":" + json_text(process));
    name("process_sort_index", pid, 1, "\"sort_index\":" + std::to_string(position));
  }

  void name_threads() {
    std::vector<std::array<std::uint32_t, kStreams>> lanes(info_.ranks.size());
    for (const TraceSlice& slice : layout_.slices) {
      std::uint32_t& used = lanes[slice.slot][static_cast<std::size_t>(slice.stream)];
      used = std::max(used, slice.lane + 1);
    }
    for (std::uint32_t slot = 0; slot < info_.ranks.size(); ++slot) {
      name_process(pid(slot), info_.ranks[slot].name, pid(slot));
      for (std::size_t stream = 0; stream < kStreams; ++stream) {
        for (std::uint32_t lane = 0; lane < lanes[slot][stream]; ++lane) {
          std::string thread(thread_name(static_cast<Stream>(stream)));
          thread += lane == 0 ? "" : " " + std::to_string(lane + 1);
          const std::int64_t tid = first_tid_[stream] + static_cast<int>(lane);
          // The pipeline's actions stand above the kernels they consist of.
          const std::int64_t position = static_cast<Stream>(stream) == Stream::actions ? 0 : tid;
          name("thread_name", pid(slot), tid, "\"name\":" + json_text(thread));
          name("thread_sort_index", pid(slot), tid, "\"sort_index\":" + std::to_string(position));
        }
      }
    }
    if (!layout_.loads.empty()) {
      name_process(links_pid(), "links (bytes per second)", links_pid());
    }
  }

  /// Everything in the order of time; at one instant slices first, the longer before the shorter.
  [[nodiscard]] std::vector<Event> events() const {
    std::vector<Event> result;
    const auto add = [&](Time at, Event::Kind kind, std::uint32_t slot, std::size_t index) {
      result.push_back({at, kind, slot, static_cast<std::uint32_t>(index)});
    };
    for (std::size_t i = 0; i < layout_.slices.size(); ++i) {
      add(layout_.slices[i].begin, Event::Kind::slice, layout_.slices[i].slot, i);
    }
    for (std::size_t i = 0; i < layout_.flows.size(); ++i) {
      const TraceFlow& flow = layout_.flows[i];
      add(flow.from_at, Event::Kind::flow_start, layout_.slices[flow.from].slot, i);
      add(flow.to_at, Event::Kind::flow_end, layout_.slices[flow.to].slot, i);
    }
    for (std::uint32_t slot = 0; slot < info_.ranks.size(); ++slot) {
      for (std::size_t i = 0; i < info_.ranks[slot].memory.size(); ++i) {
        add(info_.ranks[slot].memory[i].at, Event::Kind::memory, slot, i);
      }
    }
    for (std::size_t i = 0; i < layout_.loads.size(); ++i) {
      add(layout_.loads[i].at, Event::Kind::load, layout_.loads[i].link, i);
    }
    std::sort(result.begin(), result.end(), [this](const Event& a, const Event& b) { return before(a, b); });
    return result;
  }

  [[nodiscard]] bool before(const Event& a, const Event& b) const {
    if (std::tie(a.at, a.kind) != std::tie(b.at, b.kind)) {
      return std::tie(a.at, a.kind) < std::tie(b.at, b.kind);
    }
    switch (a.kind) {
      case Event::Kind::slice: {
        const TraceSlice& x = layout_.slices[a.index];
        const TraceSlice& y = layout_.slices[b.index];
        return std::tuple(y.end, x.slot, x.stream, x.lane, graph_.label(x.task), x.task) <
               std::tuple(x.end, y.slot, y.stream, y.lane, graph_.label(y.task), y.task);
      }
      case Event::Kind::flow_start:
      case Event::Kind::flow_end:
        return std::tuple(a.slot, layout_.flows[a.index].id) < std::tuple(b.slot, layout_.flows[b.index].id);
      case Event::Kind::memory:
      case Event::Kind::load:
        break;
    }
    return std::tie(a.slot, a.index) < std::tie(b.slot, b.index);
  }

  void write(const Event& event) {
    begin_event();
    switch (event.kind) {
      case Event::Kind::slice:
        ++size_.slices;
        return write_slice(event.index);
      case Event::Kind::flow_start:
        return write_flow(layout_.flows[event.index], true);
      case Event::Kind::flow_end:
        return write_flow(layout_.flows[event.index], false);
      case Event::Kind::memory:
        return write_memory(event.slot, info_.ranks[event.slot].memory[event.index]);
      case Event::Kind::load:
        return write_load(layout_.loads[event.index]);
    }
  }

  void place(const TraceSlice& slice, Time at) {
    text(",\"pid\":");
    number(pid(slice.slot));
    text(",\"tid\":");
    number(tid(slice));
    text(",\"ts\":");
    microseconds(at);
  }

  void write_slice(std::uint32_t index) {
    const TraceSlice& slice = layout_.slices[index];
    const LabelText& label = label_text(graph_.tasks[slice.task.index()].label);
    const bool takes_time = slice.begin != slice.end;
    text(takes_time ? R"({"ph":"X")" : R"({"ph":"i","s":"t")");
    if (slice.stream == Stream::actions) {
      write_action(slice);
      return;
    }
    const bool computes = slice.stream == Stream::compute;
    text(computes ? label.kernel : label.transfer);
    place(slice, slice.begin);
    if (takes_time) {
      text(",\"dur\":");
      microseconds(shown_duration(slice));
    }
    text(R"(,"args":{"begin_ps":)");
    number(slice.begin.count());
    text(",\"end_ps\":");
    number(slice.end.count());
    text(",\"stream\":");
    number(tid(slice));
    text(",\"correlation\":");
    number(++correlation_);
    text(label.numbers);
    if (!computes) {
      write_transfer_arguments(slice, layout_.transfer_ids[index]);
    }
    text("}}");
  }

  /// PyTorch annotates a pipeline action as "PP:" and the action's token.
  void write_action(const TraceSlice& slice) {
    const Label& label = graph_.label(slice.task);
    text(R"(,"cat":"gpu_user_annotation","name":"PP:)");
    number(label.stage);
    buffer_ += slice.action;
    number(label.microbatch);
    buffer_ += '"';
    place(slice, slice.begin);
    text(",\"dur\":");
    microseconds(shown_duration(slice));
    text(R"(,"args":{"begin_ps":)");
    number(slice.begin.count());
    text(",\"end_ps\":");
    number(slice.end.count());
    text("}}");
  }

  void write_transfer_arguments(const TraceSlice& slice, std::uint64_t id) {
    std::string& fixed = route_cache_[graph_.tasks[slice.task.index()].place];
    if (fixed.empty()) {
      fixed = ",\"Group size\":" + std::to_string(graph_.route(slice.task).members.size());
    }
    text(fixed);
    text(",\"bytes\":");
    number(graph_.transfer(slice.task).amount.count());
    if (slice.stream == Stream::pp_receive) {
      text(R"(,"role":"receive")");
    } else if (slice.stream == Stream::pp_send) {
      text(R"(,"role":"send")");
    }
    text(R"(,"transfer":"0x)");
    text(hexadecimal(id));
    buffer_ += '"';
  }

  const LabelText& label_text(LabelId id) {
    LabelText& cached = label_cache_[id.index()];
    if (!cached.kernel.empty()) {
      return cached;
    }
    const Label& label = graph_.labels[id.index()];
    const std::string& operation = graph_.name(label.name);
    const std::string phase(label.phase == Phase::none ? "" : to_string(label.phase));
    const std::string kernel = phase.empty() || phase == operation ? operation : operation + ' ' + phase;
    const std::string transfer =
        "ncclDevKernel_" +
        (label.group == Group::pp && operation.starts_with("send ") ? "SendRecv" : camel_case(operation));
    cached.kernel = R"(,"cat":"kernel","name":)" + json_text(kernel);
    cached.transfer = R"(,"cat":"kernel","name":)" + json_text(transfer);
    if (!phase.empty()) {
      cached.numbers += ",\"phase\":" + json_text(phase);
    }
    for (const auto& [key, value] :
         {std::pair{"stage", label.stage}, std::pair{"chunk", label.chunk},
          std::pair{"microbatch", label.microbatch}, std::pair{"layer", label.layer}}) {
      if (value >= 0) {
        cached.numbers += std::string(",\"") + key + "\":" + std::to_string(value);
      }
    }
    if (label.group != Group::none) {
      cached.numbers += ",\"Collective name\":" + json_text(snake_case(operation)) +
                        ",\"Process Group Name\":" + json_text(to_string(label.group));
    }
    return cached;
  }

  void write_flow(const TraceFlow& flow, bool starts) {
    const TraceSlice& slice = layout_.slices[starts ? flow.from : flow.to];
    text(starts ? R"({"ph":"s")" : R"({"ph":"f","bp":"e")");
    text(R"(,"cat":"pipeline","name":"pipeline","id":"0x)");
    text(hexadecimal(flow.id));
    buffer_ += '"';
    place(slice, starts ? flow.from_at : flow.to_at);
    buffer_ += '}';
  }

  void write_memory(std::uint32_t slot, const MemorySample& sample) {
    text(R"({"ph":"C","name":"memory","pid":)");
    number(pid(slot));
    text(",\"ts\":");
    microseconds(sample.at);
    text(",\"args\":{");
    for (std::size_t kind = 0; kind < kMemoryKinds; ++kind) {
      text(kind == 0 ? "\"" : ",\"");
      text(to_string(static_cast<MemoryKind>(kind)));
      text("\":");
      number(sample.held[kind].count());
    }
    text("}}");
  }

  void write_load(const LinkLoad& load) {
    text(R"({"ph":"C","name":)");
    text(json_text(graph_.resources[info_.links[load.link].index()].name));
    text(",\"pid\":");
    number(links_pid());
    text(",\"ts\":");
    microseconds(load.at);
    text(R"(,"args":{"load":)");
    constexpr std::int64_t kMilli = 1000;
    decimal(load.load.count(), kMilli);
    text("}}");
  }

  const ByteSink& sink_;
  const TaskGraph& graph_;
  const TraceInfo& info_;
  TraceLayout layout_;
  std::array<int, kStreams> first_tid_{};
  std::vector<LabelText> label_cache_;
  std::vector<std::string> route_cache_;
  std::string buffer_;
  TraceSize size_;
  std::int64_t correlation_ = 0;
  bool first_event_ = true;
};

}  // namespace

TraceSize write_chrome_trace(const ByteSink& sink, const TaskGraph& graph, const Timeline& timeline,
                             const TraceInfo& info) {
  return Writer(sink, graph, info, lay_out_trace(graph, timeline, info)).run();
}

}  // namespace makespan
