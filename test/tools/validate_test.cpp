#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "test/tools/cli_fixture.h"
#include "tools/measurements.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kData = MAKESPAN_SOURCE_DIR "/test/tools/data/";

json validate(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "validate");
  arguments.insert(arguments.end(), {"--format", "json"});
  const Outcome outcome = call(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.code == 0 ? json::parse(outcome.out) : json::object();
}

json row(const json& document, const std::string& id) {
  for (const json& entry : document.value("rows", json::array())) {
    if (entry["row_id"] == id) {
      return entry;
    }
  }
  ADD_FAILURE() << "there is no row " << id;
  return {};
}

TEST(ErrorSummary, TakesTheNearestRankAndTheMiddle) {
  // 0.9 x 10 = 9: the ninth; 0.9 x 11 = 9.9: the tenth.
  const ErrorSummary ten = summarize_errors({0.1, -0.2, 0.3, -0.4, 0.5, -0.6, 0.7, -0.8, 0.9, -1.0});
  EXPECT_EQ(ten.rows, 10U);
  EXPECT_DOUBLE_EQ(ten.median, (0.5 + 0.6) / 2);
  EXPECT_DOUBLE_EQ(ten.p90, 0.9);
  EXPECT_DOUBLE_EQ(ten.max, 1.0);
  EXPECT_NEAR(ten.mean, 0.55, 1e-12);
  EXPECT_NEAR(ten.bias, (0.1 - 0.2 + 0.3 - 0.4 + 0.5 - 0.6 + 0.7 - 0.8 + 0.9 - 1.0) / 10, 1e-12);
  const ErrorSummary eleven = summarize_errors({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  EXPECT_DOUBLE_EQ(eleven.median, 6);
  EXPECT_DOUBLE_EQ(eleven.p90, 10);
  const ErrorSummary one = summarize_errors({-0.25});
  EXPECT_DOUBLE_EQ(one.median, 0.25);
  EXPECT_DOUBLE_EQ(one.p90, 0.25);
  EXPECT_DOUBLE_EQ(one.bias, -0.25);
  EXPECT_EQ(summarize_errors({}).rows, 0U);
}

TEST(Validate, LeavesOneBlankLineBetweenTables) {
  for (const std::vector<std::string>& files :
       {std::vector<std::string>{kData + "perlmutter.csv", "zero-bubble-1.5b"},
        {kData + "collectives.csv", "zero-bubble-1.5b"},
        {kData + "perlmutter.csv"}}) {
    std::vector<std::string> arguments = {"validate"};
    arguments.insert(arguments.end(), files.begin(), files.end());
    const Outcome outcome = call(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out.find("\n\n\n"), std::string::npos) << outcome.out;
    EXPECT_FALSE(outcome.out.ends_with("\n\n")) << outcome.out;
  }
}

TEST(Validate, ReplaysCollectivesOnTheHardwareThatTheyName) {
  const json document = validate({kData + "collectives.csv"});
  EXPECT_EQ(document["schema"], "makespan.validate/1");
  const json by_time = row(document, "h100_1m");
  EXPECT_EQ(by_time["file"], kData + "collectives.csv");
  EXPECT_EQ(by_time["quantity"], "bandwidth_time");
  EXPECT_EQ(by_time["status"], "ok");
  EXPECT_DOUBLE_EQ(by_time["measured"], 40e-6);
  EXPECT_NEAR(by_time["relative_error"], by_time["predicted"].get<double>() / 40e-6 - 1, 1e-12);
  // 2 (n - 1) / n x S / bus bandwidth
  EXPECT_DOUBLE_EQ(row(document, "h100_1g")["measured"], 1073741824.0 * 2 * 7 / 8 / 360e9);
}

TEST(Validate, PredictsWhatTheCollectiveCommandPrints) {
  const json document = validate({kData + "collectives.csv"});
  const auto time_of = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "collective");
    arguments.insert(arguments.end(), {"--format", "json"});
    const Outcome outcome = call(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out)["rows"][0]["time_s"].get<double>();
  };
  EXPECT_EQ(row(document, "h100_1g")["predicted"],
            time_of({"all-reduce", "--cluster", "dgx-h100", "--sizes", "1GiB", "--algorithm", "ring"}));
  EXPECT_EQ(row(document, "b200_ag")["predicted"],
            time_of({"all-gather", "--cluster", "hgx-b200", "--nodes", "2", "--sizes", "256MiB"}));
  EXPECT_EQ(row(document, "a3_ag")["predicted"],
            time_of({"send", "--cluster", "a3-mega", "--nodes", "2", "--sizes", "256MiB"}));
}

