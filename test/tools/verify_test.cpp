#include "tools/verify.h"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/random.h"
#include "test/tools/trace_fixture.h"
#include "tools/intervals.h"
#include "tools/verify_pipeline.h"

namespace makespan {
namespace {

using nlohmann::ordered_json;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;

Verdict verdict_of(const std::string& text) {
  std::istringstream in(text);
  return verify_trace(read_trace(in, "trace.json"));
}

TEST(Verify, AcceptsAGoodTrace) {
  const Verdict verdict = verdict_of(trace_text(hand_made_run()));
  EXPECT_EQ(verdict.violations, 0U) << ::testing::PrintToString(verdict.sentences);
  EXPECT_EQ(verdict.ranks, 2U);
  EXPECT_EQ(verdict.slices, 8U + 2 * 5 + 8);
  EXPECT_EQ(verdict.arrows, 8U);
  EXPECT_GT(verdict.samples, 0U);
}

/// One way to falsify a trace, and what the verdict must say.
struct Tampering {
  std::string name;
  std::function<void(ordered_json&)> apply;
  std::string sentence;
};

std::ostream& operator<<(std::ostream& out, const Tampering& tampering) {
  return out << tampering.name;
}

/// The first event of that kind and name on the process.
ordered_json& find(ordered_json& trace, const std::string& kind, const std::string& name, int pid) {
  for (ordered_json& event : trace["traceEvents"]) {
    if (event["ph"] == kind && event["name"] == name && event["pid"] == pid) {
      return event;
    }
  }
  throw std::logic_error("the fixture has no " + name);
}

void erase_event(ordered_json& trace, const ordered_json& event) {
  ordered_json& events = trace["traceEvents"];
  for (auto place = events.begin(); place != events.end(); ++place) {
    if (&*place == &event) {
      events.erase(place);
      return;
    }
  }
}

/// Puts an event where its time belongs.
void insert_event(ordered_json& trace, const ordered_json& event) {
  ordered_json& events = trace["traceEvents"];
  auto place = events.begin();
  while (place != events.end() && (!place->contains("ts") || (*place)["ts"] <= event["ts"])) {
    ++place;
  }
  events.insert(place, event);
}

void move_to(ordered_json& event, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kMicrosecond = 1'000'000;
  event["ts"] = begin;
  event["dur"] = end - begin;
  event["args"]["begin_ps"] = begin * kMicrosecond;
  event["args"]["end_ps"] = end * kMicrosecond;
}

std::vector<Tampering> tamperings() {
  return {
      {"duration", [](auto& t) { find(t, "X", "layer forward", 1)["dur"] = 9.5; }, "ts and dur disagree"},
      {"rounding",
       [](auto& t) {
         // Ends exactly where the next begins, but 0.1 + 0.2 > 0.3 in floating point.
         ordered_json& first = find(t, "X", "layer forward", 1);
         first["ts"] = 0.1;
         first["dur"] = 0.2;
         first["args"]["begin_ps"] = 100'000;
         first["args"]["end_ps"] = 300'000;
         ordered_json copy = first;
         copy["ts"] = 0.3;
         copy["args"]["begin_ps"] = 300'000;
         copy["args"]["end_ps"] = 500'000;
         insert_event(t, copy);
       },
       "A viewer that rounds sees"},
      {"order",
       [](auto& t) {
         std::swap(t["traceEvents"].front(), t["traceEvents"].back());
         std::swap(find(t, "X", "layer forward", 1), find(t, "X", "layer forward", 5));
       },
       "not in order of time"},
      {"overlap", [](auto& t) { move_to(find(t, "X", "layer forward", 1), 0, 12); },
       "begins before the end of"},
      {"past the end", [](auto& t) { move_to(find(t, "X", "ncclDevKernel_AllReduce", 1), 92, 97); },
       "The iteration ends at 96.000000 us, before the end of slice 'ncclDevKernel_AllReduce' of rank 0"},
      {"missing forward", [](auto& t) { erase_event(t, find(t, "X", "layer forward", 5)); },
       "Stage 1 on rank 4 lacks the forward of micro-batch 0"},
      {"missing backward", [](auto& t) { erase_event(t, find(t, "X", "layer backward", 5)); },
       "Stage 1 on rank 4 lacks the backward of micro-batch 0"},
      {"backward first",
       [](auto& t) {
         find(t, "X", "layer forward", 5)["args"]["phase"] = "backward";
         find(t, "X", "layer backward", 5)["args"]["phase"] = "forward";
       },
       "Its forward has not ended when"},
      {"forward twice",
       [](auto& t) {
         ordered_json copy = find(t, "X", "layer forward", 1);
         copy["args"]["correlation"] = 1000;
         move_to(copy, 30, 31);
         insert_event(t, copy);
       },
       "'layer forward' of stage 0, layer 0 on rank 0 happens"},
      {"late message",
       [](auto& t) {
         ordered_json& slice = find(t, "X", "ncclDevKernel_SendRecv", 5);
         move_to(slice, 10, 12);
       },
       "Its message has not ended when slice 'layer forward' of rank 4 (stage 1, micro-batch 0, layer 1) at "
       "11.000000 us begins"},
      {"lost message", [](auto& t) { erase_event(t, find(t, "X", "ncclDevKernel_SendRecv", 5)); },
       "There is no message for slice 'layer forward' of rank 4"},
      {"ranks disagree", [](auto& t) { find(t, "X", "ncclDevKernel_AllReduce", 5)["args"]["bytes"] = 7; },
       "One transfer differs between ranks"},
      {"open arrow", [](auto& t) { erase_event(t, find(t, "f", "pipeline", 5)); }, "has 1 starts and 0 ends"},
      {"arrow back in time",
       [](auto& t) {
         ordered_json& start = find(t, "s", "pipeline", 1);
         ordered_json copy = start;
         erase_event(t, start);
         copy["ts"] = 19.5;
         insert_event(t, copy);
       },
       "before it starts"},
      {"arrow from nowhere", [](auto& t) { find(t, "s", "pipeline", 1)["tid"] = 77; }, "touches no slice"},
      {"overload",
       [](auto& t) { t["metadata"]["links"][0]["capacity_millibytes_per_s"] = 49'999'999'999'999; },
       "Link 'nic \"0\"' carries 50000000000000 millibytes/s at 10.000000 us and can carry 49999999999999"},
      {"overload after a change",
       [](auto& t) {
         t["metadata"]["links"][0]["capacity_changes"] = {{93'000'000, 1000}};
       },
       "at 93.000000 us and can carry 1000"},
      {"negative memory", [](auto& t) { find(t, "C", "memory", 5)["args"]["weights"] = -1; },
       "The memory of rank 4 for weights is negative"},
      {"wrong peak", [](auto& t) { t["metadata"]["ranks"][0]["peak_memory_bytes"] = 1'499; },
       "The memory of rank 0 peaks at 1500 bytes and not at the reported 1499"},
      {"wrong compute", [](auto& t) { t["metadata"]["ranks"][1]["compute_ps"] = 60'000'001; },
       "The compute slices of rank 4 cover 60.000000 us and not the reported 60.000001 us"},
      {"wrong bubble", [](auto& t) { t["metadata"]["ranks"][1]["bubble_ps"] = 32'000'001; },
       "sum to 96.000001 us and not to the iteration time of 96.000000 us"},
      {"too much exposed",
       [](auto& t) {
         t["metadata"]["ranks"][0]["exposed_ps"]["dp"] = 5'000'000;
         t["metadata"]["ranks"][0]["bubble_ps"] = 31'000'000;
       },
       "more than the 4.000000 us in which it runs beside no compute"},
      {"equal ids",
       [](auto& t) {
         find(t, "X", "layer forward", 1)["args"]["correlation"] =
             find(t, "X", "layer forward", 5)["args"]["correlation"];
       },
       "is not unique"},
      {"no fingerprint", [](auto& t) { t["metadata"].erase("fingerprint"); }, "lacks a fingerprint"},
      {"short fingerprint", [](auto& t) { t["metadata"]["fingerprint"] = "ab"; }, "lacks a fingerprint"},
      {"thread 0", [](auto& t) { find(t, "X", "layer forward", 1)["tid"] = 0; }, "A thread number from 1 up"},
      {"unknown rank", [](auto& t) { find(t, "X", "layer forward", 1)["pid"] = 3; }, "lists no rank for"},
      {"unknown kind", [](auto& t) { find(t, "X", "layer forward", 1)["ph"] = "Q"; }, "unknown kind 'Q'"},
      {"time as text", [](auto& t) { find(t, "X", "layer forward", 1)["ts"] = "0"; }, "ts is not a number"},
      {"finer than a picosecond", [](auto& t) { find(t, "X", "layer forward", 1)["ts"] = 1e-7; },
       "ts is not a number with at most 6 decimals"},
      {"no name for a process", [](auto& t) { erase_event(t, find(t, "M", "process_name", 5)); },
       "The process of rank 4 has no name"},
  };
}

class VerifyTampered : public testing::TestWithParam<Tampering> {};

TEST_P(VerifyTampered, RejectsForTheRightReason) {
  ordered_json trace = ordered_json::parse(trace_text(hand_made_run()));
  GetParam().apply(trace);
  const Verdict verdict = verdict_of(trace.dump());
  EXPECT_GT(verdict.violations, 0U);
  EXPECT_THAT(verdict.sentences, Contains(HasSubstr(GetParam().sentence)));
}

INSTANTIATE_TEST_SUITE_P(Kinds, VerifyTampered, testing::ValuesIn(tamperings()), [](const auto& parameter) {
  std::string name = parameter.param.name;
  for (char& c : name) {
    c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return name;
});

/// A forward pass, an activation that leaves and comes back, and the backward pass; all of one micro-batch.
std::vector<std::string> eviction_verdict(const std::function<void(std::vector<TraceEvent>&)>& change) {
  std::vector<TraceEvent> events(4);
  const auto set = [&](std::size_t i, const char* name, const char* work, std::int64_t begin,
                       std::int64_t end) {
    events[i].name = name;
    events[i].work = work;
    events[i].begin = begin;
    events[i].end = end;
    events[i].stage = 0;
    events[i].microbatch = 0;
  };
  set(0, "forward", "forward", 0, 10);
  set(1, "ncclDevKernel_EvictActivation", "forward", 10, 12);
  set(2, "ncclDevKernel_LoadActivation", "backward", 20, 22);
  set(3, "backward", "backward", 22, 30);
  change(events);
  std::map<std::int64_t, Slices> computes;
  std::map<std::int64_t, Slices> transfers;
  for (const TraceEvent& event : events) {
    const bool is_transfer = event.name.starts_with("nccl");
    (is_transfer ? transfers : computes)[0].push_back(&event);
  }
  std::vector<std::string> sentences;
  check_pipeline({.computes = computes,
                  .transfers = transfers,
                  .describe = [](const TraceEvent& event) { return std::string(event.name); },
                  .who = [](std::int64_t) { return std::string("rank 0"); },
                  .violated = [&](std::string sentence) { sentences.push_back(std::move(sentence)); }});
  return sentences;
}

TEST(Verify, KnowsWhenAnActivationMayBeAway) {
  EXPECT_THAT(eviction_verdict([](auto&) {}), testing::IsEmpty());
  EXPECT_THAT(eviction_verdict([](auto& events) { events[1].begin = 9; }),
              Contains(HasSubstr("Its forward has not ended")));
  EXPECT_THAT(eviction_verdict([](auto& events) { events[1].end = 21; }),
              Contains(HasSubstr("Its eviction has not ended")));
  EXPECT_THAT(eviction_verdict([](auto& events) { events[2].end = 23; }),
              Contains(HasSubstr("Its return of the activation has not ended")));
  EXPECT_THAT(eviction_verdict([](auto& events) { events.erase(events.begin() + 2); }),
              Contains(HasSubstr("An activation does not come back")));
  EXPECT_THAT(eviction_verdict([](auto& events) { events.erase(events.begin() + 1); }),
              Contains(HasSubstr("comes back without having left")));
}

TEST(Verify, ReportsAKeyThatAppearsTwice) {
  std::string text = trace_text(hand_made_run());
  text.insert(text.find("\"pid\":"), "\"pid\":1,");
  EXPECT_THAT(verdict_of(text).sentences, Contains(HasSubstr("key 'pid' appears twice")));
}

std::string message_of(const std::string& text) {
  try {
    verdict_of(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Verify, RefusesWhatIsNotJson) {
  EXPECT_THAT(message_of("{\"traceEvents\":[}"), HasSubstr("trace.json: not JSON: unexpected"));
  EXPECT_THAT(message_of(""), HasSubstr("not JSON"));
  const std::string good = trace_text(hand_made_run());
  EXPECT_THAT(message_of(good.substr(0, good.size() / 2)), HasSubstr("not JSON"));
}

TEST(Verify, RefusesOtherOutermostValuesAndDeepNesting) {
  EXPECT_THAT(message_of("[]"), HasSubstr("the outermost value is not an object"));
  EXPECT_THAT(message_of("3"), HasSubstr("the outermost value is not an object"));
  EXPECT_THAT(message_of("{\"a\":" + std::string(1'000'000, '[')), HasSubstr("nested deeper than 64"));
}

/// Metadata that is missing is reported once, and nothing that only follows from it.
TEST(Verify, ReportsMissingMetadataOnce) {
  const auto sentences_without = [](const std::string& path) {
    ordered_json trace = ordered_json::parse(trace_text(hand_made_run()));
    const ordered_json::json_pointer place(path);
    trace.at(place.parent_pointer()).erase(place.back());
    return verdict_of(trace.dump()).sentences;
  };
  using testing::ElementsAre;
  EXPECT_THAT(sentences_without("/metadata"), ElementsAre(HasSubstr("There is no metadata")));
  EXPECT_THAT(sentences_without("/metadata/ranks"), ElementsAre("The metadata lists no ranks."));
  for (const std::string key : {"iteration_begin_ps", "iteration_time_ps"}) {
    EXPECT_THAT(sentences_without("/metadata/" + key), ElementsAre(HasSubstr("lacks " + key)));
  }
  ordered_json trace = ordered_json::parse(trace_text(hand_made_run()));
  for (const std::string key : {"rank", "compute_ps", "bubble_ps"}) {
    ordered_json changed = trace;
    changed["metadata"]["ranks"][1].erase(key);
    EXPECT_THAT(verdict_of(changed.dump()).sentences, ElementsAre(HasSubstr("lacks ranks.1." + key)));
  }
  trace["metadata"]["links"][0].erase("capacity_millibytes_per_s");
  EXPECT_THAT(verdict_of(trace.dump()).sentences, ElementsAre(HasSubstr("lacks links.0.capacity")));
  trace = ordered_json::parse(trace_text(hand_made_run()));
  trace["metadata"]["ranks"].erase(1);
  EXPECT_THAT(verdict_of(trace.dump()).sentences, ElementsAre(HasSubstr("The metadata lists no rank for")));
}

TEST(Verify, SurvivesClaimsOutOfRange) {
  ordered_json trace = ordered_json::parse(trace_text(hand_made_run()));
  const std::int64_t huge = (std::int64_t{1} << 62) - 1;
  trace["metadata"]["iteration_begin_ps"] = huge;
  trace["metadata"]["iteration_time_ps"] = huge;
  for (ordered_json& rank : trace["metadata"]["ranks"]) {
    rank["compute_ps"] = huge;
    rank["bubble_ps"] = huge;
    rank["exposed_ps"]["tp"] = huge;
  }
  for (ordered_json& event : trace["traceEvents"]) {
    if (event["ph"] == "X") {
      event["args"]["begin_ps"] = -huge;
      event["args"]["end_ps"] = huge;
      event["args"]["stage"] = huge;
    }
  }
  EXPECT_GT(verdict_of(trace.dump()).violations, 0U);
}

TEST(Verify, SurvivesAnyDamage) {
  const std::string good = trace_text(hand_made_run());
  static constexpr std::string_view kBytes = "0123456789-.eE\"{}[],:ntfu \\\n";
  Random random(3);
  int unreadable = 0;
  int rejected = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = good;
    for (std::int64_t damage = random.between(1, 3); damage > 0; --damage) {
      const std::size_t place = random.below(text.size());
      text[place] = kBytes[random.below(kBytes.size())];
    }
    try {
      rejected += verdict_of(text).violations > 0 ? 1 : 0;
    } catch (const InputError&) {
      ++unreadable;
    }
  }
  EXPECT_GT(unreadable, 100);
  EXPECT_GT(rejected, 100);
}

TEST(Intervals, UniteAndIntersect) {
  const std::vector<Interval> a = unite({{5, 7}, {0, 2}, {1, 3}, {7, 8}});
  ASSERT_EQ(a.size(), 2U);
  EXPECT_EQ(total(a), 3 + 3);
  EXPECT_EQ(common(a, unite({{2, 6}, {7, 20}})), 1 + 1 + 1);
  EXPECT_EQ(common(a, {}), 0);
}

TEST(ScaledDecimal, IsExact) {
  EXPECT_EQ(scaled_decimal("1.5", 3), 1500);
  EXPECT_EQ(scaled_decimal("0.000001", 6), 1);
  EXPECT_EQ(scaled_decimal("-2.50", 1), -25);
  EXPECT_EQ(scaled_decimal("7", 0), 7);
  for (const char* text : {"1.25", "1e3", "", ".", "-", "4611686018427387904", "1.2.3", "nan"}) {
    EXPECT_EQ(scaled_decimal(text, 1), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace makespan
