#include "network/import_nccl_devices.h"

#include <algorithm>
#include <array>
#include <map>
#include <pugixml.hpp>
#include <set>

#include "network/import_rates.h"

namespace makespan {

namespace {

constexpr std::size_t kMaxDevices = 4096;
constexpr std::size_t kMaxProcessors = 256;
constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxValue = 4096;

/// Where the attribute `name` is written in the tag whose name starts at `at`; `at` where it is not.
std::size_t attribute_offset(std::string_view text, std::size_t at, std::string_view name) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::size_t i = text.find_first_of(" \t\r\n/>", at);
  while (i < text.size()) {
    i = text.find_first_not_of(kBlanks, i);
    const std::size_t equals = text.find_first_of("=>", i);
    if (i >= text.size() || equals >= text.size() || text[equals] == '>') {
      break;
    }
    const std::string_view found = text.substr(i, equals - i);
    if (found.substr(0, found.find_first_of(kBlanks)) == name) {
      return i;
    }
    const std::size_t quote = text.find_first_of("\"'", equals);
    if (quote >= text.size()) {
      break;
    }
    const std::size_t end = text.find(text[quote], quote + 1);
    i = end >= text.size() ? end : end + 1;
  }
  return at;
}

/// One element with messages that show where it is.
class Element {
 public:
  Element(const SourceText& source, pugi::xml_node node) : source_(&source), node_(node) {}

  [[nodiscard]] pugi::xml_node node() const { return node_; }

  [[nodiscard]] std::string name() const { return node_.name(); }

  [[nodiscard]] SourceLocation where() const { return source_->at(offset()); }

  [[noreturn]] void fail(const std::string& what, const std::string& hint) const {
    throw InputError(where(), name(), what, hint);
  }

  [[noreturn]] void fail(const char* attribute, const std::string& what, const std::string& hint) const {
    throw InputError(source_->at(attribute_offset(source_->text(), offset(), attribute)),
                     name() + "." + attribute, what, hint);
  }

  /// Refuses attributes that are there twice, or too many and long ones.
  void check_attributes() const {
    std::set<std::string_view> seen;
    for (const pugi::xml_attribute& attribute : node_.attributes()) {
      if (!seen.insert(attribute.name()).second) {
        fail("the attribute " + in_quotes(attribute.name()) + " is there twice", "each attribute once");
      }
      if (std::string_view(attribute.value()).size() > kMaxValue || seen.size() > 64) {
        fail("is too large", "at most 64 attributes of " + std::to_string(kMaxValue) + " bytes");
      }
    }
  }

  [[nodiscard]] std::optional<std::string> find(const char* attribute) const {
    const pugi::xml_attribute found = node_.attribute(attribute);
    return found ? std::optional<std::string>(found.value()) : std::nullopt;
  }

  [[nodiscard]] std::string get(const char* attribute) const {
    const auto found = find(attribute);
    if (!found) {
      fail("has no attribute '" + std::string(attribute) + "'", "NCCL writes it in every " + name());
    }
    return *found;
  }

  /// A name that is fit to be shown.
  [[nodiscard]] std::string get_name(const char* attribute) const {
    std::string value = get(attribute);
    if (value.empty() || value.size() > 64 || !std::all_of(value.begin(), value.end(), is_name_letter)) {
      fail(attribute, in_quotes(value) + " is no name of a device", "1 to 64 letters without blanks");
    }
    return value;
  }