TEST(Validate, SaysWhatItAssumes) {
  const json bus = row(validate({kData + "collectives.csv"}), "h100_bus");
  EXPECT_EQ(bus["status"], "ok");
  EXPECT_DOUBLE_EQ(bus["measured"], (std::int64_t{16} << 30U) * 7.0 / 8 / 350e9);
  EXPECT_THAT(bus["assumed"][0].get<std::string>(), HasSubstr("16 GiB"));
}

TEST(Validate, SaysWhyARowIsNotPredicted) {
  const json document = validate({kData + "collectives.csv"});

  struct Expected {
    std::string row;
    std::string status;
    std::string reason;
  };

  const std::vector<Expected> all = {
      {"copy", "unsupported", "copy engines"},
      {"latency", "unsupported", "between CPUs"},
      {"unknown_gpu", "unsupported", "no node of the catalogue stands for the GPU 'X1000'"},
      {"unknown_algorithm", "unsupported", "there is no algorithm 'Magic'"},
      {"pinned_in_vain", "unsupported", "nvls"},
      {"too_many", "unsupported", "16 GPUs on 1 nodes of dgx-h100, which have 8"},
      {"no_value", "incomplete", "neither a time nor a bus bandwidth"},
      {"bad_row", "incomplete", "rounded and unusable"},
  };
  for (const Expected& expected : all) {
    const json entry = row(document, expected.row);
    EXPECT_EQ(entry["status"], expected.status) << expected.row;
    EXPECT_THAT(entry["reason"].get<std::string>(), HasSubstr(expected.reason));
    EXPECT_TRUE(entry["predicted"].is_null());
    EXPECT_TRUE(entry["relative_error"].is_null());
  }
}

TEST(Validate, SummarizesByFileFamilyAndSize) {
  const json document = validate({kData + "collectives.csv", kData + "perlmutter.csv"});
  const json file = document["summary"][kData + "collectives.csv"];
  EXPECT_EQ(file["rows"], 6);
  EXPECT_EQ(file["ok"], 6);
  EXPECT_EQ(file["unsupported"], 6);
  EXPECT_EQ(file["incomplete"], 2);
  EXPECT_EQ(file["bands"][">= 1 MiB"]["rows"], 5);
  EXPECT_EQ(file["bands"][">= 16 MiB"]["rows"], 4);
  EXPECT_EQ(file["families"]["h100x8"]["rows"], 3);
  EXPECT_FALSE(file["families"].contains("latency"));
  const json overall = document["summary"]["overall"];
  EXPECT_EQ(overall["rows"], 6 + 5);
  std::vector<double> errors;
  for (const json& entry : document.value("rows", json::array())) {
    if (entry["status"] == "ok") {
      errors.push_back(entry["relative_error"]);
    }
  }
  EXPECT_DOUBLE_EQ(overall["median"], summarize_errors(errors).median);
  EXPECT_DOUBLE_EQ(overall["p90"], summarize_errors(errors).p90);
  EXPECT_DOUBLE_EQ(overall["bias"], summarize_errors(errors).bias);
}

TEST(Validate, ReadsSweepsOnPerlmutter) {
  const json document = validate({kData + "perlmutter.csv"});
  ASSERT_EQ(document["rows"].size(), 5U);
  EXPECT_EQ(document["rows"][1]["row_id"], 3);  // the line
  EXPECT_DOUBLE_EQ(document["rows"][1]["measured"], 3500e-6);
  EXPECT_EQ(document["rows"][1]["family"], "allgather 4 x 1");
  for (const json& entry : document.value("rows", json::array())) {
    EXPECT_EQ(entry["status"], "ok") << entry["reason"];
  }
}

