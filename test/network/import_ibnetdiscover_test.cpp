#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/import.h"
#include "network/import_rates.h"
#include "test/network/import_fixture.h"

namespace makespan {
namespace {

using test::data;
using test::link;
using test::names;
using test::replaced;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

GraphSpec import(const std::string& text) {
  return import_ibnetdiscover(text, "fabric.out");
}

std::string error_of(const std::string& text) {
  return test::error_of([&] { return import(text); });
}

TEST(Ibnetdiscover, switches_have_names_and_tiers) {
  const GraphSpec graph = import(data("two_tiers.ibnetdiscover"));
  EXPECT_THAT(names(graph, VertexKind::fabric_switch), ElementsAre("leaf1", "leaf2", "spine1", "spine2"));
  EXPECT_EQ(test::vertex(graph, "leaf1").tier, 1);
  EXPECT_EQ(test::vertex(graph, "leaf2").tier, 1);
  EXPECT_EQ(test::vertex(graph, "spine1").tier, 2) << "the aggregation node on it does not make it a leaf";
  EXPECT_EQ(test::vertex(graph, "spine2").tier, 2);
}

TEST(Ibnetdiscover, adapters_carry_the_names_of_their_hosts) {
  const GraphSpec graph = import(data("two_tiers.ibnetdiscover"));
  EXPECT_THAT(names(graph, VertexKind::nic), ElementsAre("node01 mlx5_0", "node01 mlx5_10", "node02 mlx5_0",
                                                         "node02 mlx5_10", "node03 mlx5_0", "node03 mlx5_10",
                                                         "node04 mlx5_0", "node04 mlx5_10", "node09 mlx5_0"));
  EXPECT_EQ(test::vertex(graph, "node02 mlx5_10").node, "node02");
  EXPECT_EQ(link(graph, "node02 mlx5_10", "leaf2")->kind, LinkKind::nic);
  EXPECT_EQ(link(graph, "node02 mlx5_10", "leaf2")->bandwidth, network_rate(400e9));
  EXPECT_EQ(link(graph, "node09 mlx5_0", "leaf2")->bandwidth, network_rate(100e9));
}

TEST(Ibnetdiscover, cables_between_the_same_switches_are_one_link) {
  const GraphSpec graph = import(data("two_tiers.ibnetdiscover"));
  EXPECT_EQ(link(graph, "leaf1", "spine2")->cables, 2U);
  EXPECT_EQ(link(graph, "leaf1", "spine2")->kind, LinkKind::leaf_spine);
  EXPECT_DOUBLE_EQ(link(graph, "leaf1", "spine2")->bandwidth, 2 * network_rate(400e9));
  EXPECT_DOUBLE_EQ(link(graph, "leaf2", "spine2")->bandwidth, network_rate(400e9) + network_rate(200e9));
  EXPECT_EQ(graph.links.size(), 9U + 4);
}

TEST(Ibnetdiscover, what_is_left_out_is_named) {
  EXPECT_THAT(
      import(data("two_tiers.ibnetdiscover")).warnings,
      ElementsAre(HasSubstr("SHARP aggregation nodes are left out"),
                  HasSubstr("does not name a host are left out (1): H-00000000feed0016 (on leaf1 port 9)"),
                  HasSubstr("hosts differ in their number of adapters: 1 with 1, 4 with 2"),
                  HasSubstr("nic cables are slower than most (1): leaf2 port 9 at 2xHDR"),
                  HasSubstr("leaf-spine cables are slower than most (1): leaf2 port 36 at 4xHDR")));
}

TEST(Ibnetdiscover, an_adapter_without_host_still_shows_a_leaf) {
  const std::string text = data("two_tiers.ibnetdiscover");
  std::string nameless = text;
  for (const char* host : {"node01 mlx5_0", "node02 mlx5_0", "node03 mlx5_0", "node04 mlx5_0"}) {
    nameless = replaced(replaced(nameless, host, "localhost mlx5_0"), host, "localhost mlx5_0");
  }
  const GraphSpec graph = import(nameless);
  EXPECT_EQ(test::vertex(graph, "leaf1").tier, 1);
  EXPECT_EQ(test::vertex(graph, "spine1").tier, 2);
  EXPECT_EQ(names(graph, VertexKind::nic).size(), 5U);
}

TEST(Ibnetdiscover, a_host_name_that_several_hosts_have_is_left_out) {
  std::string text = data("two_tiers.ibnetdiscover");
  text = replaced(replaced(text, "node03 mlx5_0", "node01 mlx5_0"), "node03 mlx5_0", "node01 mlx5_0");
  const GraphSpec graph = import(text);
  EXPECT_THAT(graph.warnings, Contains(HasSubstr("several hosts have them (1): node01")));
  EXPECT_THAT(names(graph, VertexKind::nic), Not(Contains(HasSubstr("node01"))));
}

TEST(Ibnetdiscover, switches_of_one_name_keep_longer_ones) {
  std::string text = data("two_tiers.ibnetdiscover");
  for (std::size_t at = text.find("leaf2:"); at != std::string::npos; at = text.find("leaf2:")) {
    text.replace(at, 6, "leaf1:");
  }
  EXPECT_THAT(names(import(text), VertexKind::fabric_switch),
              ElementsAre("S-00000000feed0000", "S-00000000feed0001", "spine1", "spine2"));
}

/// A switch with `ports` (lines) and the adapters that they name.
const std::string kChassis =
    "# chassis, routers and old speeds\n"
    "\nChassis 1 (guid 0x1)\n\n# Spine Nodes\nvendid=0x2c9\nswitchguid=0x1(1)\t# ISR9024 slot 1\n"
    "Switch\t24 \"S-1\"\t\t# \"sw a\" base port 0 lid 1 lmc 0\n"
    "[1][ext 13]\t\"H-2\"[1](2) \t\t# \"n1 mlx4_0\" lid 2 4xQDR s=4 w=2 v=4\n"
    "[2]\t\"R-3\"[1](3) \t\t# \"rt\" lid 3 4xQDR\n"
    "[3]\t\"S-1\"[4]\t\t# \"sw a\" lid 1 4xQDR\n"
    "[4]\t\"S-1\"[3]\t\t# \"sw a\" lid 1 4xQDR\n"
    "\nNon-Chassis Nodes\n"
    "\ncaguid=0x2\nCa\t2 \"H-2\"\t\t# \"n1 mlx4_0\"\n"
    "[1](2) \t\"S-1\"[1][ext 13]\t\t# lid 2 lmc 0 \"sw a\" lid 1 4xQDR\n"
    "\ncaguid=0x4\nCa\t2 \"H-4\"\t\t# \"n2 mlx4_0\"\n"
    "\nrtguid=0x3\nRt\t2 \"R-3\"\t\t# \"rt\"\n"
    "[1](3) \t\"S-1\"[2]\t\t# lid 3 lmc 0 \"sw a\" lid 1 4xQDR\n";

TEST(Ibnetdiscover, chassis_routers_and_loops_are_read) {
  const GraphSpec graph = import(kChassis);
  EXPECT_EQ(link(graph, "n1 mlx4_0", "sw a")->bandwidth, network_rate(32e9));
  EXPECT_EQ(graph.vertices.size(), 2U);
  EXPECT_EQ(graph.links.size(), 1U);
  EXPECT_THAT(
      graph.warnings,
      ElementsAre(HasSubstr("routers are left out (1): R-3"),
                  HasSubstr("without cables are left out (1): H-4"),
                  HasSubstr("lead back to the same switch or from adapter to adapter (2): sw a port 3")));
}

TEST(Ibnetdiscover, carriage_returns_change_nothing) {
  std::string text;
  for (const char letter : data("two_tiers.ibnetdiscover")) {
    text += letter == '\n' ? std::string("\r\n") : std::string(1, letter);
  }
  EXPECT_EQ(import(text).links.size(), import(data("two_tiers.ibnetdiscover")).links.size());
}

TEST(Ibnetdiscover, faults_are_shown_where_they_are) {
  const std::string text = data("two_tiers.ibnetdiscover");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {replaced(text, "4xNDR", "4xNDX"), "fabric.out:11:58: found ' lid 5 4xNDX'"},
      {replaced(text, "4xNDR", ""), "fabric.out:11:58: found ' lid 5 '"},
      {replaced(text, "[1]\t", "[66]\t"), "fabric.out:11:2: found '66]"},
      {replaced(text, "[2]\t", "[1]\t"), "fabric.out:12:1: port 1 of 'S-00000000feed0000' is there twice"},
      {replaced(text, "\"H-00000000feed000a\"[1]", "\"H-00000000feed000a\"[2]"),
       "fabric.out:11:1: port 2 of 'H-00000000feed000a' does not lead back here"},
      {replaced(text, "\"H-00000000feed000a\"[1]", "\"H-00000000feed99\"[1]"),
       "fabric.out:11:6: nothing in the file describes 'H-00000000feed99'"},
      {replaced(text, "\"H-00000000feed000a\"[1]", "\"X-1\"[1]"), "fabric.out:11:6: found 'X-1\"[1]"},
      {replaced(text, "Switch\t65", "Switch\tmany"), "fabric.out:10:8: found 'many"},
      {replaced(text, "Switch\t65", "Svitch\t65"), "fabric.out:10:1: found 'Svitch"},
      {replaced(text, "Switch\t65", "Ca\t65"), "fabric.out:10:8: 'S-00000000feed0000' for this kind"},
      {replaced(text, "enhanced", "\x01"), "fabric.out:10:58: the control character 0x01"},
      {replaced(replaced(replaced(text, "\"S-00000000feed0002\"[1]", "\"S-00000000feed0002\"[9]"),
                         "\"S-00000000feed0002\"[2]", "\"S-00000000feed0002\"[1]"),
                "\"S-00000000feed0002\"[9]", "\"S-00000000feed0002\"[2]"),
       "fabric.out:16:1: port 2 of 'S-00000000feed0002' does not lead back here"},
      {text.substr(0, text.rfind("Ca\t1")), "fabric.out:"},
      {text.substr(0, text.size() / 2), "fabric.out:"},
      {"", "fabric.out:1:1: no channel adapter that is described as 'HOST HCA'"},
      {"[1]\t\"S-1\"[1]\t# \"a\" lid 1 4xNDR\n", "fabric.out:1:1: found '[1]"},
  };
  for (const auto& [broken, message] : cases) {
    EXPECT_THAT(error_of(broken), StartsWith(message));
    EXPECT_THAT(error_of(broken), HasSubstr("\n  hint: "));
  }
}

TEST(Ibnetdiscover, no_cut_goes_unnoticed) {
  const std::string text = data("two_tiers.ibnetdiscover");
  const std::size_t last = text.rfind("Ca\t1");
  for (std::size_t size = 0; size < last; size += 7) {
    EXPECT_NE(error_of(text.substr(0, size)), "accepted") << size;
  }
}

TEST(Ibnetdiscover, a_single_switch_is_a_leaf) {
  const GraphSpec graph = import(
      "Switch\t4 \"S-1\"\t# \"\" base port 0 lid 1 lmc 0\n[1]\t\"H-2\"[1](2)\t# \"n1 HCA-1\" lid 2 4xEDR\n"
      "Ca\t1 \"H-2\"\t# \"n1 HCA-1\"\n[1](2)\t\"S-1\"[1]\t# lid 2 lmc 0 \"\" lid 1 4xEDR\n");
  EXPECT_EQ(test::vertex(graph, "S-1").tier, 1);
  EXPECT_THAT(graph.warnings, IsEmpty());
}

}  // namespace
}  // namespace makespan
