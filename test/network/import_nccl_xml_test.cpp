#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/import.h"
#include "network/import_rates.h"
#include "test/network/import_fixture.h"

namespace makespan {
namespace {

using test::count_links;
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

GraphSpec import(const std::string& text, const NcclXmlOptions& options = {}) {
  return import_nccl_xml(text, "node.xml", options);
}

std::string error_of(const std::string& text) {
  return test::error_of([&] { return import(text); });
}

TEST(NcclXml, a_dump_gives_devices_in_the_order_of_their_numbers) {
  const GraphSpec graph = import(data("node_dump.xml"));
  EXPECT_THAT(names(graph, VertexKind::gpu), ElementsAre("gpu0", "gpu1", "gpu2"));
  EXPECT_THAT(names(graph, VertexKind::nic), ElementsAre("mlx5_0", "mlx5_2", "mlx5_10"));
  EXPECT_THAT(names(graph, VertexKind::host), ElementsAre("cpu0", "cpu1"));
  EXPECT_THAT(names(graph, VertexKind::pcie_switch),
              ElementsAre("pcie 0000:10:00.0", "pcie 0000:20:00.0", "pcie 0000:80:00.0"));
  EXPECT_THAT(names(graph, VertexKind::nvswitch), ElementsAre("nvswitch"));
}

TEST(NcclXml, links_carry_what_lanes_and_links_of_the_file_do) {
  const GraphSpec graph = import(data("node_dump.xml"));
  EXPECT_EQ(link(graph, "gpu1", "pcie 0000:80:00.0")->bandwidth, *pcie_rate(32, 16));
  EXPECT_EQ(link(graph, "pcie 0000:80:00.0", "cpu1")->bandwidth, *pcie_rate(32, 16));
  EXPECT_EQ(link(graph, "cpu0", "cpu1")->bandwidth, 22e9);  // Sapphire Rapids
  for (const char* gpu : {"gpu0", "gpu1", "gpu2"}) {
    EXPECT_EQ(link(graph, gpu, "nvswitch")->cables, 9U + 9U);
    EXPECT_DOUBLE_EQ(link(graph, gpu, "nvswitch")->bandwidth, find_node("dgx-h100").nvlink);
  }
  EXPECT_EQ(test::vertex(graph, "mlx5_0").bandwidth, network_rate(400e9));
  EXPECT_EQ(test::vertex(graph, "mlx5_2").bandwidth, 2 * network_rate(200e9));
  EXPECT_EQ(test::vertex(graph, "mlx5_2").ports, 2);
  EXPECT_EQ(graph.links.size(), 3U * 2 + 3 + 1 + 3);  // GPUs and NICs, bridges, sockets, NVLink
}

TEST(NcclXml, what_is_left_out_is_named) {
  const GraphSpec graph = import(data("node_dump.xml"));
  EXPECT_THAT(
      graph.warnings,
      ElementsAre(HasSubstr("0000:31:00.0 (class '0x010802')"), HasSubstr("0000:32:00.0"),
                  HasSubstr("every GPU is nearer to another NIC (storage or management?): storage0")));
}

TEST(NcclXml, the_order_of_the_text_changes_nothing) {
  const std::string text = data("node_dump.xml");
  const std::size_t first = text.find("  <cpu");
  const std::size_t second = text.find("  <cpu", first + 1);
  const std::size_t end = text.find("</system>");
  const std::string swapped = text.substr(0, first) + text.substr(second, end - second) +
                              text.substr(first, second - first) + text.substr(end);
  const GraphSpec a = import(text);
  const GraphSpec b = import(swapped);
  ASSERT_EQ(a.vertices.size(), b.vertices.size());
  for (std::size_t v = 0; v < a.vertices.size(); ++v) {
    EXPECT_EQ(a.vertices[v].name, b.vertices[v].name);
  }
  EXPECT_EQ(a.links.size(), b.links.size());
}

TEST(NcclXml, a_providers_file_has_no_nvlink_of_its_own) {
  const GraphSpec graph = import(data("provider_8gpu.xml"));
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 0U);
  EXPECT_THAT(graph.warnings, Contains(HasSubstr("lists PCI devices and no NVLink")));
  // GPUs and NICs in the order of their bus addresses, which the text does not have.
  EXPECT_TRUE(link(graph, "gpu0", "pcie ffff:fe:01.0"));
  EXPECT_TRUE(link(graph, "gpu7", "pcie ffff:fe:08.0"));
  EXPECT_EQ(names(graph, VertexKind::nic).front(), "0201:00:00.0");
  EXPECT_EQ(test::vertex(graph, "0201:00:00.0").bandwidth, *pcie_rate(32, 16));
  EXPECT_THAT(graph.warnings, Contains(HasSubstr("NICs without a speed carry what their PCIe slot does")));
}

TEST(NcclXml, a_providers_file_takes_nvlink_and_nics_from_the_node_that_is_named) {
  const NodeSpec& node = find_node("dgx-h100");
  const GraphSpec graph = import(data("provider_8gpu.xml"), {.node = node});
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 8U);
  EXPECT_EQ(link(graph, "gpu5", "nvswitch")->bandwidth, node.nvlink);
  EXPECT_EQ(test::vertex(graph, "0203:00:00.0").bandwidth, node.nic);
  EXPECT_THAT(graph.warnings, Contains(HasSubstr("NVLink is that of dgx-h100")));

