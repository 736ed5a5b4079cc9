#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "network/fabrics.h"
#include "network/nccl_tests_log.h"
#include "test/tools/cli_fixture.h"
#include "tools/collective_run.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr double kMiB = 1 << 20U;

/// The rows of `makespan collective` with these arguments.
json rows(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "collective");
  arguments.insert(arguments.end(), {"--format", "json"});
  const Outcome outcome = call(arguments);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return outcome.code == 0 ? json::parse(outcome.out)["rows"] : json::array({json::object()});
}

double time_of(const std::vector<std::string>& arguments) {
  return rows(arguments).back().value("time_s", 0.0);
}

TEST(Collective, CountsBusBandwidthAsNcclTestsDoes) {
  // nccl-tests, doc/PERFORMANCE.md
  for (const std::size_t n : {2U, 8U, 13U}) {
    const auto ranks = static_cast<double>(n);
    EXPECT_EQ(bus_factor(TestKind::all_reduce, n), 2 * (ranks - 1) / ranks);
    EXPECT_EQ(bus_factor(TestKind::all_gather, n), (ranks - 1) / ranks);
    EXPECT_EQ(bus_factor(TestKind::reduce_scatter, n), (ranks - 1) / ranks);
    EXPECT_EQ(bus_factor(TestKind::all_to_all, n), (ranks - 1) / ranks);
    EXPECT_EQ(bus_factor(TestKind::broadcast, n), 1);
    EXPECT_EQ(bus_factor(TestKind::reduce, n), 1);
    EXPECT_EQ(bus_factor(TestKind::send, n), 1);
  }
  const json row = rows({"all-gather", "--cluster", "dgx-h100", "--sizes", "64MiB"}).back();
  EXPECT_DOUBLE_EQ(row["algbw_bytes_per_s"], 64 * kMiB / row["time_s"].get<double>());
  EXPECT_DOUBLE_EQ(row["busbw_bytes_per_s"], row["algbw_bytes_per_s"].get<double>() * 7 / 8);
}

TEST(Collective, CutsSizesIntoWholeElementsForEachRank) {
  EXPECT_EQ(tested_size(TestKind::all_gather, 8, Bytes(1000)), Bytes(1000 / 32 * 32));
  EXPECT_EQ(tested_size(TestKind::all_reduce, 8, Bytes(1003)), Bytes(1000));
  EXPECT_EQ(tested_size(TestKind::all_gather, 8, Bytes(31)), Bytes(0));
}

TEST(Collective, GoesByTheNamesOfNcclTestsToo) {
  for (const std::string name : {"all-reduce", "all_reduce", "allreduce", "AllReduce", "all_reduce_perf"}) {
    EXPECT_EQ(find_test_type(name).kind, TestKind::all_reduce) << name;
  }
  EXPECT_EQ(find_test_type("alltoall_perf").kind, TestKind::all_to_all);
  EXPECT_EQ(find_test_type("sendrecv").kind, TestKind::send);
  EXPECT_EQ(find_test_type("reduce_scatter_perf").kind, TestKind::reduce_scatter);
}

TEST(Collective, TakesAloneWhatItsPlanSays) {
  const Topology topology = build_cluster(find_node("dgx-h100"), 4);
  const NcclOptions options = nccl_options(find_node("dgx-h100"));
  CollectivePlanner planner(topology, options);
  CollectiveRunner runner(topology, options);
  std::vector<std::size_t> gpus(32);
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    gpus[i] = i;
  }
  const std::vector<std::pair<TestKind, CollectiveKind>> kinds = {
      {TestKind::all_reduce, CollectiveKind::all_reduce},
      {TestKind::all_gather, CollectiveKind::all_gather},
      {TestKind::reduce_scatter, CollectiveKind::reduce_scatter},
      {TestKind::all_to_all, CollectiveKind::all_to_all},
      {TestKind::broadcast, CollectiveKind::broadcast},
      {TestKind::reduce, CollectiveKind::reduce}};
  for (const auto& [test, kind] : kinds) {
    for (const std::int64_t size : {std::int64_t{1} << 12U, std::int64_t{1} << 20U, std::int64_t{1} << 30U}) {
      Operation operation{.kind = test};
      operation.groups = {gpus};
      operation.payload = Bytes(size);
      EXPECT_EQ(runner.run(operation).time, planner.alone(planner.plan(kind, gpus, Bytes(size)).transfer))
          << test_type(test).name << ' ' << size;
    }
  }
}

