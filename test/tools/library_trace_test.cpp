#include <cctype>
#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>

#include "scenarios/library.h"
#include "test/tools/cli_fixture.h"

namespace makespan {
namespace {

std::string as_test_name(const std::string& text) {
  std::string name = text;
  for (char& c : name) {
    c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return name;
}

class LibraryTrace : public testing::TestWithParam<std::string> {};

TEST_P(LibraryTrace, ObeysEveryLaw) {
  const TemporaryFolder folder;
  const Outcome outcome = call({"run", GetParam(), "--out", folder.path().string(), "-q"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Outcome verdict = call({"verify", (folder.path() / "trace.json.gz").string()});
  EXPECT_EQ(verdict.code, 0) << verdict.out << verdict.err;
}

INSTANTIATE_TEST_SUITE_P(every_scenario, LibraryTrace,
                         testing::ValuesIn(library_names(LibraryKind::scenarios)),
                         [](const auto& parameter) { return as_test_name(parameter.param); });

class ScheduleTrace : public testing::TestWithParam<std::string> {};

TEST_P(ScheduleTrace, ObeysEveryLawUnderEverySemantics) {
  for (const char* communication : {"independent", "per-peer", "fused"}) {
    const TemporaryFolder folder;
    const Outcome outcome =
        call({"run", "tiny-8xa100", "--out", folder.path().string(), "-q", "--trace-ranks", "all", "--set",
              "schedule={kind: " + GetParam() + ", communication: " + communication + "}", "--set",
              "parallelism.sequence_parallel=true", "--set",
              GetParam() == "hanayo" ? "training.global_batch=8" : "training.global_batch=32"});
    if (outcome.code == 1) {
      EXPECT_THAT(outcome.err, testing::HasSubstr("deadlock with fused communication: rank 0 waits at "));
      continue;
    }
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Outcome verdict = call({"verify", (folder.path() / "trace.json.gz").string()});
    EXPECT_EQ(verdict.code, 0) << communication << '\n' << verdict.out << verdict.err;
  }
}

INSTANTIATE_TEST_SUITE_P(kinds, ScheduleTrace,
                         testing::Values("eager-1f1b", "looped-bfs, chunks: 2", "hanayo", "zb-h1", "zb-h2",
                                         "interleaved-zb, chunks: 2", "zb-v", "v-half", "v-min",
                                         "interleaved-overlap, chunks: 2", "seq1f1b, pieces: 4", "chimera",
                                         "dualpipe", "dualpipev", "zb-h2, optimizer_sync: post-validation"),
                         [](const auto& parameter) { return as_test_name(parameter.param); });

TEST(LibraryTrace, ObeysEveryLawWithEvictionsStreamsAndStagesWithoutLayers) {
  for (const std::vector<std::string>& more : std::vector<std::vector<std::string>>{
           {"schedule=bpipe"},
           {"schedule=bpipe", "simulation.fidelity=message"},
           {"schedule=pipedream", "model.tied_embeddings=false"},
           {"schedule=pipedream-2bw", "model.tied_embeddings=false", "simulation.iterations=3"},
           {"schedule=zb-h1", "parallelism.layout=[0,12,12,0]"}}) {
    const TemporaryFolder folder;
    std::vector<std::string> arguments = {"run", "tiny-8xa100",   "--out", folder.path().string(),
                                          "-q",  "--trace-ranks", "all"};
    std::vector<std::string> sets = {"parallelism.tensor=1", "parallelism.pipeline=4", "parallelism.data=2"};
    sets.insert(sets.end(), more.begin(), more.end());
    for (const std::string& set : sets) {
      arguments.insert(arguments.end(), {"--set", set});
    }
    const Outcome outcome = call(arguments);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const Outcome verdict = call({"verify", (folder.path() / "trace.json.gz").string()});
    EXPECT_EQ(verdict.code, 0) << more.front() << '\n' << verdict.out << verdict.err;
  }
}

TEST(LibraryTrace, ObeysEveryLawWhileLinksFailAndHeal) {
  const TemporaryFolder folder;
  const Outcome outcome = call(
      {"run", "tiny-8xa100", "--out", folder.path().string(), "-q", "--trace-ranks", "all", "--set",
       "cluster={node: dgx-a100-80gb, nodes: 4, fabric: {kind: fat-tree, unit: 2, routing: {kind: ecmp, "
       "subflows: 4}}}",
       "--set", "parallelism.data=8", "--set", "parallelism.order=[tensor, pipeline, data, context]", "--set",
       "faults=[{kind: slow-link, target: nic 1.2, factor: 0.5}, {kind: link-down, target: node 2, from: "
       "5 ms, until: 40 ms}, {kind: slow-link, target: nvlink 0.0, factor: 0.25, from: 10 ms}]"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Outcome verdict = call({"verify", (folder.path() / "trace.json.gz").string()});
  EXPECT_EQ(verdict.code, 0) << verdict.out << verdict.err;
}

/// A bare schedule whose picture is kept in test/golden for people to review.
struct Picture {
  std::string name;
  std::vector<std::string> arguments;
};

class SchedulePicture : public testing::TestWithParam<Picture> {};

TEST_P(SchedulePicture, IsTheOneThatWasReviewed) {
  const std::string golden =
      std::string(MAKESPAN_SOURCE_DIR) + "/test/golden/" + GetParam().name + ".timeline";
  const Outcome outcome = call(GetParam().arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  if (std::getenv("MAKESPAN_UPDATE_GOLDEN") != nullptr) {  // NOLINT(concurrency-mt-unsafe)
    std::ofstream(golden, std::ios::binary) << outcome.out;
  }
  EXPECT_EQ(outcome.out, content_of(golden)) << "MAKESPAN_UPDATE_GOLDEN=1 rewrites it";
}

INSTANTIATE_TEST_SUITE_P(
    golden, SchedulePicture,
    testing::Values(Picture{"gpipe_p4_m4",
                            {"schedule", "gpipe", "--ranks", "4", "--microbatches", "4", "--backward", "2"}},
                    Picture{"1f1b_p4_m6",
                            {"schedule", "1f1b", "--ranks", "4", "--microbatches", "6", "--backward", "2"}},
                    Picture{"1f1b_p3_m4_latency",
                            {"schedule", "1f1b", "--ranks", "3", "--microbatches", "4", "--backward", "2",
                             "--communication", "1"}},
                    Picture{"1f1b_p3_m4_fused",
                            {"schedule", "1f1b", "--ranks", "3", "--microbatches", "4", "--backward", "2",
                             "--communication", "1", "--semantics", "fused"}},
                    Picture{"interleaved_p2_m4_v2",
                            {"schedule", "interleaved", "--ranks", "2", "--microbatches", "4", "--chunks",
                             "2", "--forward", "2", "--backward", "4"}}),
    [](const auto& parameter) { return as_test_name(parameter.param.name); });

}  // namespace
}  // namespace makespan