  NodeSpec other = node;
  other.gpus = 4;
  other.nics = 4;
  EXPECT_EQ(count_links(import(data("provider_8gpu.xml"), {.node = other}), LinkKind::nvlink), 0U);
}

TEST(NcclXml, a_node_that_is_named_does_not_change_a_dump) {
  const GraphSpec graph = import(data("node_dump.xml"), {.node = find_node("dgx-a100-80gb")});
  EXPECT_DOUBLE_EQ(link(graph, "gpu0", "nvswitch")->bandwidth, 18 * nvlink_rate(90));
  EXPECT_EQ(test::vertex(graph, "mlx5_0").bandwidth, network_rate(400e9));
}

TEST(NcclXml, rccl_writes_xgmi_and_speeds_in_kilobits) {
  const GraphSpec graph = import(data("xgmi_2gpu.xml"));
  EXPECT_EQ(link(graph, "gpu0", "gpu1")->kind, LinkKind::nvlink);
  EXPECT_EQ(link(graph, "gpu0", "gpu1")->bandwidth, xgmi_rate("942"));
  EXPECT_EQ(test::vertex(graph, "hsn1").bandwidth, network_rate(200e9));
  EXPECT_THAT(graph.warnings, ElementsAre(HasSubstr("taken for kb/s: hsn0 (200000000 Mb/s, line ")));
  EXPECT_TRUE(link(graph, "gpu0", "cpu1")) << "dev 0 is on the first processor of the text, NUMA node 1";
}

TEST(NcclXml, computers_of_one_nvlink_domain_are_told_apart) {
  const GraphSpec graph = import(data("c2c_2hosts.xml"));
  EXPECT_THAT(names(graph, VertexKind::host), ElementsAre("host0 cpu0", "host1 cpu0"));
  EXPECT_THAT(names(graph, VertexKind::gpu), ElementsAre("gpu0", "gpu1"));
  EXPECT_THAT(names(graph, VertexKind::nic), ElementsAre("host0 mlx5_0", "host1 mlx5_0"));
  EXPECT_EQ(count_links(graph, LinkKind::host), 0U) << "their sockets are not joined";
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 2U) << "their GPUs are, by one NVSwitch";
  EXPECT_THAT(graph.warnings, IsEmpty());
}

TEST(NcclXml, c2c_takes_the_place_of_a_slower_pcie_link) {
  const GraphSpec graph = import(data("c2c_2hosts.xml"));
  EXPECT_DOUBLE_EQ(link(graph, "gpu0", "host0 cpu0")->bandwidth, 10 * 44'712e6);
  EXPECT_FALSE(link(graph, "gpu0", "host0 pcie 0008:01:00.0"));
  // Bridges of one chip, which the file names twice, have one link that is never a bottleneck.
  EXPECT_EQ(link(graph, "host0 pcie 0008:01:00.0", "host0 pcie 0008:02:00.0")->bandwidth, kOnChipRate);
  EXPECT_EQ(count_links(graph, LinkKind::pcie), 2U * 5);
}

/// A node with two GPUs; `gpu0` and `gpu1` are what is inside their gpu elements.
std::string two_gpus(const std::string& gpu0, const std::string& gpu1, const std::string& more = {}) {
  const auto pci = [](const std::string& bus, const std::string& dev, const std::string& inside) {
    return "<pci busid=\"0000:0" + bus +
           ":00.0\" class=\"0x030200\" link_speed=\"16 GT/s\" link_width=\"16\"><gpu dev=\"" + dev +
           "\" sm=\"80\" rank=\"" + dev + "\" gdr=\"1\">" + inside + "</gpu></pci>";
  };
  return "<system version=\"1\">\n<cpu numaid=\"0\" arch=\"x86_64\" vendor=\"AuthenticAMD\" familyid=\"23\" "
         "modelid=\"1\">\n" +
         pci("1", "0", gpu0) + pci("2", "1", gpu1) + more + "\n</cpu>\n</system>\n";
}

std::string nvlink(const std::string& bus, int count) {
  return "<nvlink target=\"0000:0" + bus + ":00.0\" count=\"" + std::to_string(count) +
         "\" tclass=\"0x030200\"/>";
}

TEST(NcclXml, direct_nvlinks_are_stated_at_both_ends) {
  const GraphSpec graph = import(two_gpus(nvlink("2", 4), nvlink("1", 4)));
  EXPECT_EQ(link(graph, "gpu0", "gpu1")->cables, 4U);
  EXPECT_DOUBLE_EQ(link(graph, "gpu0", "gpu1")->bandwidth, 4 * nvlink_rate(80));
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 1U);
  EXPECT_THAT(graph.warnings, IsEmpty());
}

