#include "tools/signals.h"

#include <csignal>
#include <cstdlib>  // exit
#include <gtest/gtest.h>
#include <iostream>

#include "tools/progress.h"

namespace makespan {
namespace {

TEST(Signals, AskTheRunToStopOnce) {
  const auto interrupted_run = [] {
    prepare_process();
    Progress progress(std::cerr, false, "test");
    const SimulationOptions options = progress.options();
    const bool goes_on = options.progress(1, 2, Time(0));
    (void)std::raise(SIGTERM);
    const bool goes_on_after = options.progress(1, 2, Time(0));
    std::exit(goes_on && !goes_on_after ? stop_signal() : 0);
  };
  EXPECT_EXIT(interrupted_run(), testing::ExitedWithCode(SIGTERM), "");
}

TEST(Signals, EndTheProcessTheSecondTime) {
  const auto impatient = [] {
    prepare_process();
    (void)std::raise(SIGINT);
    (void)std::raise(SIGINT);
    std::exit(0);
  };
  EXPECT_EXIT(impatient(), testing::ExitedWithCode(128 + SIGINT), "");
}

}  // namespace
}  // namespace makespan
