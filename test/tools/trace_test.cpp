#include <algorithm>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/random.h"
#include "test/tools/trace_fixture.h"
#include "tools/chrome_trace.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::vector<json> events_of(const std::string& text, const std::string& kind) {
  std::vector<json> result;
  const json trace = json::parse(text);
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] == kind) {
      result.push_back(event);
    }
  }
  return result;
}

TEST(ChromeTrace, HasMetadataForOldAndNewReaders) {
  const json trace = json::parse(trace_text(hand_made_run()));
  EXPECT_EQ(trace["distributedInfo"]["rank"], 0);
  EXPECT_EQ(trace["distributedInfo"]["world_size"], 8);
  for (const char* place : {"metadata", "otherData"}) {
    EXPECT_EQ(trace[place]["fingerprint"], "ab54a98ceb1f0ad2");
    EXPECT_EQ(trace[place]["version"], "1.2.3");
    EXPECT_EQ(trace[place]["schedule"], "1f1b");
    EXPECT_EQ(trace[place]["iteration_time_ps"], 96'000'000);
  }
  EXPECT_EQ(trace["metadata"]["ranks"][1]["pid"], 4 + 1);
  EXPECT_EQ(trace["metadata"]["ranks"][1]["exposed_ps"]["dp"], 4'000'000);
}

TEST(ChromeTrace, WritesTheRankWhereHolisticTraceAnalysisLooksForIt) {
  const std::string text = trace_text(hand_made_run());
  EXPECT_EQ(text.find("\"rank\": "), text.find("\"rank\": 0,\"world_size\""));
  EXPECT_EQ(text.substr(0, 2), "{\"");
}

TEST(ChromeTrace, NamesOneProcessPerRankAndOneThreadPerStream) {
  std::map<int, std::string> processes;
  std::set<std::string> threads;
  for (const json& event : events_of(trace_text(hand_made_run()), "M")) {
    EXPECT_NE(event["tid"], 0);
    if (event["name"] == "process_name") {
      processes[event["pid"]] = event["args"]["name"];
    } else if (event["name"] == "thread_name") {
      threads.insert(event["args"]["name"].get<std::string>());
    }
  }
  EXPECT_EQ(processes,
            (std::map<int, std::string>{
                {1, "rank 0 (pp 0) node 0"}, {5, "rank 4 (pp 1) node 0"}, {9, "links (bytes per second)"}}));
  EXPECT_EQ(threads,
            (std::set<std::string>{"compute", "micro-batches", "pp send", "pp receive", "dp communication"}));
}

TEST(ChromeTrace, WritesExactMicroseconds) {
  HandMadeRun run = hand_made_run();
  run.timeline.begin[0] = Time(1'234'567);
  run.timeline.end[0] = Time(9'000'001);
  EXPECT_THAT(trace_text(run), HasSubstr("\"ts\":1.234567,\"dur\":7.765434,\"args\":{\"begin_ps\":1234567,"
                                         "\"end_ps\":9000001,"));
}

TEST(ChromeTrace, SortsEventsByTimeAndTheLongerFirst) {
  double last = 0;
  double last_duration = 0;
  const json trace = json::parse(trace_text(hand_made_run()));
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] == "M") {
      continue;
    }
    EXPECT_GE(event["ts"], last);
    if (event["ph"] == "X") {
      EXPECT_TRUE(event["ts"] > last || event["dur"] <= last_duration || last_duration == 0) << event;
      last_duration = event["dur"];
    } else if (event["ts"] > last) {
      last_duration = 0;
    }
    last = event["ts"];
  }
}

