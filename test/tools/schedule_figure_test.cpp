#include "tools/schedule_figure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "schedules/catalogue.h"
#include "test/scenarios/golden_file.h"
#include "test/tools/cli_fixture.h"
#include "tools/schedule_palette.h"

namespace makespan {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Drawn {
  Schedule schedule;
  BareRun run;
  ScheduleFigure figure;
};

Drawn draw(const std::string& kind, const ScheduleOptions& shape, const FigureOptions& options = {},
           const BareCostTexts& texts = {}) {
  const BareCosts costs = read_bare_costs(texts);
  Schedule schedule = generate(kind, shape);
  BareRun run = run_bare(schedule, costs, Communication::independent);
  ScheduleFigure figure = schedule_figure(schedule, run, costs, options);
  return {std::move(schedule), std::move(run), std::move(figure)};
}

std::size_t computes(const Schedule& schedule) {
  std::size_t count = 0;
  for (const std::vector<Action>& actions : schedule.actions) {
    for (const Action& action : actions) {
      count += is_compute(action.kind) ? 1 : 0;
    }
  }
  return count;
}

/// A shape that every kind accepts.
ScheduleOptions shape_for(const ScheduleKind& kind) {
  return {.ranks = 4, .microbatches = kind.name == "hanayo" ? 4 : 8, .chunks = kind.most_chunks > 1 ? 2 : 1};
}

pugi::xml_document parsed(const std::string& svg) {
  pugi::xml_document document;
  const pugi::xml_parse_result result = document.load_string(svg.c_str(), pugi::parse_full);
  EXPECT_TRUE(result) << result.description();
  return document;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

TEST(ScheduleFigure, EveryScheduleHasABoxForEachComputeInBothNotations) {
  for (const ScheduleKind& kind : schedule_kinds()) {
    const Drawn drawn = draw(std::string(kind.name), shape_for(kind));
    const std::size_t expected = computes(drawn.schedule);
    EXPECT_EQ(drawn.figure.boxes.size(), expected) << kind.name;
    const pugi::xml_document svg = parsed(schedule_svg(drawn.figure));
    EXPECT_EQ(svg.select_nodes("//rect[starts-with(@class, 'compute ')]").size(), expected) << kind.name;
    EXPECT_EQ(svg.select_nodes("//rect/title").size(), expected) << kind.name;
    EXPECT_EQ(count(schedule_tikz(drawn.figure), "\n\\makespanbox{"), expected + drawn.figure.swatches.size())
        << kind.name;
  }
}

TEST(ScheduleFigure, BoxesOfARowDoNotOverlapAndStayInsideThePicture) {
  for (const ScheduleKind& kind : schedule_kinds()) {
    const ScheduleFigure figure = draw(std::string(kind.name), shape_for(kind)).figure;
    for (std::size_t i = 0; i < figure.boxes.size(); ++i) {
      const FigureBox& box = figure.boxes[i];
      EXPECT_GE(box.x, 0);
      EXPECT_LE(box.x + box.width, figure.width);
      EXPECT_LE(box.y + box.height, figure.height);
      if (i > 0 && figure.boxes[i - 1].y == box.y) {
        EXPECT_LE(figure.boxes[i - 1].x + figure.boxes[i - 1].width, box.x + 1e-9) << box.title;
      }
    }
    for (const FigureText& text : figure.texts) {
      EXPECT_LE(text.y, figure.height);
      EXPECT_LE(text.x, figure.width);
    }
  }
}

/// 1F1B with F = 1, B = 2: rank r runs its first forward at r, the last of the m (F + B) + (p - 1)(F + B)
/// units is the last backward of rank 0.
TEST(ScheduleFigure, PlacesBoxesInProportionToTime) {
  constexpr int p = 4;
  constexpr int m = 8;
  const ScheduleFigure figure = draw("1f1b", {.ranks = p, .microbatches = m}).figure;
  const double left = figure.boxes.front().x;
  const double unit = figure.boxes.front().width;
  const double span = (m + p - 1) * (1 + 2);
  for (int rank = 0; rank < p; ++rank) {
    const FigureBox& first = figure.boxes[static_cast<std::size_t>(rank * 2 * m)];
    const FigureBox& last = figure.boxes[static_cast<std::size_t>((rank + 1) * 2 * m - 1)];
    EXPECT_NEAR(first.x, left + rank * unit, 1e-9);
    EXPECT_NEAR(first.width, unit, 1e-9);
    EXPECT_NEAR(last.width, 2 * unit, 1e-9);
    EXPECT_NEAR(last.x + last.width, left + (span - 2 * rank) * unit, 1e-9);
    EXPECT_NEAR(first.y - figure.boxes.front().y, rank * (figure.boxes[2 * m].y - figure.boxes.front().y),
                1e-9);
  }
  EXPECT_NEAR(figure.axis.front().x1, left, 1e-9);
  EXPECT_NEAR(figure.axis.front().x2, left + span * unit, 1e-9);
  EXPECT_EQ(figure.width, 3.3 * 72);
}

TEST(ScheduleFigure, MarksTheAxisAtRoundTimes) {
  const ScheduleFigure figure = draw("1f1b", {.ranks = 2, .microbatches = 2}).figure;  // 9 units
  std::vector<std::string> marks;
  for (const FigureText& text : figure.texts) {
    if (text.anchor == Anchor::middle) {
      marks.push_back(text.text);
    }
  }
  EXPECT_THAT(marks, testing::ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
                                          "time (a micro-batch's forward on one rank takes 1)"));
  const double unit = figure.boxes.front().width;
  for (std::size_t mark = 0; mark < 10; ++mark) {
    EXPECT_NEAR(figure.axis[1 + mark].x1, figure.axis[0].x1 + static_cast<double>(mark) * unit, 1e-9);
  }
}

TEST(ScheduleFigure, SaysSecondsInTheUnitThatSuits) {
  for (const auto& [forward, unit, last] :
       {std::tuple{"1 s", "time (s)", "9"}, std::tuple{"20 ms", "time (ms)", "180"},
        std::tuple{"0.1 ms", "time (µs)", "900"}, std::tuple{"30 ns", "time (ns)", "250"}}) {
    const std::string svg =
        schedule_svg(draw("1f1b", {.ranks = 2, .microbatches = 2}, {}, {.forward = forward}).figure);
    EXPECT_THAT(svg, AllOf(HasSubstr(std::string(">") + unit + "</text>"),
                           HasSubstr(std::string(">") + last + "</text>")));
  }
  EXPECT_THAT(schedule_tikz(draw("1f1b", {.ranks = 2, .microbatches = 2}, {}, {.forward = "0.1 ms"}).figure),
              HasSubstr("{time (\\ensuremath{\\mu}s)}"));
}

/// An F and a B that overlap are the upper and the lower half of one frame.
TEST(ScheduleFigure, DividesOverlappedPairsIntoTheirHalves) {
  const Drawn drawn = draw("dualpipe", {.ranks = 4, .microbatches = 8});
  std::size_t pairs = 0;
  for (std::size_t rank = 0, box = 0; rank < drawn.schedule.actions.size(); ++rank) {
    for (const Action& action : drawn.schedule.actions[rank]) {
      if (action.overlaps_next) {
        const FigureBox& upper = drawn.figure.boxes[box];
        const FigureBox& lower = drawn.figure.boxes[box + 1];
        const FigureBox& frame = drawn.figure.pairs.at(pairs++);
        EXPECT_EQ(upper.x, lower.x);
        EXPECT_EQ(upper.width, lower.width);
        EXPECT_EQ(upper.y + upper.height, lower.y);
        EXPECT_EQ(frame.y, upper.y);
        EXPECT_EQ(frame.height, upper.height + lower.height);
        EXPECT_NE(upper.fill, lower.fill);
      }
      ++box;
    }
  }
  EXPECT_GT(pairs, 0U);
  EXPECT_EQ(pairs, drawn.figure.pairs.size());
}

TEST(ScheduleFigure, ShadesTheStagesOfARank) {
  const auto shades = [](const std::string& kind, const ScheduleOptions& shape) {
    std::vector<std::string> names;
    for (const FigureFill& fill : draw(kind, shape).figure.fills) {
      names.push_back(fill.name);
    }
    return names;
  };
  EXPECT_THAT(shades("1f1b", {.ranks = 4, .microbatches = 8}), testing::ElementsAre("F0", "B0"));
  EXPECT_THAT(shades("interleaved", {.ranks = 4, .microbatches = 8, .chunks = 2}),
              testing::ElementsAre("F0", "F1", "B0", "B1"));
  EXPECT_THAT(shades("chimera", {.ranks = 4, .microbatches = 8}),
              testing::ElementsAre("F0", "F1", "B0", "B1"));
}

TEST(ScheduleFigure, LabelsPiecesOfSequences) {
  const ScheduleFigure figure =
      draw("seq1f1b", {.ranks = 2, .microbatches = 2, .pieces = 2}, {.width = 7 * kPointsPerInch}).figure;
  EXPECT_EQ(figure.boxes[0].number, "0.0");
  EXPECT_EQ(figure.boxes[1].number, "0.1");
  EXPECT_THAT(schedule_svg(figure), HasSubstr("piece j of micro-batch k"));
}

TEST(ScheduleFigure, DropsNumbersThatDoNotFitAndSaysWhereTheyDo) {
  const ScheduleOptions shape = {.ranks = 8, .microbatches = 20};
  const ScheduleFigure narrow = draw("dualpipe", shape).figure;
  ASSERT_GT(narrow.width_for_numbers, narrow.width);
  const ScheduleFigure wide = draw("dualpipe", shape, {.width = narrow.width_for_numbers + 0.01}).figure;
  EXPECT_EQ(wide.width_for_numbers, 0);
  for (const FigureBox& box : wide.boxes) {
    EXPECT_NE(box.number, "");
  }
  const ScheduleFigure almost = draw("dualpipe", shape, {.width = narrow.width_for_numbers - 1}).figure;
  EXPECT_GT(almost.width_for_numbers, 0);
  EXPECT_GE(narrow.number_size, 6);
  EXPECT_GE(narrow.text_size, 6);
}

/// From the end of what makes it to the start of what needs it; with independent messages at once.
TEST(ScheduleFigure, DrawsEachMessageAsAnArrowOnceItIsAsked) {
  constexpr std::size_t p = 4;
  constexpr std::size_t m = 8;
  const ScheduleOptions shape = {.ranks = p, .microbatches = m};
  const Drawn drawn = draw("1f1b", shape, {.transfers = true}, {.communication = "1"});
  constexpr std::size_t legend = 1;
  ASSERT_EQ(drawn.figure.messages.size(), 2 * m * (p - 1) + legend);
  const double unit = drawn.figure.boxes.front().width;
  for (std::size_t i = 0; i + legend < drawn.figure.messages.size(); ++i) {
    EXPECT_NEAR(drawn.figure.messages[i].x2 - drawn.figure.messages[i].x1, unit, 1e-9);  // the latency
  }
  EXPECT_THAT(draw("1f1b", shape).figure.messages, IsEmpty());
  EXPECT_EQ(parsed(schedule_svg(drawn.figure)).select_nodes("//line[@class='message']").size(),
            2 * m * (p - 1) + legend);
}

/// CIELAB lightness of a colour, 0 to 100.
double lightness(const std::string& colour) {
  constexpr std::array<double, 3> kLuminance = {0.2126, 0.7152, 0.0722};
  double luminance = 0;
  for (std::size_t i = 0; i < kLuminance.size(); ++i) {
    const double value = std::stoi(colour.substr(2 * i, 2), nullptr, 16) / 255.0;
    luminance += kLuminance[i] * (value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4));
  }
  return luminance > 0.008856 ? 116 * std::cbrt(luminance) - 16 : 903.3 * luminance;
}

