// Against lists that PyTorch's own generators and lowering gave.
#include <array>
#include <gtest/gtest.h>
#include <string>

#include "schedules/bare.h"
#include "schedules/catalogue.h"
#include "schedules/communication.h"
#include "schedules/validate.h"
#include "test/schedules/list_oracle.h"
#include "test/schedules/pytorch_files.h"

namespace makespan::test {
namespace {

struct Shape {
  int ranks;
  int microbatches;
  int chunks;
  int makespan;  ///< of the reference's independent checker, F = 1 and B = 2 per chunk
};

constexpr std::array<Shape, 8> kInterleaved = {{
    {2, 4, 2, 27},
    {4, 4, 2, 33},
    {4, 8, 2, 57},
    {4, 8, 3, 81},
    {4, 10, 2, 69},
    {4, 3, 2, 30},
    {3, 6, 2, 42},
    {8, 16, 2, 117},
}};

constexpr std::array<const char*, 12> kOthers = {"loopedbfs_p2_m3_v2",
                                                 "loopedbfs_p4_m8_v2",
                                                 "interleavedzerobubble_p2_m8_v2",
                                                 "interleavedzerobubble_p4_m8_v1",
                                                 "interleavedzerobubble_p4_m12_v1",
                                                 "interleavedzerobubble_p4_m8_v2",
                                                 "interleavedzerobubble_p8_m16_v1",
                                                 "zbv_p2_m4",
                                                 "zbv_p4_m3",
                                                 "zbv_p4_m8",
                                                 "zbv_p4_m12",
                                                 "zbv_p8_m16"};

std::string stem(const Shape& shape) {
  return "interleaved1f1b_p" + std::to_string(shape.ranks) + "_m" + std::to_string(shape.microbatches) +
         "_v" + std::to_string(shape.chunks);
}

/// F = 1, B = 2 and I = W = 1 per chunk.
BareCosts unit_costs(int chunks) {
  BareCosts costs;
  costs.forward = chunks;
  costs.backward = 2 * chunks;
  costs.backward_input = chunks;
  costs.backward_weight = chunks;
  return costs;
}

class PyTorchConformance : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!read_pytorch_file("zbv_p2_m4.compute.csv")) {
      GTEST_SKIP() << "the reference lists of PyTorch are not beside this checkout";
    }
  }
};

TEST_F(PyTorchConformance, InterleavedGivesTheSameLists) {
  for (const Shape& shape : kInterleaved) {
    const auto file = read_pytorch_file(stem(shape) + ".compute.csv");
    ASSERT_TRUE(file) << stem(shape);
    const Schedule schedule = generate(
        "interleaved", {.ranks = shape.ranks, .microbatches = shape.microbatches, .chunks = shape.chunks});
    EXPECT_EQ(schedule.actions, file->actions) << stem(shape);
    EXPECT_EQ(schedule.rank_of_stage, file->rank_of_stage) << stem(shape);
  }
}

TEST_F(PyTorchConformance, InterleavedTakesTheTimeOfTheReferenceChecker) {
  for (const Shape& shape : kInterleaved) {
    const Schedule schedule = generate(
        "interleaved", {.ranks = shape.ranks, .microbatches = shape.microbatches, .chunks = shape.chunks});
    EXPECT_EQ(run_bare(schedule, unit_costs(shape.chunks), Communication::independent).result.makespan,
              shape.makespan);
  }
}

TEST_F(PyTorchConformance, InsertionPutsSendsAndReceivesAtTheSamePlaces) {
  std::vector<std::string> stems(kOthers.begin(), kOthers.end());
  for (const Shape& shape : kInterleaved) {
    stems.push_back(stem(shape));
  }
  for (const std::string& name : stems) {
    const auto compute = read_pytorch_file(name + ".compute.csv");
    const auto comms = read_pytorch_file(name + ".comms.csv");
    ASSERT_TRUE(compute && comms) << name;
    EXPECT_TRUE(validate(*comms).empty()) << name;
    EXPECT_EQ(insert_communication(*compute).actions, comms->actions) << name;
  }
}

TEST_F(PyTorchConformance, EveryListRunsWhenMessagesBlock) {
  for (const char* name : kOthers) {
    const auto file = read_pytorch_file(std::string(name) + ".comms.csv");
    ASSERT_TRUE(file) << name;
    EXPECT_NO_THROW(static_cast<void>(run_bare(*file, unit_costs(file->chunks), Communication::blocking)))
        << name;
  }
}

/// Makespans of lists with communication and transfers that take no time: independent, one stream per peer,
/// per rank.
TEST_F(PyTorchConformance, InOrderStreamsCostWhatTheReferenceCheckerSays) {
  struct Row {
    const char* name;
    std::array<int, 3> makespans;
  };

  for (const Row& row :
       {Row{"interleaved1f1b_p4_m8_v2", {57, 57, 70}}, Row{"interleaved1f1b_p8_m16_v2", {117, 117, 172}},
        Row{"loopedbfs_p4_m8_v2", {57, 57, 77}}, Row{"zbv_p4_m8", {51, 51, 55}}}) {
    const auto file = read_pytorch_file(std::string(row.name) + ".comms.csv");
    ASSERT_TRUE(file) << row.name;
    const auto makespan = [&](Communication communication) {
      return run_bare(*file, unit_costs(file->chunks), communication).result.makespan;
    };
    EXPECT_EQ(makespan(Communication::independent), row.makespans[0]) << row.name;
    EXPECT_EQ(makespan(Communication::per_peer), row.makespans[1]) << row.name;
    EXPECT_EQ(makespan(Communication::per_rank), row.makespans[2]) << row.name;
    EXPECT_EQ(list_makespan(*file, {}), row.makespans[0]) << row.name;
  }
}

}  // namespace
}  // namespace makespan::test
