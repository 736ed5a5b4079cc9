#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>

#include "core/error.h"
#include "network/analysis.h"
#include "network/fabrics.h"
#include "network/routing.h"

namespace makespan {
namespace {

using testing::HasSubstr;

struct Slice {
  std::vector<int> dimensions;
  bool wrap;

  [[nodiscard]] int chips() const {
    return std::accumulate(dimensions.begin(), dimensions.end(), 1, std::multiplies<>());
  }
};

std::string name_of(const testing::TestParamInfo<Slice>& info) {
  std::string name = info.param.wrap ? "torus" : "mesh";
  for (const int length : info.param.dimensions) {
    name += "_" + std::to_string(length);
  }
  return name;
}

/// Position along each axis.
std::vector<int> coordinates(const Slice& slice, std::size_t chip) {
  std::vector<int> result;
  for (const int length : slice.dimensions) {
    result.push_back(static_cast<int>(chip) % length);
    chip /= static_cast<std::size_t>(length);
  }
  return result;
}

int distance(const Slice& slice, std::size_t axis, int from, int to) {
  const int along = std::abs(from - to);
  return slice.wrap ? std::min(along, slice.dimensions[axis] - along) : along;
}

Topology build(const Slice& slice) {
  return build_cluster(find_node("tpu-v5p"), slice.chips(),
                       {.kind = "torus", .dimensions = slice.dimensions, .wrap = slice.wrap});
}

class Torus : public testing::TestWithParam<Slice> {};

TEST_P(Torus, HasAsManyLinksAsItsAxesSay) {
  const Slice& slice = GetParam();
  int expected = 0;
  for (const int length : slice.dimensions) {
    // An axis of k has k - 1 links, one more around it; of two chips one.
    const int links = slice.wrap && length > 2 ? length : length - 1;
    expected += slice.chips() / length * links;
  }
  const Inventory counts = inventory(build(slice));
  EXPECT_EQ(counts.gpus, static_cast<std::size_t>(slice.chips()));
  EXPECT_EQ(counts.nodes, 1U);
  EXPECT_EQ(counts.cables.at(LinkKind::ici), static_cast<std::uint64_t>(expected));
}

TEST_P(Torus, RoutesOfAllPairsAreTheShortestAndGoAxisByAxis) {
  const Slice& slice = GetParam();
  const Topology topology = build(slice);
  Router router(topology);
  for (std::size_t from = 0; from < topology.gpu_count(); ++from) {
    for (std::size_t to = 0; to < topology.gpu_count(); ++to) {
      const std::vector<int> a = coordinates(slice, from);
      const std::vector<int> b = coordinates(slice, to);
      std::size_t expected = 0;
      for (std::size_t axis = 0; axis < a.size(); ++axis) {
        expected += static_cast<std::size_t>(distance(slice, axis, a[axis], b[axis]));
      }
      const Path path = router.path(from, to);
      ASSERT_EQ(path.uses.size(), expected);
      std::size_t at = topology.gpus()[from].vertex;
      std::size_t last_axis = 0;
      for (const Use& use : path.uses) {
        const Link& link = topology.link(use.resource);
        ASSERT_EQ(link.from, at);
        const std::vector<int> here = coordinates(slice, topology.vertex(link.from).local);
        const std::vector<int> there = coordinates(slice, topology.vertex(link.to).local);
        const auto axis = static_cast<std::size_t>(
            std::mismatch(here.begin(), here.end(), there.begin()).first - here.begin());
        ASSERT_GE(axis, last_axis);
        last_axis = axis;
        at = link.to;
      }
      ASSERT_EQ(at, topology.gpus()[to].vertex);
    }
  }
}

TEST_P(Torus, BisectionIsThatOfTheLastAxis) {
  const Slice& slice = GetParam();
  const int last = slice.dimensions.back();
  if (last % 2 == 0) {
    const int cuts = slice.wrap && last > 2 ? 2 : 1;
    EXPECT_DOUBLE_EQ(bisection_bandwidth(build(slice)),
                     cuts * slice.chips() / last * find_node("tpu-v5p").nvlink);
  }
}

TEST_P(Torus, DiameterIsTheSumOverTheAxes) {
  const Slice& slice = GetParam();
  int expected = 0;
  for (const int length : slice.dimensions) {
    expected += slice.wrap ? length / 2 : length - 1;
  }
  const Diameter found = diameter(build(slice));
  EXPECT_EQ(found.gpus, expected);
  EXPECT_TRUE(found.connected);
}

INSTANTIATE_TEST_SUITE_P(Slices, Torus,
                         testing::Values(Slice{{6}, true}, Slice{{6}, false}, Slice{{4, 4}, true},
                                         Slice{{5, 2}, true}, Slice{{3, 4}, false}, Slice{{4, 4, 4}, true},
                                         Slice{{2, 3, 4}, true}, Slice{{2, 2, 2}, false}),
                         name_of);

TEST(Tpu, V4PodHasThePublishedBisection) {
  // Google: 24 TB/s for a pod of 4096 chips, 16 x 16 x 16; at line rate, 50 GB/s per link, 2 x 16 x 16 links.
  const Topology topology =
      build_cluster(find_node("tpu-v4"), 4096, {.kind = "torus", .link = 50e9, .dimensions = {16, 16, 16}});
  EXPECT_DOUBLE_EQ(bisection_bandwidth(topology), 2 * 16 * 16 * 50e9);
  EXPECT_NEAR(bisection_bandwidth(topology) / 24e12, 1, 0.07);
}

TEST(Torus, RemembersItsAxes) {
  const Topology topology = build({{2, 3}, false});
  EXPECT_EQ(topology.dimensions(), (std::vector<int>{2, 3}));
  EXPECT_FALSE(topology.wraps());
}

TEST(Torus, ThatDoesNotFitIsRefused) {
  const auto refusal = [](const char* node, int count, const FabricSpec& fabric) -> std::string {
    try {
      (void)build_cluster(find_node(node), count, fabric);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal("tpu-v4", 8, {.kind = "torus", .dimensions = {2, 3}}), HasSubstr("product"));
  EXPECT_THAT(refusal("tpu-v4", 8, {.kind = "torus", .dimensions = {2, -4}}), HasSubstr("from 1 to 8"));
  EXPECT_THAT(refusal("tpu-v4", 8, {.kind = "torus"}), HasSubstr("from 1 to 3"));
  EXPECT_THAT(refusal("dgx-h100", 8, {.kind = "torus", .dimensions = {8}}), HasSubstr("nodes of one chip"));
  EXPECT_THAT(refusal("tpu-v4", 8, {.kind = "star"}), HasSubstr("without NICs"));
}

}  // namespace
}  // namespace makespan