TEST(SchedulePalette, KindsDifferInGreyPrintAndNumbersCanBeRead) {
  for (const std::string& palette : figure_palettes()) {
    for (const auto& [slot, slots] : {std::pair{0, 1}, std::pair{0, 2}, std::pair{1, 2}}) {
      std::vector<double> levels;
      for (std::size_t kind = 0; kind < 4; ++kind) {
        const std::string colour = palette_colour(palette, static_cast<ActionKind>(kind), slot, slots);
        const double level = lightness(colour);
        for (const double other : levels) {
          EXPECT_GE(std::abs(level - other), 6.5) << palette << ' ' << colour;
        }
        levels.push_back(level);
        const double luminance = level > 8 ? std::pow((level + 16) / 116, 3) : level / 903.3;
        const double contrast =  // WCAG 2
            wants_white_text(colour) ? 1.05 / (luminance + 0.05) : (luminance + 0.05) / 0.05;
        EXPECT_GE(contrast, 4.5) << palette << ' ' << colour;
      }
    }
  }
}

TEST(SchedulePalette, LaterStagesAreLighter) {
  for (const std::string& palette : figure_palettes()) {
    for (std::size_t kind = 0; kind < 4; ++kind) {
      for (int slot = 1; slot < 5; ++slot) {
        const auto at = [&](int which) {
          return lightness(palette_colour(palette, static_cast<ActionKind>(kind), which, 5));
        };
        EXPECT_GT(at(slot), at(slot - 1));
      }
    }
  }
  EXPECT_THROW((void)palette_colour("gray", ActionKind::forward, 0, 1), InputError);
}