TEST(ChromeTrace, ShowsATransferOnceOnEachOfItsRanksThatAreShown) {
  HandMadeRun run = hand_made_run();
  const auto reduces = [](const HandMadeRun& of) {
    std::vector<json> result;
    for (const json& event : events_of(trace_text(of), "X")) {
      if (event["name"] == "ncclDevKernel_AllReduce") {
        result.push_back(event);
      }
    }
    return result;
  };
  const std::vector<json> both = reduces(run);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_NE(both[0]["pid"], both[1]["pid"]);
  EXPECT_EQ(both[0]["args"]["transfer"], both[1]["args"]["transfer"]);
  EXPECT_EQ(both[0]["args"]["Group size"], 2);
  EXPECT_EQ(both[0]["args"]["Process Group Name"], "dp");
  EXPECT_EQ(both[0]["args"]["Collective name"], "all_reduce");
  EXPECT_EQ(both[0]["args"]["bytes"], 200'000);
  run.info.ranks.pop_back();
  EXPECT_EQ(reduces(run).size(), 1U);
}

TEST(ChromeTrace, DrawsArrowsFromProducerToSendAndFromSendToReceive) {
  const std::string text = trace_text(hand_made_run());
  std::map<std::string, json> starts;
  for (const json& event : events_of(text, "s")) {
    EXPECT_EQ(event["id"].get<std::string>().substr(0, 2), "0x");
    EXPECT_TRUE(starts.emplace(event["id"], event).second) << "an id appears twice";
  }
  int across = 0;
  for (const json& event : events_of(text, "f")) {
    ASSERT_TRUE(starts.contains(event["id"]));
    EXPECT_EQ(event["bp"], "e");
    across += starts[event["id"]]["pid"] == event["pid"] ? 0 : 1;
  }
  EXPECT_EQ(starts.size(), 2U * 4U);  // four messages
  EXPECT_EQ(across, 4);
}

TEST(ChromeTrace, NamesPipelineActionsAsPyTorchDoes) {
  std::vector<std::string> names;
  for (const json& event : events_of(trace_text(hand_made_run()), "X")) {
    if (event["cat"] == "gpu_user_annotation" && event["pid"] == 1) {
      names.push_back(event["name"]);
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"PP:0F0", "PP:0F1", "PP:0B0", "PP:0B1"}));
}

TEST(ChromeTrace, SumsTheLoadOfALinkInBytesPerSecond) {
  std::vector<std::pair<double, double>> samples;
  for (const json& event : events_of(trace_text(hand_made_run()), "C")) {
    if (event["name"] == "nic \"0\"") {
      samples.emplace_back(event["ts"], event["args"]["load"]);
    }
  }
  const double full = 50e9;
  const double half = full * 512 / 1024;  // the weight of the all-reduce
  EXPECT_EQ(samples, (std::vector<std::pair<double, double>>{{0, 0},
                                                             {10, full},
                                                             {11, 0},
                                                             {20, full},
                                                             {21, 0},
                                                             {41, full},
                                                             {42, 0},
                                                             {71, full},
                                                             {72, 0},
                                                             {92, half},
                                                             {96, 0}}));
}

TEST(ChromeTrace, ShowsMemoryByKind) {
  const std::string text = trace_text(hand_made_run());
  EXPECT_THAT(
      text,
      HasSubstr("{\"ph\":\"C\",\"name\":\"memory\",\"pid\":1,\"ts\":20.000000,\"args\":{\"weights\":1000,"
                "\"gradients\":0,\"optimizer\":0,\"activations\":500,\"buffers\":0}}"));
}

TEST(ChromeTrace, EscapesNames) {
  HandMadeRun run = hand_made_run();
  run.graph.names[0] = "a\"b\\c\n\x7f\xe2\x80\xa8";
  const std::string text = trace_text(run);
  EXPECT_THAT(text, HasSubstr("a\\\"b\\\\c\\n\\u007f\\u2028"));
  EXPECT_TRUE(json::accept(text));
}

TEST(ChromeTrace, WritesWorkThatTakesNoTimeAsAnInstant) {
  HandMadeRun run = hand_made_run();
  run.timeline.end[0] = run.timeline.begin[0];
  const std::vector<json> instants = events_of(trace_text(run), "i");
  ASSERT_EQ(instants.size(), 1U);
  EXPECT_EQ(instants[0]["s"], "t");
  EXPECT_EQ(instants[0]["args"]["begin_ps"], instants[0]["args"]["end_ps"]);
}

