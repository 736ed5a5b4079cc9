#include "tools/schedule_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "schedules/catalogue.h"
#include "schedules/communication.h"
#include "schedules/schedule_file.h"
#include "test/tools/cli_fixture.h"

namespace makespan {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// A shape that every kind accepts, as arguments.
std::vector<std::string> arguments_for(const ScheduleKind& kind) {
  return {"schedule", std::string(kind.name),          "-p", "4", "-m", kind.name == "hanayo" ? "4" : "8",
          "--chunks", kind.most_chunks > 1 ? "2" : "1"};
}

Outcome call_with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return call(arguments);
}

/// Calls the program with `text` on its standard input.
Outcome call_reading(const std::string& text, const std::vector<std::string>& arguments) {
  std::istringstream in(text);
  std::streambuf* const before = std::cin.rdbuf(in.rdbuf());
  const Outcome outcome = call(arguments);
  std::cin.rdbuf(before);
  std::cin.clear();
  return outcome;
}

std::string refusal(const std::string& text, const ScheduleInputOptions& options = {}) {
  try {
    (void)parse_schedule(text, "lists", options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(ScheduleInput, JsonOfEveryScheduleRunsAsTheScheduleDoes) {
  const TemporaryFolder folder;
  for (const ScheduleKind& kind : schedule_kinds()) {
    const Outcome written = call_with(arguments_for(kind), {"--communication", "1/3", "--format", "json"});
    ASSERT_EQ(written.code, 0) << written.err;
    const Outcome read = call(
        {"schedule", folder.file("lists.json", written.out), "--communication", "1/3", "--format", "json"});
    EXPECT_EQ(read.out, written.out) << kind.name << read.err;
  }
}

TEST(ScheduleInput, JsonKeepsEvictionsAndTellsWhichAreWrong) {
  const TemporaryFolder folder;
  const std::string text =
      call({"schedule", "bpipe", "--ranks", "8", "--microbatches", "8", "--format", "json"}).out;
  const Outcome read = call({"schedule", folder.file("bpipe.json", text), "--format", "json"});
  EXPECT_EQ(read.code, 0) << read.err;
  EXPECT_EQ(read.out, text);
  const auto refused = [&](const auto& change) {
    json schedule = json::parse(text);
    change(schedule["evictions"]);
    const Outcome outcome = call({"schedule", folder.file("wrong.json", schedule.dump())});
    EXPECT_EQ(outcome.code, 2);
    return outcome.err;
  };
  EXPECT_THAT(refused([](json& list) { list = 1; }), HasSubstr("evictions: is not a list"));
  EXPECT_THAT(refused([](json& list) { list[1] = "0F4"; }), HasSubstr("evictions: entry 1 is not like"));
  EXPECT_THAT(refused([](json& list) { list[0]["to"] = 8; }), HasSubstr("with ranks below 8"));
  EXPECT_THAT(refused([](json& list) { list[0]["out_after"] = "9F9"; }),
              HasSubstr("evictions: entry 0: 'out_after' is no action of rank 0"));
  EXPECT_THAT(refused([](json& list) { list[0]["back_after"] = "0B4"; }),
              HasSubstr("does not come back behind a compute between its F and its B on rank 0"));
}

TEST(ScheduleInput, CsvOfEveryScheduleRunsAsTheScheduleDoes) {
  const TemporaryFolder folder;
  for (const ScheduleKind& kind : schedule_kinds()) {
    const json direct = json::parse(call_with(arguments_for(kind), {"--format", "json"}).out);
    const Outcome csv = call_with(arguments_for(kind), {"--format", "csv"});
    if (kind.evicts) {
      EXPECT_EQ(csv.code, 2) << "lists cannot say where activations go";
      continue;
    }
    const std::vector<std::string> arguments = {"schedule", folder.file("lists.csv", csv.out), "--replicas",
                                                to_string(direct["replicas"])};
    const Outcome read = call_with(arguments, {"--format", "json"});
    ASSERT_EQ(read.code, 0) << kind.name << read.err;
    for (const char* key : {"ranks", "stages", "microbatches", "chunks", "makespan", "work", "actions"}) {
      EXPECT_EQ(json::parse(read.out)[key], direct[key]) << kind.name << ' ' << key;
    }
    EXPECT_EQ(call_with(arguments, {"--format", "csv"}).out, csv.out) << kind.name;
  }
}

TEST(ScheduleInput, CompletedListsRunAsTheBareOnesDo) {
  const TemporaryFolder folder;
  for (const char* semantics : {"per-peer", "per-rank"}) {
    const std::vector<std::string> bare = {"schedule", "1f1b", "-p", "4", "-m", "8"};
    const Outcome steps = call_with(bare, {"--format", "csv", "--communication-steps"});
    EXPECT_EQ(steps.out, write_schedule_csv(insert_communication(
                             generate("1f1b", {.ranks = 4, .microbatches = 8}), WeightSteps::keep)));
    const std::vector<std::string> costs = {"--communication", "1",        "--semantics",
                                            semantics,         "--format", "json"};
    EXPECT_EQ(
        json::parse(call_with({"schedule", folder.file("lists.csv", steps.out)}, costs).out)["makespan"],
        json::parse(call_with(bare, costs).out)["makespan"])
        << semantics;
  }
}

TEST(ScheduleInput, ReadsStandardInput) {
  const std::string lists = call({"schedule", "1f1b", "-p", "2", "-m", "2", "--format", "csv"}).out;
  const Outcome outcome = call_reading(lists, {"schedule", "-"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("file: 2 ranks, 2 micro-batches, 1 stage per rank\n"),
                                 HasSubstr("makespan          9\n")));
  EXPECT_THAT(call_reading("0F0,0X0", {"schedule", "-"}).err,
              HasSubstr("standard input:1:5: '0X0' is no action: 'X' is no kind"));
}

TEST(ScheduleInput, SequencePiecesOfCsvAreAnOption) {
  const TemporaryFolder folder;
  const std::vector<std::string> kind = {"schedule", "seq1f1b", "-p", "2", "-m", "2", "--pieces", "2"};
  const std::string lists = folder.file("lists.csv", call_with(kind, {"--format", "csv"}).out);
  const json read = json::parse(call({"schedule", lists, "--pieces", "2", "--format", "json"}).out);
  const json direct = json::parse(call_with(kind, {"--format", "json"}).out);
  EXPECT_EQ(read["pieces"], 2);
  EXPECT_EQ(read["makespan"], direct["makespan"]);
}

TEST(ScheduleInput, AMissingReceiveIsNamed) {
  EXPECT_EQ(refusal("0F0,0SEND_F0,0RECV_B0,0B0\n1F0,1B0,1SEND_B0\n"),
            "lists: 1RECV_F0 is missing: its neighbouring stage is on another rank");
  EXPECT_EQ(refusal("0F0,0SEND_F0,0RECV_B0,0B0\n1RECV_F0,1F0,1B0,1SEND_B0\n"), "");
}

/// Rank 0 sends micro-batch 1 first and rank 1 receives 0 first: each waits for the other unless messages are
/// buffered.
TEST(ScheduleInput, ADeadlockOfBlockingMessagesIsInfeasible) {
  const TemporaryFolder folder;
  const std::string lists = folder.file("lists.csv",
                                        "0F0,0F1,0SEND_F1,0SEND_F0,0RECV_B0,0B0,0RECV_B1,0B1\n"
                                        "1RECV_F0,1F0,1RECV_F1,1F1,1B0,1SEND_B0,1B1,1SEND_B1\n");
  EXPECT_EQ(call({"schedule", lists}).code, 0);
  const Outcome blocking = call({"schedule", lists, "--semantics", "blocking"});
  EXPECT_EQ(blocking.code, 1);
  EXPECT_EQ(blocking.out, "");
  EXPECT_THAT(blocking.err, HasSubstr("deadlock"));
}

TEST(ScheduleInput, ListsThatWaitForEachOtherForEverAreInfeasible) {
  const TemporaryFolder folder;
  const Outcome outcome = call({"schedule", folder.file("lists.csv", "0F0,0B0,0F1,0B1\n1F1,1B1,1F0,1B0\n")});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("lists.csv: deadlock: rank 0 waits at 0B0 for "));
}

TEST(ScheduleInput, RefusesWhatIsNoFileOfLists) {
  const TemporaryFolder folder;
  const Outcome empty = call({"schedule", folder.file("empty.csv", "")});
  EXPECT_EQ(empty.code, 2);
  EXPECT_THAT(empty.err, HasSubstr("empty.csv: is empty\n  hint: a line per rank"));
  const Outcome directory = call({"schedule", folder.path().string()});
  EXPECT_EQ(directory.code, 2);
  EXPECT_THAT(directory.err, HasSubstr(folder.path().string() + ": is a directory"));
  EXPECT_THAT(call({"schedule", "1f1"}).err, HasSubstr("did you mean '1f1b'?"));
  EXPECT_THAT(call({"schedule", "no-such-thing", "-p", "2", "-m", "2"}).err, HasSubstr("known: "));
  EXPECT_THAT(call({"schedule", "no-such-lists.csv"}).err,
              HasSubstr("no-such-lists.csv: there is no such file"));
  EXPECT_THAT(refusal(std::string("0F0,0B0\n1F0,\0", 13)),
              HasSubstr("lists:2:5: byte 0x00 is no part of a list of actions"));
  EXPECT_THAT(refusal("0F0,\xff"), HasSubstr("lists:1:5: byte 0xff"));
  EXPECT_THAT(refusal("\n \n"), HasSubstr("is empty"));
  EXPECT_THAT(refusal("0F0,0F0,0B0"), HasSubstr("lists: rank 0 runs 0F0 twice"));
  EXPECT_THAT(refusal("0F0,0B0\n\n2F0,2B0\n"), HasSubstr("stage 1"));
}

TEST(ScheduleInput, SizesOfFilesAreNotOptions) {
  const TemporaryFolder folder;
  const std::string csv = folder.file("lists.csv", "0F0,0B0\n");
  const std::string json_file =
      folder.file("lists.json", R"({"schema": "makespan.schedule/1", "actions": [["0F0", "0B0"]]})");
  const std::vector<std::pair<std::vector<std::string>, std::string>> refusals = {
      {{csv, "-p", "2"}, "--ranks: is for kinds of schedules, and '" + csv + "' is a file"},
      {{csv, "-m", "2"}, "--microbatches: is for kinds"},
      {{csv, "--chunks", "2"}, "--chunks: is for kinds"},
      {{csv, "--group", "2"}, "--group: is for kinds"},
      {{csv, "--lifo"}, "--lifo: is for kinds"},
      {{csv, "--replicas", "2"}, "1 stages and 2 micro-batches do not divide evenly among 2 replicas"},
      {{csv, "--pieces", "2"}, "1 pieces of sequences are not whole sequences of 2"},
      {{csv, "--replicas", "257"}, "'257' is not a whole number from 1 to 256"},
      {{json_file, "--replicas", "1"}, "--replicas: is for lists of actions as CSV; JSON says it itself"},
      {{json_file, "--pieces", "1"}, "--pieces: is for lists of actions as CSV"},
      {{"1f1b"}, "--ranks is required"},
      {{"1f1b", "-p", "2", "-m", "2", "--replicas", "1"}, "--replicas: is for files, and '1f1b' is a kind"},
      {{csv, "--communication-steps"}, "--communication-steps: is for --format csv, not text"},
  };
  for (const auto& [arguments, reason] : refusals) {
    const Outcome outcome = call_with({"schedule"}, arguments);
    EXPECT_EQ(outcome.code, 2) << reason;
    EXPECT_THAT(outcome.err, HasSubstr(reason));
  }
  EXPECT_EQ(call({"schedule", json_file}).code, 0);
}

TEST(ScheduleInput, SaysWhereJsonIsWrong) {
  const std::string head = "{\n \"schema\": \"makespan.schedule/1\",\n ";
  const std::vector<std::pair<std::string, std::string>> refusals = {
      {"{", "lists:1:2: not JSON"},
      {"[1]", "lists: is not a JSON object"},
      {"{}", "lists: schema: is missing"},
      {R"({"schema": "makespan.schedule/2"})", "lists:1:2: schema: is not \"makespan.schedule/1\""},
      {head + "\"action\": []}", "lists:3:2: action: unknown key\n  hint: did you mean 'actions'?"},
      {head + "\"pieces\": 1, \"pieces\": 2}", "lists:3:15: pieces: is given twice, first in lists:3:2"},
      {head + "\"pieces\": 0}", "lists:3:2: pieces: is not a whole number from 1 to"},
      {head + "\"replicas\": 1.5}", "lists:3:2: replicas: is not a whole number from 1 to 256"},
      {head + "\"kind\": \"a\\u0007\"}", "lists:3:2: kind: is not a text of 1 to 64 bytes without control"},
      {head + "\"kind\": 1}", "lists:3:2: kind: is not a text"},
      {head + "\"pieces\": 1}", "lists: actions: is missing"},
      {head + "\"actions\": 1}", "lists:3:2: actions: is not a list of lists"},
      {head + "\"actions\": [\"0F0\"]}", "lists:3:2: actions: the entry of rank 0 is not a list"},
      {head + "\"actions\": [[\"0F0\", 1]]}", "lists:3:2: actions: entry 1 of rank 0 is not a text"},
      {head + "\"actions\": [[\"0F0\"],\n [\"1F0\", \"1\\\"0\"]]}", "lists:4:10: '1\"0' is no action"},
      {head + "\"actions\": [[\"0F0\", \"\\u0000\"]]}", "lists:3:22: control characters are no part"},
      {head + "\"ranks\": 2, \"actions\": [[\"0F0\", \"0B0\"]]}",
       "lists:3:2: ranks: is 2, and the actions make it 1"},
      {head + "\"microbatches\": 2, \"actions\": [[\"0F0\", \"0B0\"]]}",
       "lists:3:2: microbatches: is 2, and the actions make it 1"},
      {head + "\"stages\": 3, \"chunks\": 1, \"actions\": [[\"0F0\", \"0B0\"]]}", "lists:3:2: stages: is 3"},
      {head + "\"actions\": [[\"0F0\"]]}", "lists: "},
  };
  for (const auto& [text, reason] : refusals) {
    EXPECT_THAT(refusal(text), HasSubstr(reason)) << text;
  }
  EXPECT_EQ(refusal(head + R"("peak_activations": [1, 2], "makespan": 3, "actions": [["0F0", "0B0"]]})"), "");
}

}  // namespace
}  // namespace makespan
