// Which GPUs are slow or gone, as [[fault]] has it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "sim/machine/machine.hpp"
#include "sim/serving/options.hpp"

namespace moesim {

// Something that happened to the system while it served; a line or a band in the reports.
struct Incident {
  Seconds at{0};
  Seconds until{0};  // == at: an instant
  std::string kind;  // "fault", "rebalance"
  std::string text;  // "node5.nic1 at 25 % bandwidth"
};

class GpuHealth {
 public:
  explicit GpuHealth(int gpus) : speed_(static_cast<std::size_t>(gpus), 1.0) {}

  // Of several faults on a GPU the last change counts.
  void set_speed(std::span<const GpuId> gpus, double speed);
  // Factor on the time of the GPUs [first, first + count), 1 for those that are gone; empty
  // where all are healthy.
  [[nodiscard]] std::vector<double> slowdown(int first, int count) const;
  [[nodiscard]] std::vector<bool> gone(int first, int count) const;

 private:
  std::vector<double> speed_;  // fraction left
};

// "node5.nic1 at 25 % bandwidth"
std::string describe(const FaultOptions& fault);

struct FaultHooks {
  std::function<void(std::span<const GpuId>, double speed)> speed;  // changes now
  std::function<void(const FaultOptions&)> begins;
  std::function<void()> returns;  // GPUs that were gone, after `speed`
};

// Puts faults on the machine's clock; links change by themselves. Throws InputError for a
// target that does not exist, or that has no speed to lose. `cluster` outlives the run.
void schedule_faults(std::span<const FaultOptions> faults, Machine& machine,
                     const Cluster& cluster, const FaultHooks& hooks);

}  // namespace moesim