TEST(Collective, PrintsATableThatReadsAsALogOfNcclTests) {
  const std::vector<std::string> arguments = {"collective",    "reduce-scatter", "--cluster",
                                              "dgx-a100-80gb", "--nodes",        "2",
                                              "--sizes",       "4KiB:64MiB:x4"};
  const Outcome text = call(arguments);
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("size         count      type   redop    root     time   algbw   busbw"));
  EXPECT_THAT(text.out, HasSubstr("# Avg bus bandwidth"));
  const std::vector<MeasuredTime> times = parse_nccl_tests_log(text.out, "table").times;
  std::vector<std::string> as_json(arguments.begin() + 1, arguments.end());
  const json expected = rows(as_json);
  ASSERT_EQ(times.size(), expected.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ(times[i].payload.count(), expected[i]["size_bytes"]);
    const double time = expected[i]["time_s"];
    EXPECT_NEAR(seconds(times[i].time), time, 1e-3 * time);  // four digits and more are printed
  }
}

TEST(Collective, PrintsCsvWithFullPrecision) {
  const Outcome csv = call(
      {"collective", "send", "--cluster", "dgx-h100", "--ranks", "2", "--sizes", "1MiB", "--format", "csv"});
  ASSERT_EQ(csv.code, 0) << csv.err;
  EXPECT_THAT(csv.out, HasSubstr("size_bytes,time_us,algbw_GBps,busbw_GBps,op,ranks,groups,algorithm"));
  EXPECT_THAT(csv.out, HasSubstr("\n1048576,"));
  EXPECT_THAT(csv.out, HasSubstr(",send,2,1,-,-,-,,\n"));
}

TEST(Collective, SendsFromEveryRankToTheNextAtOnce) {
  // In a ring over two nodes, two ranks send between the nodes, each through a NIC of its own: it takes as
  // long as one pair of ranks on two nodes.
  const double ring = time_of({"send", "--cluster", "dgx-h100", "--nodes", "2", "--sizes", "1GiB"});
  const double pair =
      time_of({"send", "--cluster", "dgx-h100", "--nodes", "2", "--ranks-list", "7,8", "--sizes", "1GiB"});
  EXPECT_NEAR(ring, pair, 0.05 * pair);
  const double nic = find_node("dgx-h100").nic;
  EXPECT_GE(pair, 1024 * kMiB / nic);
}

TEST(Collective, RunsOnTheGpusThatAreChosen) {
  const auto ranks = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"collective", "all-reduce", "--cluster", "dgx-h100-64", "--sizes",
                                         "1MiB", "--format", "json"});
    const Outcome outcome = call(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(outcome.out);
  };
  EXPECT_EQ(ranks({})["ranks"], 64);
  EXPECT_EQ(ranks({"--nodes", "3"})["ranks"], 24);
  EXPECT_EQ(ranks({"--nodes", "3", "--gpus-per-node", "2"})["ranks"], 6);
  EXPECT_EQ(ranks({"--ranks", "5"})["ranks"], 5);
  EXPECT_EQ(ranks({"--ranks-list", "0-56/8"})["ranks"], 8);
  const json split = ranks({"--split", "mod 8"});
  EXPECT_EQ(split["ranks"], 8);
  EXPECT_EQ(split["groups"], 8);
  EXPECT_EQ(ranks({"--set", "cluster.nodes=2"})["ranks"], 16);
  EXPECT_EQ(rows({"all-reduce", "--cluster", "tpu-v4", "--nodes", "16", "--sizes", "1MiB", "--set",
                  "cluster.fabric={kind: torus, dimensions: [4, 4]}"})
                .size(),
            1U);
}

TEST(Collective, OfGroupsOnTheirOwnRailsDoNotSlowEachOther) {
  const std::vector<std::string> common = {"all-gather", "--cluster", "dgx-h100",    "--nodes", "4",
                                           "--sizes",    "256MiB",    "--algorithm", "ring"};
  std::vector<std::string> one = common;
  one.insert(one.end(), {"--ranks-list", "0-31/8"});
  std::vector<std::string> all = common;
  all.insert(all.end(), {"--split", "mod 8"});
  EXPECT_DOUBLE_EQ(time_of(one), time_of(all));
}

