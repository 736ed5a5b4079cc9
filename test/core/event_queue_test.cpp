#include "core/event_queue.h"

#include <gmock/gmock.h>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "core/random.h"

namespace makespan {
namespace {

using Payload = std::pair<std::uint32_t, std::uint32_t>;

std::multiset<Payload> payloads(const EventQueue& queue) {
  std::multiset<Payload> result;
  for (const EventQueue::Item& item : queue.taken()) {
    result.emplace(item.slot, item.version);
  }
  return result;
}

/// Takes one instant from both; they must agree on it.
Time take_instant(EventQueue& queue, std::multimap<Time, Payload>& expected) {
  const Time now = queue.advance();
  EXPECT_EQ(now, expected.begin()->first);
  std::multiset<Payload> events;
  const auto last = expected.upper_bound(expected.begin()->first);
  for (auto i = expected.begin(); i != last; ++i) {
    events.insert(i->second);
  }
  expected.erase(expected.begin(), last);
  EXPECT_EQ(payloads(queue), events);
  return now;
}

TEST(EventQueue, ItemsAreSixteenBytes) {
  EXPECT_EQ(sizeof(EventQueue::Item), 16U);
}

TEST(EventQueue, AgreesWithAMultimapOnRandomSequences) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    EventQueue queue;
    std::multimap<Time, Payload> expected;
    Time now;
    const std::int64_t spread = std::int64_t{1} << random.below(60);  // small spreads make many ties
    for (std::uint32_t step = 0; step < 500; ++step) {
      if (random.below(3) > 0) {
        const Time at = now + Time(random.between(0, spread));
        queue.push(at, step, step + 7);
        expected.emplace(at, Payload(step, step + 7));
      } else if (!queue.empty() && now < Time(std::int64_t{1} << 61U)) {
        now = take_instant(queue, expected);
      }
      ASSERT_EQ(queue.empty(), expected.empty());
    }
    while (!queue.empty()) {
      take_instant(queue, expected);
    }
    ASSERT_TRUE(expected.empty()) << "seed " << seed;
  }
}

TEST(EventQueue, ReturnsAnInstantAgainWhenMoreIsPushedIntoIt) {
  EventQueue queue;
  queue.push(Time(5), 1, 0);
  EXPECT_EQ(queue.advance(), Time(5));
  queue.push(Time(5), 2, 0);
  queue.push(Time(6), 3, 0);
  EXPECT_EQ(queue.advance(), Time(5));
  EXPECT_EQ(payloads(queue), (std::multiset<Payload>{{2, 0}}));
  EXPECT_EQ(queue.advance(), Time(6));
}

TEST(EventQueue, ReachesTheEndOfTime) {
  const Time last(std::numeric_limits<std::int64_t>::max());
  EventQueue queue;
  queue.push(last, 1, 0);
  queue.push(Time(0), 2, 0);
  EXPECT_EQ(queue.advance(), Time(0));
  EXPECT_EQ(queue.advance(), last);
  EXPECT_TRUE(queue.empty());
}

TEST(EventQueue, StartsAtZeroAgainAfterAReset) {
  EventQueue queue;
  for (std::uint32_t i = 0; i < 100; ++i) {
    queue.push(Time(i * 1000), i, 0);
  }
  queue.advance();
  queue.advance();
  queue.reset();
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.taken().empty());
  queue.push(Time(3), 9, 0);
  EXPECT_EQ(queue.advance(), Time(3));
  EXPECT_EQ(payloads(queue), (std::multiset<Payload>{{9, 0}}));
}

TEST(EventQueueDeathTest, RefusesThePast) {
  EventQueue queue;
  queue.push(Time(5), 1, 0);
  queue.advance();
  EXPECT_DEATH(queue.push(Time(4), 2, 0), "pushed into the past");
  EXPECT_DEATH(queue.advance(), "nothing to take");
}

}  // namespace
}  // namespace makespan
