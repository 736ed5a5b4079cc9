#include <makespan/core/simulator.h>

int main() {
  using namespace makespan;
  TaskGraphBuilder builder(1);
  const Label label{.name = builder.name("work")};
  const TaskId first = builder.compute(DeviceId(0), {.launch = Time(1), .sm = Time(2), .memory = Time(3)}, label);
  builder.edge(first, builder.compute(DeviceId(0), {.launch = Time(4), .sm = Time(5), .memory = Time(6)}, label));
  return simulate(std::move(builder).build()).makespan == Time(1 + 2 + 3 + 4 + 5 + 6) ? 0 : 1;
}
