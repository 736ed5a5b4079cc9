#include "core/simulator.h"

#include <gmock/gmock.h>
#include <limits>

#include "core/error.h"

namespace makespan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// One gigabyte per second: a byte takes 1000 ps.
constexpr Rate kGigabyte(1'000'000'000'000);
constexpr std::int64_t kByteTime = 1000;

/// A builder with shorter names for what these tests repeat.
struct Graph {
  TaskGraphBuilder builder{4};
  Label label{builder.name("work")};

  ResourceId link(Rate capacity = kGigabyte) {
    return builder.resource("link " + std::to_string(builder.peek().resources.size()), "link", capacity);
  }

  TaskId compute(std::size_t device, std::int64_t duration) {
    return builder.compute(DeviceId(device), {Time(0), Time(duration), Time(0)}, label);
  }

  TaskId transfer(const Route& route, std::int64_t bytes, std::int64_t latency = 0) {
    return builder.transfer(builder.route(route), {Bytes(bytes), Time(latency)}, label);
  }

  TaskId marker() { return builder.marker(label); }

  void chain(std::initializer_list<TaskId> tasks) {
    for (auto next = tasks.begin() + 1; next != tasks.end(); ++next) {
      builder.edge(*(next - 1), *next);
    }
  }

  Timeline run(const SimulationOptions& options = {}) && {
    const TaskGraph graph = std::move(builder).build();
    return simulate(graph, options);
  }
};

Route over(std::initializer_list<Use> uses) {
  return {uses, {}, 0, 0};
}

std::string failure(Graph&& graph) {
  try {
    std::move(graph).run();
  } catch (const InfeasibleError& error) {
    return error.what();
  }
  return "";
}

TEST(Simulator, AnEmptyGraphTakesNoTime) {
  const Timeline timeline = Graph().run();
  EXPECT_EQ(timeline.makespan, Time(0));
  EXPECT_THAT(timeline.begin, IsEmpty());
}

TEST(Simulator, AChainOfComputeTakesTheSumOfItsParts) {
  Graph graph;
  const TaskId first = graph.builder.compute(DeviceId(0), {Time(1), Time(20), Time(300)}, graph.label);
  const TaskId second = graph.compute(1, 50);
  graph.chain({first, second});
  const Timeline timeline = std::move(graph).run();
  EXPECT_THAT(timeline.begin, ElementsAre(Time(0), Time(1 + 20 + 300)));
  EXPECT_EQ(timeline.makespan, Time(1 + 20 + 300 + 50));
}

TEST(Simulator, ATransferPaysItsLatencyAndThenItsBytes) {
  Graph graph;
  graph.transfer(over({{graph.link(Rate(3 * kGigabyte))}}), 100, 77);
  EXPECT_EQ(std::move(graph).run().makespan, Time(77 + (100 * kByteTime + 2) / 3));  // rounded up
}

TEST(Simulator, ATransferWithoutLinksOrBytesTakesOnlyItsLatency) {
  Graph graph;
  const ResourceId link = graph.link();
  graph.transfer(over({}), 1000, 5);
  graph.transfer(over({{link}}), 0, 6);
  graph.transfer(over({}), 1000);
  const Timeline timeline = std::move(graph).run();
  EXPECT_THAT(timeline.end, ElementsAre(Time(5), Time(6), Time(0)));
  EXPECT_THAT(timeline.peak_load, ElementsAre(Rate(0)));
}

TEST(Simulator, WorkOfNoLengthFinishesWithinTheInstant) {
  Graph graph;
  const TaskId first = graph.compute(0, 10);
  graph.chain({first, graph.marker(), graph.compute(0, 0), graph.transfer(over({{graph.link()}}), 0),
               graph.marker(), graph.compute(0, 10)});
  const Timeline timeline = std::move(graph).run();
  EXPECT_THAT(timeline.end, ElementsAre(Time(10), Time(10), Time(10), Time(10), Time(10), Time(20)));
}

TEST(Simulator, AnEdgeNamedTwiceCountsOnce) {
  Graph graph;
  const TaskId first = graph.compute(0, 10);
  const TaskId second = graph.compute(0, 10);
  graph.chain({first, second});
  graph.chain({first, second});
  EXPECT_EQ(std::move(graph).run().makespan, Time(20));
}

