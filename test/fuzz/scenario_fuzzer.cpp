// Any bytes given as a scenario end in a scenario or in an exception of ours; what reads, writes and reads
// back the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "scenarios/reader.h"
#include "scenarios/resolve.h"
#include "scenarios/writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace makespan;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string written;
  try {
    Scenario scenario = parse_scenario(text, "fuzz.yaml");
    std::vector<std::string> warnings;
    resolve(scenario, warnings);
    written = scenario_yaml(scenario);
  } catch (const Error&) {
    return 0;
  }
  Scenario again = parse_scenario(written, "again.yaml");
  std::vector<std::string> warnings;
  resolve(again, warnings);
  MAKESPAN_CHECK(scenario_yaml(again) == written, "a resolved scenario must read back the same");
  return 0;
}