  [[nodiscard]] std::int64_t integer(const char* attribute, std::int64_t least, std::int64_t most) const {
    const std::string value = get(attribute);
    const auto number = whole_number(value);
    if (!number || *number < least || *number > most) {
      fail(attribute, in_quotes(value) + " is out of range",
           "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return *number;
  }

  [[nodiscard]] std::int64_t integer_or(const char* attribute, std::int64_t otherwise, std::int64_t least,
                                        std::int64_t most) const {
    return node_.attribute(attribute) ? integer(attribute, least, most) : otherwise;
  }

  /// A bus address such as 0000:3b:00.0, as NCCL turns it into a number: its hexadecimal digits.
  [[nodiscard]] std::uint64_t address(const char* attribute) const {
    const std::string value = get(attribute);
    std::uint64_t number = 0;
    std::size_t digits = 0;
    for (const char letter : value) {
      const std::size_t lower = std::string_view("0123456789abcdef").find(letter);
      const std::size_t upper = std::string_view("0123456789ABCDEF").find(letter);
      if (lower != std::string_view::npos || upper != std::string_view::npos) {
        number = (number << 4U) | std::min(lower, upper);
        ++digits;
      } else if (letter != ':' && letter != '.') {
        digits = 99;
        break;
      }
    }
    if (digits == 0 || digits > 16) {
      fail(attribute, in_quotes(value) + " is no bus address",
           "domain:bus:device.function, as in 0000:3b:00.0");
    }
    return number;
  }

 private:
  [[nodiscard]] std::size_t offset() const {
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(node_.offset_debug(), 0));
  }

  const SourceText* source_;
  pugi::xml_node node_;
};

/// Rate of the link of a `pci` element; 0 where the kernel did not know it.
double uplink(const Element& pci) {
  constexpr std::array<std::int64_t, 7> kWidths = {1, 2, 4, 8, 12, 16, 32};
  constexpr std::array<std::int64_t, 3> kUnknownWidths = {0, 63, 255};
  std::int64_t width = pci.integer_or("link_width", 0, 0, 255);
  if (std::find(kUnknownWidths.begin(), kUnknownWidths.end(), width) != kUnknownWidths.end()) {
    width = 16;  // as NCCL does
  } else if (std::find(kWidths.begin(), kWidths.end(), width) == kWidths.end()) {
    pci.fail("link_width", std::to_string(width) + " lanes", "1, 2, 4, 8, 12, 16 or 32; 0 where unknown");
  }
  const std::string speed = pci.find("link_speed").value_or("");
  if (speed.empty() || speed.starts_with("Unknown")) {
    return 0;
  }
  const std::vector<std::string_view> parts = words(speed);
  const bool has_unit =
      (parts.size() == 2 || (parts.size() == 3 && parts[2] == "PCIe")) && parts[1] == "GT/s";
  const auto number = has_unit ? decimal_number(parts[0]) : std::nullopt;
  const auto rate = number ? pcie_rate(*number, static_cast<int>(width)) : std::nullopt;
  if (!rate) {
    pci.fail("link_speed", in_quotes(speed) + " is no PCIe speed",
             "2.5, 5, 8, 16, 32 or 64 GT/s, with or without PCIe; empty where unknown");
  }
  return *rate;
}

class DeviceReader {
 public:
  explicit DeviceReader(const SourceText& source) : source_(source) {}

  NcclDevices read() {
    const pugi::xml_parse_result parsed = document_.load_buffer(source_.text().data(), source_.text().size(),
                                                                pugi::parse_default, pugi::encoding_utf8);
    if (!parsed) {
      const std::size_t at = std::min(static_cast<std::size_t>(std::max<std::ptrdiff_t>(parsed.offset, 0)),
                                      source_.text().size());
      throw InputError(source_.at(at), {}, std::string("is not well-formed XML: ") + parsed.description(),
                       "a complete file as NCCL_TOPO_DUMP_FILE writes it");
    }
    const std::vector<Element> roots = children(document_.root(), "the file");
    if (roots.size() != 1 || roots.front().name() != "system") {
      throw InputError(
          roots.empty() ? source_.at(0) : roots.back().where(), {},
          roots.empty() ? "has no element" : "the element " + in_quotes(roots.back().name()) + " at the top",
          "one element, 'system'");
    }
    read_system(roots.front());
    number_computers();
    report_left_out();
    return std::move(result_);
  }

 private:
  /// The elements below `parent`; text between them is refused.
  std::vector<Element> children(pugi::xml_node parent, const std::string& what) const {
    std::vector<Element> elements;
    for (const pugi::xml_node& child : parent.children()) {
      const Element element(source_, child);
      if (child.type() != pugi::node_element) {
        throw InputError(element.where(), {}, "text " + in_quotes(child.value()) + " in " + what,
                         "elements only");
      }
      element.check_attributes();
      elements.push_back(element);
    }
    return elements;
  }

  void read_system(const Element& system) {
    system.check_attributes();
    const std::int64_t version = system.integer("version", 0, 1'000'000);
    if (version != 1 && version != 2) {
      system.fail("version", "is " + std::to_string(version), "1 (NCCL) or 2 (RCCL)");
    }
    for (const Element& child : children(system.node(), "system")) {
      if (child.name() == "cpu") {
        read_cpu(child);
      } else {
        unknown(child);
      }
    }
  }