TEST(Simulator, TwoTransfersShareALinkAndTheLongerOneThenHasItAlone) {
  Graph graph;
  const ResourceId link = graph.link();
  graph.transfer(over({{link}}), 10);
  graph.transfer(over({{link}}), 30);
  SimulationOptions options;
  options.record_rates = true;
  const Timeline timeline = std::move(graph).run(options);
  EXPECT_THAT(timeline.end, ElementsAre(Time(2 * 10 * kByteTime), Time((10 + 30) * kByteTime)));
  EXPECT_THAT(timeline.peak_load, ElementsAre(kGigabyte));
  ASSERT_THAT(timeline.rates, SizeIs(3));
  EXPECT_EQ(timeline.rates[0].rate, Rate(kGigabyte.count() / 2));
  EXPECT_EQ(timeline.rates[1].task, TaskId(1));
  EXPECT_EQ(timeline.rates[2].at, timeline.end[0]);
  EXPECT_EQ(timeline.rates[2].rate, kGigabyte);
}

TEST(Simulator, RatesAreNotRecordedUnlessAskedFor) {
  Graph graph;
  graph.transfer(over({{graph.link()}}), 10);
  EXPECT_THAT(std::move(graph).run().rates, IsEmpty());
}

TEST(Simulator, LatencyUsesNoLink) {
  Graph graph;
  const ResourceId link = graph.link();
  graph.transfer(over({{link}}), 10);
  graph.transfer(over({{link}}), 10, 10 * kByteTime);
  EXPECT_THAT(std::move(graph).run().end, ElementsAre(Time(10 * kByteTime), Time(20 * kByteTime)));
}

TEST(Simulator, WeightsSlowTheReferenceHop) {
  Graph graph;
  graph.transfer(over({{graph.link(), 3 * Use::kUnitWeight}}), 10);
  const std::int64_t rate = kGigabyte.count() / 3;  // rounded down, so the transfer needs one picosecond more
  EXPECT_EQ(std::move(graph).run().makespan, Time(10 * kByteTime * kGigabyte.count() / rate + 1));
}

TEST(Simulator, ACapacityChangeSlowsWhatIsUnderWay) {
  Graph graph;
  const ResourceId link = graph.link();
  graph.transfer(over({{link}}), 10);
  graph.builder.capacity_change({Time(4 * kByteTime), link, Rate(kGigabyte.count() / 2)});
  EXPECT_EQ(std::move(graph).run().makespan, Time(4 * kByteTime + 2 * 6 * kByteTime));
}

TEST(Simulator, ALinkThatIsDownHoldsATransferUntilItHeals) {
  Graph graph;
  const ResourceId link = graph.link();
  graph.transfer(over({{link}}), 10);
  graph.builder.capacity_change({Time(4 * kByteTime), link, Rate(0)});
  graph.builder.capacity_change({Time(9 * kByteTime), link, kGigabyte});
  EXPECT_EQ(std::move(graph).run().makespan, Time(9 * kByteTime + 6 * kByteTime));
}

TEST(Simulator, ACapacityChangeAtTheStartHoldsFromTheStart) {
  Graph graph;
  const ResourceId link = graph.link(Rate(0));
  graph.transfer(over({{link}}), 10);
  graph.builder.capacity_change({Time(0), link, kGigabyte});
  EXPECT_EQ(std::move(graph).run().makespan, Time(10 * kByteTime));
}

TEST(Simulator, CapacityChangesAfterTheLastTaskDoNotExtendTheRun) {
  Graph graph;
  const ResourceId link = graph.link();
  graph.transfer(over({{link}}), 10);
  graph.builder.capacity_change({Time(1000 * kByteTime), link, Rate(0)});
  EXPECT_EQ(std::move(graph).run().makespan, Time(10 * kByteTime));
}

TEST(Simulator, ALinkThatNeverHealsIsInfeasibleAndNamed) {
  Graph graph;
  const ResourceId link = graph.link();
  graph.link();
  Route route = over({{link}, {ResourceId(1)}});
  route.members = {DeviceId(2), DeviceId(3)};
  graph.transfer(route, 10);
  graph.builder.capacity_change({Time(4 * kByteTime), link, Rate(0)});
  EXPECT_THAT(failure(std::move(graph)), testing::AllOf(HasSubstr("ranks 2, 3: work can never advance"),
                                                        HasSubstr("link 0"), HasSubstr("4000 ps")));
}

TEST(Simulator, AHealThatComesTooShortOfARateIsInfeasible) {
  Graph graph;
  const ResourceId link = graph.link(Rate(0));
  for (int i = 0; i < 5; ++i) {
    graph.transfer(over({{link}}), 10);
  }
  graph.builder.capacity_change({Time(7), link, Rate(4)});  // less than one unit for each of five
  EXPECT_THAT(failure(std::move(graph)), testing::AllOf(HasSubstr("can never advance"), HasSubstr("7 ps")));
}