TEST(Validate, ReadsSharesOfTheBusBandwidth) {
  const json document = validate({kData + "simai.csv"});
  ASSERT_EQ(document["rows"].size(), 2U * 11U);
  // (n - 1) / n x S / (share x 8 NICs of 50 GB/s); one NIC for a group of one rank per node
  EXPECT_DOUBLE_EQ(row(document, "1073741824/n4")["measured"], 1073741824.0 * 31 / 32 / (0.9 * 8 * 50e9));
  EXPECT_DOUBLE_EQ(row(document, "1073741824/one_rank_per_node_16")["measured"],
                   1073741824.0 * 15 / 16 / (0.95 * 50e9));
  EXPECT_EQ(row(document, "16777216/n1_nvlink")["status"], "unsupported");
  const json extrapolated = row(document, "16777216/n64");
  EXPECT_EQ(extrapolated["status"], "ok");
  EXPECT_EQ(extrapolated["counted"], false);
  const json summary = document["summary"][kData + "simai.csv"];
  EXPECT_EQ(summary["rows"], 2 * 4);  // n2 to n16
  EXPECT_EQ(summary["families"]["n64"]["rows"], 2);
}

TEST(Validate, KnowsOtherTablesAndSaysWhyItDoesNotReplayThem) {
  const TemporaryFolder folder;
  const json document =
      validate({folder.file("layers.csv", "row_id,forward_ms,backward_ms\nsmall,1.5,3.0\nlarge,3.0,6.0\n")});
  EXPECT_EQ(row(document, "small")["status"], "unsupported");
  EXPECT_EQ(row(document, "small")["quantity"], "kernel_time");
  EXPECT_THAT(row(document, "small")["reason"].get<std::string>(), HasSubstr("layers are not replayed"));
  EXPECT_TRUE(document["summary"]["overall"]["median"].is_null());
}

TEST(Validate, LeavesOutSmallSizes) {
  const json document = validate({kData + "perlmutter.csv", "--min-size", "16MiB"});
  EXPECT_EQ(document["rows"].size(), 3U);
}

TEST(Validate, TakesAllTablesOfAFolder) {
  const json document = validate({kData});
  for (const std::string name : {"collectives.csv", "perlmutter.csv", "simai.csv", "steps.csv"}) {
    EXPECT_TRUE(document["summary"].contains(kData + name)) << name;
  }
}

TEST(Validate, PrintsRowsAndFamiliesAsText) {
  const Outcome outcome = call({"validate", kData + "collectives.csv"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("h100_1m"), HasSubstr("predicted"), HasSubstr("all of them"),
                                 HasSubstr(">= 16 MiB"), HasSubstr("assumed in 1 row: a size of 16 GiB"),
                                 HasSubstr("1 row unsupported: a message between CPUs: no GPU takes part")));
}

