#include "sim/placement/dispatch/per_step.hpp"

#include <algorithm>
#include <numeric>

#include "sim/base/errors.hpp"

namespace moesim::dispatch {

namespace {

std::size_t z(int i) { return static_cast<std::size_t>(i); }

}  // namespace

PerStep::PerStep(const Placement& placement, const DispatchSettings& settings)
    : placement_(&placement), speed_(settings.gpu_speed) {
  const std::size_t gpus = z(placement.gpus);
  if (speed_.empty()) speed_.assign(gpus, 1.0);
  MOESIM_LAW(speed_.size() == gpus, "every GPU has a speed");
  const double mean =
      std::accumulate(speed_.begin(), speed_.end(), 0.0) / static_cast<double>(gpus);
  for (double& s : speed_) s /= mean;
}

std::vector<int> PerStep::group_of_gpu() const { return std::vector<int>(speed_.size(), 0); }

void PerStep::assign_evenly(int layer, std::span<const double> counts,
                            std::vector<double>& slot_tokens) const {
  const auto experts = placement_->slot_experts(layer);
  const auto offsets = placement_->replica_offsets(layer);
  slot_tokens.resize(experts.size());
  for (std::size_t s = 0; s < experts.size(); ++s) {
    const std::size_t e = z(experts[s]);
    slot_tokens[s] = counts[e] / (offsets[e + 1] - offsets[e]);
  }
}

void PerStep::add_up(int layer, LayerLoad& out) const {
  const auto begin = placement_->gpu_slots(layer);
  const std::size_t gpus = speed_.size();
  out.gpu.resize(gpus);
  out.active.resize(gpus);
  out.hottest.resize(gpus);
  out.received.assign(gpus, 0.0);
  for (std::size_t g = 0; g < gpus; ++g) {
    double load = 0;
    double active = 0;
    double hottest = 0;
    for (std::size_t s = z(begin[g]); s < z(begin[g + 1]); ++s) {
      load += out.slot[s];
      active += std::min(1.0, out.slot[s]);  // below one token: as often as it has one
      hottest = std::max(hottest, out.slot[s]);
    }
    out.gpu[g] = load;
    out.active[g] = active;
    out.hottest[g] = hottest;
  }
}

void PerStep::split(int layer, std::span<const double> counts, LayerLoad& out) {
  assign(layer, counts, out.slot);
  add_up(layer, out);
}

void PerStep::shares(int layer, std::span<const double> counts, std::vector<double>& out) {
  assign(layer, counts, out);
  const auto experts = placement_->slot_experts(layer);
  for (std::size_t s = 0; s < experts.size(); ++s) {
    const int e = experts[s];
    const double count = counts[z(e)];
    out[s] = count > 0 ? out[s] / count
                       : 1.0 / static_cast<double>(placement_->replicas(layer, e).size());
  }
}

}  // namespace moesim::dispatch
