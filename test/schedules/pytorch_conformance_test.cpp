// Against lists that PyTorch's and sail-sg's own generators and lowering gave.
#include <array>
#include <gtest/gtest.h>
#include <string>

#include "schedules/bare.h"
#include "schedules/catalogue.h"
#include "schedules/communication.h"
#include "schedules/schedule_file.h"
#include "schedules/validate.h"
#include "test/schedules/list_oracle.h"
#include "test/schedules/pytorch_files.h"

namespace makespan::test {
namespace {

/// A generated list with what the reference's independent checker says of it, F = I = W = 1 per stage.
struct Generated {
  const char* stem;
  const char* kind;
  int ranks;
  int microbatches;
  int chunks;
  int makespan;
  int idle;  ///< longest span - work
  int peak;
};

constexpr std::array<Generated, 24> kGenerated = {{
    {"interleaved1f1b_p2_m4_v2", "interleaved", 2, 4, 2, 27, 3, 5},
    {"interleaved1f1b_p4_m4_v2", "interleaved", 4, 4, 2, 33, 9, 8},
    {"interleaved1f1b_p4_m8_v2", "interleaved", 4, 8, 2, 57, 9, 11},
    {"interleaved1f1b_p4_m8_v3", "interleaved", 4, 8, 3, 81, 9, 15},
    {"interleaved1f1b_p4_m10_v2", "interleaved", 4, 10, 2, 69, 9, 12},
    {"interleaved1f1b_p4_m3_v2", "interleaved", 4, 3, 2, 30, 12, 6},
    {"interleaved1f1b_p3_m6_v2", "interleaved", 3, 6, 2, 42, 6, 8},
    {"interleaved1f1b_p8_m16_v2", "interleaved", 8, 16, 2, 117, 21, 23},
    {"loopedbfs_p2_m3_v2", "looped-bfs", 2, 3, 2, 21, 3, 6},
    {"loopedbfs_p4_m8_v2", "looped-bfs", 4, 8, 2, 57, 9, 16},
    {"interleavedzerobubble_p2_m8_v2", "interleaved-zb", 2, 8, 2, 49, 1, 4},
    {"interleavedzerobubble_p4_m8_v1", "interleaved-zb", 4, 8, 1, 27, 3, 4},
    {"interleavedzerobubble_p4_m12_v1", "interleaved-zb", 4, 12, 1, 39, 3, 4},
    {"interleavedzerobubble_p4_m8_v2", "interleaved-zb", 4, 8, 2, 51, 3, 8},
    {"interleavedzerobubble_p8_m16_v1", "interleaved-zb", 8, 16, 1, 55, 7, 8},
    {"zbv_p2_m4", "zb-v", 2, 4, 2, 25, 0, 4},
    {"zbv_p4_m3", "zb-v", 4, 3, 2, 26, 8, 6},
    {"zbv_p4_m8", "zb-v", 4, 8, 2, 51, 0, 8},
    {"zbv_p4_m12", "zb-v", 4, 12, 2, 75, 0, 8},
    {"zbv_p8_m16", "zb-v", 8, 16, 2, 103, 0, 16},
    {"dualpipev_p2_m4", "dualpipev", 2, 4, 2, 26, 2, 5},
    {"dualpipev_p4_m8", "dualpipev", 4, 8, 2, 54, 6, 9},
    {"dualpipev_p4_m10", "dualpipev", 4, 10, 2, 66, 6, 9},
    {"dualpipev_p8_m20", "dualpipev", 8, 20, 2, 134, 14, 17},
}};

Schedule generated(const Generated& shape) {
  return generate(shape.kind,
                  {.ranks = shape.ranks, .microbatches = shape.microbatches, .chunks = shape.chunks});
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

std::string text_of(const std::string& name) {
  const std::optional<std::string> text = read_reference_file(name);
  EXPECT_TRUE(text) << name;
  return text.value_or("0F0");
}

Schedule file(const std::string& name) {
  return read_schedule_csv(text_of(name), name);
}

class PyTorchConformance : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!read_reference_file("generated/zbv_p2_m4.compute.csv")) {
      GTEST_SKIP() << "the reference lists of PyTorch are not beside this checkout";
    }
  }
};

TEST_F(PyTorchConformance, GeneratorsGiveTheSameLists) {
  for (const Generated& shape : kGenerated) {
    const Schedule expected = file(std::string("generated/") + shape.stem + ".compute.csv");
    const Schedule schedule = generated(shape);
    EXPECT_EQ(write_schedule_csv(schedule), write_schedule_csv(expected)) << shape.stem;
    EXPECT_EQ(schedule.rank_of_stage, expected.rank_of_stage) << shape.stem;
    EXPECT_EQ(schedule.chunks, expected.chunks) << shape.stem;
  }
}