TEST(NcclXml, of_two_different_counts_the_lower_one_counts) {
  const GraphSpec uneven = import(two_gpus(nvlink("2", 4), nvlink("1", 3)));
  EXPECT_EQ(link(uneven, "gpu0", "gpu1")->cables, 3U);
  EXPECT_THAT(uneven.warnings,
              ElementsAre(HasSubstr("different counts; the lower one that is stated is taken: gpu0-gpu1")));
  const GraphSpec half = import(two_gpus(nvlink("2", 4), ""));
  EXPECT_EQ(link(half, "gpu0", "gpu1")->cables, 4U);
  EXPECT_THAT(half.warnings, ElementsAre(HasSubstr("gpu0-gpu1")));
}

TEST(NcclXml, nvlinks_to_itself_and_to_nowhere_are_named) {
  const GraphSpec graph = import(two_gpus(nvlink("1", 12), nvlink("7", 12)));
  EXPECT_EQ(count_links(graph, LinkKind::nvlink), 0U);
  EXPECT_THAT(graph.warnings, ElementsAre(HasSubstr("to itself are left out: gpu0"),
                                          HasSubstr("not in the file are left out: gpu1 to '0000:07:00.0'")));
}

TEST(NcclXml, links_without_speed_are_pcie_3_or_those_of_the_node) {
  const std::string text = replaced(two_gpus("", ""), "link_speed=\"16 GT/s\" link_width=\"16\"",
                                    "link_speed=\"\" link_width=\"0\"");
  EXPECT_EQ(link(import(text), "gpu0", "cpu0")->bandwidth, *pcie_rate(8, 16));
  EXPECT_THAT(import(text).warnings, Contains(HasSubstr("PCIe 3 x16, as NCCL assumes")));
  EXPECT_EQ(link(import(text, {.node = find_node("dgx-h100")}), "gpu0", "cpu0")->bandwidth,
            find_node("dgx-h100").pcie);
  EXPECT_EQ(link(import(text), "gpu1", "cpu0")->bandwidth, *pcie_rate(16, 16));
}

TEST(NcclXml, a_nic_without_device_hangs_on_its_socket) {
  const GraphSpec graph = import(two_gpus(
      "", "",
      "<nic><net name=\"eth0\" dev=\"0\" speed=\"100000\" port=\"0\" guid=\"0x0\" gdr=\"0\"/></nic>"));
  EXPECT_EQ(test::vertex(graph, "eth0").bandwidth, network_rate(100e9));
  EXPECT_EQ(link(graph, "eth0", "cpu0")->bandwidth, kOnChipRate);
  EXPECT_THAT(graph.warnings, ElementsAre(HasSubstr("without GPUDirect RDMA")));
}

/// A bridge of `device_class` with one NIC.
std::string bridge(const std::string& bus, const std::string& device_class, const std::string& nic) {
  return "<pci busid=\"0000:" + bus + ":00.0\" class=\"" + device_class +
         "\" link_speed=\"16 GT/s\" link_width=\"16\"><pci busid=\"0000:" + bus +
         ":01.0\" class=\"0x020700\" link_speed=\"16 GT/s\" link_width=\"16\"><nic><net name=\"" + nic +
         "\" dev=\"" + bus + "\" speed=\"200000\"/></nic></pci></pci>";
}

