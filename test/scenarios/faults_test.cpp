#include "scenarios/faults.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "scenarios/run.h"
#include "test/scenarios/examples.h"
#include "test/scenarios/scenario_texts.h"

namespace makespan {
namespace {

using test::profiled;
using test::run_it;
using test::small_gpt;
using testing::HasSubstr;

using Finished = makespan::Run;  // testing::Test has a Run of its own

/// Two replicas on GPU 0 of two nodes whose gradients are reduced at the end: nothing else is on NIC 0.
Scenario two_replicas() {
  Scenario scenario = small_gpt(4);
  scenario.parallelism.data = 2;
  scenario.parallelism.data_parallel.overlap = false;
  scenario.cluster.nodes = 2;
  scenario.parallelism.placement = {0, 8};
  return scenario;
}

/// Two stages on GPU 0 of two nodes.
Scenario two_stages() {
  Scenario scenario = profiled(2, 4);
  scenario.cluster.nodes = 2;
  scenario.parallelism.placement = {0, 8};
  scenario.profile->message = Bytes(100'000'000);
  return scenario;
}

/// When a transfer of one group runs, its latency, and when it moves bytes.
struct Transfer {
  Time begin;
  Time latency;
  Time end;

  [[nodiscard]] Time moving() const { return end - begin - latency; }
};

std::vector<Transfer> transfers(const Finished& run, Group group) {
  std::vector<Transfer> result;
  for (std::size_t i = 0; i < run.lowered.graph.tasks.size(); ++i) {
    const TaskId task(i);
    if (run.lowered.graph.tasks[i].kind == TaskKind::transfer &&
        run.lowered.graph.label(task).group == group) {
      result.push_back(
          {run.timeline.begin[i], run.lowered.graph.transfer(task).latency, run.timeline.end[i]});
    }
  }
  return result;
}

Transfer reduction(const Finished& run) {
  const std::vector<Transfer> all = transfers(run, Group::dp);
  EXPECT_EQ(all.size(), 1U);
  return all.at(0);
}

Fault slow(const std::string& target, double factor, Time from = Time(0), Time until = Time(0)) {
  return {.kind = FaultKind::slow_link, .target = target, .factor = factor, .from = from, .until = until};
}

Fault down(const std::string& target, Time from = Time(0), Time until = Time(0)) {
  return {.kind = FaultKind::link_down, .target = target, .from = from, .until = until};
}

Finished with(Scenario scenario, const std::vector<Fault>& faults) {
  scenario.faults = faults;
  return run_it(scenario);
}

void expect_near(Time actual, Time expected) {
  EXPECT_LE(std::abs((actual - expected).count()), 1'000)
      << actual.count() << " ps against " << expected.count();
}

TEST(Faults, half_a_nic_doubles_what_a_reduction_over_it_takes) {
  const Transfer whole = reduction(run_it(two_replicas()));
  // After a picosecond, so that the plan is that of whole links.
  for (const char* target : {"nic 0.0", "nic 1.0", "node 1", "link n0.nic0->u0.leaf0"}) {
    const Finished run = with(two_replicas(), {slow(target, 0.5, Time(1))});
    expect_near(reduction(run).moving(), 2 * whole.moving());
    EXPECT_EQ(run.report.iteration_time - whole.moving(),
              run_it(two_replicas()).report.iteration_time + reduction(run).moving() - 2 * whole.moving());
  }
  for (const char* target : {"nic 0.1", "nic 1.7", "nvlink 0.0"}) {
    const Transfer aside = reduction(with(two_replicas(), {slow(target, 0.5, Time(1))}));
    EXPECT_EQ(aside.moving(), whole.moving()) << target;
  }
}

TEST(Faults, for_the_whole_run_are_what_links_are) {
  const Finished run = with(two_replicas(), {slow("nic 0.0", 0.5)});
  EXPECT_TRUE(run.lowered.graph.capacity_changes.empty());
  const Topology whole = build_machine(two_replicas().cluster).topology;
  const Topology& topology = run.prepared.machine.topology;
  const Nic& nic = topology.nics()[0];
  for (std::size_t i = 0; i < topology.links().size(); ++i) {
    const bool is_slow = ResourceId(i) == nic.ports[0].out || ResourceId(i) == nic.ports[0].in;
    EXPECT_EQ(topology.links()[i].capacity.count(), whole.links()[i].capacity.count() / (is_slow ? 2 : 1));
  }
}

TEST(Faults, of_one_link_multiply) {
  const Finished run =
      with(two_replicas(), {slow("nic 0.0", 0.5), slow("node 0", 0.5), slow("link n0.nic0->u0.leaf0", 0.5)});
  const Topology whole = build_machine(two_replicas().cluster).topology;
  const Topology& topology = run.prepared.machine.topology;
  const Port port = topology.nics()[0].ports[0];
  EXPECT_EQ(topology.link(port.out).capacity.count(), whole.link(port.out).capacity.count() / 8);
  EXPECT_EQ(topology.link(port.in).capacity.count(), whole.link(port.in).capacity.count() / 4);
}

TEST(Faults, that_overlap_in_time_multiply_while_both_last) {
  Scenario scenario = two_replicas();
  scenario.faults = {slow("nic 0.0", 0.5, Time(100), Time(300)), slow("nic 0.0", 0.5, Time(200), Time(400)),
                     down("nic 0.0", Time(250), Time(260))};
  const Machine whole = build_machine(scenario.cluster);
  Machine machine = whole;
  apply_faults(scenario, machine);
  EXPECT_EQ(machine.topology.links().size(), whole.topology.links().size());
  const ResourceId out = machine.topology.nics()[0].ports[0].out;
  const std::int64_t capacity = whole.topology.link(out).capacity.count();
  std::vector<std::pair<std::int64_t, std::int64_t>> steps;
  for (const CapacityChange& change : machine.changes) {
    if (change.resource == out) {
      steps.emplace_back(change.at.count(), change.capacity.count());
    }
  }
  using testing::ElementsAre;
  using testing::Pair;
  EXPECT_THAT(steps, ElementsAre(Pair(100, capacity / 2), Pair(200, capacity / 4), Pair(250, 0),
                                 Pair(260, capacity / 4), Pair(300, capacity / 2), Pair(400, capacity)));
  EXPECT_TRUE(std::is_sorted(machine.changes.begin(), machine.changes.end(),
                             [](const auto& a, const auto& b) { return a.at < b.at; }));
}

TEST(Faults, delay_a_reduction_by_as_long_as_its_link_is_down) {
  const Transfer whole = reduction(run_it(two_replicas()));
  const Time middle = whole.begin + whole.latency + Time(whole.moving().count() / 2);
  const Time pause(5'000'000'000);
  const Finished run = with(two_replicas(), {down("nic 1.0", middle, middle + pause)});
  expect_near(reduction(run).end, whole.end + pause);
  const Finished before = with(two_replicas(), {down("nic 1.0", Time(1), whole.begin)});
  EXPECT_EQ(reduction(before).end, whole.end) << "it has healed when the link is needed";
}

TEST(Faults, slow_down_what_is_left_from_the_moment_they_begin) {
  const Transfer whole = reduction(run_it(two_replicas()));
  const Time half(whole.moving().count() / 2);
  const Finished run = with(two_replicas(), {slow("nic 0.0", 0.25, whole.begin + whole.latency + half)});
  expect_near(reduction(run).moving(), half + 4 * (whole.moving() - half));
}

TEST(Faults, that_never_heal_stop_what_needs_the_link) {
  const Transfer whole = reduction(run_it(two_replicas()));
  try {
    (void)with(two_replicas(), {down("nic 1.0", whole.end - Time(1'000'000))});
    FAIL() << "the reduction cannot end";
  } catch (const InfeasibleError& error) {
    EXPECT_THAT(error.what(), HasSubstr("can never advance"));
    EXPECT_THAT(error.what(), HasSubstr("n1.nic0"));
  }
  EXPECT_EQ(reduction(with(two_replicas(), {down("nic 1.0", whole.end)})).end, whole.end);
}

TEST(Faults, from_the_start_leave_no_route_to_a_gpu_without_its_nic) {
  Scenario scenario = two_replicas();
  scenario.faults = {down("nic 1.0")};
  EXPECT_THROW((void)prepare(scenario), InfeasibleError) << "before the run, as check tells it";
}

/// Two racks of two nodes below one leaf each, which two spines join.
Scenario two_racks() {
  Scenario scenario = two_replicas();
  scenario.cluster.nodes = 4;
  scenario.cluster.fabric.kind = "fat-tree";
  scenario.cluster.fabric.unit = 2;
  scenario.cluster.fabric.tiers = 2;
  scenario.cluster.fabric.routing.mode = RoutingMode::fixed;
  scenario.parallelism.placement = {0, 16};
  return scenario;
}

TEST(Faults, from_the_start_are_routed_around_where_there_is_another_way) {
  const Finished whole = run_it(two_racks());
  std::vector<ResourceId> uplinks;
  for (const Use& use : Router(whole.prepared.machine.topology).path(0, 16).uses) {
    if (whole.prepared.machine.topology.link(use.resource).kind == LinkKind::leaf_spine) {
      uplinks.push_back(use.resource);
    }
  }
  ASSERT_EQ(uplinks.size(), 2U) << "up to a spine and down";
  const Fault fault = down("link " + link_name(whole.prepared.machine.topology, uplinks[0]));
  const Finished around = with(two_racks(), {fault});
  EXPECT_EQ(around.report.iteration_time, whole.report.iteration_time) << "the other cables are as good";
  for (const Use& use : Router(around.prepared.machine.topology).path(0, 16).uses) {
    EXPECT_NE(use.resource, uplinks[0]);
  }
  EXPECT_THROW((void)with(two_racks(), {down("leaf 0.0")}), InfeasibleError) << "no other way is left";
}

TEST(Faults, of_a_leaf_are_those_of_its_uplinks) {
  Scenario scenario = two_racks();
  scenario.faults = {slow("leaf 0.0", 0.5)};
  Machine machine = build_machine(scenario.cluster);
  const Topology whole = machine.topology;
  apply_faults(scenario, machine);
  std::size_t slower = 0;
  for (std::size_t i = 0; i < whole.links().size(); ++i) {
    if (machine.topology.links()[i].capacity < whole.links()[i].capacity) {
      ++slower;
      EXPECT_EQ(whole.links()[i].kind, LinkKind::leaf_spine);
    }
  }
  EXPECT_EQ(slower, 2U * 2 * 8) << "both ways of as many cables as the NICs of two nodes need";
}

TEST(Faults, add_latency_to_every_message_over_the_link) {
  const std::vector<Transfer> whole = transfers(run_it(two_stages()), Group::pp);
  Fault fault{.kind = FaultKind::slow_link, .target = "nic 0.0", .latency = Time(7'000'000)};
  const std::vector<Transfer> later = transfers(with(two_stages(), {fault}), Group::pp);
  ASSERT_EQ(later.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(later[i].latency, whole[i].latency + Time(7'000'000));
    EXPECT_EQ(later[i].moving(), whole[i].moving());
  }
}

TEST(Faults, reach_the_links_inside_a_node) {
  Scenario scenario = small_gpt(4);
  scenario.parallelism.tensor = 8;
  const std::vector<Transfer> whole = transfers(run_it(scenario), Group::tp);
  const std::vector<Transfer> slower =
      transfers(with(scenario, {slow("nvlink 0.3", 0.5, Time(1))}), Group::tp);
  ASSERT_EQ(slower.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    expect_near(slower[i].moving(), 2 * whole[i].moving());
  }
}

std::string target_error(const std::string& target, const std::vector<std::string>& more = {}) {
  std::vector<std::string> overrides = {"cluster.nodes=2",
                                        "faults=[{kind: link-down, target: " + target + "}]"};
  overrides.insert(overrides.end(), more.begin(), more.end());
  try {
    const Prepared prepared = prepare(small_scenario(overrides));
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Faults, name_what_is_there) {
  EXPECT_THAT(target_error("nick 0.0"), HasSubstr("faults[0].target: unknown target 'nick 0.0'"));
  EXPECT_THAT(target_error("nick 0.0"), HasSubstr("did you mean 'nic'?"));
  EXPECT_THAT(target_error("nic"), HasSubstr("must name two numbers"));
  EXPECT_THAT(target_error("nic 0"), HasSubstr("must name two numbers, found '0'"));
  EXPECT_THAT(target_error("nic 0.x"), HasSubstr("must name a number, found 'x'"));
  EXPECT_THAT(target_error("nic 2.0"),
              HasSubstr("there is no node 2\n  hint: nodes are numbered from 0 to 1"));
  EXPECT_THAT(target_error("nic 1.8"),
              HasSubstr("node 1 has no NIC 8\n  hint: its NICs are numbered from 0 to 7"));
  EXPECT_THAT(target_error("node -1"), HasSubstr("must name a number"));
  EXPECT_THAT(target_error("nvlink 0.8"), HasSubstr("node 0 has no GPU 8"));
  EXPECT_THAT(target_error("ici 0.0"), HasSubstr("GPU 0 of node 0 has no links of kind ici"));
  EXPECT_THAT(target_error("leaf 0.9"), HasSubstr("there is no leaf 0.9"));
  EXPECT_THAT(target_error("leaf 0.0"), HasSubstr("leaf 0.0 has no links to other switches"));
  EXPECT_THAT(target_error("link n0.nic0->u0.leaf1"), HasSubstr("did you mean 'n0.nic0->u0.leaf0'?"));
  EXPECT_THAT(target_error("nic 0.0", {"cluster.nodes=1", "cluster.fabric=none"}),
              HasSubstr("node 0 has no NICs"));
}

TEST(Faults, are_all_told_at_once) {
  const std::string error = target_error("nic 9.0}, {kind: slow-link, factor: 0.5, target: nvlink 9.0");
  EXPECT_THAT(error, HasSubstr("faults[0].target: there is no node 9"));
  EXPECT_THAT(error, HasSubstr("faults[1].target: there is no node 9"));
}

}  // namespace
}  // namespace makespan
