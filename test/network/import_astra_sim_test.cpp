#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/import.h"
#include "test/network/import_fixture.h"

namespace makespan {
namespace {

using test::count_links;
using test::data;
using test::link;
using test::names;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

GraphSpec import(const std::string& text) {
  return import_astra_sim(text, "network.yml");
}

std::string error_of(const std::string& text) {
  return test::error_of([&] { return import(text); });
}

GraphSpec one_dimension(const std::string& kind, int npus) {
  return astra_sim_graph({{kind, npus, 50, 500}}, {"network.yml", 1, 1});
}

TEST(AstraSim, dimensions_multiply_the_first_varying_fastest) {
  const GraphSpec graph = import(data("network.yml"));
  EXPECT_EQ(names(graph, VertexKind::gpu).size(), 4U * 3);
  EXPECT_THAT(names(graph, VertexKind::nvswitch), ElementsAre("switch0", "switch1", "switch2"));
  EXPECT_EQ(link(graph, "gpu5", "switch1")->bandwidth, 300e9);
  EXPECT_EQ(link(graph, "gpu5", "switch1")->kind, LinkKind::nvlink);
  EXPECT_EQ(link(graph, "gpu1", "gpu5")->bandwidth, 25e9);
  EXPECT_EQ(link(graph, "gpu1", "gpu9")->kind, LinkKind::ici);
  EXPECT_FALSE(link(graph, "gpu1", "gpu2"));
  EXPECT_EQ(graph.links.size(), 12U + 12);
  EXPECT_THAT(graph.warnings, ElementsAre(HasSubstr("one node"), HasSubstr("latencies are not used")));
}

TEST(AstraSim, kinds_have_the_links_of_their_names) {
  EXPECT_EQ(one_dimension("Ring", 8).links.size(), 8U);
  EXPECT_EQ(one_dimension("Ring", 2).links.size(), 1U);
  EXPECT_EQ(one_dimension("Ring", 1).links.size(), 0U);
  EXPECT_EQ(one_dimension("FullyConnected", 8).links.size(), 8U * 7 / 2);
  EXPECT_EQ(one_dimension("Switch", 8).links.size(), 8U);
}

TEST(AstraSim, faults_are_shown_where_they_are) {
  const std::string rest = "npus_count: [ 8 ]\nbandwidth: [ 50.0 ]\nlatency: [ 500 ]\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"topology: [ Rnig ]\n" + rest,
       "network.yml:1:1: topology: there is no kind 'Rnig'\n  hint: did you mean 'Ring'?"},
      {"topology: [ Ring, Ring ]\n" + rest,
       "network.yml:2:15: npus_count: has 1 value\n  hint: 2, as topology has"},
      {rest, "network.yml:4:1: topology: is missing"},
      {"topology: Ring\n" + rest, "network.yml:1:1: topology: is not a list on one line"},
      {"topology: [ Ring\n" + rest, "network.yml:1:1: topology: is not a list on one line"},
      {"topology: [ ]\n" + rest, "network.yml:1:12: topology: has ' ' in its list"},
      {"topology: [ Ring, ]\n" + rest, "network.yml:1:18: topology: has ' ' in its list"},
      {"topologies: [ Ring ]\n" + rest, "network.yml:1:1: there is no key 'topologies'"},
      {"topology\n" + rest, "network.yml:1:1: topology: is not a list on one line"},
      {"topology: [ Ring ]\n" + rest + "latency: [ 1 ]\n", "network.yml:5:1: latency: is there twice"},
      {"topology: [ Ring ]\nnpus_count: [ 2.5 ]\nbandwidth: [ 1 ]\nlatency: [ 1 ]",
       "network.yml:2:15: npus_count: '2.5' NPUs"},
      {"topology: [ Ring ]\nnpus_count: [ 2048 ]\nbandwidth: [ 1 ]\nlatency: [ 1 ]",
       "network.yml:1:1: npus_count: 2048 NPUs"},
      {"topology: [ Ring ]\nnpus_count: [ 2 ]\nbandwidth: [ 1e3 ]\nlatency: [ 1 ]",
       "network.yml:3:14: bandwidth: '1e3' is no number"},
      {"topology: [ Ring ]\nnpus_count: [ 2 ]\nbandwidth: [ 0 ]\nlatency: [ 1 ]",
       "network.yml:1:1: bandwidth: is out of range"},
      {"topology: [ Ring, Ring ]\nnpus_count: [ 1024, 1024 ]\nbandwidth: [ 1, 1 ]\nlatency: [ 1, 1 ]",
       "network.yml:1:1: npus_count: is out of range"},
      {"", "network.yml:1:1: topology: is missing"},
  };
  for (const auto& [broken, message] : cases) {
    EXPECT_THAT(error_of(broken), StartsWith(message)) << broken;
    EXPECT_THAT(error_of(broken), HasSubstr("\n  hint: "));
  }
}

}  // namespace
}  // namespace makespan
