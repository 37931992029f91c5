// The cost models of a cluster, one for each kind of GPU in it.
//
// A cluster of one kind has the profile that it is given. Where kinds are mixed each has the
// first of these: the given profile, if it was measured on this kind; the shipped one of this
// kind and the given one's engine; the given one, if of the same architecture; the shipped one
// of the nearest GPU of its architecture and that engine. The last two are moved to the kind by
// the ratio of the rooflines. So a user's own file serves its own kind, and its `engine` says
// which shipped profiles stand beside it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calibrate/cost_model.hpp"
#include "sim/model/shape.hpp"
#include "sim/serving/layer_costs.hpp"
#include "sim/serving/options.hpp"
#include "sim/serving/parallelism.hpp"
#include "topology/cluster.hpp"

namespace moesim {

// The name of the profile that a GPU has beside others of another kind. `given` is the name or
// path of `known`. Throws InputError where the list above ends without one.
std::string profile_of_kind(const std::string& gpu, const std::string& given,
                            const Profile& known);

class ClusterCosts {
 public:
  // The cluster outlives this. The chosen expert kernel is the given profile's; of other kinds'
  // profiles only those that have it choose it too. Throws InputError as load_profile,
  // profile_of_kind and CostModel do.
  ClusterCosts(const Cluster& cluster, const CalibrationOptions& calibration);

  [[nodiscard]] int kinds() const { return static_cast<int>(kinds_.size()); }
  [[nodiscard]] int kind_of(GpuId gpu) const {
    return kind_of_group_[static_cast<std::size_t>(cluster_.place(gpu).group)];
  }
  [[nodiscard]] const CostModel& of_kind(int kind) const {
    return *kinds_[static_cast<std::size_t>(kind)].costs;
  }
  [[nodiscard]] const CostModel& of(GpuId gpu) const { return of_kind(kind_of(gpu)); }
  // "h200-sxm", and the name of its profile.
  [[nodiscard]] const std::string& gpu(int kind) const {
    return kinds_[static_cast<std::size_t>(kind)].gpu;
  }
  [[nodiscard]] const std::string& profile(int kind) const {
    return kinds_[static_cast<std::size_t>(kind)].profile;
  }

 private:
  struct Kind {
    std::string gpu;
    std::string profile;
    std::unique_ptr<CostModel> costs;
  };
  const Cluster& cluster_;
  std::vector<Kind> kinds_;
  std::vector<int> kind_of_group_;  // [groups of the cluster]
};

// How far the kernel times of a kind of GPU are to be trusted.
struct KernelOrigin {
  std::string gpu;
  std::string profile;
  CurveOrigin origin;
};

// One model's layers on every kind of GPU that some GPUs are of.
class LayerCostsByKind {
 public:
  // References outlive this.
  LayerCostsByKind(const ModelShape& model, const Parallelism& parallel,
                   const ClusterCosts& costs, const std::vector<GpuId>& gpus);

  [[nodiscard]] const LayerCosts& of(GpuId gpu) const {
    return *by_kind_[static_cast<std::size_t>(costs_->kind_of(gpu))];
  }
  // Those of the kinds of `gpus`, each once.
  [[nodiscard]] std::vector<const LayerCosts*> of(const std::vector<GpuId>& gpus) const;
  // Of attention and dense kernels, by kind.
  [[nodiscard]] std::vector<KernelOrigin> origins() const;
  // [ranks] what prices the experts of each of these GPUs, `slots` of a layer on each; one for
  // all where they are alike.
  [[nodiscard]] std::vector<ExpertCurve> experts(const std::vector<GpuId>& ranks,
                                                 int slots) const;

 private:
  const ClusterCosts* costs_;
  std::vector<std::unique_ptr<LayerCosts>> by_kind_;  // [kinds]; null: no GPU is of that one
};

}  // namespace moesim