  std::size_t add(NcclDevice device, const Element& element) {
    if (result_.devices.size() >= kMaxDevices) {
      element.fail("more than " + std::to_string(kMaxDevices) + " devices", "the inside of one node");
    }
    result_.devices.push_back(std::move(device));
    return result_.devices.size() - 1;
  }

  void read_cpu(const Element& cpu) {
    NcclDevice device;
    device.where = cpu.where();
    device.parent = result_.devices.size();
    const std::string hash = cpu.find("host_hash").value_or("");
    device.computer =
        computers_.try_emplace(hash, static_cast<std::uint32_t>(computers_.size())).first->second;
    device.numa = static_cast<int>(cpu.integer("numaid", -1, 65535));
    device.architecture = cpu.get("arch");
    device.vendor = cpu.find("vendor").value_or("");
    device.family = cpu.integer_or("familyid", 0, -1, 65535);
    device.model = cpu.integer_or("modelid", 0, -1, 65535);
    if (!processors_.emplace(device.computer, device.numa).second) {
      cpu.fail("numaid", std::to_string(device.numa) + " is there twice", "each NUMA node once");
    }
    if (processors_.size() > kMaxProcessors) {
      cpu.fail("more than " + std::to_string(kMaxProcessors) + " NUMA nodes", "the inside of one node");
    }
    const std::uint32_t computer = device.computer;
    const std::size_t self = add(std::move(device), cpu);
    for (const Element& child : children(cpu.node(), "cpu")) {
      if (child.name() == "pci") {
        read_pci(child, self, computer, 1);
      } else if (child.name() == "nic") {
        read_bare_nic(child, self, computer);
      } else {
        unknown(child);
      }
    }
  }

  /// A NIC without PCI device, as NCCL writes virtual ones.
  void read_bare_nic(const Element& nic, std::size_t parent, std::uint32_t computer) {
    NcclDevice device;
    device.kind = VertexKind::nic;
    device.where = nic.where();
    device.parent = parent;
    device.computer = computer;
    device.uplink = kOnChipRate;
    device.has_nic = true;
    device.nets = read_nets(nic);
    add(std::move(device), nic);
  }

  void read_pci(const Element& pci, std::size_t parent, std::uint32_t computer, int depth) {
    if (depth > kMaxDepth) {
      pci.fail("is nested too deeply", "at most " + std::to_string(kMaxDepth) + " levels");
    }
    NcclDevice device;
    device.where = pci.where();
    device.parent = parent;
    device.computer = computer;
    device.busid = pci.get("busid");
    device.address = pci.address("busid");
    device.uplink = uplink(pci);
    const auto [first, is_first] = addresses_.try_emplace({computer, device.address}, device.where.text());
    if (!is_first) {
      pci.fail("busid", device.busid + " is there twice", "first at " + first->second);
    }
    std::vector<Element> below;
    for (const Element& child : children(pci.node(), "pci")) {
      if (child.name() == "pci") {
        below.push_back(child);
      } else {
        read_part(device, child);
      }
    }
    const std::string device_class = pci.get("class");
    const auto kind = kind_of(device, device_class, !below.empty());
    if (!kind) {
      other_classes_.push_back(device.busid + " (class " + in_quotes(device_class) + ")");
      return;
    }
    device.kind = *kind;
    if (device.kind != VertexKind::pcie_switch && !below.empty()) {
      below.front().fail("is below a GPU or NIC",
                         "devices below processors and PCIe bridges (class 0x060400)");
    }
    const std::size_t self = add(std::move(device), pci);
    for (const Element& child : below) {
      read_pci(child, self, computer, depth + 1);
    }
  }

  /// What is inside a `pci` element besides others of its kind.
  void read_part(NcclDevice& device, const Element& part) {
    if (part.name() == "gpu") {
      if (device.gpu) {
        partitions_.push_back(device.busid);
        return;
      }
      device.gpu = read_gpu(part);
    } else if (part.name() == "nic") {
      device.has_nic = true;
      for (NcclNet& net : read_nets(part)) {
        device.nets.push_back(std::move(net));
      }
    } else if (part.name() == "pcilink") {
      device.peers.push_back(part.address("target"));
    } else {
      unknown(part);
    }
    if (device.gpu && device.has_nic) {
      part.fail("a GPU and a NIC in one device", "one of them in each pci element");
    }
  }