TEST(NcclXml, whatever_has_devices_below_is_a_bridge) {
  const GraphSpec graph = import(two_gpus("", "", bridge("10", "0x080100", "mlx5_0")));  // ConnectX-8
  EXPECT_TRUE(link(graph, "mlx5_0", "pcie 0000:10:00.0"));
}

TEST(NcclXml, bridges_of_nics_that_are_left_out_go_with_them) {
  const GraphSpec graph = import(two_gpus(
      "", "", bridge("10", "0x060400", "far") + "<nic><net name=\"near\" dev=\"0\" speed=\"1000\"/></nic>"));
  EXPECT_THAT(names(graph, VertexKind::nic), ElementsAre("near"));
  EXPECT_THAT(names(graph, VertexKind::pcie_switch), IsEmpty());
}

TEST(NcclXml, the_slower_of_two_different_sockets_counts) {
  for (const auto& [first, second] : {std::pair("143", "207"), std::pair("207", "143")}) {
    const auto cpu = [](const std::string& numa, const std::string& model) {
      return "<cpu numaid=\"" + numa +
             "\" arch=\"x86_64\" vendor=\"GenuineIntel\" familyid=\"6\" modelid=\"" + model +
             "\"><pci busid=\"" + numa + "\" class=\"0x030200\"/></cpu>";
    };
    const GraphSpec graph =
        import("<system version=\"1\">" + cpu("0", first) + cpu("1", second) + "</system>");
    EXPECT_EQ(link(graph, "cpu0", "cpu1")->bandwidth, 22e9);
  }
}

TEST(NcclXml, nics_that_nccl_fused_or_does_not_use_are_no_vertices) {
  const GraphSpec graph =
      import(two_gpus("", "",
                      "<nic><net name=\"a\" dev=\"0\" speed=\"100000\"/></nic><nic><net name=\"b\" dev=\"1\" "
                      "net=\"0\" speed=\"100000\"/></nic>"
                      "<nic><net name=\"c\" speed=\"100000\"/></nic><nic><rma dev=\"0\"/></nic>"));
  EXPECT_THAT(names(graph, VertexKind::nic), ElementsAre("a"));
}

TEST(NcclXml, unknown_elements_are_named_once) {
  const GraphSpec graph = import(two_gpus("<nvl7 x=\"1\"/>", "<nvl7 x=\"1\"/>"));
  EXPECT_THAT(graph.warnings,
              ElementsAre(StartsWith("node.xml:3:120: the element 'nvl7' is not known and left out")));
}

TEST(NcclXml, speeds_are_checked) {
  const auto with_speed = [](const std::string& speed) {
    return two_gpus("", "", "\n<nic><net name=\"x\" dev=\"0\" speed=\"" + speed + "\"/></nic>");
  };
  EXPECT_EQ(test::vertex(import(with_speed("-1")), "x").bandwidth, network_rate(10e9));
  EXPECT_THAT(import(with_speed("0")).warnings, ElementsAre(HasSubstr("taken for 10 Gb/s, as NCCL does: x")));
  EXPECT_EQ(test::vertex(import(with_speed("800000")), "x").bandwidth, network_rate(800e9));
  EXPECT_THAT(error_of(with_speed("5")),
              StartsWith("node.xml:4:7: net.speed: 5 Mb/s is the speed of no NIC"));
  EXPECT_THAT(error_of(with_speed("9000000000000")), HasSubstr("is the speed of no NIC"));
  EXPECT_THAT(error_of(with_speed("99999999999999999999")),
              HasSubstr("net.speed: '99999999999999999999' is out of range"));
  EXPECT_THAT(error_of(with_speed("fast")), HasSubstr("net.speed: 'fast' is out of range"));
}