TEST(Simulator, ACycleIsADeadlockInWords) {
  Graph graph;
  const TaskId a =
      graph.builder.compute(DeviceId(0), {Time(1), Time(0), Time(0)}, {graph.builder.name("send")});
  const TaskId b =
      graph.builder.compute(DeviceId(1), {Time(1), Time(0), Time(0)}, {graph.builder.name("receive")});
  graph.chain({a, b, a});
  EXPECT_THAT(
      failure(std::move(graph)),
      testing::AllOf(HasSubstr("deadlock: 2 of 2"), HasSubstr("rank 1: receive  waits for  rank 0: send"),
                     HasSubstr("rank 0: send  waits for  rank 1: receive")));
}

TEST(Pool, TasksStartInOrderWhileSlotsAreFree) {
  Graph graph;
  const std::vector<TaskId> tasks = {graph.compute(0, 30), graph.compute(1, 10), graph.compute(2, 5),
                                     graph.compute(3, 100)};
  graph.builder.pool({tasks, 2});
  const Timeline timeline = std::move(graph).run();
  EXPECT_THAT(timeline.begin, ElementsAre(Time(0), Time(0), Time(10), Time(10 + 5)));
}

TEST(Pool, TheTaskWhoseTurnItIsHoldsUpThoseAfterIt) {
  Graph graph;
  const TaskId before = graph.compute(0, 50);
  const TaskId first = graph.compute(1, 10);
  const TaskId second = graph.compute(2, 10);
  graph.chain({before, first});
  graph.builder.pool({{first, second}, 2});
  EXPECT_THAT(std::move(graph).run().begin, ElementsAre(Time(0), Time(50), Time(50)));
}

TEST(Pool, AnEndFreesItsSlotBeforeTheInstantStartsAnything) {
  Graph graph;
  const TaskId first = graph.compute(0, 10);
  const TaskId gate = graph.compute(1, 10);
  const TaskId second = graph.compute(2, 10);
  graph.chain({gate, second});
  graph.builder.pool({{first, second}, 1});
  EXPECT_THAT(std::move(graph).run().begin, ElementsAre(Time(0), Time(0), Time(10)));
}

TEST(Pool, WorkOfNoLengthGivesItsSlotOnWithinTheInstant) {
  Graph graph;
  Pool pool{{}, 1};
  for (int i = 0; i < 100'000; ++i) {
    pool.tasks.push_back(i % 2 == 0 ? graph.marker() : graph.compute(0, 0));
  }
  pool.tasks.push_back(graph.compute(0, 7));
  graph.builder.pool(pool);
  const Timeline timeline = std::move(graph).run();
  EXPECT_EQ(timeline.begin.back(), Time(0));
  EXPECT_EQ(timeline.makespan, Time(7));
}

TEST(Pool, ASlotIsHeldThroughLatency) {
  Graph graph;
  const ResourceId link = graph.link();
  const TaskId first = graph.transfer(over({{link}}), 10, 40);
  const TaskId second = graph.transfer(over({{link}}), 10, 40);
  graph.builder.pool({{first, second}, 1});
  EXPECT_EQ(std::move(graph).run().makespan, Time(2 * (40 + 10 * kByteTime)));
}

TEST(Pool, ATurnThatNeverComesIsADeadlockInWords) {
  Graph graph;
  const auto named = [&](std::size_t device, const char* name) {
    return graph.builder.compute(DeviceId(device), {Time(1), Time(0), Time(0)}, {graph.builder.name(name)});
  };
  const TaskId first = named(0, "first");
  const TaskId second = named(1, "second");
  const TaskId third = named(2, "third");
  graph.chain({third, first});
  graph.builder.pool({{first, second, third}, 3});
  EXPECT_THAT(
      failure(std::move(graph)),
      testing::AllOf(HasSubstr("deadlock: 3 of 3"), HasSubstr("rank 0: first  waits for  rank 2: third"),
                     HasSubstr("rank 2: third  waits for its turn after  rank 1: second"),
                     HasSubstr("rank 1: second  waits for its turn after  rank 0: first")));
}

TEST(Simulator, PassingTheEndOfTimeIsInfeasible) {
  Graph graph;
  const std::int64_t half = std::numeric_limits<std::int64_t>::max() / 2 + 1;
  graph.chain({graph.compute(0, half), graph.compute(0, half)});
  EXPECT_THAT(failure(std::move(graph)), HasSubstr("range of 106 days"));
}

TEST(Simulator, TheLastPicosecondOfTimeCanBeReached) {
  Graph graph;
  const std::int64_t half = std::numeric_limits<std::int64_t>::max() / 2;
  graph.chain({graph.compute(0, half), graph.compute(0, half + 1)});
  EXPECT_EQ(std::move(graph).run().makespan, Time(std::numeric_limits<std::int64_t>::max()));
}