TEST(ChromeTrace, SpreadsWhatOverlapsOverLanesSoThatNoThreadHoldsTwoSlicesAtOnce) {
  Random random(7);
  for (int round = 0; round < 50; ++round) {
    HandMadeRun run = hand_made_run();
    for (std::size_t i = 0; i < run.graph.tasks.size(); ++i) {
      run.timeline.begin[i] = Time(random.between(0, 40));
      run.timeline.end[i] = run.timeline.begin[i] + Time(random.between(0, 40));
    }
    run.timeline.rates.clear();
    std::map<std::pair<int, int>, std::int64_t> busy_until;
    for (const json& event : events_of(trace_text(run), "X")) {
      std::int64_t& until = busy_until[{event["pid"], event["tid"]}];
      EXPECT_LE(until, event["args"]["begin_ps"].get<std::int64_t>()) << event;
      until = event["args"]["end_ps"];
    }
  }
}

TEST(ChromeTrace, LeavesNoOverlapToViewersThatRound) {
  Random random(11);
  for (int round = 0; round < 200; ++round) {
    HandMadeRun run = hand_made_run();
    run.timeline.rates.clear();
    // The computes of rank 0 one right after the other, at awkward times of up to an hour.
    Time now(random.between(0, 3'600'000'000'000'000));
    for (const std::size_t task : {0U, 1U, 6U, 7U}) {
      run.timeline.begin[task] = now;
      now += Time(random.between(2, 1'000'000'000));
      run.timeline.end[task] = now;
    }
    double first = -1;
    double end = 0;
    long long end_ns = 0;
    for (const json& event : events_of(trace_text(run), "X")) {
      if (event["pid"] == 1 && event["tid"] == 1) {
        const double begin = event["ts"];
        const double duration = event["dur"];
        // As speedscope does it, counting from the first slice of the thread.
        first = first < 0 ? begin : first;
        EXPECT_LE(end, begin - first);
        EXPECT_LE(end_ns, std::llround(begin * 1000));
        EXPECT_NEAR(begin + duration, event["args"]["end_ps"].get<double>() / 1e6, 0.0011);
        end = begin - first + duration;
        end_ns = std::llround(begin * 1000) + std::llround(duration * 1000);
      }
    }
  }
}

TEST(ChromeTrace, DoesNotDependOnTaskNumbers) {
  // The same run with its first two tasks exchanged.
  HandMadeRun run = hand_made_run();
  const std::string before = trace_text(run);
  TaskGraphBuilder builder(2);
  std::vector<std::size_t> order(run.graph.tasks.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = order.size() - 1 - i;
  }
  HandMadeRun other = hand_made_run();
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
  for (std::size_t i = 0; i < order.size(); ++i) {
    other.graph.tasks[i] = run.graph.tasks[order[i]];
    other.timeline.begin[i] = run.timeline.begin[order[i]];
    other.timeline.end[i] = run.timeline.end[order[i]];
    for (auto [next, last] = run.graph.successors(TaskId(i)); next != last; ++next) {
      edges.emplace_back(order.size() - 1 - i, order.size() - 1 - *next);
    }
  }
  for (RateChange& change : other.timeline.rates) {
    change.task = TaskId(order.size() - 1 - change.task.index());
  }
  other.graph.adjacency = TaskGraph::Adjacency(boost::edges_are_unsorted_multi_pass, edges.begin(),
                                               edges.end(), static_cast<std::uint32_t>(order.size()));
  EXPECT_EQ(trace_text(other), before);
}

TEST(ChromeTrace, CountsWhatItWrites) {
  const HandMadeRun run = hand_made_run();
  std::size_t bytes = 0;
  const TraceSize size = write_chrome_trace([&](std::string_view piece) { bytes += piece.size(); }, run.graph,
                                            run.timeline, run.info);
  EXPECT_EQ(size.bytes, bytes);
  EXPECT_EQ(size.slices, 8U + 2 * 5 + 8);  // computes, transfers on two ranks, actions
}

}  // namespace
}  // namespace makespan