TEST(Collective, SharesTheNicWithTheBackground) {
  const std::vector<std::string> base = {"send",         "--cluster", "dgx-a100-80gb", "--nodes", "2",
                                         "--ranks-list", "0,8",       "--sizes",       "1GiB"};
  std::vector<std::string> shared = base;
  shared.insert(shared.end(), {"--background", "send:16GiB:0->8"});
  const json row = rows(shared).back();
  EXPECT_DOUBLE_EQ(row["alone_s"], time_of(base));
  EXPECT_NEAR(row["slow_down"], 2.0, 0.01);  // two flows on one NIC
  std::vector<std::string> three = shared;
  three.insert(three.end(), {"--background", "send:16GiB:0->8"});
  EXPECT_NEAR(rows(three).back()["slow_down"], 3.0, 0.02);
  std::vector<std::string> apart = base;
  apart.insert(apart.end(), {"--background", "send:16GiB:1->9"});  // another NIC, another rail
  EXPECT_EQ(rows(apart).back()["slow_down"], 1.0);
}

TEST(Collective, RepeatsTheBackgroundUntilItHasEnded) {
  // Small messages over and over leave the NIC idle during their latency: slower than alone, faster than
  // beside a flow that never pauses.
  const std::vector<std::string> base = {"send",         "--cluster", "dgx-h100", "--nodes", "2",
                                         "--ranks-list", "0,8",       "--sizes",  "256MiB"};
  std::vector<std::string> pauses = base;
  pauses.insert(pauses.end(), {"--background", "send:1MiB:0->8"});
  const double slow_down = rows(pauses).back()["slow_down"];
  EXPECT_GT(slow_down, 1.2);
  EXPECT_LT(slow_down, 1.95);
}

TEST(Collective, TakesMeasuredTimesFromALog) {
  const TemporaryFolder folder;
  const std::string log = folder.file("run.log",
                                      "# size count type redop root time algbw busbw #wrong\n"
                                      "1048576 262144 float sum -1 100.0 10.49 18.35 0\n"
                                      "3145728 786432 float sum -1 200.0 15.73 27.53 0\n");
  const json measured =
      rows({"all-reduce", "--cluster", "dgx-h100", "--sizes", "1MiB,2MiB,3MiB", "--measured", log});
  EXPECT_NEAR(measured[0]["time_s"], 100e-6, 1e-12);
  EXPECT_NEAR(measured[1]["time_s"], 150e-6, 1e-12);  // by the straight line between
  EXPECT_NEAR(measured[2]["time_s"], 200e-6, 1e-12);
}

TEST(Collective, SaysOfWhichGroupTheMeasuredTimesAreWhereItIsAnother) {
  const TemporaryFolder folder;
  const std::string log = folder.file("run.log",
                                      "#  Rank  0 Pid  1 on  a device  0 [0x1b] NVIDIA H100\n"
                                      "#  Rank  1 Pid  1 on  a device  1 [0x1c] NVIDIA H100\n"
                                      "# size count type redop root time algbw busbw #wrong\n"
                                      "1048576 262144 float sum -1 100.0 10.49 18.35 0\n");
  const std::vector<std::string> base = {"collective", "all-reduce", "--cluster",  "dgx-h100",
                                         "--sizes",    "1MiB",       "--measured", log};
  EXPECT_THAT(call(base).err,
              HasSubstr("the times are those of 2 ranks on 1 node, and are used for 8 ranks on "
                        "1 node"));
  std::vector<std::string> same = base;
  same.insert(same.end(), {"--ranks", "2"});
  EXPECT_EQ(call(same).err, "");
}

TEST(Collective, NamesTheNodesThatTakePart) {
  const Outcome outcome =
      call({"collective", "all-reduce", "--cluster", "perlmutter", "--nodes", "8", "--sizes", "1MiB"});
  EXPECT_THAT(outcome.out, HasSubstr("all-reduce: 32 ranks on 8 nodes of perlmutter-gpu (perlmutter)\n"));
}

TEST(Collective, CarriesOutAnUnevenAllToAll) {
  const TemporaryFolder folder;
  const std::vector<std::string> base = {"all-to-all", "--cluster",    "dgx-h100", "--nodes",
                                         "2",          "--ranks-list", "0,8"};
  std::vector<std::string> even = base;
  even.insert(even.end(), {"--matrix", folder.file("even.csv", "0,67108864\n67108864,0\n")});
  std::vector<std::string> uneven = base;
  uneven.insert(uneven.end(), {"--matrix", folder.file("uneven.csv", "0,134217728\n1024,0\n")});
  EXPECT_GT(time_of(uneven), 1.5 * time_of(even));
  EXPECT_EQ(rows(uneven).back()["size_bytes"], 134217728);
}

