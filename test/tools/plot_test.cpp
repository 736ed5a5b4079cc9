#include "tools/plot.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <set>
#include <tuple>

#include "core/error.h"
#include "scenarios/reader.h"
#include "scenarios/resolve.h"
#include "schedules/searches.h"
#include "test/tools/cli_fixture.h"
#include "tools/bubble_figure.h"
#include "tools/count_series.h"
#include "tools/memory_figure.h"
#include "tools/run_trace.h"
#include "tools/svg.h"

namespace makespan {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Finished = makespan::Run;  // testing::Test has a Run of its own

Finished run_of(const std::string& name, const std::vector<std::string>& overrides = {}) {
  Scenario scenario = read_scenario(name, overrides);
  std::vector<std::string> warnings;
  resolve(scenario, warnings);
  return run(prepare(std::move(scenario), std::move(warnings)));
}

Plot memory_of(const Finished& run, const std::string& ranks = "", double width = kColumnWidth) {
  return memory_figure(run, select_ranks(ranks, run.prepared.scenario), width, "--memory-figure");
}

std::vector<PlotPath> paths_of(const Plot& plot, const std::string& kind) {
  std::vector<PlotPath> paths;
  std::copy_if(plot.paths.begin(), plot.paths.end(), std::back_inserter(paths),
               [&](const PlotPath& path) { return path.kind == kind; });
  return paths;
}

std::string words_of(const Plot& plot) {
  std::string words;
  for (const FigureText& text : plot.texts) {
    words += text.text + '\n';
  }
  return words;
}

pugi::xml_document parsed(const std::string& svg) {
  pugi::xml_document document;
  EXPECT_TRUE(document.load_string(svg.c_str(), pugi::parse_full));
  return document;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

void expect_inside(const Plot& plot) {
  for (const PlotPath& path : plot.paths) {
    for (const auto& [x, y] : path.points) {
      EXPECT_TRUE(x >= 0 && x <= plot.width && y >= 0 && y <= plot.height) << path.kind << ' ' << path.title;
    }
  }
  for (const FigureText& text : plot.texts) {
    const double width = text_width(text.text, kFigureTextSize);
    const double left = text.x - (text.anchor == Anchor::start ? 0
                                  : text.anchor == Anchor::end ? width
                                                               : width / 2);
    EXPECT_GE(left, 0) << text.text;
    EXPECT_LE(left + width, plot.width) << text.text;
    EXPECT_LE(text.y, plot.height) << text.text;
  }
}

/// As many paths in both notations as the plot has, and equal bytes when asked twice.
void expect_both_notations(const Plot& plot) {
  const std::string svg = plot_svg(plot);
  EXPECT_EQ(parsed(svg).select_nodes("//path[@class]").size(), plot.paths.size());
  EXPECT_EQ(svg, plot_svg(plot));
  const std::string tikz = plot_tikz(plot);
  EXPECT_EQ(count(tikz, "\n\\path["), plot.paths.size() + 1);  // and the bounding box
  EXPECT_EQ(count(tikz, "\\node["), plot.texts.size());
  EXPECT_EQ(count(tikz, "{"), count(tikz, "}"));
  EXPECT_EQ(tikz, plot_tikz(plot));
}

/// The dashed line stands at the capacity, so it gives the scale: the highest point of each row is its
/// rank's peak, however many changes fall on one point of width.
TEST(MemoryFigure, ShowsThePeakOfEveryRankAtItsHeight) {
  for (const char* name : {"llama3-8b-64xh100", "gpt3-145b-sc21"}) {
    const Finished run = run_of(name);
    const std::vector<int> ranks = select_ranks("", run.prepared.scenario);
    const Plot plot = memory_of(run);
    const std::vector<PlotPath> capacities = paths_of(plot, "capacity");
    ASSERT_EQ(capacities.size(), ranks.size());
    for (std::size_t row = 0; row < ranks.size(); ++row) {
      double top = plot.height;
      double bottom = 0;
      for (const PlotPath& area : paths_of(plot, "area")) {
        if (area.title.starts_with("rank " + std::to_string(ranks[row]) + ":")) {
          for (const auto& [x, y] : area.points) {
            top = std::min(top, y);
            bottom = std::max(bottom, y);
          }
        }
      }
      const double line = bottom - capacities[row].points.front().second;
      const auto bytes = [](Bytes size) { return static_cast<double>(size.count()); };
      EXPECT_NEAR((bottom - top) / line,
                  bytes(run.report.ranks[static_cast<std::size_t>(ranks[row])].memory.peak) /
                      bytes(run.report.memory_capacity),
                  1e-9)
          << name << " rank " << ranks[row];
    }
    expect_inside(plot);
    expect_both_notations(plot);
  }
}

TEST(MemoryFigure, StacksWeightsGradientsAndOptimizerUnderActivations) {
  const Plot plot = memory_of(run_of("tiny-8xa100"), "0");
  std::map<std::string, double> top;  // by kind, the highest point
  for (const PlotPath& area : paths_of(plot, "area")) {
    for (const auto& [x, y] : area.points) {
      const auto place = top.try_emplace(area.title, y).first;
      place->second = std::min(place->second, y);
    }
  }
  EXPECT_GT(top.at("rank 0: weights"), top.at("rank 0: gradients"));
  EXPECT_GT(top.at("rank 0: gradients"), top.at("rank 0: optimizer"));
  EXPECT_GT(top.at("rank 0: optimizer"), top.at("rank 0: activations"));
  const std::vector<PlotPath> areas = paths_of(plot, "area");
  const auto last = std::find_if(areas.begin(), areas.end(),
                                 [](const PlotPath& area) { return area.title == "rank 0: weights"; });
  EXPECT_EQ(std::distance(last, areas.end()), 1) << "the lowest is painted last";
}

TEST(MemoryFigure, LeavesOutACapacityFarAboveAndSaysSo) {
  const Plot plot = memory_of(run_of("tiny-8xa100"));
  EXPECT_TRUE(paths_of(plot, "capacity").empty());
  EXPECT_THAT(words_of(plot), HasSubstr("capacity above: a100-80gb with 80 GiB"));
  expect_inside(plot);
}

TEST(MemoryFigure, DrawsWhatDoesNotFit) {
  const Finished run = run_of("llama3-8b-64xh100", {"schedule=gpipe"});
  ASSERT_TRUE(run.report.out_of_memory);
  const Plot plot = memory_of(run, "48");
  EXPECT_THAT(words_of(plot), AllOf(HasSubstr("rank 48"), HasSubstr("peak 119.4")));
  expect_inside(plot);
}

TEST(MemoryFigure, RefusesWhatItCannotShow) {
  const Finished large = run_of("llama3-8b-64xh100");
  EXPECT_THROW((void)memory_of(large, "all"), InputError);
  const Outcome none = call({"run", "zero-bubble-1.5b", "--set", "workload.profile.activation=0 B",
                             "--memory-figure", "/tmp/never-written.svg"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("--memory-figure: no rank holds any memory"));
}

TEST(MemoryFigure, HasItsWidthCheckedBeforeTheRun) {
  const TemporaryFolder folder;
  const std::string figure = (folder.path() / "memory.tex").string();
  const Outcome width = call({"run", "nosuch", "--memory-figure", figure, "--figure-width", "1in"});
  EXPECT_EQ(width.code, 2);
  EXPECT_THAT(width.err, HasSubstr("--figure-width: '1in' is not from 2in to 100in"));
}

TEST(MemoryFigure, KeepsANameOnOneLineOfTheComment) {
  const TemporaryFolder folder;
  const std::string figure = (folder.path() / "memory.tex").string();
  const Outcome outcome =
      call({"run", "tiny-8xa100", "--set", "name=\"a\\n\\\\undefined\"", "--memory-figure", figure});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(outcome.out.starts_with("a \\undefined: 1f1b"));
  EXPECT_TRUE(content_of(figure).starts_with("% Memory over time of a \\undefined, 1f1b\n% What"));
}

TEST(MemoryFigure, IsWrittenByRun) {
  const TemporaryFolder folder;
  const std::string svg = (folder.path() / "memory.svg").string();
  const std::string tex = (folder.path() / "memory.tex").string();
  EXPECT_EQ(call({"run", "tiny-8xa100", "--memory-figure", svg, "--figure-width", "84mm"}).code, 0);
  EXPECT_EQ(call({"run", "tiny-8xa100", "--memory-figure", tex, "--trace-ranks", "4"}).code, 0);
  EXPECT_EQ(std::string(parsed(content_of(svg)).child("svg").attribute("width").value()), "238.110pt");
  EXPECT_THAT(content_of(tex), AllOf(HasSubstr("{rank 4}"), Not(HasSubstr("{rank 0}"))));
  for (const std::vector<std::string>& bad : {std::vector<std::string>{"--memory-figure", "memory.pdf"},
                                              {"--figure-width", "84mm"},
                                              {"--memory-figure", svg, "--figure-width", "1in"}}) {
    std::vector<std::string> arguments = {"run", "tiny-8xa100"};
    arguments.insert(arguments.end(), bad.begin(), bad.end());
    EXPECT_EQ(call(arguments).code, 2) << bad.front();
  }
}

TEST(BubbleFigure, PlacesMarksByTheirBubble) {
  const std::vector<BubbleSeries> series = {{"a", {{4, 0.40, true}, {8, 0.20, true}, {16, 0.10, false}}},
                                            {"b", {{8, 0.30, true}}}};
  const Plot plot = bubble_figure("it", series, kColumnWidth, "--bubble-figure");
  const std::vector<PlotPath> marks = paths_of(plot, "mark");
  ASSERT_EQ(marks.size(), 4U);
  const auto middle = [](const PlotPath& path) {
    double x = 0;
    double y = 0;
    for (const auto& point : path.points) {
      x += point.first / static_cast<double>(path.points.size());
      y += point.second / static_cast<double>(path.points.size());
    }
    return std::pair(x, y);
  };
  const double unit = middle(marks[2]).second - middle(marks[1]).second;  // 0.10
  EXPECT_GT(unit, 0);
  EXPECT_NEAR(middle(marks[1]).second - middle(marks[0]).second, 2 * unit, 1e-9);
  EXPECT_NEAR(middle(marks[1]).second - middle(marks[3]).second, unit, 1e-9);
  EXPECT_NEAR(middle(marks[2]).first - middle(marks[1]).first,
              middle(marks[1]).first - middle(marks[0]).first,
              1e-9);  // each twice the one before
  EXPECT_NEAR(middle(marks[3]).first, middle(marks[1]).first, 1e-9);
  EXPECT_EQ(marks[2].fill, "ffffff");
  EXPECT_NE(marks[1].fill, "ffffff");
  EXPECT_EQ(paths_of(plot, "curve").size(), 1U);
  EXPECT_THAT(words_of(plot), HasSubstr("open: does not fit the memory"));
  expect_inside(plot);
  expect_both_notations(plot);
}

/// In grey as well: by shape and dash alone.
TEST(BubbleFigure, TellsAllItsLinesApart) {
  std::vector<BubbleSeries> series;
  for (std::size_t i = 0; i < kMostBubbleSeries; ++i) {
    series.push_back(
        {"line " + std::to_string(i), {{4, 0.5, true}, {8, 0.02 * static_cast<double>(i), true}}});
  }
  const Plot plot = bubble_figure("it", series, 7 * kPointsPerInch, "--bubble-figure");
  const std::vector<PlotPath> curves = paths_of(plot, "curve");
  const std::vector<PlotPath> marks = paths_of(plot, "mark");
  std::set<std::tuple<std::string, Dash, std::size_t, double>> looks;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const auto& points = marks[2 * i].points;
    looks.insert({curves[i].stroke, curves[i].dash, points.size(),
                  std::round(1000 * (points[0].first - points[1].first))});
  }
  EXPECT_EQ(looks.size(), kMostBubbleSeries);
  expect_inside(plot);
  series.push_back(series.front());
  EXPECT_THROW((void)bubble_figure("it", series, kColumnWidth, "--bubble-figure"), InputError);
  EXPECT_THROW((void)bubble_figure("it", {}, kColumnWidth, "--bubble-figure"), InputError);
}

TEST(CompareMicrobatches, RunsEveryScheduleWithEachNumber) {
  const TemporaryFolder folder;
  const std::string figure = (folder.path() / "bubble.svg").string();
  const Outcome outcome = call({"compare", "tiny-8xa100", "--schedules", "1f1b,gpipe", "--microbatches",
                                "2:8", "--bubble-figure", figure, "--format", "json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::vector<std::string> names;
  const json result = json::parse(outcome.out);
  for (const json& row : result["rows"]) {
    names.push_back(row["name"]);
    const json alone = json::parse(
        call({"run", "tiny-8xa100", "--set", "schedule=" + names.back().substr(0, names.back().find(' ')),
              "--set", "training.global_batch=" + std::to_string(4 * row["microbatches"].get<int>()),
              "--format", "json"})
            .out);
    EXPECT_EQ(row["fingerprint"], alone["fingerprint"]) << names.back();
  }
  EXPECT_THAT(names, ElementsAre("1f1b m=2", "1f1b m=4", "1f1b m=8", "gpipe m=2", "gpipe m=4", "gpipe m=8"));
  const pugi::xml_document svg = parsed(content_of(figure));
  EXPECT_EQ(svg.select_nodes("//path[@class='curve']").size(), 2U);
  EXPECT_EQ(svg.select_nodes("//path[@class='mark']").size(), 6U);
}

/// Interleaving with groups of two does not go with three micro-batches: that point is missing.
TEST(CompareMicrobatches, GivesTheReasonForANumberThatAScheduleRefuses) {
  const TemporaryFolder folder;
  const std::string figure = (folder.path() / "bubble.tex").string();
  const Outcome outcome =
      call({"compare", "tiny-8xa100", "--set", "schedule={kind: interleaved, chunks: 2, group: 4}",
            "--microbatches", "2,4,8", "--bubble-figure", figure, "--format", "json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json rows = json::parse(outcome.out)["rows"];
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_TRUE(rows[0].contains("reason"));
  EXPECT_FALSE(rows[1].contains("reason"));
  EXPECT_THAT(content_of(figure), AllOf(HasSubstr("{4}"), HasSubstr("{8}")));
}

/// Only what the number is to blame for is a row.
TEST(CompareMicrobatches, RefusesWhatNoNumberWouldMend) {
  const auto error = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "compare");
    arguments.insert(arguments.end(), {"--microbatches", "4,8"});
    const Outcome outcome = call(arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(error({"nosuch"}), HasSubstr("'nosuch': is neither a YAML file nor"));
  EXPECT_THAT(error({"tiny-8xa100", "--set", "trainin.x=1"}), HasSubstr("trainin: unknown key"));
  EXPECT_THAT(error({"tiny-8xa100", "--set", "parallelism.pipeline=3"}), HasSubstr("needs 12 GPUs"));
  EXPECT_THAT(error({"tiny-8xa100", "--schedules", "1f1b:7"}), HasSubstr("one chunk per rank, not 7"));
}

TEST(CompareMicrobatches, ChecksTheFigureBeforeTheRuns) {
  const TemporaryFolder folder;
  const auto outcome = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"compare", "tiny-8xa100", "--microbatches", "4"});
    return call(arguments);
  };
  const std::string figure = (folder.path() / "bubble.svg").string();
  const Outcome width = outcome({"--bubble-figure", figure, "--figure-width", "1in", "--set", "trainin.x=1"});
  EXPECT_EQ(width.code, 2);
  EXPECT_THAT(width.err, HasSubstr("--figure-width: '1in' is not from 2in to 100in"));
  const Outcome path =
      outcome({"--bubble-figure", (folder.path() / "none" / "b.svg").string(), "--set", "trainin.x=1"});
  EXPECT_EQ(path.code, 3);
  EXPECT_THAT(path.err, HasSubstr("cannot be created"));
  const Outcome lines =
      outcome({"--bubble-figure", figure, "--schedules",
               "1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,"
               "1f1b,1f1b,1f1b,1f1b,1f1b,1f1b,1f1b",
               "--set", "trainin.x=1"});
  EXPECT_EQ(lines.code, 2);
  EXPECT_THAT(lines.err, HasSubstr("--bubble-figure: 25 lines are more than the 24 that are told apart"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(BubbleFigure, HasRoomForAllSchedules) {
  EXPECT_LE(schedule_kinds().size() + schedule_searches().size(), kMostBubbleSeries);
}

TEST(BubbleFigure, WritesNamesThatTexReadsAsItsOwn) {
  const std::vector<BubbleSeries> series = {{"a^b\\alpha", {{4, 0.40, true}}}};
  const std::string tikz = plot_tikz(bubble_figure("one\n\\two", series, kColumnWidth, "--bubble-figure"));
  EXPECT_THAT(tikz, HasSubstr("{a\\^{}b\\textbackslash{}alpha}"));
  EXPECT_TRUE(tikz.starts_with("% Bubble against micro-batches of one \\two\n% Bubble as a share"));
}

TEST(CompareMicrobatches, RefusesWhatDoesNotGoTogether) {
  const auto error = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"compare", "tiny-8xa100"});
    const Outcome outcome = call(arguments);
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(outcome.out, "");
    return outcome.err;
  };
  EXPECT_THAT(error({"--bubble-figure", "bubble.svg"}), HasSubstr("--bubble-figure: needs --microbatches"));
  EXPECT_THAT(error({"--microbatches", "4", "--bubble-figure", "bubble.png"}),
              HasSubstr("'bubble.png' ends neither in .svg nor in .tex"));
  EXPECT_THAT(error({"--figure-width", "7in"}), HasSubstr("--figure-width: is for --bubble-figure"));
  EXPECT_THAT(error({"--microbatches", "4", "--set", "training.global_batch=8"}),
              HasSubstr("both choose the global batch"));
}

TEST(CountSeries, ReadsListsFactorsAndSteps) {
  const auto counts = [](const char* text) { return parse_counts(text, "--microbatches"); };
  EXPECT_THAT(counts("8"), ElementsAre(8));
  EXPECT_THAT(counts("8,2,8,5"), ElementsAre(2, 5, 8));
  EXPECT_THAT(counts("4:32"), ElementsAre(4, 8, 16, 32));
  EXPECT_THAT(counts("4:40:x3"), ElementsAre(4, 12, 36));
  EXPECT_THAT(counts("4:16:+4"), ElementsAre(4, 8, 12, 16));
  for (const char* bad : {"", "0", "-1", "4:", "8:4", "4:8:2", "4:8:x1", "4:8:x", "1:2:x2:3", "4,,5",
                          "1000001", "1:65:+1", "4:8:+0", "99999999999999999999"}) {
    EXPECT_THROW((void)counts(bad), InputError) << bad;
  }
}

TEST(Xml, EscapesWhatAttributesAndTextCannotHold) {
  EXPECT_EQ(xml_escaped("a<b> & \"c\"\n\x01"), "a&lt;b&gt; &amp; &quot;c&quot;  ");
}

}  // namespace
}  // namespace makespan
