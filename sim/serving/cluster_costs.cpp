#include "sim/serving/cluster_costs.hpp"

#include <algorithm>

#include "calibrate/profile.hpp"
#include "calibrate/profiles.hpp"

namespace moesim {

namespace {

// Of a GPU beside others of another kind.
std::string profile_of(const std::string& gpu, const std::string& given, const Profile& known) {
  if (known.gpu == gpu) return given;
  const std::string own = nearest_shipped_gpu(gpu) + "/" + known.engine;
  const auto shipped = shipped_profiles();
  return std::ranges::binary_search(shipped, own) ? own : given;
}

}  // namespace

ClusterCosts::ClusterCosts(const Cluster& cluster, const CalibrationOptions& calibration)
    : cluster_(cluster) {
  const std::string& profile = calibration.profile;
  for (const NodeGroupOptions& group : cluster.groups()) {
    const auto at = std::ranges::find(kinds_, group.gpu.name, &Kind::gpu);
    kind_of_group_.push_back(static_cast<int>(at - kinds_.begin()));
    if (at == kinds_.end()) kinds_.push_back({group.gpu.name, profile, nullptr});
  }
  const std::shared_ptr<const Profile> given = load_profile(profile, calibration.expert_kernel);
  for (Kind& kind : kinds_) {
    if (kinds_.size() > 1) kind.profile = profile_of(kind.gpu, profile, *given);
    const auto own =
        kind.profile == profile ? given : load_profile(kind.profile, calibration.expert_kernel);
    kind.costs = std::make_unique<CostModel>(own, kind.gpu);
  }
}

LayerCostsByKind::LayerCostsByKind(const ModelShape& model, const Parallelism& parallel,
                                   const ClusterCosts& costs, const std::vector<GpuId>& gpus)
    : costs_(&costs), by_kind_(static_cast<std::size_t>(costs.kinds())) {
  for (const GpuId gpu : gpus) {
    auto& own = by_kind_[static_cast<std::size_t>(costs.kind_of(gpu))];
    if (!own) own = std::make_unique<LayerCosts>(model, parallel, costs.of(gpu));
  }
}

std::vector<const LayerCosts*> LayerCostsByKind::of(const std::vector<GpuId>& gpus) const {
  std::vector<const LayerCosts*> out;
  for (const GpuId gpu : gpus) {
    if (std::ranges::find(out, &of(gpu)) == out.end()) out.push_back(&of(gpu));
  }
  return out;
}

std::vector<KernelOrigin> LayerCostsByKind::origins() const {
  std::vector<KernelOrigin> out;
  for (int kind = 0; kind < costs_->kinds(); ++kind) {
    const auto& costs = by_kind_[static_cast<std::size_t>(kind)];
    if (costs) out.push_back({costs_->gpu(kind), costs_->profile(kind), costs->origin()});
  }
  return out;
}

std::vector<ExpertCurve> LayerCostsByKind::experts(const std::vector<GpuId>& ranks,
                                                   int slots) const {
  const std::vector<const LayerCosts*> kinds = of(ranks);
  std::vector<ExpertCurve> of_kind;
  for (const LayerCosts* costs : kinds) of_kind.push_back(costs->experts(slots));
  if (kinds.size() == 1) return of_kind;
  std::vector<ExpertCurve> out;
  for (const GpuId gpu : ranks) {
    const auto at = std::ranges::find(kinds, &of(gpu)) - kinds.begin();
    out.push_back(of_kind[static_cast<std::size_t>(at)]);
  }
  return out;
}

}  // namespace moesim