TEST_F(PyTorchConformance, ListsTakeTheTimeOfTheReferenceChecker) {
  for (const Generated& shape : kGenerated) {
    for (const char* form : {".compute.csv", ".comms.csv"}) {
      const Schedule list = file(std::string("generated/") + shape.stem + form);
      EXPECT_TRUE(validate(list).empty()) << shape.stem;
      const BareResult result = run_bare(list, unit_costs(shape.chunks), Communication::independent).result;
      EXPECT_EQ(result.makespan, shape.makespan) << shape.stem << form;
      EXPECT_EQ(result.max_span - result.work, shape.idle) << shape.stem << form;
      EXPECT_EQ(*std::max_element(result.peak_activations.begin(), result.peak_activations.end()), shape.peak)
          << shape.stem << form;
    }
  }
}

TEST_F(PyTorchConformance, LoweringGivesTheSameListsByteForByte) {
  for (const Generated& shape : kGenerated) {
    EXPECT_EQ(write_schedule_csv(insert_communication(generated(shape), WeightSteps::keep)),
              write_schedule_csv(file(std::string("generated/") + shape.stem + ".comms.csv")))
        << shape.stem;
  }
}

TEST_F(PyTorchConformance, EveryListRunsWhenMessagesBlock) {
  for (const Generated& shape : kGenerated) {
    const Schedule list = file(std::string("generated/") + shape.stem + ".comms.csv");
    EXPECT_NO_THROW(static_cast<void>(run_bare(list, unit_costs(shape.chunks), Communication::blocking)))
        << shape.stem;
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
        Row{"loopedbfs_p4_m8_v2", {57, 57, 77}}, Row{"zbv_p4_m8", {51, 51, 55}},
        Row{"dualpipev_p4_m10", {66, 66, 88}}}) {
    const Schedule list = file(std::string("generated/") + row.name + ".comms.csv");
    const auto makespan = [&](Communication communication) {
      return run_bare(list, unit_costs(list.chunks), communication).result.makespan;
    };
    EXPECT_EQ(makespan(Communication::independent), row.makespans[0]) << row.name;
    EXPECT_EQ(makespan(Communication::per_peer), row.makespans[1]) << row.name;
    EXPECT_EQ(makespan(Communication::per_rank), row.makespans[2]) << row.name;
  }
}

TEST_F(PyTorchConformance, UpstreamArtifactsAndTheirOldDialectAreOneSchedule) {
  for (const std::string stem : {"zb1p_2rank_2stagep_compute", "zb1p_2rank_2stagep_comms"}) {
    EXPECT_EQ(file("upstream/" + stem + ".legacy.csv").actions.size(), 2U);
    const Schedule current = file("upstream/" + stem + ".csv");
    const Schedule old = file("upstream/" + stem + ".legacy.csv");
    EXPECT_TRUE(validate(current).empty());
    EXPECT_TRUE(validate(old).empty());
    EXPECT_EQ(run_bare(current, unit_costs(2), Communication::independent).result.makespan,
              run_bare(old, unit_costs(2), Communication::independent).result.makespan);
  }
  const std::string compute = write_schedule_csv(file("upstream/zb1p_2rank_2stagep_compute.csv"));
  EXPECT_EQ(write_schedule_csv(generate("interleaved-zb", {.ranks = 2, .microbatches = 8, .chunks = 2})),
            compute);
  EXPECT_EQ(write_schedule_csv(file("upstream/zb1p_2rank_2stagep_compute.legacy.csv")), compute);
  EXPECT_EQ(write_schedule_csv(generate("dualpipev", {.ranks = 4, .microbatches = 10})),
            text_of("upstream/dualpipev_4rank_10mb.csv"));
}

TEST_F(PyTorchConformance, VHalfAndVMinAreSailsOrders) {
  struct Row {
    int ranks;
    int microbatches;
    int v_min;  ///< makespans at F = I = W = 1
    int v_half;
  };

  for (const Row& row : {Row{4, 8, 59, 53}, Row{5, 10, 75, 71}, Row{6, 12, 89, 83}, Row{8, 16, 123, 113}}) {
    for (const std::string kind : {"v-min", "v-half"}) {
      const std::string name = (kind == "v-min" ? "sail/v_min_p" : "sail/v_half_p") +
                               std::to_string(row.ranks) + "_m" + std::to_string(row.microbatches) + ".csv";
      const Schedule expected = file(name);
      const Schedule schedule = generate(kind, {.ranks = row.ranks, .microbatches = row.microbatches});
      EXPECT_EQ(write_schedule_csv(schedule), write_schedule_csv(expected)) << name;
      EXPECT_EQ(run_bare(expected, unit_costs(2), Communication::independent).result.makespan,
                kind == "v-min" ? row.v_min : row.v_half)
          << name;
    }
  }
}

}  // namespace
}  // namespace makespan::test