TEST(Validate, HoldsScenariosAgainstTheirReferences) {
  const TemporaryFolder folder;
  const std::string path = folder.file("mine.yaml", R"(schema: makespan.scenario/1
name: mine
model: {architecture: gpt, hidden: 1024, layers: 4, heads: 16, vocabulary: 32000, sequence: 1024}
training: {micro_batch: 1, global_batch: 8}
cluster: {node: dgx-h100, nodes: 1}
parallelism: {pipeline: 2, data: 4}
reference: {iteration_time_s: 0.5, source: a note}
)");
  const json document = validate({path, "zero-bubble-1.5b", "llama3-8b-64xh100"});
  const json mine = row(document, "mine");
  EXPECT_EQ(mine["file"], path);
  EXPECT_EQ(mine["quantity"], "iteration_time");
  EXPECT_EQ(mine["family"], "a note");
  EXPECT_EQ(mine["measured"], 0.5);
  const Outcome run = call({"run", path, "--format", "json"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(mine["predicted"], json::parse(run.out)["iteration_time_s"]);
  EXPECT_DOUBLE_EQ(mine["relative_error"], mine["predicted"].get<double>() / 0.5 - 1);
  EXPECT_EQ(document["summary"][path]["rows"], 1);
  EXPECT_EQ(document["summary"]["overall"]["rows"], 2);
  EXPECT_EQ(row(document, "zero-bubble-1.5b")["status"], "ok");
  const json without = row(document, "llama3-8b-64xh100");
  EXPECT_EQ(without["status"], "incomplete");
  EXPECT_EQ(without["reason"], "the scenario has no reference");
}

TEST(Validate, TakesPublishedFlopsAsATime) {
  const json row_of = row(validate({"gpt-1.7b-sc21"}), "gpt-1.7b-sc21");
  EXPECT_THAT(row_of["assumed"], testing::Contains("the time is that of the published TFLOP/s per GPU"));
  const Outcome run = call({"run", "gpt-1.7b-sc21"});
  EXPECT_THAT(run.out, HasSubstr(fmt::format("{:.4g}", row_of["measured"].get<double>())));
}

TEST(Validate, TakesScenariosOfAFolderAndRefusesBrokenOnes) {
  const TemporaryFolder folder;
  const std::string broken = folder.file("broken.yaml", "model: {hiden: 1}\n");
  const Outcome outcome = call({"validate", folder.path().string()});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(broken + ":1:9: model.hiden: "));
}

TEST(Validate, RefusesWhatIsNoTable) {
  const TemporaryFolder folder;

  struct Refusal {
    std::string text;
    std::string reason;
  };

  const std::vector<Refusal> refusals = {
      {"", "is empty"},
      {"a,b\n1,2\n", "t.csv:1: is not the header of a table of measurements\n  hint: known:"},
      {"op,num_nodes,gpus_per_node,bytes,time_us_oop\nallgather,1,4,8\n", "t.csv:2: the row has 4 cells"},
      {"op,num_nodes,gpus_per_node,bytes,time_us_oop\nallgather,1,4,x,1\n",
       "t.csv:2: bytes: 'x' is not a whole number"},
      {"op,num_nodes,gpus_per_node,bytes,time_us_oop\nallgather,1,4,8,nan\n",
       "t.csv:2: time_us_oop: 'nan' is not a number"},
      {"op,num_nodes,gpus_per_node,bytes,time_us_oop\nall2gather,1,4,8,1\n", "all2gather"},
      {"op,op,num_nodes\n", "the column 'op' is there twice"},
      {"op,\"num_nodes\n", "t.csv:1: the quote is never closed"},
      {"op,\"a\"b\n", "text behind a closing quote"},
  };
  for (const Refusal& refusal : refusals) {
    const Outcome outcome = call({"validate", folder.file("t.csv", refusal.text)});
    EXPECT_EQ(outcome.code, 2) << refusal.text;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr(refusal.reason)) << refusal.text;
  }
  EXPECT_THAT(call({"validate", "no-such.csv"}).err, HasSubstr("no-such.csv"));
  EXPECT_EQ(call({"validate", kData + "steps.csv", "--min-size", "16"}).code, 2);
  EXPECT_THAT(call({"validate", folder.path().string() + "/.."}).code, 2);
}

/// The summary of a published table, and of a band of its sizes.
struct Bound {
  std::string file;
  std::string band;  ///< empty: all sizes
  double median;
  double p90;
};

void PrintTo(const Bound& bound, std::ostream* out) {
  *out << bound.file << ' ' << bound.band;
}

class PublishedMeasurements : public testing::TestWithParam<Bound> {};

TEST_P(PublishedMeasurements, ArePredicted) {
  const std::string file = MAKESPAN_SOURCE_DIR "/../shared/data/" + GetParam().file;
  if (!std::filesystem::exists(file)) {
    GTEST_SKIP() << "the published tables are not here";
  }
  const json document = validate({file});
  const json summary = document["summary"][file];
  const json chosen = GetParam().band.empty() ? summary : summary["bands"][GetParam().band];
  EXPECT_LE(chosen["median"], GetParam().median);
  EXPECT_LE(chosen["p90"], GetParam().p90);
}

INSTANTIATE_TEST_SUITE_P(Tables, PublishedMeasurements,
                         testing::Values(Bound{"perlmutter_nccl_tests.csv", "", 0.08, 1},
                                         Bound{"perlmutter_nccl_tests.csv", ">= 16 MiB", 0.05, 1},
                                         Bound{"simai_busbw_ratio.csv", "", 0.04, 0.12},
                                         Bound{"validation/collectives.csv", ">= 1 MiB", 0.10, 0.25}));

}  // namespace
}  // namespace makespan