  /// What the device is: by what it holds, else by its class (PCI Code and ID Assignment Specification), as
  /// NCCL decides it; 0x12 is what AMD's accelerators have.
  static std::optional<VertexKind> kind_of(const NcclDevice& device, std::string_view device_class,
                                           bool has_devices) {
    if (device.gpu || device_class.starts_with("0x03") || device_class.starts_with("0x12")) {
      return device.has_nic ? VertexKind::nic : VertexKind::gpu;
    }
    if (device.has_nic || device_class.starts_with("0x02")) {
      return VertexKind::nic;
    }
    return device_class.starts_with("0x0604") || has_devices ? std::optional(VertexKind::pcie_switch)
                                                             : std::nullopt;
  }

  NcclGpu read_gpu(const Element& gpu) {
    NcclGpu result;
    result.where = gpu.where();
    result.dev = static_cast<int>(gpu.integer("dev", 0, 65535));
    result.sm = static_cast<int>(gpu.integer("sm", 1, 100'000));
    result.gcn = gpu.find("gcn").value_or("");
    for (const Element& child : children(gpu.node(), "gpu")) {
      if (child.name() == "nvlink" || child.name() == "xgmi") {
        result.links.push_back(read_links(child));
      } else if (child.name() == "c2c") {
        const auto megabytes = static_cast<double>(child.integer("bw", 1, 100'000'000));
        result.c2c += megabytes * 1e6 * static_cast<double>(child.integer("count", 1, 256));
      } else {
        unknown(child);
      }
    }
    return result;
  }

  static NcclLinks read_links(const Element& element) {
    NcclLinks links;
    links.where = element.where();
    links.kind = element.name();
    links.target = element.address("target");
    links.target_text = element.get("target");
    links.target_class = element.get("tclass");
    links.count = static_cast<int>(element.integer("count", 1, 256));
    return links;
  }

  std::vector<NcclNet> read_nets(const Element& nic) {
    std::vector<NcclNet> nets;
    for (const Element& child : children(nic.node(), "nic")) {
      const bool is_other_view = child.name() == "gin" || child.name() == "rma";
      if (child.name() != "net") {
        if (!is_other_view) {
          unknown(child);
        }
        continue;
      }
      if (!child.node().attribute("dev") || child.integer_or("net", 1, 0, 1) == 0) {
        continue;  // NCCL does not use it
      }
      NcclNet net;
      net.where = child.where();
      net.dev = static_cast<int>(child.integer("dev", 0, 65535));
      net.name = child.node().attribute("name") ? child.get_name("name") : "net" + std::to_string(net.dev);
      net.megabits = child.integer_or("speed", 0, -1, std::int64_t{1} << 53U);
      net.is_direct = child.integer_or("gdr", 1, 0, 1) == 1;
      nets.push_back(net);
    }
    return nets;
  }

  /// In the order of their hashes rather than of the text.
  void number_computers() {
    std::vector<std::uint32_t> numbers(computers_.size());
    std::uint32_t next = 0;
    for (const auto& [hash, number] : computers_) {
      numbers[number] = next++;
    }
    for (NcclDevice& device : result_.devices) {
      device.computer = numbers[device.computer];
    }
  }

  void unknown(const Element& element) {
    if (element.name().size() <= 64 && unknown_.size() < 16 && unknown_.insert(element.name()).second) {
      result_.warnings.push_back(element.where().text() + ": the element " + in_quotes(element.name()) +
                                 " is not known and left out");
    }
  }

  void report_left_out() {
    if (!other_classes_.empty()) {
      result_.warnings.push_back(
          source_.file() + ": left out, neither GPU nor NIC nor PCIe bridge: " + listed(other_classes_));
    }
    if (!partitions_.empty()) {
      result_.warnings.push_back(source_.file() +
                                 ": several gpu elements in one device (partitions); the first "
                                 "stands for the device: " +
                                 listed(partitions_));
    }
  }

  const SourceText& source_;
  pugi::xml_document document_;
  NcclDevices result_;
  std::map<std::string, std::uint32_t> computers_;
  std::set<std::pair<std::uint32_t, int>> processors_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::string> addresses_;
  std::set<std::string> unknown_;
  std::vector<std::string> other_classes_;
  std::vector<std::string> partitions_;
};

}  // namespace

NcclDevices read_nccl_devices(const SourceText& source) {
  return DeviceReader(source).read();
}

}  // namespace makespan
