#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "scenarios/problems.h"
#include "scenarios/scenario.h"
#include "schedules/catalogue.h"
#include "schedules/searches.h"

namespace makespan {

/// The state of resolve().
class Resolver {
 public:
  Resolver(Scenario& scenario, std::vector<std::string>& warnings) : s_(scenario), warnings_(warnings) {}

  void run();

 private:
  [[nodiscard]] static std::string text(std::int64_t value) { return std::to_string(value); }

  /// Parameters, as Megatron-LM.
  [[nodiscard]] static std::int64_t default_bucket(std::int64_t data) {
    return std::max<std::int64_t>(40'000'000, 1'000'000 * data);
  }

  [[nodiscard]] bool given(const std::string& key) const { return s_.locations.contains(key); }

  void complain(const std::string& key, const std::string& what, const std::string& hint = {}) {
    problems_.add(find_location(s_.locations, key), key, what, hint);
  }

  /// Warns that `key` was given in vain.
  void no_effect(const std::string& key, const std::string& why) {
    if (given(key)) {
      warnings_.emplace_back(
          InputError(find_location(s_.locations, key), key, "has no effect: " + why).what());
    }
  }

  [[nodiscard]] bool accepts_tensor(std::int64_t tensor) const;
  [[nodiscard]] std::string tensor_hint() const;
  void model();
  void tensor_parallel();
  void software();
  void cluster();
  void accelerator();
  void faults();
  void data();
  void order();
  void placement();
  void schedule();
  void schedule_file();
  void optimizer_sync();
  void overlapping_iterations(const std::string& what);
  void without_flush(const ScheduleKind& kind);
  void pieces(const ScheduleKind& kind);
  void searched(const ScheduleSearch* search);
  void group();
  void layers();
  void profile();
  void profile_times(const std::string& name, const std::vector<Time>& times);
  void positive_times(const std::string& name, const std::vector<Time>& times);
  void positive_sums();
  void batch();
  void vain_keys();
  void vain_collectives();
  void vain_software();
  void vain_with_profile();
  void size();

  [[nodiscard]] std::int64_t stages() const { return s_.parallelism.pipeline * s_.schedule.chunks; }

  Scenario& s_;
  std::vector<std::string>& warnings_;
  Problems problems_;
  std::int64_t gpus_ = 0;
  Software usual_;  ///< what the preset says
  std::int64_t file_microbatches_ = 0;
  bool file_splits_ = false;  ///< the lists of a file have I and W
};

}  // namespace makespan
