#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <string>

#include "scenarios/library.h"
#include "scenarios/reader.h"
#include "scenarios/resolve.h"
#include "scenarios/run.h"

namespace makespan {
namespace {

const std::string kFingerprints = std::string(MAKESPAN_SOURCE_DIR) + "/test/golden/fingerprints.csv";

/// One line per library scenario: name, tasks, iteration time in picoseconds, fingerprint.
std::map<std::string, std::string> read_fingerprints() {
  std::map<std::string, std::string> lines;
  std::ifstream stream(kFingerprints);
  std::string line;
  while (std::getline(stream, line)) {
    lines[line.substr(0, line.find(','))] = line;
  }
  return lines;
}

class LibraryRun : public testing::TestWithParam<std::string> {};

TEST_P(LibraryRun, adds_up_fits_and_predicts_what_was_published) {
  Scenario scenario = read_scenario(GetParam());
  std::vector<std::string> warnings;
  resolve(scenario, warnings);
  const Prepared prepared = prepare(std::move(scenario));
  const auto finished = run(prepared);
  const Report& report = finished.report;

  Time critical = report.critical_path.idle;
  for (const Time time : report.critical_path.compute) {
    critical += time;
  }
  for (const Time time : report.critical_path.transfer) {
    critical += time;
  }
  EXPECT_EQ(critical.count(), report.iteration_time.count());
  for (const RankReport& rank : report.ranks) {
    ASSERT_EQ((rank.time.compute + rank.time.exposed_total() + rank.time.bubble_total()).count(),
              report.iteration_time.count())
        << "rank " << rank.rank;
    for (std::size_t group = 0; group < kGroups; ++group) {
      ASSERT_LE(rank.time.contention[group], rank.time.exposed[group]) << "rank " << rank.rank;
    }
  }
  for (const LinkClass& links : report.links) {
    EXPECT_LE(links.peak_utilisation, 1.0) << links.kind;
    EXPECT_LE(links.mean_utilisation, links.peak_utilisation) << links.kind;
  }
  EXPECT_FALSE(report.out_of_memory.has_value()) << *report.out_of_memory;
  for (const Comparison& comparison : report.comparisons) {
    EXPECT_LT(std::abs(comparison.relative_error()), 0.10)
        << comparison.quantity << ": " << comparison.predicted << " against " << comparison.published;
  }

  // What a change of any span anywhere shows. MAKESPAN_UPDATE_GOLDEN=1 rewrites the line; the difference is
  // for review.
  const std::string line = fmt::format("{},{},{},{:016x}", GetParam(), report.tasks,
                                       report.iteration_time.count(), report.fingerprint);
  std::map<std::string, std::string> lines = read_fingerprints();
  if (std::getenv("MAKESPAN_UPDATE_GOLDEN") != nullptr) {  // NOLINT(concurrency-mt-unsafe)
    lines[GetParam()] = line;
    std::ofstream stream(kFingerprints);
    for (const auto& [name, text] : lines) {
      stream << text << '\n';
    }
  }
  EXPECT_EQ(lines[GetParam()], line);
}

INSTANTIATE_TEST_SUITE_P(every_scenario, LibraryRun, testing::ValuesIn(library_names(LibraryKind::scenarios)),
                         [](const testing::TestParamInfo<std::string>& scenario) {
                           std::string name = scenario.param;
                           for (char& c : name) {
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           }
                           return name;
                         });

}  // namespace
}  // namespace makespan