TEST(Collective, UsesTheAlgorithmAndProtocolThatArePinned) {
  const json row = rows({"all-reduce", "--cluster", "dgx-h100", "--nodes", "4", "--sizes", "64KiB",
                         "--algorithm", "Tree", "--protocol", "LL", "--channels", "8"})
                       .back();
  EXPECT_EQ(row["algorithm"], "tree");
  EXPECT_EQ(row["protocol"], "ll");
  EXPECT_EQ(row["channels"], 8);
}

TEST(Collective, TakesAboutAsLongMessageByMessage) {
  const std::vector<std::string> base = {"all-gather", "--cluster", "dgx-h100",    "--nodes", "2",
                                         "--sizes",    "1GiB",      "--algorithm", "ring"};
  std::vector<std::string> messages = base;
  messages.insert(messages.end(), {"--fidelity", "message"});
  const double fluid = time_of(base);
  EXPECT_NEAR(time_of(messages), fluid, 0.05 * fluid);  // but for the latency of steps between nodes
}

TEST(Collective, IsRefusedWithTheReason) {
  struct Refusal {
    std::vector<std::string> arguments;
    std::string reason;
  };

  const std::vector<Refusal> refusals = {
      {{"all-reduc", "--cluster", "dgx-h100"}, "did you mean 'all-reduce'?"},
      {{"all-reduce"}, "--cluster is required"},
      {{"all-reduce", "--cluster", "dgx-h10"}, "dgx-h10"},
      {{"all-reduce", "--cluster", "dgx-h100", "--ranks", "9"}, "9 ranks are more than the 8 GPUs"},
      {{"all-reduce", "--cluster", "dgx-h100", "--ranks", "1"}, "a group of one GPU has nobody to talk to"},
      {{"all-reduce", "--cluster", "dgx-h100-64", "--nodes", "9"},
       "the cluster has 8 nodes, fewer than 9\n  hint: --set cluster.nodes=9"},
      {{"all-reduce", "--cluster", "dgx-h100", "--gpus-per-node", "9"}, "node 0 has 8 GPUs, fewer than 9"},
      {{"all-reduce", "--cluster", "dgx-h100", "--ranks-list", "0,8"}, "there is no GPU 8"},
      {{"all-reduce", "--cluster", "dgx-h100", "--ranks-list", "0,1", "--ranks", "1"}, "does not go with"},
      {{"all-reduce", "--cluster", "dgx-h100", "--split", "mod 8"}, "--split: a group of one GPU"},
      {{"all-reduce", "--cluster", "dgx-h100", "--algorithm", "rings"}, "did you mean 'ring'?"},
      {{"all-gather", "--cluster", "dgx-h100", "--algorithm", "tree"}, "tree"},
      {{"send", "--cluster", "dgx-h100", "--algorithm", "ring"}, "send: takes no --algorithm"},
      {{"all-reduce", "--cluster", "dgx-h100", "--sizes", "8"}, "--sizes"},
      {{"all-gather", "--cluster", "dgx-h100", "--sizes", "8B"}, "no size holds an element of 4 bytes"},
      {{"all-reduce", "--cluster", "dgx-h100", "--ranks-list", "3"}, "--ranks-list: a group of one GPU"},
      {{"all-reduce", "--cluster", "dgx-h100", "--matrix", "m.csv"}, "--matrix: is for all-to-all"},
      {{"all-reduce", "--cluster", "dgx-h100", "--background", "send:1B:0->1,"}, "--background"},
      {{"all-reduce", "--cluster", "dgx-h100", "--measured", "no-such.log"}, "no-such.log"},
      {{"all-reduce", "--cluster", "dgx-h100", "--fidelty", "fluid"}, "unknown option"},
  };
  for (Refusal refusal : refusals) {
    refusal.arguments.insert(refusal.arguments.begin(), "collective");
    const Outcome outcome = call(refusal.arguments);
    EXPECT_EQ(outcome.code, 2) << refusal.reason;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr(refusal.reason));
  }
}

TEST(Collective, RefusesAMatrixThatMovesNothing) {
  const TemporaryFolder folder;
  const Outcome outcome = call({"collective", "all-to-all", "--cluster", "dgx-h100", "--ranks", "2",
                                "--matrix", folder.file("m.csv", "5,0\n0,7\n")});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--matrix: no rank sends anything to another"));
}

TEST(Collective, SaysWhichSizesItLeavesOut) {
  const Outcome outcome =
      call({"collective", "all-gather", "--cluster", "dgx-h100", "--sizes", "8B:1KiB:x2"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("are left out"));
}

}  // namespace
}  // namespace makespan
