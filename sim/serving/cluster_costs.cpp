#include "sim/serving/cluster_costs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "calibrate/devices.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/profiles.hpp"
#include "sim/base/diagnostics.hpp"

namespace moesim {

namespace {

// Of a GPU with a datasheet; the others are CostModel's to refuse.
std::string architecture_of(const std::string& gpu) {
  const auto device = find_device(gpu);
  return device ? std::string(device->architecture) : std::string();
}

[[noreturn]] void refuse(const std::string& gpu, const std::string& given,
                         const Profile& known) {
  const std::string nearest = nearest_shipped_gpu(gpu);
  std::vector<std::string> engines;
  for (const std::string& name : shipped_profiles()) {
    if (name.starts_with(nearest + "/")) engines.push_back(name.substr(nearest.size() + 1));
  }
  throw InputError(
      fmt::format("no profile serves the cluster's {} ({}): {} is of {} ({}), and none is "
                  "shipped for engine '{}'",
                  gpu, architecture_of(gpu), given, known.gpu, architecture_of(known.gpu),
                  known.engine),
      engines.empty()
          ? fmt::format("GPUs of {} alone", architecture_of(known.gpu))
          : fmt::format("engine = one of {} in {}, so that {} has the shipped profile of {}",
                        fmt::join(engines, ", "), given, gpu, nearest));
}

}  // namespace

std::string profile_of_kind(const std::string& gpu, const std::string& given,
                            const Profile& known) {
  if (known.gpu == gpu) return given;
  const std::string nearest = nearest_shipped_gpu(gpu);
  const std::string name = nearest + "/" + known.engine;
  const auto names = shipped_profiles();
  const bool shipped = std::ranges::binary_search(names, name);
  if (shipped && nearest == gpu) return name;
  const std::string wanted = architecture_of(gpu);
  if (wanted.empty() || wanted == architecture_of(known.gpu)) return given;
  if (shipped) return name;
  refuse(gpu, given, known);
}

ClusterCosts::ClusterCosts(const Cluster& cluster, const CalibrationOptions& calibration)
    : cluster_(cluster) {
  const std::string& profile = calibration.profile;
  for (const NodeGroupOptions& group : cluster.groups()) {
    const auto at = std::ranges::find(kinds_, group.gpu.name, &Kind::gpu);
    kind_of_group_.push_back(static_cast<int>(at - kinds_.begin()));
    if (at == kinds_.end()) kinds_.push_back({group.gpu.name, profile, nullptr});
  }
  const std::string& kernel = calibration.expert_kernel;
  const std::shared_ptr<const Profile> given = load_profile(profile);
  for (Kind& kind : kinds_) {
    if (kinds_.size() > 1) kind.profile = profile_of_kind(kind.gpu, profile, *given);
    auto own = kind.profile == profile ? given : load_profile(kind.profile);
    if (!kernel.empty() && (own == given || has_expert_kernel(*own, kernel))) {
      own = with_expert_kernel(*own, kernel);
    }
    kind.costs = std::make_unique<CostModel>(std::move(own), kind.gpu);
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