TEST(Simulator, ARateThatWouldPassTheEndOfTimeIsFineWhileItIsRaisedInTime) {
  Graph graph;
  const ResourceId link = graph.link(Rate(1));  // 10 bytes take 10^16 ps each: 10^19 ps is past the end
  graph.transfer(over({{link}}), 10'000);
  graph.builder.capacity_change({Time(5), link, kGigabyte});
  EXPECT_EQ(std::move(graph).run().makespan, Time(5 + 10'000 * kByteTime));
}

TEST(Simulator, ATransferSlowsComputeOnItsMembersFromItsStartToItsEndWithLatency) {
  Graph graph;
  Route route = over({{graph.link()}});
  route.members = {DeviceId(0)};
  route.sm_ppm = 500'000;
  graph.transfer(route, 10, 20 * kByteTime);  // runs for 30 byte times
  graph.compute(0, 40 * kByteTime);           // at half speed for 30 of them: 15 done, 25 left
  graph.compute(1, 40 * kByteTime);           // on another device
  EXPECT_THAT(std::move(graph).run().end,
              ElementsAre(Time(30 * kByteTime), Time((30 + 25) * kByteTime), Time(40 * kByteTime)));
}

TEST(Simulator, AWaitingTransferReservesNothing) {
  Graph graph;
  Route route = over({{graph.link()}});
  route.members = {DeviceId(0)};
  route.sm_ppm = 500'000;
  const TaskId kernel = graph.compute(0, 40 * kByteTime);
  graph.chain({kernel, graph.transfer(route, 10)});
  EXPECT_EQ(std::move(graph).run().end[0], Time(40 * kByteTime));
}

TEST(Simulator, ReservationsAddUpAndStopAtTheCap) {
  Graph graph;
  for (int i = 0; i < 3; ++i) {
    Route route = over({{graph.link()}});
    route.members = {DeviceId(0)};
    route.sm_ppm = 400'000;
    graph.transfer(route, 1'000'000);
  }
  graph.compute(0, 1000);
  EXPECT_EQ(std::move(graph).run().end[3], Time(1000 * 10));  // a tenth is left
}

TEST(ComputeSpeed, IsTheFloorOfTheExactRatio) {
  EXPECT_EQ(compute_speed({Time(5), Time(6), Time(7)}, 0, 0), 1'000'000);
  EXPECT_EQ(compute_speed({Time(0), Time(100), Time(0)}, 200'000, 900'000), 800'000);
  EXPECT_EQ(compute_speed({Time(0), Time(0), Time(100)}, 900'000, 250'000), 750'000);
  EXPECT_EQ(compute_speed({Time(100), Time(0), Time(0)}, 900'000, 900'000), 1'000'000);
  // T = 300, slowed to 100 + 100 / 0.5 + 100 / 0.25 = 700.
  EXPECT_EQ(compute_speed({Time(100), Time(100), Time(100)}, 500'000, 750'000), 1'000'000LL * 300 / 700);
  EXPECT_EQ(compute_speed({Time(0), Time(std::numeric_limits<std::int64_t>::max()), Time(0)}, 900'000, 0),
            100'000);
}

TEST(Simulator, ProgressIsReportedAndCanStopTheRun) {
  const auto many = [] {
    Graph graph;
    TaskId last = graph.compute(0, 1);
    for (int i = 1; i < 200'000; ++i) {
      const TaskId next = graph.compute(0, 1);
      graph.chain({last, next});
      last = next;
    }
    return graph;
  };
  std::vector<std::size_t> reports;
  SimulationOptions options;
  options.progress = [&](std::size_t done, std::size_t total, Time now) {
    EXPECT_EQ(total, 200'000U);
    EXPECT_EQ(now, Time(static_cast<std::int64_t>(done)));
    reports.push_back(done);
    return true;
  };
  many().run(options);
  // One task ends in each instant: a report at the start and every 256 instants.
  ASSERT_EQ(reports.size(), 1U + 200'000 / 256);
  for (std::size_t i = 0; i < reports.size(); ++i) {
    EXPECT_EQ(reports[i], i * 256);
  }
  options.progress = [](std::size_t, std::size_t, Time) { return false; };
  EXPECT_THROW(many().run(options), Interrupted);
}

TEST(Simulator, EventsThatWereOvertakenStillCountAsDelivered) {
  Graph graph;
  const ResourceId link = graph.link();
  graph.transfer(over({{link}}), 10);
  graph.transfer(over({{link}}), 30);
  // Both are first due at their shared rates; the longer one is rescheduled when the shorter one ends, and is
  // done before its first event would come.
  EXPECT_EQ(std::move(graph).run().events, 2U);
}

}  // namespace
}  // namespace makespan
