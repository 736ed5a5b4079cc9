#include "tools/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <zlib.h>

#include "test/tools/cli_fixture.h"
#include "tools/output_file.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

const std::vector<std::string> kCommands = {"run",        "compare",  "schedule", "check",
                                            "flows",      "verify",   "schema",   "list",
                                            "collective", "topology", "validate"};

TEST(CommandLine, HelpsWithEveryCommandByExample) {
  const Outcome overview = call({"--help"});
  EXPECT_EQ(overview.code, 0);
  for (const std::string& command : kCommands) {
    EXPECT_THAT(overview.out, HasSubstr("\n  " + command));
    const Outcome help = call({command, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_EQ(help.err, "");
    EXPECT_THAT(help.out, HasSubstr("Usage: makespan " + command));
    EXPECT_THAT(help.out, HasSubstr("Example:\n  makespan " + command));
  }
}

TEST(CommandLine, PrintsItsVersion) {
  const Outcome outcome = call({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, testing::MatchesRegex("makespan [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

/// A call that is refused, and words of the reason.
struct Misuse {
  std::vector<std::string> arguments;
  std::string reason;
};

TEST(CommandLine, RefusesMisuseWithCodeTwoAndAHint) {
  const std::vector<Misuse> misuses = {
      {{"vrify"}, "error: unknown command 'vrify'\n  hint: did you mean 'verify'?\n"},
      {{"check", "tiny-8xa100", "--st", "a=1"}, "unknown option '--st'\n  hint: did you mean '--set'?"},
      {{"run", "--fromat=json", "x"}, "unknown option '--fromat'\n  hint: did you mean '--format'?"},
      {{"run", "--formt", "json"}, "unknown option '--formt'\n  hint: did you mean '--format'?"},
      {{"run", "tiny-8xa100", "--format", "jsn"}, "unknown value 'jsn': did you mean 'json'?"},
      {{"run", "a", "b"}, "'b' is one argument too many\n  hint: see makespan run --help"},
      {{"run"}, "SCENARIO is required\n  hint: see makespan run --help"},
      {{"schedule", "1f1b", "-p", "4"}, "--microbatches is required"},
      {{"schedule", "1f1b", "-p", "0x4", "-m", "4"}, "'0x4' is not a whole number from 1 to"},
      {{"schedule", "1f1b", "-p", "4", "-m", "0"}, "'0' is not a whole number from 1 to"},
      {{"schedule", "1f1", "-p", "4", "-m", "4"}, "did you mean '1f1b'?"},
      {{"schedule", "1f1b", "-p", "4", "-m", "4", "--forward", "fast"}, "forward"},
      {{"compare", "tiny-8xa100", "--schedules", "interleaved:x"}, "'interleaved:x' is not a schedule"},
      {{"compare", "tiny-8xa100", "tiny-8xa100", "--schedules", "gpipe"}, "goes with one scenario"},
      {{"run", "tiny-8xa100", "--trace-ranks", "1,x"}, "'x' does not start with a rank"},
      {{"run", "tiny-8xa100", "--trace-ranks", "2-1"}, "the range 2-1 is empty"},
      {{"run", "tiny-8xa100", "--trace-ranks", "8"}, "there is no rank 8: the last is 7"},
      {{"run", "tiny-8xa100", "--trace-ranks", "0-99999999999"},
       "there is no rank 99999999999: the last is 7"},
      {{"run", "tiny-8xa100", "--trace-ranks", "-1"}, "'-1' does not start with a rank"},
      {{"run", "tiny-8xa100", "--trace-ranks", "0,"}, "'' does not start with a rank"},
      {{"run", "tiny-8xa100", "--trace-ranks", ""},
       "--trace-ranks: the value is empty\n  hint: see makespan"},
      {{"run", "tiny-8xa100", "--out", ""}, "--out: the value is empty\n  hint: see makespan run --help"},
      {{"verify", "/"}, "error: /: is a directory\n"},
      {{"check", "no-such-scenario"}, "no-such-scenario"},
      {{"verify", "no-such-file"}, "no-such-file: cannot be opened"},
      {{"flows", "/"}, "/: is a directory"},
      {{"list", "shedules"}, "did you mean 'schedules'?"},
  };
  for (const Misuse& misuse : misuses) {
    const Outcome outcome = call(misuse.arguments);
    EXPECT_EQ(outcome.code, 2) << misuse.reason;
    EXPECT_EQ(outcome.out, "") << misuse.reason;
    EXPECT_THAT(outcome.err, StartsWith("error: "));
    EXPECT_THAT(outcome.err, HasSubstr(misuse.reason));
  }
}

TEST(CommandLine, ShowsTheOverviewWhenNothingIsAsked) {
  const Outcome outcome = call({});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("Usage: makespan"));
}

TEST(ScheduleCommand, TakesTheTimeThatTheFormulaSays) {
  for (const int p : {1, 2, 3, 4, 8}) {
    for (const int m : {1, 2, 4, 8, 16}) {
      for (const char* kind : {"gpipe", "1f1b"}) {
        const Outcome outcome =
            call({"schedule", kind, "--ranks", std::to_string(p), "--microbatches", std::to_string(m),
                  "--forward", "1", "--backward", "2", "--format", "json"});
        ASSERT_EQ(outcome.code, 0) << outcome.err;
        const json result = json::parse(outcome.out);
        EXPECT_EQ(result["schema"], "makespan.schedule/1");
        EXPECT_EQ(result["makespan"], (m + p - 1) * (1 + 2));
        EXPECT_EQ(result["work"], m * (1 + 2));
        EXPECT_EQ(result["actions"].size(), static_cast<std::size_t>(p));
      }
    }
  }
}

TEST(ScheduleCommand, PrintsFractionsOfAUnitExactly) {
  const Outcome outcome =
      call({"schedule", "interleaved", "-p", "4", "-m", "8", "--chunks", "2", "--format", "json"});
  EXPECT_EQ(json::parse(outcome.out)["makespan"], 8 * 3 + 3 * 3.0 / 2);
}

TEST(ScheduleCommand, PrintsPyTorchsComputeOnlyTable) {
  const Outcome outcome = call({"schedule", "1f1b", "-p", "2", "-m", "2", "--format", "csv"});
  EXPECT_EQ(outcome.out, "0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n");
}

TEST(ScheduleCommand, DrawsSmallSchedules) {
  const Outcome outcome = call({"schedule", "1f1b", "-p", "2", "-m", "2"});
  EXPECT_THAT(outcome.out, HasSubstr("\nrank 0  F0 F1 ......B0--- ...B1--- \n"
                                     "rank 1  ...F0 B0--- F1 B1--- ......\n"));
  EXPECT_THAT(outcome.out, HasSubstr("makespan          9\n"));
}

TEST(ScheduleCommand, LeavesThePictureOutWhenItWouldNotFit) {
  const Outcome outcome = call({"schedule", "1f1b", "-p", "64", "-m", "64"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, testing::Not(HasSubstr("rank 0")));
}

TEST(RunCommand, WritesReportTraceAndResolvedScenario) {
  const TemporaryFolder folder;
  const auto out = folder.path() / "deep" / "er";
  const Outcome outcome = call({"run", "tiny-8xa100", "--out", out.string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("wrote scenario.yaml, report.json and trace.json.gz"));
  const Outcome again = call({"run", (out / "scenario.yaml").string(), "--format", "json", "-q"});
  EXPECT_EQ(again.err, "");
  EXPECT_EQ(again.out, content_of(out / "report.json")) << "the resolved scenario gives the same report";
  const Outcome verdict = call({"verify", (out / "trace.json.gz").string()});
  EXPECT_EQ(verdict.code, 0) << verdict.out;
  EXPECT_THAT(verdict.out, HasSubstr("every law holds"));
}

TEST(RunCommand, GivesTheSameBytesEachTime) {
  const TemporaryFolder folder;
  for (const char* name : {"a", "b"}) {
    ASSERT_EQ(call({"run", "tiny-8xa100", "--out", (folder.path() / name).string()}).code, 0);
  }
  for (const char* file : {"report.json", "trace.json.gz", "scenario.yaml"}) {
    EXPECT_EQ(content_of(folder.path() / "a" / file), content_of(folder.path() / "b" / file));
  }
}

TEST(RunCommand, ReportsRanksWhoseTimesSumToTheIteration) {
  const json report = json::parse(call({"run", "tiny-8xa100", "--format", "json", "--expand-ranks"}).out);
  EXPECT_EQ(report["schema"], "makespan.report/1");
  ASSERT_EQ(report["ranks"].size(), 8U);
  for (const json& rank : report["ranks"]) {
    EXPECT_EQ(rank["compute_ps"].get<std::int64_t>() + rank["exposed_communication_ps"].get<std::int64_t>() +
                  rank["bubble_ps"].get<std::int64_t>(),
              report["iteration_time_ps"].get<std::int64_t>());
  }
}

TEST(RunCommand, GroupsRanksWithEqualResults) {
  const json report = json::parse(call({"run", "tiny-8xa100", "--format", "json"}).out);
  std::size_t count = 0;
  for (const json& rank : report["ranks"]) {
    EXPECT_EQ(rank["count"], rank["ranks"].size());
    count += rank["ranks"].size();
  }
  EXPECT_EQ(count, 8U);
}

TEST(RunCommand, EndsWithCodeOneWhenMemoryDoesNotSuffice) {
  const Outcome outcome = call({"run", "tiny-8xa100", "--set", "model=llama3-70b", "-q"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.err, StartsWith("error: "));
  EXPECT_THAT(outcome.out, HasSubstr("iteration time"));
}

TEST(RunCommand, EndsWithCodeThreeWhenItCannotWrite) {
  const TemporaryFolder folder;
  const std::string file = folder.file("taken", "x");
  const Outcome outcome = call({"run", "tiny-8xa100", "--out", file + "/sub"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("taken/sub: cannot be created"));
}

TEST(RunCommand, ShowsTheRanksThatWereAskedFor) {
  const TemporaryFolder folder;
  const std::string out = folder.path().string();
  ASSERT_EQ(call({"run", "tiny-8xa100", "--out", out, "--trace-ranks", "1,6-7"}).code, 0);
  EXPECT_THAT(call({"verify", out + "/trace.json.gz"}).out, HasSubstr(": 3 ranks, "));
  ASSERT_EQ(call({"run", "tiny-8xa100", "--out", out, "--trace-ranks", "all"}).code, 0);
  EXPECT_THAT(call({"verify", out + "/trace.json.gz"}).out, HasSubstr(": 8 ranks, "));
}

TEST(CompareCommand, ComparesSchedulesInEveryFormat) {
  const auto compare = [](const std::string& format) {
    return call({"compare", "tiny-8xa100", "--schedules", "gpipe,1f1b", "--format", format}).out;
  };
  EXPECT_THAT(compare("text"), HasSubstr("\ngpipe "));
  EXPECT_THAT(compare("csv"), HasSubstr("\n1f1b,"));
  EXPECT_THAT(compare("markdown"), HasSubstr("\n| gpipe | "));
  EXPECT_THAT(compare("latex"), HasSubstr("\\toprule"));
  const json rows = json::parse(compare("json"))["rows"];
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0]["name"], "gpipe");
  EXPECT_EQ(rows[0]["schedule"], "gpipe");
  EXPECT_GT(rows[0]["peak_memory_bytes"], rows[1]["peak_memory_bytes"]) << "gpipe holds every micro-batch";
}

TEST(CheckCommand, AcceptsAndRefuses) {
  EXPECT_EQ(call({"check", "tiny-8xa100"}).code, 0);
  const Outcome outcome = call({"check", "tiny-8xa100", "--set", "parallelism.tensr=2"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean 'tensor'?"));
}

TEST(ListCommand, KnowsEveryKind) {
  for (const char* what : {"scenarios", "models", "clusters", "nodes", "accelerators", "schedules"}) {
    const Outcome outcome = call({"list", what});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_NE(outcome.out, "");
  }
  EXPECT_THAT(call({"list", "schedules"}).out, HasSubstr("interleaved"));
}

TEST(SchemaCommand, PrintsJson) {
  EXPECT_EQ(json::parse(call({"schema"}).out)["$schema"], "http://json-schema.org/draft-07/schema#");
  EXPECT_THAT(call({"schema", "--reference"}).out, StartsWith("#"));
}

TEST(VerifyCommand, EndsWithCodeOneAndTheBrokenLaw) {
  const TemporaryFolder folder;
  ASSERT_EQ(call({"run", "tiny-8xa100", "--out", folder.path().string()}).code, 0);
  gzFile in = gzopen((folder.path() / "trace.json.gz").c_str(), "rb");
  std::string text(std::size_t{64} << 20U, '\0');
  text.resize(static_cast<std::size_t>(gzread(in, text.data(), static_cast<unsigned>(text.size()))));
  gzclose(in);
  const std::string field = "\"compute_ps\":";
  text.insert(text.find(field) + field.size(), "1");
  const Outcome outcome = call({"verify", folder.file("tampered.json", text)});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("The compute slices of rank 0 cover"));
  const json verdict =
      json::parse(call({"verify", folder.file("tampered.json", text), "--format", "json"}).out);
  EXPECT_GT(verdict["violations"], 0);
}

TEST(VerifyCommand, RefusesAFileThatIsCutShort) {
  const TemporaryFolder folder;
  ASSERT_EQ(call({"run", "tiny-8xa100", "--out", folder.path().string()}).code, 0);
  const std::string whole = content_of(folder.path() / "trace.json.gz");
  const Outcome outcome = call({"verify", folder.file("half.json.gz", whole.substr(0, whole.size() / 2))});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "error: " + (folder.path() / "half.json.gz").string() +
                             ": cannot be read to its end: the compressed data is cut short\n");
}

TEST(VerifyCommand, RefusesJsonThatIsNoTrace) {
  const TemporaryFolder folder;
  for (const char* text : {"{}", "{\"traceEvents\":{}}", "{\"a\":{\"traceEvents\":[]}}"}) {
    const Outcome outcome = call({"verify", folder.file("other.json", text)});
    EXPECT_EQ(outcome.code, 2) << text;
    EXPECT_EQ(outcome.out, "") << text;
    EXPECT_THAT(outcome.err, HasSubstr("other.json: is not a trace: it has no list 'traceEvents'\n  hint: "));
  }
}

/// A stream on a device without room.
class FullBuffer : public std::streambuf {
 protected:
  int_type overflow(int_type /*c*/) override {
    throw OutputError("standard output: cannot be written: full");
  }
};

TEST(CommandLine, EndsWithCodeThreeWhenTheResultCannotBePrinted) {
  FullBuffer full;
  std::ostream out(&full);
  out.exceptions(std::ios::badbit);
  std::ostringstream err;
  EXPECT_EQ(run_cli(std::vector<std::string>{"list", "schedules"}, out, err), 3);
  EXPECT_EQ(err.str(), "error: standard output: cannot be written: full\n");
}

TEST(CheckCommand, PrintsALayoutAsMegatronWantsIt) {
  const Outcome given = call({"check", "tiny-8xa100", "--set", "parallelism.layout=[11, 13]"});
  EXPECT_EQ(given.code, 0);
  EXPECT_THAT(given.out, testing::HasSubstr("\nlayout for Megatron-LM: Et*11|t*13L\n"));
  const Outcome even = call({"check", "tiny-8xa100"});
  EXPECT_EQ(even.code, 0);
  EXPECT_THAT(even.out, testing::Not(testing::HasSubstr("layout")));
}

}  // namespace
}  // namespace makespan
