#include "sim/serving/gpu_health.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/diagnostics.hpp"
#include "sim/machine/faults.hpp"
#include "topology/targets.hpp"

namespace moesim {

void GpuHealth::set_speed(std::span<const GpuId> gpus, double speed) {
  for (const GpuId gpu : gpus) speed_[gpu.index()] = speed;
}

std::vector<double> GpuHealth::slowdown(int first, int count) const {
  std::vector<double> factors;
  bool healthy = true;
  for (int g = first; g < first + count; ++g) {
    const double speed = speed_[static_cast<std::size_t>(g)];
    factors.push_back(speed > 0 ? 1 / speed : 1.0);
    healthy = healthy && factors.back() == 1;
  }
  return healthy ? std::vector<double>{} : factors;
}

std::vector<bool> GpuHealth::gone(int first, int count) const {
  std::vector<bool> gone;
  for (int g = first; g < first + count; ++g) {
    gone.push_back(speed_[static_cast<std::size_t>(g)] == 0);
  }
  return gone;
}

std::string describe(const FaultOptions& fault) {
  std::string text = fault.target;
  if (fault.bandwidth < 1) text += fmt::format(" at {:g} % bandwidth", 100 * fault.bandwidth);
  if (fault.speed == 0) {
    text += " down";
  } else if (fault.speed < 1) {
    text += fmt::format(" at {:g} % speed", 100 * fault.speed);
  }
  return text;
}

void schedule_faults(std::span<const FaultOptions> faults, Machine& machine,
                     const Cluster& cluster, const FaultHooks& hooks) {
  for (const FaultOptions& fault : faults) {
    if (fault.bandwidth < 1) {
      schedule_link_fault(machine, cluster, fault.target, fault.bandwidth, fault.at,
                          fault.lasts);
    }
    machine.at(fault.at, [hooks, fault] { hooks.begins(fault); });
    if (fault.speed == 1) continue;
    const std::vector<GpuId> gpus = gpus_named(cluster, fault.target);
    if (gpus.empty()) {
      throw InputError(fmt::format("a fault slows '{}' down to {:g} of its speed, which is no "
                                   "GPU and no node",
                                   fault.target, fault.speed),
                       "a GPU (gpu12, node3.gpu1) or a node (node3)",
                       "links lose bandwidth: bandwidth = 0.25");
    }
    machine.at(fault.at, [hooks, gpus, speed = fault.speed] { hooks.speed(gpus, speed); });
    if (fault.lasts.value >= 0) {
      machine.at(fault.at + fault.lasts, [hooks, gpus, gone = fault.speed == 0] {
        hooks.speed(gpus, 1.0);
        if (gone) hooks.returns();
      });
    }
  }
}

}  // namespace moesim
