// The base of policies that decide anew for the counts of every step, whatever the source.
#pragma once

#include <vector>

#include "sim/placement/dispatch.hpp"

namespace moesim::dispatch {

class PerStep : public DispatchPolicy {
 public:
  PerStep(const Placement& placement, const DispatchSettings& settings);

  [[nodiscard]] int groups() const final { return 1; }
  [[nodiscard]] std::vector<int> group_of_gpu() const final;
  void split(int layer, std::span<const double> counts, LayerLoad& out) override;
  void shares(int layer, std::span<const double> counts, std::vector<double>& out) override;

 protected:
  // Fills `slot_tokens` [layer slots] so that the slots of an expert add up to its count.
  virtual void assign(int layer, std::span<const double> counts,
                      std::vector<double>& slot_tokens) = 0;
  // The even split over replicas.
  void assign_evenly(int layer, std::span<const double> counts,
                     std::vector<double>& slot_tokens) const;
  // GPU totals, active and hottest experts from the slots.
  void add_up(int layer, LayerLoad& out) const;

  [[nodiscard]] const Placement& placement() const { return *placement_; }
  // Relative speed of a GPU; the mean over GPUs is 1.
  [[nodiscard]] double speed(std::size_t gpu) const { return speed_[gpu]; }

 private:
  const Placement* placement_;
  std::vector<double> speed_;  // [gpus]
};

}  // namespace moesim::dispatch