TEST(NcclXml, faults_are_shown_where_they_are) {
  const std::string text = data("node_dump.xml");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {replaced(text, "version=\"1\"", "version=\"3\""), "node.xml:1:9: system.version: is 3"},
      {replaced(text, " version=\"1\"", ""), "node.xml:1:2: system: has no attribute 'version'"},
      {replaced(text, "numaid=\"1\"", "numaid=\"0\""), "node.xml:37:25: cpu.numaid: 0 is there twice"},
      {replaced(text, "0000:21:00.0", "0000:11:00.0"),
       "node.xml:17:12: pci.busid: 0000:11:00.0 is there twice\n  hint: first at node.xml:4:8"},
      {replaced(text, "0000:21:00.0", "0000-21"), "node.xml:17:12: pci.busid: '0000-21' is no bus address"},
      {replaced(text, "32.0 GT/s PCIe", "31 GT/s"),
       "node.xml:3:132: pci.link_speed: '31 GT/s' is no PCIe speed"},
      {replaced(text, "32.0 GT/s PCIe", "32.0 GB/s"),
       "node.xml:3:132: pci.link_speed: '32.0 GB/s' is no PCIe speed"},
      {replaced(text, "link_width=\"16\"", "link_width=\"5\""), "node.xml:3:160: pci.link_width: 5 lanes"},
      {replaced(text, "dev=\"2\" sm", "dev=\"0\" sm"), "node.xml:18:10: gpu.dev: 0 is there twice"},
      {replaced(text, "sm=\"90\"", "sm=\"nine\""), "node.xml:5:22: gpu.sm: 'nine' is out of range"},
      {replaced(text, "count=\"9\"", "count=\"0\""), "node.xml:6:41: nvlink.count: '0' is out of range"},
      {replaced(text, "name=\"mlx5_0\"", "name=\"mlx5 &#10;\""),
       "node.xml:12:16: net.name: 'mlx5 \\x0a' is no name"},
      {replaced(text, "gdr=\"1\">", "gdr=\"1\" gdr=\"1\">"),
       "node.xml:5:10: gpu: the attribute 'gdr' is there twice"},
      {replaced(text, "<nic>", "<nic>text"), "node.xml:11:14: text 'text\\x0a          ' in nic"},
      {replaced(text, "</nic>", "</nic><gpu dev=\"7\" sm=\"90\"/>"),
       "node.xml:13:16: gpu: a GPU and a NIC in one device"},
      {replaced(text, "</gpu>", "</gpu><pci busid=\"1\" class=\"0x06\"/>"),
       "node.xml:8:16: pci: is below a GPU or NIC"},
      {text.substr(0, text.size() / 2), "node.xml:"},
      {"", "node.xml:1:1: is not well-formed XML"},
      {"<node/>", "node.xml:1:2: the element 'node' at the top"},
      {"<system version=\"1\"/>\n<system version=\"1\"/>", "node.xml:2:2: the element 'system' at the top"},
      {"<system version=\"1\"/>", "node.xml:1:1: system: has no GPU"},
  };
  for (const auto& [broken, message] : cases) {
    EXPECT_THAT(error_of(broken), StartsWith(message));
    EXPECT_THAT(error_of(broken), HasSubstr("\n  hint: "));
  }
}

TEST(NcclXml, entities_are_not_expanded) {
  const std::string bomb =
      "<!DOCTYPE system [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
      "<!ENTITY c SYSTEM \"file:///etc/passwd\">]>\n";
  EXPECT_EQ(import(bomb + two_gpus("", "")).vertices.size(), 3U);
  EXPECT_THAT(error_of(bomb + replaced(two_gpus("", ""), "0000:01:00.0", "&c;")),
              HasSubstr("'&c;' is no bus address"));
}

TEST(NcclXml, size_and_depth_are_bounded) {
  const auto start = std::chrono::steady_clock::now();
  std::string deep = "<system version=\"1\"><cpu numaid=\"0\" arch=\"arm64\">";
  for (int i = 0; i < 200'000; ++i) {
    deep += "<pci busid=\"" + std::to_string(i) + "\" class=\"0x060400\">";
  }
  EXPECT_THAT(error_of(deep), HasSubstr("is not well-formed XML"));
  for (int i = 0; i < 200'000; ++i) {
    deep += "</pci>";
  }
  EXPECT_THAT(error_of(deep + "</cpu></system>"), HasSubstr("pci: is nested too deeply"));
  std::string wide = "<system version=\"1\">";
  for (int i = 0; i < 300; ++i) {
    wide += "<cpu numaid=\"" + std::to_string(i) + "\" arch=\"arm64\"/>";
  }
  EXPECT_THAT(error_of(wide + "</system>"), HasSubstr("more than 256 NUMA nodes"));
  std::string many = "<system version=\"1\"><cpu numaid=\"0\" arch=\"arm64\">";
  for (int i = 0; i < 5000; ++i) {
    many += "<pci busid=\"" + std::to_string(i) + "\" class=\"0x030200\"/>";
  }
  EXPECT_THAT(error_of(many + "</cpu></system>"), HasSubstr("more than 4096 devices"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace makespan