TEST(ScheduleFigure, EscapesWhatXmlWouldRead) {
  ScheduleFigure figure = draw("1f1b", {.ranks = 2, .microbatches = 2}).figure;
  figure.title = "<a> & \"b\"";
  const pugi::xml_document svg = parsed(schedule_svg(figure));
  EXPECT_STREQ(svg.child("svg").child_value("title"), figure.title.c_str());
  EXPECT_STREQ(svg.child("svg").attribute("role").value(), "img");
  EXPECT_THAT(svg.child("svg").child_value("desc"), HasSubstr("Makespan 9, bubble 33.3 %"));
}

TEST(ScheduleFigure, SmallFiguresStayAsTheyAre) {
  const std::string golden = std::string(MAKESPAN_SOURCE_DIR) + "/test/golden/1f1b_p2_m2.";
  for (const std::string format : {"svg", "tikz"}) {
    const Outcome outcome = call({"schedule", "1f1b", "-p", "2", "-m", "2", "--format", format});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    test::expect_golden(outcome.out, golden + (format == "tikz" ? "tex" : format));
    EXPECT_EQ(outcome.out, call({"schedule", "1f1b", "-p", "2", "-m", "2", "--format", format}).out);
  }
}

TEST(ScheduleFigure, CommandTakesPaletteWidthAndTransfers) {
  const auto drawn = [](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"schedule", "dualpipe", "-p", "8", "-m", "20", "--format", "svg"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = call(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome;
  };
  EXPECT_THAT(drawn({"--width", "84mm"}).out, HasSubstr("width=\"238.110pt\""));  // 84 / 25.4 * 72
  EXPECT_THAT(drawn({"--width", "10 in"}).out, HasSubstr("width=\"720.000pt\""));
  EXPECT_THAT(drawn({}).err, HasSubstr("too narrow for numbers of 6 pt; all are wide enough at --width "));
  EXPECT_THAT(drawn({"--width", "40in"}).err, Not(HasSubstr("narrow")));
  EXPECT_THAT(drawn({"-q"}).err, IsEmpty());
  EXPECT_THAT(drawn({}).out, Not(HasSubstr("class=\"message\"")));
  EXPECT_THAT(drawn({"--transfers"}).out, HasSubstr("class=\"message\""));
  std::vector<std::string> pictures;
  for (const std::string& palette : figure_palettes()) {
    pictures.push_back(drawn({"--palette", palette}).out);
  }
  EXPECT_EQ(drawn({}).out, pictures.front());
  std::sort(pictures.begin(), pictures.end());
  EXPECT_EQ(std::unique(pictures.begin(), pictures.end()), pictures.end());
}

TEST(ScheduleFigure, CommandRefusesWhatItCannotDraw) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> refusals = {
      {{"--format", "json", "--palette", "grey"},
       "--palette: is for --format svg and --format tikz, not json"},
      {{"--format", "csv", "--width", "3in"}, "--width: is for --format svg and --format tikz, not csv"},
      {{"--transfers"}, "--transfers: is for --format svg and --format tikz, not text"},
      {{"--format", "trace", "--transfers"}, "--transfers: is for"},
      {{"--format", "svg", "--palette", "gray"}, "unknown value 'gray': did you mean 'grey'?"},
      {{"--format", "svg", "--width", "wide"}, "--width: 'wide' is no width\n  hint: write 3.3in"},
      {{"--format", "svg", "--width", "3"}, "--width: '3' is no width"},
      {{"--format", "svg", "--width", "-3in"}, "--width: '-3in' is not from 2in to 100in"},
      {{"--format", "svg", "--width", "3mm"}, "--width: '3mm' is not from 2in to 100in"},
      {{"--format", "svg", "--width", "nanin"}, "--width: 'nanin' is no"},
      {{"--format", "svg", "--forward", "0", "--backward", "0"}, "nothing takes time"},
      {{"--format", "tikz", "-m", "1001"}, "2002 boxes and arrows are more than the 2000 that TeX draws"},
      {{"--format", "svg", "-m", "100001"}, "are more than the 200000 that viewers show"},
  };
  for (const auto& [more, reason] : refusals) {
    std::vector<std::string> arguments = {"schedule", "1f1b", "-p", "1", "-m", "4"};
    if (std::find(more.begin(), more.end(), "-m") != more.end()) {
      arguments.resize(4);
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = call(arguments);
    EXPECT_EQ(outcome.code, 2) << reason;
    EXPECT_EQ(outcome.out, "") << reason;
    EXPECT_THAT(outcome.err, HasSubstr(reason));
  }
}

TEST(ScheduleTrace, ObeysEveryLawForEverySchedule) {
  const TemporaryFolder folder;
  for (const ScheduleKind& kind : schedule_kinds()) {
    const ScheduleOptions shape = shape_for(kind);
    for (const std::string forward : {"1", "1/3", "7 ms"}) {
      const Outcome trace =
          call({"schedule", std::string(kind.name), "-p", std::to_string(shape.ranks), "-m",
                std::to_string(shape.microbatches), "--chunks", std::to_string(shape.chunks), "--forward",
                forward, "--communication", forward, "--format", "trace"});
      ASSERT_EQ(trace.code, 0) << trace.err;
      const Outcome verdict = call({"verify", folder.file("trace.json", trace.out)});
      EXPECT_EQ(verdict.code, 0) << kind.name << ' ' << verdict.out << verdict.err;
    }
  }
}

TEST(ScheduleTrace, WithoutOneWeightGradientIsRefused) {
  const TemporaryFolder folder;
  auto trace = nlohmann::ordered_json::parse(
      call({"schedule", "dualpipe", "-p", "4", "-m", "8", "--format", "trace"}).out);
  auto& events = trace["traceEvents"];
  const auto weight = std::find_if(events.begin(), events.end(), [](const auto& event) {
    return event.contains("args") && event["args"].value("phase", "") == "backward-weight";
  });
  ASSERT_NE(weight, events.end());
  const std::string where = "lacks the rest of the backward of micro-batch " +
                            std::to_string((*weight)["args"]["microbatch"].get<int>());
  events.erase(weight);
  const Outcome verdict = call({"verify", folder.file("trace.json", trace.dump())});
  EXPECT_EQ(verdict.code, 1);
  EXPECT_THAT(verdict.out + verdict.err, HasSubstr(where));
}

}  // namespace
}  // namespace makespan
